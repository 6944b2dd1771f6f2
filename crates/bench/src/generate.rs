//! Made-up events that are like real ones where it matters for speed: many clients, mixed types,
//! ids of the usual length, in the order of time.

use clap::Args;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::{Event, EventType},
    id::OrganizationId,
    time::local_day,
};
use mainstay_store::{
    ClientSighting, NewOrganization, RollUp, Scope, StorableEvent, Store, new_id,
};

use crate::Result;

const SEED: u64 = 1;

/// How much there is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Shape {
    /// Clients.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) clients: u64,
    /// Events.
    #[arg(long, default_value_t = 2_000_000)]
    pub(crate) events: u64,
    /// Days that the events are spread over, up to now.
    #[arg(long, default_value_t = 30)]
    pub(crate) days: u64,
}

/// Events in the order of time, the last of them just before `until`.
pub(crate) struct Events {
    random: fastrand::Rng,
    at: Timestamp,
    step: SignedDuration,
    left: u64,
    clients: u64,
}

impl Events {
    pub(crate) fn new(shape: &Shape, until: Timestamp) -> Self {
        let span = SignedDuration::from_hours(24 * i64::try_from(shape.days).unwrap_or(30));
        let step = span / i32::try_from(shape.events.max(1)).unwrap_or(i32::MAX);
        Self {
            random: fastrand::Rng::with_seed(SEED),
            at: until.saturating_sub(span).unwrap_or(until),
            step,
            left: shape.events,
            clients: shape.clients,
        }
    }

    pub(crate) fn batch(&mut self, size: usize) -> Vec<Event> {
        self.by_ref().take(size).collect()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.left = self.left.checked_sub(1)?;
        let occurred_at = mainstay_core::time::to_micros(self.at);
        self.at = self.at.saturating_add(self.step).unwrap_or(self.at);
        let event_type = match self.random.u8(..10) {
            0..4 => EventType::PageView,
            4..7 => EventType::Login,
            7 => EventType::ContentGenerated,
            8 => EventType::TaskCompleted,
            _ => EventType::VisualCreated,
        };
        Some(Event {
            client_id: format!("client-{}", self.random.u64(..self.clients)),
            person: None,
            event_type,
            name: event_type.as_str().to_owned(),
            occurred_at,
            client_timestamp: Some(occurred_at),
            received_at: occurred_at,
            message_id: format!("{:032x}", self.random.u128(..)),
            session_id: None,
            page_path: None,
            duration_seconds: None,
            data: serde_json::Map::new(),
            self_told: false,
        })
    }
}

/// A new organization in a migrated store.
pub(crate) async fn organization(store: &Store, now: Timestamp) -> Result<OrganizationId> {
    let id: OrganizationId = new_id(now);
    let mut tx = store.begin(Scope::System).await?;
    tx.create_organization(&NewOrganization {
        id,
        slug: format!("bench-{id}"),
        name: "Benchmark".to_owned(),
        time_zone: "UTC".to_owned(),
        // Nothing is written to clients of a sample.
        sample: false,
        token_secret: "none".to_owned(),
        created_at: now,
    })
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Creates the shape's clients, so that storing events is measured with clients that are known.
pub(crate) async fn create_clients(
    store: &Store,
    organization: OrganizationId,
    shape: &Shape,
    now: Timestamp,
) -> Result<()> {
    let first_at = Events::new(shape, now).at;
    let names: Vec<String> = (0..shape.clients).map(|number| format!("client-{number}")).collect();
    for names in names.chunks(10_000) {
        let seen: Vec<ClientSighting<'_>> =
            names.iter().map(|name| ClientSighting { external_id: name, first_at }).collect();
        let mut tx = store.begin(Scope::Service(organization)).await?;
        tx.resolve_clients(&seen, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Stores a batch in one transaction, the way the server does: clients are found or created.
pub(crate) async fn store_batch(
    store: &Store,
    organization: OrganizationId,
    events: Vec<Event>,
    now: Timestamp,
) -> Result<()> {
    let mut tx = store.begin(Scope::Service(organization)).await?;
    let seen: Vec<ClientSighting<'_>> = events
        .iter()
        .map(|event| ClientSighting { external_id: &event.client_id, first_at: event.occurred_at })
        .collect();
    let resolved = tx.resolve_clients(&seen, now).await?;
    let storable: Vec<StorableEvent<'_>> = events
        .iter()
        .zip(resolved)
        .map(|(event, client)| StorableEvent {
            client,
            local_day: local_day(event.occurred_at, &TimeZone::UTC),
            event,
        })
        .collect();
    tx.store_events(&storable, RollUp::Immediately).await?;
    tx.commit().await?;
    Ok(())
}
