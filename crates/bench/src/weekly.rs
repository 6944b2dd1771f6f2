//! The weekly chain: scores, insights, and the mails to all who asked for them.

use std::{process::Command, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use mainstay::{
    Clock as _, Mainstay, SystemClock,
    email::{preview_links, render},
    job::Worker,
};
use mainstay_core::{
    email::{ConsentSource, EmailType, SubscriptionState},
    id::{ClientId, OrganizationId},
    job::Job,
};
use mainstay_store::{EmailFilter, Scope, Store, Subscription};

use crate::{
    Result,
    figures::{Stopwatch, peak_memory_mib, print_line, rate, thousands},
    generate::{Events, Shape, organization, store_batch},
};

const BATCH: usize = 5_000;
const CHUNK: i64 = 5_000;
/// Mails of each kind that are looked at.
const SAMPLE_SIZE: i64 = 2_000;

/// Fills a database in which everybody asked for mails, and runs the weekly job in a process of its
/// own, for its memory.
pub(crate) async fn run(shape: &Shape) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("bench.db").display());
    let store = Store::open(&url).await?;
    store.migrate().await?;
    let now = SystemClock.now();
    let organization_id = organization(&store, now).await?;
    let mut events = Events::new(shape, now);
    let watch = Stopwatch::start();
    loop {
        let batch = events.batch(BATCH);
        if batch.is_empty() {
            break;
        }
        store_batch(&store, organization_id, batch, now).await?;
    }
    subscribe_all(&store, organization_id, now).await?;
    store.close().await;
    print_line(format_args!(
        "filled: {} events of {} clients, who all asked for mails, in {:.0} s",
        shape.events,
        shape.clients,
        watch.elapsed().as_secs_f64()
    ));
    let status = Command::new(std::env::current_exe()?).args(["weekly-filled", &url]).status()?;
    if status.success() { Ok(()) } else { Err(format!("the job ended with {status}").into()) }
}

async fn subscribe_all(
    store: &Store,
    organization_id: OrganizationId,
    now: Timestamp,
) -> Result<()> {
    let mut last: Option<ClientId> = None;
    loop {
        let mut tx = store.begin(Scope::Service(organization_id)).await?;
        let chunk = tx.client_chunk(last, now, CHUNK).await?;
        last = chunk.last();
        if last.is_none() {
            return Ok(());
        }
        for (client, name) in &chunk.clients {
            let subscription = Subscription {
                state: SubscriptionState::Subscribed,
                address: format!("{name}@bench.example"),
                source: ConsentSource::Api,
                changed_at: now,
            };
            tx.set_subscription(client.id, &subscription).await?;
        }
        tx.commit().await?;
    }
}

/// Runs the weekly job of a filled database, and says how long that took and how much memory.
pub(crate) async fn run_filled(url: &str) -> Result<()> {
    let store = Store::open(url).await?;
    let found = store.read(Scope::System).await?.list_organizations().await?;
    let organization_id = found.first().ok_or("the database has no organization")?.id;
    let mainstay = Mainstay::new(store, Arc::new(SystemClock));
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    let watch = Stopwatch::start();
    mainstay.start_job(organization_id, Job::Weekly).await?;
    mainstay.run_next_job(organization_id, &worker).await?;
    let took = watch.elapsed();
    let scope = Scope::Service(organization_id);
    let run = mainstay.job_runs(scope, None, 1).await?.pop().ok_or("there is no run")?;
    if let Some(error) = run.error {
        return Err(error.into());
    }
    let memory = peak_memory_mib().map_or(String::new(), |mib| format!(", peak memory {mib} MiB"));
    print_line(format_args!(
        "the weekly job: {:.1} s{memory}, {:?}",
        took.as_secs_f64(),
        run.counts
    ));
    inspect_outbox(&mainstay, scope).await
}

/// Tells what stands in the outbox, and what making one of its mails takes.
async fn inspect_outbox(mainstay: &Mainstay, scope: Scope) -> Result<()> {
    let (states, _) = mainstay.email_summary(scope).await?;
    print_line(format_args!("in the outbox: {states:?}"));
    for kind in EmailType::ALL {
        let filter = EmailFilter { kind: Some(*kind), ..EmailFilter::default() };
        let emails = mainstay.emails(scope, &filter, SAMPLE_SIZE).await?;
        let mut contents = Vec::new();
        let mut packed = 0;
        for email in &emails {
            let whole = mainstay.email(scope, email.id).await?.whole;
            packed += whole.body.ok_or("a queued mail was not made")?.len();
            contents.push(whole.content);
        }
        let watch = Stopwatch::start();
        let mut largest = 0;
        for content in &contents {
            let rendered = render(content, None, &preview_links(*kind))?;
            largest = largest.max(rendered.html.len());
        }
        let took = watch.elapsed();
        if let Some(average) = packed.checked_div(contents.len()) {
            print_line(format_args!(
                "  {kind}: HTML of up to {largest} bytes, {average} with its text as packed on average; \
                 without packing, one core makes {}",
                thousands(rate(contents.len() as u64, took))
            ));
        }
    }
    Ok(())
}
