//! One batch of messages on its way into the store: resolving clients and applying changes in order.

use std::{borrow::Cow, collections::HashMap};

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::{
        Event, ProfileChange, ProfilePatch,
        segment::{ClientIdentity, IncomingMessage},
    },
    time::{local_day, time_zone},
};
use mainstay_store::{
    ClientSighting, Membership, Outcome, PersonEvent, RelatedKind, ResolvedClient, RollUp,
    StorableEvent, Tx,
};

use super::{MessageOutcome, Source, kept_out_error, too_many_waiting_error};
use crate::{Error, Result};

/// The client id of each message, if any.
pub(crate) type Names<'a> = Vec<Option<Cow<'a, str>>>;

/// The client that a user belongs to at an instant, and its id.
type ClientsOfPeople = HashMap<(String, Timestamp), (ResolvedClient, String)>;

pub(super) struct Batch<'a> {
    source: Source,
    messages: &'a [IncomingMessage],
    now: Timestamp,
    zone: TimeZone,
    /// The change by an alias: its client exists.
    aliases: Vec<Option<ProfileChange>>,
    names: Names<'a>,
    clients: Vec<Option<ResolvedClient>>,
    outcomes: Vec<MessageOutcome>,
    /// Events that waited for messages of this batch.
    released_events: Vec<Event>,
    of_people: ClientsOfPeople,
    /// Whether the event is a user's, whose client follows from the memberships.
    by_person: Vec<bool>,
}

impl<'a> Batch<'a> {
    /// Resolves the clients, creating new ones.
    pub(super) async fn begin(
        tx: &mut Tx,
        (source, messages): (Source, &'a [IncomingMessage]),
        now: Timestamp,
    ) -> Result<Self> {
        if messages
            .iter()
            .any(|one| !matches!(one, IncomingMessage::Event(_) | IncomingMessage::Ignored))
        {
            // Before anything is read that others may be about to change, and before the rows' locks.
            tx.lock_events(messages.iter().any(may_move_events)).await?;
        }
        let zone = zone_of(tx).await?;
        let people = people_named_as_clients(tx, messages).await?;
        let names: Names<'a> = messages
            .iter()
            .map(|message| match message {
                IncomingMessage::PersonOrClientEvent(event)
                    if people.contains_key(&person_key(event)) =>
                {
                    None
                }
                IncomingMessage::Event(event) | IncomingMessage::PersonOrClientEvent(event) => {
                    Some(Cow::from(&event.client_id))
                }
                IncomingMessage::Profile(change)
                | IncomingMessage::Membership { client: change, .. }
                | IncomingMessage::GroupProfile { client: change, .. } => {
                    Some(Cow::from(&change.client_id))
                }
                IncomingMessage::Alias { client_id, .. } => Some(Cow::from(client_id)),
                IncomingMessage::PersonEvent(_)
                | IncomingMessage::PersonProfile(_)
                | IncomingMessage::Ignored => None,
            })
            .collect();
        let aliases = messages.iter().map(alias_change).collect();
        let by_person = messages
            .iter()
            .zip(&names)
            .map(|(message, name)| match message {
                IncomingMessage::PersonEvent(_) => true,
                IncomingMessage::PersonOrClientEvent(_) => name.is_none(),
                _ => false,
            })
            .collect();
        let mut batch = Self {
            source,
            messages,
            now,
            zone,
            aliases,
            names,
            clients: Vec::new(),
            outcomes: vec![MessageOutcome::Recorded; messages.len()],
            released_events: Vec::new(),
            of_people: people,
            by_person,
        };
        batch.resolve(tx).await?;
        Ok(batch)
    }

    async fn resolve(&mut self, tx: &mut Tx) -> Result<()> {
        let seen: Vec<ClientSighting<'_>> = self
            .messages
            .iter()
            .zip(&self.names)
            .filter_map(|(message, name)| {
                Some(ClientSighting {
                    external_id: name.as_deref()?,
                    first_at: message_time(message)?,
                })
            })
            .collect();
        let admitted = if self.source.is_write_key {
            tx.admit_clients(&seen, self.now).await?
        } else {
            tx.admit_known_clients(&seen, self.now).await?
        };
        let mut admitted = admitted.into_iter();
        self.clients =
            self.names.iter().map(|name| name.as_ref().and_then(|_| admitted.next()?)).collect();
        for (place, (name, client)) in self.names.iter().zip(&self.clients).enumerate() {
            if name.is_some() && client.is_none() {
                self.outcomes[place] = MessageOutcome::Refused(kept_out_error());
            }
        }
        Ok(())
    }

    /// Applies changes of profiles.
    pub(super) async fn apply_profiles(&mut self, tx: &mut Tx) -> Result<()> {
        for kind in [RelatedKind::Person, RelatedKind::Group] {
            let (places, changes): (Vec<usize>, Vec<&ProfileChange>) = self
                .messages
                .iter()
                .enumerate()
                .filter_map(|(place, message)| match (kind, message) {
                    (RelatedKind::Person, IncomingMessage::PersonProfile(change))
                    | (RelatedKind::Group, IncomingMessage::GroupProfile { group: change, .. }) => {
                        Some((place, change))
                    }
                    _ => None,
                })
                .unzip();
            let refusals = tx.apply_related_profiles(kind, &changes).await?;
            self.refuse(places.into_iter().zip(refusals));
        }
        let (places, changes): (Vec<usize>, Vec<_>) = self
            .messages
            .iter()
            .zip(&self.aliases)
            .zip(&self.clients)
            .enumerate()
            .filter(|(place, _)| self.outcomes[*place] == MessageOutcome::Recorded)
            .filter_map(|(place, ((message, alias), client))| {
                let change = match message {
                    IncomingMessage::Profile(change)
                    | IncomingMessage::Membership { client: change, .. }
                    | IncomingMessage::GroupProfile { client: change, .. } => change,
                    _ => alias.as_ref()?,
                };
                Some((place, (client.as_ref()?.id, change)))
            })
            .unzip();
        let refusals = tx.apply_profile_changes(&changes).await?;
        self.refuse(places.into_iter().zip(refusals));
        Ok(())
    }

    fn refuse(
        &mut self,
        refusals: impl Iterator<Item = (usize, Option<mainstay_core::engagement::EventError>)>,
    ) {
        for (place, refusal) in refusals {
            if let Some(error) = refusal {
                self.outcomes[place] = MessageOutcome::Refused(error);
            }
        }
    }

    /// Applies memberships and releases events that waited for them.
    pub(super) async fn apply_memberships(&mut self, tx: &mut Tx) -> Result<()> {
        let joined: Vec<Membership<'_>> = self
            .messages
            .iter()
            .zip(&self.clients)
            .zip(&self.outcomes)
            .filter(|(_, outcome)| **outcome == MessageOutcome::Recorded)
            .filter_map(|((message, client), _)| {
                let (person, since, message_id) = match message {
                    IncomingMessage::Membership { person, client } => {
                        (person, client.at, &client.message_id)
                    }
                    IncomingMessage::Alias { previous, at, message_id, .. } => {
                        (previous, *at, message_id)
                    }
                    _ => return None,
                };
                Some(Membership { person, since, message_id, client: client.as_ref()?.id })
            })
            .collect();
        if joined.is_empty() {
            return Ok(());
        }
        let of_visitors = self.source.is_write_key
            && tx.get_organization().await?.clients_are == ClientIdentity::User;
        let new = if of_visitors {
            tx.join_visitors(&joined, &self.zone, self.now).await?
        } else {
            tx.insert_memberships(&joined, &self.zone, self.now).await?
        };
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        self.released_events = tx.claim_waiting_events(&new, self.now).await?;
        // Events that moved may have moved since when their clients exist.
        self.resolve(tx).await
    }

    /// Resolves the clients of users' events.
    pub(super) async fn find_clients_of_people(&mut self, tx: &mut Tx) -> Result<()> {
        let wanted: Vec<(&str, Timestamp)> = self
            .messages
            .iter()
            .zip(&self.by_person)
            .filter_map(|(message, by_person)| match message {
                IncomingMessage::PersonEvent(event)
                | IncomingMessage::PersonOrClientEvent(event)
                    if *by_person =>
                {
                    Some(event)
                }
                _ => None,
            })
            .chain(&self.released_events)
            .map(|event| (event.client_id.as_str(), event.occurred_at))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        self.of_people = tx.find_clients_of_people(&wanted).await?;
        for ((message, name), client) in
            self.messages.iter().zip(&mut self.names).zip(&mut self.clients)
        {
            if let IncomingMessage::PersonEvent(event) | IncomingMessage::PersonOrClientEvent(event) =
                message
                && name.is_none()
                && let Some((found, external_id)) = self.of_people.get(&person_key(event))
            {
                *client = Some(*found);
                *name = Some(Cow::from(external_id.clone()));
            }
        }
        Ok(())
    }

    /// Stores the events of known clients; other events wait.
    pub(super) async fn store_events(&mut self, tx: &mut Tx, roll_up: RollUp) -> Result<()> {
        let zone = &self.zone;
        let (mut places, mut events) = (Vec::new(), Vec::new());
        let (mut waiting_places, mut waiting) = (Vec::new(), Vec::new());
        for (place, (message, client)) in self.messages.iter().zip(&self.clients).enumerate() {
            let (IncomingMessage::Event(event)
            | IncomingMessage::PersonEvent(event)
            | IncomingMessage::PersonOrClientEvent(event)) = message
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
        for event in &self.released_events {
            if let Some((client, _)) = self.of_people.get(&person_key(event)) {
                events.push(storable(*client, event, zone));
            }
        }
        let outcomes = tx.store_events(&events, roll_up).await?;
        // What waited has no place in the batch, and follows its person.
        let by_membership =
            |place: Option<&usize>| place.is_none_or(|place| self.by_person[*place]);
        let is_clients_own = |place: Option<&usize>| {
            place.is_some_and(|place| {
                let message = &self.messages[*place];
                matches!(message, IncomingMessage::PersonOrClientEvent(_))
                    && !self.by_person[*place]
            })
        };
        let person_events: Vec<PersonEvent<'_>> = events
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
        tx.insert_person_events(&person_events).await?;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            self.outcomes[place] = outcome.into();
        }
        for (place, outcome) in
            waiting_places.into_iter().zip(tx.insert_waiting_events(&waiting).await?)
        {
            self.outcomes[place] = match outcome {
                Some(Outcome::Stored) => MessageOutcome::Waiting,
                Some(Outcome::Duplicate) => MessageOutcome::Duplicate,
                None => MessageOutcome::Refused(too_many_waiting_error()),
            };
        }
        Ok(())
    }

    pub(super) fn into_parts(self) -> (Names<'a>, Vec<MessageOutcome>) {
        (self.names, self.outcomes)
    }
}

pub(super) async fn zone_of(tx: &mut Tx) -> Result<TimeZone> {
    let organization = tx.get_organization().await?;
    time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))
}

/// The users among the named clients, if clients are accounts.
async fn people_named_as_clients(
    tx: &mut Tx,
    messages: &[IncomingMessage],
) -> Result<ClientsOfPeople> {
    let named_people: Vec<(&str, Timestamp)> = messages
        .iter()
        .filter_map(|message| match message {
            IncomingMessage::PersonOrClientEvent(event) => {
                Some((event.client_id.as_str(), event.occurred_at))
            }
            _ => None,
        })
        .collect();
    if named_people.is_empty() {
        Ok(HashMap::new())
    } else {
        Ok(tx.find_clients_of_people(&named_people).await?)
    }
}

/// Whether a message may move events to another client, or is stored under another time than its own.
fn may_move_events(message: &IncomingMessage) -> bool {
    match message {
        IncomingMessage::Membership { .. } | IncomingMessage::Alias { .. } => true,
        IncomingMessage::Event(event)
        | IncomingMessage::PersonEvent(event)
        | IncomingMessage::PersonOrClientEvent(event) => {
            event.client_timestamp != Some(event.occurred_at)
        }
        _ => false,
    }
}

fn storable<'e>(client: ResolvedClient, event: &'e Event, zone: &TimeZone) -> StorableEvent<'e> {
    StorableEvent { client, local_day: local_day(event.occurred_at, zone), event }
}

fn alias_change(message: &IncomingMessage) -> Option<ProfileChange> {
    let IncomingMessage::Alias { client_id, at, message_id, .. } = message else { return None };
    Some(ProfileChange {
        client_id: client_id.clone(),
        at: *at,
        message_id: message_id.clone(),
        patch: ProfilePatch::default(),
    })
}

fn person_key(event: &Event) -> (String, Timestamp) {
    (event.client_id.clone(), event.occurred_at)
}

fn message_time(message: &IncomingMessage) -> Option<Timestamp> {
    match message {
        IncomingMessage::Event(event)
        | IncomingMessage::PersonEvent(event)
        | IncomingMessage::PersonOrClientEvent(event) => Some(event.occurred_at),
        IncomingMessage::Profile(change)
        | IncomingMessage::Membership { client: change, .. }
        | IncomingMessage::GroupProfile { client: change, .. } => Some(change.at),
        IncomingMessage::Alias { at, .. } => Some(*at),
        IncomingMessage::PersonProfile(_) | IncomingMessage::Ignored => None,
    }
}
