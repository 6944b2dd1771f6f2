//! Organizations, clients and events to try the store on.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::Database;
use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Event, EventType, Windows},
    id::{ClientId, OrganizationId},
    score::ScoreModel,
    time::{local_day, time_zone},
};
use mainstay_store::{
    ActivityRange, Client, ClientChunk, ClientFacts, ClientSighting, NewOrganization, Outcome,
    Profile, Result, RollUp, Scope, StorableEvent, Store, StoreError, Tx, ZoneStep, new_id,
};
use serde_json::Map;
use uuid::Uuid;

/// An instant, or a midnight of UTC when there is only a day.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).unwrap()
}

pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// The server's clock while nothing depends on it.
pub(crate) fn now() -> Timestamp {
    at("2026-05-20T12:00:00Z")
}

pub(crate) fn fresh<Id: From<Uuid>>() -> Id {
    new_id(now())
}

/// A new organization in a zone.
pub(crate) async fn organization(store: &Store, zone: &str) -> OrganizationId {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let new = NewOrganization {
        id: fresh(),
        slug: format!("organization-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        name: "Organization".to_owned(),
        time_zone: zone.to_owned(),
        sample: false,
        token_secret: "secret".to_owned(),
        created_at: now(),
    };
    let mut tx = store.begin(Scope::System).await.unwrap();
    tx.create_organization(&new).await.unwrap();
    tx.commit().await.unwrap();
    new.id
}

/// A new client that exists since an instant.
pub(crate) async fn client(
    store: &Store,
    organization: OrganizationId,
    external_id: &str,
    since: &str,
) -> Client {
    let client = Client {
        id: fresh(),
        external_id: external_id.to_owned(),
        profile: Profile::default(),
        created_at: at(since),
        owner: None,
    };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_client(&client).await.unwrap();
    tx.commit().await.unwrap();
    client
}

/// An event that was received when it happened.
pub(crate) fn event(client: &str, message_id: &str, event_type: EventType, when: &str) -> Event {
    event_at(client, message_id, event_type, at(when))
}

pub(crate) fn event_at(
    client: &str,
    message_id: &str,
    event_type: EventType,
    when: Timestamp,
) -> Event {
    Event {
        client_id: client.to_owned(),
        person: None,
        event_type,
        name: event_type.as_str().to_owned(),
        occurred_at: when,
        client_timestamp: Some(when),
        received_at: when,
        message_id: message_id.to_owned(),
        session_id: None,
        page_path: None,
        duration_seconds: None,
        data: Map::new(),
        self_told: false,
    }
}

/// Stores events as the server does: in one transaction, again when it lost against another one.
pub(crate) async fn send(
    store: &Store,
    organization: OrganizationId,
    events: &[Event],
) -> Vec<Outcome> {
    send_to_roll_up(store, organization, events, RollUp::Immediately).await
}

/// Stores events, rolled up one way or the other.
pub(crate) async fn send_to_roll_up(
    store: &Store,
    organization: OrganizationId,
    events: &[Event],
    roll_up: RollUp,
) -> Vec<Outcome> {
    loop {
        match try_send(store, organization, events, roll_up).await {
            Err(StoreError::Conflict) => {}
            outcomes => return outcomes.unwrap(),
        }
    }
}

async fn try_send(
    store: &Store,
    organization: OrganizationId,
    events: &[Event],
    roll_up: RollUp,
) -> Result<Vec<Outcome>> {
    let mut tx = store.begin(Scope::Service(organization)).await?;
    let outcomes = store_rolled_up(&mut tx, events, roll_up).await?;
    tx.commit().await?;
    Ok(outcomes)
}

/// Stores events in a transaction.
pub(crate) async fn store_in(tx: &mut Tx, events: &[Event]) -> Result<Vec<Outcome>> {
    store_rolled_up(tx, events, RollUp::Immediately).await
}

async fn store_rolled_up(tx: &mut Tx, events: &[Event], roll_up: RollUp) -> Result<Vec<Outcome>> {
    let zone = time_zone(&tx.get_organization().await?.time_zone).unwrap();
    let seen: Vec<ClientSighting<'_>> = events
        .iter()
        .map(|event| ClientSighting { external_id: &event.client_id, first_at: event.occurred_at })
        .collect();
    let resolved = tx.resolve_clients(&seen, now()).await?;
    let storable: Vec<StorableEvent<'_>> = events
        .iter()
        .zip(resolved)
        .map(|(event, client)| StorableEvent {
            client,
            local_day: local_day(event.occurred_at, &zone),
            event,
        })
        .collect();
    tx.store_events(&storable, roll_up).await
}

/// As little as a step of a change of the zone can do.
pub(crate) const ZONE_STEP: ZoneStep = ZoneStep { rows: 22, events: 1 };

/// Takes all steps of a change of the zone, each in a transaction of its own; returns how many.
pub(crate) async fn end_zone_change(store: &Store, organization: OrganizationId) -> u64 {
    let mut steps = 0;
    loop {
        let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
        let more = tx.run_zone_step(ZONE_STEP).await.unwrap();
        tx.commit().await.unwrap();
        steps += 1;
        if !more {
            return steps;
        }
    }
}

/// A client by its name.
pub(crate) async fn found(
    store: &Store,
    organization: OrganizationId,
    external_id: &str,
) -> Client {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.find_client(external_id).await.unwrap().unwrap()
}

/// Makes the parts of an organization's days full, as after half a million events each.
pub(crate) async fn fill_days(store: &Database, organization: OrganizationId) {
    let id = store.id(organization.uuid());
    let sql = format!("UPDATE activity_parts SET events = 500000 WHERE organization_id = {id}");
    store.raw(&sql).await;
}

/// Puts what was rolled up later in its place.
pub(crate) async fn gather(store: &Store, organization: OrganizationId) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.gather_activity().await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn found_id(
    store: &Store,
    organization: OrganizationId,
    external_id: &str,
) -> ClientId {
    found(store, organization, external_id).await.id
}

/// Every client that existed before an instant, in one chunk.
pub(crate) async fn everybody(
    store: &Store,
    organization: OrganizationId,
    as_of: Timestamp,
) -> ClientChunk {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.client_chunk(None, as_of, i64::MAX).await.unwrap()
}

/// The facts of every client at an instant, by the standard model, in the order of the names.
pub(crate) async fn facts(
    store: &Store,
    organization: OrganizationId,
    as_of: Timestamp,
    detailed: bool,
) -> Vec<ClientFacts> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let facts = facts_in(&mut tx, as_of, detailed).await;
    tx.rollback().await.unwrap();
    facts
}

pub(crate) async fn facts_in(tx: &mut Tx, as_of: Timestamp, detailed: bool) -> Vec<ClientFacts> {
    let organization = tx.get_organization().await.unwrap();
    let zone = time_zone(&organization.time_zone).unwrap();
    let range = ActivityRange::new(Windows::at(as_of, zone), organization.folded_until, detailed);
    let chunk = tx.client_chunk(None, as_of, i64::MAX).await.unwrap();
    let mut facts =
        tx.list_client_facts(&chunk, &range, (1, &ScoreModel::standard())).await.unwrap();
    facts.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    facts
}
