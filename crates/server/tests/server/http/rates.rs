//! How many events a second are taken, when the operator says so.

use std::num::NonZeroU32;

use jiff::ToSpan as _;
use mainstay::engagement::Rates;
use serde_json::{Value, json};

use crate::support::{TestResponse, World};

/// What may come at once, however low the rate: the most that one request brings.
const BURST: usize = 2_500;

fn messages(name: &str, count: usize) -> Value {
    let message = |number| json!({"type": "track", "userId": "ada", "event": "login", "messageId": format!("{name}-{number}")});
    json!({ "batch": (0..count).map(message).collect::<Vec<_>>() })
}

async fn send(world: &World, key: &str, name: &str, count: usize) -> TestResponse {
    world.post(key, "/v1/batch", messages(name, count)).await
}

fn wait(refused: &TestResponse) -> i64 {
    refused.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

async fn stored(world: &World) -> u64 {
    let path = "/api/v1/clients/ada/activity";
    let activity = world.get(&world.acme.owner, path).await.json(200);
    let days = activity["days"].as_array().unwrap();
    days.iter().map(|day| day["events"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_key_over_its_rate_gets_retry_after_and_nothing_is_stored() {
    let rates = Rates { key: NonZeroU32::new(10), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    let key = world.acme.write_key.clone();
    assert_eq!(send(&world, &key, "first", BURST).await.json(200)["success"], true);
    let refused = send(&world, &key, "second", 20).await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("key"), "{problem}");
    assert_eq!(wait(&refused), 2, "twenty events at ten a second");
    // Another key, and another organization, are not made to wait.
    send(&world, &world.acme.secret_key, "other", 1).await.json(200);
    send(&world, &world.rival.write_key, "rival", 1).await.json(200);
    world.clock.set(world.mainstay.now() + wait(&refused).seconds());
    send(&world, &key, "second", 20).await.json(200);
    let taken = u64::try_from(BURST).unwrap() + 1 + 20;
    assert_eq!(stored(&world).await, taken);
    world.close().await;
}

#[tokio::test]
async fn an_organization_past_its_rate_waits_whichever_key_it_uses() {
    let rates = Rates { organization: NonZeroU32::new(100), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    send(&world, &world.acme.write_key, "first", BURST).await.json(200);
    let refused = send(&world, &world.acme.secret_key, "second", 50).await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("organization"), "{problem}");
    assert_eq!(wait(&refused), 1);
    send(&world, &world.rival.write_key, "rival", 50).await.json(200);
    world.close().await;
}

#[tokio::test]
async fn what_the_organizations_rate_refuses_costs_the_key_nothing() {
    let rates =
        Rates { organization: NonZeroU32::new(100), key: NonZeroU32::new(100), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    let (key, other) = (world.acme.write_key.clone(), world.acme.secret_key.clone());
    send(&world, &other, "first", BURST).await.json(200);
    for _ in 0..3 {
        let refused = send(&world, &key, "refused", BURST).await;
        let problem = refused.problem(429);
        assert!(problem["detail"].as_str().unwrap().contains("organization"), "{problem}");
    }
    // Time for one request of the organization's, and for a third of what the key was refused.
    world.clock.set(world.mainstay.now() + 25.seconds());
    send(&world, &key, "own", BURST).await.json(200);
    world.close().await;
}

#[tokio::test]
async fn what_one_clients_day_refuses_costs_neither_the_key_nor_other_clients_anything() {
    let rates =
        Rates { key: NonZeroU32::new(1), client_day: NonZeroU32::new(100), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    let from_page = async |name: &str, clients: &[(&str, usize)]| {
        let messages = clients.iter().flat_map(|(client, count)| {
            (0..*count).map(move |number| {
                json!({"client_id": client, "event": "login",
                       "message_id": format!("{name}-{client}-{number}")})
            })
        });
        let request = world.request("POST", "/api/v1/events").bearer_auth(&world.acme.write_key);
        let request = request.header("origin", "https://app.example.com");
        world.send(request.json(&messages.collect::<Vec<_>>())).await
    };
    from_page("first", &[("bob", 100)]).await.json(200);
    for _ in 0..30 {
        // Ada's share is there; bob's is not.
        let refused = from_page("refused", &[("ada", 100), ("bob", 1)]).await;
        assert!(refused.problem(429)["detail"].as_str().unwrap().contains("client"));
    }
    from_page("own", &[("ada", 100)]).await.json(200);
    from_page("own", &[("ada", 1)]).await.problem(429);
    world.close().await;
}

fn events(name: &str, client: Option<&str>, count: usize) -> Value {
    let event = |number| json!({"client_id": client, "event": "login", "message_id": format!("{name}-{number}")});
    (0..count).map(event).collect::<Vec<_>>().into()
}

#[tokio::test]
async fn a_write_key_has_a_quota_that_nobody_chose_and_a_secret_key_has_none() {
    let world = World::sqlite_taking(Rates::STANDARD).await;
    let mut sent = 0;
    let refused = loop {
        // Of one client or of many, from a server: what counts is the key.
        let answer = send(&world, &world.acme.write_key, &format!("batch-{sent}"), BURST).await;
        if answer.status == 429 {
            break answer;
        }
        sent += BURST;
    };
    assert_eq!(sent, 60_000, "a minute's worth at a thousand a second");
    assert!(refused.problem(429)["detail"].as_str().unwrap().contains("write key"));
    assert_eq!(wait(&refused), 3);
    send(&world, &world.acme.secret_key, "trusted", BURST).await.json(200);
    world.clock.set(world.mainstay.now() + wait(&refused).seconds());
    send(&world, &world.acme.write_key, "again", BURST).await.json(200);
    world.close().await;
}

#[tokio::test]
async fn a_clients_own_tokens_share_a_quota() {
    let world = World::sqlite_taking(Rates::STANDARD).await;
    let path = "/api/v1/events";
    let token = world.client_token("ada");
    world.post(&token, path, events("first", None, 600)).await.json(200);
    let refused = world.post(&token, path, events("second", None, 20)).await;
    assert!(refused.problem(429)["detail"].as_str().unwrap().contains("client token"));
    assert_eq!(wait(&refused), 2, "twenty events at ten a second");
    world.clock.set(world.mainstay.now() + 1.seconds());
    // Another token of the same client is no way around, another client is not made to wait.
    world.post(&world.client_token("ada"), path, events("third", None, 20)).await.problem(429);
    world.post(&world.client_token("bob"), path, events("bob", None, 20)).await.json(200);
    let many = world.post(&world.client_token("eve"), path, events("many", None, 601)).await;
    let problem = many.problem(422);
    assert!(
        problem["detail"].as_str().unwrap().contains("600"),
        "it would never be taken: {problem}"
    );
    world.close().await;
}

#[tokio::test]
async fn self_reported_messages_per_client_and_day_are_limited() {
    let rates = Rates { client_day: NonZeroU32::new(100), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    let from_page = async |client: &str, name: &str, count: usize| {
        let request = world.request("POST", "/api/v1/events").bearer_auth(&world.acme.write_key);
        let request = request.header("origin", "https://app.example.com");
        world.send(request.json(&events(name, Some(client), count))).await
    };
    from_page("ada", "page", 99).await.json(200);
    // A rating counts as well.
    let token = world.client_token("ada");
    let rating = json!({"kind": "stars", "rating": 5});
    let path = "/api/v1/clients/ada/feedback";
    world.post(&token, path, rating.clone()).await.json(201);
    for refused in [
        from_page("ada", "more", 1).await,
        world.post(&token, path, rating).await,
        world.post(&token, "/api/v1/events", events("own", None, 1)).await,
    ] {
        assert!(refused.problem(429)["detail"].as_str().unwrap().contains("client"));
        assert_eq!(wait(&refused), 864, "a hundredth of a day");
    }
    from_page("bob", "bob", 100).await.json(200);
    world
        .post(&world.acme.write_key, "/api/v1/events", events("server", Some("ada"), 500))
        .await
        .json(200);
    world.clock.set(world.mainstay.now() + 864.seconds());
    from_page("ada", "later", 1).await.json(200);
    world.close().await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_moment_costs_no_sender_anything() {
    let rates =
        Rates { organization: NonZeroU32::new(10), key: NonZeroU32::new(10), ..Rates::default() };
    let world = World::sqlite_taking(rates).await;
    let key = world.acme.write_key.clone();
    send(&world, &key, "before", 1).await.json(200);
    let now = world.mainstay.now();
    world.clock.jump(now.checked_add(240.hours()).unwrap());
    send(&world, &key, "ahead", 1).await.json(200);
    world.clock.jump(now);
    send(&world, &key, "after", 1).await.json(200);
}
