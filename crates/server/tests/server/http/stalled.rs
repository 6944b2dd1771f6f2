//! Senders that hold a connection and send nothing, or nearly.

use std::time::Duration;

use mainstay::http::{Limits, raise_open_files};
use mainstay_store::Role;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{support::World, web::browser::Browser};

/// Connections of each kind.
const MANY: usize = 200;

async fn connect(world: &World, sent: &str) -> TcpStream {
    let mut stream =
        TcpStream::connect(world.url().strip_prefix("http://").unwrap()).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

fn head(path: &str, headers: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n")
}

/// Somebody else, who is always heard.
async fn others_are_heard(world: &World, number: usize, kind: &str) {
    for part in 0..5 {
        let event =
            json!({"client_id": "zoe", "event": "login", "message_id": format!("{number}-{part}")});
        let answer = world.post(&world.rival.write_key, "/api/v1/events", event.clone()).await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        let message = json!({"userId": "zoe", "event": "login", "writeKey": world.rival.write_key});
        let keyless = world.send(world.request("POST", "/v1/track").json(&message)).await;
        assert_eq!(keyless.status, 200, "{kind}: {keyless:?}");
    }
    assert_eq!(world.send(world.request("GET", "/healthz")).await.status, 200, "{kind}");
}

on_both_databases!(connections_that_send_one_byte_and_wait_keep_nobody_out, async |world| {
    raise_open_files();
    let key = &world.acme.write_key;
    let with_key = format!("Authorization: Bearer {key}\r\n");
    let declared = "Content-Length: 500000\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let kinds = [
        ("nothing at all", String::new()),
        ("one byte of a head", "P".to_owned()),
        ("half a head", "POST /v1/track HTTP/1.1\r\nHost: x\r\nX-A".to_owned()),
        ("a large body without a key", head("/v1/track", declared) + "{"),
        ("a small body without a key", head("/v1/batch", "Content-Length: 100\r\n") + "{"),
        ("a chunked body without a key", head("/v1/track", chunked) + "1\r\n{\r\n"),
        ("a large body with a key", head("/api/v1/events", &(with_key.clone() + declared)) + "["),
        ("a large message with a key", head("/v1/track", &(with_key.clone() + declared)) + "{"),
        ("a chunked body with a key", head("/api/v1/events", &(with_key + chunked)) + "1\r\n[\r\n"),
        ("a form", head("/sign-in", "Content-Length: 1000\r\n") + "e"),
        (
            "a stream",
            format!(
                "GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {}\r\n\r\n",
                staff.kept()
            ),
        ),
    ];
    let mut held = Vec::new();
    for (number, (kind, sent)) in kinds.iter().enumerate() {
        for _ in 0..MANY {
            held.push(connect(world, sent).await);
        }
        others_are_heard(world, number, kind).await;
    }
    drop(held);
});

on_both_databases!(bodies_that_are_nearly_there_give_way_to_those_that_arrive, async |world| {
    raise_open_files();
    let key = format!("Authorization: Bearer {}\r\n", world.acme.write_key);
    // Together more than all bodies on their way may hold.
    let most = "[".to_owned() + &" ".repeat(500_000);
    let mut held = Vec::new();
    for _ in 0..60 {
        for headers in ["", key.as_str()] {
            let path = if headers.is_empty() { "/v1/batch" } else { "/api/v1/events" };
            let sent = head(path, &format!("{headers}Content-Length: 500100\r\n")) + &most;
            held.push(connect(world, &sent).await);
        }
    }
    others_are_heard(world, 0, "bodies that are nearly there").await;
});

async fn answer_to(world: &World, sent: &str) -> String {
    let mut stream = connect(world, sent).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_connection_ends_when_its_time_is_up() {
    let second = Duration::from_secs(1);
    let limits = Limits {
        header_timeout: second,
        body_timeout: second,
        idle_timeout: second,
        ..Limits::default()
    };
    let world = World::sqlite_within(limits).await;
    let key = format!("Authorization: Bearer {}\r\nContent-Length: 50\r\n", world.acme.write_key);
    assert_eq!(answer_to(&world, "").await, "");
    assert_eq!(answer_to(&world, "GET /healthz HT").await, "");
    // Kept for another request, which does not come.
    let kept = answer_to(&world, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(kept.starts_with("HTTP/1.1 200"), "{kept}");
    let secret = key.replace(&world.acme.write_key, &world.acme.secret_key);
    let keyless = "Content-Length: 50\r\n";
    for (path, headers, status) in [
        // Segment's SDKs throw away what is answered with 408.
        ("/api/v1/events", key.as_str(), "503"),
        ("/v1/track", key.as_str(), "503"),
        ("/v1/batch", keyless, "503"),
        ("/api/v1/clients", secret.as_str(), "408"),
    ] {
        let late = answer_to(&world, &(head(path, headers) + "{")).await;
        let refused = late.starts_with(&format!("HTTP/1.1 {status}"));
        assert!(refused && late.contains("took too long"), "{path}: {late}");
    }
    let form = "POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\ne";
    let late = answer_to(&world, form).await;
    assert!(late.starts_with("HTTP/1.1 408") && late.contains("send the form again"), "{late}");
}

#[tokio::test]
async fn a_key_in_the_header_is_looked_up_before_the_body_is_read() {
    let world = World::sqlite().await;
    for path in ["/v1/track", "/v1/batch", "/v1/identify", "/api/v1/events", "/api/v1/cloudevents"]
    {
        let wrong = "Authorization: Bearer mwk_nobodys\r\nContent-Length: 1000\r\n";
        let mut stream = connect(&world, &head(path, wrong)).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer, "HTTP/1.1 401", "{path}");
    }
}

#[tokio::test]
async fn past_the_most_connections_whoever_waits_longest_goes() {
    let limits = Limits { connections: 20, ..Limits::default() };
    let world = World::sqlite_within(limits).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(connect(&world, "P").await);
    }
    others_are_heard(&world, 0, "past the most connections").await;
    let mut first = held.remove(0);
    let mut rest = Vec::new();
    // Closed, whether in order or reset.
    let _ = first.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}
