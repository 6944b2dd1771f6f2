//! What a client is told each week: a handful of sentences, each with its number and the events or
//! score parts that it rests on.
//!
//! [`weekly_insights`] is a pure function of one client's week. Its answers are keyed by
//! (client, period, [`Rule`]), so that running a period twice changes nothing.

mod facts;
mod kind;
mod moved;
mod period;
mod rules;
mod sentences;
pub mod words;

pub use crate::named::UnknownName;
pub use facts::{LifetimeCount, PendingTask, WeekFacts};
pub use kind::{Insight, InsightEvidence, InsightStatus, InsightType, Priority, Rule, VALID_DAYS};
pub use moved::{ComponentChange, contributions};
pub use period::Period;
pub use rules::{MAX_PENDING_TASKS, NOTABLE_CHANGE_POINTS, weekly_insights};
pub use sentences::{StepWords, step_words};
