use jiff::Timestamp;

use crate::{
    alert::{AlertType, Change, Severity},
    id::{AlertId, ClientId, MemberId},
};

/// A change of an alert that has not been sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    /// Of which alert.
    pub alert: AlertId,
    /// Client of the alert.
    pub client: ClientId,
    /// Owner of the client.
    pub owner: Option<MemberId>,
    /// What became of the alert.
    pub change: Change,
    /// Alert type after the change.
    pub kind: AlertType,
    /// How bad it was by that.
    pub severity: Severity,
    /// Time.
    pub at: Timestamp,
}
