//! `/v1`: Segment's API, from outside.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use crate::support::{TestResponse, World};

fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{key}:")))
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// As an SDK sends it: the write key as user, no password.
async fn send(world: &World, path: &str, body: &Value) -> TestResponse {
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

on_both_databases!(a_batch_stores_valid_messages_and_lists_rejected_ones, async |world| {
    let taken = batch(
        world,
        &[
            json!({"type": "track", "userId": "ada", "event": "login", "messageId": "1"}),
            json!({"type": "track", "event": "login"}),
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

on_both_databases!(what_is_not_json_or_too_much_is_refused_in_words, async |world| {
    let key = basic(&world.acme.write_key);
    let bomb = gzipped(&" ".repeat(20 * 1024 * 1024));
    let many = json!({"batch": vec![json!({}); 2_501]}).to_string();
    for (body, says) in [
        (b"".to_vec(), "EOF"),
        (b"{\"batch\":".to_vec(), "not valid JSON"),
        (b"{\"batch\":[]\xff}".to_vec(), "not valid JSON"),
        (gzipped("{}")[..12].to_vec(), "decompressed"),
        (many.into_bytes(), "2500"),
    ] {
        let request = world.request("POST", "/v1/batch").header("authorization", &key).body(body);
        let problem = world.send(request).await.problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    for body in [vec![b' '; 4 * 1024 * 1024 + 1], bomb] {
        let request = world.request("POST", "/v1/batch").header("authorization", &key).body(body);
        let problem = world.send(request).await.problem(413);
        assert!(problem["detail"].as_str().unwrap().contains("4 MiB"), "{problem}");
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
    assert_eq!(early, json!({"success": true, "waiting": 1}));
    let identify = json!({"type": "identify", "userId": "eve", "traits": {"name": "Eve"}});
    assert_eq!(batch(world, &[identify]).await, json!({"success": true}));
    let taken = batch(
        world,
        &[
            track("1", "ada"),
            json!({"type": "group", "userId": "ada", "groupId": "acme",
                   "timestamp": "2026-05-01T08:00:00Z",
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
    // All of it happened when she was with the other account, in whatever order it came.
    assert_eq!(events_of(world, "acme").await.len(), 1);
    assert_eq!(events_of(world, "other").await.len(), 4);
    assert_eq!(client(world, "acme").await["name"], "Acme Studio");
    let late = json!({"type": "track", "userId": "ada", "event": "login", "messageId": "6",
                      "timestamp": "2026-05-01T09:00:00Z"});
    batch(world, &[late]).await;
    assert_eq!(events_of(world, "acme").await.len(), 2);
    let joins = json!({"type": "group", "userId": "eve", "groupId": "acme"});
    batch(world, &[joins]).await;
    assert_eq!(events_of(world, "acme").await.len(), 3, "what waited for her account");
    let owner = &world.acme.owner;
    let of_person =
        json!([{"userId": "eve", "event": "login"}, {"client_id": "eve", "event": "x"}]);
    world.post(owner, "/api/v1/events", of_person).await.json(200);
    assert_eq!(events_of(world, "acme").await.len(), 5);
    world.get(owner, "/api/v1/clients/eve").await.problem(404);
});

on_both_databases!(a_visitors_events_count_for_whom_it_turns_out_to_be, async |world| {
    let track = |id: &str| {
        json!({"type": "track", "anonymousId": "v", "event": "login",
        "messageId": id, "timestamp": "2026-05-01T09:00:00Z"})
    };
    assert_eq!(batch(world, &[track("1"), track("1")]).await["waiting"], 1);
    let identify = json!({"type": "identify", "userId": "ada", "anonymousId": "v"});
    assert_eq!(batch(world, &[identify]).await, json!({"success": true}));
    assert_eq!(batch(world, &[track("1"), track("2")]).await, json!({"success": true}));
    assert_eq!(events_of(world, "ada").await.len(), 2);
});

on_both_databases!(an_event_that_waited_in_vain_is_shown_as_refused, async |world| {
    let track = json!({"type": "track", "anonymousId": "v", "event": "login", "messageId": "1"});
    assert_eq!(batch(world, &[track]).await["waiting"], 1);
    assert_eq!(world.mainstay.expire_waiting_events(world.acme.id).await.unwrap(), 0);
    let later = world.mainstay.now() + jiff::SignedDuration::from_hours(7 * 24 + 1);
    world.clock.set(later);
    let identify = json!({"type": "identify", "userId": "ada", "anonymousId": "v"});
    batch(world, &[identify]).await;
    assert!(events_of(world, "ada").await.is_empty());
    assert_eq!(world.mainstay.expire_waiting_events(world.acme.id).await.unwrap(), 1);
});

on_both_databases!(null_clears_by_identify_and_by_the_api, async |world| {
    let identify = |id: &str, at: &str, traits: Value| json!({"type": "identify", "userId": "ada", "messageId": id, "timestamp": at, "traits": traits});
    let told = [
        identify("2", "2026-05-01T09:00:00Z", json!({"email": null, "phone": null})),
        identify(
            "1",
            "2026-05-01T08:00:00Z",
            json!({"email": "a@b.example", "phone": "1", "plan": "pro"}),
        ),
    ];
    assert_eq!(batch(world, &told).await, json!({"success": true}));
    let ada = client(world, "ada").await;
    assert_eq!(
        (&ada["email"], &ada["plan"], &ada["traits"]),
        (&json!(null), &json!("pro"), &json!({}))
    );
    let owner = &world.acme.owner;
    let changes = json!({"plan": null, "name": "Ada", "traits": {"seats": 3}});
    let ada = world.patch(owner, "/api/v1/clients/ada", changes).await.json(200);
    assert_eq!((&ada["plan"], &ada["name"]), (&json!(null), &json!("Ada")));
    let late = identify("0", "2026-05-01T07:00:00Z", json!({"plan": "free", "seats": 9}));
    batch(world, &[late]).await;
    let mut expected = ada;
    // It was known that early already.
    expected["created_at"] = json!("2026-05-01T07:00:00Z");
    assert_eq!(client(world, "ada").await, expected, "an older word does not undo it");
});

on_both_databases!(one_bad_message_takes_no_other_with_it_on_any_door, async |world| {
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    let bad = [
        r#"{"t":"\ud83d"}"#,
        r#"{"\udc00":"1"}"#,
        r#"{"t":"a\u0000b"}"#,
        r#"{"n":1e400}"#,
        &deep,
        "5",
    ];
    let key = &world.acme.write_key;
    for (number, bad) in bad.iter().enumerate() {
        let event = |id: u8, data: &str| {
            format!(r#"{{"client_id":"e{number}","event":"x","message_id":"{id}","data":{data}}}"#)
        };
        let body = [event(1, "{}"), event(2, bad), event(3, "{}")].join(",");
        let taken =
            world.send_raw("POST", "/api/v1/events", key, format!("[{body}]")).await.json(200);
        let one = (&json!(2), &json!(1), &json!("data"));
        let refused = &taken["refused"][0];
        assert_eq!((&taken["stored"], &refused["index"], &refused["field"]), one, "{bad}: {taken}");

        let track = |id: u8, data: &str| {
            format!(
                r#"{{"type":"track","userId":"s{number}","event":"x","messageId":"{id}","properties":{data}}}"#
            )
        };
        let body = [track(1, "{}"), track(2, bad), track(3, "{}")].join(",");
        let body = format!(r#"{{"batch":[{body}]}}"#);
        let taken = world.send_raw("POST", "/v1/batch", key, body).await.json(200);
        let refused = &taken["refused"][0];
        let one = (&json!(1), &json!("properties"));
        assert_eq!((&refused["index"], &refused["field"]), one, "{bad}: {taken}");
        assert_eq!(events_of(world, &format!("s{number}")).await.len(), 2);

        let event = |id: u8, data: &str| {
            format!(
                r#"{{"specversion":"1.0","source":"/a","id":"{id}","type":"x","subject":"c{number}","data":{data}}}"#
            )
        };
        let body = [event(1, "{}"), event(2, bad), event(3, "{}")].join(",");
        let taken =
            world.send_raw("POST", "/api/v1/cloudevents", key, format!("[{body}]")).await.json(200);
        // CloudEvents may have any data.
        let expected = if *bad == "5" { 3 } else { 2 };
        assert_eq!(taken["stored"], expected, "{bad}: {taken}");
    }
    let twice = r#"[{"client_id":"d","event":"b","event":"c"},{"client_id":"d","event":"b"}]"#;
    let taken = world.send_raw("POST", "/api/v1/events", key, twice).await.json(200);
    assert_eq!((&taken["stored"], &taken["refused"][0]["field"]), (&json!(1), &json!("event")));
    let twice = r#"{"action":"track-event","clientId":"d","eventType":"login","eventType":"x"}"#;
    let problem = world.send_raw("PATCH", "/api/client/success", key, twice).await.problem(422);
    assert_eq!(problem["field"], "type", "{problem}");
});

#[tokio::test]
async fn what_the_database_refuses_takes_no_other_request_with_it() {
    use mainstay::engagement::{MessageOutcome, Source};
    use sqlx::{Connection as _, Executor as _};
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("m.db").display());
    let store = mainstay_store::Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let mut raw = sqlx::SqliteConnection::connect(&url).await.unwrap();
    raw.execute(
        "CREATE TRIGGER poison BEFORE INSERT ON client_engagement_events \
         WHEN NEW.message_id = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END",
    )
    .await
    .unwrap();
    let clock = std::sync::Arc::new(mainstay::ManualClock::new(crate::support::NOW));
    let mainstay = mainstay::Mainstay::new(store.clone(), clock);
    let created = mainstay
        .create_organization(mainstay::organization::CreateOrganization {
            slug: "acme".to_owned(),
            name: None,
            time_zone: None,
            sample: false,
        })
        .await
        .unwrap();
    let rates = mainstay::engagement::Rates::default();
    let (writer, _) = mainstay::engagement::EventWriter::start(&mainstay, rates);
    let event = |id: &str| {
        let incoming = mainstay_core::engagement::IncomingEvent {
            client_id: "ada".to_owned(),
            name: "login".to_owned(),
            message_id: id.to_owned(),
            ..Default::default()
        };
        let event = mainstay_core::engagement::validate(incoming, crate::support::NOW).unwrap();
        mainstay_core::engagement::segment::IncomingMessage::Event(event)
    };
    let send = |ids: Vec<&str>| {
        let said = ids.iter().map(|id| event(id)).collect();
        writer.store(Source::vouched(created.organization.id), said, writer.admit(100).unwrap())
    };
    // All of them wait together, so that one transaction is to store them.
    let (one, two, three) =
        tokio::join!(send(vec!["1", "2"]), send(vec!["3", "poison", "4"]), send(vec!["5"]));
    assert_eq!(one.unwrap(), [MessageOutcome::Stored, MessageOutcome::Stored]);
    assert_eq!(three.unwrap(), [MessageOutcome::Stored]);
    let two = two.unwrap();
    assert!(
        matches!(
            &two[..],
            [MessageOutcome::Stored, MessageOutcome::Refused(_), MessageOutcome::Stored]
        ),
        "{two:?}"
    );
    store.close().await;
}

on_both_databases!(a_batch_as_large_as_sdks_pack_is_taken, async |world| {
    // RudderStack's SDKs pack up to 4 000 KB.
    let message = |number: usize| {
        json!({"type": "track", "userId": "ada", "event": "login",
               "messageId": format!("large-{number}"), "properties": {"text": "x".repeat(30_000)}})
    };
    let messages: Vec<Value> = (0..130).map(message).collect();
    let body = json!({ "batch": messages }).to_string();
    assert!((3_900_000..4_000_000).contains(&body.len()), "{}", body.len());
    let key = basic(&world.acme.write_key);
    for body in [body.clone().into_bytes(), gzipped(&body)] {
        let request = world.request("POST", "/v1/batch").header("authorization", &key).body(body);
        assert_eq!(world.send(request).await.json(200), json!({"success": true}));
    }
    let path = "/api/v1/clients/ada/activity";
    let activity = world.get(&world.acme.owner, path).await.json(200);
    // The second time, unpacked from gzip, all of them are known.
    assert_eq!(activity["total"], 130, "{activity}");
    let today = activity["days"].as_array().unwrap().last().unwrap();
    assert_eq!(today, &json!({"day": "2026-05-01", "events": 130}));
});

#[tokio::test]
async fn the_sdks_for_browsers_find_their_configuration() {
    let world = World::sqlite().await;
    let key = world.acme.write_key.clone();
    let ask = async |path: &str, with: Option<&str>| {
        let mut request = world.request("GET", path).header("origin", "https://app.example.com");
        if let Some(key) = with {
            request = request.header("authorization", basic(key));
        }
        world.send(request).await
    };
    let settings = ask(&format!("/v1/projects/{key}/settings"), None).await;
    assert_eq!(settings.headers["access-control-allow-origin"], "*");
    let destination = &settings.json(200)["integrations"]["Segment.io"];
    let host = world.url().strip_prefix("http://").unwrap();
    assert_eq!(
        (&destination["apiHost"], &destination["protocol"]),
        (&json!(format!("{host}/v1")), &json!("http"))
    );
    for (path, with) in [
        ("/sourceConfig/?p=npm&v=3", Some(key.as_str())),
        (&*format!("/sourceConfig?writeKey={key}"), None),
    ] {
        let config = ask(path, with).await.json(200);
        assert_eq!(
            (&config["source"]["writeKey"], &config["source"]["destinations"]),
            (&json!(key), &json!([]))
        );
    }
    // A secret key has no place in an address.
    for key in ["mwk_unknown", &world.acme.secret_key] {
        ask(&format!("/v1/projects/{key}/settings"), None).await.problem(401);
        ask("/sourceConfig", Some(key)).await.problem(401);
    }
    ask("/sourceConfig", None).await.problem(401);
    world.close().await;
}

on_both_databases!(a_beacon_carries_its_key_in_the_address, async |world| {
    let body = json!({"batch": [{"type": "track", "userId": "ada", "event": "content_generated", "messageId": "last"}]});
    let beacon = |key: &str| {
        world
            .request("POST", &format!("/beacon/v1/batch?writeKey={key}"))
            .header("origin", "https://app.example.com")
            .header("content-type", "text/plain;charset=UTF-8")
            .body(body.to_string())
    };
    world.send(beacon("mwk_x")).await.problem(401);
    assert_eq!(world.send(beacon(&world.acme.write_key)).await.json(200), json!({"success": true}));
    let events = events_of(world, "ada").await;
    assert_eq!((&events[0]["type"], &events[0]["self_told"]), (&json!("custom"), &json!(true)));
});

#[tokio::test]
async fn a_browser_may_send_from_any_site() {
    let world = World::sqlite().await;
    for (path, method) in [
        ("/v1/batch", "POST"),
        ("/v1/t", "POST"),
        ("/beacon/v1/batch", "POST"),
        ("/sourceConfig/", "GET"),
        ("/v1/projects/mwk_x/settings", "GET"),
        ("/api/v1/events", "POST"),
    ] {
        // RudderStack's SDK sends a header of its own.
        let headers = "anonymousid,authorization,content-type,x-of-tomorrow";
        let asked = world
            .request("OPTIONS", path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        let answer = world.send(asked).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        assert_eq!(answer.headers["access-control-allow-headers"], headers, "{path}");
        assert!(answer.headers["access-control-allow-methods"].to_str().unwrap().contains(method));
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{path}");
    }
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
