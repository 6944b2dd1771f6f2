//! Scoring every client, whatever the length of their history.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use mainstay::{Clock as _, Mainstay, SystemClock, score::ScoreRun};
use mainstay_store::{Scope, Store};

use crate::{
    Result, ceiling,
    figures::{Stopwatch, median, peak_memory_mib, print_line, rate, thousands},
    generate::{Events, Shape, organization, store_batch},
};

const BATCH: usize = 5_000;

/// Fills a database and scores it, then does the same with a history that is longer by a factor,
/// with as many events a day.
pub(crate) async fn run(
    shape: &Shape,
    longer: u64,
    runs: usize,
    folder: Option<PathBuf>,
) -> Result<()> {
    let mut medians = Vec::new();
    for factor in [1, longer.max(1)] {
        if factor == 1 && !medians.is_empty() {
            break;
        }
        let folder = match &folder {
            Some(folder) => tempfile::tempdir_in(folder)?,
            None => tempfile::tempdir()?,
        };
        let shape = Shape {
            clients: shape.clients,
            events: shape.events * factor,
            days: shape.days * factor,
        };
        let url = format!("sqlite:{}", folder.path().join("bench.db").display());
        fill(&url, &shape).await?;
        medians.push(score_in_own_process(&url, runs)?);
        if factor == 1 {
            let rows = Shape { events: shape.clients, ..shape.clone() };
            let events = Events::new(&rows, SystemClock.now());
            let bare = ceiling::sqlite(&folder.path().join("ceiling.db"), events, BATCH).await?;
            print_line(format_args!(
                "ceiling, {} rows of a bare table stored and nothing computed: {:.2} s",
                shape.clients,
                bare.as_secs_f64()
            ));
        }
    }
    if let [short, long] = medians[..] {
        print_line(format_args!(
            "a history {longer} times longer takes {:.2} times as long",
            long.as_secs_f64() / short.as_secs_f64()
        ));
    }
    Ok(())
}

async fn fill(url: &str, shape: &Shape) -> Result<()> {
    let now = SystemClock.now();
    let store = Store::open(url).await?;
    store.migrate().await?;
    let organization = organization(&store, now).await?;
    let mut events = Events::new(shape, now);
    let watch = Stopwatch::start();
    loop {
        let batch = events.batch(BATCH);
        if batch.is_empty() {
            break;
        }
        store_batch(&store, organization, batch, now).await?;
    }
    print_line(format_args!(
        "filled: {} events of {} clients over {} days in {:.0} s ({})",
        shape.events,
        shape.clients,
        shape.days,
        watch.elapsed().as_secs_f64(),
        thousands(rate(shape.events, watch.elapsed()))
    ));
    store.close().await;
    Ok(())
}

/// Scores in a new process, so that its peak memory is that of scoring alone; answers the median.
fn score_in_own_process(url: &str, runs: usize) -> Result<Duration> {
    let output = Command::new(std::env::current_exe()?)
        .args(["score-filled", url, &runs.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("scoring ended with {}", output.status).into());
    }
    let report = String::from_utf8(output.stdout)?;
    let (report, micros) = report.trim_end().rsplit_once('\n').ok_or("no figures came back")?;
    print_line(report);
    Ok(Duration::from_micros(micros.parse()?))
}

/// Scores a filled database and says how long that took and how much memory.
pub(crate) async fn run_filled(url: &str, runs: usize) -> Result<()> {
    let store = Store::open(url).await?;
    let found = store.read(Scope::System).await?.list_organizations().await?;
    let organization = found.first().ok_or("the database has no organization")?.id;
    let mainstay = Mainstay::new(store, Arc::new(SystemClock));
    let mut times = Vec::new();
    let mut clients = 0;
    // The first run also folds what the nightly runs before it would have folded.
    for run in 0..=runs.max(1) {
        let as_of = mainstay.now();
        let watch = Stopwatch::start();
        let scores = ScoreRun { as_of, client: None, dry_run: false };
        clients = mainstay.score_organization(organization, &scores, drop).await?;
        if run == 0 {
            print_line(format_args!(
                "  first run, with folding the history: {:.2} s",
                watch.elapsed().as_secs_f64()
            ));
        } else {
            times.push(watch.elapsed());
        }
    }
    let time = median(times);
    let memory = peak_memory_mib().map_or(String::new(), |mib| format!(", peak memory {mib} MiB"));
    print_line(format_args!(
        "  {clients} clients scored and stored, median of {runs}: {:.2} s, {}{memory}",
        time.as_secs_f64(),
        thousands(rate(clients, time))
    ));
    print_line(time.as_micros());
    Ok(())
}
