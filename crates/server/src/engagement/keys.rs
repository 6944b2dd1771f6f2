//! Activity of keys, saved once a second: it distinguishes a silent app from silent clients.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{engagement::segment::IncomingMessage, id::OrganizationId, time::local_day};
use mainstay_store::{ClientKey, KeyHour, Scope, hour_of};

use super::MessageOutcome;
use crate::{Mainstay, Result, access::CallerKey};

/// Maximum number of clients and keys remembered as saved today, eight bytes each. Beyond that,
/// they are written again, which changes nothing.
const MAX_KNOWN: usize = 500_000;
/// Maximum number of buffered clients. Others are saved with their next event.
const MAX_WAITING: usize = 50_000;

/// Activity of keys that is not saved yet. A crash loses one second of it, which affects no figure.
#[derive(Debug, Default)]
pub(crate) struct KeyActivityBuffer {
    pending: Mutex<PendingKeyActivity>,
    /// Held while flushing, so that a concurrent flush waits for it.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct PendingKeyActivity {
    by_organization: HashMap<OrganizationId, OrganizationActivity>,
    known: HashSet<u64>,
    hasher: RandomState,
    day: Option<Date>,
}

#[derive(Debug, Default)]
struct OrganizationActivity {
    hours: HashMap<(CallerKey, i64), i64>,
    /// By the id that was sent: a client's, or a user's, whose client at that time is looked up.
    clients: Vec<(CallerKey, Box<str>)>,
    people: Vec<(CallerKey, Box<str>, Timestamp)>,
}

impl KeyActivityBuffer {
    /// Records the keys of events, given as runs of events per key.
    pub(crate) fn record<'a>(
        &self,
        organization: OrganizationId,
        keys: &[(Option<CallerKey>, usize)],
        mut messages: impl Iterator<Item = (&'a IncomingMessage, &'a MessageOutcome)>,
    ) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in keys {
            let mut messages = messages.by_ref().take(*count);
            match key {
                Some(key) => pending.record(organization, *key, messages),
                None => {
                    // Its place in the list is passed all the same.
                    let _ = messages.nth(count.saturating_sub(1));
                }
            }
        }
    }

    fn drain(&self, today: Date) -> HashMap<OrganizationId, OrganizationActivity> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.day != Some(today) || pending.known.len() > MAX_KNOWN {
            pending.known.clear();
            pending.day = Some(today);
        }
        mem::take(&mut pending.by_organization)
    }
}

impl PendingKeyActivity {
    /// Records the activity of one key. It is on the hot path of all events and costs one hash of
    /// the client's id per event.
    fn record<'a>(
        &mut self,
        organization: OrganizationId,
        key: CallerKey,
        messages: impl Iterator<Item = (&'a IncomingMessage, &'a MessageOutcome)>,
    ) {
        let activity = self.by_organization.entry(organization).or_default();
        let by_key = self.hasher.hash_one((organization, key));
        let mut hours: Vec<(i64, i64)> = Vec::new();
        for (message, outcome) in messages {
            let (event, by_person) = match (message, outcome) {
                (_, MessageOutcome::Refused(_)) => continue,
                (IncomingMessage::Event(event), _) => (event, false),
                (
                    IncomingMessage::PersonEvent(event)
                    | IncomingMessage::PersonOrClientEvent(event),
                    _,
                ) => (event, true),
                _ => continue,
            };
            let hour = hour_of(event.occurred_at);
            match hours.last_mut() {
                Some((last, events)) if *last == hour => *events += 1,
                _ => hours.push((hour, 1)),
            }
            let who = self.hasher.hash_one((by_key, &event.client_id));
            if self.known.contains(&who)
                || activity.clients.len() + activity.people.len() >= MAX_WAITING
            {
                continue;
            }
            self.known.insert(who);
            let name = event.client_id.as_str().into();
            if by_person {
                activity.people.push((key, name, event.occurred_at));
            } else {
                activity.clients.push((key, name));
            }
        }
        for (hour, events) in hours {
            *activity.hours.entry((key, hour)).or_default() += events;
        }
    }
}

impl Mainstay {
    /// Saves the key activity since the last flush. Failures are logged: no figure depends on it.
    pub async fn flush_key_activity(&self) {
        let _writing = self.key_activity().writing.lock().await;
        let today = local_day(self.now(), &TimeZone::UTC);
        for (organization, activity) in self.key_activity().drain(today) {
            if activity.hours.is_empty() {
                continue;
            }
            if let Err(error) = self.save_key_activity(organization, activity, today).await {
                tracing::warn!(%error, %organization, "failed to save key activity");
            }
        }
    }

    async fn save_key_activity(
        &self,
        organization: OrganizationId,
        activity: OrganizationActivity,
        today: Date,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let known = tx.list_keys_by_hash().await?;
        let id = |key: CallerKey| known.get(key.hash().as_slice()).copied();
        let hours: Vec<KeyHour> = activity
            .hours
            .into_iter()
            .filter_map(|((key, hour), events)| Some(KeyHour { key: id(key)?, hour, events }))
            .collect();
        let people: Vec<(&str, Timestamp)> =
            activity.people.iter().map(|(_, person, at)| (&**person, *at)).collect();
        let of_people = tx.find_clients_of_people(&people).await?;
        let clients = activity.clients.iter().map(|(key, client)| (*key, client.to_string()));
        let clients = clients.chain(activity.people.iter().map(|(key, person, at)| {
            let found = of_people.get(&(person.to_string(), *at));
            // Of no client yet, or a client itself; an id that is none is left out.
            (*key, found.map_or_else(|| person.to_string(), |(_, client)| client.clone()))
        }));
        // Two people may be one client's.
        let clients: HashSet<(CallerKey, String)> = clients.collect();
        let clients: Vec<ClientKey> = clients
            .into_iter()
            .filter_map(|(key, client_id)| Some(ClientKey { client_id, key: id(key)? }))
            .collect();
        tx.add_key_activity(&hours).await?;
        tx.add_client_keys(today, &clients).await?;
        Ok(tx.commit().await?)
    }
}
