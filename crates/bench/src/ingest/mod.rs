//! Events over HTTP: how fast, how late, and whether all that was acknowledged is there.

mod connection;
mod crash;
mod load;
mod messages;
mod rows;
mod server;
mod stalled;

use std::path::Path;

use clap::Args;
use mainstay::{Clock as _, SystemClock};

pub(crate) use crash::run as crash;
use load::{Load, Outcome};
use server::ServerProcess;
pub(crate) use server::serve;
pub(crate) use stalled::run as stalled;

use crate::{
    Result, ceiling,
    figures::{print_line, rate, thousands},
    generate::{Events, Shape},
};

/// How much more than it can take a server is sent when it is overloaded.
const OVERLOAD: f64 = 3.0;
/// Connections that overload a server: more than the requests that its memory has room for.
const OVERLOAD_CONNECTIONS: usize = 4_096;
/// Events after which a server that has just begun is as fast as it gets.
const WARMUP_REQUESTS: u64 = 60_000;
/// Requests by which it is found out then what it can take.
const PROBE_REQUESTS: u64 = 5_000;

/// A server and a key to send with.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) key: String,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// A server that runs already; one of its own when absent.
    #[arg(long, requires = "key")]
    url: Option<String>,
    /// A write key of that server's.
    #[arg(long)]
    key: Option<String>,
    /// The server's database, to count what is in it; a new SQLite file when absent.
    #[arg(long)]
    database: Option<String>,
    /// Connections, kept alive.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Events in one request; one is sent to /v1/track, several to /v1/batch.
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// Events.
    #[arg(long, default_value_t = 300_000)]
    events: u64,
    /// Clients that they are spread over.
    #[arg(long, default_value_t = 10_000)]
    clients: u64,
    /// Events a second, whatever the server answers; as fast as it answers when absent.
    #[arg(long)]
    rate: Option<f64>,
    /// Send three times what the server can take, for so many seconds.
    #[arg(long)]
    overload: Option<u64>,
}

/// Sends events and counts what arrived.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let own = format!("sqlite:{}", folder.path().join("bench.db").display());
    let database = options.database.as_deref().unwrap_or(&own);
    let served = match options.url {
        Some(_) => None,
        None => Some(ServerProcess::start(database).await?),
    };
    let target = match (&served, &options.url, &options.key) {
        (Some(served), ..) => served.target.clone(),
        (None, Some(url), Some(key)) => Target { url: url.clone(), key: key.clone() },
        _ => return Err("--url needs --key".into()),
    };
    let counted = options.database.is_some() || served.is_some();
    let before = if counted { rows::count(database).await?.0 } else { 0 };
    let load = Load {
        connections: options.connections,
        batch: options.batch.max(1),
        clients: options.clients,
        events: 0..options.events,
        requests_per_second: requests_per_second(options.rate, options.batch),
    };
    let acknowledged = match options.overload {
        None => {
            let outcome = load.run(&target).await?;
            print_outcome(&load, &outcome);
            outcome.acknowledged
        }
        Some(seconds) => overload(&load, &target, seconds).await?,
    };
    if let Some(memory) = served.as_ref().and_then(ServerProcess::peak_memory_mib) {
        print_line(format_args!("the server's peak memory: {memory} MiB"));
    }
    if counted {
        let (rows, ids) = rows::count(database).await?;
        let (rows, new) = (rows, rows - before);
        print_line(format_args!(
            "in the database: {new} new events, {acknowledged} were acknowledged{}",
            if new == acknowledged && rows == ids { ": the same, none twice" } else { "" }
        ));
        if new < acknowledged || rows != ids {
            return Err("acknowledged events are missing, or some are there twice".into());
        }
    }
    if options.overload.is_none() {
        print_ceiling(options, folder.path()).await?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn requests_per_second(events: Option<f64>, batch: u64) -> Option<f64> {
    events.map(|events| events / batch.max(1) as f64)
}

fn print_outcome(load: &Load, outcome: &Outcome) {
    let (kind, due) = match load.requests_per_second {
        None => ("closed loop".to_owned(), ""),
        Some(rate) => (format!("open loop, {rate:.0} requests/s"), ", from when it was due"),
    };
    print_line(format_args!(
        "{} events, {} a request, {} connections, {kind}: {:.1} s, {} events/s",
        outcome.acknowledged,
        load.batch,
        load.connections,
        outcome.time.as_secs_f64(),
        thousands(rate(outcome.acknowledged, outcome.time))
    ));
    print_latency(outcome, due);
    if outcome.rejected + outcome.failed > 0 {
        print_line(format_args!(
            "turned away with Retry-After: {}, failed otherwise: {}",
            outcome.rejected, outcome.failed
        ));
    }
    if let (Some(first), Some(last)) = (outcome.millions.first(), outcome.millions.last())
        && outcome.millions.len() > 1
    {
        print_line(format_args!(
            "the last million at {:.0} % of the first's speed",
            last / first * 100.0
        ));
    }
}

fn print_latency(outcome: &Outcome, due: &str) {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds for people to read")]
    let millis = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1_000.0;
    print_line(format_args!(
        "latency{due}: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, most {:.1} ms",
        millis(0.5),
        millis(0.99),
        millis(0.999),
        millis(1.0)
    ));
}

/// Measures how fast the database alone stores the same number of events.
async fn print_ceiling(options: &Options, folder: &Path) -> Result<()> {
    let shape = Shape { clients: options.clients, events: options.events.min(1_000_000), days: 1 };
    let events = Events::new(&shape, SystemClock.now());
    let bare = match options.database.as_deref() {
        Some(url) if url.starts_with("postgres") => {
            let (time, durable) = ceiling::postgres(url, events, 5_000).await?;
            if !durable {
                print_line(
                    "fsync is off on this PostgreSQL: these figures are not of durable storage",
                );
            }
            time
        }
        _ => ceiling::sqlite(&folder.join("ceiling.db"), events, 5_000).await?,
    };
    print_line(format_args!(
        "ceiling, one bare table, 5000 a transaction and nothing else: {}",
        thousands(rate(shape.events, bare))
    ));
    Ok(())
}

/// Sends three times what the server can take; answers how many events were acknowledged in all.
async fn overload(load: &Load, target: &Target, seconds: u64) -> Result<u64> {
    let closed = |events| Load { events, requests_per_second: None, ..load.clone() };
    let warmed = closed(0..WARMUP_REQUESTS).run(target).await?;
    let begin = WARMUP_REQUESTS + PROBE_REQUESTS * load.batch;
    let probed = closed(WARMUP_REQUESTS..begin).run(target).await?;
    let capacity = rate(probed.accepted, probed.time);
    print_line(format_args!("it can take {capacity:.0} requests/s; now {OVERLOAD} times that"));
    let requests = capacity * OVERLOAD;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "requests of one run"
    )]
    let events = (requests * seconds as f64) as u64 * load.batch;
    let over = Load {
        connections: OVERLOAD_CONNECTIONS,
        events: begin..begin + events,
        requests_per_second: Some(requests),
        ..load.clone()
    };
    let outcome = over.run(target).await?;
    print_line(format_args!(
        "for {:.0} s: {} requests taken ({} events/s), {} turned away with Retry-After, {} failed \
         otherwise",
        outcome.time.as_secs_f64(),
        outcome.accepted,
        thousands(rate(outcome.acknowledged, outcome.time)),
        outcome.rejected,
        outcome.failed
    ));
    print_latency(&outcome, " of those taken, from when it was due");
    Ok(warmed.acknowledged + probed.acknowledged + outcome.acknowledged)
}
