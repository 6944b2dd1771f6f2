//! `kill -9` in the middle of writes: what got a success answer is there afterwards, once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::sandbox::Sandbox;

const ROUNDS: u64 = 20;
const SENDERS: u64 = 4;
const CLIENTS: u64 = 25;

/// Sends batches until the server is gone; keeps the events that were acknowledged.
async fn send_until_killed(
    url: String,
    key: String,
    number: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<Vec<Value>>>,
    count: Arc<AtomicUsize>,
    enough: Arc<tokio::sync::Notify>,
    target: usize,
) {
    let http = reqwest::Client::new();
    loop {
        let first = number.fetch_add(10, Ordering::Relaxed);
        let events: Vec<Value> = (first..first + 1 + first % 10)
            .map(|number| {
                json!({
                    "client_id": format!("client-{}", number % CLIENTS),
                    "event": "login",
                    "message_id": format!("message-{number}"),
                    "timestamp": format!("2026-05-{:02}T12:00:00Z", 1 + number % 28),
                })
            })
            .collect();
        let answer =
            http.post(format!("{url}/api/v1/events")).bearer_auth(&key).json(&events).send().await;
        let Ok(answer) = answer else { return };
        if answer.status() != 200 {
            continue;
        }
        // The answer's first line is the acknowledgement; its body may be cut off by the kill.
        let sent = events.len();
        acknowledged.lock().unwrap().extend(events);
        if count.fetch_add(sent, Ordering::Relaxed) + sent >= target {
            enough.notify_one();
        }
    }
}

fn nothing_acknowledged_is_missing(sandbox: &Sandbox) {
    let keys = sandbox.run_ok("org create acme --json").json();
    let key = keys["write_key"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    for round in 0..ROUNDS {
        let served = sandbox.serve("serve --listen 127.0.0.1:0");
        let (count, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        // Killed after a different number of answers each time.
        let target = 1 + usize::try_from(round * round).unwrap();
        runtime.block_on(async {
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| {
                    tokio::spawn(send_until_killed(
                        served.url.clone(),
                        key.clone(),
                        number.clone(),
                        acknowledged.clone(),
                        count.clone(),
                        enough.clone(),
                        target,
                    ))
                })
                .collect();
            enough.notified().await;
            served.stop("KILL");
            for sender in senders {
                sender.await.unwrap();
            }
        });
    }
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.len() > 100, "only {} events were acknowledged", acknowledged.len());

    // Sent again, each must be known already.
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    let http = reqwest::Client::new();
    runtime.block_on(async {
        for events in acknowledged.chunks(1_000) {
            let answer: Value = http
                .post(format!("{}/api/v1/events", served.url))
                .bearer_auth(&key)
                .json(events)
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            assert_eq!(
                answer,
                json!({ "stored": 0, "duplicates": events.len(), "refused": [] }),
                "acknowledged events are missing"
            );
        }
    });
    served.stop("TERM");
    sandbox.run_ok("verify --org acme");
}

#[test]
fn nothing_acknowledged_is_missing_after_kill_9_on_sqlite() {
    nothing_acknowledged_is_missing(&Sandbox::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn nothing_acknowledged_is_missing_after_kill_9_on_postgres() {
    nothing_acknowledged_is_missing(&Sandbox::postgres());
}
