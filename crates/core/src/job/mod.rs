//! What runs by itself, and when: each organization's jobs, in its time zone.
//!
//! A [`Schedule`] tells the instants of a cron expression. Each instant is a period of its job: a run
//! is known by (organization, job, period), so that each period runs exactly once.

mod due;
mod retry;
mod schedule;

pub use due::due;
pub(crate) use retry::with_jitter;
pub use retry::{MAX_ATTEMPTS, retry_after};
pub use schedule::{Schedule, ScheduleError};

use crate::named::named;

named! {
    /// What runs by itself. In this order where several are due: a week's figures come before a
    /// day's.
    Job, "job" {
        /// Scores, insights and emails, in this order.
        Weekly = "weekly",
        /// Scores, a health check, an end to insights that have expired, and what members are told of it.
        Daily = "daily",
        /// A health check.
        Hourly = "hourly",
    }
}

named! {
    /// One part of a job.
    Step, "step" {
        /// Everybody's score.
        Scores = "scores",
        /// Everybody's insights of the last seven days.
        Insights = "insights",
        /// The weekly mails of those who asked for them.
        Emails = "emails",
        /// Alerts open, worsen and end.
        Health = "health",
        /// Expired insights go.
        CleanInsights = "clean_insights",
        /// The daily mails of the members who want them.
        Digest = "digest",
    }
}

impl Job {
    /// Default schedule, in the organization's time zone.
    pub const fn default_cron(self) -> &'static str {
        match self {
            Self::Weekly => "0 0 * * 0",
            Self::Daily => "0 0 * * *",
            Self::Hourly => "0 * * * *",
        }
    }

    /// Actions, in order.
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::Weekly => &[Step::Scores, Step::Insights, Step::Emails],
            Self::Daily => &[Step::Scores, Step::Health, Step::CleanInsights, Step::Digest],
            Self::Hourly => &[Step::Health],
        }
    }

    /// Describes the job in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Weekly => "Computes scores, writes insights and the weekly emails.",
            Self::Daily => {
                "Computes scores, checks health, removes expired insights and writes digests."
            }
            Self::Hourly => "Checks health: alerts open, worsen and resolve.",
        }
    }
}

impl Step {
    /// What it counts, as people read it after a number.
    pub const fn counts(self) -> &'static str {
        match self {
            Self::Scores => "score",
            Self::Insights => "new insight",
            Self::Emails => "email",
            Self::Health => "alert change",
            Self::CleanInsights => "expired insight",
            Self::Digest => "digest",
        }
    }
}
