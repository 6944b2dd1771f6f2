//! What storing the rows of a file would come to, found out by looking: nothing is written or locked.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Event, segment::Said},
    id::ClientId,
};
use mainstay_store::{ResolvedClient, StorableEvent, Tx};
use sha2::{Digest as _, Sha256};

use super::{Fate, said::kept_out};
use crate::Result;

/// Remembers of a file what later rows of it may repeat or rest on.
///
/// Two refusals are not foreseen, since they depend on all that is stored of a client or an
/// organization: of a profile that is full, and of more events than may wait.
#[derive(Default)]
pub(super) struct Rehearsal {
    /// The events of the file, each under the client or person whose it is.
    seen: HashSet<u128>,
    /// Ids that an alias of the file makes other names of a client.
    aliases: HashMap<String, String>,
    /// The ids that an id stands for, itself not among them.
    merged: HashMap<String, Vec<String>>,
    /// The clients that the file puts people in.
    joined: HashMap<String, Vec<String>>,
}

/// Whose an event is.
enum Whose {
    /// A client's: by its ids, as the file or the store says that they are one.
    Clients(Vec<String>),
    /// A person's who has no client yet.
    Person,
}

impl Rehearsal {
    /// What would become of each of these, given what came before them in the file.
    pub(super) async fn fates(
        &mut self,
        tx: &mut Tx,
        said: &[Said],
        now: Timestamp,
    ) -> Result<Vec<Fate>> {
        let named_people: Vec<(&str, Timestamp)> = said
            .iter()
            .filter_map(|said| match said {
                Said::DidByPerson(event) | Said::DidByPersonOrClient(event) => {
                    Some((event.client_id.as_str(), event.occurred_at))
                }
                _ => None,
            })
            .collect();
        let people = if named_people.is_empty() {
            HashMap::new()
        } else {
            tx.clients_of_people(&named_people).await?
        };
        let is_person = |event: &Event| {
            self.joined.contains_key(&event.client_id)
                || people.contains_key(&(event.client_id.clone(), event.occurred_at))
        };
        let by_person: Vec<bool> = said
            .iter()
            .map(|said| match said {
                Said::DidByPerson(_) => true,
                Said::DidByPersonOrClient(event) => is_person(event),
                _ => false,
            })
            .collect();
        self.learn(said);
        let whose: Vec<Option<Whose>> = said
            .iter()
            .zip(&by_person)
            .map(|(said, by_person)| {
                let event = event_of(said)?;
                if !by_person {
                    return Some(Whose::Clients(self.names_of(&event.client_id)));
                }
                let known = people.get(&(event.client_id.clone(), event.occurred_at));
                let joined = self.joined.get(&event.client_id).into_iter().flatten();
                let clients = known.map(|(_, name)| name).into_iter().chain(joined);
                let names: Vec<String> = clients.flat_map(|name| self.names_of(name)).collect();
                let waits = names.is_empty();
                Some(if waits { Whose::Person } else { Whose::Clients(names) })
            })
            .collect();
        let mut ids: HashSet<&str> = said.iter().flat_map(names_in).collect();
        for whose in whose.iter().flatten() {
            if let Whose::Clients(names) = whose {
                ids.extend(names.iter().map(String::as_str));
            }
        }
        let ids: Vec<&str> = ids.into_iter().collect();
        let (clients, out) = tx.find_clients(&ids, now).await?;
        let mut stored = known_events(tx, said, &whose, &clients).await?;
        stored.extend(known_waiting(tx, said, &whose).await?);
        let fates = said.iter().zip(whose).enumerate().map(|(place, (said, whose))| {
            let names_kept_out = || names_in(said).any(|name| out.contains(name));
            let (Some(event), Some(whose)) = (event_of(said), whose) else {
                return if names_kept_out() { Fate::Refused(kept_out()) } else { Fate::Learned };
            };
            if !by_person[place] && names_kept_out() {
                return Fate::Refused(kept_out());
            }
            let (mut keys, fate) = keys_of(event, &whose, &clients);
            if by_person[place] {
                // It may have waited when it came before.
                keys.push(key_of(event, b"p", event.client_id.as_bytes()));
            }
            let repeats = keys.iter().any(|key| self.seen.contains(key));
            self.seen.extend(keys);
            if repeats || stored.contains(&place) { Fate::Duplicate } else { fate }
        });
        Ok(fates.collect())
    }

    /// Takes in which ids are one client, and who belongs to whom.
    fn learn(&mut self, said: &[Said]) {
        for said in said {
            let (person, client) = match said {
                Said::Alias { previous, client_id, .. } => (previous, client_id),
                Said::Joined { person, client } => (person, &client.client_id),
                _ => continue,
            };
            self.joined.entry(person.clone()).or_default().push(client.clone());
            if matches!(said, Said::Alias { .. }) {
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

    /// The id that stays of those that are one client.
    fn root(&self, id: &str) -> String {
        let mut id = id;
        while let Some(next) = self.aliases.get(id) {
            id = next;
        }
        id.to_owned()
    }

    fn names_of(&self, id: &str) -> Vec<String> {
        let root = self.root(id);
        let mut names = self.merged.get(&root).cloned().unwrap_or_default();
        names.push(root);
        names
    }
}

/// Under what an event of the file is remembered, and what becomes of it when it is new.
fn keys_of(
    event: &Event,
    whose: &Whose,
    clients: &HashMap<String, ResolvedClient>,
) -> (Vec<u128>, Fate) {
    match whose {
        Whose::Person => (Vec::new(), Fate::Waiting),
        Whose::Clients(names) => {
            let keys = names.iter().map(|name| match clients.get(name) {
                Some(client) => key_of(event, b"c", client.id.uuid().as_bytes()),
                None => key_of(event, b"n", name.as_bytes()),
            });
            (keys.collect(), Fate::Stored)
        }
    }
}

/// Half a SHA-256: a file would need 10¹⁸ rows for two that are not alike to look alike.
fn key_of(event: &Event, kind: &[u8], whose: &[u8]) -> u128 {
    let mut hash = Sha256::new();
    hash.update(kind);
    hash.update((whose.len() as u64).to_le_bytes());
    hash.update(whose);
    let at = event.client_timestamp.unwrap_or(event.occurred_at).as_microsecond();
    hash.update(at.to_le_bytes());
    hash.update(&event.message_id);
    let digest = hash.finalize();
    digest.iter().take(16).fold(0, |key, byte| (key << 8) | u128::from(*byte))
}

/// The places of events that are stored already, for any of the clients that each may be of.
async fn known_events(
    tx: &mut Tx,
    said: &[Said],
    whose: &[Option<Whose>],
    clients: &HashMap<String, ResolvedClient>,
) -> Result<HashSet<usize>> {
    let mut places = Vec::new();
    let mut events = Vec::new();
    for (place, (said, whose)) in said.iter().zip(whose).enumerate() {
        let (Some(event), Some(Whose::Clients(names))) = (event_of(said), whose) else { continue };
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
    let known = tx.known_events(&events).await?;
    Ok(places.into_iter().zip(known).filter_map(|(place, known)| known.then_some(place)).collect())
}

/// The places of events that wait already.
async fn known_waiting(
    tx: &mut Tx,
    said: &[Said],
    whose: &[Option<Whose>],
) -> Result<HashSet<usize>> {
    let waiting = said.iter().zip(whose).enumerate().filter_map(|(place, (said, whose))| {
        let Some(Whose::Person) = whose else { return None };
        Some((place, event_of(said)?))
    });
    let (places, events): (Vec<usize>, Vec<&Event>) = waiting.unzip();
    if events.is_empty() {
        return Ok(HashSet::new());
    }
    let known = tx.known_waiting(&events).await?;
    Ok(places.into_iter().zip(known).filter_map(|(place, known)| known.then_some(place)).collect())
}

const fn event_of(said: &Said) -> Option<&Event> {
    match said {
        Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event) => {
            Some(event)
        }
        _ => None,
    }
}

/// The ids of clients that something names.
fn names_in(said: &Said) -> impl Iterator<Item = &str> {
    let (one, other) = match said {
        Said::Did(event) | Said::DidByPersonOrClient(event) => (Some(&event.client_id), None),
        Said::Told(change)
        | Said::Joined { client: change, .. }
        | Said::Grouped { client: change, .. } => (Some(&change.client_id), None),
        Said::Alias { previous, client_id, .. } => (Some(previous), Some(client_id)),
        Said::DidByPerson(_) | Said::ToldOfPerson(_) | Said::Nothing => (None, None),
    };
    one.into_iter().chain(other).map(String::as_str)
}
