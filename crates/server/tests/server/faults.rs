//! Faults of our own, put in by tests: one item, one loop for a moment, or the process, and never more.

use jiff::SignedDuration;
use mainstay::job::Worker;
use mainstay_core::{job::Job, notification::MessageState};
use mainstay_store::{RunState, Scope};
use serde_json::json;

on_both_databases!(an_event_that_panics_is_refused_and_those_with_it_are_stored, async |world| {
    world.mainstay.supervisor().inject_panic("event poison", 1_000);
    let events: Vec<_> = (0..25)
        .map(|number| {
            let name = if number % 12 == 5 { "poison" } else { "login" };
            json!({"client_id": "ada", "event": name, "message_id": format!("m{number}")})
        })
        .collect();
    let taken = world.post(&world.acme.write_key, "/api/v1/events", events.into()).await.json(200);
    assert_eq!((&taken["stored"], &taken["duplicates"]), (&json!(23), &json!(0)), "{taken}");
    let refused = taken["refused"].as_array().unwrap();
    let places: Vec<_> = refused.iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert_eq!(places, [5, 17]);
    assert!(refused[0]["reason"].as_str().unwrap().contains("an internal error"), "{taken}");
    // Others continue, and nothing is not running.
    let event = json!({"client_id": "zoe", "event": "login"});
    world.post(&world.rival.write_key, "/api/v1/events", event).await.json(200);
    world.send(world.request("GET", "/readyz")).await.json(200);
});

on_both_databases!(a_fault_with_every_event_has_them_sent_again_and_stores_none, async |world| {
    world.mainstay.supervisor().inject_panic("event login", 1_000);
    let events: Vec<_> = (0..100)
        .map(|number| json!({"client_id": "ada", "event": "login", "message_id": format!("m{number}")}))
        .collect();
    let answer = world.post(&world.acme.write_key, "/api/v1/events", events.clone().into()).await;
    answer.problem(503);
    assert_eq!(answer.headers["retry-after"], "1");
    world.mainstay.supervisor().inject_panic("event login", 0);
    let taken = world.post(&world.acme.write_key, "/api/v1/events", events.into()).await.json(200);
    let known = |field: &str| taken[field].as_u64().unwrap();
    assert_eq!(known("stored") + known("duplicates"), 100, "{taken}");
});

on_both_databases!(a_job_that_panics_fails_with_its_cause_and_is_tried_again, async |world| {
    world.mainstay.supervisor().inject_panic("job run", 1);
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    world.mainstay.start_job(world.acme.id, Job::Daily).await.unwrap();
    world.mainstay.start_job(world.rival.id, Job::Daily).await.unwrap();
    for tenant in [world.acme.id, world.rival.id] {
        assert!(world.mainstay.run_next_job(tenant, &worker).await.unwrap());
    }
    let run = async |tenant| {
        let runs = world.mainstay.job_runs(Scope::Service(tenant), Some(Job::Daily), 1).await;
        runs.unwrap().remove(0)
    };
    let failed = run(world.acme.id).await;
    assert_ne!(failed.state, RunState::Succeeded);
    let error = failed.error.unwrap();
    assert!(error.contains("a panic injected at job run"), "{error}");
    assert_eq!(run(world.rival.id).await.state, RunState::Succeeded);
    world.clock.advance_hours(24);
    assert!(world.mainstay.run_next_job(world.acme.id, &worker).await.unwrap());
    assert_eq!(run(world.acme.id).await.state, RunState::Succeeded);
});

on_both_databases!(a_playbook_that_panics_for_one_client_acts_for_the_others, async |world| {
    let key = &world.acme.secret_key;
    let body = json!({
        "name": "Call", "trigger": {"on": "alert", "type": "zero_activity", "at_least": "critical"},
        "actions": [{"do": "task", "title": "Call", "text": "Ask.", "due_in_days": 1}, {"do": "nudge"}],
    });
    world.post(key, "/api/v1/playbooks", body).await.json(201);
    for name in ["ada", "bob", "eve"] {
        let client = json!({"client_id": name, "email": format!("{name}@example.com")});
        world.post(key, "/api/v1/clients", client).await.json(201);
        let path = format!("/api/v1/clients/{name}/email-subscription");
        world.put(key, &path, json!({"state": "subscribed"})).await.json(200);
    }
    world.clock.advance_hours(73);
    world.mainstay.supervisor().inject_panic("playbook run", 1);
    // Three for those who fall silent, whom the check asks back too, and one for the playbook.
    world.mainstay.supervisor().inject_panic("nudge", 4);
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    world.mainstay.start_job(world.acme.id, Job::Hourly).await.unwrap();
    assert!(world.mainstay.run_next_job(world.acme.id, &worker).await.unwrap());
    let scope = Scope::Service(world.acme.id);
    let run = world.mainstay.job_runs(scope, Some(Job::Hourly), 1).await.unwrap().remove(0);
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.error);
    let tasks = world.get(key, "/api/v1/staff-tasks").await.json(200);
    assert_eq!(tasks["staff_tasks"].as_array().unwrap().len(), 2, "{tasks}");
    // What went wrong is shown with the alert.
    let open = world.get(key, "/api/v1/alerts?open=true").await.json(200);
    let mut shown = Vec::new();
    for alert in open["alerts"].as_array().unwrap() {
        let path = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());
        let alert = world.get(key, &path).await.json(200);
        for run in alert["playbooks"].as_array().unwrap() {
            for field in ["failed_because", "not_nudged_because"] {
                shown.extend(run[field].as_str().map(|reason| (field, reason.to_owned())));
            }
        }
    }
    shown.sort_unstable();
    assert_eq!(
        shown.iter().map(|(field, _)| *field).collect::<Vec<_>>(),
        ["failed_because", "not_nudged_because"]
    );
    assert!(shown[0].1.contains("a panic injected at playbook run"), "{shown:?}");
    assert!(shown[1].1.contains("a panic injected at nudge"), "{shown:?}");
});

on_both_databases!(
    a_webhook_message_that_panics_is_tried_again_and_the_others_arrive,
    async |world| {
        let receiver = crate::notifications::receiver::Receiver::start().await;
        let mut hooks = Vec::new();
        for path in ["/a", "/b"] {
            let hook = crate::notifications::webhook(world, &receiver.url(path), json!({})).await;
            let test = format!("/api/v1/webhooks/{}/test", hook["id"].as_str().unwrap());
            world.send(world.request("POST", &test).bearer_auth(&world.acme.owner)).await.json(202);
            hooks.push(hook);
        }
        world.mainstay.supervisor().inject_panic("webhook message", 1);
        crate::notifications::courier(world).deliver_due().await.unwrap();
        assert_eq!(receiver.got().len(), 1);
        let mut waiting = Vec::new();
        for hook in &hooks {
            let message = crate::notifications::deliveries(world, hook).await.remove(0).message;
            if message.state == MessageState::Queued {
                waiting.push(message.reason.unwrap_or_default());
            }
        }
        assert_eq!(waiting.len(), 1);
        assert!(waiting[0].contains("a panic injected at webhook message"), "{waiting:?}");
        world.clock.advance_hours(24);
        crate::notifications::courier(world).deliver_due().await.unwrap();
        assert_eq!(receiver.got().len(), 2);
    }
);
