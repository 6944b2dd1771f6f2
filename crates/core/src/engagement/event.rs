use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a client did, as far as a score can tell actions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventType {
    /// Signed in to the host app.
    Login,
    /// Looked at a page or screen.
    PageView,
    /// Finished a task (high value).
    TaskCompleted,
    /// Made a piece of content (high value, counts for progress).
    ContentGenerated,
    /// Made a visual (high value, counts for progress).
    VisualCreated,
    /// Talked to a voice assistant.
    VoiceInteraction,
    /// Read an insight.
    InsightReviewed,
    /// Took data out.
    ExportDownloaded,
    /// Changed a setting.
    SettingsUpdated,
    /// Rated or commented.
    FeedbackGiven,
    /// Anything else: counts as activity, never as high value.
    Custom,
}

impl EventType {
    /// Every type, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Login,
        Self::PageView,
        Self::TaskCompleted,
        Self::ContentGenerated,
        Self::VisualCreated,
        Self::VoiceInteraction,
        Self::InsightReviewed,
        Self::ExportDownloaded,
        Self::SettingsUpdated,
        Self::FeedbackGiven,
        Self::Custom,
    ];

    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::PageView => "page_view",
            Self::TaskCompleted => "task_completed",
            Self::ContentGenerated => "content_generated",
            Self::VisualCreated => "visual_created",
            Self::VoiceInteraction => "voice_interaction",
            Self::InsightReviewed => "insight_reviewed",
            Self::ExportDownloaded => "export_downloaded",
            Self::SettingsUpdated => "settings_updated",
            Self::FeedbackGiven => "feedback_given",
            Self::Custom => "custom",
        }
    }

    /// Whether one such event in a week earns the engagement bonus.
    pub const fn is_high_value(self) -> bool {
        matches!(self, Self::TaskCompleted | Self::ContentGenerated | Self::VisualCreated)
    }

    /// The type of an event whose name nobody mapped: its own name when that is a type's, else
    /// [`EventType::Custom`].
    pub fn from_name(name: &str) -> Self {
        name.parse().unwrap_or(Self::Custom)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is none of the event types.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {0:?}: use one of {list}", list = EventType::ALL.map(EventType::as_str).join(", "))]
pub struct UnknownEventType(pub String);

impl FromStr for EventType {
    type Err = UnknownEventType;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownEventType(text.to_owned()))
    }
}

/// An event as it came through some door (API, SDK, file), before anything was checked.
#[derive(Clone, Debug, Default)]
pub struct IncomingEvent {
    /// The host app's id of the client (Segment: `userId`).
    pub client_id: String,
    /// The host app's id of the person who did it, where that is another one than the client's.
    pub person: Option<String>,
    /// The event's name as the sender wrote it.
    pub name: String,
    /// What the organization maps that name to; [`EventType::from_name`] when it maps nothing.
    pub event_type: Option<EventType>,
    /// Time of the event by the client's clock (Segment: `originalTimestamp`, else `timestamp`).
    pub timestamp: Option<Timestamp>,
    /// Time of sending by the client's clock, which shows how far that clock is off.
    pub sent_at: Option<Timestamp>,
    /// The sender's unique id of this message.
    pub message_id: String,
    /// The visit it belongs to.
    pub session_id: Option<String>,
    /// The page it happened on.
    pub page_path: Option<String>,
    /// Duration in seconds.
    pub duration_seconds: Option<i64>,
    /// Anything else that the sender tells.
    pub data: Map<String, Value>,
}

/// A checked event, ready to be stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The host app's id of the client.
    pub client_id: String,
    /// The host app's id of the person who did it, where that is another one than the client's.
    pub person: Option<String>,
    /// Event type.
    pub event_type: EventType,
    /// The name as it was sent.
    pub name: String,
    /// When it happened, after correction of a wrong client clock. Every figure uses this.
    pub occurred_at: Timestamp,
    /// The client's own timestamp before correction: the same message sent again carries the same
    /// one, however far the correction moves it. `None` when the client sent none.
    pub client_timestamp: Option<Timestamp>,
    /// When it reached us; for an import, when it happened.
    pub received_at: Timestamp,
    /// Unique for (organization, client, client timestamp).
    pub message_id: String,
    /// The visit it belongs to.
    pub session_id: Option<String>,
    /// The page it happened on.
    pub page_path: Option<String>,
    /// How long it took: 0 to 86 400 s.
    pub duration_seconds: Option<i64>,
    /// Anything else that the sender told; at most 32 KiB as JSON.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Whether a browser or the client itself sent it; nobody vouches for those.
    #[serde(default)]
    pub self_told: bool,
}
