//! Which clients need a person: six kinds of momentum alert, each an *episode* that opens, gets
//! worse in place and ends by itself.
//!
//! [`conditions`] says what is true of a client now; [`check`] compares that with the episodes there
//! are and answers with [`Transition`]s; [`apply_action`] is what members do. Nothing is stored here: the
//! caller applies what comes back with [`Episode::open`] and [`Episode::apply`].

mod action;
mod condition;
mod episode;
mod facts;
mod kind;
mod sentences;
mod silence;
mod threshold;

pub use crate::insight::UnknownName;
pub use action::{Action, ActionError, MAX_SNOOZE, apply_action};
pub use condition::{Condition, Finding, condition, conditions};
pub use episode::{Episode, NewState, Transition, check};
pub use facts::{AlertFacts, ScoreFacts, TaskInProgress};
pub use kind::{AlertStatus, AlertType, Change, Ending, Family, Severity};
pub use sentences::quiet_days;
pub use silence::{
    ActiveDays, DataFlow, MIN_TIME_TO_RETURN, SilentHours, TimeRange, held_until, is_new_normal,
};
pub use threshold::{
    CHURN_GAP_FACTOR, CHURN_MIN_DAYS, INACTIVE_AFTER, SCORE_DROP_CRITICAL, SCORE_DROP_WARNING,
    TASK_STALLED_AFTER, ZERO_ACTIVITY_AFTER,
};
