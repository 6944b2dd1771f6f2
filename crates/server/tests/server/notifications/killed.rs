//! `kill -9` while notices go out: each arrives at least once, and whoever gets one twice can tell.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::interval};

use super::receiver::Receiver;
use crate::cli::sandbox::Sandbox;

const MESSAGES: usize = 40;
/// How often the server is killed with messages in progress.
const KILLS: usize = 3;

#[test]
fn killed_at_any_point_each_message_arrives_under_its_id() {
    let sandbox = Sandbox::sqlite();
    sandbox.write("mainstay.toml", "webhook_allow = '127.0.0.1'\n");
    let keys = sandbox.run_ok("org create acme --json").json();
    let key = keys["secret_key"].as_str().unwrap().to_owned();
    let runtime = Runtime::new().unwrap();
    let receiver = runtime.block_on(Receiver::start());
    let http = reqwest::Client::new();
    let post = async |url: String, body: Value| -> Value {
        let answer = http.post(url).bearer_auth(&key).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    // What arrives is kept, and not answered while the server is killed.
    receiver.hang();
    let mut served = sandbox.serve("serve --listen 127.0.0.1:0");
    let queued: BTreeSet<String> = runtime.block_on(async {
        let body = json!({"name": "Receiver", "url": receiver.url("/")});
        let hook = post(format!("{}/api/v1/webhooks", served.url), body).await;
        let test = format!("{}/api/v1/webhooks/{}/test", served.url, hook["id"].as_str().unwrap());
        let mut queued = BTreeSet::new();
        for _ in 0..MESSAGES {
            let message = post(test.clone(), Value::Null).await;
            queued.insert(format!("msg_{}", message["id"].as_str().unwrap()));
        }
        queued
    });
    let wait_for = |enough: &dyn Fn() -> bool| {
        runtime.block_on(async {
            let mut looks = interval(Duration::from_millis(5));
            while !enough() {
                looks.tick().await;
            }
        });
    };
    for _ in 0..KILLS {
        let before = receiver.got().len();
        wait_for(&|| receiver.got().len() > before);
        served.stop("KILL");
        served = sandbox.serve("serve --listen 127.0.0.1:0");
        // What was in progress stays claimed for a minute, which is too long to wait for here.
        sandbox.tamper("UPDATE webhook_messages SET lease_until = NULL WHERE state = 'queued'");
    }
    let arrived = || -> BTreeSet<String> {
        receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect()
    };
    wait_for(&|| {
        receiver.let_go();
        arrived().len() == MESSAGES
    });
    assert_eq!(arrived(), queued);
    assert!(receiver.got().len() >= MESSAGES + KILLS, "some of them twice");
    served.stop("TERM");
}
