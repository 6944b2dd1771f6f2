//! An answer after the disk: counted where the operating system is asked for it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::sandbox::Sandbox;

const REQUESTS: usize = 50;

#[test]
#[ignore = "needs strace: ./check installs it"]
fn every_answer_comes_after_a_sync_of_its_own_commit() {
    let sandbox = Sandbox::sqlite();
    let keys = sandbox.run_ok("org create acme --json").json();
    let key = keys["write_key"].as_str().unwrap();
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    let trace = sandbox.path("trace");
    let mut strace = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-p", &served.pid().to_string(), "-o"])
        .arg(&trace)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is installed");
    let mut said = BufReader::new(strace.stderr.take().unwrap()).lines();
    let attached = said.next().unwrap().unwrap();
    assert!(attached.contains("attached"), "{attached}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let http = reqwest::Client::new();
        for number in 0..REQUESTS {
            // One after the other: none can share another one's commit.
            let event = json!({"userId": "ada", "event": "login", "messageId": number.to_string()});
            let url = format!("{}/v1/track", served.url);
            let answer = http.post(url).bearer_auth(key).json(&event).send().await.unwrap();
            assert_eq!(answer.json::<Value>().await.unwrap(), json!({"success": true}));
        }
    });
    served.stop("TERM");
    strace.wait().unwrap();
    let traced = fs::read_to_string(&trace).unwrap();
    let syncs =
        traced.lines().filter(|line| line.contains("sync(") && line.ends_with("= 0")).count();
    assert!(syncs >= REQUESTS, "{syncs} syncs for {REQUESTS} commits:\n{traced}");
}
