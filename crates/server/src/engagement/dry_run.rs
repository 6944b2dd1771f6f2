//! Dry run of an import: predicts outcomes without writing or locking.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Event, segment::IncomingMessage},
    id::ClientId,
};
use mainstay_store::{ResolvedClient, StorableEvent, Tx};
use sha2::{Digest as _, Sha256};

use super::{MessageOutcome, messages::kept_out_error};
use crate::Result;

/// The state of a dry run: what later rows may repeat or depend on.
///
/// Two rejections are not predicted, because they depend on all stored data: of a full profile, and
/// of too many waiting events.
#[derive(Default)]
pub(super) struct Rehearsal {
    /// The events of the file, by client or user.
    seen: HashSet<u128>,
    /// Aliases in the file.
    aliases: HashMap<String, String>,
    /// The aliases of an id.
    merged: HashMap<String, Vec<String>>,
    /// The users' clients according to the file.
    joined: HashMap<String, Vec<String>>,
}

/// The owner of an event.
enum EventOwner {
    /// A client, by all its ids.
    Clients(Vec<String>),
    /// A user who has no client yet.
    Person,
}

impl Rehearsal {
    /// Predicts the outcomes of messages, given the earlier rows of the file.
    pub(super) async fn predict(
        &mut self,
        tx: &mut Tx,
        messages: &[IncomingMessage],
        now: Timestamp,
    ) -> Result<Vec<MessageOutcome>> {
        let named_people: Vec<(&str, Timestamp)> = messages
            .iter()
            .filter_map(|message| match message {
                IncomingMessage::PersonEvent(event)
                | IncomingMessage::PersonOrClientEvent(event) => {
                    Some((event.client_id.as_str(), event.occurred_at))
                }
                _ => None,
            })
            .collect();
        let people = if named_people.is_empty() {
            HashMap::new()
        } else {
            tx.find_clients_of_people(&named_people).await?
        };
        let is_person = |event: &Event| {
            self.joined.contains_key(&event.client_id)
                || people.contains_key(&(event.client_id.clone(), event.occurred_at))
        };
        let by_person: Vec<bool> = messages
            .iter()
            .map(|message| match message {
                IncomingMessage::PersonEvent(_) => true,
                IncomingMessage::PersonOrClientEvent(event) => is_person(event),
                _ => false,
            })
            .collect();
        self.record_aliases(messages);
        let owners: Vec<Option<EventOwner>> = messages
            .iter()
            .zip(&by_person)
            .map(|(message, by_person)| {
                let event = event_of(message)?;
                if !by_person {
                    return Some(EventOwner::Clients(self.ids_of(&event.client_id)));
                }
                let known = people.get(&(event.client_id.clone(), event.occurred_at));
                let joined = self.joined.get(&event.client_id).into_iter().flatten();
                let clients = known.map(|(_, name)| name).into_iter().chain(joined);
                let names: Vec<String> = clients.flat_map(|name| self.ids_of(name)).collect();
                let waits = names.is_empty();
                Some(if waits { EventOwner::Person } else { EventOwner::Clients(names) })
            })
            .collect();
        let mut ids: HashSet<&str> = messages.iter().flat_map(client_ids_in).collect();
        for owner in owners.iter().flatten() {
            if let EventOwner::Clients(names) = owner {
                ids.extend(names.iter().map(String::as_str));
            }
        }
        let ids: Vec<&str> = ids.into_iter().collect();
        let (clients, out) = tx.find_clients(&ids, now).await?;
        let mut stored = known_events(tx, messages, &owners, &clients).await?;
        stored.extend(known_waiting(tx, messages, &owners).await?);
        let outcomes = messages.iter().zip(owners).enumerate().map(|(place, (message, owner))| {
            let names_kept_out = || client_ids_in(message).any(|name| out.contains(name));
            let (Some(event), Some(owner)) = (event_of(message), owner) else {
                return if names_kept_out() {
                    MessageOutcome::Refused(kept_out_error())
                } else {
                    MessageOutcome::Recorded
                };
            };
            if !by_person[place] && names_kept_out() {
                return MessageOutcome::Refused(kept_out_error());
            }
            let (mut keys, outcome) = dedup_keys(event, &owner, &clients);
            if by_person[place] {
                // It may have waited when it came before.
                keys.push(dedup_key(event, b"p", event.client_id.as_bytes()));
            }
            let repeats = keys.iter().any(|key| self.seen.contains(key));
            self.seen.extend(keys);
            if repeats || stored.contains(&place) { MessageOutcome::Duplicate } else { outcome }
        });
        Ok(outcomes.collect())
    }

    /// Records aliases and memberships.
    fn record_aliases(&mut self, messages: &[IncomingMessage]) {
        for message in messages {
            let (person, client) = match message {
                IncomingMessage::Alias { previous, client_id, .. } => (previous, client_id),
                IncomingMessage::Membership { person, client } => (person, &client.client_id),
                _ => continue,
            };
            self.joined.entry(person.clone()).or_default().push(client.clone());
            if matches!(message, IncomingMessage::Alias { .. }) {
                let (kept, gone) = (self.root(client), self.root(person));
                if kept != gone {
                    let others = self.merged.remove(&gone).unwrap_or_default();
                    let merged = self.merged.entry(kept.clone()).or_default();
                    merged.push(gone.clone());
                    merged.extend(others);
                    self.aliases.insert(gone, kept);
                }
            }
        }
    }

    /// The main id of a client.
    fn root(&self, id: &str) -> String {
        let mut id = id;
        while let Some(next) = self.aliases.get(id) {
            id = next;
        }
        id.to_owned()
    }

    fn ids_of(&self, id: &str) -> Vec<String> {
        let root = self.root(id);
        let mut names = self.merged.get(&root).cloned().unwrap_or_default();
        names.push(root);
        names
    }
}

/// The deduplication keys of an event, and its outcome if it is new.
fn dedup_keys(
    event: &Event,
    owner: &EventOwner,
    clients: &HashMap<String, ResolvedClient>,
) -> (Vec<u128>, MessageOutcome) {
    match owner {
        EventOwner::Person => (Vec::new(), MessageOutcome::Waiting),
        EventOwner::Clients(names) => {
            let keys = names.iter().map(|name| match clients.get(name) {
                Some(client) => dedup_key(event, b"c", client.id.uuid().as_bytes()),
                None => dedup_key(event, b"n", name.as_bytes()),
            });
            (keys.collect(), MessageOutcome::Stored)
        }
    }
}

/// Half a SHA-256: a collision would need 10¹⁸ rows.
fn dedup_key(event: &Event, kind: &[u8], owner: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update((owner.len() as u64).to_le_bytes());
    hash.update(owner);
    let at = event.client_timestamp.unwrap_or(event.occurred_at).as_microsecond();
    hash.update(at.to_le_bytes());
    hash.update(&event.message_id);
    let digest = hash.finalize();
    digest.iter().take(16).fold(0, |key, byte| (key << 8) | u128::from(*byte))
}

/// The indexes of events that are already stored, for any of their possible clients.
async fn known_events(
    tx: &mut Tx,
    messages: &[IncomingMessage],
    owners: &[Option<EventOwner>],
    clients: &HashMap<String, ResolvedClient>,
) -> Result<HashSet<usize>> {
    let mut places = Vec::new();
    let mut events = Vec::new();
    for (place, (message, owner)) in messages.iter().zip(owners).enumerate() {
        let (Some(event), Some(EventOwner::Clients(names))) = (event_of(message), owner) else {
            continue;
        };
        let ids: HashMap<ClientId, ResolvedClient> =
            names.iter().filter_map(|name| clients.get(name)).map(|one| (one.id, *one)).collect();
        for client in ids.into_values() {
            places.push(place);
            // Only what is rolled up asks for the day.
            events.push(StorableEvent { client, local_day: Date::ZERO, event });
        }
    }
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let known = tx.find_known_events(&events).await?;
    Ok(places.into_iter().zip(known).filter_map(|(place, known)| known.then_some(place)).collect())
}

/// The indexes of events that are already waiting.
async fn known_waiting(
    tx: &mut Tx,
    messages: &[IncomingMessage],
    owners: &[Option<EventOwner>],
) -> Result<HashSet<usize>> {
    let waiting =
        messages.iter().zip(owners).enumerate().filter_map(|(place, (message, owner))| {
            let Some(EventOwner::Person) = owner else { return None };
            Some((place, event_of(message)?))
        });
    let (places, events): (Vec<usize>, Vec<&Event>) = waiting.unzip();
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let known = tx.find_waiting_events(&events).await?;
    Ok(places.into_iter().zip(known).filter_map(|(place, known)| known.then_some(place)).collect())
}

const fn event_of(message: &IncomingMessage) -> Option<&Event> {
    match message {
        IncomingMessage::Event(event)
        | IncomingMessage::PersonEvent(event)
        | IncomingMessage::PersonOrClientEvent(event) => Some(event),
        _ => None,
    }
}

/// The client ids in a message.
fn client_ids_in(message: &IncomingMessage) -> impl Iterator<Item = &str> {
    let (one, other) = match message {
        IncomingMessage::Event(event) | IncomingMessage::PersonOrClientEvent(event) => {
            (Some(&event.client_id), None)
        }
        IncomingMessage::Profile(change)
        | IncomingMessage::Membership { client: change, .. }
        | IncomingMessage::GroupProfile { client: change, .. } => (Some(&change.client_id), None),
        IncomingMessage::Alias { previous, client_id, .. } => (Some(previous), Some(client_id)),
        IncomingMessage::PersonEvent(_)
        | IncomingMessage::PersonProfile(_)
        | IncomingMessage::Ignored => (None, None),
    };
    one.into_iter().chain(other).map(String::as_str)
}
