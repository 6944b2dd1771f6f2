//! Whose events are that people did, and since when that is known.

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use mainstay_core::{
    engagement::{Event, EventType},
    id::{ClientId, OrganizationId},
    time::{local_day, time_zone},
};
use mainstay_store::{
    MAX_WAITING, Membership, OrganizationPatch, Outcome, PersonEvent, RollUp, Scope, StorableEvent,
    Store, WAITING_TTL,
};

use crate::{
    fixtures::{at, client, day, end_zone_change, event, facts, found, now, organization, send},
    isolation::store_scores,
    verify::assert_honest,
};

async fn join(
    store: &Store,
    organization: OrganizationId,
    person: &str,
    (since, message_id): (&str, &str),
    client: ClientId,
) -> bool {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.lock_events(true).await.unwrap();
    let zone = time_zone(&tx.get_organization().await.unwrap().time_zone).unwrap();
    let membership = Membership { person, since: at(since), message_id, client };
    let new = tx.insert_memberships(&[membership], &zone, now()).await.unwrap();
    tx.commit().await.unwrap();
    new.contains(person)
}

/// Stores events that a person did, each for the client the person belonged to.
async fn do_as(store: &Store, organization: OrganizationId, events: &[Event]) -> Vec<Outcome> {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.lock_events(true).await.unwrap();
    let zone = time_zone(&tx.get_organization().await.unwrap().time_zone).unwrap();
    let wanted: Vec<(&str, Timestamp)> =
        events.iter().map(|event| (event.client_id.as_str(), event.occurred_at)).collect();
    let clients = tx.find_clients_of_people(&wanted).await.unwrap();
    let storable: Vec<StorableEvent<'_>> = events
        .iter()
        .map(|event| StorableEvent {
            client: clients[&(event.client_id.clone(), event.occurred_at)].0,
            local_day: local_day(event.occurred_at, &zone),
            event,
        })
        .collect();
    let outcomes = tx.store_events(&storable, RollUp::Later).await.unwrap();
    let done: Vec<PersonEvent<'_>> = storable
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| **outcome == Outcome::Stored)
        .map(|(event, _)| PersonEvent {
            person: &event.event.client_id,
            occurred_at: event.event.occurred_at,
            message_id: &event.event.message_id,
            client_timestamp: event.own_time(),
            client: event.client.id,
            by_membership: true,
        })
        .collect();
    tx.insert_person_events(&done).await.unwrap();
    tx.commit().await.unwrap();
    outcomes
}

fn made(id: &str, when: &str) -> Event {
    event("ada", id, EventType::ContentGenerated, when)
}

/// What each client made, and since when it exists.
async fn pieces(store: &Store, organization: OrganizationId) -> Vec<(String, i64, Timestamp)> {
    let facts = facts(store, organization, now(), false).await;
    facts
        .into_iter()
        .map(|one| (one.external_id, one.activity.content_generated, one.created_at))
        .collect()
}

on_both_databases!(an_event_is_of_the_client_its_person_was_in_at_that_time, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let acme = client(store, ours, "acme", "2026-05-02").await;
    let other = client(store, ours, "other", "2026-05-10").await;
    assert!(join(store, ours, "ada", ("2026-05-02", "b"), acme.id).await);
    assert!(!join(store, ours, "ada", ("2026-05-02", "b"), acme.id).await, "it is known");
    assert!(join(store, ours, "ada", ("2026-05-10", "a"), other.id).await);
    // Of two at one instant, the greater id counts.
    assert!(join(store, ours, "ada", ("2026-05-02", "a"), other.id).await);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let of = tx
        .find_clients_of_people(&[
            ("ada", at("2026-05-01")),
            ("ada", at("2026-05-02")),
            ("ada", at("2026-05-09")),
            ("ada", at("2026-05-10")),
            ("eve", at("2026-05-10")),
        ])
        .await
        .unwrap();
    let name = |when: &str| of.get(&("ada".to_owned(), at(when))).map(|(_, name)| name.as_str());
    assert_eq!(name("2026-05-01"), Some("other"), "before the first, the first");
    assert_eq!(name("2026-05-02"), Some("acme"));
    assert_eq!(name("2026-05-09"), Some("acme"));
    assert_eq!(name("2026-05-10"), Some("other"));
    assert_eq!(of.len(), 4, "nobody knows eve");
    let people = tx.list_people_of(other.id, "", 10).await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!((&*people[0].external_id, people[0].since), ("ada", at("2026-05-10")));
    assert!(tx.list_people_of(acme.id, "", 10).await.unwrap().is_empty(), "she left");
    tx.rollback().await.unwrap();
    let theirs = organization(store, "UTC").await;
    let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
    assert!(tx.find_clients_of_people(&[("ada", at("2026-05-10"))]).await.unwrap().is_empty());
});

on_both_databases!(a_membership_that_arrives_late_moves_what_it_contradicts, async |store| {
    let ours = organization(store, "America/New_York").await;
    let acme = client(store, ours, "acme", "2026-05-02").await;
    let other = client(store, ours, "other", "2026-05-10").await;
    join(store, ours, "ada", ("2026-05-10", "2"), other.id).await;
    let events = [
        made("1", "2026-05-01T10:00:00Z"),
        made("2", "2026-05-05T10:00:00Z"),
        // Its clock was corrected, and one has no timestamp.
        Event {
            client_timestamp: Some(at("2026-05-06T09:00:00Z")),
            ..made("3", "2026-05-06T10:00:00Z")
        },
        Event { client_timestamp: None, ..made("4", "2026-05-07T10:00:00Z") },
        made("5", "2026-05-12T10:00:00Z"),
    ];
    assert_eq!(do_as(store, ours, &events).await, [Outcome::Stored; 5]);
    send(
        store,
        ours,
        &[event("other", "own", EventType::ContentGenerated, "2026-05-06T10:00:00Z")],
    )
    .await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-06")).await.unwrap();
    store_scores(&mut tx, "2026-05-20T12:00:00Z").await;
    tx.commit().await.unwrap();
    assert_eq!(pieces(store, ours).await[1], ("other".to_owned(), 6, at("2026-05-01T10:00:00Z")));

    join(store, ours, "ada", ("2026-05-02", "1"), acme.id).await;
    let expected = [
        ("acme".to_owned(), 4, at("2026-05-01T10:00:00Z")),
        ("other".to_owned(), 2, at("2026-05-06T10:00:00Z")),
    ];
    assert_eq!(pieces(store, ours).await, expected);
    assert_honest(store, ours).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    for client in [acme.id, other.id] {
        assert!(tx.is_stale(client).await.unwrap(), "both are scored again");
    }
    tx.rollback().await.unwrap();
    // Sent again, each is known where it is now.
    assert_eq!(do_as(store, ours, &events).await, [Outcome::Duplicate; 5]);
    let later = found(store, ours, "other").await.created_at;
    send(store, ours, &[event("other", "before", EventType::Login, "2026-05-04T10:00:00Z")]).await;
    assert!(found(store, ours, "other").await.created_at < later, "not only what is kept in mind");

    // Merged, they are one client's again, also for what moves from then on.
    crate::merging::merge(store, ours, "acme", "other").await;
    join(store, ours, "ada", ("2026-05-11", "3"), acme_again(store, ours).await).await;
    let made: Vec<i64> = pieces(store, ours).await.into_iter().map(|(_, made, _)| made).collect();
    assert_eq!(made, [1, 5]);
    assert_honest(store, ours).await;

    let (one, of_ada) = (found(store, ours, "other").await, "person_events");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(one.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    let rows = crate::organizations::everything(store, ours).await;
    let left = rows.iter().find(|(table, _)| *table == of_ada).map_or(0, |(_, rows)| rows.len());
    assert_eq!(left, 1, "what she did for the new account");
});

async fn acme_again(store: &Store, organization: OrganizationId) -> ClientId {
    client(store, organization, "acme-2", "2026-05-11").await.id
}

on_both_databases!(events_move_to_their_client_while_the_zone_changes, async |store| {
    let ours = organization(store, "UTC").await;
    let (one, other) = (
        client(store, ours, "one", "2026-05-01").await.id,
        client(store, ours, "other", "2026-05-01").await.id,
    );
    assert!(join(store, ours, "ada", ("2026-05-01", "g1"), one).await);
    do_as(store, ours, &[made("m1", "2026-05-10T23:30:00Z"), made("m2", "2026-05-11T02:00:00Z")])
        .await;
    let patch = OrganizationPatch {
        time_zone: Some("Asia/Kathmandu".to_owned()),
        ..OrganizationPatch::default()
    };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.update_organization(&patch).await.unwrap();
    tx.begin_zone_change(now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(join(store, ours, "ada", ("2026-05-05", "g2"), other).await);
    end_zone_change(store, ours).await;
    assert_honest(store, ours).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let days = tx.list_day_activity(other, day("2026-05-01"), day("2026-05-31")).await.unwrap();
    let days: Vec<_> = days.iter().map(|one| (one.day, one.events)).collect();
    assert_eq!(days, [(day("2026-05-11"), 2)]);
});

on_both_databases!(events_wait_for_their_client_for_seven_days, async |store| {
    let ours = organization(store, "UTC").await;
    let received = |event: Event, when: Timestamp| Event { received_at: when, ..event };
    let week_ago = now().checked_sub(WAITING_TTL).unwrap();
    let old = received(made("old", "2026-05-01"), week_ago - 1.microsecond());
    let just = received(made("just", "2026-05-01"), week_ago);
    let untimed = Event { client_timestamp: None, ..made("untimed", "2026-05-19") };
    let bobs = event("bob", "just", EventType::Login, "2026-05-19");
    let keep = async |events: &[&Event]| {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let kept = tx.insert_waiting_events(events).await.unwrap();
        tx.commit().await.unwrap();
        kept
    };
    let (stored, duplicate) = (Some(Outcome::Stored), Some(Outcome::Duplicate));
    assert_eq!(keep(&[&old, &just, &just, &bobs]).await, [stored, stored, duplicate, stored]);
    let again = received(untimed.clone(), now() + SignedDuration::from_hours(1));
    assert_eq!(keep(&[&untimed]).await, [stored]);
    assert_eq!(keep(&[&again, &just]).await, [duplicate, duplicate]);

    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let mut taken = tx.claim_waiting_events(&["ada", "ada"], now()).await.unwrap();
    taken.sort_by(|a, b| a.message_id.cmp(&b.message_id));
    assert_eq!(taken, [just, untimed]);
    assert!(tx.claim_waiting_events(&["ada"], now()).await.unwrap().is_empty());
    assert_eq!(tx.expire_waiting_events(now(), "waited in vain").await.unwrap(), 1);
    assert_eq!(tx.expire_waiting_events(now(), "waited in vain").await.unwrap(), 0);
    let refused = tx.list_refused_events(None, 10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].refusal.reason, "waited in vain");
    assert_eq!(refused[0].refusal.body, "content_generated by ada");
    assert_eq!(tx.claim_waiting_events(&["bob"], now()).await.unwrap(), [bobs]);
});

on_both_databases!(no_more_events_wait_than_may, async |store| {
    let ours = organization(store, "UTC").await;
    let event = made("one", "2026-05-19");
    let rows = if store.is_postgres() {
        "generate_series(2, 100000) AS n (value)"
    } else {
        "(WITH RECURSIVE n (value) AS (SELECT 2 UNION ALL SELECT value + 1 FROM n \
         WHERE value < 100000) SELECT value FROM n)"
    };
    assert_eq!(MAX_WAITING, 100_000);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.insert_waiting_events(&[&event]).await.unwrap(), [Some(Outcome::Stored)]);
    tx.commit().await.unwrap();
    store
        .raw(&format!(
            "INSERT INTO waiting_events SELECT organization_id, person_id, client_timestamp, \
             'm' || value, received_at, event FROM waiting_events CROSS JOIN {rows}"
        ))
        .await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let more = made("more", "2026-05-19");
    assert_eq!(tx.insert_waiting_events(&[&more]).await.unwrap(), [None]);
});
