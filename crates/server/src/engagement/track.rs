use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{
        Event, EventError, EventType, IncomingEvent, normalize_id,
        segment::{ClientIdentity, IncomingMessage},
        validate,
    },
    id::OrganizationId,
};
use mainstay_store::{Scope, new_id};

use super::{MessageOutcome, Source};
use crate::{Mainstay, Result};

/// The outcome of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackOutcome {
    /// Events that are new, and on disk.
    pub stored: usize,
    /// Number of already stored events.
    pub duplicates: usize,
    /// Rejected events, each with its reason; all others were stored.
    pub refused: Vec<Refusal>,
}

/// Why one of several events was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its index, from 0.
    pub index: usize,
    /// The field, what is wrong, and the remedy.
    pub error: EventError,
}

impl Mainstay {
    /// Stores events exactly once. When this returns, every event that is not refused is on disk.
    ///
    /// # Errors
    /// If the database cannot be written; then nothing is stored.
    pub async fn track_engagement_events(
        &self,
        organization: OrganizationId,
        incoming: Vec<IncomingEvent>,
    ) -> Result<TrackOutcome> {
        let (events, refused) = self.check_events(organization, incoming).await?;
        let messages: Vec<IncomingMessage> =
            events.into_iter().map(IncomingMessage::Event).collect();
        let outcomes = self.store_messages(Source::vouched(organization), &messages).await?;
        let stored = outcomes.iter().filter(|outcome| **outcome == MessageOutcome::Stored).count();
        Ok(TrackOutcome { stored, duplicates: outcomes.len() - stored, refused })
    }

    /// Validates events one by one, with the organization's own event names.
    pub(crate) async fn check_events(
        &self,
        organization: OrganizationId,
        incoming: Vec<IncomingEvent>,
    ) -> Result<(Vec<Event>, Vec<Refusal>)> {
        let now = self.now();
        let settings = self.ingest_settings(organization).await?;
        let mut events = Vec::with_capacity(incoming.len());
        let mut refused = Vec::new();
        for (index, incoming) in incoming.into_iter().enumerate() {
            match settings.check(incoming, now) {
                Ok(event) => events.push(event),
                Err(error) => refused.push(Refusal { index, error }),
            }
        }
        Ok((events, refused))
    }

    /// An organization's ingest settings; changes by other processes apply within a second.
    pub(crate) async fn ingest_settings(
        &self,
        organization: OrganizationId,
    ) -> Result<Arc<IngestSettings>> {
        let now = self.now();
        if let Some(known) = self.ingest_settings_cache().get(&organization, now) {
            return Ok(known);
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let names = tx.list_event_names().await?;
        let organization_now = tx.get_organization().await?;
        let types = names.into_iter().map(|name| (name.name, name.event_type)).collect();
        let ingest_settings = Arc::new(IngestSettings {
            types,
            clients_are: organization_now.clients_are,
            count_self_told: organization_now.count_self_told,
        });
        self.ingest_settings_cache().insert(organization, Arc::clone(&ingest_settings), now);
        Ok(ingest_settings)
    }
}

/// An organization's ingest settings.
#[derive(Debug)]
pub(crate) struct IngestSettings {
    /// The types of its own event names.
    pub(crate) types: HashMap<String, EventType>,
    /// Whether its clients are users or groups.
    pub(crate) clients_are: ClientIdentity,
    /// Whether self-reported high-value events count.
    pub(crate) count_self_told: bool,
}

impl IngestSettings {
    /// The message for an event that only names a client: if clients are accounts, that id may be a
    /// user's.
    pub(crate) fn attribute(&self, mut event: Event) -> IncomingMessage {
        if self.clients_are == ClientIdentity::User {
            return IncomingMessage::Event(event);
        }
        event.person = Some(event.client_id.clone());
        IncomingMessage::PersonOrClientEvent(event)
    }

    /// Validates an event that names a client, a user or both.
    ///
    /// # Errors
    /// The first invalid field.
    pub(crate) fn check_and_attribute(
        &self,
        mut incoming: IncomingEvent,
        now: Timestamp,
    ) -> std::result::Result<IncomingMessage, EventError> {
        let person = incoming.person.take().filter(|person| !person.trim().is_empty());
        let accounts = self.clients_are == ClientIdentity::Account;
        match (person, incoming.client_id.is_empty()) {
            (Some(person), true) => {
                incoming.client_id.clone_from(&person);
                incoming.person = accounts.then_some(person);
                let event = self.check(incoming, now)?;
                Ok(if accounts {
                    IncomingMessage::PersonEvent(event)
                } else {
                    IncomingMessage::Event(event)
                })
            }
            (Some(person), false) if accounts => {
                incoming.person = Some(person);
                self.check(incoming, now).map(IncomingMessage::Event)
            }
            (Some(person), false) if normalize_id(&person) != normalize_id(&incoming.client_id) => {
                Err(EventError::new(
                    "user_id",
                    "differs from client_id, but this organization's clients are users; send one \
                     of them",
                ))
            }
            (None, false) => Ok(self.attribute(self.check(incoming, now)?)),
            _ => self.check(incoming, now).map(IncomingMessage::Event),
        }
    }

    /// Validates an event, with the organization's own event names.
    ///
    /// # Errors
    /// The first invalid field.
    pub(crate) fn check(
        &self,
        mut incoming: IncomingEvent,
        now: Timestamp,
    ) -> std::result::Result<Event, EventError> {
        if incoming.message_id.is_empty() {
            // Without an id a message cannot be told from its repetition: it is new each time.
            incoming.message_id = new_id::<uuid::Uuid>(now).to_string();
        }
        if incoming.event_type.is_none() {
            incoming.event_type = self.types.get(&incoming.name).copied();
        }
        validate(incoming, now)
    }
}
