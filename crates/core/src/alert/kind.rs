use crate::named::named;

named! {
    /// What a momentum alert warns of.
    AlertType, "alert type" {
        /// No event for 48 hours.
        Inactivity = "inactivity",
        /// No event for 3 days.
        ZeroActivity = "zero_activity",
        /// An onboarding task was begun and left for 72 hours.
        TaskStalled = "task_stalled",
        /// The score fell by 20 or more.
        ScoreDrop = "score_drop",
        /// At risk and declining, or quiet for unusually long.
        ChurnRisk = "churn_risk",
        /// The score entered the *needs attention* band from above.
        NeedsAttention = "needs_attention",
    }
}

named! {
    /// How bad it is; a later one is worse.
    Severity, "severity" {
        /// Good to know.
        Info = "info",
        /// Look at it.
        Warning = "warning",
        /// Look at it today.
        Critical = "critical",
    }
}

named! {
    /// What became of an alert.
    AlertStatus, "alert status" {
        /// Nobody has looked at it.
        Active = "active",
        /// A member is on it.
        Acknowledged = "acknowledged",
        /// A member wants to hear of it again later.
        Snoozed = "snoozed",
        /// Its condition ended, or a member settled it.
        Resolved = "resolved",
        /// A member does not want to hear of it until its condition has ended once.
        Dismissed = "dismissed",
    }
}

named! {
    /// How an episode ended by itself.
    Ending, "ending" {
        /// The client did something: it came back, or its task moved.
        Recovered = "recovered",
        /// The client did nothing since the episode opened. What its score is compared with has merely
        /// caught up with the fall.
        Faded = "faded",
    }
}

impl Severity {
    /// Display name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Info => "Info",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }
}

impl AlertStatus {
    /// Whether the episode still goes on: at most one such for a client and [`Family`].
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Acknowledged | Self::Snoozed)
    }
}

named! {
    /// What a health check reports of an episode, to members and to webhooks.
    Change, "change" {
        /// It is new.
        Opened = "opened",
        /// It became more severe.
        Worsened = "worsened",
        /// Its condition ended.
        Resolved = "resolved",
    }
}

/// Alert types that are stages of one condition: an episode moves between the types of its family
/// and never leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// No event: [`AlertType::Inactivity`], then [`AlertType::ZeroActivity`].
    Silence,
    /// [`AlertType::TaskStalled`].
    TaskStalled,
    /// [`AlertType::ScoreDrop`].
    ScoreDrop,
    /// [`AlertType::ChurnRisk`].
    ChurnRisk,
    /// [`AlertType::NeedsAttention`].
    NeedsAttention,
}

impl Family {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 5] =
        [Self::Silence, Self::TaskStalled, Self::ScoreDrop, Self::ChurnRisk, Self::NeedsAttention];
}

impl AlertType {
    /// Display name.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Inactivity => "Inactivity",
            Self::ZeroActivity => "No activity",
            Self::TaskStalled => "Task stalled",
            Self::ScoreDrop => "Score drop",
            Self::ChurnRisk => "Churn risk",
            Self::NeedsAttention => "Needs attention",
        }
    }

    /// Whether it rests on what came from the client lately, so that missing data look like it. All do
    /// but a stalled task: that is untouched whatever becomes of the events.
    pub const fn depends_on_activity(self) -> bool {
        !matches!(self, Self::TaskStalled)
    }

    /// The condition that it is a stage of.
    pub const fn family(self) -> Family {
        match self {
            Self::Inactivity | Self::ZeroActivity => Family::Silence,
            Self::TaskStalled => Family::TaskStalled,
            Self::ScoreDrop => Family::ScoreDrop,
            Self::ChurnRisk => Family::ChurnRisk,
            Self::NeedsAttention => Family::NeedsAttention,
        }
    }
}
