//! What a write key, a browser and a client's own token may settle: next to nothing.

use serde_json::{Value, json};

use crate::support::{TestResponse, World};

const EVENTS: &str = "/api/v1/events";

async fn batch(world: &World, key: &str, messages: &[Value]) -> Value {
    world.post(key, "/v1/batch", json!({ "batch": messages })).await.json(200)
}

/// As a page of the host app sends it.
async fn from_browser(world: &World, key: &str, path: &str, body: &Value) -> TestResponse {
    let request = world.request("POST", path).bearer_auth(key);
    world.send(request.header("origin", "https://app.example.com").json(body)).await
}

async fn client(world: &World, id: &str) -> Value {
    world.get(&world.acme.owner, &format!("/api/v1/clients/{id}")).await.json(200)
}

async fn events_of(world: &World, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/clients/{id}/events");
    world.get(&world.acme.owner, &path).await.json(200)["events"].as_array().unwrap().clone()
}

fn track(user: &str, id: &str) -> Value {
    json!({"type": "track", "userId": user, "event": "login", "messageId": id})
}

fn alias(previous: &str, user: &str) -> Value {
    json!({"type": "alias", "previousId": previous, "userId": user})
}

on_both_databases!(a_write_key_merges_no_two_known_clients, async |world| {
    let key = &world.acme.write_key;
    // One is known by what it did only, one by its profile only.
    let identify = json!({"type": "identify", "userId": "profile", "traits": {"name": "Victim"}});
    batch(world, key, &[track("events", "v"), identify, track("attacker", "a")]).await;
    for victim in ["events", "profile", "attacker"] {
        let into = if victim == "attacker" { "events" } else { "attacker" };
        let answer = batch(world, key, &[alias(victim, into)]).await;
        assert_eq!(answer["success"], false, "{answer}");
        assert_eq!(answer["refused"][0]["field"], "previousId");
        let reason = answer["refused"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("secret key") && reason.contains("/merge"), "{reason}");
    }
    let token = world.client_token("attacker");
    for victim in ["events", "profile"] {
        assert_eq!(client(world, victim).await["client_id"], victim);
        world.get(&token, &format!("/api/v1/clients/{victim}")).await.problem(403);
    }
    assert_eq!(client(world, "attacker").await["name"], Value::Null);
    assert_eq!(events_of(world, "attacker").await.len(), 1);
});

on_both_databases!(an_anonymous_id_is_joined_to_one_client_and_once, async |world| {
    let key = &world.acme.write_key;
    batch(world, key, &[track("ada", "1"), track("bob", "2")]).await;
    // One of the same request, one again, one elsewhere.
    let answer = batch(world, key, &[alias("anon-1", "ada"), alias("anon-1", "bob")]).await;
    assert_eq!(answer["refused"][0]["index"], 1, "{answer}");
    assert_eq!(batch(world, key, &[alias("anon-1", "ada")]).await, json!({"success": true}));
    let answer = batch(world, key, &[alias("anon-1", "bob")]).await;
    assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("joins an id once"));
    assert_eq!(client(world, "anon-1").await["client_id"], "ada");
});

on_both_databases!(what_a_visitor_did_is_the_clients_that_it_turns_out_to_be, async |world| {
    let key = &world.acme.write_key;
    let identify = |id: &str| json!({"type": "identify", "userId": id, "traits": {"plan": "pro"}});
    let many: Vec<Value> = (0..101).map(|id| track("busy", &id.to_string())).collect();
    batch(world, key, &many).await;
    batch(world, key, &[track("old", "1"), track("known", "2"), identify("known")]).await;
    world.clock.advance_hours(1);
    world.tick();
    batch(world, key, &[track("visitor", "3"), track("other", "4"), identify("ada")]).await;
    for id in ["busy", "old", "known"] {
        let answer = batch(world, key, &[alias(id, "ada")]).await;
        assert_eq!(answer["refused"][0]["field"], "previousId", "{id}: {answer}");
    }
    let answer = batch(world, key, &[alias("visitor", "other")]).await;
    assert_eq!(answer["success"], false, "nobody told who {answer} is");
    for _ in 0..2 {
        assert_eq!(batch(world, key, &[alias("visitor", "ada")]).await, json!({"success": true}));
    }
    assert_eq!(client(world, "visitor").await["client_id"], "ada");
    assert_eq!(events_of(world, "ada").await.len(), 1);
    // Staff see it, and can undo it.
    let merges = world.get(&world.acme.owner, "/api/v1/merges").await.json(200);
    let merge = &merges["merges"][0];
    assert_eq!((&merge["of_visitor"], &merge["previous_id"]), (&json!(true), &json!("visitor")));
    assert_eq!(merges["merges"].as_array().unwrap().len(), 1);
    let undo = format!("/api/v1/merges/{}/undo", merge["id"].as_str().unwrap());
    world.post(&world.acme.owner, &undo, json!({})).await.json(202);
    assert_eq!(client(world, "visitor").await["client_id"], "visitor");
});

on_both_databases!(joining_an_id_gives_whoever_is_called_so_nothing, async |world| {
    let key = &world.acme.write_key;
    let identify =
        json!({"type": "identify", "userId": "victim", "traits": {"email": "v@example.com"}});
    batch(world, key, &[track("victim", "1"), identify]).await;
    // An id of the attacker's that was never seen, and one of a client that is yet to come.
    let joined = batch(world, key, &[alias("mallory", "victim"), alias("new", "mallory-2")]).await;
    assert_eq!(joined, json!({"success": true}));
    let token = world.client_token("mallory");
    for path in ["", "/events", "/feedback", "/scores"] {
        world.get(&token, &format!("/api/v1/clients/mallory{path}")).await.problem(404);
    }
    batch(world, key, &[track("new", "2"), track("mallory", "3")]).await;
    for id in ["new", "mallory"] {
        assert_eq!(client(world, id).await["client_id"], id, "it is a client of its own");
        assert_eq!(events_of(world, id).await.len(), 1);
    }
    assert_eq!(events_of(world, "victim").await.len(), 1);
    assert_eq!(events_of(world, "mallory-2").await.len(), 0);
});

on_both_databases!(a_membership_is_not_dated_back_with_a_write_key, async |world| {
    let change = json!({"clients_are": "groups"});
    world.patch(&world.acme.owner, "/api/v1/organization", change).await.json(200);
    let group =
        |at: &str| json!({"type": "group", "userId": "ada", "groupId": "b", "timestamp": at});
    let days_ago = |days: i64| {
        (world.mainstay.now() - jiff::SignedDuration::from_hours(days * 24)).to_string()
    };
    let answer = batch(world, &world.acme.write_key, &[group(&days_ago(8))]).await;
    assert_eq!(answer["refused"][0]["field"], "timestamp", "{answer}");
    assert!(answer["refused"][0]["reason"].as_str().unwrap().contains("secret key"));
    for (key, days) in [(&world.acme.write_key, 7), (&world.acme.secret_key, 2_000)] {
        assert_eq!(batch(world, key, &[group(&days_ago(days))]).await, json!({"success": true}));
    }
});

on_both_databases!(
    an_event_that_a_late_membership_moves_stays_marked_as_self_told,
    async |world| {
        let change = json!({"clients_are": "groups"});
        world.patch(&world.acme.owner, "/api/v1/organization", change).await.json(200);
        let days_ago = |days: i64| {
            (world.mainstay.now() - jiff::SignedDuration::from_hours(days * 24)).to_string()
        };
        let join = async |account: &str, days: i64| {
            let group = json!({"type": "group", "userId": "ada", "groupId": account,
                           "timestamp": days_ago(days)});
            batch(world, &world.acme.secret_key, &[group]).await;
        };
        join("before", 5).await;
        let event = json!({"userId": "ada", "event": "login", "timestamp": days_ago(2)});
        from_browser(world, &world.acme.write_key, "/v1/track", &event).await.json(200);
        assert_eq!(events_of(world, "before").await[0]["self_told"], true);
        join("after", 3).await;
        assert_eq!(events_of(world, "after").await[0]["self_told"], true);
    }
);

on_both_databases!(self_reported_high_value_events_do_not_count, async |world| {
    let made =
        |id: &str| json!([{"client_id": "ada", "event": "content_generated", "message_id": id}]);
    let browser_key = world
        .post(&world.acme.owner, "/api/v1/keys", json!({"kind": "write", "source": "browser"}))
        .await
        .json(201);
    assert_eq!(browser_key["source"], "browser");
    let browser_key = browser_key["key"].as_str().unwrap().to_owned();
    let token = world.client_token("ada");
    let write = &world.acme.write_key;
    let send = async |prefix: &str| {
        let id = |name: &str| format!("{prefix}-{name}");
        from_browser(world, write, EVENTS, &made(&id("page"))).await.json(200);
        let segment =
            json!({"userId": "ada", "event": "task_completed", "messageId": id("segment")});
        from_browser(world, write, "/v1/track", &segment).await.json(200);
        world.post(&browser_key, EVENTS, made(&id("key"))).await.json(200);
        world.post(&token, EVENTS, made(&id("token"))).await.json(200);
        let action = json!({"action": "track-event", "eventType": "visual_created",
                            "message_id": id("action")});
        world.patch(&token, "/api/client/success", action).await.json(200);
    };
    let high_value = async || {
        let score = world.get(&world.acme.owner, "/api/v1/clients/ada/score").await.json(200);
        assert!(score["score"].is_object() || score["overall"].is_number(), "{score}");
        let events = events_of(world, "ada").await;
        let counts = |event: &&Value| event["type"] != "custom";
        let self_told = events.iter().filter(|event| event["self_told"] == true).count();
        (self_told, events.iter().filter(counts).count())
    };
    send("first").await;
    assert_eq!(high_value().await, (5, 0), "kept, marked, and no high value");
    world.post(write, EVENTS, made("server")).await.json(200);
    world.post(&world.acme.secret_key, EVENTS, made("secret")).await.json(200);
    assert_eq!(high_value().await, (5, 2), "servers' count");

    let allow = json!({"count_self_told": true});
    let changed = world.patch(&world.acme.owner, "/api/v1/organization", allow).await.json(200);
    assert_eq!(changed["count_self_told"], true);
    send("second").await;
    assert_eq!(high_value().await, (10, 7), "where the organization allows it");
});

on_both_databases!(an_address_from_a_write_key_gets_no_email_without_consent, async |world| {
    let told = json!({"userId": "ada", "traits": {"email": "mallory@evil.example"}});
    world.post(&world.acme.write_key, "/v1/identify", told.clone()).await.json(200);
    let ada = client(world, "ada").await;
    assert_eq!(
        (&ada["email"], &ada["email_confirmed"]),
        (&json!("mallory@evil.example"), &json!(false))
    );
    let path = "/api/v1/clients/ada/email-subscription";
    let subscribe = json!({"state": "subscribed"});
    let secret = &world.acme.secret_key;
    let asked = world.put(secret, path, subscribe.clone()).await.json(200);
    assert_eq!(
        (&asked["state"], &asked["address"]),
        (&json!("pending"), &json!("mallory@evil.example"))
    );

    let again = world.put(secret, path, subscribe.clone()).await.json(200);
    assert_eq!(again["state"], "pending", "asking twice confirms nothing");

    // The client's own token confirms nothing either: the two together are what an attacker has.
    let told = json!({"userId": "eve", "traits": {"email": "stranger@third.example"}});
    world.post(&world.acme.write_key, "/v1/identify", told).await.json(200);
    let own = json!({"state": "subscribed", "address": "stranger@third.example"});
    let path = "/api/v1/clients/eve/email-subscription";
    for body in [own, subscribe.clone()] {
        let asked = world.put(&world.client_token("eve"), path, body).await.json(200);
        assert_eq!(asked["state"], "pending");
    }
});

on_both_databases!(a_write_key_does_not_replace_an_address_that_is_confirmed, async |world| {
    let (write, secret) = (&world.acme.write_key, &world.acme.secret_key);
    let told = |email: &str| json!({"userId": "ada", "traits": {"email": email}});
    world.post(secret, "/v1/identify", told("ada@example.com")).await.json(200);
    world.tick();
    world.post(write, "/v1/identify", told("mallory@evil.example")).await.json(200);
    let ada = client(world, "ada").await;
    assert_eq!((&ada["email"], &ada["email_confirmed"]), (&json!("ada@example.com"), &json!(true)));
    assert_eq!(ada["unconfirmed_email"], "mallory@evil.example");
    let path = "/api/v1/clients/ada/email-subscription";
    let subscribed = world.put(secret, path, json!({"state": "subscribed"})).await.json(200);
    assert_eq!(
        (&subscribed["state"], &subscribed["address"]),
        (&json!("subscribed"), &json!("ada@example.com"))
    );
    // Who clears the address clears both: none of them is shown any more.
    world.tick();
    world.patch(secret, "/api/v1/clients/ada", json!({"email": null})).await.json(200);
    let ada = client(world, "ada").await;
    assert_eq!((&ada["email"], &ada["unconfirmed_email"]), (&json!(null), &json!(null)));
});

on_both_databases!(
    a_clients_own_rating_stands_until_its_next_and_is_not_dated_back,
    async |world| {
        world.be_active("ada", "login", 3).await;
        let token = world.client_token("ada");
        let path = "/api/v1/clients/ada/feedback";
        let stars = |rating: i64| json!({"kind": "stars", "rating": rating});
        let dated = json!({"kind": "stars", "rating": 5, "given_at": "2026-04-01T00:00:00Z"});
        assert_eq!(world.post(&token, path, dated.clone()).await.problem(422)["field"], "given_at");
        for rating in [5, 4, 2] {
            world.post(&token, path, stars(rating)).await.json(201);
            world.tick();
        }
        world.post(&token, path, json!({"kind": "nps", "rating": 9})).await.json(201);
        world.post(&world.acme.secret_key, path, dated).await.json(201);
        let ratings = async || {
            let listed = world.get(&token, path).await.json(200);
            let ratings = listed["feedback"].as_array().unwrap().clone();
            ratings.iter().map(|one| one["rating"].as_i64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(ratings().await, [9, 2, 5], "of its own, the last of each kind");
        let week = jiff::SignedDuration::from_hours(7 * 24 + 1);
        world.clock.set(world.mainstay.now() + week);
        world.post(&world.client_token("ada"), path, stars(3)).await.json(201);
        let token = world.client_token("ada");
        let listed = world.get(&token, path).await.json(200);
        assert_eq!(
            listed["feedback"].as_array().unwrap().len(),
            4,
            "a week later it is another one"
        );
    }
);
