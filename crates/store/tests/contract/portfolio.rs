//! What the portfolio shows of each client, who is told to have changed, and lists of alerts, arrived
//! and refused events.

use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Episode, Severity},
    engagement::EventType,
    id::{ClientId, OrganizationId},
    portfolio::{OpenAlert, Portfolio, Standing},
};
use mainstay_store::{
    AlertChange, AlertFlow, ClientPatch, ClientRange, EndedAlertFilter, NewMember, NewRefusal,
    Role, Scope, Store,
};
use proptest::{collection::vec, prelude::*};

use crate::{
    alerts::{episode, open, update},
    fixtures::{at, client, day, event, event_at, found_id, fresh, now, organization, send},
    harness::Database,
    property::for_all,
    scores::{save, score},
};

/// A refusal because of a field.
pub(crate) fn refusal(field: &str) -> NewRefusal {
    NewRefusal {
        at: now(),
        field: field.to_owned(),
        reason: "is missing; send the client's id".to_owned(),
        body: "{\"event\":\"login\"}".to_owned(),
        more: 3,
    }
}

async fn standings(store: &Store, organization: OrganizationId) -> Vec<Standing> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.list_standings(ClientRange::ALL, i64::MAX).await.unwrap()
}

on_both_databases!(a_standing_tells_profile_latest_score_and_open_alerts, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-02").await;
    let cleo = client(store, ours, "cleo", "2026-05-03").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let patch = ClientPatch {
        name: Some("Ada".to_owned()),
        email: Some("ada@example.com".to_owned()),
        plan: Some("pro".to_owned()),
        ..ClientPatch::default()
    };
    tx.update_client(ada.id, &patch, now()).await.unwrap();
    tx.commit().await.unwrap();
    save(
        store,
        ours,
        "2026-05-18",
        &[(ada.id, score("2026-05-18", 80, None)), (bob.id, score("2026-05-18", 35, None))],
        now(),
    )
    .await;
    save(
        store,
        ours,
        "2026-05-19",
        &[(ada.id, score("2026-05-19", 52, Some(("2026-05-12", 90))))],
        now(),
    )
    .await;
    open(store, ours, ada.id, &episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-19"))
        .await;
    let mut ended = episode(AlertType::Inactivity, Severity::Warning, "2026-05-10");
    open(store, ours, ada.id, &ended).await;
    ended.status = AlertStatus::Resolved;
    update(store, ours, &ended, None, now()).await;

    let all = standings(store, ours).await;
    let mut expected = [ada.id, bob.id, cleo.id];
    expected.sort_unstable();
    assert_eq!(all.iter().map(|one| one.client).collect::<Vec<_>>(), expected);
    let by_name: BTreeMap<&str, &Standing> =
        all.iter().map(|one| (one.external_id.as_str(), one)).collect();
    let one = by_name["ada"];
    assert_eq!(one.name.as_deref(), Some("Ada"));
    assert_eq!((one.email.as_deref(), one.plan.as_deref()), (Some("ada@example.com"), Some("pro")));
    assert_eq!(one.created_at, ada.created_at);
    let latest = one.score.as_ref().unwrap();
    assert_eq!((latest.overall, latest.change, latest.as_of), (52, Some(-38), at("2026-05-19")));
    assert_eq!((latest.events, latest.events_before, latest.coverage), (12, 8, 85));
    assert_eq!(latest.last_event_at, Some(at("2026-05-18T09:30:00.123456Z")));
    let drop = OpenAlert {
        kind: AlertType::ScoreDrop,
        severity: Severity::Critical,
        status: AlertStatus::Active,
    };
    assert_eq!(one.alerts, [drop]);
    assert_eq!(by_name["bob"].score.as_ref().map(|score| score.overall), Some(35));
    assert_eq!(by_name["cleo"].score, None);

    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let first = tx.list_standings(ClientRange::ALL, 1).await.unwrap();
    let rest = ClientRange::ALL.after(first[0].client).unwrap();
    assert_eq!(tx.list_standings(rest, 100).await.unwrap(), all[1..]);
    assert_eq!(
        tx.list_standings(ClientRange::of(bob.id), 100).await.unwrap(),
        [by_name["bob"].clone()]
    );
    assert_eq!(ClientRange::of(bob.id).after(bob.id), None);
});

/// What changed since a version that is known.
async fn changed(
    store: &Store,
    organization: OrganizationId,
    since: i64,
) -> (i64, Vec<ClientRange>) {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let changes = tx.list_portfolio_changes(Some(since)).await.unwrap();
    (changes.version, changes.clients.unwrap())
}

on_both_databases!(every_change_of_a_standing_is_told_once_it_is_committed, async |store| {
    let ours = organization(store, "UTC").await;
    assert_eq!(changed(store, ours, 0).await, (0, Vec::new()));
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let only = vec![ClientRange::of(ada.id)];
    let (mut version, told) = changed(store, ours, 0).await;
    assert_eq!((version, told), (1, only.clone()));

    let member = NewMember {
        id: fresh(),
        email: "staff@example.com".to_owned(),
        name: "Staff".to_owned(),
        role: Role::Staff,
    };
    let alert = episode(AlertType::ScoreDrop, Severity::Warning, "2026-05-19");
    for step in 0..7 {
        let scope = match step {
            // What staff do is told, too.
            2 | 4 => Scope::Member(ours, Role::Staff),
            _ => Scope::Service(ours),
        };
        let mut tx = store.begin(scope).await.unwrap();
        match step {
            0 => {
                let refused = tx.update_client(ada.id, &ClientPatch::default(), now()).await;
                assert_eq!(refused.unwrap(), None);
            }
            1 => tx.create_member(&member, now()).await.unwrap(),
            2 => tx.set_client_owner(ada.id, Some(member.id)).await.unwrap(),
            3 => tx.open_alert(ada.id, &alert, "", false).await.unwrap(),
            4 => tx.update_alert(&alert, None, now()).await.unwrap(),
            5 => assert!(tx.delete_member(member.id).await.unwrap()),
            _ => {
                let scores = [(ada.id, score("2026-05-19", 80, None))];
                tx.save_scores(day("2026-05-19"), &scores, now()).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        let (next, told) = changed(store, ours, version).await;
        let expected = if step == 1 { Vec::new() } else { only.clone() };
        assert_eq!(told, expected, "step {step}");
        version = next;
    }
    // Events change no standing of a client that is known, unless they are older than it.
    send(store, ours, &[event("ada", "1", EventType::Login, "2026-05-19")]).await;
    assert_eq!(changed(store, ours, version).await, (version, Vec::new()));
    send(store, ours, &[event("ada", "2", EventType::Login, "2026-04-19")]).await;
    assert_eq!(changed(store, ours, version).await, (version + 1, only.clone()));
    send(store, ours, &[event("bob", "1", EventType::Login, "2026-05-19")]).await;
    let bob = found_id(store, ours, "bob").await;
    assert_eq!(changed(store, ours, version + 1).await, (version + 2, vec![ClientRange::of(bob)]));

    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(ada.id, now()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(changed(store, ours, version + 2).await, (version + 2, Vec::new()));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(ada.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(changed(store, ours, version + 2).await, (version + 3, only));
});

on_both_databases!(what_is_too_long_ago_is_not_told_one_by_one, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    for _ in 0..1_200 {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.set_client_owner(ada.id, None).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_portfolio_changes(None).await.unwrap().version, 1_201);
    assert_eq!(tx.list_portfolio_changes(Some(1)).await.unwrap().clients, None);
    // As after a restored backup.
    assert_eq!(tx.list_portfolio_changes(Some(5_000)).await.unwrap().clients, None);
    let lately = tx.list_portfolio_changes(Some(1_150)).await.unwrap();
    assert_eq!(lately.clients, Some(vec![ClientRange::of(ada.id)]));
    assert!(store.rows_of("portfolio_changes", ours.uuid()).await.len() <= 1_100);
});

/// What may happen to one of a few clients.
#[derive(Clone, Copy, Debug)]
enum Step {
    ClientSighting(usize),
    Scored(usize, i64),
    AllScored(i64),
    Opened(usize, usize),
    Ended(usize),
    Owned(usize),
    Deleted(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..6_usize;
    let step = prop_oneof![
        4 => client.clone().prop_map(Step::ClientSighting),
        2 => (client.clone(), 0..=100_i64).prop_map(|(client, overall)| Step::Scored(client, overall)),
        1 => (0..=100_i64).prop_map(Step::AllScored),
        3 => (client.clone(), 0..AlertType::ALL.len()).prop_map(|(client, kind)| Step::Opened(client, kind)),
        2 => client.clone().prop_map(Step::Ended),
        1 => client.clone().prop_map(Step::Owned),
        1 => client.prop_map(Step::Deleted),
    ];
    vec(step, 1..30)
}

async fn carry_out(
    store: &Store,
    ours: OrganizationId,
    number: usize,
    step: Step,
    episodes: &mut Vec<(ClientId, Episode)>,
) {
    let known = standings(store, ours).await;
    let name = |client: usize| format!("client-{client}");
    let find = |client: usize| known.iter().find(|one| one.external_id == name(client));
    let as_of = at("2026-05-01") + SignedDuration::from_hours(24 * i64::try_from(number).unwrap());
    let date = as_of.to_string()[..10].to_owned();
    match step {
        Step::ClientSighting(client) => {
            let sent = event_at(&name(client), &number.to_string(), EventType::Login, as_of);
            send(store, ours, &[sent]).await;
        }
        Step::Scored(client, overall) => {
            if let Some(one) = find(client) {
                save(store, ours, &date, &[(one.client, score(&date, overall, None))], now()).await;
            }
        }
        Step::AllScored(overall) => {
            let scores: Vec<_> =
                known.iter().map(|one| (one.client, score(&date, overall, None))).collect();
            save(store, ours, &date, &scores, now()).await;
        }
        Step::Opened(client, kind) => {
            let Some(one) = find(client) else { return };
            let kind = AlertType::ALL[kind];
            if one.alerts.iter().all(|alert| alert.kind != kind) {
                let opened = episode(kind, Severity::Warning, &as_of.to_string());
                open(store, ours, one.client, &opened).await;
                episodes.push((one.client, opened));
            }
        }
        Step::Ended(client) => {
            let Some(one) = find(client) else { return };
            let is_open = |(of, episode): &&mut (ClientId, Episode)| {
                *of == one.client && episode.status.is_open()
            };
            if let Some((_, episode)) = episodes.iter_mut().find(is_open) {
                episode.status = AlertStatus::Dismissed;
                update(store, ours, episode, None, as_of).await;
            }
        }
        Step::Owned(client) => {
            let Some(one) = find(client) else { return };
            let mut tx = store.begin(Scope::Member(ours, Role::Staff)).await.unwrap();
            tx.set_client_owner(one.client, Some(fresh())).await.unwrap();
            tx.commit().await.unwrap();
        }
        Step::Deleted(client) => {
            let Some(one) = find(client) else { return };
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            tx.delete_client(one.client, now()).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
}

async fn reading_what_changed_is_reading_everything(store: &Store, cases: u32) {
    for_all(cases, &steps(), async |steps: Vec<Step>| {
        let ours = organization(store, "UTC").await;
        let (mut kept, mut version, mut episodes) = (Portfolio::default(), 0, Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            carry_out(store, ours, number, step, &mut episodes).await;
            let mut tx = store.read(Scope::Service(ours)).await.unwrap();
            let changes = tx.list_portfolio_changes(Some(version)).await.unwrap();
            for range in changes.clients.unwrap() {
                let read = tx.list_standings(range, i64::MAX).await.unwrap();
                kept.replace((range.low, range.high), read);
            }
            version = changes.version;
            let anew = tx.list_standings(ClientRange::ALL, i64::MAX).await.unwrap();
            let kept: Vec<Standing> = kept.standings().cloned().collect();
            if kept != anew {
                return Err(format!("after {step:?} kept {kept:#?} and read {anew:#?}"));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn reading_what_changed_comes_to_the_same_as_reading_everything() {
    let database = Database::sqlite().await;
    reading_what_changed_is_reading_everything(&database, 40).await;
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn reading_what_changed_comes_to_the_same_as_reading_everything_on_postgres() {
    let database = Database::postgres().await;
    reading_what_changed_is_reading_everything(&database, 10).await;
    database.close().await;
}

on_both_databases!(weekly_scores_are_the_latest_of_each_week, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-03-01").await;
    let bob = client(store, ours, "bob", "2026-03-01").await;
    for (date, overall) in [
        ("2026-05-20", 70),
        ("2026-05-14", 60),
        ("2026-05-13", 50),
        ("2026-05-07", 40),
        ("2026-04-22", 30),
    ] {
        save(store, ours, date, &[(ada.id, score(date, overall, None))], now()).await;
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let weekly = tx.list_weekly_scores::<4>(&[ada.id, bob.id], day("2026-05-20")).await.unwrap();
    // The week of the 14th to the 20th, of the 7th to the 13th, and so on.
    assert_eq!(weekly[&ada.id], [None, None, Some(50), Some(70)]);
    assert_eq!(weekly[&bob.id], [None; 4]);
    let weekly: HashMap<_, [_; 5]> =
        tx.list_weekly_scores(&[ada.id], day("2026-05-20")).await.unwrap();
    assert_eq!(weekly[&ada.id][0], Some(30));
    assert!(tx.list_weekly_scores::<4>(&[], day("2026-05-20")).await.unwrap().is_empty());
});

on_both_databases!(the_last_event_is_told_from_recent_days_and_from_totals, async |store| {
    let ours = organization(store, "UTC").await;
    send(
        store,
        ours,
        &[
            event("ada", "1", EventType::Login, "2026-05-20T10:00:00Z"),
            event("ada", "2", EventType::PageView, "2026-05-20T11:00:00Z"),
            event("bob", "1", EventType::Login, "2026-01-05T08:00:00Z"),
        ],
    )
    .await;
    client(store, ours, "cleo", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-02-01")).await.unwrap();
    tx.commit().await.unwrap();
    let mut clients = Vec::new();
    for name in ["ada", "bob", "cleo"] {
        clients.push(found_id(store, ours, name).await);
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let seen = tx.list_last_seen(&clients, day("2026-05-20"), None).await.unwrap();
    assert_eq!(seen.get(&clients[0]), Some(&at("2026-05-20T11:00:00Z")));
    assert_eq!(seen.get(&clients[1]), Some(&at("2026-01-05T08:00:00Z")));
    assert_eq!(seen.get(&clients[2]), None);
    let folded_until = tx.get_organization().await.unwrap().folded_until;
    assert!(folded_until.is_some());
    assert_eq!(tx.list_last_seen(&clients, day("2026-05-20"), folded_until).await.unwrap(), seen);
});

on_both_databases!(lists_of_alerts_tell_the_open_the_ended_and_what_was_done, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let warning = episode(AlertType::Inactivity, Severity::Warning, "2026-05-18");
    let critical = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-19");
    let mut dismissed = episode(AlertType::TaskStalled, Severity::Warning, "2026-05-16");
    let mut resolved = episode(AlertType::ChurnRisk, Severity::Critical, "2026-05-17");
    for (client, episode) in
        [(ada.id, &warning), (ada.id, &critical), (bob.id, &dismissed), (bob.id, &resolved)]
    {
        open(store, ours, client, episode).await;
    }
    let member = Some(fresh());
    dismissed.status = AlertStatus::Dismissed;
    let dismiss = AlertChange { action: "dismiss", member, note: "On holiday" };
    update(store, ours, &dismissed, Some(&dismiss), at("2026-05-19T08:00:00Z")).await;
    resolved.status = AlertStatus::Resolved;
    resolved.condition_ended_at = Some(at("2026-05-19T09:00:00Z"));
    let over = AlertChange { action: "resolved", member: None, note: "Active again." };
    update(store, ours, &resolved, Some(&over), at("2026-05-19T09:00:00Z")).await;

    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let open = tx.list_open_alerts_of(&[ada.id, bob.id]).await.unwrap();
    let ids: Vec<_> = open[&ada.id].iter().map(|alert| alert.episode.id).collect();
    assert_eq!(ids, [critical.id, warning.id]);
    assert_eq!(open.get(&bob.id), None);
    let flow = tx.count_alert_flow(at("2026-05-18T12:00:00Z")).await.unwrap();
    assert_eq!(flow, AlertFlow { opened: 1, ended: 1 });

    let mut ended = async |which: EndedAlertFilter, limit| {
        let rows = tx.list_ended_alerts(&which, limit).await.unwrap();
        rows.into_iter().map(|(client, alert)| (client, alert.episode.id)).collect::<Vec<_>>()
    };
    let (first, second) = ((bob.id, resolved.id), (bob.id, dismissed.id));
    let all = EndedAlertFilter::default;
    assert_eq!(ended(all(), 10).await, [first, second]);
    assert_eq!(ended(all(), 1).await, [first]);
    let place = Some((at("2026-05-19T09:00:00Z"), resolved.id));
    assert_eq!(ended(EndedAlertFilter { after: place, ..all() }, 10).await, [second]);
    let status = Some(AlertStatus::Dismissed);
    assert_eq!(ended(EndedAlertFilter { status, ..all() }, 10).await, [second]);
    let kind = Some(AlertType::ChurnRisk);
    assert_eq!(ended(EndedAlertFilter { kind, ..all() }, 10).await, [first]);
    let severity = Some(Severity::Info);
    assert_eq!(ended(EndedAlertFilter { severity, ..all() }, 10).await, []);
    let since = Some(at("2026-05-19T08:30:00Z"));
    assert_eq!(ended(EndedAlertFilter { since, ..all() }, 10).await, [first]);
    assert_eq!(ended(EndedAlertFilter { owner: Some(fresh()), ..all() }, 10).await, []);
    assert_eq!(ended(EndedAlertFilter { unowned: true, ..all() }, 10).await, [first, second]);

    let actions = tx.list_actions_of(&[dismissed.id, resolved.id]).await.unwrap();
    let told: Vec<_> =
        actions[&dismissed.id].iter().map(|one| (one.action.as_str(), one.member)).collect();
    assert_eq!(told, [("opened", None), ("dismiss", member)]);
    assert_eq!(actions[&resolved.id][1].note, "Active again.");
});

on_both_databases!(the_latest_refused_events_are_kept_and_no_more, async |store| {
    let ours = organization(store, "UTC").await;
    for round in 0..6_i64 {
        let refused: Vec<NewRefusal> = (0..100_i64)
            .map(|number| {
                let at = now() + SignedDuration::from_millis(round * 100 + number);
                NewRefusal { at, more: number, ..refusal(&format!("field-{round}")) }
            })
            .collect();
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.record_refusals(&refused).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.read(Scope::Member(ours, Role::Staff)).await.unwrap();
    let kept = tx.list_refused_events(None, 1_000).await.unwrap();
    assert_eq!(kept.len(), 500);
    assert_eq!((kept[0].refusal.field.as_str(), kept[0].refusal.more), ("field-5", 99));
    assert_eq!(kept[499].refusal.field, "field-1");
    let newer = tx.list_refused_events(Some(kept[2].id), 1_000).await.unwrap();
    assert_eq!(newer, kept[..2]);
});

on_both_databases!(events_that_arrived_last_come_first, async |store| {
    let ours = organization(store, "UTC").await;
    let mut old = event("ada", "old", EventType::Custom, "2026-03-01T10:00:00Z");
    old.received_at = at("2026-05-20T10:00:02Z");
    "Report Viewed".clone_into(&mut old.name);
    let first = event("ada", "first", EventType::Login, "2026-05-20T10:00:00Z");
    let second = event("bob", "second", EventType::Login, "2026-05-20T10:00:01Z");
    send(store, ours, &[first, second, old]).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let arrived = tx.list_arrived_events(2).await.unwrap();
    let told: Vec<_> =
        arrived.iter().map(|one| (one.client_id.as_str(), one.message_id.as_str())).collect();
    assert_eq!(told, [("ada", "old"), ("bob", "second")]);
    assert_eq!(
        (arrived[0].name.as_str(), arrived[0].event_type),
        ("Report Viewed", EventType::Custom)
    );
    assert_eq!(tx.list_arrived_events(10).await.unwrap().len(), 3);
});
