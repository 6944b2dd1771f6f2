use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{add_days, local_day},
};
use mainstay_store::{Client, EventCursor, Scope, StoredEvent};

use crate::{Mainstay, Result};

/// Days of a heatmap, including today.
pub const HEATMAP_DAYS: i32 = 30;
/// Events per query when filtering.
const READ_AHEAD: i64 = 1_000;

/// A client's activity on the last days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heatmap {
    /// All days, oldest first.
    pub days: Vec<HeatmapDay>,
    /// Events on all of them.
    pub total: i64,
    /// Days with an event.
    pub active_days: i64,
}

/// One day of a heatmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeatmapDay {
    /// The calendar day in the organization's zone.
    pub day: Date,
    /// Its events.
    pub events: i64,
}

impl Heatmap {
    /// The heatmap of a client without events.
    pub fn empty(today: Date) -> Self {
        Self::of(today, &[])
    }

    fn of(today: Date, activity: &[(Date, i64)]) -> Self {
        let days: Vec<HeatmapDay> = (1 - HEATMAP_DAYS..=0)
            .map(|offset| add_days(today, offset))
            .map(|day| HeatmapDay {
                day,
                events: activity.iter().find(|(active, _)| *active == day).map_or(0, |(_, n)| *n),
            })
            .collect();
        Self {
            total: days.iter().map(|day| day.events).sum(),
            active_days: i64::try_from(days.iter().filter(|day| day.events > 0).count())
                .unwrap_or(i64::MAX),
            days,
        }
    }

    /// Hundredths of an event an active day; 0 when there was none.
    pub const fn average_hundredths(&self) -> i64 {
        if self.active_days == 0 {
            0
        } else {
            (self.total * 100 + self.active_days / 2) / self.active_days
        }
    }
}

/// A page of a client's events.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<StoredEvent>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<EventCursor>,
}

impl Mainstay {
    /// A client's last 30 local days.
    pub async fn engagement_heatmap(
        &self,
        scope: Scope,
        client: ClientId,
        as_of: Timestamp,
    ) -> Result<Heatmap> {
        let mut tx = self.store().read(scope).await?;
        let organization = tx.get_organization().await?;
        let zone = mainstay_core::time::time_zone(&organization.time_zone)
            .map_err(|reason| crate::Error::invalid("time_zone", reason))?;
        let today = local_day(as_of, &zone);
        let activity =
            tx.list_day_activity(client, add_days(today, 1 - HEATMAP_DAYS), today).await?;
        let activity: Vec<_> = activity.into_iter().map(|day| (day.day, day.events)).collect();
        Ok(Heatmap::of(today, &activity))
    }

    /// A client's events in `[from, to)`, newest first; filtered by types, if any.
    pub async fn client_timeline(
        &self,
        scope: Scope,
        client: &Client,
        (from, to): (Timestamp, Timestamp),
        types: &[EventType],
        before: Option<&EventCursor>,
        limit: i64,
    ) -> Result<EventPage> {
        let mut tx = self.store().read(scope).await?;
        // Nothing happened before the client existed, and looking costs something a day.
        let range = (from.max(client.created_at), to);
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let read = if types.is_empty() { limit + 1 } else { limit.max(READ_AHEAD) };
        let mut events: Vec<StoredEvent> = Vec::new();
        let mut before = before.cloned();
        // A type has no index of its own, so events of other types are read over.
        while events.len() < wanted {
            let chunk = tx.list_client_events(client.id, range, before.as_ref(), read).await?;
            let is_last = i64::try_from(chunk.len()).is_ok_and(|len| len < read);
            before = chunk.last().map(cursor_of);
            let fits = |event: &StoredEvent| types.is_empty() || types.contains(&event.event_type);
            events.extend(chunk.into_iter().filter(fits));
            if is_last {
                break;
            }
        }
        let more = events.len() >= wanted;
        events.truncate(wanted - 1);
        let next = events.last().filter(|_| more).map(cursor_of);
        Ok(EventPage { events, next })
    }
}

fn cursor_of(event: &StoredEvent) -> EventCursor {
    EventCursor { occurred_at: event.occurred_at, message_id: event.message_id.clone() }
}
