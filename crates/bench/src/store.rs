//! Storing events.

use jiff::Timestamp;
use mainstay::{Clock as _, SystemClock};
use mainstay_store::Store;

use crate::{
    Result, ceiling,
    figures::{Stopwatch, print_line, rate, thousands},
    generate::{Events, Shape, create_clients, organization, store_batch},
};

/// Stores the shape's events and says how fast, beside the ceiling.
pub(crate) async fn run(database: Option<String>, shape: &Shape, batch: usize) -> Result<()> {
    let now = SystemClock.now();
    let folder = tempfile::tempdir()?;
    let url = database
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", folder.path().join("bench.db").display()));
    let store = Store::open(&url).await?;
    store.migrate().await?;
    let time = fill(&store, shape, batch, now).await?;
    let what = if store.is_postgres() { "PostgreSQL" } else { "SQLite (WAL, synchronous=FULL)" };
    store.close().await;
    let stored = rate(shape.events, time);
    print_line(format_args!(
        "{what}: {} events of {} clients, {batch} a transaction: {:.1} s, {}",
        shape.events,
        shape.clients,
        time.as_secs_f64(),
        thousands(stored)
    ));
    let events = Events::new(shape, now);
    let bare = match &database {
        Some(url) if url.starts_with("postgres") => {
            let (time, durable) = ceiling::postgres(url, events, batch).await?;
            if !durable {
                print_line(
                    "fsync is off on this PostgreSQL: these figures are not of durable storage",
                );
            }
            time
        }
        _ => ceiling::sqlite(&folder.path().join("ceiling.db"), events, batch).await?,
    };
    let bare = rate(shape.events, bare);
    print_line(format_args!(
        "ceiling, one bare table: {}; Mainstay reaches {:.0} % of it",
        thousands(bare),
        stored / bare * 100.0
    ));
    Ok(())
}

/// Stores all events of a shape in a new organization, and answers how long that took.
async fn fill(
    store: &Store,
    shape: &Shape,
    batch: usize,
    now: Timestamp,
) -> Result<std::time::Duration> {
    let organization = organization(store, now).await?;
    create_clients(store, organization, shape, now).await?;
    let mut events = Events::new(shape, now);
    let mut time = std::time::Duration::ZERO;
    let report_every = (shape.events / 10).max(1);
    let (mut done, mut last) = (0, (0, std::time::Duration::ZERO));
    loop {
        // Making the events up is not part of storing them.
        let made = events.batch(batch);
        if made.is_empty() {
            return Ok(time);
        }
        done += made.len() as u64;
        let watch = Stopwatch::start();
        store_batch(store, organization, made, now).await?;
        time += watch.elapsed();
        if done - last.0 >= report_every {
            print_line(format_args!(
                "  {done}: {}",
                thousands(rate(done - last.0, time.saturating_sub(last.1)))
            ));
            last = (done, time);
        }
    }
}
