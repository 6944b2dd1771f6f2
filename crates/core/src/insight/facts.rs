use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use super::Period;
use crate::{
    engagement::EventType,
    score::{Components, Score, ScoreModel},
};

/// Everything that a client's insights of one week are made from.
#[derive(Clone, Debug)]
pub struct WeekFacts<'a> {
    /// The instant they are written for.
    pub as_of: Timestamp,
    /// The organization's zone, for the dates in sentences.
    pub zone: &'a TimeZone,
    /// [`Period::last_complete`] as of `as_of`.
    pub period: Period,
    /// When the client was created: days before that are nobody's silence.
    pub created_at: Timestamp,
    /// Events in the period, by type.
    pub events: BTreeMap<EventType, i64>,
    /// `content_generated` events ever.
    pub content: LifetimeCount,
    /// `visual_created` events ever.
    pub visuals: LifetimeCount,
    /// Onboarding tasks that are neither completed nor skipped.
    pub pending_tasks: Vec<PendingTask>,
    /// The client's score as of now.
    pub score: &'a Score,
    /// The model that made it.
    pub model: &'a ScoreModel,
    /// [`contributions`](super::contributions) of the score that `score.previous` names; `None` when there is none.
    pub previous_contributions: Option<Components<i64>>,
}

/// A lifetime count at both ends of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifetimeCount {
    /// Events before the period's start.
    pub before: i64,
    /// Events before the period's end.
    pub at_end: i64,
}

/// An onboarding task that is still to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTask {
    /// Its title.
    pub title: String,
    /// When it was given to the client.
    pub open_since: Timestamp,
}
