use jiff::{SignedDuration, Timestamp};

use super::{
    AlertStatus,
    episode::{Episode, NewState},
};

/// The longest snooze: 90 days of 24 hours. Longer than that is a dismissal that nobody remembers.
pub const MAX_SNOOZE: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What a member does with an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// "I am on it." It stays open, and becomes active again when it gets worse.
    Acknowledge,
    /// "Not now." It is active again at `until`, or when it gets worse.
    Snooze {
        /// After now, at most [`MAX_SNOOZE`] ahead.
        until: Timestamp,
    },
    /// "Settled." The same trouble stays quiet until it has ended once; a worse one does not.
    Resolve,
    /// "Never mind." Stays quiet until the condition has ended once, however bad it gets.
    Dismiss,
    /// "I take that back." Undoes what a member did with it last: one that was resolved or dismissed
    /// is open again, one that was acknowledged or snoozed is active.
    Reopen,
}

impl Action {
    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Snooze { .. } => "snooze",
            Self::Resolve => "resolve",
            Self::Dismiss => "dismiss",
            Self::Reopen => "reopen",
        }
    }
}

/// Why an action was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The alert has ended.
    #[error(
        "this alert is already {status}: only an open one can be changed; reopen it first, or wait for \
         a new one, which opens when its condition returns"
    )]
    NotOpen {
        /// Kind.
        status: AlertStatus,
    },
    /// What the alert is about is over.
    #[error(
        "this alert's condition has ended, so it cannot be open again; a new one opens when the \
         condition returns"
    )]
    ConditionEnded,
    /// The end of a snooze lies behind.
    #[error("{until} is not after now ({now}); send a time in the next 90 days")]
    SnoozePast {
        /// The requested value.
        until: Timestamp,
        /// The server's clock.
        now: Timestamp,
    },
    /// The end of a snooze lies too far ahead.
    #[error(
        "{until} is more than 90 days ahead; the latest is {latest}, or dismiss the alert to \
         keep it quiet until its condition ends"
    )]
    SnoozeTooLong {
        /// The requested value.
        until: Timestamp,
        /// The latest that is allowed.
        latest: Timestamp,
    },
}

impl ActionError {
    /// The field at fault, by its name in the API; `None` where the alert's state is in the way.
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotOpen { .. } | Self::ConditionEnded => None,
            Self::SnoozePast { .. } | Self::SnoozeTooLong { .. } => Some("until"),
        }
    }
}

/// What a member's action makes of an alert. Acknowledging twice succeeds twice and changes nothing.
///
/// # Errors
/// When the alert is not open, or a snooze ends in the past or too far ahead.
pub fn apply_action(
    episode: &Episode,
    action: Action,
    now: Timestamp,
) -> Result<NewState, ActionError> {
    if action != Action::Reopen && !episode.status.is_open() {
        return Err(ActionError::NotOpen { status: episode.status });
    }
    let (status, snoozed_until) = match action {
        Action::Acknowledge => (AlertStatus::Acknowledged, None),
        Action::Snooze { until } => {
            let latest = now.checked_add(MAX_SNOOZE).unwrap_or(Timestamp::MAX);
            if until <= now {
                return Err(ActionError::SnoozePast { until, now });
            }
            if until > latest {
                return Err(ActionError::SnoozeTooLong { until, latest });
            }
            (AlertStatus::Snoozed, Some(until))
        }
        Action::Resolve => (AlertStatus::Resolved, None),
        Action::Dismiss => (AlertStatus::Dismissed, None),
        Action::Reopen => return reopen(episode),
    };
    Ok(NewState { status, snoozed_until })
}

const fn reopen(episode: &Episode) -> Result<NewState, ActionError> {
    // While its condition lasts, nothing else can have opened in its place: that is what the ended
    // episode keeps quiet.
    if episode.is_live() {
        Ok(NewState { status: AlertStatus::Active, snoozed_until: None })
    } else {
        Err(ActionError::ConditionEnded)
    }
}
