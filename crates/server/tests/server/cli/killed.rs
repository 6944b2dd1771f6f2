//! `kill -9` in the middle of writes: what got a success answer is there afterwards, once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::sandbox::{Sandbox, Served};

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
    let keys = sandbox.done("org create acme --json").json();
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
    sandbox.done("verify --org acme");
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

/// What is known of an organization over HTTP, by the host app's ids.
async fn known(url: &str, key: &str) -> Vec<Value> {
    let http = reqwest::Client::new();
    let get = async |path: String| -> Value {
        let answer = http.get(format!("{url}{path}")).bearer_auth(key).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let clients = get("/api/v1/clients?limit=500".to_owned()).await;
    let mut known = vec![clients.clone()];
    for client in clients["clients"].as_array().unwrap() {
        let id = client["client_id"].as_str().unwrap();
        let from = "from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z&limit=500";
        let mut events = get(format!("/api/v1/clients/{id}/events?{from}")).await;
        for event in events["events"].as_array_mut().unwrap() {
            event.as_object_mut().unwrap().remove("received_at");
        }
        known.push(events);
    }
    known
}

/// Sends a message until it is acknowledged. With `kill`, the server is killed while it is on its way
/// the first time, and started again.
fn deliver(sandbox: &Sandbox, served: Served, key: &str, message: &Value, kill: bool) -> Served {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let send = |url: String| {
        let body = json!({"batch": [message]}).to_string();
        let request = reqwest::Client::new().post(format!("{url}/v1/batch")).bearer_auth(key);
        async move { request.body(body).send().await.map(|answer| answer.status().as_u16()) }
    };
    let mut served = served;
    if kill {
        let on_its_way = runtime.spawn(send(served.url.clone()));
        served.stop("KILL");
        // Acknowledged or not: a sender that heard nothing sends it again.
        let _ = runtime.block_on(on_its_way);
        served = sandbox.serve("serve --listen 127.0.0.1:0");
    }
    assert_eq!(runtime.block_on(send(served.url.clone())).unwrap(), 200, "{message}");
    served
}

fn any_order_and_any_kill_says_the_same(sandbox: &Sandbox) {
    let keys = |slug: &str, clients_are: &str, served: &Served| {
        let created = sandbox.done(&format!("org create {slug} --json")).json();
        let key = created["secret_key"].as_str().unwrap().to_owned();
        let request = reqwest::Client::new()
            .patch(format!("{}/api/v1/organization", served.url))
            .bearer_auth(&key)
            .json(&json!({"clients_are": clients_are}));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        assert_eq!(runtime.block_on(request.send()).unwrap().status(), 200);
        key
    };
    for clients_are in ["users", "groups"] {
        let mut random = fastrand::Rng::with_seed(41);
        let mut messages = Vec::new();
        while messages.len() < 14 {
            messages = crate::any_order::stream(&mut random);
            // How far a clock is off follows from when a message arrives.
            messages.retain(|message| message.get("sentAt").is_none());
        }
        let mut served = sandbox.serve("serve --listen 127.0.0.1:0");
        let calm = keys(&format!("calm-{clients_are}"), clients_are, &served);
        let rough = keys(&format!("rough-{clients_are}"), clients_are, &served);
        for message in &messages {
            served = deliver(sandbox, served, &calm, message, false);
        }
        random.shuffle(&mut messages);
        for message in &messages {
            served = deliver(sandbox, served, &rough, message, true);
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let expected = runtime.block_on(known(&served.url, &calm));
        let found = runtime.block_on(known(&served.url, &rough));
        assert!(expected.len() > 2, "too little was said: {expected:?}");
        assert_eq!(expected, found, "{clients_are}: {messages:#?}");
        served.stop("TERM");
        sandbox.done(&format!("verify --org rough-{clients_are}"));
    }
}

#[test]
fn any_order_of_messages_with_kill_9_between_them_says_the_same_on_sqlite() {
    any_order_and_any_kill_says_the_same(&Sandbox::sqlite());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn any_order_of_messages_with_kill_9_between_them_says_the_same_on_postgres() {
    any_order_and_any_kill_says_the_same(&Sandbox::postgres());
}
