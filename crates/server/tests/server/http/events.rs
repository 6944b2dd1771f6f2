//! `/api/v1/events` and the timeline that shows them.

use mainstay::{
    Error,
    engagement::{MessageOutcome, Source},
};
use mainstay_core::engagement::{IncomingEvent, segment::IncomingMessage, validate};
use mainstay_store::Scope;
use serde_json::{Value, json};

use crate::support::{NOW, World};

const EVENTS: &str = "/api/v1/events";

on_both_databases!(the_same_event_is_stored_once_however_it_is_sent, async |world| {
    let key = &world.acme.write_key;
    let event = json!({
        "client_id": "ada", "event": "login", "message_id": "m-1",
        "timestamp": "2026-05-01T09:30:00Z",
    });
    let taken = world.post(key, EVENTS, event.clone()).await.json(200);
    assert_eq!(taken, json!({"stored": 1, "duplicates": 0, "refused": []}));
    let same = json!([
        event,
        {"userId": "ada", "type": "login", "messageId": "m-1", "timestamp": "2026-05-01T11:30:00+02:00"},
        {"clientId": "ada", "eventType": "login", "message_id": "m-2"},
    ]);
    let taken = world.post(key, EVENTS, same).await.json(200);
    assert_eq!(taken, json!({"stored": 1, "duplicates": 2, "refused": []}));
    assert_eq!(
        world.post(key, EVENTS, json!([])).await.json(200),
        json!({"stored": 0, "duplicates": 0, "refused": []})
    );
});

on_both_databases!(what_cannot_be_used_is_refused_and_the_rest_is_stored, async |world| {
    let events = json!([
        {"client_id": "ada", "event": "login"},
        {"client_id": "ada", "event": "login", "duration_seconds": -1},
        "login",
        {"client_id": "bob", "event": "login"},
        {"event": "login"},
    ]);
    let taken = world.post(&world.acme.write_key, EVENTS, events).await.json(200);
    assert_eq!((&taken["stored"], &taken["duplicates"]), (&json!(2), &json!(0)));
    let places: Vec<(&Value, &Value)> = taken["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["index"], &one["field"]))
        .collect();
    let [one, two, four] = [json!(1), json!(2), json!(4)];
    let [seconds, event, client] = [json!("duration_seconds"), json!("event"), json!("client_id")];
    assert_eq!(places, [(&one, &seconds), (&two, &event), (&four, &client)]);
});

on_both_databases!(a_client_sends_its_own_events_and_nobody_elses, async |world| {
    let token = world.client_token("ada");
    let own = json!([{"event": "login"}, {"client_id": "ada", "event": "page_view"}]);
    assert_eq!(world.post(&token, EVENTS, own).await.json(200)["stored"], 2);
    let mixed = json!([{"event": "login"}, {"client_id": "bob", "event": "login"}]);
    assert_eq!(world.post(&token, EVENTS, mixed).await.problem(403)["field"], "client_id");
    let clients = world.get(&world.acme.owner, "/api/v1/clients").await.json(200);
    assert_eq!(clients["clients"].as_array().unwrap().len(), 1);
    let events = world.get(&token, "/api/v1/clients/ada/events").await.json(200);
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
});

on_both_databases!(an_organizations_own_names_count_as_what_they_are_mapped_to, async |world| {
    let owner = &world.acme.owner;
    let names = json!([
        {"name": "Report Exported", "type": "export_downloaded"},
        {"name": "Post Made", "type": "login"},
    ]);
    world.put(owner, "/api/v1/event-names", names).await.json(200);
    let again = json!([{"name": "Post Made", "type": "content_generated"}]);
    let mapped = world.put(owner, "/api/v1/event-names", again).await.json(200);
    assert_eq!(
        mapped["event_names"],
        json!([
            {"name": "Post Made", "type": "content_generated"},
            {"name": "Report Exported", "type": "export_downloaded"},
        ])
    );
    let events = json!([
        {"client_id": "ada", "event": "Post Made", "timestamp": "2026-05-01T01:00:00Z"},
        {"client_id": "ada", "event": "Post Made", "type": "login", "timestamp": "2026-05-01T02:00:00Z"},
        {"client_id": "ada", "event": "Waved", "timestamp": "2026-05-01T03:00:00Z"},
    ]);
    world.post(&world.acme.write_key, EVENTS, events.clone()).await.json(200);
    world.post(&world.rival.write_key, EVENTS, events).await.json(200);

    let types = async |token: &str| {
        let timeline = world.get(token, "/api/v1/clients/ada/events").await.json(200);
        let events = timeline["events"].as_array().unwrap().clone();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(types(owner).await, ["custom", "login", "content_generated"]);
    assert_eq!(types(&world.rival.owner).await, ["custom", "login", "custom"]);

    let path = "/api/v1/event-names?name=Post%20Made";
    assert_eq!(world.delete(owner, path).await.status, 204);
    world.delete(owner, path).await.problem(404);
});

on_both_databases!(the_timeline_is_read_page_by_page, async |world| {
    let staff = &world.acme.staff;
    let events: Vec<Value> = (0..25)
        .map(|n| {
            // Some of them in the same instant, and one a day behind.
            let (day, minute) = if n == 0 { (30, 0) } else { (31, n / 3) };
            json!({
                "client_id": "ada", "event": "page_view", "message_id": format!("m{n:02}"),
                "timestamp": format!("2026-03-{day}T09:{minute:02}:00Z"), "page_path": "/start",
                "session_id": "s", "duration_seconds": 9, "data": {"n": n},
            })
        })
        .collect();
    world.post(&world.acme.write_key, EVENTS, events.into()).await.json(200);
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/clients/ada/events?limit=7{next}");
        let page = world.get(staff, &path).await.json(200);
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 7);
        seen.extend(events.iter().map(|event| event["message_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&before={cursor}");
    }
    let mut expected: Vec<String> = (0..25).map(|n| format!("m{n:02}")).collect();
    expected.sort_by_key(|id| {
        let n: i32 = id[1..].parse().unwrap();
        std::cmp::Reverse((if n == 0 { -1 } else { n / 3 }, id.clone()))
    });
    assert_eq!(seen, expected);

    let count = async |query: &str| {
        let page = world.get(staff, &format!("/api/v1/clients/ada/events?{query}")).await.json(200);
        page["events"].as_array().unwrap().len()
    };
    assert_eq!(count("from=2026-03-31&to=2026-03-31").await, 24);
    assert_eq!(count("from=2026-03-30&to=2026-03-30").await, 1);
    assert_eq!(count("from=2026-03-31T09:01:00Z&to=2026-03-31T09:02:00Z").await, 3);
    assert_eq!(count("to=2026-03-31T09:00:00Z").await, 1);
    let page = world.get(staff, "/api/v1/clients/ada/events?limit=1").await.json(200);
    let event = &page["events"][0];
    assert_eq!(event["data"], json!({"n": 24}));
    assert_eq!((&event["session_id"], &event["duration_seconds"]), (&json!("s"), &json!(9)));
    assert_eq!(event["received_at"], "2026-05-01T12:00:00Z");
});

#[tokio::test]
async fn a_wrong_clock_is_corrected_and_a_hopeless_one_refused() {
    let world = World::sqlite().await;
    let key = &world.acme.write_key;
    let late = json!({
        "client_id": "ada", "event": "login", "timestamp": "2020-01-01T00:00:00Z",
        "sentAt": "2020-01-01T00:00:10Z",
    });
    world.post(key, EVENTS, late).await.json(200);
    let page = world.get(&world.acme.staff, "/api/v1/clients/ada/events").await.json(200);
    assert_eq!(page["events"][0]["occurred_at"], "2026-05-01T11:59:50Z");
    let ahead = json!({"client_id": "ada", "event": "x", "timestamp": "2026-05-02T12:00:01Z"});
    assert_eq!(world.post(key, EVENTS, ahead).await.problem(422)["field"], "timestamp");
}

/// The one writer of SQLite is held up, so that events wait until no more may.
#[tokio::test]
async fn a_full_queue_tells_senders_to_retry() {
    let world = World::sqlite().await;
    let acme = world.acme.id;
    let held = world.mainstay.store().begin(Scope::Service(acme)).await.unwrap();
    let wait = |n: usize| {
        let incoming = IncomingEvent {
            client_id: "ada".to_owned(),
            name: "login".to_owned(),
            message_id: n.to_string(),
            ..IncomingEvent::default()
        };
        let event = validate(incoming, NOW).unwrap();
        let writer = world.writer.clone();
        tokio::spawn(async move {
            let admission = writer.admit(128 * 1024)?;
            writer
                .store(Source::vouched(acme), vec![IncomingMessage::Event(event)], admission)
                .await
        })
    };
    let first = wait(0);
    // Long enough for the writer to take it and wait for its turn in the database.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let waiting: Vec<_> = (1..80).map(wait).collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // The rest of what may wait.
    let rest: Vec<_> = (0..1_000).map_while(|_| world.writer.admit(1_024).ok()).collect();
    let event = json!({"client_id": "ada", "event": "login"});
    let answer = world.post(&world.acme.write_key, EVENTS, event.clone()).await;
    answer.problem(429);
    assert_eq!(answer.headers["retry-after"], "1");
    held.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap(), [MessageOutcome::Stored]);
    let mut turned_away = 0;
    for one in waiting {
        match one.await.unwrap() {
            Ok(outcomes) => assert_eq!(outcomes, [MessageOutcome::Stored]),
            Err(Error::Busy { .. }) => turned_away += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((10..20).contains(&turned_away), "{turned_away}");
    drop(rest);
    let taken = world.post(&world.acme.write_key, EVENTS, event).await.json(200);
    assert_eq!(taken["stored"], 1);
}

/// Senders at the same time: each gets the answer to its own events, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn many_senders_at_once_each_get_their_own_answer() {
    let world = std::sync::Arc::new(World::sqlite().await);
    let senders: Vec<_> = (0..20)
        .map(|sender| {
            let world = world.clone();
            tokio::spawn(async move {
                for round in 0..5 {
                    let events: Vec<Value> = (0..=sender)
                        .map(|n| {
                            json!({"client_id": format!("c{sender}"), "event": "login",
                                   "message_id": format!("{round}-{n}")})
                        })
                        .collect();
                    let tenant = if sender % 2 == 0 { &world.acme } else { &world.rival };
                    let taken = world.post(&tenant.write_key, EVENTS, events.into()).await;
                    assert_eq!(taken.json(200)["stored"], sender + 1);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    for sender in 0..20 {
        let tenant = if sender % 2 == 0 { &world.acme } else { &world.rival };
        let path = format!("/api/v1/clients/c{sender}/events?limit=500");
        let page = world.get(&tenant.owner, &path).await.json(200);
        assert_eq!(page["events"].as_array().unwrap().len(), (sender + 1) * 5);
    }
}
