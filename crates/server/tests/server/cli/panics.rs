//! A panic in each background loop, put in by the environment, which only a debug build looks at.

use std::{fs::File, process::Stdio};

use serde_json::json;
use tokio::time::timeout;

use super::sandbox::{RunningServer, Sandbox};
use crate::web::{
    browser::{Browser, PASSWORD},
    live::{PATIENCE, Stream},
};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

async fn get(served: &RunningServer, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}{path}", served.url)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Sends an event; the status that it is answered with, if it is.
async fn send(served: &RunningServer, key: &str, event: serde_json::Value) -> Option<u16> {
    let request = reqwest::Client::new().post(format!("{}/api/v1/events", served.url));
    let answer = request.bearer_auth(key).json(&event).send().await.ok()?;
    Some(answer.status().as_u16())
}

fn write_key(sandbox: &Sandbox) -> String {
    sandbox.run_ok("org create acme --json").json()["write_key"].as_str().unwrap().to_owned()
}

#[test]
fn a_loop_that_panics_is_named_until_it_runs_again_and_the_others_go_on() {
    let sandbox = Sandbox::sqlite();
    let key = write_key(&sandbox);
    for name in [
        "jobs",
        "email sender",
        "webhook courier",
        "returned clients",
        "refused events",
        "client merges",
        "time zone changes",
    ] {
        let mut command = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
        command.env("MAINSTAY_SMTP_URL", "smtp://127.0.0.1:9");
        command.env("MAINSTAY_MAIL_FROM", "success@mainstay.test");
        let served = Sandbox::serving({
            // Twice: it is not running for three seconds.
            command.env("MAINSTAY_TEST_PANICS", format!("{name}=2"));
            command
        });
        run(async {
            // Refused events are only kept when there are some.
            assert_eq!(send(&served, &key, json!({"event": "login"})).await, Some(422));
            let (mut status, mut text) = get(&served, "/readyz").await;
            while status == 200 {
                (status, text) = get(&served, "/readyz").await;
            }
            assert_eq!(status, 503);
            assert!(text.contains(&format!("not running: {name}")), "{text}");
            assert_eq!(get(&served, "/healthz").await.0, 200);
            let event = json!({"client_id": "ada", "event": "login"});
            assert_eq!(send(&served, &key, event).await, Some(200));
            while get(&served, "/readyz").await.0 != 200 {}
        });
        let ended = served.stop("TERM");
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.err.contains(&format!("a panic injected at {name}")), "{ended:?}");
        assert!(ended.err.contains("supervise.rs"), "the place of the panic: {ended:?}");
    }
}

#[test]
fn live_updates_that_panic_are_named_until_they_tell_what_was_missed_and_the_others_go_on() {
    let sandbox = Sandbox::sqlite();
    let keys = sandbox.run_ok("org create acme --json").json();
    let text = |field: &str| keys[field].as_str().unwrap().to_owned();
    let (key, link) = (text("write_key"), text("setup_link"));
    let (_, link) = link.split_once(":8080").unwrap();
    let mut command = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
    // Twice: it is not running for three seconds.
    command.env("MAINSTAY_TEST_PANICS", "live updates=2");
    let served = Sandbox::serving(command);
    run(async {
        let owner = Browser::at(&served.url);
        let form = [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
        owner.post(link, &form).await.leads_to();
        // Nobody listens, so that it does not have to run.
        assert_eq!(get(&served, "/readyz").await.0, 200);
        let mut stream = Stream::of(owner.request("GET", "/live/stream")).await;
        let (status, text) = timeout(PATIENCE, async {
            loop {
                let answer = get(&served, "/readyz").await;
                if answer.0 != 200 {
                    return answer;
                }
            }
        })
        .await
        .expect("it panics");
        assert_eq!(status, 503);
        assert!(text.contains("not running: live updates;"), "{text}");
        assert_eq!(get(&served, "/healthz").await.0, 200);
        // What does not go through it is told meanwhile.
        assert_eq!(
            send(&served, &key, json!({"client_id": "ada", "event": "login"})).await,
            Some(200)
        );
        assert_eq!(stream.next("event").await["clients"], json!(["ada"]));
        assert_ne!(get(&served, "/readyz").await.0, 200);
        assert_eq!(stream.next("standings").await["clients"], json!(["ada"]));
        assert_eq!(get(&served, "/readyz").await.0, 200);
        // And of whoever listens next.
        drop(stream);
        let mut stream = Stream::of(owner.request("GET", "/live/stream")).await;
        assert_eq!(
            send(&served, &key, json!({"client_id": "zoe", "event": "login"})).await,
            Some(200)
        );
        let told = stream.next("standings").await;
        assert!(told["clients"].as_array().unwrap().contains(&json!("zoe")), "{told}");
    });
    let ended = served.stop("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.err.matches("a panic injected at live updates").count(), 4, "{ended:?}");
}

#[test]
fn without_what_stores_and_rolls_up_the_process_ends_with_an_error() {
    let sandbox = Sandbox::sqlite();
    let key = write_key(&sandbox);
    for name in ["event writer", "activity gatherer"] {
        let mut command = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
        command.env("MAINSTAY_TEST_PANICS", name);
        let served = Sandbox::serving(command);
        let event = json!({"client_id": "ada", "event": "login"});
        let answered = run(send(&served, &key, event));
        // Without the gatherer an event is stored all the same, if the process is still there.
        assert!(name != "event writer" || answered != Some(200), "{answered:?}");
        let ended = served.wait_for_exit();
        assert_eq!(ended.code, 1, "{ended:?}");
        let last = ended.err.lines().last().unwrap();
        let said =
            format!("error: the server stopped: {name} panicked: a panic injected at {name}");
        assert!(last.starts_with(&said), "{ended:?}");
    }
    // Nothing is broken for the next process.
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    let event = json!({"client_id": "ada", "event": "login"});
    assert_eq!(run(send(&served, &key, event)), Some(200));
    assert_eq!(served.stop("TERM").code, 0);
}

#[test]
fn a_log_that_cannot_be_written_costs_the_log_and_nothing_else() {
    let sandbox = Sandbox::sqlite();
    let key = write_key(&sandbox);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let reader_gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for log in [full(), reader_gone()] {
        let mut command = sandbox.command(["serve", "--listen", "127.0.0.1:0"]);
        command.env("RUST_LOG", "debug").stderr(log);
        let served = Sandbox::serving(command);
        run(async {
            for number in 0..20 {
                let event = json!({"client_id": "ada", "event": format!("e{number}")});
                assert_eq!(send(&served, &key, event).await, Some(200));
            }
            assert_eq!(get(&served, "/readyz").await.0, 200);
        });
        assert_eq!(served.stop("TERM").code, 0);
    }
}
