//! What is rolled up later counts from the start.

use jiff::SignedDuration;
use mainstay_core::{
    engagement::{Event, EventType},
    id::OrganizationId,
};
use mainstay_store::{ClientFacts, DayActivity, Outcome, RollUp, Scope, StoredEvent, TypeCounts};

use crate::{
    fixtures::{
        at, day, event_at, facts, fill_days, found, gather, now, organization, send,
        send_to_roll_up,
    },
    harness::Database,
    verify::{assert_honest, verify},
};

/// Everything that is read of ada's activity.
#[derive(Debug, PartialEq)]
struct Figures {
    facts: Vec<ClientFacts>,
    days: Vec<DayActivity>,
    types: Option<TypeCounts>,
    events: Vec<StoredEvent>,
    last_seen: Option<jiff::Timestamp>,
}

async fn figures(store: &Database, organization: OrganizationId) -> Figures {
    let ada = found(store, organization, "ada").await.id;
    let facts = facts(store, organization, now(), true).await;
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let (first, last) = (day("2026-03-01"), day("2026-05-31"));
    let chunk = tx.client_chunk(None, now(), 50).await.unwrap();
    let folded = tx.get_organization().await.unwrap().folded_until;
    Figures {
        facts,
        days: tx.list_day_activity(ada, first, last).await.unwrap(),
        types: tx.count_events_by_type(&chunk, first, last).await.unwrap().remove(&ada),
        events: tx
            .list_client_events(ada, (at("2026-03-01"), at("2026-06-01")), None, 1_000)
            .await
            .unwrap(),
        last_seen: tx.list_last_seen(&[ada], day("2026-05-20"), folded).await.unwrap().remove(&ada),
    }
}

/// Without the id, which is another one in each organization.
fn strip(mut figures: Figures) -> Figures {
    for facts in &mut figures.facts {
        facts.client = mainstay_core::id::ClientId::from(uuid::Uuid::nil());
    }
    figures
}

/// Ten weeks of something every five hours, the last just before now.
fn weeks() -> Vec<Event> {
    (0..336)
        .map(|number| {
            let kind = EventType::ALL[number % EventType::ALL.len()];
            let ago = SignedDuration::from_hours(5 * i64::try_from(number).unwrap());
            event_at("ada", &format!("m{number}"), kind, now() - SignedDuration::from_mins(7) - ago)
        })
        .collect()
}

on_both_databases!(the_figures_are_the_same_however_events_are_rolled_up, async |store| {
    let at_once = organization(store, "Asia/Kathmandu").await;
    let later = organization(store, "Asia/Kathmandu").await;
    for events in weeks().chunks(40) {
        send(store, at_once, events).await;
        send_to_roll_up(store, later, events, RollUp::Later).await;
    }
    let expected = strip(figures(store, at_once).await);
    assert_eq!(expected.events.len(), 336);
    assert_eq!(strip(figures(store, later).await), expected);
    assert_eq!(verify(store, later).await.0, []);
    assert!(store.rows_of("daily_activity", later.uuid()).await.is_empty());
    gather(store, later).await;
    assert_eq!(strip(figures(store, later).await), expected);
    assert_honest(store, later).await;
    assert!(store.rows_of("pending_activity", later.uuid()).await.is_empty());
});

on_both_databases!(a_day_that_is_full_goes_on_in_another_part, async |store| {
    let whole = organization(store, "UTC").await;
    let parts = organization(store, "UTC").await;
    for events in weeks().chunks(112) {
        send(store, whole, events).await;
    }
    // Each part has events of all days.
    let third = |nth: usize| -> Vec<Event> { weeks().into_iter().skip(nth).step_by(3).collect() };
    send(store, parts, &third(0)).await;
    fill_days(store, parts).await;
    send_to_roll_up(store, parts, &third(1), RollUp::Later).await;
    gather(store, parts).await;
    fill_days(store, parts).await;
    send(store, parts, &third(2)).await;
    assert_eq!(strip(figures(store, parts).await), strip(figures(store, whole).await));
    assert_honest(store, parts).await;
    let mut tx = store.begin(Scope::Service(parts)).await.unwrap();
    tx.fold_activity(day("2026-05-01")).await.unwrap();
    tx.commit().await.unwrap();
    assert_honest(store, parts).await;
    crate::merging::merge(store, parts, "ada", "bob").await;
    assert_eq!(verify(store, parts).await.0, []);
});

on_both_databases!(sending_again_adds_nothing_to_what_is_still_to_be_gathered, async |store| {
    let ours = organization(store, "UTC").await;
    send_to_roll_up(store, ours, &weeks(), RollUp::Later).await;
    let before = figures(store, ours).await;
    let again = send_to_roll_up(store, ours, &weeks(), RollUp::Later).await;
    assert_eq!(again, [Outcome::Duplicate; 336]);
    assert_eq!(figures(store, ours).await, before);
    gather(store, ours).await;
    assert_honest(store, ours).await;
});

on_both_databases!(whoever_folds_gathers_first, async |store| {
    let ours = organization(store, "UTC").await;
    send_to_roll_up(store, ours, &weeks(), RollUp::Later).await;
    let before = figures(store, ours).await.facts;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-01")).await.unwrap();
    tx.commit().await.unwrap();
    // Late, of a day that is folded.
    let late = event_at("ada", "late", EventType::Login, at("2026-04-30T23:00:00Z"));
    send_to_roll_up(store, ours, &[late], RollUp::Later).await;
    assert_eq!(figures(store, ours).await.facts, before);
    assert_eq!(verify(store, ours).await.0, []);
    gather(store, ours).await;
    assert_honest(store, ours).await;
});

on_both_databases!(what_is_to_be_gathered_moves_and_goes_with_its_client, async |store| {
    let ours = organization(store, "UTC").await;
    let theirs = organization(store, "UTC").await;
    let of = |client: &str| -> Vec<Event> {
        let client = client.to_owned();
        weeks().into_iter().map(|event| Event { client_id: client.clone(), ..event }).collect()
    };
    send_to_roll_up(store, ours, &of("bob")[..100], RollUp::Later).await;
    send_to_roll_up(store, ours, &of("ada")[50..], RollUp::Later).await;
    send_to_roll_up(store, ours, &of("cleo"), RollUp::Later).await;
    send_to_roll_up(store, theirs, &weeks(), RollUp::Later).await;
    crate::merging::merge(store, ours, "bob", "ada").await;
    assert_eq!(
        figures(store, ours).await.events.len(),
        336,
        "a message that both have counts once"
    );
    let cleo = found(store, ours, "cleo").await.id;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(cleo, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(verify(store, ours).await.0, []);

    let mut tx = store.read(Scope::System).await.unwrap();
    let left = tx.list_organizations_with_pending_activity().await.unwrap();
    tx.rollback().await.unwrap();
    assert!(left.contains(&theirs) && !left.contains(&ours), "merging gathers");
    gather(store, theirs).await;
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(!tx.list_organizations_with_pending_activity().await.unwrap().contains(&theirs));
    tx.rollback().await.unwrap();
    assert_honest(store, ours).await;
    assert_honest(store, theirs).await;
});
