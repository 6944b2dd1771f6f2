use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{engagement::EventType, named::named, score::Component};

/// For how many calendar days an insight is shown, unless the organization says otherwise.
pub const VALID_DAYS: i32 = 14;

named! {
    /// Type of an insight.
    InsightType, "insight type" {
        /// What else happened in the week.
        WeeklySummary = "weekly_summary",
        /// Something that the client made.
        Achievement = "achievement",
        /// Something to do.
        Recommendation = "recommendation",
        /// A mark that was reached.
        Milestone = "milestone",
        /// The score moved far.
        TrendAlert = "trend_alert",
        /// A small hint.
        Tip = "tip",
    }
}

named! {
    /// How prominently an insight is shown; a later one outranks an earlier one.
    Priority, "priority" {
        /// Good to know.
        Low = "low",
        /// Worth reading.
        Normal = "normal",
        /// First in the list.
        High = "high",
    }
}

named! {
    /// Status of an insight.
    InsightStatus, "insight status" {
        /// Nothing yet.
        Unread = "unread",
        /// Saw it.
        Read = "read",
        /// Did what it says. Final.
        ActedOn = "acted_on",
        /// Does not want to see it. Final.
        Dismissed = "dismissed",
    }
}

impl InsightStatus {
    /// Whether an insight in this status may be set to `next`. The same status again is allowed, so
    /// that a request sent twice succeeds twice.
    pub const fn can_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Unread, _)
            | (Self::Read, Self::Read | Self::ActedOn | Self::Dismissed)
            | (Self::ActedOn, Self::ActedOn)
            | (Self::Dismissed, Self::Dismissed) => true,
            (Self::Read | Self::ActedOn | Self::Dismissed, _) => false,
        }
    }
}

named! {
    /// The rule that wrote an insight: unique for a client and period, in the order in which
    /// insights of the same priority are listed.
    Rule, "insight rule" {
        /// No event in the period.
        NoActivity = "no_activity",
        /// The score moved by 10 or more.
        ScoreMoved = "score_moved",
        /// The smallest action that would raise the score most.
        BestNextStep = "best_next_step",
        /// A milestone of contents was crossed.
        ContentMilestone = "content_milestone",
        /// A milestone of visuals was crossed.
        VisualMilestone = "visual_milestone",
        /// Tasks were completed.
        TasksCompleted = "tasks_completed",
        /// Contents were generated.
        ContentGenerated = "content_generated",
        /// Visuals were created.
        VisualsCreated = "visuals_created",
        /// One to three onboarding tasks are left.
        TasksPending = "tasks_pending",
        /// Events of other types.
        OtherActivity = "other_activity",
    }
}

/// One thing told to a client about one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insight {
    /// Rule that created the insight; unique for a client and period.
    pub rule: Rule,
    /// Kind.
    pub kind: InsightType,
    /// Priority in lists.
    pub priority: Priority,
    /// A few words.
    pub title: String,
    /// One to three sentences: the fact, its number, what to do.
    pub message: String,
    /// The numbers in it, a JSON object without fractions.
    pub figures: Map<String, Value>,
    /// Data behind the insight.
    pub evidence: InsightEvidence,
    /// When it disappears: [`VALID_DAYS`] after it was written.
    pub valid_until: Timestamp,
}

impl Insight {
    /// Whether it says how little came from the client: no activity, or a score that fell. Where the
    /// data of its week are missing, nobody knows.
    pub fn depends_on_absence(&self) -> bool {
        match self.rule {
            Rule::NoActivity => true,
            Rule::ScoreMoved => {
                self.figures.get("change").and_then(Value::as_i64).is_some_and(|change| change < 0)
            }
            _ => false,
        }
    }
}

/// What an insight rests on, so that a surface can link to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsightEvidence {
    /// First local day of the period, included.
    pub first: Date,
    /// Last local day of the period, included.
    pub last: Date,
    /// The client's events of these types in the period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventType>,
    /// All events of the client in the period as it was written: what comes later is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<i64>,
    /// These parts of the client's score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// Whether it rests on the client's onboarding tasks too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tasks: bool,
}
