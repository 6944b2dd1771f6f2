//! A change of the time zone, which goes on in small steps beside everything else.

use jiff::SignedDuration;
use mainstay_core::{engagement::EventType, id::OrganizationId};
use mainstay_store::{OrganizationPatch, RollUp, Scope, Store};

use crate::{
    fixtures::{
        ZONE_STEP, at, day, end_zone_change, event, event_at, found, gather, now, organization,
        send, send_to_roll_up,
    },
    verify::assert_honest,
};

async fn change(store: &Store, organization: OrganizationId, zone: &str) {
    let patch =
        OrganizationPatch { time_zone: Some(zone.to_owned()), ..OrganizationPatch::default() };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.update_organization(&patch).await.unwrap();
    tx.begin_zone_change(now()).await.unwrap();
    tx.commit().await.unwrap();
}

/// An organization with thirty clients, an event every five hours for ten days, half of it folded.
async fn busy(store: &Store) -> OrganizationId {
    let ours = organization(store, "UTC").await;
    let first = at("2026-05-01T00:30:00Z");
    let mut events = Vec::new();
    for number in 0..48 {
        for client in 0..30 {
            let when = first + SignedDuration::from_hours(5 * number);
            let kind = if client % 2 == 0 { EventType::Login } else { EventType::ContentGenerated };
            events.push(event_at(&format!("client-{client}"), &format!("m{number}"), kind, when));
        }
    }
    send(store, ours, &events).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-05")).await.unwrap();
    tx.commit().await.unwrap();
    ours
}

async fn since(store: &Store, organization: OrganizationId) -> Option<jiff::Timestamp> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.get_organization().await.unwrap().zone_change_since
}

on_both_databases!(
    a_change_of_the_zone_is_many_steps_and_says_that_it_is_under_way,
    async |store| {
        let ours = busy(store).await;
        let theirs = busy(store).await;
        let before = store.rows_of("daily_activity", theirs.uuid()).await;
        assert_eq!(since(store, ours).await, None);
        change(store, ours, "Asia/Kathmandu").await;
        assert_eq!(since(store, ours).await, Some(now()));
        let mut tx = store.read(Scope::System).await.unwrap();
        assert_eq!(tx.list_organizations_with_zone_changes().await.unwrap(), [ours]);
        drop(tx);
        assert!(end_zone_change(store, ours).await > 100);
        assert_eq!(since(store, ours).await, None);
        let mut tx = store.read(Scope::System).await.unwrap();
        assert_eq!(tx.list_organizations_with_zone_changes().await.unwrap(), []);
        drop(tx);
        assert_honest(store, ours).await;
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().folded_until, Some(day("2026-05-05")));
        drop(tx);
        assert_eq!(store.rows_of("daily_activity", theirs.uuid()).await, before);
        assert_honest(store, theirs).await;
    }
);

on_both_databases!(
    a_change_of_the_zone_goes_on_where_it_was_left_and_counts_what_comes_meanwhile,
    async |store| {
        let ours = busy(store).await;
        // By the old days, and beside its place until the change begins.
        let pending = event("client-1", "pending", EventType::Login, "2026-05-03T22:00:00Z");
        send_to_roll_up(store, ours, &[pending], RollUp::Later).await;
        change(store, ours, "America/New_York").await;
        let mut more = true;
        let mut number = 0;
        while more {
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            more = tx.run_zone_step(ZONE_STEP).await.unwrap();
            tx.commit().await.unwrap();
            number += 1;
            if number % 25 == 0 {
                // A process that is killed within a step.
                let process = store.reopened().await;
                let mut tx = process.begin(Scope::Service(ours)).await.unwrap();
                tx.run_zone_step(ZONE_STEP).await.unwrap();
                drop(tx);
                process.close().await;
            }
            if number % 9 == 0 {
                let when = at("2026-05-01T03:00:00Z") + SignedDuration::from_hours(number);
                let client = format!("client-{}", number % 33);
                let late = event_at(&client, &format!("late-{number}"), EventType::Login, when);
                let roll_up = if number % 2 == 0 { RollUp::Immediately } else { RollUp::Later };
                send_to_roll_up(store, ours, &[late], roll_up).await;
            }
            if number % 20 == 0 {
                gather(store, ours).await;
            }
        }
        assert_honest(store, ours).await;
        gather(store, ours).await;
        assert_honest(store, ours).await;
    }
);

on_both_databases!(a_zone_that_changes_again_meanwhile_is_the_one_that_counts, async |store| {
    let ours = busy(store).await;
    change(store, ours, "Pacific/Kiritimati").await;
    for _ in 0..40 {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.run_zone_step(ZONE_STEP).await.unwrap());
        tx.commit().await.unwrap();
    }
    change(store, ours, "Pacific/Pago_Pago").await;
    let gone = found(store, ours, "client-7").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.run_zone_step(ZONE_STEP).await.unwrap());
    // Folding waits for the end of the change, which folds up to where it was.
    tx.fold_activity(day("2026-05-07")).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().folded_until, None);
    tx.delete_client(gone.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    end_zone_change(store, ours).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().folded_until, Some(day("2026-05-05")));
    drop(tx);
    assert_honest(store, ours).await;
});
