//! Insights: written once a period, shown while they are valid.

use jiff::Timestamp;
use mainstay_core::{
    engagement::EventType,
    id::{ClientId, InsightId, OrganizationId},
    insight::{Insight, InsightEvidence, InsightStatus, InsightType, Priority, Rule},
    score::Component,
};
use mainstay_store::{NewInsight, Scope, Store, StoredInsight, new_id};
use serde_json::{Value, json};

use crate::fixtures::{at, client, day, fresh, now, organization};

/// An insight that a rule might write.
pub(crate) fn insight(client: ClientId, rule: Rule) -> NewInsight {
    let Value::Object(figures) = json!({"events": 12, "of": "Ünïcode"}) else { unreachable!() };
    let insight = Insight {
        rule,
        kind: InsightType::Recommendation,
        priority: Priority::Normal,
        title: format!("Title of {rule}"),
        message: "You were here on 4 days.".to_owned(),
        figures,
        evidence: InsightEvidence {
            counted: Some(3),
            first: day("2026-05-11"),
            last: day("2026-05-17"),
            events: vec![EventType::Login, EventType::TaskCompleted],
            components: vec![Component::Momentum],
            tasks: true,
        },
        valid_until: at("2026-06-03T12:00:00Z"),
    };
    NewInsight { id: fresh(), client, insight }
}

async fn save(
    store: &Store,
    organization: OrganizationId,
    period: &str,
    insights: &[NewInsight],
    as_of: Timestamp,
) -> Vec<InsightId> {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let saved = tx.save_insights(day(period), insights, as_of).await.unwrap();
    tx.commit().await.unwrap();
    saved
}

async fn shown(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    now: Timestamp,
    with_dismissed: bool,
) -> Vec<InsightId> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let insights = tx.list_client_insights(client, now, with_dismissed).await.unwrap();
    insights.into_iter().map(|insight| insight.id).collect()
}

on_both_databases!(whose_insights_of_a_period_are_written_is_known, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let two = [insight(ada.id, Rule::BestNextStep), insight(ada.id, Rule::NoActivity)];
    save(store, ours, "2026-05-17", &two, now()).await;
    save(store, ours, "2026-05-10", &[insight(bob.id, Rule::NoActivity)], now()).await;
    let chunk = crate::fixtures::everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let written = tx.list_clients_with_insights(&chunk, day("2026-05-17")).await.unwrap();
    assert_eq!(written, [ada.id].into());
});

on_both_databases!(an_insight_is_kept_as_it_was_written, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let new = insight(ada.id, Rule::BestNextStep);
    assert_eq!(save(store, ours, "2026-05-17", std::slice::from_ref(&new), now()).await, [new.id]);
    let expected = StoredInsight {
        id: new.id,
        client: ada.id,
        period: day("2026-05-17"),
        rule: "best_next_step".to_owned(),
        kind: InsightType::Recommendation,
        priority: Priority::Normal,
        status: InsightStatus::Unread,
        title: new.insight.title,
        message: new.insight.message,
        figures: new.insight.figures,
        evidence: new.insight.evidence,
        created_at: now(),
        valid_until: new.insight.valid_until,
        later_events: 0,
    };
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_insight(new.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(tx.find_insight(fresh()).await.unwrap(), None);
    assert_eq!(tx.list_client_insights(ada.id, now(), false).await.unwrap(), [expected]);
});

on_both_databases!(running_a_period_twice_changes_nothing, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) = (
        client(store, ours, "ada", "2026-05-01").await,
        client(store, ours, "bob", "2026-05-01").await,
    );
    let first = [insight(ada.id, Rule::NoActivity), insight(bob.id, Rule::NoActivity)];
    assert_eq!(save(store, ours, "2026-05-17", &first, now()).await.len(), 2);
    let before = store.rows_of("client_insights", ours.uuid()).await;

    let mut again = insight(ada.id, Rule::NoActivity);
    "Something else".clone_into(&mut again.insight.title);
    let other_rule = insight(ada.id, Rule::TasksPending);
    let saved = save(store, ours, "2026-05-17", &[again.clone(), other_rule.clone()], now()).await;
    assert_eq!(saved, [other_rule.id]);
    let after = store.rows_of("client_insights", ours.uuid()).await;
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|row| after.contains(row)));

    again.id = fresh();
    assert_eq!(
        save(store, ours, "2026-05-24", std::slice::from_ref(&again), now()).await,
        [again.id]
    );
    assert_eq!(save(store, ours, "2026-05-24", &[], now()).await, []);
});

on_both_databases!(
    insights_are_shown_newest_first_then_by_priority_then_in_the_rules_order,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-05-01").await;
        let with = |rule, priority| {
            let mut new = insight(ada.id, rule);
            new.insight.priority = priority;
            new
        };
        // The order of the rules is neither that of their names nor that in which they are saved.
        let latest = [
            with(Rule::OtherActivity, Priority::Low),
            with(Rule::ContentGenerated, Priority::Normal),
            with(Rule::TasksCompleted, Priority::Normal),
            with(Rule::ContentMilestone, Priority::Normal),
            with(Rule::ScoreMoved, Priority::Normal),
            with(Rule::NoActivity, Priority::High),
        ];
        let older = [with(Rule::NoActivity, Priority::High)];
        save(store, ours, "2026-05-17", &latest, now()).await;
        save(store, ours, "2026-05-10", &older, now()).await;
        let expected: Vec<InsightId> = [5, 4, 3, 2, 1, 0]
            .into_iter()
            .map(|place| latest[place].id)
            .chain([older[0].id])
            .collect();
        assert_eq!(shown(store, ours, ada.id, now(), false).await, expected);
    }
);

on_both_databases!(an_insight_is_shown_from_when_it_was_written_until_it_expires, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let new = insight(ada.id, Rule::NoActivity);
    let (written, expires) = (now(), new.insight.valid_until);
    save(store, ours, "2026-05-17", std::slice::from_ref(&new), written).await;
    let microsecond = jiff::SignedDuration::from_micros(1);
    for (when, visible) in [
        (written - microsecond, false),
        (written, true),
        (expires - microsecond, true),
        (expires, false),
    ] {
        let expected = if visible { vec![new.id] } else { Vec::new() };
        assert_eq!(shown(store, ours, ada.id, when, true).await, expected, "{when}");
    }
});

on_both_databases!(a_status_changes_only_from_what_it_was_thought_to_be, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let new = insight(ada.id, Rule::NoActivity);
    save(store, ours, "2026-05-17", std::slice::from_ref(&new), now()).await;
    let (unread, read, dismissed) =
        (InsightStatus::Unread, InsightStatus::Read, InsightStatus::Dismissed);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.set_insight_status(new.id, unread, read).await.unwrap());
    assert!(!tx.set_insight_status(new.id, unread, dismissed).await.unwrap());
    assert_eq!(tx.find_insight(new.id).await.unwrap().unwrap().status, read);
    assert!(tx.set_insight_status(new.id, read, dismissed).await.unwrap());
    assert!(!tx.set_insight_status(fresh(), unread, read).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(shown(store, ours, ada.id, now(), false).await, []);
    assert_eq!(shown(store, ours, ada.id, now(), true).await, [new.id]);
});

on_both_databases!(expired_insights_are_deleted_and_counted, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let elsewhere = client(store, theirs, "ada", "2026-05-01").await;
    let until = |client, rule, valid_until| {
        let mut new = insight(client, rule);
        new.id = new_id(now());
        new.insight.valid_until = at(valid_until);
        new
    };
    let kept = until(ada.id, Rule::NoActivity, "2026-06-01T00:00:01Z");
    let gone = [
        until(ada.id, Rule::TasksPending, "2026-06-01T00:00:00Z"),
        until(ada.id, Rule::OtherActivity, "2026-05-31T00:00:00Z"),
    ];
    let theirs_too = until(elsewhere.id, Rule::NoActivity, "2026-05-31T00:00:00Z");
    save(store, ours, "2026-05-17", &[kept.clone(), gone[0].clone(), gone[1].clone()], now()).await;
    save(store, theirs, "2026-05-17", std::slice::from_ref(&theirs_too), now()).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.delete_expired_insights(at("2026-06-01")).await.unwrap(), 2);
    assert_eq!(tx.delete_expired_insights(at("2026-06-01")).await.unwrap(), 0);
    assert!(tx.find_insight(kept.id).await.unwrap().is_some());
    assert_eq!(tx.find_insight(gone[0].id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
    assert!(tx.find_insight(theirs_too.id).await.unwrap().is_some());
});
