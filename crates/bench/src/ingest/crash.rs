//! Killing the server while it is sent events, again and again.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::JoinSet};

use super::{
    Target,
    connection::Connection,
    messages::{Request, message_id},
    rows,
    server::ServerProcess,
};
use crate::{Result, figures::print_line};

const CONNECTIONS: usize = 8;
const CLIENTS: u64 = 500;
/// Most events in one request.
const MAX_BATCH: u64 = 50;
/// How long senders may take to reach the round's number of answers before it counts as stuck.
const STARTUP_TIMEOUT: Duration = Duration::from_mins(1);

/// What all senders know.
#[derive(Default)]
struct Ledger {
    next: AtomicU64,
    responses: AtomicU64,
    enough: Notify,
    acknowledged: Mutex<Vec<(u64, u64)>>,
    /// Requests that got no answer: sent again, as an SDK does.
    unconfirmed: Mutex<Vec<Request>>,
}

/// Kills a server under load so many times; then everything acknowledged must be there, once.
pub(crate) async fn run(database: Option<&str>, rounds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let own = format!("sqlite:{}", folder.path().join("bench.db").display());
    let database = database.unwrap_or(&own);
    let ledger = Arc::new(Ledger::default());
    let mut random = fastrand::Rng::with_seed(rounds);
    for _ in 0..rounds {
        let served = ServerProcess::start(database).await?;
        ledger.responses.store(0, Ordering::Relaxed);
        // Killed after another number of answers each time, the first ones among them.
        let wanted = random.u64(1..400);
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            senders.spawn(send(served.target.clone(), Arc::clone(&ledger), wanted));
        }
        tokio::time::timeout(STARTUP_TIMEOUT, ledger.enough.notified()).await?;
        served.kill().await?;
        while senders.join_next().await.is_some() {}
    }
    let stored = rows::message_ids(database).await?;
    let (rows, ids) = rows::count(database).await?;
    let acknowledged = ledger.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers = acknowledged.iter().flat_map(|(first, count)| *first..first + count);
    let (mut count, mut missing) = (0_u64, 0_u64);
    for number in numbers {
        count += 1;
        missing += u64::from(!stored.contains(&message_id(number)));
    }
    print_line(format_args!(
        "{rounds} rounds of kill -9: {count} events acknowledged, {missing} of them missing; {rows} \
         stored, {} twice",
        rows - ids
    ));
    if missing > 0 || rows > ids {
        return Err("acknowledged events are missing, or some are there twice".into());
    }
    Ok(())
}

/// Sends until the server is gone.
async fn send(target: Target, ledger: Arc<Ledger>, wanted: u64) {
    let Ok(mut connection) = Connection::open(&target).await else { return };
    loop {
        let retried = ledger.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let request = retried.unwrap_or_else(|| {
            let first = ledger.next.fetch_add(MAX_BATCH, Ordering::Relaxed);
            Request::of(first, 1 + first / MAX_BATCH % MAX_BATCH, CLIENTS)
        });
        match connection.post(request.path, request.body.clone()).await {
            Ok(response) if response.status == 200 => {
                ledger
                    .acknowledged
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((request.first, request.count));
                if ledger.responses.fetch_add(1, Ordering::Relaxed) + 1 == wanted {
                    ledger.enough.notify_one();
                }
            }
            response => {
                let connection_lost = response.is_err();
                ledger.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                if connection_lost {
                    return;
                }
            }
        }
    }
}
