//! One batch of what was said, on its way into the store: whose each of it is, and what is done first.

use std::{borrow::Cow, collections::HashMap};

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::{Event, ProfileChange, ProfilePatch, segment::Said},
    time::{local_day, time_zone},
};
use mainstay_store::{
    Membership, Outcome, PersonEvent, RelatedKind, ResolvedClient, RollUp, Seen, StorableEvent, Tx,
};

use super::{Fate, kept_out, too_many_wait};
use crate::{Error, Result};

/// The host app's id of the client that each of what was said is about, if it is about one.
pub(crate) type Names<'a> = Vec<Option<Cow<'a, str>>>;

/// The client that a person belongs to at an instant, and its name.
type ClientsOfPeople = HashMap<(String, Timestamp), (ResolvedClient, String)>;

pub(super) struct Batch<'a> {
    said: &'a [Said],
    now: Timestamp,
    zone: TimeZone,
    /// What an alias tells of its client: that there is one.
    aliases: Vec<Option<ProfileChange>>,
    names: Names<'a>,
    clients: Vec<Option<ResolvedClient>>,
    fates: Vec<Fate>,
    /// Events that waited for what this batch says.
    released: Vec<Event>,
    of_people: ClientsOfPeople,
    /// Whether an event is one of a person, whose client follows from the memberships.
    by_person: Vec<bool>,
}

impl<'a> Batch<'a> {
    /// Looks up the clients that are named, creating those that are new.
    pub(super) async fn begin(tx: &mut Tx, said: &'a [Said], now: Timestamp) -> Result<Self> {
        if said.iter().any(|one| !matches!(one, Said::Did(_) | Said::Nothing)) {
            // Before anything is read that others may be about to change, and before the rows' locks.
            tx.lock_events(said.iter().any(settles)).await?;
        }
        let zone = zone_of(tx).await?;
        let people = people_named_as_clients(tx, said).await?;
        let names: Names<'a> = said
            .iter()
            .map(|said| match said {
                Said::DidByPersonOrClient(event) if people.contains_key(&key_of(event)) => None,
                Said::Did(event) | Said::DidByPersonOrClient(event) => {
                    Some(Cow::from(&event.client_id))
                }
                Said::Told(change)
                | Said::Joined { client: change, .. }
                | Said::Grouped { client: change, .. } => Some(Cow::from(&change.client_id)),
                Said::Alias { client_id, .. } => Some(Cow::from(client_id)),
                Said::DidByPerson(_) | Said::ToldOfPerson(_) | Said::Nothing => None,
            })
            .collect();
        let aliases = said.iter().map(alias_change).collect();
        let by_person = said
            .iter()
            .zip(&names)
            .map(|(said, name)| match said {
                Said::DidByPerson(_) => true,
                Said::DidByPersonOrClient(_) => name.is_none(),
                _ => false,
            })
            .collect();
        let mut batch = Self {
            said,
            now,
            zone,
            aliases,
            names,
            clients: Vec::new(),
            fates: vec![Fate::Learned; said.len()],
            released: Vec::new(),
            of_people: people,
            by_person,
        };
        batch.resolve(tx).await?;
        Ok(batch)
    }

    async fn resolve(&mut self, tx: &mut Tx) -> Result<()> {
        let seen: Vec<Seen<'_>> = self
            .said
            .iter()
            .zip(&self.names)
            .filter_map(|(said, name)| {
                Some(Seen { external_id: name.as_deref()?, first_at: said_at(said)? })
            })
            .collect();
        let mut admitted = tx.admit_clients(&seen, self.now).await?.into_iter();
        self.clients =
            self.names.iter().map(|name| name.as_ref().and_then(|_| admitted.next()?)).collect();
        for (place, (name, client)) in self.names.iter().zip(&self.clients).enumerate() {
            if name.is_some() && client.is_none() {
                self.fates[place] = Fate::Refused(kept_out());
            }
        }
        Ok(())
    }

    /// Takes in what is told of clients, people and groups.
    pub(super) async fn learn(&mut self, tx: &mut Tx) -> Result<()> {
        for kind in [RelatedKind::Person, RelatedKind::Group] {
            let (places, told): (Vec<usize>, Vec<&ProfileChange>) = self
                .said
                .iter()
                .enumerate()
                .filter_map(|(place, said)| match (kind, said) {
                    (RelatedKind::Person, Said::ToldOfPerson(change))
                    | (RelatedKind::Group, Said::Grouped { group: change, .. }) => {
                        Some((place, change))
                    }
                    _ => None,
                })
                .unzip();
            let refusals = tx.learn_related(kind, &told).await?;
            self.refuse(places.into_iter().zip(refusals));
        }
        let (places, told): (Vec<usize>, Vec<_>) = self
            .said
            .iter()
            .zip(&self.aliases)
            .zip(&self.clients)
            .enumerate()
            .filter(|(place, _)| self.fates[*place] == Fate::Learned)
            .filter_map(|(place, ((said, alias), client))| {
                let change = match said {
                    Said::Told(change)
                    | Said::Joined { client: change, .. }
                    | Said::Grouped { client: change, .. } => change,
                    _ => alias.as_ref()?,
                };
                Some((place, (client.as_ref()?.id, change)))
            })
            .unzip();
        let refusals = tx.learn_profiles(&told).await?;
        self.refuse(places.into_iter().zip(refusals));
        Ok(())
    }

    fn refuse(
        &mut self,
        refusals: impl Iterator<Item = (usize, Option<mainstay_core::engagement::EventError>)>,
    ) {
        for (place, refusal) in refusals {
            if let Some(error) = refusal {
                self.fates[place] = Fate::Refused(error);
            }
        }
    }

    /// Remembers who belongs to whom, and takes out the events that waited for it.
    pub(super) async fn join(&mut self, tx: &mut Tx) -> Result<()> {
        let joined: Vec<Membership<'_>> = self
            .said
            .iter()
            .zip(&self.clients)
            .zip(&self.fates)
            .filter(|(_, fate)| **fate == Fate::Learned)
            .filter_map(|((said, client), _)| {
                let (person, since, message_id) = match said {
                    Said::Joined { person, client } => (person, client.at, &client.message_id),
                    Said::Alias { previous, at, message_id, .. } => (previous, *at, message_id),
                    _ => return None,
                };
                Some(Membership { person, since, message_id, client: client.as_ref()?.id })
            })
            .collect();
        if joined.is_empty() {
            return Ok(());
        }
        let new = tx.join_people(&joined, &self.zone, self.now).await?;
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        self.released = tx.take_waiting(&new, self.now).await?;
        // Events that moved may have moved since when their clients exist.
        self.resolve(tx).await
    }

    /// Looks up whose events are that people did.
    pub(super) async fn find_clients_of_people(&mut self, tx: &mut Tx) -> Result<()> {
        let wanted: Vec<(&str, Timestamp)> = self
            .said
            .iter()
            .zip(&self.by_person)
            .filter_map(|(said, by_person)| match said {
                Said::DidByPerson(event) | Said::DidByPersonOrClient(event) if *by_person => {
                    Some(event)
                }
                _ => None,
            })
            .chain(&self.released)
            .map(|event| (event.client_id.as_str(), event.occurred_at))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        self.of_people = tx.clients_of_people(&wanted).await?;
        for ((said, name), client) in self.said.iter().zip(&mut self.names).zip(&mut self.clients) {
            if let Said::DidByPerson(event) | Said::DidByPersonOrClient(event) = said
                && name.is_none()
                && let Some((found, external_id)) = self.of_people.get(&key_of(event))
            {
                *client = Some(*found);
                *name = Some(Cow::from(external_id.clone()));
            }
        }
        Ok(())
    }

    /// Stores the events of known clients; the others wait.
    pub(super) async fn store_events(&mut self, tx: &mut Tx, roll_up: RollUp) -> Result<()> {
        let zone = &self.zone;
        let (mut places, mut events) = (Vec::new(), Vec::new());
        let (mut waiting_places, mut waiting) = (Vec::new(), Vec::new());
        for (place, (said, client)) in self.said.iter().zip(&self.clients).enumerate() {
            let (Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event)) =
                said
            else {
                continue;
            };
            if let Some(client) = client {
                events.push(storable(*client, event, zone));
                places.push(place);
            } else if self.by_person[place] {
                waiting.push(event);
                waiting_places.push(place);
            }
        }
        for event in &self.released {
            if let Some((client, _)) = self.of_people.get(&key_of(event)) {
                events.push(storable(*client, event, zone));
            }
        }
        let outcomes = tx.store_events(&events, roll_up).await?;
        // What waited has no place in the batch, and follows its person.
        let by_membership =
            |place: Option<&usize>| place.is_none_or(|place| self.by_person[*place]);
        let is_clients_own = |place: Option<&usize>| {
            place.is_some_and(|place| {
                let said = &self.said[*place];
                matches!(said, Said::DidByPersonOrClient(_)) && !self.by_person[*place]
            })
        };
        let done: Vec<PersonEvent<'_>> = events
            .iter()
            .zip(&outcomes)
            .enumerate()
            .filter(|(number, (_, outcome))| {
                **outcome == Outcome::Stored && !is_clients_own(places.get(*number))
            })
            .filter_map(|(number, (event, _))| {
                let by_membership = by_membership(places.get(number));
                Some(PersonEvent {
                    person: event.event.person.as_deref()?,
                    occurred_at: event.event.occurred_at,
                    message_id: &event.event.message_id,
                    client_timestamp: event.own_time(),
                    client: event.client.id,
                    by_membership,
                })
            })
            .collect();
        tx.keep_person_events(&done).await?;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            self.fates[place] = outcome.into();
        }
        for (place, outcome) in waiting_places.into_iter().zip(tx.keep_waiting(&waiting).await?) {
            self.fates[place] = match outcome {
                Some(Outcome::Stored) => Fate::Waiting,
                Some(Outcome::Duplicate) => Fate::Duplicate,
                None => Fate::Refused(too_many_wait()),
            };
        }
        Ok(())
    }

    pub(super) fn end(self) -> (Names<'a>, Vec<Fate>) {
        (self.names, self.fates)
    }
}

pub(super) async fn zone_of(tx: &mut Tx) -> Result<TimeZone> {
    let organization = tx.organization().await?;
    time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))
}

/// The people among those whose events name a client, where clients are accounts.
async fn people_named_as_clients(tx: &mut Tx, said: &[Said]) -> Result<ClientsOfPeople> {
    let named: Vec<(&str, Timestamp)> = said
        .iter()
        .filter_map(|said| match said {
            Said::DidByPersonOrClient(event) => Some((event.client_id.as_str(), event.occurred_at)),
            _ => None,
        })
        .collect();
    if named.is_empty() { Ok(HashMap::new()) } else { Ok(tx.clients_of_people(&named).await?) }
}

/// Whether something may change whose events are, or is filed under another time than its own.
fn settles(said: &Said) -> bool {
    match said {
        Said::Joined { .. } | Said::Alias { .. } => true,
        Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event) => {
            event.client_timestamp != Some(event.occurred_at)
        }
        _ => false,
    }
}

fn storable<'e>(client: ResolvedClient, event: &'e Event, zone: &TimeZone) -> StorableEvent<'e> {
    StorableEvent { client, local_day: local_day(event.occurred_at, zone), event }
}

fn alias_change(said: &Said) -> Option<ProfileChange> {
    let Said::Alias { client_id, at, message_id, .. } = said else { return None };
    Some(ProfileChange {
        client_id: client_id.clone(),
        at: *at,
        message_id: message_id.clone(),
        patch: ProfilePatch::default(),
    })
}

fn key_of(event: &Event) -> (String, Timestamp) {
    (event.client_id.clone(), event.occurred_at)
}

fn said_at(said: &Said) -> Option<Timestamp> {
    match said {
        Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event) => {
            Some(event.occurred_at)
        }
        Said::Told(change)
        | Said::Joined { client: change, .. }
        | Said::Grouped { client: change, .. } => Some(change.at),
        Said::Alias { at, .. } => Some(*at),
        Said::ToldOfPerson(_) | Said::Nothing => None,
    }
}
