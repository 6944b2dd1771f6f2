//! Playbooks, what started them, and whether clients recovered.

use jiff::SignedDuration;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Severity},
    engagement::EventType,
    id::{ClientId, EmailId},
    playbook::{ActionOutcome, BandChange, Setback, StaffTaskState, Tally, suggestions},
    score::Band,
};
use mainstay_store::{
    AlertChange, NewPlaybookRun, PlaybookRun, Scope, StoredPlaybook, TriggerSource, WaitReason,
};

use crate::{
    alerts::{episode, open, stopped, update},
    fixtures::{at, client, day, event, everybody, found, fresh, now, organization, send},
    isolation::store_scores,
    staff_tasks::staff_task,
};

pub(crate) fn playbook(name: &str) -> StoredPlaybook {
    let mut playbook = suggestions().remove(0);
    name.clone_into(&mut playbook.name);
    StoredPlaybook { id: fresh(), enabled: true, playbook, created_at: now(), changed_at: now() }
}

pub(crate) fn fall() -> BandChange {
    BandChange { from: Band::Good, to: Band::AtRisk }
}

pub(crate) fn run(
    of: &StoredPlaybook,
    client: ClientId,
    trigger_source: TriggerSource,
) -> NewPlaybookRun {
    NewPlaybookRun {
        id: fresh(),
        playbook: of.id,
        name: of.playbook.name.clone(),
        client,
        trigger_source,
        found_at: now(),
        waits: None,
    }
}

on_both_databases!(a_playbook_is_kept_as_it_was_decided, async |store| {
    let ours = organization(store, "UTC").await;
    let first = playbook("Ünïcode '\"\\ 👋");
    let mut second = playbook("Second");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.save_playbook(&first).await.unwrap();
    tx.save_playbook(&second).await.unwrap();
    second.enabled = false;
    second.changed_at = at("2026-06-01");
    tx.save_playbook(&second).await.unwrap();
    let mut expected = vec![first.clone(), second.clone()];
    expected.sort_by_key(|one| one.id);
    assert_eq!(tx.list_playbooks().await.unwrap(), expected);
    assert_eq!(tx.find_playbook(second.id).await.unwrap(), Some(second));
    assert!(tx.delete_playbook(first.id).await.unwrap());
    assert!(!tx.delete_playbook(first.id).await.unwrap());
    assert_eq!(tx.find_playbook(first.id).await.unwrap(), None);
});

on_both_databases!(a_playbook_starts_once_for_an_episode_and_once_for_a_day, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let alert = episode(AlertType::Inactivity, Severity::Warning, "2026-05-20T10:00:00Z");
    open(store, ours, ada, &alert).await;
    let (one, other) = (playbook("One"), playbook("Other"));
    let band = |text| TriggerSource::Band { day: day(text), change: fall() };
    let occasions = [TriggerSource::Alert(alert.id), band("2026-05-19")];
    for _ in 0..2 {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let runs: Vec<_> = [&one, &other]
            .into_iter()
            .flat_map(|of| occasions.map(|trigger_source| run(of, ada, trigger_source)))
            .chain([run(&one, bob, band("2026-05-19")), run(&one, ada, band("2026-05-20"))])
            .collect();
        let before = tx.list_client_playbook_runs(ada, 100).await.unwrap();
        let new = tx.create_playbook_runs(&runs).await.unwrap();
        let expected = if before.is_empty() { runs.len() } else { 0 };
        assert_eq!(new.len(), expected);
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let of_alert = tx.list_playbook_runs_of(&[alert.id, fresh()]).await.unwrap();
    assert_eq!(of_alert.len(), 1);
    let kept = &of_alert[&alert.id];
    assert_eq!(kept.len(), 2);
    let first: &PlaybookRun = kept.iter().find(|run| run.playbook == one.id).unwrap();
    assert_eq!((first.client, first.name.as_str()), (ada, "One"));
    assert_eq!(first.trigger_source, TriggerSource::Alert(alert.id));
    assert_eq!((first.started_at, first.recovered_at), (Some(now()), None));
    let deeds = [
        ActionOutcome::EmailQueued { email: fresh::<EmailId>() },
        ActionOutcome::EmailSkipped { reason: "it has not asked for mails".to_owned() },
        ActionOutcome::Failed { reason: "a fault".to_owned() },
    ];
    tx.set_action_outcomes(first.id, &deeds).await.unwrap();
    let again = tx.list_playbook_runs_of(&[alert.id]).await.unwrap();
    let again = again[&alert.id].iter().find(|run| run.id == first.id).unwrap();
    assert_eq!(again.deeds, deeds);
    // What it did outlives the playbook, but not the client.
    tx.save_playbook(&one).await.unwrap();
    assert!(tx.delete_playbook(one.id).await.unwrap());
    let runs = tx.list_client_playbook_runs(ada, 100).await.unwrap();
    assert_eq!(runs.len(), 5);
    let bands: Vec<_> = runs.iter().map(|run| run.trigger_source).collect();
    assert!(bands.contains(&band("2026-05-20")));
    assert_eq!(tx.list_client_playbook_runs(ada, 2).await.unwrap().len(), 2);
    tx.delete_client(ada, now()).await.unwrap();
    assert_eq!(tx.list_client_playbook_runs(ada, 100).await.unwrap(), []);
    assert_eq!(tx.list_client_playbook_runs(bob, 100).await.unwrap().len(), 1);
});

on_both_databases!(what_waits_is_started_once_or_forgotten, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let mut one = playbook("One");
    let waits = |of: &StoredPlaybook| NewPlaybookRun {
        waits: Some(WaitReason::Data),
        ..run(of, ada, TriggerSource::Alert(fresh()))
    };
    let everybody = everybody(store, ours, now()).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.save_playbook(&one).await.unwrap();
    let runs = [waits(&one), waits(&one), waits(&one)];
    assert_eq!(tx.create_playbook_runs(&runs).await.unwrap().len(), 3);
    let waiting = tx.list_waiting_playbook_runs(&everybody).await.unwrap();
    assert_eq!(waiting[&ada].len(), 3);
    assert!(waiting[&ada].iter().all(|run| run.started_at.is_none()));
    assert!(tx.start_waiting_run(runs[0].id, at("2026-05-21")).await.unwrap());
    assert!(!tx.start_waiting_run(runs[0].id, at("2026-05-22")).await.unwrap());
    tx.delete_waiting_run(runs[1].id).await.unwrap();
    // What has started is not forgotten.
    tx.delete_waiting_run(runs[0].id).await.unwrap();
    let left = tx.list_waiting_playbook_runs(&everybody).await.unwrap();
    assert_eq!(left[&ada].iter().map(|run| run.id).collect::<Vec<_>>(), [runs[2].id]);
    one.enabled = false;
    tx.save_playbook(&one).await.unwrap();
    assert!(tx.list_waiting_playbook_runs(&everybody).await.unwrap().is_empty());
    let kept = tx.list_client_playbook_runs(ada, 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].started_at, Some(at("2026-05-21")));
});

on_both_databases!(
    what_waits_for_a_person_is_counted_and_is_no_longer_data_s_business,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-05-01").await;
        let (one, other) = (playbook("One"), playbook("Other"));
        let waits = |of: &StoredPlaybook, waits| NewPlaybookRun {
            waits,
            ..run(of, ada.id, TriggerSource::Alert(fresh()))
        };
        let everybody = everybody(store, ours, now()).await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.save_playbook(&one).await.unwrap();
        tx.save_playbook(&other).await.unwrap();
        let runs = [
            waits(&one, Some(WaitReason::Approval)),
            waits(&one, Some(WaitReason::Data)),
            waits(&one, None),
            waits(&other, Some(WaitReason::Approval)),
        ];
        tx.create_playbook_runs(&runs).await.unwrap();
        let since = now().checked_sub(SignedDuration::from_hours(1)).unwrap();
        let counts = tx.count_playbook_runs(since).await.unwrap();
        assert_eq!(counts, [(one.id, 3), (other.id, 1)].into());
        assert_eq!(tx.count_playbook_runs(now()).await.unwrap(), [].into());
        let waiting = tx.list_waiting_playbook_runs(&everybody).await.unwrap();
        assert_eq!(waiting[&ada.id].iter().map(|run| run.id).collect::<Vec<_>>(), [runs[1].id]);
        let to_approve = tx.count_runs_to_approve().await.unwrap();
        assert_eq!(to_approve, [(one.id, 1), (other.id, 1)].into());

        tx.await_approval(runs[1].id).await.unwrap();
        tx.await_approval(runs[2].id).await.unwrap();
        assert!(tx.list_waiting_playbook_runs(&everybody).await.unwrap().is_empty());
        let found = tx.list_runs_to_approve(one.id, 9).await.unwrap();
        let ids: Vec<_> = found.iter().map(|(run, ..)| run.id).collect();
        assert_eq!(ids.len(), 2, "what has started does not wait: {ids:?}");
        assert!(ids.contains(&runs[0].id) && ids.contains(&runs[1].id));
        assert_eq!((found[0].1.id, found[0].2.as_str()), (ada.id, "ada"));
        assert!(found[0].0.needs_approval);
        assert_eq!(tx.list_runs_to_approve(one.id, 1).await.unwrap().len(), 1);
        assert_eq!(tx.delete_runs_to_approve(other.id).await.unwrap(), 1);
        assert!(tx.start_waiting_run(runs[0].id, now()).await.unwrap());
        assert_eq!(tx.count_runs_to_approve().await.unwrap(), [(one.id, 1)].into());
    }
);

on_both_databases!(setbacks_are_told_until_the_client_has_recovered, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let quiet = episode(AlertType::Inactivity, Severity::Warning, "2026-05-10T10:00:00Z");
    let mut drop = episode(AlertType::ScoreDrop, Severity::Critical, "2026-05-12T10:00:00Z");
    drop.figures = [("overall", 40), ("previous", 75)]
        .map(|(name, points)| (name.to_owned(), points.into()))
        .into_iter()
        .collect();
    let old = episode(AlertType::TaskStalled, Severity::Warning, "2026-05-01T10:00:00Z");
    let held = episode(AlertType::ChurnRisk, Severity::Warning, "2026-05-12T10:00:00Z");
    for alert in [&quiet, &drop, &old] {
        open(store, ours, ada, alert).await;
    }
    // What it says later is not what it is measured by.
    drop.figures.insert("overall".to_owned(), 30.into());
    update(store, ours, &drop, None, now()).await;
    let chunk = everybody(store, ours, now()).await;
    let since = at("2026-05-05");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.open_alert(bob, &held, "", true).await.unwrap();
    let told = tx.list_unrecovered_alerts(&chunk, since).await.unwrap();
    assert_eq!(told.len(), 1, "bob's is held");
    let silence = Setback::Alert { kind: quiet.kind, at: quiet.opened_at, score: None };
    let fell = Setback::Alert { kind: drop.kind, at: drop.opened_at, score: Some((40, Some(75))) };
    let mut alerts = told[&ada].clone();
    alerts.sort_by_key(|(_, setback)| setback.at());
    assert_eq!(alerts, [(quiet.id, silence), (drop.id, fell)]);
    tx.set_alert_recovered(quiet.id, at("2026-05-13")).await.unwrap();
    tx.set_alert_recovered(quiet.id, at("2026-05-14")).await.unwrap();
    assert_eq!(
        tx.find_alert(quiet.id).await.unwrap().unwrap().recovered_at,
        Some(at("2026-05-13"))
    );
    assert_eq!(tx.list_unrecovered_alerts(&chunk, since).await.unwrap()[&ada], [(drop.id, fell)]);

    let kept = playbook("One");
    let rise = BandChange { from: Band::AtRisk, to: Band::Good };
    let runs = [fall(), rise].map(|change| {
        run(
            &kept,
            ada,
            TriggerSource::Band {
                day: day(&format!("2026-05-{}", change.from as u8 + 10)),
                change,
            },
        )
    });
    tx.create_playbook_runs(&runs).await.unwrap();
    let falls = tx.list_unrecovered_falls(&chunk, since).await.unwrap();
    let into = Setback::Fall { into: Band::AtRisk, at: now() };
    assert_eq!(falls[&ada], [(runs[0].id, into)], "a rise is no setback");
    tx.set_run_recovered(runs[0].id, at("2026-05-21")).await.unwrap();
    assert!(tx.list_unrecovered_falls(&chunk, since).await.unwrap().is_empty());
});

on_both_databases!(what_came_of_alerts_and_playbooks_is_counted, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let (one, other) = (playbook("One"), playbook("Other"));
    let ended = |when: &str| {
        let mut alert = episode(AlertType::Inactivity, Severity::Warning, when);
        alert.status = AlertStatus::Resolved;
        alert
    };
    // Too early to count; ignored; acknowledged; dismissed; a task done; recovered; undecided.
    let alerts = [
        "2026-02-01",
        "2026-04-01",
        "2026-04-02",
        "2026-04-03",
        "2026-04-04",
        "2026-04-05",
        "2026-05-15",
    ]
    .map(ended);
    for alert in &alerts {
        open(store, ours, ada.id, alert).await;
        let acted = AlertChange { action: "resolved", member: None, note: "" };
        update(store, ours, alert, Some(&acted), alert.opened_at).await;
    }
    for (place, action) in [(2, "acknowledge"), (3, "dismiss")] {
        let acted = AlertChange { action, member: None, note: "" };
        update(store, ours, &alerts[place], Some(&acted), now()).await;
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let runs = alerts.each_ref().map(|alert| run(&one, ada.id, TriggerSource::Alert(alert.id)));
    tx.create_playbook_runs(&runs).await.unwrap();
    let fell = run(&other, ada.id, TriggerSource::Band { day: day("2026-05-19"), change: fall() });
    tx.create_playbook_runs(std::slice::from_ref(&fell)).await.unwrap();
    let mut done = staff_task(&ada, "2026-05-21");
    (done.alert, done.run) = (Some(alerts[4].id), Some(runs[4].id));
    tx.create_staff_tasks(std::slice::from_ref(&done)).await.unwrap();
    done.state = StaffTaskState::Done;
    assert!(tx.update_staff_task(&done).await.unwrap());
    tx.set_alert_recovered(alerts[5].id, at("2026-04-06")).await.unwrap();
    let (since, undecided) = (at("2026-03-01"), at("2026-05-06"));
    assert_eq!(
        tx.list_alert_tallies(since, undecided).await.unwrap(),
        [(AlertType::Inactivity, Tally { opened: 6, acted_on: 2, recovered: 1, undecided: 1 })]
    );
    let tallies = tx.list_playbook_tallies(since, undecided).await.unwrap();
    assert_eq!(tallies[&one.id], Tally { opened: 7, acted_on: 2, recovered: 1, undecided: 1 });
    assert_eq!(tallies[&other.id], Tally { opened: 1, acted_on: 0, recovered: 0, undecided: 1 });
    tx.set_run_recovered(fell.id, now()).await.unwrap();
    let tallies = tx.list_playbook_tallies(since, undecided).await.unwrap();
    assert_eq!(tallies[&other.id], Tally { opened: 1, acted_on: 0, recovered: 1, undecided: 0 });
});

on_both_databases!(what_a_silence_of_the_data_held_back_counts_when_it_was_told, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let alert = || episode(AlertType::Inactivity, Severity::Warning, "2026-05-20T08:00:00Z");
    let (back, gone) = (alert(), alert());
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.begin_data_silence(&stopped(at("2026-05-18"))).await.unwrap();
    tx.open_alert(ada, &back, "", true).await.unwrap();
    tx.open_alert(bob, &gone, "", true).await.unwrap();
    assert_eq!(tx.list_alert_tallies(at("2026-05-01"), now()).await.unwrap(), []);
    // Ended before it was released: nobody was told.
    let mut ended = back;
    ended.status = AlertStatus::Resolved;
    tx.update_alert(&ended, None, now()).await.unwrap();
    tx.release_alert(bob, gone.id, now()).await.unwrap();
    let counted = tx.list_alert_tallies(at("2026-05-01"), now()).await.unwrap();
    assert_eq!(counted, [(AlertType::Inactivity, Tally { opened: 1, ..Tally::default() })]);
});

on_both_databases!(the_latest_score_of_each_client_is_found_on_any_day, async |store| {
    let ours = organization(store, "UTC").await;
    send(store, ours, &[event("ada", "1", EventType::Login, "2026-05-01T09:00:00Z")]).await;
    send(store, ours, &[event("bob", "1", EventType::Login, "2026-05-01T09:00:00Z")]).await;
    let (ada, bob) = (found(store, ours, "ada").await, found(store, ours, "bob").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.lock_known_clients().await.unwrap();
    store_scores(&mut tx, "2026-05-02T12:00:00Z").await;
    tx.commit().await.unwrap();
    client(store, ours, "cleo", "2026-05-03").await;
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let days = (day("2026-04-20"), day("2026-05-20"));
    let latest = tx.list_latest_scores(&chunk, days).await.unwrap();
    assert_eq!(latest.len(), 2, "cleo has none");
    assert_eq!(latest[&ada.id].as_of, at("2026-05-02T12:00:00Z"));
    assert_eq!(latest[&bob.id].model, 1);
    store_scores(&mut tx, "2026-05-04T12:00:00Z").await;
    let latest = tx.list_latest_scores(&chunk, days).await.unwrap();
    assert_eq!(latest.len(), 3);
    assert_eq!(latest[&ada.id].as_of, at("2026-05-04T12:00:00Z"));
    let earlier = (day("2026-04-20"), day("2026-05-03"));
    let latest = tx.list_latest_scores(&chunk, earlier).await.unwrap();
    assert_eq!(latest[&ada.id].as_of, at("2026-05-02T12:00:00Z"));
    assert!(tx.list_latest_scores(&chunk, (days.0, days.0)).await.unwrap().is_empty());
});
