//! Which client a person belongs to at which time, and events that move when that becomes known late.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::id::ClientId;
use uuid::Uuid;

use crate::{
    ResolvedClient, Result, Tx,
    db::{
        dialect::{
            EARLIEST, Instant, execute, fetch_all, fetch_for_rows, fetch_optional, insert_rows,
        },
        lock::Lock,
    },
    engagement::MovedEvent,
};

/// That a person belongs to a client from an instant on, until a later word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership<'a> {
    /// The host app's id of the person.
    pub person: &'a str,
    /// From when on.
    pub since: Timestamp,
    /// The message that said so; of two at the same instant, the greater id counts.
    pub message_id: &'a str,
    /// The client.
    pub client: ClientId,
}

/// An event that a person did for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonEvent<'a> {
    /// The host app's id of the person.
    pub person: &'a str,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// Its message's id.
    pub message_id: &'a str,
    /// Its own timestamp; when it happened, of a message without one.
    pub client_timestamp: Timestamp,
    /// The client.
    pub client: ClientId,
    /// Whether the client follows from the person's memberships.
    pub by_membership: bool,
}

impl Tx {
    /// Takes the locks of storing events before anything is read that decides whose they are. With
    /// `settle`, nobody stores events beside this transaction: needed to change memberships, and for
    /// events that are filed under another time than their own.
    pub async fn lock_events(&mut self, settle: bool) -> Result<()> {
        self.lock_organization(Lock::CacheClients).await?;
        self.lock_organization(if settle { Lock::SettleEvents } else { Lock::StoreEvents }).await
    }

    /// Remembers memberships and moves the events that they make another client's. Returns the people
    /// of whom something new was said.
    ///
    /// Costs as much as the people's events that move; needs [`Tx::lock_events`] to settle.
    pub async fn insert_memberships(
        &mut self,
        joined: &[Membership<'_>],
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        let organization = self.scope.organization_uuid();
        let mut rows: Vec<&Membership<'_>> = joined.iter().collect();
        rows.sort_unstable_by_key(|row| (row.person, row.since, row.message_id));
        let new: Vec<(String, Instant, String, Uuid)> = fetch_for_rows!(
            self,
            (String, Instant, String, Uuid),
            "INSERT INTO memberships (organization_id, person_id, since, message_id, client_id)",
            &rows,
            "ON CONFLICT DO NOTHING RETURNING person_id, since, message_id, client_id",
            |row| [organization, row.person, Instant(row.since), row.message_id, row.client.uuid()]
        );
        let mut moved = Vec::new();
        for (person, since, message_id, client) in &new {
            moved.append(&mut self.misplaced_events(person, since.0, message_id, *client).await?);
        }
        self.move_events_between_clients(&moved, zone, now).await?;
        Ok(new.into_iter().map(|(person, ..)| person).collect())
    }

    /// The same of visitors, for a write key: one who belongs to another client already stays there.
    pub async fn join_visitors(
        &mut self,
        joined: &[Membership<'_>],
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        let people: Vec<&str> = joined.iter().map(|one| one.person).collect();
        let mut clients = self.clients_joined_by(&people).await?;
        let mut new = Vec::new();
        for one in joined {
            if clients.iter().all(|(person, of)| person != one.person || *of == one.client) {
                clients.insert((one.person.to_owned(), one.client));
                new.push(one.clone());
            }
        }
        self.insert_memberships(&new, zone, now).await
    }

    /// The clients that people ever belonged to.
    pub(crate) async fn clients_joined_by(
        &mut self,
        people: &[&str],
    ) -> Result<HashSet<(String, ClientId)>> {
        let organization = self.scope.organization_uuid();
        let mut people = people.to_vec();
        people.sort_unstable();
        people.dedup();
        let rows: Vec<(String, Uuid)> = fetch_for_rows!(
            self,
            (String, Uuid),
            "WITH wanted (organization_id, person_id) AS (",
            &people,
            ") SELECT DISTINCT m.person_id, m.client_id FROM wanted w CROSS JOIN memberships m \
             WHERE m.organization_id = w.organization_id AND m.person_id = w.person_id",
            |person| [organization, *person]
        );
        Ok(rows.into_iter().map(|(person, client)| (person, client.into())).collect())
    }

    /// A person's events that another client has, of the time in which a membership holds.
    async fn misplaced_events(
        &mut self,
        person: &str,
        since: Timestamp,
        message_id: &str,
        client: Uuid,
    ) -> Result<Vec<MovedEvent>> {
        let organization = self.scope.organization_uuid();
        let earlier = fetch_optional!(
            self,
            (i32,),
            "SELECT 1 FROM memberships WHERE organization_id = $1 AND person_id = $2 \
             AND (since, message_id) < ($3, $4) LIMIT 1",
            organization,
            person,
            Instant(since),
            message_id
        )?;
        let next = fetch_optional!(
            self,
            (Instant,),
            "SELECT since FROM memberships WHERE organization_id = $1 AND person_id = $2 \
             AND (since, message_id) > ($3, $4) ORDER BY since, message_id LIMIT 1",
            organization,
            person,
            Instant(since),
            message_id
        )?;
        // What came before the first membership is the first one's.
        let from = if earlier.is_some() { since } else { EARLIEST };
        let rows = fetch_all!(
            self,
            (Instant, String, Instant, Uuid),
            "SELECT occurred_at, message_id, client_timestamp, client_id FROM person_events \
             WHERE organization_id = $1 AND person_id = $2 AND occurred_at >= $3 \
             AND ($4 IS NULL OR occurred_at < $4) AND client_id <> $5 AND by_membership",
            organization,
            person,
            Instant(from),
            next.map(|(at,)| at),
            client
        )?;
        Ok(rows
            .into_iter()
            .map(|(occurred_at, message_id, client_timestamp, from)| MovedEvent {
                person: person.to_owned(),
                occurred_at: occurred_at.0,
                message_id,
                client_timestamp: client_timestamp.0,
                from: from.into(),
                to: client.into(),
            })
            .collect())
    }

    /// The client that each person belongs to at an instant: by the last word until then, or else by
    /// the first one after it. Those who belong to none are left out.
    pub async fn find_clients_of_people(
        &mut self,
        people: &[(&str, Timestamp)],
    ) -> Result<HashMap<(String, Timestamp), (ResolvedClient, String)>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String, Instant, Uuid, Instant, String)> = fetch_for_rows!(
            self,
            (String, Instant, Uuid, Instant, String),
            "WITH wanted (organization_id, person_id, at) AS (",
            people,
            "), found AS (SELECT w.organization_id, w.person_id, w.at, COALESCE(\
             (SELECT m.client_id FROM memberships m WHERE m.organization_id = w.organization_id \
             AND m.person_id = w.person_id AND m.since <= w.at \
             ORDER BY m.since DESC, m.message_id DESC LIMIT 1), \
             (SELECT m.client_id FROM memberships m WHERE m.organization_id = w.organization_id \
             AND m.person_id = w.person_id ORDER BY m.since, m.message_id LIMIT 1)) AS client_id \
             FROM wanted w) \
             SELECT f.person_id, f.at, c.id, c.created_at, c.external_id FROM found f \
             CROSS JOIN clients c \
             WHERE c.organization_id = f.organization_id AND c.id = f.client_id",
            |row| [organization, row.0, Instant(row.1)]
        );
        Ok(rows
            .into_iter()
            .map(|(person, at, id, created_at, external_id)| {
                let client = ResolvedClient { id: id.into(), created_at: created_at.0 };
                ((person, at.0), (client, external_id))
            })
            .collect())
    }

    /// Remembers who did these events, which are stored.
    pub async fn insert_person_events(&mut self, events: &[PersonEvent<'_>]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let mut rows: Vec<&PersonEvent<'_>> = events.iter().collect();
        rows.sort_unstable_by_key(|row| (row.person, row.occurred_at, row.message_id));
        insert_rows!(
            self,
            "INSERT INTO person_events (organization_id, person_id, occurred_at, message_id, \
             client_timestamp, client_id, by_membership)",
            &rows,
            "ON CONFLICT DO NOTHING",
            |row| [
                organization,
                row.person,
                Instant(row.occurred_at),
                row.message_id,
                Instant(row.client_timestamp),
                row.client.uuid(),
                row.by_membership
            ]
        );
        Ok(())
    }

    /// Forgets who did a client's events, and what was told of the people who belonged to it alone.
    pub(crate) async fn delete_people_of(&mut self, client: ClientId) -> Result<()> {
        for sql in [
            "DELETE FROM person_events WHERE organization_id = $1 AND client_id = $2",
            "DELETE FROM related_profiles WHERE organization_id = $1 AND kind = 'person' \
             AND external_id IN (SELECT m.person_id FROM memberships m \
             WHERE m.organization_id = $1 AND m.client_id = $2 AND NOT EXISTS \
             (SELECT 1 FROM memberships n WHERE n.organization_id = $1 \
             AND n.person_id = m.person_id AND n.client_id <> $2))",
            "DELETE FROM memberships WHERE organization_id = $1 AND client_id = $2",
        ] {
            execute!(self, sql, self.scope.organization_uuid(), client.uuid())?;
        }
        Ok(())
    }
}
