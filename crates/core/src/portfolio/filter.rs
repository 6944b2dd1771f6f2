use jiff::Timestamp;

use super::OpenAlert;
use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::MemberId,
    score::{Band, Trend},
};

/// Which clients to show; everything that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that all stand in its name, id or address, in any case.
    pub text: String,
    /// Only of this band.
    pub band: Option<Band>,
    /// Only with this trend.
    pub trend: Option<Trend>,
    /// Only with such an open alert.
    pub alert: Option<AlertChoice>,
    /// Only of this owner.
    pub owner: Option<OwnerChoice>,
    /// Only on this plan.
    pub plan: Option<String>,
    /// Only who needs a person.
    pub needs_a_person: bool,
    /// Only who came to be since then.
    pub created_since: Option<Timestamp>,
}

/// Which open alerts a client must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertChoice {
    /// One like this.
    With(AlertLike),
    /// None at all.
    Without,
}

/// What an open alert must be like; everything that is given must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertLike {
    /// Of this type.
    pub kind: Option<AlertType>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Put off until later, or not.
    pub snoozed: Option<bool>,
}

/// Whose clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerChoice {
    /// A member's.
    Member(MemberId),
    /// Nobody's.
    Nobody,
}

impl AlertLike {
    /// Whether an alert is like this.
    pub fn fits(self, alert: OpenAlert) -> bool {
        self.kind.is_none_or(|kind| alert.kind == kind)
            && self.severity.is_none_or(|severity| alert.severity == severity)
            && self.snoozed.is_none_or(|it| (alert.status == AlertStatus::Snoozed) == it)
    }
}
