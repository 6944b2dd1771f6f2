use jiff::Timestamp;

use super::OpenAlert;
use crate::{
    alert::{AlertStatus, AlertType, Severity},
    id::MemberId,
    score::{Band, Trend},
};

/// Filter of clients. All conditions must hold.
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
    /// Only clients that need a person.
    pub needs_a_person: bool,
    /// Only clients created since then.
    pub created_since: Option<Timestamp>,
}

/// Filter by open alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertChoice {
    /// At least one matching alert.
    With(AlertMatch),
    /// No open alert.
    Without,
}

/// Conditions on an open alert. All must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertMatch {
    /// Of this type.
    pub kind: Option<AlertType>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Put off until later, or not.
    pub snoozed: Option<bool>,
}

/// Filter by owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerChoice {
    /// Clients of a member.
    Member(MemberId),
    /// Clients without an owner.
    Unassigned,
}

impl AlertMatch {
    /// Whether an alert is like this.
    pub fn matches(self, alert: OpenAlert) -> bool {
        self.kind.is_none_or(|kind| alert.kind == kind)
            && self.severity.is_none_or(|severity| alert.severity == severity)
            && self.snoozed.is_none_or(|snoozed| (alert.status == AlertStatus::Snoozed) == snoozed)
    }
}
