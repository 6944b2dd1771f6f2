//! Events and what is rolled up from them.

pub(super) mod arrived;
mod change_zone;
mod fold;
pub(crate) mod instants;
pub(super) mod key_activity;
mod move_events;
mod read;
pub(super) mod refused;
mod roll_up;
pub(super) mod seen_names;
pub(super) mod silence;
mod store_events;
pub(super) mod verify;
pub(super) mod waiting;

pub use change_zone::ZoneStep;
pub(crate) use fold::{Addition, Additions, unpacked};
pub(crate) use move_events::MovedEvent;
pub use roll_up::RollUp;
pub(crate) use roll_up::{activity_on_days, roll_up_events};
use store_events::event_time;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Event, EventType, Windows},
    time::{add_days, start_of_day},
};
use serde_json::{Map, Value};

use crate::ResolvedClient;

/// A checked event of a known client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StorableEvent<'a> {
    /// Assignee, as [`Tx::resolve_clients`](crate::Tx::resolve_clients) told in the same
    /// transaction.
    pub client: ResolvedClient,
    /// Calendar day of `event.occurred_at` in the organization's zone.
    pub local_day: Date,
    /// Type of event.
    pub event: &'a Event,
}

impl StorableEvent<'_> {
    /// The event's own timestamp as it is filed; when it happened, of a message without one.
    pub fn own_time(&self) -> Timestamp {
        event_time(self.event)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Stored,
    /// It was there already.
    Duplicate,
}

/// An event as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// The sender's id of the message.
    pub message_id: String,
    /// Event type.
    pub event_type: EventType,
    /// The name as it was sent.
    pub name: String,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// When Mainstay received it.
    pub received_at: Timestamp,
    /// The visit it belongs to.
    pub session_id: Option<String>,
    /// The page it happened on.
    pub page_path: Option<String>,
    /// Duration in seconds.
    pub duration_seconds: Option<i64>,
    /// Anything else that was told.
    pub data: Map<String, Value>,
    /// Whether a browser or the client itself sent it.
    pub self_told: bool,
}

/// Where a page of events ends: the next one goes on before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    /// Time of the last event shown.
    pub occurred_at: Timestamp,
    /// Its id, for events of the same instant.
    pub message_id: String,
}

/// A client's events on one local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayActivity {
    /// The day.
    pub day: Date,
    /// Count.
    pub events: i64,
}

/// How many events of each type some client had in a stretch of days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeCounts(pub std::collections::BTreeMap<EventType, i64>);

/// The days that a client's activity at one instant is made of: whole days from the roll-up's counts,
/// cut days from its instants.
#[derive(Clone, Debug)]
pub struct ActivityRange {
    /// The windows of the instant.
    pub windows: Windows,
    /// Last day that is read from the folded totals instead; `None` reads everything.
    pub folded_until: Option<Date>,
    /// Whether insights or alerts are made from it, which say more than a score: they need each
    /// client's usual gap, however long ago it was last here, and what its previous score rested on.
    pub detailed: bool,
}

impl ActivityRange {
    /// The range of an instant. Totals are used when every day that must be told apart is later
    /// than the last folded one; an instant further back reads the whole history instead.
    pub fn new(windows: Windows, folded_until: Option<Date>, detailed: bool) -> Self {
        let first_single_day = windows.day_of(windows.last_week);
        Self { folded_until: folded_until.filter(|day| *day < first_single_day), windows, detailed }
    }

    /// The local day of the instant itself.
    pub(crate) fn today(&self) -> Date {
        self.windows.day_of(self.windows.as_of)
    }

    /// First day that counts whole for a window starting at `edge`.
    pub(crate) fn first_whole_day(&self, edge: Timestamp) -> Date {
        let day = self.windows.day_of(edge);
        if start_of_day(day, &self.windows.zone) == edge { day } else { add_days(day, 1) }
    }
}
