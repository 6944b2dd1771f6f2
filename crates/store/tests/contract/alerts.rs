//! Alerts: episodes opened, changed, listed, and what was done with them.

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Ending, Episode, Finding, Severity},
    engagement::EventType,
    id::{AlertId, ClientId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{
    Alert, AlertAction, AlertChange, AlertFilter, ClientChunk, ClientKey, ClientPatch, DataSilence,
    KeyHour, KeyKind, KeySilence, NewApiKey, RollUp, Scope, Store, StoreError, Tx, new_id,
};
use serde_json::{Map, Value, json};

use crate::fixtures::{
    at, client, day, event, everybody, fresh, now, organization, send, send_to_roll_up,
};

/// A new episode.
pub(crate) fn episode(kind: AlertType, severity: Severity, opened_at: &str) -> Episode {
    let Value::Object(figures) = json!({"hours": 50, "name": "Ünïcode"}) else { unreachable!() };
    let finding = Finding { kind, severity, message: format!("{kind} since {opened_at}"), figures };
    Episode::open(new_id(at(opened_at)), finding, at(opened_at))
}

pub(crate) async fn open(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    episode: &Episode,
) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.open_alert(client, episode, &episode.message, false).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) async fn update(
    store: &Store,
    organization: OrganizationId,
    episode: &Episode,
    change: Option<&AlertChange<'_>>,
    when: Timestamp,
) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.update_alert(episode, change, when).await.unwrap();
    tx.commit().await.unwrap();
}

/// A silence of all data after an instant.
pub(crate) fn stopped(since: Timestamp) -> DataSilence {
    DataSilence { since, noticed_at: now(), clients: None, held_alerts: 0 }
}

async fn everybody_in(tx: &mut Tx, as_of: Timestamp) -> ClientChunk {
    tx.client_chunk(None, as_of, 100).await.unwrap()
}

async fn read(store: &Store, organization: OrganizationId, id: AlertId) -> Alert {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.find_alert(id).await.unwrap().unwrap()
}

on_both_databases!(an_opened_alert_is_kept_as_it_was_found_with_its_first_action, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let patch = ClientPatch { name: Some("Ada".to_owned()), ..ClientPatch::default() };
    tx.update_client(ada.id, &patch, now()).await.unwrap();
    tx.commit().await.unwrap();
    let opened = episode(AlertType::Inactivity, Severity::Warning, "2026-05-03T10:00:00Z");
    open(store, ours, ada.id, &opened).await;

    let expected = Alert {
        client_id: "ada".to_owned(),
        client_name: Some("Ada".to_owned()),
        changed_at: opened.opened_at,
        ended_at: None,
        recovered_at: None,
        episode: opened.clone(),
    };
    assert_eq!(read(store, ours, opened.id).await, expected);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_alert(fresh()).await.unwrap(), None);
    assert_eq!(
        tx.list_alert_actions(opened.id).await.unwrap(),
        [AlertAction {
            at: opened.opened_at,
            action: "opened".to_owned(),
            member: None,
            note: opened.message.clone(),
        }]
    );
    assert_eq!(tx.list_alert_actions(fresh()).await.unwrap(), []);
});

on_both_databases!(a_client_has_at_most_one_open_alert_of_a_type, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let drop = |when| episode(AlertType::ScoreDrop, Severity::Warning, when);
    let mut first = drop("2026-05-03");
    open(store, ours, ada.id, &first).await;
    open(store, ours, bob.id, &drop("2026-05-03")).await;
    open(store, ours, ada.id, &episode(AlertType::TaskStalled, Severity::Warning, "2026-05-03"))
        .await;
    for status in [AlertStatus::Active, AlertStatus::Acknowledged, AlertStatus::Snoozed] {
        first.status = status;
        update(store, ours, &first, None, now()).await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let second = tx.open_alert(ada.id, &drop("2026-05-04"), "", false).await;
        assert!(matches!(second, Err(StoreError::Taken(_))), "{status}: {second:?}");
        tx.rollback().await.unwrap();
    }
    first.status = AlertStatus::Resolved;
    update(store, ours, &first, None, now()).await;
    open(store, ours, ada.id, &drop("2026-05-04")).await;
    // Nor can the first one come back beside it.
    first.status = AlertStatus::Active;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let again = tx.update_alert(&first, None, now()).await;
    assert!(matches!(again, Err(StoreError::Taken(_))), "{again:?}");
});

on_both_databases!(an_alert_of_a_client_that_is_gone_is_not_opened, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let alert = episode(AlertType::ScoreDrop, Severity::Info, "2026-05-03");
    let opened = tx.open_alert(fresh(), &alert, "", false).await;
    assert!(matches!(opened, Err(StoreError::Database(_))), "{opened:?}");
});

on_both_databases!(every_change_of_an_alert_is_kept_with_who_and_when, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let mut alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-03T10:00:00Z");
    open(store, ours, ada.id, &alert).await;
    let member = Some(fresh());

    // New numbers alone are no change to tell of.
    "No event for 60 hours.".clone_into(&mut alert.message);
    alert.figures = Map::new();
    update(store, ours, &alert, None, at("2026-05-03T20:00:00Z")).await;
    let refreshed = read(store, ours, alert.id).await;
    assert_eq!(refreshed.episode, alert);
    assert_eq!(refreshed.changed_at, at("2026-05-03T10:00:00Z"));

    alert.status = AlertStatus::Snoozed;
    alert.snoozed_until = Some(at("2026-05-05"));
    let snooze = AlertChange { action: "snooze", member, note: "On holiday" };
    update(store, ours, &alert, Some(&snooze), at("2026-05-03T21:00:00Z")).await;
    let snoozed = read(store, ours, alert.id).await;
    assert_eq!(snoozed.episode, alert);
    assert_eq!(snoozed.changed_at, at("2026-05-03T21:00:00Z"));
    assert_eq!(snoozed.ended_at, None);

    alert.kind = AlertType::ZeroActivity;
    alert.severity = Severity::Critical;
    alert.status = AlertStatus::Active;
    alert.snoozed_until = None;
    let worsened = AlertChange { action: "worsened", member: None, note: "3 days" };
    update(store, ours, &alert, Some(&worsened), at("2026-05-04")).await;
    assert_eq!(read(store, ours, alert.id).await.episode, alert);

    alert.status = AlertStatus::Dismissed;
    let dismiss = AlertChange { action: "dismiss", member, note: "" };
    update(store, ours, &alert, Some(&dismiss), at("2026-05-06")).await;
    let dismissed = read(store, ours, alert.id).await;
    assert_eq!(dismissed.episode, alert);
    assert_eq!(dismissed.ended_at, Some(at("2026-05-06")));

    alert.condition_ended_at = Some(at("2026-05-09"));
    let over = AlertChange { action: "condition_ended", member: None, note: "" };
    update(store, ours, &alert, Some(&over), at("2026-05-09")).await;
    let ended = read(store, ours, alert.id).await;
    assert_eq!(ended.episode, alert);
    assert_eq!(
        ended.ended_at,
        Some(at("2026-05-06")),
        "a member ended it, before its condition did"
    );

    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let actions = tx.list_alert_actions(alert.id).await.unwrap();
    let told: Vec<_> =
        actions.iter().map(|one| (one.action.as_str(), one.member, one.note.as_str())).collect();
    assert_eq!(
        told,
        [
            ("opened", None, "inactivity since 2026-05-03T10:00:00Z"),
            ("snooze", member, "On holiday"),
            ("worsened", None, "3 days"),
            ("dismiss", member, ""),
            ("condition_ended", None, ""),
        ]
    );
    assert!(actions.is_sorted_by_key(|action| action.at));
});

on_both_databases!(live_episodes_are_those_whose_condition_has_not_ended, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    client(store, ours, "cleo", "2026-05-01").await;
    let open_one = episode(AlertType::Inactivity, Severity::Warning, "2026-05-03");
    let mut dismissed = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-04");
    let mut ended = episode(AlertType::TaskStalled, Severity::Warning, "2026-05-05");
    let bobs = episode(AlertType::ChurnRisk, Severity::Critical, "2026-05-06");
    for (client, episode) in
        [(ada.id, &open_one), (ada.id, &dismissed), (ada.id, &ended), (bob.id, &bobs)]
    {
        open(store, ours, client, episode).await;
    }
    dismissed.status = AlertStatus::Dismissed;
    update(store, ours, &dismissed, None, now()).await;
    ended.status = AlertStatus::Resolved;
    ended.condition_ended_at = Some(now());
    update(store, ours, &ended, None, now()).await;

    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.lock_health_check().await.unwrap();
    let live = tx.list_live_episodes(&chunk).await.unwrap();
    assert_eq!(live.len(), 2);
    assert_eq!(live[&ada.id], [open_one, dismissed]);
    assert_eq!(live[&bob.id], [bobs]);
});

on_both_databases!(alerts_are_listed_newest_first_by_any_filter_page_by_page, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let inactive = episode(AlertType::Inactivity, Severity::Warning, "2026-05-03");
    let mut drop = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-04");
    let mut stalled = episode(AlertType::TaskStalled, Severity::Warning, "2026-05-05");
    let entered = episode(AlertType::NeedsAttention, Severity::Info, "2026-05-06");
    for (client, episode) in
        [(ada.id, &inactive), (ada.id, &drop), (bob.id, &stalled), (bob.id, &entered)]
    {
        open(store, ours, client, episode).await;
    }
    drop.status = AlertStatus::Resolved;
    update(store, ours, &drop, None, now()).await;
    stalled.status = AlertStatus::Acknowledged;
    update(store, ours, &stalled, None, now()).await;

    let any = AlertFilter::default;
    let all = [entered.id, stalled.id, drop.id, inactive.id];
    let cases: [(AlertFilter, &[AlertId]); 10] = [
        (any(), &all),
        (AlertFilter { client: Some(ada.id), ..any() }, &all[2..]),
        (AlertFilter { open: Some(true), ..any() }, &[entered.id, stalled.id, inactive.id]),
        (AlertFilter { open: Some(false), ..any() }, &[drop.id]),
        (AlertFilter { status: Some(AlertStatus::Acknowledged), ..any() }, &[stalled.id]),
        (AlertFilter { kind: Some(AlertType::ScoreDrop), ..any() }, &[drop.id]),
        (AlertFilter { severity: Some(Severity::Warning), ..any() }, &[stalled.id, inactive.id]),
        (AlertFilter { before: Some(drop.id), ..any() }, &[inactive.id]),
        (AlertFilter { client: Some(ada.id), severity: Some(Severity::Info), ..any() }, &[]),
        (
            AlertFilter {
                client: Some(bob.id),
                open: Some(true),
                status: Some(AlertStatus::Active),
                kind: Some(AlertType::NeedsAttention),
                severity: Some(Severity::Info),
                before: None,
            },
            &[entered.id],
        ),
    ];
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    for (filter, expected) in cases {
        let found: Vec<AlertId> = tx
            .list_alerts(&filter, 100)
            .await
            .unwrap()
            .iter()
            .map(|alert| alert.episode.id)
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let page = tx.list_alerts(&any(), 3).await.unwrap();
    assert_eq!(page.len(), 3);
    let rest = AlertFilter { before: page.last().map(|alert| alert.episode.id), ..any() };
    assert_eq!(tx.list_alerts(&rest, 3).await.unwrap()[0].episode.id, inactive.id);
});

on_both_databases!(open_alerts_are_counted_by_severity, async |store| {
    let ours = organization(store, "UTC").await;
    let theirs = organization(store, "UTC").await;
    let when = "2026-05-03T10:00:00Z";
    for (organization, name) in [(ours, "ada"), (ours, "bob"), (theirs, "eve")] {
        let client = client(store, organization, name, "2026-05-01").await.id;
        for (kind, severity) in [
            (AlertType::ZeroActivity, Severity::Critical),
            (AlertType::ChurnRisk, Severity::Warning),
        ] {
            open(store, organization, client, &episode(kind, severity, when)).await;
        }
        let mut ended = episode(AlertType::NeedsAttention, Severity::Info, when);
        open(store, organization, client, &ended).await;
        ended.status = AlertStatus::Dismissed;
        update(store, organization, &ended, None, now()).await;
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let mut counts = tx.count_open_alerts().await.unwrap();
    counts.sort_unstable();
    assert_eq!(counts, [(Severity::Warning, 2), (Severity::Critical, 2)]);
});

on_both_databases!(an_alert_that_is_held_is_told_to_nobody_until_the_silence_ends, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-04-01").await;
    send(store, ours, &[event("ada", "1", EventType::Login, "2026-05-01T10:00:00Z")]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let (from, to) = (at("2026-05-01T04:00:00Z"), at("2026-05-01T10:00:00Z"));
    assert!(!tx.has_event(from, to).await.unwrap(), "the end is not part of it");
    assert!(tx.has_event(from, at("2026-05-01T10:00:01Z")).await.unwrap());
    assert_eq!(tx.find_last_event_before(now()).await.unwrap(), Some(to));
    assert_eq!(tx.find_last_event_before(to).await.unwrap(), None);

    tx.begin_data_silence(&stopped(to)).await.unwrap();
    let held = episode(AlertType::Inactivity, Severity::Warning, "2026-05-04");
    tx.open_alert(ada.id, &held, "", true).await.unwrap();
    assert_eq!(tx.count_held_alerts().await.unwrap(), 1);
    let silence = tx.find_data_silence().await.unwrap().unwrap();
    assert_eq!((silence.since, silence.held_alerts), (to, 1));
    assert_eq!(tx.list_alerts(&AlertFilter::default(), 10).await.unwrap(), []);
    assert_eq!(tx.count_open_alerts().await.unwrap(), []);
    assert!(tx.list_open_alerts_of(&[ada.id]).await.unwrap().is_empty());

    assert_eq!(tx.find_last_data_silence_end().await.unwrap(), None);
    tx.end_data_silence(at("2026-05-05")).await.unwrap();
    assert_eq!(tx.find_data_silence().await.unwrap(), None);
    assert_eq!(tx.find_last_data_silence_end().await.unwrap(), Some(at("2026-05-05")));
    let within =
        async |tx: &mut Tx, from, to| tx.list_data_silences_within(at(from), at(to)).await.unwrap();
    let whole = [(to, Some(at("2026-05-05")))];
    assert_eq!(within(&mut tx, "2026-05-04", "2026-05-09").await, whole);
    assert_eq!(within(&mut tx, "2026-05-05", "2026-05-09").await, []);
    assert_eq!(within(&mut tx, "2026-04-01", "2026-05-01").await, []);

    assert_eq!(tx.list_alerts(&AlertFilter::default(), 10).await.unwrap(), [], "it is still held");
    let chunk = everybody_in(&mut tx, now()).await;
    assert_eq!(tx.list_held_alerts(&chunk).await.unwrap(), [held.id].into());
    tx.release_alert(ada.id, held.id, at("2026-05-06")).await.unwrap();
    assert_eq!(tx.list_held_alerts(&chunk).await.unwrap(), [].into());
    assert_eq!(tx.list_alerts(&AlertFilter::default(), 10).await.unwrap().len(), 1);
    // The same silence again, of which the end came too early.
    tx.begin_data_silence(&stopped(to)).await.unwrap();
    assert!(tx.find_data_silence().await.unwrap().is_some());
});

on_both_databases!(what_a_member_did_at_an_instant_is_found_again, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-04-01").await.id;
    let (me, other) = (fresh(), fresh());
    let mut ids = Vec::new();
    for kind in [AlertType::ZeroActivity, AlertType::ScoreDrop, AlertType::ChurnRisk] {
        let mut one = episode(kind, Severity::Warning, "2026-05-04");
        open(store, ours, ada, &one).await;
        one.status = AlertStatus::Dismissed;
        let member = Some(if kind == AlertType::ChurnRisk { other } else { me });
        let change = AlertChange { action: "dismiss", member, note: "" };
        update(store, ours, &one, Some(&change), at("2026-05-05")).await;
        ids.push(one.id);
    }
    ids.sort_unstable();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let found = tx.list_alerts_acted_on(me, at("2026-05-05")).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|id| ids.contains(id)));
    assert_eq!(tx.list_alerts_acted_on(other, at("2026-05-05")).await.unwrap().len(), 1);
    assert_eq!(tx.list_alerts_acted_on(me, at("2026-05-06")).await.unwrap(), []);
});

on_both_databases!(a_part_of_the_data_is_known_by_how_many_clients_come, async |store| {
    let ours = organization(store, "UTC").await;
    for name in ["ada", "bob"] {
        client(store, ours, name, "2026-04-01").await;
        for (id, when) in [("1", "2026-05-01T08:00:00Z"), ("2", "2026-05-01T09:00:00Z")] {
            send(store, ours, &[event(name, id, EventType::Login, when)]).await;
        }
    }
    let late = [event("cleo", "1", EventType::Login, "2026-05-01T10:00:00Z")];
    send_to_roll_up(store, ours, &late, RollUp::Later).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.count_active_clients(day("2026-05-01")).await.unwrap(), 3);
    assert_eq!(tx.count_active_clients(day("2026-05-02")).await.unwrap(), 0);
    let (from, to) = (at("2026-05-01T08:00:00Z"), at("2026-05-01T10:00:00Z"));
    assert_eq!(tx.count_events(from, to).await.unwrap(), 4);
    let part = DataSilence { clients: Some((1, 3)), ..stopped(to) };
    tx.begin_data_silence(&part).await.unwrap();
    assert_eq!(tx.find_data_silence().await.unwrap(), Some(part));
});

on_both_databases!(what_came_with_a_key_is_counted_by_hours_and_clients, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) = (
        client(store, ours, "ada", "2026-04-01").await,
        client(store, ours, "bob", "2026-04-01").await,
    );
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let mut keys = Vec::new();
    for text in [1, 2, 3] {
        let key = NewApiKey {
            id: fresh(),
            kind: KeyKind::Write,
            hash: std::array::from_fn(|byte| ours.uuid().as_bytes()[byte % 16] ^ text),
            prefix: format!("mwk_{text}"),
            member: None,
            source: None,
            expires_at: None,
        };
        tx.create_api_key(&key, now()).await.unwrap();
        keys.push(key);
    }
    let [web, phone, old] = [keys[0].id, keys[1].id, keys[2].id];
    assert!(tx.revoke_api_key(old, now()).await.unwrap());
    let by_hash = tx.list_keys_by_hash().await.unwrap();
    assert_eq!(by_hash.get(keys[0].hash.as_slice()), Some(&web));
    assert_eq!(by_hash.len(), 2, "a revoked one brings nothing");

    let hour = |key, hour, events| KeyHour { key, hour, events };
    tx.add_key_activity(&[hour(web, 10, 2), hour(web, 12, 1), hour(phone, 10, 5)]).await.unwrap();
    tx.add_key_activity(&[hour(web, 10, 3)]).await.unwrap();
    assert_eq!(tx.count_key_events(10, 12).await.unwrap(), [(web, 5), (phone, 5)].into());
    assert_eq!(tx.list_last_key_hours(12).await.unwrap(), [(web, 10), (phone, 10)].into());
    tx.delete_key_activity(12).await.unwrap();
    assert_eq!(tx.count_key_events(0, 99).await.unwrap(), [(web, 1)].into());

    let seen = |client_id: &str, key| ClientKey { client_id: client_id.to_owned(), key };
    let nobody = seen("nobody", web);
    tx.add_client_keys(day("2026-05-01"), &[seen("ada", web), nobody]).await.unwrap();
    tx.add_client_keys(day("2026-05-02"), &[seen("ada", web), seen("bob", web)]).await.unwrap();
    // A day counts once, however often it is told.
    for _ in 0..3 {
        let seen = [seen("ada", phone), seen("bob", phone)];
        tx.add_client_keys(day("2026-05-03"), &seen).await.unwrap();
    }
    let chunk = everybody_in(&mut tx, now()).await;
    assert_eq!(tx.find_usual_keys(&chunk).await.unwrap(), [(ada.id, web), (bob.id, phone)].into());

    let (since, noticed) = (at("2026-05-04T10:00:00Z"), at("2026-05-04T16:00:00Z"));
    tx.begin_key_silence(web, since, noticed).await.unwrap();
    tx.begin_key_silence(old, since, noticed).await.unwrap();
    let silence = KeySilence { key: web, prefix: "mwk_1".to_owned(), since, noticed_at: noticed };
    assert_eq!(tx.list_key_silences().await.unwrap(), [silence]);
    tx.end_key_silence(web, at("2026-05-05")).await.unwrap();
    assert_eq!(tx.list_key_silences().await.unwrap(), []);
    let ended = tx.list_key_silence_ends(since).await.unwrap();
    assert_eq!(ended, [(web, at("2026-05-05"))].into());
    assert_eq!(tx.list_key_silence_ends(at("2026-05-05")).await.unwrap(), [].into());
});

on_both_databases!(
    those_of_whom_an_open_alert_says_that_they_are_silent_are_found,
    async |store| {
        let ours = organization(store, "Europe/Berlin").await;
        let mut ids = Vec::new();
        for name in ["ada", "bob", "cleo"] {
            ids.push(client(store, ours, name, "2026-04-01").await.id);
        }
        let names = ["ada", "bob", "cleo", "other-bob", "nobody"];
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.list_clients_in_silence(&names).await.unwrap(), []);
        drop(tx);
        let silent = episode(AlertType::ZeroActivity, Severity::Critical, "2026-05-04");
        let mut ended = episode(AlertType::Inactivity, Severity::Warning, "2026-05-04");
        let drop_of_score = episode(AlertType::ScoreDrop, Severity::Warning, "2026-05-04");
        open(store, ours, ids[1], &silent).await;
        open(store, ours, ids[0], &ended).await;
        open(store, ours, ids[2], &drop_of_score).await;
        ended.status = AlertStatus::Resolved;
        ended.ending = Some(Ending::Recovered);
        ended.condition_ended_at = Some(now());
        update(store, ours, &ended, None, now()).await;
        assert_eq!(read(store, ours, ended.id).await.episode.ending, Some(Ending::Recovered));
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let zone = time_zone("Europe/Berlin").unwrap();
        tx.merge_client("other-bob", "bob", &zone, now()).await.unwrap();
        let found = async |tx: &mut Tx, names: &[&str]| -> Vec<String> {
            let found = tx.list_clients_in_silence(names).await.unwrap();
            found.into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(found(&mut tx, &names).await, ["bob"]);
        assert_eq!(found(&mut tx, &["other-bob"]).await, ["bob"], "by another name");
        assert!(found(&mut tx, &["ada", "cleo"]).await.is_empty());
    }
);
