//! Merges of clients: by those who may, a little at a time, and back again.

use jiff::{SignedDuration, ToSpan as _};
use serde_json::{Value, json};

use crate::support::World;

async fn send(world: &World, client: &str, count: usize) {
    // From 2000 on, a day each: how long ago it was must not matter.
    let first = jiff::Timestamp::constant(946_728_000, 0);
    let event = |number: usize| {
        let days = i64::try_from(number % 9_000).unwrap() * 24;
        json!({"client_id": client, "event": "content_generated",
               "message_id": format!("{client}-{number}"), "timestamp": first + days.hours()})
    };
    let events: Vec<Value> = (0..count).map(event).collect();
    for events in events.chunks(2_500) {
        let taken = world.post(&world.acme.secret_key, "/api/v1/events", json!(events)).await;
        assert_eq!(taken.json(200)["stored"], events.len());
    }
}

async fn content(world: &World, client: &str) -> i64 {
    let path = format!("/api/v1/clients/{client}/score");
    let score = world.get(&world.acme.owner, &path).await.json(200);
    score["evidence"]["facts"]["content_generated"].as_i64().unwrap_or_else(|| panic!("{score:#}"))
}

async fn merge(world: &World, into: &str, previous: &str) -> Value {
    let path = format!("/api/v1/clients/{into}/merge");
    let body = json!({"previous_id": previous});
    world.post(&world.acme.secret_key, &path, body).await.json(202)
}

on_both_databases!(
    a_small_merge_is_done_when_it_answers_and_can_be_undone_for_a_month,
    async |world| {
        send(world, "ada", 3).await;
        send(world, "lead", 4).await;
        let merged = merge(world, "ada", "lead").await;
        assert_eq!((&merged["state"], &merged["events"]), (&json!("done"), &json!(4)));
        assert_eq!((&merged["previous_id"], &merged["client_id"]), (&json!("lead"), &json!("ada")));
        assert_eq!(merged["undo_until"], "2026-05-31T12:00:00Z");
        let owner = &world.acme.owner;
        let read = world.get(owner, "/api/v1/clients/lead").await.json(200);
        assert_eq!(read["client_id"], "ada");
        assert_eq!(content(world, "ada").await, 7);
        let listed = world.get(&world.acme.staff, "/api/v1/merges?client_id=ada").await.json(200);
        assert_eq!(listed["merges"], json!([merged]));
        let again = json!({"previous_id": "lead"});
        world.post(owner, "/api/v1/clients/ada/merge", again).await.problem(409);
        let unknown = json!({"previous_id": "nobody"});
        let problem = world.post(owner, "/api/v1/clients/ada/merge", unknown).await.problem(422);
        assert_eq!(problem["field"], "previous_id");

        let undo = format!("/api/v1/merges/{}/undo", merged["id"].as_str().unwrap());
        world.post(&world.acme.staff, &undo, Value::Null).await.problem(403);
        let undone = world.post(owner, &undo, Value::Null).await.json(202);
        assert_eq!(undone["state"], "undone");
        assert!(undone["undone_by"].is_string() && undone["requested_by"].is_null(), "{undone}");
        assert_eq!((content(world, "ada").await, content(world, "lead").await), (3, 4));
        world.post(owner, &undo, Value::Null).await.problem(409);

        let merged = merge(world, "ada", "lead").await;
        let undo = format!("/api/v1/merges/{}/undo", merged["id"].as_str().unwrap());
        world.clock.set(world.mainstay.now() + SignedDuration::from_hours(30 * 24));
        let late = world.post(&world.acme.secret_key, &undo, Value::Null).await.problem(409);
        assert!(late["detail"].as_str().unwrap().contains("30 days"), "{late}");
        world.tick();
        while world.mainstay.run_merges().await.unwrap() {}
        let path = format!("/api/v1/merges/{}", merged["id"].as_str().unwrap());
        let settled = world.get(&world.acme.secret_key, &path).await.json(200);
        assert_eq!(settled["state"], "settled");
    }
);

on_both_databases!(a_large_merge_goes_on_beside_everything_else, async |world| {
    send(world, "ada", 3).await;
    send(world, "lead", 6_000).await;
    let merged = merge(world, "ada", "lead").await;
    assert_eq!((&merged["state"], &merged["events"]), (&json!("merging"), &json!(5_000)));
    assert_eq!(merged["undo_until"], Value::Null);
    // Both ids continue working, and every event is one client's or the other's.
    assert_eq!(content(world, "ada").await + content(world, "lead").await, 6_003);
    let event = json!({"client_id": "lead", "event": "content_generated", "message_id": "new"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    // What happens at this very instant counts from the next one on.
    world.tick();
    let path = format!("/api/v1/merges/{}", merged["id"].as_str().unwrap());
    let undo = format!("{path}/undo");
    world.post(&world.acme.owner, &undo, Value::Null).await.problem(409);
    // A step that panics is tried again.
    world.mainstay.supervisor().inject_panic("merge step", 1);
    assert!(!world.mainstay.run_merges().await.unwrap());
    while world.mainstay.run_merges().await.unwrap() {}
    let done = world.get(&world.acme.staff, &path).await.json(200);
    assert_eq!((&done["state"], &done["events"]), (&json!("done"), &json!(6_001)));
    assert_eq!(content(world, "ada").await, 6_004);
    let undone = world.post(&world.acme.owner, &undo, Value::Null).await.json(202);
    assert_eq!(undone["state"], "undoing");
    while world.mainstay.run_merges().await.unwrap() {}
    assert_eq!((content(world, "ada").await, content(world, "lead").await), (3, 6_001));
    let verified = world.mainstay.verify(world.acme.id, |_| {}).await.unwrap();
    assert_eq!(verified.differences, []);
});

on_both_databases!(a_request_merges_a_few_pairs_and_refuses_the_rest_in_words, async |world| {
    let event = |number: usize, at: &str| {
        json!({"client_id": format!("c{number}"), "event": "login", "timestamp": at,
               "message_id": format!("{number}-{at}")})
    };
    let events: Vec<Value> = (0..200)
        .flat_map(|n| [event(n, "2000-01-01T00:00:00Z"), event(n, "2026-05-01T09:00:00Z")])
        .collect();
    world.post(&world.acme.secret_key, "/api/v1/events", json!(events)).await.json(200);
    let alias = |number: usize| {
        json!({"type": "alias", "previousId": format!("c{number}"),
               "userId": format!("c{}", number + 1)})
    };
    let chain: Vec<Value> = (0..199).map(alias).collect();
    let body = json!({ "batch": chain });
    let refused = world.post(&world.acme.write_key, "/v1/batch", body.clone()).await.json(200);
    assert_eq!(refused["success"], false);
    assert_eq!(refused["refused"].as_array().unwrap().len(), 199);

    let taken = world.post(&world.acme.secret_key, "/v1/batch", body).await.json(200);
    let refused = taken["refused"].as_array().unwrap();
    assert_eq!((refused.len(), &refused[0]["index"]), (189, &json!(10)));
    let reason = refused[0]["reason"].as_str().unwrap();
    assert!(reason.contains("at most 10") && reason.contains("another request"), "{reason}");
    while world.mainstay.run_merges().await.unwrap() {}
    let first = world.get(&world.acme.owner, "/api/v1/clients/c0").await.json(200);
    assert_eq!(first["client_id"], "c10");
    let merges = world.get(&world.acme.owner, "/api/v1/merges").await.json(200);
    let merges = merges["merges"].as_array().unwrap();
    assert_eq!(merges.len(), 10);
    assert!(merges.iter().all(|merge| merge["state"] == "done"), "{merges:?}");
    // Names of ids that nothing is known of cost next to nothing, and are not counted.
    let names: Vec<Value> = (0..50)
        .map(|n| json!({"type": "alias", "previousId": format!("name-{n}"), "userId": "c150"}))
        .collect();
    let taken = world.post(&world.acme.secret_key, "/v1/batch", json!({ "batch": names })).await;
    assert_eq!(taken.json(200), json!({"success": true}));
});
