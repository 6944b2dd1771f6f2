use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use mainstay_core::{
    engagement::{
        Event, EventError, EventType, IncomingEvent, normalize_id,
        segment::{ClientsAre, Said},
        validate,
    },
    id::OrganizationId,
};
use mainstay_store::{Scope, new_id};

use super::Fate;
use crate::{Mainstay, Result};

/// What became of the events of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// Events that are new, and on disk.
    pub stored: usize,
    /// Events that were there already.
    pub duplicates: usize,
    /// Events that were refused, each with its reason; everything else was stored.
    pub refused: Vec<Refusal>,
}

/// Why one event of several was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in what was sent, from 0.
    pub index: usize,
    /// The field at fault, what is wrong with it and what to do.
    pub error: EventError,
}

impl Mainstay {
    /// Stores events exactly once. When this returns, every event that is not refused is on disk.
    ///
    /// # Errors
    /// When the database cannot be written; then none of them is stored.
    pub async fn track_engagement_events(
        &self,
        organization: OrganizationId,
        incoming: Vec<IncomingEvent>,
    ) -> Result<Tracked> {
        let (events, refused) = self.check_events(organization, incoming).await?;
        let said: Vec<Said> = events.into_iter().map(Said::Did).collect();
        let fates = self.store_said(organization, &said).await?;
        let stored = fates.iter().filter(|fate| **fate == Fate::Stored).count();
        Ok(Tracked { stored, duplicates: fates.len() - stored, refused })
    }

    /// Checks events one by one, with the organization's own names for them.
    pub(crate) async fn check_events(
        &self,
        organization: OrganizationId,
        incoming: Vec<IncomingEvent>,
    ) -> Result<(Vec<Event>, Vec<Refusal>)> {
        let now = self.now();
        let naming = self.naming(organization).await?;
        let mut events = Vec::with_capacity(incoming.len());
        let mut refused = Vec::new();
        for (index, incoming) in incoming.into_iter().enumerate() {
            match naming.check(incoming, now) {
                Ok(event) => events.push(event),
                Err(error) => refused.push(Refusal { index, error }),
            }
        }
        Ok((events, refused))
    }

    /// What an organization's messages mean; changes elsewhere count here within a second.
    pub(crate) async fn naming(&self, organization: OrganizationId) -> Result<Arc<Naming>> {
        let now = self.now();
        if let Some(known) = self.namings().get(&organization, now) {
            return Ok(known);
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let names = tx.event_names().await?;
        let organization_now = tx.organization().await?;
        let types = names.into_iter().map(|name| (name.name, name.event_type)).collect();
        let naming = Arc::new(Naming {
            types,
            clients_are: organization_now.clients_are,
            count_self_told: organization_now.count_self_told,
        });
        self.namings().keep(organization, Arc::clone(&naming), now);
        Ok(naming)
    }
}

/// What an organization's messages mean.
#[derive(Debug)]
pub(crate) struct Naming {
    /// What its own event names count as.
    pub(crate) types: HashMap<String, EventType>,
    /// Whom it calls its clients.
    pub(crate) clients_are: ClientsAre,
    /// Whether high-value types count that a client says of itself.
    pub(crate) count_self_told: bool,
}

impl Naming {
    /// What an event says that names nobody but its client: where clients are accounts, that may be a
    /// person too.
    pub(crate) fn meant(&self, mut event: Event) -> Said {
        if self.clients_are == ClientsAre::Users {
            return Said::Did(event);
        }
        event.person = Some(event.client_id.clone());
        Said::DidByPersonOrClient(event)
    }

    /// Checks an event that names its client, its person or both.
    ///
    /// # Errors
    /// The first field at fault.
    pub(crate) fn said(
        &self,
        mut incoming: IncomingEvent,
        now: Timestamp,
    ) -> std::result::Result<Said, EventError> {
        let person = incoming.person.take().filter(|person| !person.trim().is_empty());
        let accounts = self.clients_are == ClientsAre::Groups;
        match (person, incoming.client_id.is_empty()) {
            (Some(person), true) => {
                incoming.client_id.clone_from(&person);
                incoming.person = accounts.then_some(person);
                let event = self.check(incoming, now)?;
                Ok(if accounts { Said::DidByPerson(event) } else { Said::Did(event) })
            }
            (Some(person), false) if accounts => {
                incoming.person = Some(person);
                self.check(incoming, now).map(Said::Did)
            }
            (Some(person), false) if normalize_id(&person) != normalize_id(&incoming.client_id) => {
                Err(EventError::new(
                    "user_id",
                    "is another one than client_id, and this organization's clients are users; send \
                     one of them",
                ))
            }
            (None, false) => Ok(self.meant(self.check(incoming, now)?)),
            _ => self.check(incoming, now).map(Said::Did),
        }
    }

    /// Checks an event, with the organization's own names for it.
    ///
    /// # Errors
    /// The first field at fault.
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
