//! Events of people who belong to no client yet: they wait until it is known whose they are.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::engagement::Event;
use sqlx::types::Json;

use crate::{
    NewRefusal, Outcome, Result, Tx,
    db::dialect::{Instant, fetch_all, fetch_for_rows, fetch_one},
};

/// How long an event waits.
pub const WAITING_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Most events of an organization that wait at a time: a write key is public.
pub const MAX_WAITING: i64 = 100_000;
/// Expired events that are looked at one by one; the rest are counted.
const MAX_SHOWN: i64 = 100;
/// Stands for the timestamp of a message without one.
const UNTIMED: Timestamp = Timestamp::UNIX_EPOCH;

impl Tx {
    /// Keeps events until it is known whose they are; answers what became of each, `None` for one more
    /// than may wait.
    pub async fn insert_waiting_events(
        &mut self,
        events: &[&Event],
    ) -> Result<Vec<Option<Outcome>>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let organization = self.scope.organization_uuid();
        let (waiting,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM (SELECT 1 FROM waiting_events WHERE organization_id = $1 \
             LIMIT $2) AS counted",
            organization,
            MAX_WAITING
        )?;
        let room = usize::try_from(MAX_WAITING - waiting).unwrap_or(0);
        let accepted = &events[..events.len().min(room)];
        let mut rows: Vec<&&Event> = accepted.iter().collect();
        rows.sort_unstable_by_key(|event| key_of(event));
        let new: Vec<(String, Instant, String)> = fetch_for_rows!(
            self,
            (String, Instant, String),
            "INSERT INTO waiting_events \
             (organization_id, person_id, client_timestamp, message_id, received_at, event)",
            &rows,
            "ON CONFLICT DO NOTHING RETURNING person_id, client_timestamp, message_id",
            |event| [
                organization,
                &event.client_id,
                Instant(key_of(event).1),
                &event.message_id,
                Instant(event.received_at),
                Json(**event)
            ]
        );
        let mut new: HashSet<(String, Timestamp, String)> =
            new.into_iter().map(|(person, at, id)| (person, at.0, id)).collect();
        Ok(events
            .iter()
            .enumerate()
            .map(|(place, event)| {
                let (person, at, id) = key_of(event);
                // Taken out when found: of two equal messages, one is the duplicate.
                let stored = new.remove(&(person.to_owned(), at, id.to_owned()));
                (place < accepted.len()).then_some(if stored {
                    Outcome::Stored
                } else {
                    Outcome::Duplicate
                })
            })
            .collect())
    }

    /// Which of these events wait already. Writes and locks nothing.
    pub async fn find_waiting_events(&mut self, events: &[&Event]) -> Result<Vec<bool>> {
        let organization = self.scope.organization_uuid();
        let found: Vec<(String, Instant, String)> = fetch_for_rows!(
            self,
            (String, Instant, String),
            "WITH wanted (organization_id, person_id, client_timestamp, message_id) AS (",
            events,
            ") SELECT e.person_id, e.client_timestamp, e.message_id \
             FROM wanted w CROSS JOIN waiting_events e \
             WHERE e.organization_id = w.organization_id AND e.person_id = w.person_id \
             AND e.client_timestamp = w.client_timestamp AND e.message_id = w.message_id",
            |event| [organization, &event.client_id, Instant(key_of(event).1), &event.message_id]
        );
        let found: HashSet<(String, Timestamp, String)> =
            found.into_iter().map(|(person, at, id)| (person, at.0, id)).collect();
        let is_known = |event: &&Event| {
            let (person, at, id) = key_of(event);
            found.contains(&(person.to_owned(), at, id.to_owned()))
        };
        Ok(events.iter().map(is_known).collect())
    }

    /// Takes out the events that wait for these people, but for those that waited too long.
    pub async fn claim_waiting_events(
        &mut self,
        people: &[&str],
        now: Timestamp,
    ) -> Result<Vec<Event>> {
        let organization = self.scope.organization_uuid();
        let mut people = people.to_vec();
        people.sort_unstable();
        people.dedup();
        let since = Instant(now.checked_sub(WAITING_TTL).unwrap_or(Timestamp::MIN));
        let mut claimed = Vec::new();
        for person in people {
            let rows = fetch_all!(
                self,
                (Json<Event>,),
                "DELETE FROM waiting_events WHERE organization_id = $1 AND person_id = $2 \
                 AND received_at >= $3 RETURNING event",
                organization,
                person,
                since
            )?;
            claimed.extend(rows.into_iter().map(|(Json(event),)| event));
        }
        Ok(claimed)
    }

    /// Gives up the events that waited too long and shows them as refused, for `reason`. Returns how
    /// many there were.
    pub async fn expire_waiting_events(&mut self, now: Timestamp, reason: &str) -> Result<u64> {
        let until = Instant(now.checked_sub(WAITING_TTL).unwrap_or(Timestamp::MIN));
        let organization = self.scope.organization_uuid();
        let shown = fetch_all!(
            self,
            (Json<Event>,),
            "SELECT event FROM waiting_events WHERE organization_id = $1 AND received_at < $2 \
             ORDER BY received_at DESC LIMIT $3",
            organization,
            until,
            MAX_SHOWN
        )?;
        let expired = crate::db::dialect::execute!(
            self,
            "DELETE FROM waiting_events WHERE organization_id = $1 AND received_at < $2",
            organization,
            until
        )?;
        let more =
            i64::try_from(expired).unwrap_or(i64::MAX) - i64::try_from(shown.len()).unwrap_or(0);
        let mut refusals: Vec<NewRefusal> = shown
            .into_iter()
            .rev()
            .map(|(Json(event),)| NewRefusal {
                at: now,
                field: "userId".to_owned(),
                reason: reason.to_owned(),
                body: format!("{} by {}", event.name, event.client_id),
                more: 0,
            })
            .collect();
        if let Some(last) = refusals.last_mut() {
            last.more = more;
            self.record_refusals(&refusals).await?;
        }
        Ok(expired)
    }
}

fn key_of(event: &Event) -> (&str, Timestamp, &str) {
    (&event.client_id, event.client_timestamp.unwrap_or(UNTIMED), &event.message_id)
}
