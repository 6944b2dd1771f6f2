use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{add_days, local_day},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Outcome, StorableEvent};
use crate::{
    Organization, ResolvedClient, Result, Tx,
    dialect::{Day, Instant, fetch_all, fetch_optional, insert_rows, insert_rows_returning},
    pool::Lock,
};

/// How long a message without a client timestamp is known by its id.
const UNTIMED_DAYS: i32 = 7;

/// How an event is told from others of its client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filing {
    /// Under the UTC day of its own timestamp, where its duplicates are too.
    OwnDay,
    /// Clock correction filed it under another day than its own timestamp's.
    Moved(Date),
    /// It has no timestamp of its own; its duplicate may be under any day of the last week.
    Untimed,
}

fn utc_day(at: Timestamp) -> Date {
    local_day(at, &TimeZone::UTC)
}

fn filing(event: &StorableEvent) -> Filing {
    match event.event.client_timestamp {
        None => Filing::Untimed,
        Some(timestamp) if utc_day(timestamp) == utc_day(event.event.occurred_at) => Filing::OwnDay,
        Some(timestamp) => Filing::Moved(utc_day(timestamp)),
    }
}

impl Tx {
    /// Stores events, each exactly once, with all that is rolled up from them. `clients` says since
    /// when each client exists, as [`Tx::resolve_clients`] told; `organization` is its state within
    /// this transaction's lock, so it is read here.
    ///
    /// Outcomes are in the order of the events. They hold once the transaction is committed.
    pub async fn store_events(
        &mut self,
        events: &[StorableEvent],
        clients: &HashMap<ClientId, ResolvedClient>,
    ) -> Result<Vec<Outcome>> {
        let own_days_only = events.iter().all(|event| filing(event) == Filing::OwnDay);
        self.lock_organization(if own_days_only { Lock::StoreEvents } else { Lock::SettleEvents })
            .await?;
        let organization = self.organization().await?;

        let mut fresh = self.without_known_elsewhere(events).await?;
        // The key's order: one pass through the tree, and the same order of locks for everybody.
        fresh.sort_unstable_by(|a, b| key_of(&events[*a]).cmp(&key_of(&events[*b])));
        let stored = self.insert_events(events, &fresh).await?;

        let mut outcomes = vec![Outcome::Duplicate; events.len()];
        for index in &stored {
            outcomes[*index] = Outcome::Stored;
        }
        let stored: Vec<&StorableEvent> = stored.into_iter().map(|index| &events[index]).collect();
        self.roll_up(&stored, &organization).await?;

        let mut earliest: BTreeMap<ClientId, Timestamp> = BTreeMap::new();
        for event in &stored {
            let at = event.event.occurred_at;
            earliest.entry(event.client).and_modify(|first| *first = (*first).min(at)).or_insert(at);
        }
        let earliest: Vec<_> = earliest.into_iter().collect();
        self.mark_stale(organization.scored_until, &earliest).await?;
        let moved_back: Vec<_> = earliest
            .into_iter()
            .filter(|(id, at)| clients.get(id).is_none_or(|client| *at < client.created_at))
            .collect();
        self.move_clients_back(&moved_back).await?;
        Ok(outcomes)
    }

    /// Indexes of the events whose duplicate is not filed under another day than they would be.
    async fn without_known_elsewhere(&mut self, events: &[StorableEvent]) -> Result<Vec<usize>> {
        let mut known: HashSet<usize> = HashSet::new();
        for (index, event) in events.iter().enumerate() {
            match filing(event) {
                Filing::OwnDay => {}
                Filing::Moved(own_day) => {
                    if !self.claim_moved(event, own_day).await? {
                        known.insert(index);
                    }
                }
                Filing::Untimed => {
                    if self.knows_untimed(event).await? {
                        known.insert(index);
                    }
                }
            }
        }
        let moved = self.moved_messages(events).await?;
        Ok((0..events.len())
            .filter(|index| !known.contains(index))
            .filter(|index| {
                let event = &events[*index];
                filing(event) != Filing::OwnDay
                    || !moved.contains(&(
                        Day(utc_day(event.event.occurred_at)),
                        event.client.uuid(),
                        event.event.message_id.clone(),
                    ))
            })
            .collect())
    }

    /// Files a moved message under its own day; false when it, or its uncorrected twin, is there.
    async fn claim_moved(&mut self, event: &StorableEvent, own_day: Date) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let twin = fetch_optional!(
            self,
            (String,),
            "SELECT message_id FROM client_engagement_events \
             WHERE organization_id = $1 AND day = $2 AND client_id = $3 AND message_id = $4",
            organization,
            Day(own_day),
            event.client.uuid(),
            &event.event.message_id
        )?;
        if twin.is_some() {
            return Ok(false);
        }
        let claimed = insert_rows!(
            self,
            "INSERT INTO event_moves (organization_id, client_day, client_id, message_id)",
            &[event],
            "ON CONFLICT DO NOTHING",
            |row| [organization, Day(own_day), row.client.uuid(), &row.event.message_id]
        );
        Ok(claimed == 1)
    }

    async fn knows_untimed(&mut self, event: &StorableEvent) -> Result<bool> {
        let day = utc_day(event.event.received_at);
        let since = mainstay_core::time::days_before(
            event.event.received_at,
            UNTIMED_DAYS,
            &TimeZone::UTC,
        );
        for days_ago in 0..=UNTIMED_DAYS {
            let twin = fetch_optional!(
                self,
                (String,),
                "SELECT message_id FROM client_engagement_events WHERE organization_id = $1 \
                 AND day = $2 AND client_id = $3 AND message_id = $4 AND received_at > $5",
                self.scope.organization_uuid(),
                Day(add_days(day, -days_ago)),
                event.client.uuid(),
                &event.event.message_id,
                Instant(since)
            )?;
            if twin.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Messages of the batch's days that correction has filed elsewhere; hardly ever any.
    async fn moved_messages(
        &mut self,
        events: &[StorableEvent],
    ) -> Result<HashSet<(Day, Uuid, String)>> {
        let days = events.iter().map(|event| utc_day(event.event.occurred_at));
        let (Some(first), Some(last)) = (days.clone().min(), days.max()) else {
            return Ok(HashSet::new());
        };
        let rows = fetch_all!(
            self,
            (Day, Uuid, String),
            "SELECT client_day, client_id, message_id FROM event_moves \
             WHERE organization_id = $1 AND client_day BETWEEN $2 AND $3",
            self.scope.organization_uuid(),
            Day(first),
            Day(last)
        )?;
        Ok(rows.into_iter().collect())
    }

    /// Inserts events in the given order and tells which of them were new.
    async fn insert_events(
        &mut self,
        events: &[StorableEvent],
        order: &[usize],
    ) -> Result<Vec<usize>> {
        let organization = self.scope.organization_uuid();
        let inserted: Vec<(Day, Uuid, String)> = insert_rows_returning!(
            self,
            (Day, Uuid, String),
            "INSERT INTO client_engagement_events (organization_id, day, client_id, message_id, \
             event_type, name, occurred_at, client_timestamp, received_at, session_id, page_path, \
             duration_seconds, data)",
            order,
            "ON CONFLICT DO NOTHING RETURNING day, client_id, message_id",
            |index| [
                organization,
                Day(utc_day(events[*index].event.occurred_at)),
                events[*index].client.uuid(),
                &events[*index].event.message_id,
                events[*index].event.event_type.as_str(),
                &events[*index].event.name,
                Instant(events[*index].event.occurred_at),
                events[*index].event.client_timestamp.map(Instant),
                Instant(events[*index].event.received_at),
                &events[*index].event.session_id,
                &events[*index].event.page_path,
                events[*index].event.duration_seconds,
                data_of(&events[*index])
            ]
        );
        if inserted.len() == order.len() {
            return Ok(order.to_vec());
        }
        let mut inserted: HashSet<(Day, Uuid, String)> = inserted.into_iter().collect();
        Ok(order
            .iter()
            .copied()
            // Taken out when found: of two equal messages in one batch, one is the duplicate.
            .filter(|index| {
                let event = &events[*index];
                inserted.remove(&(
                    Day(utc_day(event.event.occurred_at)),
                    event.client.uuid(),
                    event.event.message_id.clone(),
                ))
            })
            .collect())
    }

    async fn roll_up(
        &mut self,
        stored: &[&StorableEvent],
        organization: &Organization,
    ) -> Result<()> {
        let mut rolled: BTreeMap<(Date, ClientId, EventType), (i64, Timestamp)> = BTreeMap::new();
        for event in stored {
            let at = event.event.occurred_at;
            rolled
                .entry((event.local_day, event.client, event.event.event_type))
                .and_modify(|(count, last)| {
                    *count += 1;
                    *last = (*last).max(at);
                })
                .or_insert((1, at));
        }
        let rolled: Vec<_> = rolled.into_iter().collect();
        let id = organization.id.uuid();
        insert_rows!(
            self,
            "INSERT INTO daily_activity (organization_id, day, client_id, event_type, event_count, last_at)",
            &rolled,
            "ON CONFLICT (organization_id, day, client_id, event_type) DO UPDATE SET \
             event_count = daily_activity.event_count + excluded.event_count, last_at = CASE \
             WHEN excluded.last_at > daily_activity.last_at THEN excluded.last_at \
             ELSE daily_activity.last_at END",
            |row| [
                id,
                Day(row.0.0),
                row.0.1.uuid(),
                row.0.2.as_str(),
                row.1.0,
                Instant(row.1.1)
            ]
        );
        if let Some(folded_until) = organization.folded_until {
            let late: Vec<_> = rolled
                .into_iter()
                .filter(|((day, ..), _)| *day <= folded_until)
                .map(|((day, client, event_type), (count, last_at))| super::fold::DayOfType {
                    day,
                    client,
                    event_type,
                    count,
                    last_at,
                })
                .collect();
            self.add_to_totals(&late).await?;
        }
        Ok(())
    }
}

type Key<'a> = (Date, ClientId, &'a str);

fn key_of(event: &StorableEvent) -> Key<'_> {
    (utc_day(event.event.occurred_at), event.client, &event.event.message_id)
}

fn data_of(event: &StorableEvent) -> Option<Json<&Map<String, Value>>> {
    let data = &event.event.data;
    (!data.is_empty()).then_some(Json(data))
}
