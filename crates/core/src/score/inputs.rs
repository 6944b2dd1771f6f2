use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{engagement::Activity, time::local_day};

/// How far a client got with its launch kit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchKit {
    /// Never looked at it, or there is none.
    #[default]
    Unopened,
    /// Looked at it.
    Viewed,
    /// Worked through it.
    Completed,
}

impl LaunchKit {
    /// The name used in every API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Viewed => "viewed",
            Self::Completed => "completed",
        }
    }
}

/// A client's onboarding tasks at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// All of them.
    pub total: i64,
    /// Those completed or skipped.
    pub settled: i64,
}

/// Everything a score is made from, as it is stored with the score: about 200 bytes, from which the
/// whole evidence follows together with the model of the same version. A field that comes later needs a
/// default, for the scores of earlier versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreInputs {
    /// The instant the score is for.
    pub as_of: Timestamp,
    /// The IANA zone whose calendar days were counted.
    pub zone: String,
    /// Version of the score model that made the score.
    pub model: i64,
    /// Events this week.
    pub events: i64,
    /// Events last week.
    pub events_before: i64,
    /// Distinct local days with an event this week, at most 7.
    pub active_days: i64,
    /// High-value events this week.
    pub high_value: i64,
    /// `content_generated` events ever.
    pub content: i64,
    /// `visual_created` events ever.
    pub visuals: i64,
    /// Onboarding tasks.
    pub tasks: i64,
    /// Onboarding tasks completed or skipped.
    pub settled: i64,
    /// State of the launch kit.
    pub kit: LaunchKit,
    /// Ratings in the model's feedback window.
    pub ratings: i64,
    /// Sum of those ratings, each normalised to 0–100.
    pub rating_sum: i64,
    /// The last event before `as_of`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Onboarding, launch kit and feedback count before this instant, where that is later than `as_of`.
    /// They are no events: they move no window, so that finishing a task changes nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
}

impl ScoreInputs {
    /// Gathers the inputs of one client.
    pub fn new(
        as_of: Timestamp,
        zone: &str,
        model_version: i64,
        activity: &Activity,
        tasks: TaskCounts,
        kit: LaunchKit,
        (ratings, rating_sum): (i64, i64),
    ) -> Self {
        Self {
            as_of,
            zone: zone.to_owned(),
            model: model_version,
            events: activity.events_this_week,
            events_before: activity.events_last_week,
            active_days: activity.active_days.min(7),
            high_value: activity.high_value_this_week,
            content: activity.content_generated,
            visuals: activity.visuals_created,
            tasks: tasks.total,
            settled: tasks.settled,
            kit,
            ratings,
            rating_sum,
            last: activity.last_event_at,
            known_at: None,
        }
    }

    /// The instant before which onboarding, launch kit and feedback count.
    pub fn known_until(&self) -> Timestamp {
        self.known_at.unwrap_or(self.as_of)
    }

    /// Whether the client was already active on the local day of `as_of`, so that another event
    /// today would not add an active day.
    pub fn active_today(&self) -> bool {
        let Ok(zone) = crate::time::time_zone(&self.zone) else { return false };
        self.last.is_some_and(|last| local_day(last, &zone) == local_day(self.as_of, &zone))
    }
}
