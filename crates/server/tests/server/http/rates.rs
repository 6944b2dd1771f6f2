//! How many events a second are taken, when the operator says so.

use std::num::NonZeroU32;

use jiff::ToSpan as _;
use mainstay::engagement::Rates;
use serde_json::{Value, json};

use crate::support::{Answer, World};

/// What may come at once, however low the rate: the most that one request brings.
const BURST: usize = 2_500;

fn messages(name: &str, count: usize) -> Value {
    let message = |number| json!({"type": "track", "userId": "ada", "event": "login", "messageId": format!("{name}-{number}")});
    json!({ "batch": (0..count).map(message).collect::<Vec<_>>() })
}

async fn send(world: &World, key: &str, name: &str, count: usize) -> Answer {
    world.post(key, "/v1/batch", messages(name, count)).await
}

fn wait(refused: &Answer) -> i64 {
    refused.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

async fn stored(world: &World) -> u64 {
    let path = "/api/v1/clients/ada/activity";
    let activity = world.get(&world.acme.owner, path).await.json(200);
    let days = activity["days"].as_array().unwrap();
    days.iter().map(|day| day["events"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_key_past_its_rate_is_told_when_to_come_again_and_nothing_of_it_is_stored() {
    let rates = Rates { organization: None, key: NonZeroU32::new(10) };
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
    let rates = Rates { organization: NonZeroU32::new(100), key: None };
    let world = World::sqlite_taking(rates).await;
    send(&world, &world.acme.write_key, "first", BURST).await.json(200);
    let refused = send(&world, &world.acme.secret_key, "second", 50).await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("organization"), "{problem}");
    assert_eq!(wait(&refused), 1);
    send(&world, &world.rival.write_key, "rival", 50).await.json(200);
    world.close().await;
}
