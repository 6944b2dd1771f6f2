//! What is known of events before they are stored: looked up by a transaction that only reads.

use std::collections::HashSet;

use jiff::SignedDuration;
use mainstay_core::engagement::{Event, EventType};
use mainstay_store::{IdBlock, ResolvedClient, Scope, StorableEvent};

use crate::fixtures::{client, day, event, found, now, organization, send};

on_both_databases!(events_that_are_stored_are_known_wherever_they_are_filed, async |store| {
    let ours = organization(store, "UTC").await;
    let theirs = organization(store, "UTC").await;
    let login = |id: &str| event("ada", id, EventType::Login, "2026-05-18T10:00:00Z");
    let corrected = Event {
        occurred_at: now().checked_sub(SignedDuration::from_hours(1)).unwrap(),
        ..login("m2")
    };
    send(store, ours, &[login("m1"), corrected]).await;
    send(store, theirs, &[login("m3")]).await;
    let ada = found(store, ours, "ada").await;
    let ada = ResolvedClient { id: ada.id, created_at: ada.created_at };
    let events = [login("m1"), login("m2"), login("m3")];
    let storable: Vec<StorableEvent<'_>> = events
        .iter()
        .map(|event| StorableEvent { client: ada, local_day: day("2026-05-18"), event })
        .collect();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_known_events(&storable).await.unwrap(), [true, true, false]);
    assert_eq!(tx.find_known_events(&[]).await.unwrap(), Vec::<bool>::new());
});

on_both_databases!(events_that_wait_are_known_by_their_person, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |person: &str, id: &str| event(person, id, EventType::Login, "2026-05-18");
    let (ada, bob, more) = (login("ada", "m1"), login("bob", "m1"), login("ada", "m2"));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.insert_waiting_events(&[&ada]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_waiting_events(&[&ada, &bob, &more]).await.unwrap(), [true, false, false]);
});

on_both_databases!(clients_are_found_by_their_ids_without_creating_any, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.block_client_id(&["gone".to_owned()], IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let ids = ["ada", "gone", "zoe", "ada"];
    let (clients, kept_out) = tx.find_clients(&ids, now()).await.unwrap();
    assert_eq!(clients.keys().collect::<Vec<_>>(), ["ada"]);
    assert_eq!(clients["ada"].id, ada.id);
    assert_eq!(kept_out, HashSet::from(["gone".to_owned()]));
    assert_eq!(tx.count_clients().await.unwrap(), 1);
    let (clients, kept_out) = tx.find_clients(&[], now()).await.unwrap();
    assert!(clients.is_empty() && kept_out.is_empty());
});
