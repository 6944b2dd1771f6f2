use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
};

use super::sandbox::Sandbox;

/// The status line and body of a GET.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_prints_its_address_and_shuts_down_gracefully() {
    let sandbox = Sandbox::sqlite();
    for signal in ["TERM", "INT"] {
        let served = sandbox.serve("serve --listen 127.0.0.1:0");
        assert!(served.said.contains("mainstay org create SLUG"), "{}", served.said);
        assert!(get(&served.url, "/healthz").starts_with("HTTP/1.1 200"));
        // Open and idle: no reason to wait.
        let idle = TcpStream::connect(served.url.strip_prefix("http://").unwrap()).unwrap();
        let ended = served.stop(signal);
        drop(idle);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.err.contains("stopped"), "{ended:?}");
    }
}

#[test]
fn a_hangup_ends_nothing() {
    let sandbox = Sandbox::sqlite();
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    served.signal("HUP");
    assert!(get(&served.url, "/healthz").starts_with("HTTP/1.1 200"));
    let ended = served.stop("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("SIGHUP"), "{ended:?}");
}

#[test]
fn probes_report_the_progress_of_a_migration() {
    use sqlx::{Connection as _, Executor as _};
    let sandbox = Sandbox::sqlite();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Somebody else writes into the file, so that the first migration has to wait.
    let file = format!("sqlite:{}?mode=rwc", sandbox.path("mainstay.db").display());
    let other = runtime.block_on(async {
        let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
        other.execute("PRAGMA journal_mode = WAL").await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        other
    });
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut child =
        sandbox.command(["serve", "--listen", &address]).stdout(Stdio::null()).spawn().unwrap();
    let url = format!("http://{address}");
    while TcpStream::connect(&address).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
    }
    assert!(get(&url, "/healthz").starts_with("HTTP/1.1 200"));
    let mut ready = get(&url, "/readyz");
    while !ready.contains("migrating 1 of ") {
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("retry-after"), "{ready}");
        ready = get(&url, "/readyz");
    }
    // It waits for a moment, and not for ever.
    let page = get(&url, "/portfolio");
    assert!(page.starts_with("HTTP/1.1 503") && page.contains("Mainstay is starting"), "{page}");
    let waiting = {
        let url = url.clone();
        std::thread::spawn(move || get(&url, "/api/v1/clients"))
    };
    runtime.block_on(async {
        let mut other = other;
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
    });
    while !get(&url, "/readyz").starts_with("HTTP/1.1 200") {}
    // Served now, or told to come again if that took longer.
    let answer = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") || answer.starts_with("HTTP/1.1 503"), "{answer}");
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("migrating") && log.contains("version=1 "), "{log}");
}

#[test]
fn an_address_in_use_fails_with_a_remedy() {
    let sandbox = Sandbox::sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["serve", "demo"] {
        sandbox
            .run([command, "--listen", &address])
            .expect_failure(&format!("address {address} is in use; choose another with --listen"));
    }
    sandbox.run(["--listen", &address, "serve"]).expect_failure("is in use");
    sandbox.run(["serve", "--listen", "8080"]).expect_failure("use HOST:PORT");
}

#[test]
fn logs_can_be_json_and_an_invalid_filter_fails() {
    let sandbox = Sandbox::sqlite();
    let ended = sandbox.serve("serve --listen 127.0.0.1:0 --log-format json").stop("TERM");
    for line in ended.err.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"] == "INFO", "{line}");
    }
    let wrong = sandbox.command(["serve"]).env("RUST_LOG", "mainstay=loud").output().unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).starts_with("error: RUST_LOG"));
}

#[test]
fn the_demo_serves_sample_data_with_keys_that_work() {
    let sandbox = Sandbox::sqlite();
    let served = sandbox.serve("demo --listen 127.0.0.1:0");
    assert!(served.said.starts_with("sample data"), "{}", served.said);
    for key in ["msk_", "mwk_", "mmt_", "/api/docs", "curl -H 'Authorization: Bearer "] {
        assert!(served.said.contains(key), "{key} is not in {}", served.said);
    }
    assert!(served.said.contains(&format!("{}/api/client/success?clientId=", served.url)));
    assert_eq!(served.stop("INT").code, 0);
    let organizations = sandbox.run_ok("org list --json").json();
    assert_eq!(organizations[0]["sample"], true);
    assert!(sandbox.run_ok("verify").out.contains("all stored data matches the events"));
}
