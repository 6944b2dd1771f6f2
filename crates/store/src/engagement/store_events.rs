use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::Event,
    id::ClientId,
    time::{local_day, time_zone, to_micros},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    Outcome, RollUp, StorableEvent,
    fold::Additions,
    roll_up::{DayCounts, DayKey, roll_up_events},
};
use crate::{
    Organization, Result, StoreError, Tx,
    db::{
        dialect::{
            Day, EARLIEST, Instant, fetch_all, fetch_for_rows, insert_new_rows, insert_rows,
        },
        lock::Lock,
    },
};

/// How long a message without a client timestamp is known by its id.
const UNTIMED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Moved messages that are read to find those of a batch, before each event is looked up by itself.
const MAX_MOVES_READ: i64 = 1_000;

/// Where the duplicates of an event may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Filing {
    /// Under its own timestamp, where it is filed too.
    OwnTime,
    /// Clock correction filed it under another time than its own.
    Moved,
    /// It has no timestamp of its own; its duplicate may have come any day of the last week.
    Untimed,
}

/// What makes a message the same as another one, as the databases keep it: its own timestamp, the
/// client and the message's id.
type Identity = (Instant, Uuid, String);

/// The key that an event is filed under: when it happened, the client, the message's id and its own
/// timestamp.
type FiledKey = (Instant, Uuid, String, Instant);

fn utc_day(at: Timestamp) -> Date {
    local_day(at, &TimeZone::UTC)
}

/// The client's own timestamp; of a message without one, when it happened as far as we know.
pub(super) fn event_time(event: &Event) -> Timestamp {
    // A client's clock can stand anywhere; what matters is only that it says the same again.
    to_micros(event.client_timestamp.unwrap_or(event.occurred_at).max(EARLIEST))
}

fn filing(event: &StorableEvent<'_>) -> Filing {
    match event.event.client_timestamp {
        None => Filing::Untimed,
        Some(_) if event.own_time() == event.event.occurred_at => Filing::OwnTime,
        Some(_) => Filing::Moved,
    }
}

fn identity(event: &StorableEvent) -> Identity {
    (Instant(event.own_time()), event.client.id.uuid(), event.event.message_id.clone())
}

impl Tx {
    /// Stores events, each exactly once, with all that is rolled up from them.
    ///
    /// Outcomes are in the order of the events. They hold once the transaction is committed; so do the
    /// figures, whichever way they are rolled up.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the organization's time zone is no longer the one by which the
    /// events' days were told.
    pub async fn store_events(
        &mut self,
        events: &[StorableEvent<'_>],
        roll_up: RollUp,
    ) -> Result<Vec<Outcome>> {
        let filings: Vec<Filing> = events.iter().map(filing).collect();
        let own_times_only = filings.iter().all(|filing| *filing == Filing::OwnTime);
        self.lock_organization(if own_times_only { Lock::StoreEvents } else { Lock::SettleEvents })
            .await?;
        // Read again within the lock: nobody folds, announces scores or changes the zone from here on.
        let organization = self.get_organization().await?;
        // What can be worked out is worked out while the database is busy, here and below.
        let (elsewhere, fresh) = tokio::join!(self.moved_messages(events), async {
            check_days(events, &organization)?;
            Ok::<_, StoreError>(to_insert(events, &filings, own_times_only))
        });
        let (elsewhere, mut fresh) = (elsewhere?, fresh?);
        self.drop_known_elsewhere(events, &filings, &elsewhere, &mut fresh).await?;
        let (stored, rolled) = tokio::join!(self.insert_events(events, &fresh), async {
            rolled_up(fresh.iter().map(|index| &events[*index]))
        });
        let stored = stored?;

        let mut outcomes = vec![Outcome::Duplicate; events.len()];
        for index in &stored {
            outcomes[*index] = Outcome::Stored;
        }
        let rolled = if stored.len() == fresh.len() {
            rolled
        } else {
            rolled_up(stored.iter().map(|index| &events[*index]))
        };
        let stored: Vec<&StorableEvent<'_>> =
            stored.into_iter().map(|index| &events[index]).collect();
        self.insert_rolled(rolled, &stored, &organization, roll_up).await?;
        if let Some(scored_until) = organization.scored_until {
            let late = stored.iter().filter(|event| event.event.occurred_at < scored_until);
            self.mark_late(Some(scored_until), &earliest(late.copied())).await?;
        }
        let before_their_client =
            stored.iter().filter(|event| event.event.occurred_at < event.client.created_at);
        self.move_clients_back(&earliest(before_their_client.copied())).await?;
        Ok(outcomes)
    }

    /// Leaves out the events whose duplicate is filed under another time than they would be, and
    /// remembers the own timestamps of those that are moved.
    async fn drop_known_elsewhere(
        &mut self,
        events: &[StorableEvent<'_>],
        filings: &[Filing],
        elsewhere: &HashSet<Identity>,
        fresh: &mut Vec<usize>,
    ) -> Result<()> {
        if !elsewhere.is_empty() {
            fresh.retain(|index| {
                let event = &events[*index];
                filings[*index] != Filing::OwnTime || !elsewhere.contains(&identity(event))
            });
        }
        let moved: Vec<usize> =
            fresh.iter().copied().filter(|index| filings[*index] == Filing::Moved).collect();
        if !moved.is_empty() {
            let claimed = self.claim_moved(events, &moved).await?;
            fresh.retain(|index| filings[*index] != Filing::Moved || claimed.contains(index));
        }
        let untimed: Vec<usize> =
            fresh.iter().copied().filter(|index| filings[*index] == Filing::Untimed).collect();
        if !untimed.is_empty() {
            let known = self.known_untimed(events, &untimed).await?;
            fresh.retain(|index| !known.contains(index));
            self.remember_untimed(events, filings, fresh).await?;
        }
        Ok(())
    }

    /// Remembers moved messages by their own timestamps; answers those of which neither a moved nor
    /// an unmoved twin is there.
    async fn claim_moved(
        &mut self,
        events: &[StorableEvent<'_>],
        moved: &[usize],
    ) -> Result<HashSet<usize>> {
        let organization = self.scope.organization_uuid();
        let twins = self.unmoved_twins(events, moved).await?;
        let mut unmatched: Vec<(Identity, usize)> = moved
            .iter()
            .map(|index| (identity(&events[*index]), *index))
            .filter(|(identity, _)| !twins.contains(identity))
            .collect();
        unmatched.sort_unstable();
        let claimed: Vec<Identity> = fetch_for_rows!(
            self,
            Identity,
            "INSERT INTO event_moves (organization_id, client_timestamp, client_id, message_id)",
            &unmatched,
            "ON CONFLICT DO NOTHING RETURNING client_timestamp, client_id, message_id",
            |row| [organization, row.0.0, row.0.1, &row.0.2]
        );
        let claimed: HashSet<Identity> = claimed.into_iter().collect();
        Ok(unmatched
            .into_iter()
            .filter(|(identity, _)| claimed.contains(identity))
            .map(|(_, index)| index)
            .collect())
    }

    /// The stored events that are the same as these and filed under their own timestamps.
    async fn unmoved_twins(
        &mut self,
        events: &[StorableEvent<'_>],
        places: &[usize],
    ) -> Result<HashSet<Identity>> {
        let organization = self.scope.organization_uuid();
        let twins: Vec<Identity> = fetch_for_rows!(
            self,
            Identity,
            "WITH wanted (organization_id, client_timestamp, client_id, message_id) AS (",
            places,
            ") SELECT e.client_timestamp, e.client_id, e.message_id \
             FROM wanted w CROSS JOIN client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.client_timestamp \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp",
            |index| [
                organization,
                Instant(events[*index].own_time()),
                events[*index].client.id.uuid(),
                &events[*index].event.message_id
            ]
        );
        Ok(twins.into_iter().collect())
    }

    /// Which of these events, each with a timestamp of its own that is not corrected, are stored
    /// already. Writes and locks nothing.
    pub async fn find_known_events(&mut self, events: &[StorableEvent<'_>]) -> Result<Vec<bool>> {
        let moved = self.moved_messages(events).await?;
        let places: Vec<usize> = (0..events.len()).collect();
        let twins = self.unmoved_twins(events, &places).await?;
        let is_known = |event: &StorableEvent<'_>| {
            let identity = identity(event);
            moved.contains(&identity) || twins.contains(&identity)
        };
        Ok(events.iter().map(is_known).collect())
    }

    /// Which of these messages without a timestamp came before, less than a week away.
    async fn known_untimed(
        &mut self,
        events: &[StorableEvent<'_>],
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
             SELECT u.client_id, u.message_id, u.received_at \
             FROM keys CROSS JOIN untimed_messages u \
             WHERE u.organization_id = keys.organization_id AND u.day = keys.day \
             AND u.client_id = keys.client_id AND u.message_id = keys.message_id",
            |index| [
                organization,
                Day(utc_day(events[*index].event.received_at)),
                events[*index].client.id.uuid(),
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
                    .get(&(event.client.id.uuid(), event.event.message_id.clone()))
                    .is_some_and(|times| near(times, event.event.received_at))
            })
            .collect())
    }

    /// Keeps the ids of messages without a timestamp, to know them by for a week.
    async fn remember_untimed(
        &mut self,
        events: &[StorableEvent<'_>],
        filings: &[Filing],
        fresh: &[usize],
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let mut untimed: Vec<(Date, ClientId, &str, Timestamp)> = fresh
            .iter()
            .filter(|index| filings[**index] == Filing::Untimed)
            .map(|index| {
                let event = &events[*index];
                let received_at = event.event.received_at;
                (
                    utc_day(received_at),
                    event.client.id,
                    event.event.message_id.as_str(),
                    received_at,
                )
            })
            .collect();
        untimed.sort_unstable();
        insert_rows!(
            self,
            "INSERT INTO untimed_messages (organization_id, day, client_id, message_id, received_at)",
            &untimed,
            "ON CONFLICT DO NOTHING",
            |row| [organization, Day(row.0), row.1.uuid(), row.2, Instant(row.3)]
        );
        Ok(())
    }

    /// Messages of the batch that correction has filed elsewhere; hardly ever any.
    async fn moved_messages(&mut self, events: &[StorableEvent<'_>]) -> Result<HashSet<Identity>> {
        let times = events.iter().map(|event| event.event.occurred_at);
        let (Some(first), Some(last)) = (times.clone().min(), times.max()) else {
            return Ok(HashSet::new());
        };
        let organization = self.scope.organization_uuid();
        // All of the batch's time where they are few, which is cheaper than to look each event up; a
        // single late event makes that time weeks, in which there may be millions.
        let rows = fetch_all!(
            self,
            Identity,
            "SELECT client_timestamp, client_id, message_id FROM event_moves \
             WHERE organization_id = $1 AND client_timestamp BETWEEN $2 AND $3 LIMIT $4",
            organization,
            Instant(first),
            Instant(last),
            MAX_MOVES_READ + 1
        )?;
        if i64::try_from(rows.len()).is_ok_and(|rows| rows <= MAX_MOVES_READ) {
            return Ok(rows.into_iter().collect());
        }
        drop(rows);
        let rows: Vec<Identity> = fetch_for_rows!(
            self,
            Identity,
            "WITH wanted (organization_id, client_timestamp, client_id, message_id) AS (",
            events,
            ") SELECT m.client_timestamp, m.client_id, m.message_id FROM wanted w \
             CROSS JOIN [event_moves m WHERE m.organization_id = w.organization_id \
             AND m.client_timestamp = w.client_timestamp AND m.client_id = w.client_id \
             AND m.message_id = w.message_id]",
            |event| [
                organization,
                Instant(event.own_time()),
                event.client.id.uuid(),
                &event.event.message_id
            ]
        );
        Ok(rows.into_iter().collect())
    }

    /// Inserts events in the given order and tells which of them were new.
    async fn insert_events(
        &mut self,
        events: &[StorableEvent<'_>],
        order: &[usize],
    ) -> Result<Vec<usize>> {
        let organization = self.scope.organization_uuid();
        let pieces = insert_new_rows!(
            self,
            FiledKey,
            "INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
             message_id, client_timestamp, event_type, name, received_at, session_id, page_path, \
             duration_seconds, data, self_told)",
            order,
            "ON CONFLICT DO NOTHING RETURNING occurred_at, client_id, message_id, client_timestamp",
            |index| [
                organization,
                Instant(events[*index].event.occurred_at),
                events[*index].client.id.uuid(),
                &events[*index].event.message_id,
                Instant(events[*index].own_time()),
                events[*index].event.event_type.as_str(),
                &events[*index].event.name,
                Instant(events[*index].event.received_at),
                &events[*index].event.session_id,
                &events[*index].event.page_path,
                events[*index].event.duration_seconds,
                data_of(&events[*index]),
                events[*index].event.self_told
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
                    let mut new: HashSet<FiledKey> = new.into_iter().collect();
                    // Taken out when found: of two equal messages, one is the duplicate.
                    stored.extend(piece.iter().copied().filter(|index| {
                        let event = &events[*index];
                        new.remove(&(
                            Instant(event.event.occurred_at),
                            event.client.id.uuid(),
                            event.event.message_id.clone(),
                            Instant(event.own_time()),
                        ))
                    }));
                }
            }
        }
        Ok(stored)
    }

    async fn insert_rolled(
        &mut self,
        rolled: Vec<(DayKey, DayCounts)>,
        stored: &[&StorableEvent<'_>],
        organization: &Organization,
        roll_up: RollUp,
    ) -> Result<()> {
        match roll_up {
            RollUp::Immediately => self.add_to_days(&rolled).await?,
            RollUp::Later => {
                let newest = stored.iter().map(|event| event.event.received_at).max();
                self.add_pending(&rolled, newest.unwrap_or_default()).await?;
            }
        }
        if let Some(folded_until) = organization.folded_until {
            let mut late = Additions::default();
            for ((day, client, event_type), rolled) in rolled {
                if day <= folded_until {
                    late.add(client, day, event_type, rolled.count, rolled.last_at);
                }
            }
            self.add_to_totals(&late).await?;
        }
        Ok(())
    }
}

/// Returns the daily counts of these events.
fn rolled_up<'a>(events: impl Iterator<Item = &'a StorableEvent<'a>>) -> Vec<(DayKey, DayCounts)> {
    let one = |event: &StorableEvent<'_>| {
        let key = (event.local_day, event.client.id, event.event.event_type);
        (key, event.event.occurred_at)
    };
    roll_up_events(events.map(one).collect())
}

/// Indexes of the events that are no repetition of another one of the batch, in the order of the key
/// that they are filed under: one pass through the tree, and the same order of locks for everybody.
fn to_insert(events: &[StorableEvent<'_>], filings: &[Filing], own_times_only: bool) -> Vec<usize> {
    let mut fresh: Vec<usize> = if own_times_only {
        // Of equal messages in one batch, the table's key lets one in.
        (0..events.len()).collect()
    } else {
        without_duplicates(events, filings)
    };
    fresh.sort_by_cached_key(|index| key_of(&events[*index]));
    fresh
}

/// The earliest of these events of each client, in the order of the clients' ids.
fn earliest<'a>(events: impl Iterator<Item = &'a StorableEvent<'a>>) -> Vec<(ClientId, Timestamp)> {
    let mut first: BTreeMap<ClientId, Timestamp> = BTreeMap::new();
    for event in events {
        let at = event.event.occurred_at;
        first.entry(event.client.id).and_modify(|first| *first = (*first).min(at)).or_insert(at);
    }
    first.into_iter().collect()
}

type Key<'a> = (Timestamp, ClientId, &'a str, Timestamp);

fn key_of<'a>(event: &StorableEvent<'a>) -> Key<'a> {
    (event.event.occurred_at, event.client.id, &event.event.message_id, event.own_time())
}

/// Checks that the events' days are still those of the organization's zone: it may have changed
/// between telling them and taking the lock.
fn check_days(events: &[StorableEvent<'_>], organization: &Organization) -> Result<()> {
    // A zone that is not known here was not known when the days were told either.
    let Ok(zone) = time_zone(&organization.time_zone) else { return Ok(()) };
    let agree =
        |event: &StorableEvent| local_day(event.event.occurred_at, &zone) == event.local_day;
    if events.iter().all(agree) { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Indexes of the events that are no repetition of another one of the batch. Of equal ones the
/// earliest stays: a client that is new has been created with that time.
fn without_duplicates(events: &[StorableEvent<'_>], filings: &[Filing]) -> Vec<usize> {
    let mut timed: HashMap<(ClientId, &str, Timestamp), usize> = HashMap::new();
    let mut untimed: HashMap<(ClientId, &str), Vec<Timestamp>> = HashMap::new();
    let mut fresh = Vec::with_capacity(events.len());
    for (index, event) in events.iter().enumerate() {
        let message_id = event.event.message_id.as_str();
        if filings[index] == Filing::Untimed {
            let received = untimed.entry((event.client.id, message_id)).or_default();
            if !near(received, event.event.received_at) {
                received.push(event.event.received_at);
                fresh.push(index);
            }
        } else {
            let first =
                timed.entry((event.client.id, message_id, event.own_time())).or_insert(index);
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

fn data_of<'a>(event: &StorableEvent<'a>) -> Option<Json<&'a Map<String, Value>>> {
    let data = &event.event.data;
    (!data.is_empty()).then_some(Json(data))
}
