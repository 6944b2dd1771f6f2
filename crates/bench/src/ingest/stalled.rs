//! How late events are stored while others hold connections and send one byte: beside a server that nobody
//! holds up, in turn and in one run.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use url::Url;

use super::{
    Target,
    load::{Load, Outcome},
    server::ServerProcess,
};
use crate::{Result, figures::print_line, portfolio::Browser};

/// Connections of each kind.
const HELD_CONNECTIONS: usize = 200;
/// Events of one measurement, one a request.
const EVENTS: u64 = 4_000;
/// Requests a second: far from what a server can take, so that what is late is not so by its own load.
const RATE: f64 = 400.0;
/// How many times as late as on an idle server events may be stored.
const MAX_RATIO: f64 = 3.0;

/// Measures an idle server and each kind of connection, so many rounds.
pub(crate) async fn run(rounds: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite:{}", folder.path().join("bench.db").display());
    let served = ServerProcess::start(&database).await?;
    let target = &served.target;
    let cookie = Browser::sign_in(&target.url).await?.cookie;
    let mut first = 0;
    let mut worst: f64 = 0.0;
    // Once for nothing: a server that has just begun is slower.
    measure(target, &mut first).await?;
    for round in 1..=rounds.max(1) {
        let idle = measure(target, &mut first).await?;
        print_line(format_args!("round {round}, idle: p99 {idle:.2} ms"));
        for (kind, sent) in kinds(target, &cookie) {
            let mut held = Vec::with_capacity(HELD_CONNECTIONS);
            for _ in 0..HELD_CONNECTIONS {
                held.push(hold(&target.url, &sent).await?);
            }
            let late = measure(target, &mut first).await?;
            worst = worst.max(late / idle);
            print_line(format_args!(
                "round {round}, {HELD_CONNECTIONS} connections, {kind}: p99 {late:.2} ms, {:.2} times",
                late / idle
            ));
            for one in held {
                one.abort();
            }
        }
    }
    if worst > MAX_RATIO {
        return Err(format!("{worst:.1} times as late as idle; it may be {MAX_RATIO}").into());
    }
    Ok(())
}

/// What connections of each kind send.
fn kinds(target: &Target, cookie: &str) -> [(&'static str, String); 5] {
    let head = |path: &str, headers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{headers}\r\n"
        )
    };
    let key = format!("Authorization: Bearer {}\r\n", target.key);
    [
        ("unfinished head", "P".to_owned()),
        ("unfinished body", head("/v1/track", "Content-Length: 100\r\n") + "{"),
        ("large body", head("/v1/batch", &format!("{key}Content-Length: 500000\r\n")) + "{"),
        (
            "chunked body",
            head("/api/v1/events", &format!("{key}Transfer-Encoding: chunked\r\n")) + "1\r\n[\r\n",
        ),
        (
            "event stream",
            format!("GET /live/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"),
        ),
    ]
}

/// A connection that has sent something and sends nothing more. What it is answered is read and forgotten.
async fn hold(url: &str, sent: &str) -> Result<tokio::task::JoinHandle<()>> {
    let url = Url::parse(url)?;
    let address = (url.host_str().unwrap_or("127.0.0.1").to_owned(), url.port().unwrap_or(80));
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(sent.as_bytes()).await?;
    Ok(tokio::spawn(async move {
        let mut response = [0; 4_096];
        while stream.read(&mut response).await.is_ok_and(|read| read > 0) {}
    }))
}

/// The p99 of events that are sent at a steady rate, in milliseconds; each must be stored.
async fn measure(target: &Target, first: &mut u64) -> Result<f64> {
    let load = Load {
        connections: 16,
        batch: 1,
        clients: 1_000,
        events: *first..*first + EVENTS,
        requests_per_second: Some(RATE),
    };
    *first += EVENTS;
    let Outcome { latency, rejected, failed, .. } = load.run(target).await?;
    if rejected + failed > 0 {
        return Err(format!("{rejected} requests were turned away and {failed} failed").into());
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people to read")]
    let millis = latency.value_at_quantile(0.99) as f64 / 1_000.0;
    Ok(millis)
}
