//! Whatever is sent, the answer is a problem that names the field, and never a fault of the server.

mod any_json;
mod dots;
mod one_line;
mod paths;
mod settings;

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::World;

const EVENTS: &str = "/api/v1/events";

/// Everything a problem has to say: its field, and words of the limit or the remedy.
#[track_caller]
fn check(problem: &Value, field: &str, words: &[&str]) {
    assert_eq!(problem["field"], field, "{problem:#}");
    let detail = problem["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in {detail:?}");
    }
}

#[tokio::test]
async fn malformed_json_is_a_400_that_says_where() {
    let world = World::sqlite().await;
    let bodies: &[&[u8]] = &[
        b"",
        b"   ",
        b"{",
        b"[{]",
        b"{\"event\": }",
        b"nope",
        b"{\"event\": \"login\"} trailing",
        b"{\"event\": \"login\"\xff}",
        b"\xef\xbb\xbf{\"event\": \"login\"}",
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(body).into_owned();
        let answer = world.send_raw("POST", EVENTS, &world.acme.write_key, body.to_vec()).await;
        check(&answer.problem(400), "body", &["line "]);
        let answer =
            world.send_raw("PATCH", "/api/client/success", &world.acme.owner, body.to_vec()).await;
        assert!(answer.status.is_client_error(), "{shown}: {answer:?}");
        answer.problem(400);
    }
}

#[tokio::test]
async fn invalid_utf8_costs_only_the_message_that_contains_it() {
    let world = World::sqlite().await;
    let key = &world.acme.write_key;
    let events = [
        b"[{\"client_id\":\"ada\",\"event\":\"login\"},".as_slice(),
        b"{\"client_id\":\"bob\",\"event\":\"lo\xffgin\"},",
        b"{\"client_id\":\"cl\xc3o\",\"event\":\"login\"}]",
    ]
    .concat();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&events).unwrap();
    for (body, stored) in [(events.clone(), 1), (packed.finish().unwrap(), 1)] {
        let answer = world.send_raw("POST", EVENTS, key, body).await.json(200);
        assert_eq!(answer["stored"], stored, "{answer}");
        let refused = answer["refused"].as_array().unwrap();
        let of = |one: &Value| (one["index"].clone(), one["field"].clone());
        let expected = [(json!(1), json!("event")), (json!(2), json!("client_id"))];
        assert_eq!(refused.iter().map(of).collect::<Vec<_>>(), expected, "{answer}");
        assert!(refused[0]["reason"].as_str().unwrap().contains("not valid UTF-8"), "{answer}");
    }
    let batch = [
        b"{\"batch\":[{\"type\":\"track\",\"userId\":\"ada\",\"event\":\"a\"},".as_slice(),
        b"{\"type\":\"track\",\"userId\":\"ada\",\"event\":\"\xe9\"}]}",
    ]
    .concat();
    let answer = world.send_raw("POST", "/v1/batch", key, batch).await.json(200);
    assert_eq!(
        (&answer["refused"][0]["index"], &answer["refused"].as_array().unwrap().len()),
        (&json!(1), &1),
        "{answer}"
    );
    let noise = [b"[\"".as_slice(), &vec![0xff; 2_000_000], b"\"]"].concat();
    world.send_raw("POST", EVENTS, key, noise).await.problem(400);
}

#[tokio::test]
async fn json_that_cannot_be_kept_is_refused_by_field() {
    let world = World::sqlite().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (fields, field, words) in [
        (r#""event": "\ud800""#.to_owned(), "event", "both halves"),
        (r#""event": "x", "duration_seconds": 1e999"#.to_owned(), "duration_seconds", "1.8e308"),
        (format!(r#""event": "x", "data": {{"a": {deep}}}"#), "data", "64 levels"),
    ] {
        let body = format!(r#"{{"client_id": "ada", {fields}}}"#);
        let answer = world.send_raw("POST", EVENTS, &world.acme.write_key, body.clone()).await;
        check(&answer.problem(422), field, &[words]);
        // It does not spoil a good one of the same request.
        let both = format!(r#"[{body}, {{"client_id": "ada", "event": "login"}}]"#);
        let answer = world.send_raw("POST", EVENTS, &world.acme.write_key, both).await;
        let taken = answer.json(200);
        assert_eq!((&taken["stored"], &taken["refused"][0]["field"]), (&json!(1), &json!(field)));
        let asked = format!(r#"{{"action": "track-event", "client_id": "ada", {fields}}}"#);
        let answer = world.send_raw("PATCH", "/api/client/success", &world.acme.owner, asked).await;
        assert!(answer.status.is_client_error(), "{body}: {answer:?}");
        answer.problem(answer.status.as_u16());
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused_by_name() {
    let world = World::sqlite().await;
    for body in ["3", "null", "true", "\"login\"", "-1.5"] {
        let answer = world.send_raw("POST", EVENTS, &world.acme.write_key, body).await;
        check(&answer.problem(422), "body", &["send one event as an object, or an array"]);
    }
    for body in ["3", "null", "[]", "[\"ada\", null, null, null, null, {}]"] {
        let answer = world.send_raw("POST", "/api/v1/clients", &world.acme.owner, body).await;
        check(&answer.problem(422), "body", &["object"]);
    }
    for body in ["3", "{}", "{\"name\": \"x\", \"type\": \"login\"}"] {
        let answer = world.send_raw("PUT", "/api/v1/event-names", &world.acme.owner, body).await;
        check(&answer.problem(422), "body", &["send a list"]);
    }
}

#[tokio::test]
async fn each_event_that_cannot_be_used_is_refused_by_its_field() {
    let world = World::sqlite().await;
    let event = |field: &str, value: Value| {
        let mut event = json!({"client_id": "ada", "event": "login"});
        event[field] = value;
        event
    };
    let too_long = "x".repeat(32 * 1024 - "{\"a\":\"\"}".len() + 1);
    let mut nested = json!(1);
    for _ in 0..70 {
        nested = json!([nested]);
    }
    let cases = [
        (event("client_id", json!("")), "client_id", "1 to 255"),
        (event("client_id", json!(" ")), "client_id", "1 to 255"),
        (event("client_id", Value::Null), "client_id", "1 to 255"),
        (event("client_id", json!(1.5)), "client_id", "in quotes"),
        (event("client_id", json!("a\0b")), "client_id", "NUL"),
        (event("client_id", json!("ä".repeat(256))), "client_id", "limit is 255"),
        (event("event", json!("")), "event", "1 to 255"),
        (event("event", json!({})), "event", "in quotes"),
        (event("event", Value::Null), "event", "missing"),
        (event("type", json!("content_generatd")), "type", "content_generated"),
        (event("type", json!(1)), "type", "in quotes"),
        (event("timestamp", json!("0000-01-01T00:00:00Z")), "timestamp", "2000-01-01"),
        (event("timestamp", json!("9999-12-30T00:00:00Z")), "timestamp", "24 hours"),
        (event("timestamp", json!("-009999-01-03T00:00:00Z")), "timestamp", "2000-01-01"),
        (event("timestamp", json!("99999-01-01T00:00:00Z")), "timestamp", "RFC 3339"),
        (event("timestamp", json!("yesterday")), "timestamp", "2026-05-01T09:30:00Z"),
        (event("timestamp", json!(1_777_636_800_000_i64)), "timestamp", "RFC 3339"),
        (event("message_id", json!("x".repeat(101))), "message_id", "limit is 100"),
        (event("message_id", json!("\0")), "message_id", "NUL"),
        (event("session_id", json!("x".repeat(256))), "session_id", "limit is 255"),
        (event("page_path", json!("x".repeat(2_049))), "page_path", "limit is 2048"),
        (event("duration_seconds", json!(-1)), "duration_seconds", "0 to 86400"),
        (event("duration_seconds", json!(86_401)), "duration_seconds", "0 to 86400"),
        (event("duration_seconds", json!(1.5)), "duration_seconds", "whole"),
        (event("duration_seconds", json!("90")), "duration_seconds", "whole"),
        (event("duration_seconds", json!(u64::MAX)), "duration_seconds", "0 to 86400"),
        (event("data", json!([])), "data", "object"),
        (event("data", json!({"a": too_long})), "data", "32 KiB"),
        (event("data", json!({"a": "\0"})), "data", "NUL"),
        (event("data", json!({"\0": 1})), "data", "NUL"),
        (event("data", json!({"a": nested})), "data", "64 levels"),
        (event("clientId", json!("ada")), "client_id", "sent twice"),
        (event("userId", json!("bob")), "user_id", "send one of them"),
        (json!("login"), "event", "object"),
        (json!(null), "event", "object"),
        (json!(["ada", "login"]), "event", "object"),
    ];
    let events: Vec<Value> = cases.iter().map(|(event, ..)| event.clone()).collect();
    let problem = world.post(&world.acme.write_key, EVENTS, events.into()).await.problem(422);
    let refused = problem["refused"].as_array().unwrap();
    assert_eq!(refused.len(), cases.len());
    for (index, ((event, field, words), refused)) in cases.iter().zip(refused).enumerate() {
        let shown: String = event.to_string().chars().take(80).collect();
        assert_eq!(refused["index"], index, "{shown}");
        assert_eq!(refused["field"], *field, "{shown}: {refused}");
        assert!(refused["reason"].as_str().unwrap().contains(words), "{shown}: {refused}");
    }
    // Alone, each is a problem with that field.
    for (event, field, words) in &cases[..6] {
        let problem = world.post(&world.acme.write_key, EVENTS, event.clone()).await.problem(422);
        check(&problem, field, &[words]);
    }
    assert_eq!(
        world.get(&world.acme.owner, "/api/v1/clients").await.json(200)["clients"],
        json!([])
    );
}

#[tokio::test]
async fn what_just_fits_is_taken() {
    let world = World::sqlite().await;
    let fits = "x".repeat(32 * 1024 - "{\"a\":\"\"}".len());
    let mut nested = json!({});
    for _ in 0..60 {
        nested = json!({"a": nested});
    }
    let events = json!([
        {"client_id": "ä".repeat(255), "event": "🙂".repeat(255), "message_id": "x".repeat(100)},
        {"client_id": "ada", "event": "login", "data": {"a": fits}},
        {"client_id": "ada", "event": "login", "data": nested},
        {"client_id": "ada", "event": "login", "duration_seconds": 86_400, "unknown": [1]},
        {"clientId": "ada", "type": "login", "sentAt": null, "data": null},
    ]);
    let taken = world.post(&world.acme.write_key, EVENTS, events).await.json(200);
    assert_eq!(taken, json!({"stored": 5, "duplicates": 0, "refused": []}));
}

#[tokio::test]
async fn too_much_at_once_is_a_413_that_names_the_limit() {
    let world = World::sqlite().await;
    let many: Vec<Value> = (0..2_501).map(|_| json!({})).collect();
    let problem = world.post(&world.acme.write_key, EVENTS, many.into()).await.problem(413);
    assert_eq!((&problem["limit"], &problem["field"]), (&json!(2_500), &json!("events")));

    let event = r#"{"client_id": "ada", "event": "login"}"#;
    let padded = |bytes: usize| format!("{event}{}", " ".repeat(bytes - event.len()));
    let token = &world.acme.write_key;
    world.send_raw("POST", EVENTS, token, padded(4 << 20)).await.json(200);
    for (method, path, limit) in
        [("POST", EVENTS, 4 << 20), ("PATCH", "/api/client/success", 500 * 1024)]
    {
        let problem = world.send_raw(method, path, token, padded(limit + 1)).await.problem(413);
        assert_eq!(problem["limit"], limit);
        assert!(problem["detail"].as_str().unwrap().contains("in parts"), "{problem}");
    }
    let names: Vec<Value> =
        (0..1_001).map(|n| json!({"name": format!("n{n}"), "type": "login"})).collect();
    let problem =
        world.put(&world.acme.owner, "/api/v1/event-names", names.into()).await.problem(413);
    assert_eq!(problem["limit"], 1_000);
}

#[tokio::test]
async fn a_wrong_media_type_is_rejected_except_for_events() {
    let world = World::sqlite().await;
    let send = async |path: &str, media_type: Option<&str>| {
        let body = r#"{"client_id": "ada", "event": "login"}"#;
        let request = world.request("POST", path).bearer_auth(&world.acme.secret_key).body(body);
        world
            .send(match media_type {
                Some(media_type) => request.header("content-type", media_type),
                None => request,
            })
            .await
    };
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "é"]
    {
        let answer = send("/api/v1/clients", Some(media_type)).await;
        check(&answer.problem(415), "Content-Type", &["application/json"]);
        send(EVENTS, Some(media_type)).await.json(200);
    }
    for media_type in [Some("application/json; charset=utf-8"), Some("application/ld+json"), None] {
        check(
            &send("/api/v1/clients", media_type).await.problem(422),
            "event",
            &["is not a known field"],
        );
    }
}
