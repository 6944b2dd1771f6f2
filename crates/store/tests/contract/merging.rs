//! Two ids of the same client.

use jiff::SignedDuration;
use mainstay_core::{engagement::EventType, id::OrganizationId, time::time_zone};
use mainstay_store::{Client, Outcome, Profile, Scope, Seen, Store, StoreError};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixtures::{at, day, event, event_at, facts, found, fresh, now, organization, send},
    isolation::{filled, store_scores},
    property::for_all,
    verify::assert_honest,
};

pub(crate) async fn merge(store: &Store, organization: OrganizationId, previous: &str, into: &str) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let zone = time_zone(&tx.organization().await.unwrap().time_zone).unwrap();
    tx.merge_client(previous, into, &zone, now()).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_databases!(everything_of_a_merged_id_is_the_other_clients, async |store| {
    let ours = filled(store, "America/New_York").await;
    let (ada, bob) = (found(store, ours, "ada").await, found(store, ours, "bob").await);
    merge(store, ours, "bob", "ada").await;
    assert_eq!(found(store, ours, "bob").await.id, ada.id, "bob is another name of ada's");
    for (table, rows) in crate::organizations::everything(store, ours).await {
        let (hyphens, bare) =
            (bob.id.to_string(), bob.id.uuid().simple().to_string().to_uppercase());
        let left = rows.iter().filter(|row| row.contains(&hyphens) || row.contains(&bare)).count();
        // Those who keep the portfolio in memory are told that somebody is gone.
        assert!(left == 0 || table == "portfolio_changes", "{table}: {rows:?}");
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.tasks(ada.id).await.unwrap().len(), 2);
    assert_eq!(tx.feedback(ada.id, 10).await.unwrap().len(), 2);
    assert_eq!(tx.notes(ada.id, 10).await.unwrap().len(), 2);
    // Of an alert of a type and an insight of a rule and period, the client's own stays.
    assert_eq!(tx.alerts(&mainstay_store::AlertFilter::default(), 100).await.unwrap().len(), 1);
    assert_eq!(tx.count_clients().await.unwrap(), 1);
    tx.rollback().await.unwrap();
    assert_honest(store, ours).await;

    // What still comes for it is the client's, and known when it came before.
    let again = event("bob", "bob-1", EventType::Login, "2026-05-18T09:00:00Z");
    let new = event("bob", "bob-2", EventType::Login, "2026-05-18T09:30:00Z");
    assert_eq!(send(store, ours, &[again, new]).await, [Outcome::Duplicate, Outcome::Stored]);
    assert_eq!(facts(store, ours, now(), false).await.len(), 1);
    let taken = Client {
        id: fresh(),
        external_id: "bob".to_owned(),
        profile: Profile::default(),
        created_at: now(),
        owner: None,
    };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let taken = tx.create_client(&taken).await;
    assert!(matches!(taken, Err(StoreError::Taken("client_id"))), "{taken:?}");
});

on_both_databases!(an_id_that_nothing_is_known_of_becomes_a_name_of_the_client, async |store| {
    let ours = organization(store, "UTC").await;
    merge(store, ours, "lead-7", "ada").await;
    merge(store, ours, "lead-7", "ada").await;
    send(store, ours, &[event("lead-7", "1", EventType::Login, "2026-05-18")]).await;
    let ada = found(store, ours, "ada").await;
    assert_eq!(found(store, ours, "lead-7").await.id, ada.id);
    assert_eq!(ada.created_at, at("2026-05-18"));
    // The other way round they are the same already.
    merge(store, ours, "ada", "lead-7").await;
    assert_eq!(found(store, ours, "ada").await.id, ada.id);
    // From here on the id is somebody else's, also for those who kept it in mind.
    merge(store, ours, "lead-7", "bob").await;
    send(store, ours, &[event("lead-7", "2", EventType::Login, "2026-05-19")]).await;
    let bob = found(store, ours, "bob").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let seen = [Seen { external_id: "lead-7", first_at: now() }];
    assert_eq!(tx.resolve_clients(&seen, now()).await.unwrap()[0].id, bob.id);
    tx.rollback().await.unwrap();
    assert_honest(store, ours).await;
});

on_both_databases!(a_message_that_both_ids_have_counts_once, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let login = |client, id, when| event(client, id, EventType::ContentGenerated, when);
    send(store, ours, &[login("ada", "1", "2026-05-18T23:30:00Z")]).await;
    send(store, ours, &[login("lead", "1", "2026-05-18T23:30:00Z")]).await;
    send(store, ours, &[login("lead", "2", "2026-04-01T09:00:00Z")]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-04")).await.unwrap();
    store_scores(&mut tx, "2026-05-20T12:00:00Z").await;
    tx.commit().await.unwrap();
    merge(store, ours, "lead", "ada").await;
    let found = facts(store, ours, now(), false).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].activity.content_generated, 2);
    assert_eq!(found[0].created_at, at("2026-04-01T09:00:00Z"));
    assert_honest(store, ours).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.stale_clients(None, 10).await.unwrap().len(), 1, "its scores are computed again");
    let (ada, nobody) = (tx.client("ada").await.unwrap().unwrap().id, fresh());
    let stale = tx.stale_among(&[ada, nobody]).await.unwrap();
    assert_eq!(stale.into_iter().collect::<Vec<_>>(), [ada]);
});

/// Whose event it is, how many hours before now it happened, and its id.
type Sent = (bool, i64, u8);

on_both_databases!(a_merged_client_counts_as_if_it_had_been_one_all_along, async |store| {
    let sent = vec((any::<bool>(), 0_i64..1_000, 0_u8..6), 1..14);
    for_all(12, &sent, async |sent: Vec<Sent>| {
        let two = organization(store, "America/New_York").await;
        let one = organization(store, "America/New_York").await;
        let made = |name: &str, (_, hours, id): Sent| {
            let when = at("2026-05-20T11:00:00Z") - SignedDuration::from_hours(hours);
            event_at(name, &format!("m{id}"), EventType::VisualCreated, when)
        };
        for (place, sent) in sent.iter().enumerate() {
            let name = if sent.0 { "ada" } else { "lead" };
            send(store, two, &[made(name, *sent)]).await;
            send(store, one, &[made("ada", *sent)]).await;
            if place % 4 == 2 {
                for organization in [two, one] {
                    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
                    tx.fold_activity(day("2026-05-04")).await.unwrap();
                    tx.commit().await.unwrap();
                }
            }
        }
        merge(store, two, "lead", "ada").await;
        let of = async |organization| {
            let found = facts(store, organization, now(), true).await;
            found.into_iter().map(|facts| (facts.activity, facts.made_today)).collect::<Vec<_>>()
        };
        let (merged, together) = (of(two).await, of(one).await);
        assert_honest(store, two).await;
        if merged == together { Ok(()) } else { Err(format!("{merged:?} is not {together:?}")) }
    })
    .await;
});
