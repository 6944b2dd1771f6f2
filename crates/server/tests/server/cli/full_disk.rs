//! Database and log on the same disk, and that really full, as on a small server that logs beside its data.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use mainstay::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::sandbox::{RunningServer, Sandbox};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests after which the disk is full to the last byte.
const ENOUGH: usize = 2_000;
/// Runs a command with the database, and all that it logs, on a small file system of its own, which goes
/// away with it.
const ON_A_SMALL_DISK: &str =
    "mount -t tmpfs -o size=16m tmpfs disk && cp mainstay.db* disk/ && exec \"$@\" 2>>disk/log";

/// Starts a server on a small disk; answers where that is for us, who do not have it mounted.
fn serve_on_a_small_disk(sandbox: &Sandbox) -> (RunningServer, PathBuf) {
    let disk = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let database = format!("sqlite:{}", disk.join("mainstay.db").display());
    let plain = sandbox.command(["serve", "--listen", "127.0.0.1:0", "--database", &database]);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.current_dir(plain.get_current_dir().unwrap());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("RUST_LOG", "debug").stdin(Stdio::null()).stdout(Stdio::piped());
    let served = Sandbox::serving(command);
    let disk = PathBuf::from(format!("/proc/{}/root{}", served.pid(), disk.display()));
    (served, disk)
}

/// Writes a file until there is no room left.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    for bytes in [1024 * 1024, 4096, 1] {
        let full = loop {
            if let Err(error) = file.write_all(&vec![b'x'; bytes]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }
}

/// Sends events, one after the other, and keeps those that were acknowledged.
struct Sender {
    http: reqwest::Client,
    url: String,
    key: String,
    sent: usize,
    acknowledged: Vec<Value>,
}

impl Sender {
    /// Sends the next event; answers the status.
    async fn send(&mut self) -> u16 {
        self.sent += 1;
        let event = json!({
            "client_id": format!("client-{}", self.sent % 10), "event": "login",
            "message_id": self.sent.to_string(), "timestamp": SystemClock.now(),
            "data": {"text": "x".repeat(2_000)},
        });
        let request = self.http.post(format!("{}/api/v1/events", self.url));
        let request = request.bearer_auth(&self.key).json(&event);
        let answer = timeout(PATIENCE, request.send()).await.expect("no answer came").unwrap();
        let status = answer.status().as_u16();
        if status == 200 {
            let taken: Value = answer.json().await.unwrap();
            assert_eq!(taken, json!({"stored": 1, "duplicates": 0, "refused": []}));
            self.acknowledged.push(event);
        } else {
            assert_eq!(status, 503);
            assert_eq!(answer.headers()["retry-after"], "1");
        }
        status
    }

    async fn status(&self, path: &str) -> u16 {
        let asking = self.http.get(format!("{}{path}", self.url)).send();
        timeout(PATIENCE, asking).await.expect("no answer came").unwrap().status().as_u16()
    }

    /// Checks with another server that everything that was acknowledged is there.
    async fn check_all_is_kept(&self, url: &str) {
        for events in self.acknowledged.chunks(500) {
            let request = self.http.post(format!("{url}/api/v1/events")).bearer_auth(&self.key);
            let taken: Value = request.json(events).send().await.unwrap().json().await.unwrap();
            assert_eq!(taken, json!({"stored": 0, "duplicates": events.len(), "refused": []}));
        }
    }
}

/// Checks what is on the disk while nobody writes it, as a crash would leave it.
async fn check_kept(sandbox: &Sandbox, served: &RunningServer, disk: &Path, sender: &Sender) {
    served.signal("STOP");
    for file in ["mainstay.db", "mainstay.db-wal"] {
        fs::copy(disk.join(file), sandbox.path(file)).unwrap();
    }
    served.signal("CONT");
    let copy = sandbox.serve("serve --listen 127.0.0.1:0");
    sender.check_all_is_kept(&copy.url).await;
    assert_eq!(copy.stop("TERM").code, 0);
    sandbox.run_ok("verify --org acme");
    // For the next copy.
    fs::remove_file(sandbox.path("mainstay.db")).unwrap();
}

#[test]
#[ignore = "needs a file system of its own, as root or by user namespaces: ./check has one"]
fn a_full_disk_keeps_what_was_acknowledged_and_takes_no_more_until_there_is_room() {
    let sandbox = Sandbox::sqlite();
    let key =
        sandbox.run_ok("org create acme --json").json()["write_key"].as_str().unwrap().to_owned();
    let (served, disk) = serve_on_a_small_disk(&sandbox);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let http = reqwest::Client::new();
        let url = served.url.clone();
        let mut sender = Sender { http, url, key, sent: 0, acknowledged: Vec::new() };
        for round in 1..=2 {
            for _ in 0..20 {
                assert_eq!(sender.send().await, 200);
            }
            let (ballast, log) = (disk.join("ballast"), disk.join("log"));
            fill(&ballast);
            // Files may still grow up to the end of their last page, and be written where they are.
            let mut before = (0, 200);
            for sent in 0.. {
                assert!(sent < ENOUGH, "round {round}: there is room still");
                let now = (fs::metadata(&log).unwrap().len(), sender.send().await);
                if now == before && now.1 == 503 {
                    break;
                }
                before = now;
            }
            for _ in 0..20 {
                assert_eq!(sender.send().await, 503);
            }
            assert_eq!(fs::metadata(&log).unwrap().len(), before.0, "the log is on that disk");
            assert_eq!(sender.status("/readyz").await, 503);
            assert_eq!(sender.status("/healthz").await, 200);
            assert_eq!(sender.status("/sign-in").await, 200);
            check_kept(&sandbox, &served, &disk, &sender).await;

            fs::remove_file(&ballast).unwrap();
            let working = async { while sender.send().await != 200 {} };
            timeout(PATIENCE, working).await.expect("it goes on by itself");
            for _ in 0..20 {
                assert_eq!(sender.send().await, 200);
            }
            assert_eq!(sender.status("/readyz").await, 200);
            assert!(fs::metadata(&log).unwrap().len() > before.0, "it logs again");
        }
        check_kept(&sandbox, &served, &disk, &sender).await;
    });
    assert_eq!(served.stop("TERM").code, 0);
}
