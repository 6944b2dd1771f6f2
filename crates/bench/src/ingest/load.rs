//! Sending as fast as answers come (closed loop), or at a rate whatever comes (open loop).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::{Target, connection::Connection, messages::Request};
use crate::{
    Result,
    figures::{print_line, rate, thousands},
};

/// Events between two lines of the report.
const REPORT_INTERVAL: u64 = 1_000_000;
/// The longest latency that is told apart, in microseconds.
const MAX_LATENCY_MICROS: u64 = 120_000_000;

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) batch: u64,
    pub(crate) clients: u64,
    /// The number of the first event, and of the one after the last.
    pub(crate) events: std::ops::Range<u64>,
    /// Requests a second; `None` sends the next one with the answer to the last.
    pub(crate) requests_per_second: Option<f64>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) time: Duration,
    /// Of requests that were taken: from when each was due to when its answer was there.
    pub(crate) latency: Histogram<u64>,
    /// Events of requests that were taken.
    pub(crate) acknowledged: u64,
    pub(crate) accepted: u64,
    /// Requests that were turned away with a 429 or 503 that says when to come again.
    pub(crate) rejected: u64,
    /// Requests that were answered otherwise, or not at all.
    pub(crate) failed: u64,
    /// How fast each million was stored.
    pub(crate) millions: Vec<f64>,
}

#[derive(Default)]
struct Progress {
    next: AtomicU64,
    acknowledged: AtomicU64,
}

impl Load {
    /// Sends it all.
    pub(crate) async fn run(&self, target: &Target) -> Result<Outcome> {
        let progress = Arc::new(Progress::default());
        let start = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..self.connections.max(1) {
            senders.spawn(send(self.clone(), target.clone(), Arc::clone(&progress), start));
        }
        let mut outcome = Outcome {
            time: Duration::ZERO,
            latency: histogram()?,
            acknowledged: 0,
            accepted: 0,
            rejected: 0,
            failed: 0,
            millions: Vec::new(),
        };
        let watching = watch(&progress, start, self.events.end - self.events.start);
        tokio::pin!(watching);
        loop {
            tokio::select! {
                millions = &mut watching, if outcome.millions.is_empty() => outcome.millions = millions,
                totals = senders.join_next() => {
                    let Some(totals) = totals else { break };
                    let totals = totals??;
                    outcome.latency.add(&totals.latency)?;
                    outcome.acknowledged += totals.acknowledged;
                    outcome.accepted += totals.accepted;
                    outcome.rejected += totals.rejected;
                    outcome.failed += totals.failed;
                }
            }
        }
        outcome.time = start.elapsed();
        Ok(outcome)
    }
}

/// Totals of one connection.
struct ConnectionTotals {
    latency: Histogram<u64>,
    acknowledged: u64,
    accepted: u64,
    rejected: u64,
    failed: u64,
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, MAX_LATENCY_MICROS, 3)?)
}

async fn send(
    load: Load,
    target: Target,
    progress: Arc<Progress>,
    start: Instant,
) -> Result<ConnectionTotals> {
    let mut connection = Connection::open(&target).await?;
    let mut totals = ConnectionTotals {
        latency: histogram()?,
        acknowledged: 0,
        accepted: 0,
        rejected: 0,
        failed: 0,
    };
    loop {
        let number = progress.next.fetch_add(1, Ordering::Relaxed);
        let first = load.events.start + number * load.batch;
        if first >= load.events.end {
            return Ok(totals);
        }
        let count = load.batch.min(load.events.end - first);
        let request = Request::of(first, count, load.clients);
        let due = match load.requests_per_second {
            None => Instant::now(),
            Some(rate) => {
                #[expect(clippy::cast_precision_loss, reason = "requests of one run")]
                let due = start + Duration::from_secs_f64(number as f64 / rate);
                // Late when all connections are busy: then the wait is part of the latency.
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        match connection.post(request.path, request.body).await {
            Ok(response)
                if response.status == 200
                    && !response.body.windows(7).any(|window| window == b"refused") =>
            {
                let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(MAX_LATENCY_MICROS);
                totals.latency.saturating_record(micros);
                totals.accepted += 1;
                totals.acknowledged += count;
                progress.acknowledged.fetch_add(count, Ordering::Relaxed);
            }
            Ok(response) if matches!(response.status, 429 | 503) && response.retry_after => {
                totals.rejected += 1;
            }
            Ok(_) => totals.failed += 1,
            Err(_) => {
                totals.failed += 1;
                connection = Connection::open(&target).await?;
            }
        }
    }
}

/// Says how fast each million is stored; answers when the last one is.
async fn watch(progress: &Progress, start: Instant, events: u64) -> Vec<f64> {
    let mut millions = Vec::new();
    let mut last = start;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while (millions.len() as u64 + 1) * REPORT_INTERVAL <= events {
        ticks.tick().await;
        let done = progress.acknowledged.load(Ordering::Relaxed) / REPORT_INTERVAL;
        while (millions.len() as u64) < done {
            let now = Instant::now();
            let speed = rate(REPORT_INTERVAL, now - last);
            last = now;
            millions.push(speed);
            print_line(format_args!("  million {}: {}", millions.len(), thousands(speed)));
        }
    }
    if millions.is_empty() {
        std::future::pending::<()>().await;
    }
    millions
}
