//! A client is known as soon as anything but a write key has said something about it. A write key never
//! merges a known client, nor moves a visitor that is known to be a client.

use std::fs;

use jiff::SignedDuration;
use mainstay::engagement::import::ImportOptions;
use mainstay_store::Scope;
use serde_json::{Value, json};

use crate::support::World;

async fn batch(world: &World, key: &str, messages: &[Value]) -> Value {
    world.post(key, "/v1/batch", json!({ "batch": messages })).await.json(200)
}

/// The client that staff find under an id.
async fn client(world: &World, id: &str) -> Value {
    world.get(&world.acme.owner, &format!("/api/v1/clients/{id}")).await.json(200)
}

async fn events_of(world: &World, id: &str) -> Vec<String> {
    let path = format!("/api/v1/clients/{id}/events");
    let answer = world.get(&world.acme.owner, &path).await.json(200);
    let events = answer["events"].as_array().unwrap();
    let mut ids: Vec<String> =
        events.iter().map(|event| event["message_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn track(user: &str, id: &str) -> Value {
    json!({"type": "track", "userId": user, "event": "login", "messageId": id})
}

fn visit(visitor: &str, id: &str) -> Value {
    json!({"type": "track", "anonymousId": visitor, "event": "login", "messageId": id})
}

fn alias(previous: &str, user: &str) -> Value {
    json!({"type": "alias", "previousId": previous, "userId": user})
}

fn identify(user: &str) -> Value {
    json!({"type": "identify", "userId": user, "traits": {"plan": "pro"}})
}

/// Says something about a client, in a way that no write key can.
async fn speak(world: &World, way: &str, client: &str) {
    let (secret, owner) = (&world.acme.secret_key, &world.acme.owner);
    let path = |rest: &str| format!("/api/v1/clients/{client}{rest}");
    match way {
        "batch" => {
            let answer = batch(world, secret, &[track(client, "told")]).await;
            assert_eq!(answer, json!({"success": true}));
        }
        "events" => {
            let body = json!([{"client_id": client, "event": "login"}]);
            world.post(secret, "/api/v1/events", body).await.json(200);
        }
        "cloud_event" => {
            let event = json!({"specversion": "1.0", "source": "/app", "id": client, "type": "login",
                               "subject": client});
            let request = world.request("POST", "/api/v1/cloudevents").bearer_auth(secret);
            let request = request.header("content-type", "application/cloudevents+json");
            world.send(request.body(event.to_string())).await.json(200);
        }
        "import" => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("messages.ndjson");
            let mut message = track(client, "told");
            message["timestamp"] = json!(world.mainstay.now());
            fs::write(&path, message.to_string()).unwrap();
            let options = ImportOptions::default();
            let import = world.mainstay.import_file(world.acme.id, &path, &options, false, |_| ());
            assert_eq!(import.await.unwrap().stored, 1);
        }
        "member_token" => {
            batch(world, owner, &[track(client, "told")]).await;
        }
        "patch" => {
            let body = json!({"traits": {"seats": 3}});
            world.patch(secret, &path(""), body).await.json(200);
        }
        "client_token" => {
            world.get(&world.client_token(client), &path("")).await.json(200);
        }
        "session" => {
            let token = world.client_token(client);
            let session = world.mainstay.sign_client_in(&token).await.unwrap().unwrap();
            world.mainstay.client_session(&session.token).await.unwrap().unwrap();
        }
        "client_event" => {
            let body = json!([{"event": "login"}]);
            world.post(&world.client_token(client), "/api/v1/events", body).await.json(200);
        }
        "note" | "owner" => {
            let scope = Scope::Service(world.acme.id);
            let id = world.mainstay.client(scope, client).await.unwrap().id;
            let members = world.get(owner, "/api/v1/members").await.json(200);
            let member: uuid::Uuid = members["members"][0]["id"].as_str().unwrap().parse().unwrap();
            let member = member.into();
            // What is gone again was said all the same.
            if way == "note" {
                let note = world.mainstay.add_note(scope, id, member, "Call").await.unwrap();
                world.mainstay.delete_note(scope, id, note.id, member).await.unwrap();
            } else {
                world.mainstay.set_client_owner(scope, id, Some(member)).await.unwrap();
                world.mainstay.set_client_owner(scope, id, None).await.unwrap();
            }
        }
        _ => unreachable!("{way}"),
    }
}

on_both_databases!(whoever_the_organization_speaks_of_is_not_taken_over, async |world| {
    let key = &world.acme.write_key;
    batch(world, key, &[identify("attacker"), track("attacker", "own")]).await;
    let ways = [
        "batch",
        "events",
        "cloud_event",
        "import",
        "member_token",
        "patch",
        "client_token",
        "session",
        "client_event",
        "note",
        "owner",
    ];
    for way in ways {
        let victim = format!("victim-{way}");
        // The write key first: what it said of the client is in the server's memory.
        batch(world, key, &[track(&victim, "visit")]).await;
        speak(world, way, &victim).await;
        let answer = batch(world, key, &[alias(&victim, "attacker")]).await;
        assert_eq!(answer["success"], false, "{way}: {answer}");
        let reason = answer["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("secret key"), "{reason}");
        assert_eq!(client(world, &victim).await["client_id"], victim.as_str());
    }
    for way in ["batch", "events", "cloud_event", "import", "member_token", "client_event"] {
        let victim = format!("first-{way}");
        speak(world, way, &victim).await;
        batch(world, key, &[track(&victim, "visit")]).await;
        let answer = batch(world, key, &[alias(&victim, "attacker")]).await;
        assert_eq!(answer["success"], false, "{way} first: {answer}");
    }
    assert_eq!(events_of(world, "attacker").await, ["own"]);
    // A visitor of whom nobody else spoke is merged as before.
    batch(world, key, &[track("visitor", "visit")]).await;
    assert_eq!(batch(world, key, &[alias("visitor", "attacker")]).await, json!({"success": true}));
});

on_both_databases!(
    an_id_joined_beforehand_takes_nothing_that_the_organization_says,
    async |world| {
        let (key, secret) = (&world.acme.write_key, &world.acme.secret_key);
        batch(world, key, &[identify("attacker")]).await;
        // One was never seen, the others visited.
        let ids = ["unseen", "tracked", "created", "own_event"];
        let visits: Vec<Value> = ids[1..].iter().map(|id| track(id, id)).collect();
        batch(world, key, &visits).await;
        for id in ids {
            assert_eq!(batch(world, key, &[alias(id, "attacker")]).await, json!({"success": true}));
        }
        assert_eq!(events_of(world, "attacker").await.len(), 3);
        // What a write key says under the id is still the client's.
        batch(world, key, &[track("tracked", "visit")]).await;
        assert_eq!(events_of(world, "attacker").await.len(), 4);

        // It is no name under which anything is changed or read with a token.
        let path = |id: &str, rest: &str| format!("/api/v1/clients/{id}{rest}");
        for id in ["tracked", "unseen"] {
            let changes = json!({"email": "victim@example.com"});
            world.patch(secret, &path(id, ""), changes).await.problem(404);
            let subscribed = json!({"state": "subscribed", "address": "victim@example.com"});
            world.put(secret, &path(id, "/email-subscription"), subscribed).await.problem(404);
            let stars = json!({"kind": "stars", "rating": 1, "comment": "We leave"});
            world.post(secret, &path(id, "/feedback"), stars).await.problem(404);
        }
        let token = world.client_token("own_event");
        world.get(&token, &path("own_event", "")).await.problem(404);

        batch(world, secret, &[track("unseen", "told"), track("tracked", "told")]).await;
        world.post(secret, "/api/v1/clients", json!({"client_id": "created"})).await.json(201);
        world
            .post(&token, "/api/v1/events", json!([{"event": "login", "message_id": "told"}]))
            .await;
        while world.mainstay.run_merges().await.unwrap() {}
        assert_eq!(events_of(world, "unseen").await, ["told"]);
        assert_eq!(events_of(world, "tracked").await, ["told", "tracked"]);
        assert_eq!(events_of(world, "created").await, ["created"]);
        assert_eq!(events_of(world, "own_event").await, ["own_event", "told"]);
        // Only what was said under the name meanwhile stays where it came to.
        assert_eq!(events_of(world, "attacker").await, ["visit"]);
        for id in ids {
            assert_eq!(client(world, id).await["client_id"], id);
            let answer = batch(world, key, &[alias(id, "attacker")]).await;
            assert_eq!(answer["success"], false, "{id}: {answer}");
        }
        let merges = world.get(&world.acme.owner, "/api/v1/merges").await.json(200);
        let merges = merges["merges"].as_array().unwrap().clone();
        assert_eq!(merges.len(), 3);
        assert!(merges.iter().all(|merge| merge["state"] == "undone"), "{merges:?}");
        let report = world.mainstay.verify(world.acme.id, |_| ()).await.unwrap();
        assert_eq!(report.differences, []);
    }
);

on_both_databases!(a_name_that_a_write_key_gave_opens_nothing_with_a_token, async |world| {
    let (key, secret) = (&world.acme.write_key, &world.acme.secret_key);
    batch(world, secret, &[identify("victim"), track("victim", "secret")]).await;
    batch(world, key, &[track("mallory", "visit")]).await;
    assert_eq!(batch(world, key, &[alias("mallory", "victim")]).await, json!({"success": true}));
    assert_eq!(client(world, "mallory").await["client_id"], "victim", "staff are shown it");
    let token = world.client_token("mallory");
    for rest in ["", "/events", "/feedback", "/scores"] {
        world.get(&token, &format!("/api/v1/clients/mallory{rest}")).await.problem(404);
    }
    let session = world.mainstay.sign_client_in(&token).await.unwrap().unwrap();
    let signed_in = world.mainstay.client_session(&session.token).await.unwrap().unwrap();
    assert_eq!(signed_in.known, None);
});

on_both_databases!(the_organization_confirms_what_a_write_key_joined, async |world| {
    let (key, secret) = (&world.acme.write_key, &world.acme.secret_key);
    batch(world, key, &[identify("ada"), track("visitor", "1")]).await;
    batch(world, key, &[alias("visitor", "ada")]).await;
    batch(world, secret, &[alias("visitor", "ada")]).await;
    batch(world, secret, &[track("visitor", "2")]).await;
    assert_eq!(events_of(world, "ada").await, ["1", "2"]);
    assert_eq!(client(world, "visitor").await["client_id"], "ada");
});

on_both_databases!(a_write_key_moves_no_visitor_who_is_known_to_be_a_client, async |world| {
    let (key, secret) = (&world.acme.write_key, &world.acme.secret_key);
    let days_ago =
        |days: i64| (world.mainstay.now() - SignedDuration::from_hours(days * 24)).to_string();
    let joins = |user: &str, visitor: &str, at: &str| {
        json!({"type": "identify", "userId": user, "anonymousId": visitor, "timestamp": at,
               "traits": {"plan": "pro"}})
    };
    for (owner, joined_by) in [("ada", key), ("bob", secret)] {
        let visitor = format!("visitor-{owner}");
        let mut late = visit(&visitor, &format!("{owner}-before"));
        late["timestamp"] = json!(days_ago(6));
        batch(world, key, &[late]).await;
        batch(world, joined_by, &[joins(owner, &visitor, &days_ago(2))]).await;
        batch(world, key, &[visit(&visitor, &format!("{owner}-after"))]).await;
        let own = [format!("{owner}-after"), format!("{owner}-before")];
        assert_eq!(events_of(world, owner).await, own);
        for days in [0, 1, 3, 7, 8, 5_000] {
            let attack = joins("attacker", &visitor, &days_ago(days));
            assert_eq!(batch(world, key, &[attack]).await, json!({"success": true}));
        }
        let answer = batch(world, key, &[alias(&visitor, "attacker")]).await;
        let reason = answer["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("joins an id once"), "{reason}");
        assert_eq!(events_of(world, owner).await, own);
        assert_eq!(client(world, "attacker").await["plan"], "pro", "its profile counts");
        assert_eq!(events_of(world, "attacker").await, [""; 0]);
        // The same client may say it again, and a secret key may say otherwise.
        batch(world, key, &[joins(owner, &visitor, &days_ago(1))]).await;
        batch(world, secret, &[joins("carol", &visitor, &days_ago(3))]).await;
        assert_eq!(events_of(world, owner).await, [format!("{owner}-after")]);
        batch(world, key, &[joins("attacker", &visitor, &days_ago(0))]).await;
        assert_eq!(events_of(world, "attacker").await, [""; 0]);
    }
    // Two of one request: the first counts.
    batch(world, key, &[visit("both", "both")]).await;
    batch(world, key, &[joins("dora", "both", &days_ago(1)), joins("emil", "both", &days_ago(2))])
        .await;
    assert_eq!(events_of(world, "dora").await, ["both"]);
});

on_both_databases!(an_old_message_with_a_write_key_joins_no_visitor, async |world| {
    let key = &world.acme.write_key;
    let days_ago =
        |days: i64| (world.mainstay.now() - SignedDuration::from_hours(days * 24)).to_string();
    let mut late = visit("visitor", "1");
    late["timestamp"] = json!(days_ago(30));
    batch(world, key, &[late]).await;
    let mut join = json!({"type": "identify", "userId": "ada", "anonymousId": "visitor",
                          "timestamp": days_ago(8), "traits": {"plan": "pro"}});
    assert_eq!(batch(world, key, &[join.clone()]).await, json!({"success": true}));
    assert_eq!(client(world, "ada").await["plan"], "pro");
    assert_eq!(events_of(world, "ada").await, [""; 0]);
    let mut old_alias = alias("visitor", "ada");
    old_alias["timestamp"] = json!(days_ago(8));
    let answer = batch(world, key, &[old_alias]).await;
    assert_eq!(answer["refused"][0]["field"], "timestamp", "{answer}");
    assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("secret key"), "{answer}");
    assert_eq!(events_of(world, "ada").await, [""; 0]);
    join["timestamp"] = json!(days_ago(7));
    batch(world, key, &[join]).await;
    assert_eq!(events_of(world, "ada").await, ["1"], "events before the sign-up are the client's");
});
