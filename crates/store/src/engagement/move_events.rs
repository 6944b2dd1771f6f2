//! Events that turn out to be another client's.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{add_days, local_day},
};
use uuid::Uuid;

use super::{instants, roll_up::roll_up_events};
use crate::{
    ClientRange, Result, Tx,
    db::{
        dialect::{
            Connection, Day, Instant, delete_keys, execute, fetch_all, fetch_for_rows, fetch_one,
            insert_rows,
        },
        name,
    },
};

/// An event of a person that moves from one client to another.
#[derive(Clone, Debug)]
pub(crate) struct MovedEvent {
    pub(crate) person: String,
    pub(crate) occurred_at: Timestamp,
    pub(crate) message_id: String,
    pub(crate) client_timestamp: Timestamp,
    pub(crate) from: ClientId,
    pub(crate) to: ClientId,
}

/// A key of an event in the database: when it happened, the client, its message's id, its own time.
type EventKey = (Instant, Uuid, String, Instant);

impl Tx {
    /// Gives events to other clients, with all that is rolled up from them. A message that both have
    /// counts once. Needs the lock that settles events.
    pub(crate) async fn move_events_between_clients(
        &mut self,
        moved: &[MovedEvent],
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<()> {
        if moved.is_empty() {
            return Ok(());
        }
        self.gather_activity().await?;
        let organization = self.scope.organization_uuid();
        let found: Vec<(Instant, Uuid, String, Instant, String, Instant)> = fetch_for_rows!(
            self,
            (Instant, Uuid, String, Instant, String, Instant),
            "WITH wanted (organization_id, occurred_at, client_id, message_id, client_timestamp) AS (",
            moved,
            ") SELECT e.occurred_at, e.client_id, e.message_id, e.client_timestamp, e.event_type, \
             e.received_at FROM wanted w CROSS JOIN client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp",
            |row| [
                organization,
                Instant(row.occurred_at),
                row.from.uuid(),
                &row.message_id,
                Instant(row.client_timestamp)
            ]
        );
        let added: Vec<EventKey> = fetch_for_rows!(
            self,
            EventKey,
            "WITH wanted (organization_id, occurred_at, client_id, message_id, client_timestamp, \
             kept) AS (",
            moved,
            ") INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
             message_id, client_timestamp, event_type, name, received_at, session_id, page_path, \
             duration_seconds, data, self_told) \
             SELECT e.organization_id, e.occurred_at, w.kept, e.message_id, e.client_timestamp, \
             e.event_type, e.name, e.received_at, e.session_id, e.page_path, e.duration_seconds, \
             e.data, e.self_told FROM wanted w CROSS JOIN client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id AND e.message_id = w.message_id \
             AND e.client_timestamp = w.client_timestamp ON CONFLICT DO NOTHING \
             RETURNING occurred_at, client_id, message_id, client_timestamp",
            |row| [
                organization,
                Instant(row.occurred_at),
                row.from.uuid(),
                &row.message_id,
                Instant(row.client_timestamp),
                row.to.uuid()
            ]
        );
        self.move_duplicate_markers(moved, &found).await?;
        self.delete_moved("client_engagement_events", moved).await?;
        insert_rows!(
            self,
            "INSERT INTO person_events (organization_id, person_id, occurred_at, message_id, \
             client_timestamp, client_id, by_membership)",
            moved,
            "ON CONFLICT (organization_id, person_id, occurred_at, message_id, client_timestamp) \
             DO UPDATE SET client_id = excluded.client_id",
            |row| [
                organization,
                &row.person,
                Instant(row.occurred_at),
                &row.message_id,
                Instant(row.client_timestamp),
                row.to.uuid(),
                true
            ]
        );
        self.roll_up_moved(moved, &found, &added, zone).await?;
        self.finish_move(moved, zone, now).await
    }

    /// Moves that by which a message sent again is known.
    async fn move_duplicate_markers(
        &mut self,
        moved: &[MovedEvent],
        found: &[(Instant, Uuid, String, Instant, String, Instant)],
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let corrected: Vec<&MovedEvent> =
            moved.iter().filter(|event| event.client_timestamp != event.occurred_at).collect();
        insert_rows!(
            self,
            "INSERT INTO event_moves (organization_id, client_timestamp, client_id, message_id)",
            &corrected,
            "ON CONFLICT DO NOTHING",
            |row| [organization, Instant(row.client_timestamp), row.to.uuid(), &row.message_id]
        );
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let delete =
            delete_keys("event_moves", &["client_timestamp", "client_id", "message_id"], postgres);
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_timestamp, client_id, message_id) AS (",
            &corrected,
            &delete,
            |row| [organization, Instant(row.client_timestamp), row.from.uuid(), &row.message_id]
        );
        // A message without a timestamp is known by the day on which it was received.
        let to: BTreeMap<(Timestamp, Uuid, &str), &MovedEvent> = moved
            .iter()
            .map(|event| ((event.occurred_at, event.from.uuid(), event.message_id.as_str()), event))
            .collect();
        let untimed: Vec<(Date, &MovedEvent)> = found
            .iter()
            .filter(|(occurred_at, .., own, _, received)| {
                occurred_at.0 == own.0 && own.0 == received.0
            })
            .filter_map(|(at, from, id, .., received)| {
                let day = local_day(received.0, &TimeZone::UTC);
                Some((day, *to.get(&(at.0, *from, id.as_str()))?))
            })
            .collect();
        insert_rows!(
            self,
            "WITH wanted (organization_id, day, client_id, message_id, kept) AS (",
            &untimed,
            ") INSERT INTO untimed_messages \
             (organization_id, day, client_id, message_id, received_at) \
             SELECT u.organization_id, u.day, w.kept, u.message_id, u.received_at \
             FROM wanted w CROSS JOIN untimed_messages u \
             WHERE u.organization_id = w.organization_id AND u.day = w.day \
             AND u.client_id = w.client_id AND u.message_id = w.message_id ON CONFLICT DO NOTHING",
            |row| [organization, Day(row.0), row.1.from.uuid(), &row.1.message_id, row.1.to.uuid()]
        );
        let delete = delete_keys("untimed_messages", &["day", "client_id", "message_id"], postgres);
        insert_rows!(
            self,
            "WITH wanted (organization_id, day, client_id, message_id) AS (",
            &untimed,
            &delete,
            |row| [organization, Day(row.0), row.1.from.uuid(), &row.1.message_id]
        );
        Ok(())
    }

    async fn delete_moved(&mut self, table: &str, moved: &[MovedEvent]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let delete = delete_keys(
            table,
            &["occurred_at", "client_id", "message_id", "client_timestamp"],
            postgres,
        );
        insert_rows!(
            self,
            "WITH wanted (organization_id, occurred_at, client_id, message_id, client_timestamp) AS (",
            moved,
            &delete,
            |row| [
                organization,
                Instant(row.occurred_at),
                row.from.uuid(),
                &row.message_id,
                Instant(row.client_timestamp)
            ]
        );
        Ok(())
    }

    /// Takes moved events out of the days of one client and adds them to those of the other.
    async fn roll_up_moved(
        &mut self,
        moved: &[MovedEvent],
        found: &[(Instant, Uuid, String, Instant, String, Instant)],
        added: &[EventKey],
        zone: &TimeZone,
    ) -> Result<()> {
        let added: HashSet<&EventKey> = added.iter().collect();
        let to: BTreeMap<(Timestamp, Uuid, &str, Timestamp), Uuid> = moved
            .iter()
            .map(|event| {
                let key = (
                    event.occurred_at,
                    event.from.uuid(),
                    &*event.message_id,
                    event.client_timestamp,
                );
                (key, event.to.uuid())
            })
            .collect();
        let mut removed: BTreeMap<(Date, ClientId), Vec<(EventType, Timestamp)>> = BTreeMap::new();
        let mut came = Vec::new();
        for (at, from, id, own, event_type, _) in found {
            let event_type = name::EVENT_TYPE.read(event_type)?;
            let day = local_day(at.0, zone);
            removed.entry((day, (*from).into())).or_default().push((event_type, at.0));
            let Some(to) = to.get(&(at.0, *from, id.as_str(), own.0)) else { continue };
            if added.contains(&(*at, *to, id.clone(), *own)) {
                came.push(((day, (*to).into(), event_type), at.0));
            }
        }
        let changing_zone = self.get_organization().await?.zone_change_since.is_some();
        for ((day, client), events) in removed {
            let mut remaining = self.subtract_from_day(client, day, events).await?;
            if changing_zone {
                // They may still lie under the day of the old zone.
                for away in [-1, 1, -2, 2] {
                    remaining =
                        self.subtract_from_day(client, add_days(day, away), remaining).await?;
                }
            }
        }
        self.add_to_days(&roll_up_events(came)).await
    }

    /// Takes events out of what is rolled up of a client's day; returns those that are not in it.
    async fn subtract_from_day(
        &mut self,
        client: ClientId,
        day: Date,
        mut events: Vec<(EventType, Timestamp)>,
    ) -> Result<Vec<(EventType, Timestamp)>> {
        if events.is_empty() {
            return Ok(events);
        }
        let organization = self.scope.organization_uuid();
        let rows = fetch_all!(
            self,
            (i32, String, String),
            "SELECT part, event_type, instants FROM daily_activity WHERE organization_id = $1 \
             AND day = $2 AND part IN (SELECT part FROM activity_parts \
             WHERE organization_id = $1 AND day = $2 UNION SELECT 0) AND client_id = $3",
            organization,
            Day(day),
            client.uuid()
        )?;
        for (part, event_type, text) in rows {
            let of: EventType = name::ACTIVITY_TYPE.read(&event_type)?;
            let before: Vec<Timestamp> = instants::of(day, &text).collect();
            let remaining: Vec<Timestamp> = before
                .iter()
                .copied()
                .filter(|at| match events.iter().position(|event| *event == (of, *at)) {
                    Some(place) => {
                        events.swap_remove(place);
                        false
                    }
                    None => true,
                })
                .collect();
            if remaining.len() == before.len() {
                continue;
            }
            let Some(last_at) = remaining.iter().max() else {
                execute!(
                    self,
                    "DELETE FROM daily_activity WHERE organization_id = $1 AND day = $2 \
                     AND part = $3 AND client_id = $4 AND event_type = $5",
                    organization,
                    Day(day),
                    part,
                    client.uuid(),
                    event_type
                )?;
                continue;
            };
            let mut text = String::with_capacity(remaining.len() * instants::DIGITS);
            for at in &remaining {
                instants::push(&mut text, day, *at);
            }
            execute!(
                self,
                "UPDATE daily_activity SET event_count = $6, last_at = $7, instants = $8 \
                 WHERE organization_id = $1 AND day = $2 AND part = $3 AND client_id = $4 \
                 AND event_type = $5",
                organization,
                Day(day),
                part,
                client.uuid(),
                event_type,
                i64::try_from(remaining.len()).unwrap_or(i64::MAX),
                Instant(*last_at),
                text
            )?;
        }
        Ok(events)
    }

    /// Mends what follows from the days of clients that lost or gained events.
    async fn finish_move(
        &mut self,
        moved: &[MovedEvent],
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<()> {
        let mut earliest: BTreeMap<ClientId, Timestamp> = BTreeMap::new();
        for event in moved {
            for client in [event.from, event.to] {
                let at = earliest.entry(client).or_insert(event.occurred_at);
                *at = (*at).min(event.occurred_at);
            }
        }
        let earliest: Vec<(ClientId, Timestamp)> = earliest.into_iter().collect();
        self.move_clients_back(&earliest).await?;
        let losers: BTreeSet<ClientId> = moved.iter().map(|event| event.from).collect();
        let last = add_days(local_day(now, zone), 2);
        for (client, first) in &earliest {
            let (first, last) = (add_days(local_day(*first, zone), -1), last);
            let created_at = self.created_at(*client).await?;
            let first = first.min(add_days(local_day(created_at, zone), -1));
            self.recompute_totals(*client, (first, last)).await?;
            if losers.contains(client) {
                self.recompute_first_event(*client, (first, last)).await?;
            }
            self.mark_changed(ClientRange::of(*client));
        }
        // Also what no score counts yet: whom events were taken from has nothing that would tell.
        self.mark_stale(&earliest).await
    }

    async fn created_at(&mut self, client: ClientId) -> Result<Timestamp> {
        let (at,) = fetch_one!(
            self,
            (Instant,),
            "SELECT created_at FROM clients WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        Ok(at.0)
    }

    /// Finds out again since when a client exists that lost events: since its first event or since it
    /// was first told of.
    async fn recompute_first_event(
        &mut self,
        client: ClientId,
        (first, last): (Date, Date),
    ) -> Result<()> {
        let first_event = self.list_client_instants(client, first, last).await?.into_iter().next();
        let organization = self.scope.organization_uuid();
        let touched = execute!(
            self,
            "UPDATE clients SET created_at = CASE WHEN $3 IS NULL OR told_at < $3 \
             THEN COALESCE(told_at, created_at) ELSE $3 END \
             WHERE organization_id = $1 AND id = $2 AND (CASE WHEN $3 IS NULL OR told_at < $3 \
             THEN COALESCE(told_at, created_at) ELSE $3 END) <> created_at",
            organization,
            client.uuid(),
            first_event.map(Instant)
        )?;
        if touched > 0 {
            // Elsewhere it is kept in mind with an earlier time, by which an event that comes then
            // would not move it back.
            self.invalidate_known_clients().await?;
        }
        Ok(())
    }
}
