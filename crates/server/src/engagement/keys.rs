//! With which keys events come, kept once a second: it tells the silence of one app of several from that
//! of its clients.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{engagement::segment::Said, id::OrganizationId, time::local_day};
use mainstay_store::{ClientKey, KeyHour, Scope, hour_of};

use super::Fate;
use crate::{Mainstay, Result, access::CallerKey};

/// Clients and keys that are known to be kept for today; eight bytes each. Beyond that they are written
/// again, which changes nothing.
const MAX_KNOWN: usize = 500_000;
/// Clients that may wait to be kept. What goes beyond that is kept with their next event.
const MAX_WAITING: usize = 50_000;

/// What is seen of keys, and not kept yet. A crash loses a second of it, which no figure rests on.
#[derive(Debug, Default)]
pub(crate) struct KeysSeen {
    seen: Mutex<Seen>,
    /// Held while it is written down, so that whoever asks for that finds all of it written.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Seen {
    of: HashMap<OrganizationId, OfOrganization>,
    known: HashSet<u64>,
    hasher: RandomState,
    day: Option<Date>,
}

#[derive(Debug, Default)]
struct OfOrganization {
    hours: HashMap<(CallerKey, i64), i64>,
    /// By the id that was sent: a client's, or a person's, whose client at that time it is looked up for.
    clients: Vec<(CallerKey, Box<str>)>,
    people: Vec<(CallerKey, Box<str>, Timestamp)>,
}

impl KeysSeen {
    /// Notes which events came with which key: so many of the first key, then so many of the next.
    pub(crate) fn note<'a>(
        &self,
        organization: OrganizationId,
        keys: &[(Option<CallerKey>, usize)],
        mut said: impl Iterator<Item = (&'a Said, &'a Fate)>,
    ) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in keys {
            let mut told = said.by_ref().take(*count);
            match key {
                Some(key) => seen.note(organization, *key, told),
                None => {
                    // Its place in the list is passed all the same.
                    let _ = told.nth(count.saturating_sub(1));
                }
            }
        }
    }

    fn take(&self, today: Date) -> HashMap<OrganizationId, OfOrganization> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.day != Some(today) || seen.known.len() > MAX_KNOWN {
            seen.known.clear();
            seen.day = Some(today);
        }
        mem::take(&mut seen.of)
    }
}

impl Seen {
    /// Notes what came with one key. Per event it costs a hash of the client's id: it is on the way of
    /// every event that is stored.
    fn note<'a>(
        &mut self,
        organization: OrganizationId,
        key: CallerKey,
        said: impl Iterator<Item = (&'a Said, &'a Fate)>,
    ) {
        let of = self.of.entry(organization).or_default();
        let by_key = self.hasher.hash_one((organization, key));
        let mut hours: Vec<(i64, i64)> = Vec::new();
        for (said, fate) in said {
            let (event, by_person) = match (said, fate) {
                (_, Fate::Refused(_)) => continue,
                (Said::Did(event), _) => (event, false),
                (Said::DidByPerson(event) | Said::DidByPersonOrClient(event), _) => (event, true),
                _ => continue,
            };
            let hour = hour_of(event.occurred_at);
            match hours.last_mut() {
                Some((last, events)) if *last == hour => *events += 1,
                _ => hours.push((hour, 1)),
            }
            let who = self.hasher.hash_one((by_key, &event.client_id));
            if self.known.contains(&who) || of.clients.len() + of.people.len() >= MAX_WAITING {
                continue;
            }
            self.known.insert(who);
            let name = event.client_id.as_str().into();
            if by_person {
                of.people.push((key, name, event.occurred_at));
            } else {
                of.clients.push((key, name));
            }
        }
        for (hour, events) in hours {
            *of.hours.entry((key, hour)).or_default() += events;
        }
    }
}

impl Mainstay {
    /// Writes down with which keys events came since it was done last. What fails is logged: no figure
    /// rests on it.
    pub async fn keep_keys_seen(&self) {
        let _writing = self.keys_seen().writing.lock().await;
        let today = local_day(self.now(), &TimeZone::UTC);
        for (organization, noted) in self.keys_seen().take(today) {
            if noted.hours.is_empty() {
                continue;
            }
            if let Err(error) = self.keep_keys(organization, noted, today).await {
                tracing::warn!(%error, %organization, "with which keys events came was not kept");
            }
        }
    }

    async fn keep_keys(
        &self,
        organization: OrganizationId,
        noted: OfOrganization,
        today: Date,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let known = tx.keys_by_hash().await?;
        let id = |key: CallerKey| known.get(key.hash().as_slice()).copied();
        let hours: Vec<KeyHour> = noted
            .hours
            .into_iter()
            .filter_map(|((key, hour), events)| Some(KeyHour { key: id(key)?, hour, events }))
            .collect();
        let people: Vec<(&str, Timestamp)> =
            noted.people.iter().map(|(_, person, at)| (&**person, *at)).collect();
        let of_people = tx.clients_of_people(&people).await?;
        let clients = noted.clients.iter().map(|(key, client)| (*key, client.to_string()));
        let clients = clients.chain(noted.people.iter().map(|(key, person, at)| {
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
