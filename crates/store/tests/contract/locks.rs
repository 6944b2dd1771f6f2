//! What happens when two of them come at the same time.

use std::{collections::BTreeSet, sync::Arc};

use mainstay_core::{
    alert::{AlertType, Severity},
    email::EmailType,
    engagement::EventType,
    id::OrganizationId,
    score::FeedbackKind,
};
use mainstay_store::{
    ClientPatch, ClientSighting, Feedback, OrganizationPatch, Outcome, RollUp, Scope, Store,
    StoreError,
};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet, yield_now};

use crate::{
    alerts::episode,
    emails::email,
    fixtures::{
        at, client, day, end_zone_change, event, facts, found, fresh, gather, now, organization,
        send, send_to_roll_up, store_in,
    },
    harness::Database,
    verify::assert_honest,
};

/// Both kinds of database, for tests that need a runtime with several threads.
macro_rules! at_the_same_time {
    ($sentence:ident, async |$store:ident| $body:block) => {
        async fn $sentence($store: &Database) $body

        mod $sentence {
            use crate::harness::Database;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let database = Database::sqlite().await;
                super::$sentence(&database).await;
                database.close().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs PostgreSQL: ./check starts one"]
            async fn postgres() {
                let database = Database::postgres().await;
                super::$sentence(&database).await;
                database.close().await;
            }
        }
    };
}

/// Waits until a task is done or waits for a lock itself. On SQLite it waits for the one writer,
/// which nobody can see, so there it only gets its chance to come that far.
async fn until_it_waits<T>(database: &Database, task: &JoinHandle<T>) {
    for _ in 0..1_000 {
        yield_now().await;
        if task.is_finished() {
            return;
        }
        if database.is_postgres() {
            let waiting = "SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                           WHERE NOT l.granted AND a.datname = current_database()";
            if database.number(waiting).await > 0 {
                return;
            }
        }
    }
    assert!(!database.is_postgres(), "it neither waits nor comes to an end");
}

at_the_same_time!(what_is_told_while_scores_are_announced_makes_them_stale, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-01-01").await;
    let mut announcing = store.begin(Scope::Service(ours)).await.unwrap();
    announcing.advance_scored_until(at("2026-05-10")).await.unwrap();
    let other = store.reopened().await;
    let task = tokio::spawn(async move {
        let feedback = Feedback {
            id: fresh(),
            kind: FeedbackKind::Stars,
            rating: 1,
            normalised: 0,
            comment: None,
            given_at: at("2026-05-02"),
            self_told: false,
        };
        let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
        tx.create_feedback(ada.id, &feedback).await.unwrap();
        tx.commit().await.unwrap();
        other.close().await;
    });
    until_it_waits(store, &task).await;
    announcing.commit().await.unwrap();
    task.await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_stale_clients(None, 10).await.unwrap()[0].since, at("2026-05-02"));
});

at_the_same_time!(events_are_stored_while_others_are_gathered_and_all_count_once, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |id: &str| event("ada", id, EventType::Login, "2026-05-18T10:00:00Z");
    send_to_roll_up(store, ours, &[login("m1"), login("m2")], RollUp::Later).await;
    let mut gathering = store.begin(Scope::Service(ours)).await.unwrap();
    gathering.gather_activity().await.unwrap();
    let other = store.reopened().await;
    let mut tasks = JoinSet::new();
    let storing = other.clone();
    tasks.spawn(async move {
        send_to_roll_up(&storing, ours, &[login("m3")], RollUp::Later).await;
    });
    if store.is_postgres() {
        // Without waiting for who gathers.
        tasks.join_next().await.unwrap().unwrap();
    }
    let gathering_too = other.clone();
    tasks.spawn(async move { gather(&gathering_too, ours).await });
    gathering.commit().await.unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    other.close().await;
    gather(store, ours).await;
    assert!(store.rows_of("pending_activity", ours.uuid()).await.is_empty());
    assert_eq!(facts(store, ours, now(), false).await[0].activity.events_this_week, 3);
    assert_honest(store, ours).await;
});

at_the_same_time!(of_two_emails_claimed_at_once_the_second_claim_sees_the_first, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let emails = [email(ada, "2026-05-16", [1; 16]), email(ada, "2026-05-23", [2; 16])];
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.enqueue_emails(&emails, now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut claiming = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(claiming.claim_email(emails[0].id, now()).await.unwrap());
    let other = store.reopened().await;
    let second = emails[1].id;
    let task = tokio::spawn(async move {
        let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.claim_email(second, now()).await.unwrap());
        let sent = tx.list_emails_since(ada, at("2026-01-01"), second).await.unwrap();
        tx.commit().await.unwrap();
        other.close().await;
        sent
    });
    until_it_waits(store, &task).await;
    claiming.commit().await.unwrap();
    assert_eq!(task.await.unwrap(), [(EmailType::WeeklyInsights, now())]);
});

at_the_same_time!(a_client_deleted_while_its_events_come_in_leaves_nothing_behind, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |id: &str| event("ada", id, EventType::Login, "2026-05-18T10:00:00Z");
    send(store, ours, &[login("m1")]).await;
    let ada = found(store, ours, "ada").await;
    let mut storing = store.begin(Scope::Service(ours)).await.unwrap();
    let seen = ClientSighting { external_id: "ada", first_at: now() };
    storing.resolve_clients(&[seen], now()).await.unwrap();
    let other = store.reopened().await;
    let task = tokio::spawn(async move {
        let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
        tx.delete_client(ada.id, now()).await.unwrap();
        tx.commit().await.unwrap();
        other.close().await;
    });
    until_it_waits(store, &task).await;
    assert_eq!(store_in(&mut storing, &[login("m2")]).await.unwrap(), [Outcome::Stored]);
    storing.commit().await.unwrap();
    task.await.unwrap();
    for table in ["clients", "client_engagement_events", "daily_activity"] {
        assert_eq!(store.rows_of(table, ours.uuid()).await, Vec::<String>::new(), "{table}");
    }
});

at_the_same_time!(a_second_change_of_the_zone_sees_what_the_first_one_made, async |store| {
    let ours = organization(store, "UTC").await;
    let to = |zone: &str| OrganizationPatch {
        time_zone: Some(zone.to_owned()),
        ..OrganizationPatch::default()
    };
    let mut first = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(first.update_organization(&to("Asia/Kathmandu")).await.unwrap().time_zone, "UTC");
    let other = store.reopened().await;
    let task = tokio::spawn(async move {
        let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
        let before = tx.update_organization(&to("UTC")).await.unwrap();
        tx.commit().await.unwrap();
        other.close().await;
        before.time_zone
    });
    until_it_waits(store, &task).await;
    first.commit().await.unwrap();
    // Were it UTC, the days would be left as the first one made them.
    assert_eq!(task.await.unwrap(), "Asia/Kathmandu");
});

at_the_same_time!(
    events_that_come_while_activity_is_folded_are_in_the_totals_once,
    async |store| {
        let ours = organization(store, "UTC").await;
        let made = |id: &str| event("ada", id, EventType::ContentGenerated, "2026-03-18T10:00:00Z");
        send(store, ours, &[made("m1")]).await;
        let mut folding = store.begin(Scope::Service(ours)).await.unwrap();
        folding.fold_activity(day("2026-04-01")).await.unwrap();
        let other = store.reopened().await;
        let late = made("m2");
        let task = tokio::spawn(async move {
            let outcomes = send(&other, ours, &[late]).await;
            other.close().await;
            outcomes
        });
        until_it_waits(store, &task).await;
        folding.commit().await.unwrap();
        assert_eq!(task.await.unwrap(), [Outcome::Stored]);
        let facts = facts(store, ours, at("2026-05-20"), false).await;
        assert_eq!(facts[0].activity.content_generated, 2);
        assert_honest(store, ours).await;
    }
);

at_the_same_time!(
    a_changed_zone_and_announced_scores_do_not_wait_for_each_other_for_ever,
    async |store| {
        let ours = organization(store, "UTC").await;
        send(store, ours, &[event("ada", "m1", EventType::Login, "2026-05-18T22:00:00Z")]).await;
        let mut changing = store.begin(Scope::Service(ours)).await.unwrap();
        let patch = OrganizationPatch {
            name: None,
            time_zone: Some("Asia/Kathmandu".to_owned()),
            ..OrganizationPatch::default()
        };
        changing.update_organization(&patch).await.unwrap();
        let other = store.reopened().await;
        let task = tokio::spawn(async move {
            let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
            tx.advance_scored_until(at("2026-05-19")).await.unwrap();
            tx.commit().await.unwrap();
            other.close().await;
        });
        until_it_waits(store, &task).await;
        changing.begin_zone_change(now()).await.unwrap();
        changing.commit().await.unwrap();
        task.await.unwrap();
        end_zone_change(store, ours).await;
        assert_honest(store, ours).await;
    }
);

at_the_same_time!(
    an_event_whose_day_was_told_before_the_zone_changed_is_told_anew,
    async |store| {
        let ours = organization(store, "UTC").await;
        let mut changing = store.begin(Scope::Service(ours)).await.unwrap();
        let patch = OrganizationPatch {
            name: None,
            time_zone: Some("Asia/Kathmandu".to_owned()),
            ..OrganizationPatch::default()
        };
        changing.update_organization(&patch).await.unwrap();
        let other = store.reopened().await;
        let task = tokio::spawn(async move {
            let late = event("ada", "m1", EventType::Login, "2026-05-18T22:00:00Z");
            let outcomes = send(&other, ours, &[late]).await;
            other.close().await;
            outcomes
        });
        until_it_waits(store, &task).await;
        changing.commit().await.unwrap();
        assert_eq!(task.await.unwrap(), [Outcome::Stored]);
        assert_honest(store, ours).await;
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.find_days_to_verify().await.unwrap().unwrap().1, day("2026-05-19"));
    }
);

at_the_same_time!(eight_that_see_the_same_new_clients_create_each_once, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let other = store.reopened().await;
        tasks.spawn(async move {
            let mut names: Vec<String> = (0..60).map(|number| format!("client {number}")).collect();
            names.rotate_left(task * 7);
            if task % 2 == 0 {
                names.reverse();
            }
            let seen: Vec<ClientSighting<'_>> = names
                .iter()
                .map(|name| ClientSighting { external_id: name, first_at: now() })
                .collect();
            let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
            let resolved = tx.resolve_clients(&seen, now()).await.unwrap();
            tx.commit().await.unwrap();
            other.close().await;
            names
                .iter()
                .cloned()
                .zip(resolved.iter().map(|client| client.id))
                .collect::<BTreeSet<_>>()
        });
    }
    let all: BTreeSet<BTreeSet<_>> = tasks.join_all().await.into_iter().collect();
    assert_eq!(all.len(), 1, "they do not agree on the ids");
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.count_clients().await.unwrap(), 60);
});

at_the_same_time!(traits_told_at_the_same_time_are_all_kept, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-01-01").await;
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let other = store.reopened().await;
        tasks.spawn(async move {
            let mut patch = ClientPatch::default();
            patch.traits.insert(format!("trait {task}"), json!(task));
            let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
            tx.update_client(ada.id, &patch, now()).await.unwrap();
            tx.commit().await.unwrap();
            other.close().await;
        });
    }
    tasks.join_all().await;
    assert_eq!(found(store, ours, "ada").await.profile.traits.len(), 8);
});

at_the_same_time!(of_eight_that_open_the_same_alert_one_does, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-01-01").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let other = store.reopened().await;
        tasks.spawn(async move {
            let alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20");
            let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
            let opened = tx.open_alert(ada.id, &alert, "", false).await;
            if opened.is_ok() {
                tx.commit().await.unwrap();
            } else {
                tx.rollback().await.unwrap();
            }
            other.close().await;
            match opened {
                Ok(()) => true,
                Err(StoreError::Taken(_)) => false,
                Err(error) => panic!("{error}"),
            }
        });
    }
    let opened = tasks.join_all().await.into_iter().filter(|opened| *opened).count();
    assert_eq!(opened, 1);
    assert_eq!(store.rows_of("client_momentum_alerts", ours.uuid()).await.len(), 1);
    assert_eq!(store.rows_of("alert_actions", ours.uuid()).await.len(), 1);
});

at_the_same_time!(one_health_check_of_an_organization_runs_at_a_time, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-01-01").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let other = store.reopened().await;
        tasks.spawn(async move {
            let opened = check_health(&other, ours, &ada_chunk(&other, ours).await).await;
            other.close().await;
            opened
        });
    }
    // Each looks first and opens only what is not there: with the lock, that is enough.
    let opened = tasks.join_all().await.into_iter().filter(|opened| *opened).count();
    assert_eq!(opened, 1);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(
        tx.list_live_episodes(&mainstay_store::ClientChunk::of(&ada)).await.unwrap().len(),
        1
    );
});

async fn ada_chunk(store: &Store, organization: OrganizationId) -> mainstay_store::ClientChunk {
    mainstay_store::ClientChunk::of(&found(store, organization, "ada").await)
}

async fn check_health(
    store: &Store,
    organization: OrganizationId,
    chunk: &mainstay_store::ClientChunk,
) -> bool {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.lock_health_check().await.unwrap();
    let live = tx.list_live_episodes(chunk).await.unwrap();
    if live.is_empty() {
        let alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20");
        tx.open_alert(chunk.last().unwrap(), &alert, "", false).await.unwrap();
    }
    tx.commit().await.unwrap();
    live.is_empty()
}

at_the_same_time!(two_that_publish_a_model_make_two_versions, async |store| {
    let ours = organization(store, "UTC").await;
    let stores = [Arc::new(store.reopened().await), Arc::new(store.reopened().await)];
    let mut tasks = JoinSet::new();
    for other in &stores {
        let other = other.clone();
        tasks.spawn(async move {
            loop {
                let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
                let model = mainstay_core::score::ScoreModel::standard();
                match tx.publish_score_model(&model, now()).await {
                    Ok(version) => {
                        tx.commit().await.unwrap();
                        return version;
                    }
                    Err(error) => assert!(error.is_retryable(), "{error}"),
                }
            }
        });
    }
    let mut versions = tasks.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, [2, 3]);
    for other in stores {
        other.close().await;
    }
});
