use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
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
fn a_server_says_where_it_listens_and_stops_in_order() {
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
fn an_address_in_use_is_told_with_what_to_do() {
    let sandbox = Sandbox::sqlite();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["serve", "demo"] {
        sandbox
            .run([command, "--listen", &address])
            .failed(&format!("address {address} is in use; choose another with --listen"));
    }
    sandbox.run(["--listen", &address, "serve"]).failed("is in use");
    sandbox.run(["serve", "--listen", "8080"]).failed("use HOST:PORT");
}

#[test]
fn logs_can_be_json_and_a_wrong_filter_is_told() {
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
    let organizations = sandbox.done("org list --json").json();
    assert_eq!(organizations[0]["sample"], true);
    assert!(sandbox.done("verify").out.contains("everything follows from the events"));
}
