use jiff::Timestamp;

use crate::{
    alert::{AlertType, Change, Severity},
    id::{AlertId, ClientId, MemberId},
};

/// A change of an alert that is not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Of which alert.
    pub alert: AlertId,
    /// Whose alert.
    pub client: ClientId,
    /// Who looks after that client.
    pub owner: Option<MemberId>,
    /// What became of the alert.
    pub change: Change,
    /// What it warned of by that.
    pub kind: AlertType,
    /// How bad it was by that.
    pub severity: Severity,
    /// When.
    pub at: Timestamp,
}
