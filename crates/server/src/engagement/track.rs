use std::collections::HashMap;

use mainstay_core::{
    engagement::{Event, EventError, EventType, IncomingEvent, validate},
    id::OrganizationId,
    time::local_day,
};
use mainstay_store::{Outcome, Scope, Seen, StorableEvent, StoreError, Tx, new_id};

use crate::{Error, Mainstay, Result, organization::Context};

/// How often a transaction that lost against another one is run again.
pub(super) const MOST_TRIES: u32 = 5;

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
        let outcomes = self.store_checked(organization, &events).await?;
        let stored = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
        Ok(Tracked { stored, duplicates: outcomes.len() - stored, refused })
    }

    /// Checks events one by one, with the organization's own names for them.
    pub(crate) async fn check_events(
        &self,
        organization: OrganizationId,
        incoming: Vec<IncomingEvent>,
    ) -> Result<(Vec<Event>, Vec<Refusal>)> {
        let now = self.now();
        let types = self.event_types(organization).await?;
        let mut events = Vec::with_capacity(incoming.len());
        let mut refused = Vec::new();
        for (index, mut incoming) in incoming.into_iter().enumerate() {
            if incoming.message_id.is_empty() {
                // Without an id a message cannot be told from its repetition: it is new each time.
                incoming.message_id = new_id::<uuid::Uuid>(now).to_string();
            }
            if incoming.event_type.is_none() {
                incoming.event_type = types.get(&incoming.name).copied();
            }
            match validate(incoming, now) {
                Ok(event) => events.push(event),
                Err(error) => refused.push(Refusal { index, error }),
            }
        }
        Ok((events, refused))
    }

    /// What an organization's own event names count as.
    pub(crate) async fn event_types(
        &self,
        organization: OrganizationId,
    ) -> Result<HashMap<String, EventType>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let names = tx.event_names().await?;
        Ok(names.into_iter().map(|name| (name.name, name.event_type)).collect())
    }

    /// Stores checked events in one transaction, again when it lost against another one.
    pub(crate) async fn store_checked(
        &self,
        organization: OrganizationId,
        events: &[Event],
    ) -> Result<Vec<Outcome>> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut tries = 1;
        loop {
            match self.try_store(organization, events).await {
                Err(Error::Store(StoreError::Conflict)) if tries < MOST_TRIES => tries += 1,
                result => return result,
            }
        }
    }

    async fn try_store(
        &self,
        organization: OrganizationId,
        events: &[Event],
    ) -> Result<Vec<Outcome>> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let outcomes = self.store_in(&mut tx, &context, events).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    /// Stores checked events within a transaction of their organization.
    pub(crate) async fn store_in(
        &self,
        tx: &mut Tx,
        context: &Context,
        events: &[Event],
    ) -> Result<Vec<Outcome>> {
        let seen: Vec<Seen<'_>> = events
            .iter()
            .map(|event| Seen { external_id: &event.client_id, first_at: event.occurred_at })
            .collect();
        let resolved = tx.resolve_clients(&seen, self.now()).await?;
        let storable: Vec<StorableEvent<'_>> = events
            .iter()
            .zip(resolved)
            .map(|(event, client)| StorableEvent {
                client,
                local_day: local_day(event.occurred_at, &context.zone),
                event,
            })
            .collect();
        Ok(tx.store_events(&storable).await?)
    }
}
