//! `/v1`: Segment's API, from outside.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use crate::support::{Answer, World};

fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// As an SDK sends it: the write key as user, no password.
async fn send(world: &World, path: &str, body: &Value) -> Answer {
    let request = world.request("POST", path).header("authorization", basic(&world.acme.write_key));
    world.send(request.body(body.to_string())).await
}

async fn batch(world: &World, messages: &[Value]) -> Value {
    send(world, "/v1/batch", &json!({ "batch": messages })).await.json(200)
}

async fn events_of(world: &World, client: &str) -> Vec<Value> {
    let path = format!("/api/v1/clients/{client}/events");
    let events = world.get(&world.acme.owner, &path).await.json(200);
    events["events"].as_array().unwrap().clone()
}

async fn client(world: &World, id: &str) -> Value {
    world.get(&world.acme.owner, &format!("/api/v1/clients/{id}")).await.json(200)
}

async fn clients_are_groups(world: &World) {
    let change = json!({"clients_are": "groups"});
    world.patch(&world.acme.owner, "/api/v1/organization", change).await.json(200);
}

on_both_databases!(each_call_of_segments_api_is_taken, async |world| {
    let now = world.mainstay.now();
    for (path, message) in [
        (
            "/v1/identify",
            json!({"traits": {"name": "Ada", "email": "ada@example.com", "seats": 3}}),
        ),
        ("/v1/group", json!({"groupId": "acme"})),
        ("/v1/track", json!({"event": "content_generated", "properties": {"title": "Spring"}})),
        ("/v1/page", json!({"name": "Docs", "properties": {"path": "/docs"}})),
        ("/v1/screen", json!({"name": "Home"})),
        ("/v1/alias", json!({"previousId": "lead-7"})),
    ] {
        let mut message = message;
        message["userId"] = json!("ada");
        message["messageId"] = json!(path);
        message["timestamp"] = json!(now);
        let answer = send(world, path, &message).await;
        assert_eq!(answer.json(200), json!({"success": true}), "{path}");
    }
    let ada = client(world, "ada").await;
    assert_eq!(
        (&ada["name"], &ada["email"], &ada["group_id"], &ada["traits"]),
        (&json!("Ada"), &json!("ada@example.com"), &json!("acme"), &json!({"seats": 3}))
    );
    let events = events_of(world, "ada").await;
    let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types.len(), 3);
    assert_eq!(types.iter().filter(|it| **it == "page_view").count(), 2);
    assert_eq!(client(world, "lead-7").await["client_id"], "ada");
});

on_both_databases!(a_batch_keeps_what_it_can_and_says_what_it_refused, async |world| {
    let taken = batch(
        world,
        &[
            json!({"type": "track", "userId": "ada", "event": "login", "messageId": "1"}),
            json!({"type": "track", "anonymousId": "x", "event": "login"}),
            json!({"type": "track", "userId": "ada", "event": "x", "properties": {"a": "x".repeat(40_000)}}),
            json!("track"),
            json!({"type": "track", "userId": "ada", "event": "login", "messageId": "1"}),
            json!({"type": "track", "userId": "ada", "event": "login", "messageId": "5"}),
        ],
    )
    .await;
    assert_eq!(taken["success"], true);
    let places: Vec<(&Value, &Value)> = taken["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["index"], &one["field"]))
        .collect();
    let [one, two, three] = [json!(1), json!(2), json!(3)];
    let [user, message] = [json!("userId"), json!("message")];
    assert_eq!(places, [(&one, &user), (&two, &message), (&three, &message)]);
    assert_eq!(events_of(world, "ada").await.len(), 2);
    // None of it could be used.
    let none = batch(world, &[json!({"type": "track"})]).await;
    assert_eq!((&none["success"], &none["refused"][0]["field"]), (&json!(false), &json!("userId")));
    assert_eq!(batch(world, &[]).await, json!({"success": true}));
});

on_both_databases!(any_body_that_is_json_is_read_however_it_is_called, async |world| {
    let key = &world.acme.write_key;
    let body = |id: &str| {
        json!({"batch": [{"type": "track", "userId": "ada", "event": "login", "messageId": id}]})
            .to_string()
    };
    let packed = world
        .request("POST", "/v1/batch")
        .header("authorization", basic(key))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(gzipped(&body("packed")));
    let beacon = json!({
        "writeKey": key, "batch": [{"type": "track", "userId": "ada", "event": "login",
        "messageId": "beacon"}],
    });
    let beacon = world
        .request("POST", "/v1/b")
        .header("content-type", "text/plain")
        .body(beacon.to_string());
    let short = json!({"writeKey": key, "userId": "ada", "event": "login", "messageId": "short"});
    let short = world.request("POST", "/v1/t").body(short.to_string());
    for request in [packed, beacon, short] {
        assert_eq!(world.send(request).await.json(200), json!({"success": true}));
    }
    assert_eq!(events_of(world, "ada").await.len(), 3);
});

on_both_databases!(only_what_is_not_json_or_too_large_is_a_bad_request, async |world| {
    let key = basic(&world.acme.write_key);
    let bomb = gzipped(&" ".repeat(20 * 1024 * 1024));
    let many = json!({"batch": vec![json!({}); 2_501]}).to_string();
    for (body, says) in [
        (b"".to_vec(), "EOF"),
        (b"{\"batch\":".to_vec(), "not JSON"),
        (b"{\"userId\":\"\xff\"}".to_vec(), "invalid unicode"),
        (gzipped("{}")[..12].to_vec(), "unpacked"),
        (vec![b' '; 500 * 1024 + 1], "500 KiB"),
        (bomb, "500 KiB"),
        (many.into_bytes(), "2500"),
    ] {
        let request = world.request("POST", "/v1/batch").header("authorization", &key).body(body);
        let problem = world.send(request).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    for body in ["null", "3", "[]", "{}", "{\"batch\": {}}", "{\"batch\": null}"] {
        let request = world.request("POST", "/v1/batch").header("authorization", &key).body(body);
        let answer = world.send(request).await.json(200);
        assert_eq!(
            (&answer["success"], &answer["refused"][0]["field"]),
            (&json!(false), &json!("batch"))
        );
    }
});

on_both_databases!(a_wrong_key_is_unauthorized_wherever_it_is_put, async |world| {
    let body = json!({"userId": "ada", "event": "login"});
    for request in [
        world.request("POST", "/v1/track").body(body.to_string()),
        world
            .request("POST", "/v1/track")
            .header("authorization", basic("mwk_x"))
            .body(body.to_string()),
        world
            .request("POST", "/v1/track")
            .body(json!({"writeKey": "mwk_x", "userId": "ada", "event": "login"}).to_string()),
    ] {
        world.send(request).await.problem(401);
    }
    let token = world.client_token("ada");
    let request = world.request("POST", "/v1/track").bearer_auth(token).body(body.to_string());
    world.send(request).await.problem(403);
});

on_both_databases!(where_clients_are_accounts_users_count_for_theirs, async |world| {
    clients_are_groups(world).await;
    let now = world.mainstay.now();
    let track = |id: &str, user: &str| json!({"type": "track", "userId": user, "event": "login", "messageId": id, "timestamp": now});
    let early = batch(world, &[track("0", "eve")]).await;
    assert_eq!(
        (&early["success"], &early["refused"][0]["field"]),
        (&json!(false), &json!("userId"))
    );
    let taken = batch(
        world,
        &[
            track("1", "ada"),
            json!({"type": "group", "userId": "ada", "groupId": "acme", "timestamp": now,
                   "traits": {"name": "Acme Studio"}}),
            track("2", "ada"),
            json!({"type": "group", "userId": "ada", "groupId": "other", "timestamp": now}),
            track("3", "ada"),
            json!({"type": "track", "userId": "bob", "event": "login", "messageId": "4",
                   "context": {"groupId": "acme"}}),
        ],
    )
    .await;
    assert_eq!(taken, json!({"success": true}));
    assert_eq!(batch(world, &[track("5", "ada")]).await, json!({"success": true}));
    assert_eq!(events_of(world, "acme").await.len(), 3);
    assert_eq!(events_of(world, "other").await.len(), 2);
    assert_eq!(client(world, "acme").await["name"], "Acme Studio");
});

#[tokio::test]
async fn a_browser_may_send_from_any_site() {
    let world = World::sqlite().await;
    let asked = world
        .request("OPTIONS", "/v1/batch")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let answer = world.send(asked).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let allowed = answer.headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
    let sent = world
        .request("POST", "/v1/t")
        .header("origin", "https://app.example.com")
        .body(json!({"writeKey": "mwk_x", "event": "x", "userId": "ada"}).to_string());
    let answer = world.send(sent).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["access-control-allow-origin"], "*", "so that a page can read why");
    world.close().await;
}

#[tokio::test]
async fn a_revoked_key_and_a_new_name_count_at_once_here_and_within_a_second_elsewhere() {
    let world = World::sqlite().await;
    let owner = &world.acme.owner;
    let track =
        json!({"userId": "ada", "event": "Report Exported", "timestamp": "2026-05-01T00:00:00Z"});
    let sent = async |id: &str| {
        let mut track = track.clone();
        track["messageId"] = json!(id);
        send(&world, "/v1/track", &track).await.json(200);
        let events = events_of(&world, "ada").await;
        let event = events.into_iter().find(|event| event["message_id"] == id).unwrap();
        event["type"].as_str().unwrap().to_owned()
    };
    assert_eq!(sent("1").await, "custom");
    // Another process: its changes are not told here.
    let elsewhere = mainstay::Mainstay::new(world.store.clone(), world.clock.clone());
    let name = mainstay_store::EventName {
        name: "Report Exported".to_owned(),
        event_type: mainstay_core::engagement::EventType::ExportDownloaded,
    };
    elsewhere.set_event_names(world.acme.id, &[name]).await.unwrap();
    world.clock.set(world.mainstay.now().saturating_add(1.seconds()).unwrap());
    assert_eq!(sent("2").await, "export_downloaded");
    world
        .put(owner, "/api/v1/event-names", json!([{"name": "Report Exported", "type": "login"}]))
        .await;
    assert_eq!(sent("3").await, "login");

    let keys = elsewhere.keys(world.acme.id).await.unwrap();
    let write = keys.iter().find(|key| key.kind == mainstay_store::KeyKind::Write).unwrap();
    elsewhere.revoke_key(world.acme.id, write.id).await.unwrap();
    world.clock.set(world.mainstay.now().saturating_add(1.seconds()).unwrap());
    send(&world, "/v1/track", &track).await.problem(401);
    world.close().await;
}
