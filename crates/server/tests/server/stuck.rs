//! Whoever holds the database, or an organization in it, and does nothing: nobody waits for that for ever.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::civil::date;
use mainstay::{
    Mainstay,
    engagement::{EventWriter, Rates},
    http::{self, Limits},
    site::Site,
};
use mainstay_core::id::OrganizationId;
use mainstay_store::{Scope, Store, Timeouts, Tx};
use serde_json::json;
use tokio::{net::TcpListener, time::timeout};

use crate::support::World;

/// Longer than a server that gives up after a second takes, and shorter than any other limit.
const PATIENCE: Duration = Duration::from_secs(5);

/// A transaction that nobody may store events of an organization beside. On SQLite nobody may store
/// anything.
async fn hold(store: &Store, organization: OrganizationId) -> Tx {
    let mut holding = store.begin(Scope::Service(organization)).await.unwrap();
    holding.fold_activity(date(2026, 4, 20)).await.unwrap();
    holding
}

/// Another server of the world's database, which gives up storing events after a second; answers where it
/// is.
async fn serve_hastily(world: &World) -> String {
    let timeouts = Timeouts { storing_seconds: 1, ..Timeouts::default() };
    let mainstay =
        Mainstay::new(world.store.with_timeouts(timeouts), Arc::clone(&world.clock) as _);
    let (writer, _) = EventWriter::start(&mainstay, Rates::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, mainstay, writer, Site::local(address), Limits::default()));
    format!("http://{address}")
}

on_both_databases!(senders_wait_for_whoever_holds_the_database_for_a_limited_time, async |world| {
    let url = serve_hastily(world).await;
    let elsewhere = world.reopened().await;
    let ask = |method: reqwest::Method, path: &str| {
        let request = reqwest::Client::new().request(method, format!("{url}{path}"));
        request.bearer_auth(&world.acme.secret_key)
    };
    let send = async |id: &str| {
        let event = json!({"client_id": "ada", "event": "login", "message_id": id});
        world.send(ask(reqwest::Method::POST, "/api/v1/events").json(&event)).await
    };
    // In the same process, and in another one.
    for (holder, id) in [(&world.store, "m1"), (&elsewhere, "m2")] {
        let holding = hold(holder, world.acme.id).await;
        for _ in 0..2 {
            let asked = Instant::now();
            let answer = send(id).await;
            answer.problem(503);
            assert_eq!(answer.headers["retry-after"], "1");
            assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        }
        // Who only reads does not wait.
        let asked = Instant::now();
        world.send(ask(reqwest::Method::GET, "/api/v1/clients")).await.json(200);
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        holding.rollback().await.unwrap();
        let again = async {
            loop {
                let answer = send(id).await;
                if answer.status != 503 {
                    return answer;
                }
            }
        };
        // What was given up is undone: it neither holds anything nor is it stored.
        let taken = timeout(4 * PATIENCE, again).await.expect("it goes on").json(200);
        assert_eq!(taken, json!({"stored": 1, "duplicates": 0, "refused": []}));
    }
    elsewhere.close().await;
});

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn an_organization_that_is_locked_keeps_no_other_waiting() {
    let world = World::postgres().await;
    let holding = hold(&world.store, world.acme.id).await;
    let mut waiting = Vec::new();
    for number in 1.. {
        let event = json!({"client_id": "ada", "event": "login", "message_id": number.to_string()});
        let request = world.request("POST", "/api/v1/events").bearer_auth(&world.acme.write_key);
        waiting.push(tokio::spawn(request.json(&event).send()));
        // Each is taken up by itself, until no more are.
        let taken_up = async { while world.waiting_for_locks().await < number {} };
        if timeout(Duration::from_secs(1), taken_up).await.is_err() {
            break;
        }
    }
    let event = json!({"client_id": "zoe", "event": "login"});
    let sent = world.post(&world.rival.write_key, "/api/v1/events", event);
    timeout(PATIENCE, sent).await.expect("the other organization waits").json(200);
    assert!(waiting.iter().all(|sent| !sent.is_finished()));
    holding.rollback().await.unwrap();
    for sent in waiting {
        assert_eq!(sent.await.unwrap().unwrap().status(), 200);
    }
    world.close().await;
}
