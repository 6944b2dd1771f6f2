use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{local_day, time_zone, to_micros},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Outcome, StorableEvent, fold::Additions};
use crate::{
    Organization, ResolvedClient, Result, StoreError, Tx,
    dialect::{Day, EARLIEST, Instant, fetch_all, fetch_for_rows, insert_new_rows, insert_rows},
    pool::Lock,
};

/// How long a message without a client timestamp is known by its id.
const UNTIMED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Where the duplicates of an event may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filing {
    /// Under the UTC day of its own timestamp, where it is filed too.
    OwnDay,
    /// Clock correction filed it under another day than its own timestamp's.
    Moved(Date),
    /// It has no timestamp of its own; its duplicate may be under any day of the last week.
    Untimed,
}

/// What makes a message the same as another one, as the databases keep it: the day of its own
/// timestamp (or the day that it is filed under), the client, the message's id and that timestamp.
type Identity = (Day, Uuid, String, Instant);

fn utc_day(at: Timestamp) -> Date {
    local_day(at, &TimeZone::UTC)
}

/// The client's own timestamp; of a message without one, when it happened as far as we know.
fn own_time(event: &StorableEvent) -> Timestamp {
    // A client's clock can stand anywhere; what matters is only that it says the same again.
    to_micros(event.event.client_timestamp.unwrap_or(event.event.occurred_at).max(EARLIEST))
}

fn filing(event: &StorableEvent) -> Filing {
    let own_day = utc_day(own_time(event));
    match event.event.client_timestamp {
        None => Filing::Untimed,
        Some(_) if own_day == utc_day(event.event.occurred_at) => Filing::OwnDay,
        Some(_) => Filing::Moved(own_day),
    }
}

/// The identity of an event that is filed, or looked for, under a day.
fn identity(event: &StorableEvent, day: Date) -> Identity {
    let message_id = event.event.message_id.clone();
    (Day(day), event.client.uuid(), message_id, Instant(own_time(event)))
}

impl Tx {
    /// Stores events, each exactly once, with all that is rolled up from them. `clients` says since
    /// when each client exists, as [`Tx::resolve_clients`] told in this transaction.
    ///
    /// Outcomes are in the order of the events. They hold once the transaction is committed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the organization's time zone is no longer the one by which the
    /// events' days were told.
    pub async fn store_events(
        &mut self,
        events: &[StorableEvent],
        clients: &HashMap<ClientId, ResolvedClient>,
    ) -> Result<Vec<Outcome>> {
        let filings: Vec<Filing> = events.iter().map(filing).collect();
        let own_days_only = filings.iter().all(|filing| *filing == Filing::OwnDay);
        self.lock_organization(if own_days_only { Lock::StoreEvents } else { Lock::SettleEvents })
            .await?;
        // Read again within the lock: nobody folds, announces scores or changes the zone from here on.
        let organization = self.organization().await?;
        check_days(events, &organization)?;

        let mut fresh: Vec<usize> = if own_days_only {
            // Of equal messages in one batch, the table's key lets one in.
            (0..events.len()).collect()
        } else {
            without_repetitions(events, &filings)
        };
        self.drop_known_elsewhere(events, &filings, &mut fresh).await?;
        // The key's order: one pass through the tree, and the same order of locks for everybody.
        fresh.sort_by_cached_key(|index| key_of(&events[*index]));
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
            earliest
                .entry(event.client)
                .and_modify(|first| *first = (*first).min(at))
                .or_insert(at);
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

    /// Leaves out the events whose duplicate is filed under another day than they would be, and
    /// files those that are moved under their own day too.
    async fn drop_known_elsewhere(
        &mut self,
        events: &[StorableEvent],
        filings: &[Filing],
        fresh: &mut Vec<usize>,
    ) -> Result<()> {
        let elsewhere = self.moved_messages(events).await?;
        if !elsewhere.is_empty() {
            fresh.retain(|index| {
                let event = &events[*index];
                filings[*index] != Filing::OwnDay
                    || !elsewhere.contains(&identity(event, utc_day(own_time(event))))
            });
        }
        let moved: Vec<(usize, Date)> = fresh
            .iter()
            .filter_map(|index| match filings[*index] {
                Filing::Moved(own_day) => Some((*index, own_day)),
                Filing::OwnDay | Filing::Untimed => None,
            })
            .collect();
        if !moved.is_empty() {
            let claimed = self.claim_moved(events, &moved).await?;
            fresh.retain(|index| {
                !matches!(filings[*index], Filing::Moved(_)) || claimed.contains(index)
            });
        }
        let untimed: Vec<usize> =
            fresh.iter().copied().filter(|index| filings[*index] == Filing::Untimed).collect();
        if !untimed.is_empty() {
            let known = self.known_untimed(events, &untimed).await?;
            fresh.retain(|index| !known.contains(index));
        }
        Ok(())
    }

    /// Files moved messages under their own days; answers those of which neither a moved nor an
    /// unmoved twin is there.
    async fn claim_moved(
        &mut self,
        events: &[StorableEvent],
        moved: &[(usize, Date)],
    ) -> Result<HashSet<usize>> {
        let organization = self.scope.organization_uuid();
        let twins: Vec<Identity> = fetch_for_rows!(
            self,
            Identity,
            "WITH wanted (organization_id, day, client_id, message_id, client_timestamp) AS (",
            moved,
            ") SELECT e.day, e.client_id, e.message_id, e.client_timestamp \
             FROM wanted w CROSS JOIN client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.day = w.day \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp",
            |row| [
                organization,
                Day(row.1),
                events[row.0].client.uuid(),
                &events[row.0].event.message_id,
                Instant(own_time(&events[row.0]))
            ]
        );
        let twins: HashSet<Identity> = twins.into_iter().collect();
        let mut unmatched: Vec<(usize, Date)> = moved
            .iter()
            .copied()
            .filter(|(index, day)| !twins.contains(&identity(&events[*index], *day)))
            .collect();
        unmatched
            .sort_unstable_by(|a, b| (a.1, key_of(&events[a.0])).cmp(&(b.1, key_of(&events[b.0]))));
        let claimed: Vec<Identity> = fetch_for_rows!(
            self,
            Identity,
            "INSERT INTO event_moves \
             (organization_id, client_day, client_id, message_id, client_timestamp)",
            &unmatched,
            "ON CONFLICT DO NOTHING RETURNING client_day, client_id, message_id, client_timestamp",
            |row| [
                organization,
                Day(row.1),
                events[row.0].client.uuid(),
                &events[row.0].event.message_id,
                Instant(own_time(&events[row.0]))
            ]
        );
        let claimed: HashSet<Identity> = claimed.into_iter().collect();
        Ok(unmatched
            .into_iter()
            .filter(|(index, day)| claimed.contains(&identity(&events[*index], *day)))
            .map(|(index, _)| index)
            .collect())
    }

    /// Which of these messages without a timestamp came before, less than a week away.
    async fn known_untimed(
        &mut self,
        events: &[StorableEvent],
        untimed: &[usize],
    ) -> Result<HashSet<usize>> {
        let organization = self.scope.organization_uuid();
        // A day ahead too: of two requests around midnight the later one may be stored first. The
        // keys are written out (MATERIALIZED) for PostgreSQL's planner, which sees what to look up
        // only when each key is one row.
        let received: Vec<(Uuid, String, Instant)> = fetch_for_rows!(
            self,
            (Uuid, String, Instant),
            "WITH wanted (organization_id, day, client_id, message_id) AS (",
            untimed,
            "), keys AS MATERIALIZED (SELECT w.organization_id, w.day + away.days AS day, \
             w.client_id, w.message_id FROM wanted w CROSS JOIN (SELECT column1 AS days FROM \
             (VALUES (-7), (-6), (-5), (-4), (-3), (-2), (-1), (0), (1)) AS near) AS away) \
             SELECT e.client_id, e.message_id, e.received_at \
             FROM keys CROSS JOIN client_engagement_events e \
             WHERE e.organization_id = keys.organization_id AND e.day = keys.day \
             AND e.client_id = keys.client_id AND e.message_id = keys.message_id",
            |index| [
                organization,
                Day(utc_day(events[*index].event.received_at)),
                events[*index].client.uuid(),
                &events[*index].event.message_id
            ]
        );
        if received.is_empty() {
            return Ok(HashSet::new());
        }
        let mut by_message: HashMap<(Uuid, String), Vec<Timestamp>> = HashMap::new();
        for (client, message_id, at) in received {
            by_message.entry((client, message_id)).or_default().push(at.0);
        }
        Ok(untimed
            .iter()
            .copied()
            .filter(|index| {
                let event = &events[*index];
                by_message
                    .get(&(event.client.uuid(), event.event.message_id.clone()))
                    .is_some_and(|times| near(times, event.event.received_at))
            })
            .collect())
    }

    /// Messages of the batch's days that correction has filed elsewhere; hardly ever any.
    async fn moved_messages(&mut self, events: &[StorableEvent]) -> Result<HashSet<Identity>> {
        let days = events.iter().map(|event| utc_day(event.event.occurred_at));
        let (Some(first), Some(last)) = (days.clone().min(), days.max()) else {
            return Ok(HashSet::new());
        };
        let rows = fetch_all!(
            self,
            Identity,
            "SELECT client_day, client_id, message_id, client_timestamp FROM event_moves \
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
        let pieces = insert_new_rows!(
            self,
            Identity,
            "INSERT INTO client_engagement_events (organization_id, day, client_id, message_id, \
             client_timestamp, event_type, name, occurred_at, received_at, session_id, page_path, \
             duration_seconds, data)",
            order,
            "ON CONFLICT DO NOTHING RETURNING day, client_id, message_id, client_timestamp",
            |index| [
                organization,
                Day(utc_day(events[*index].event.occurred_at)),
                events[*index].client.uuid(),
                &events[*index].event.message_id,
                Instant(own_time(&events[*index])),
                events[*index].event.event_type.as_str(),
                &events[*index].event.name,
                Instant(events[*index].event.occurred_at),
                Instant(events[*index].event.received_at),
                &events[*index].event.session_id,
                &events[*index].event.page_path,
                events[*index].event.duration_seconds,
                data_of(&events[*index])
            ]
        );
        let mut rest = order;
        let mut stored = Vec::with_capacity(order.len());
        for (rows, new) in pieces {
            let (piece, others) = rest.split_at(rows);
            rest = others;
            match new {
                None => stored.extend_from_slice(piece),
                Some(new) => {
                    let mut new: HashSet<Identity> = new.into_iter().collect();
                    // Taken out when found: of two equal messages, one is the duplicate.
                    stored.extend(piece.iter().copied().filter(|index| {
                        let event = &events[*index];
                        new.remove(&identity(event, utc_day(event.event.occurred_at)))
                    }));
                }
            }
        }
        Ok(stored)
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
            |row| [id, Day(row.0.0), row.0.1.uuid(), row.0.2.as_str(), row.1.0, Instant(row.1.1)]
        );
        if let Some(folded_until) = organization.folded_until {
            let mut late = Additions::default();
            for ((day, client, event_type), (count, last_at)) in rolled {
                if day <= folded_until {
                    late.add(client, day, event_type, count, last_at);
                }
            }
            self.add_to_totals(&late).await?;
        }
        Ok(())
    }
}

type Key<'a> = (Date, ClientId, &'a str, Timestamp);

fn key_of(event: &StorableEvent) -> Key<'_> {
    let day = utc_day(event.event.occurred_at);
    (day, event.client, &event.event.message_id, own_time(event))
}

/// Checks that the events' days are still those of the organization's zone: it may have changed
/// between telling them and taking the lock.
fn check_days(events: &[StorableEvent], organization: &Organization) -> Result<()> {
    // A zone that is not known here was not known when the days were told either.
    let Ok(zone) = time_zone(&organization.time_zone) else { return Ok(()) };
    let agree =
        |event: &StorableEvent| local_day(event.event.occurred_at, &zone) == event.local_day;
    if events.iter().all(agree) { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Indexes of the events that are no repetition of another one of the batch. Of equal ones the
/// earliest stays: a client that is new has been created with that time.
fn without_repetitions(events: &[StorableEvent], filings: &[Filing]) -> Vec<usize> {
    let mut timed: HashMap<(ClientId, &str, Timestamp), usize> = HashMap::new();
    let mut untimed: HashMap<(ClientId, &str), Vec<Timestamp>> = HashMap::new();
    let mut fresh = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let message_id = event.event.message_id.as_str();
        if filings[index] == Filing::Untimed {
            let received = untimed.entry((event.client, message_id)).or_default();
            if !near(received, event.event.received_at) {
                received.push(event.event.received_at);
                fresh.push(index);
            }
        } else {
            let first = timed.entry((event.client, message_id, own_time(event))).or_insert(index);
            if event.event.occurred_at < events[*first].event.occurred_at {
                *first = index;
            }
        }
    }
    fresh.extend(timed.into_values());
    fresh
}

/// Whether one of the times is less than a week away.
fn near(times: &[Timestamp], at: Timestamp) -> bool {
    times.iter().any(|time| time.duration_since(at).abs() < UNTIMED)
}

fn data_of(event: &StorableEvent) -> Option<Json<&Map<String, Value>>> {
    let data = &event.event.data;
    (!data.is_empty()).then_some(Json(data))
}
