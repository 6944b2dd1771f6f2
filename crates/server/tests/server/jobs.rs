//! Jobs by a clock that the test moves: each period once, missed ones made up once, and nothing written
//! by who has lost its run.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use mainstay::{job::Worker, organization::CreateOrganization, score::ScoreRun};
use mainstay_core::{
    id::OrganizationId,
    job::{Job, Schedule},
    time::time_zone,
};
use mainstay_store::{JobRun, Lease, NewJobRun, RunState, Scope, StoreError, new_id};
use serde_json::json;

use crate::support::World;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn worker() -> (Worker, tokio::sync::watch::Sender<bool>) {
    Worker::new(SignedDuration::from_secs(60))
}

async fn organization_in(world: &World, slug: &str, zone: &str) -> OrganizationId {
    let create = CreateOrganization {
        slug: slug.to_owned(),
        name: None,
        time_zone: Some(zone.to_owned()),
        sample: false,
    };
    world.mainstay.create_organization(create).await.unwrap().organization.id
}

async fn runs(world: &World, organization: OrganizationId, job: Job) -> Vec<JobRun> {
    world.mainstay.job_runs(Scope::Service(organization), Some(job), 1_000).await.unwrap()
}

/// Periods of a job that ran from an instant on, in order; each must have succeeded at the first try.
async fn periods(
    world: &World,
    organization: OrganizationId,
    job: Job,
    from: Timestamp,
) -> Vec<Timestamp> {
    let mut periods = Vec::new();
    for run in runs(world, organization, job).await {
        assert_eq!((run.state, run.attempts), (RunState::Succeeded, 1), "{run:?}");
        if run.period >= from {
            periods.push(run.period);
        }
    }
    periods.sort_unstable();
    periods
}

on_both_databases!(each_period_runs_once_through_both_clock_changes, async |world| {
    let (worker, _stop) = worker();
    for (number, (zone, change)) in [
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Europe/Berlin", "2027-03-28T01:00:00Z"),
        ("America/New_York", "2027-03-14T07:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let from = at(change).checked_sub(SignedDuration::from_hours(30)).unwrap();
        let until = at(change).checked_add(SignedDuration::from_hours(30)).unwrap();
        world.clock.set(from);
        let organization = organization_in(world, &format!("zone-{number}"), zone).await;
        let mut now = from;
        while now < until {
            world.clock.set(now);
            // Twice: what ran does not run again.
            world.mainstay.run_due_jobs(&worker).await.unwrap();
            assert_eq!(world.mainstay.run_due_jobs(&worker).await.unwrap(), 0);
            now = now.checked_add(SignedDuration::from_mins(30)).unwrap();
        }
        let zone = time_zone(zone).unwrap();
        let last = now.checked_sub(SignedDuration::from_mins(30)).unwrap();
        for job in Job::ALL {
            let schedule = Schedule::parse(job.default_cron()).unwrap();
            let mut expected = Vec::new();
            let mut next = schedule.latest(from, &zone).filter(|first| *first == from);
            next = next.or_else(|| schedule.next(from, &zone));
            while let Some(period) = next.filter(|period| *period <= last) {
                expected.push(period);
                next = schedule.next(period, &zone);
            }
            assert_eq!(periods(world, organization, *job, from).await, expected, "{job}");
        }
    }
});

on_both_databases!(ten_days_down_are_made_up_once, async |world| {
    let (worker, _stop) = worker();
    world.mainstay.run_due_jobs(&worker).await.unwrap();
    let mut before = Vec::new();
    for job in Job::ALL {
        before.push(runs(world, world.acme.id, *job).await.len());
    }
    world.clock.advance_hours(10 * 24);
    world.mainstay.run_due_jobs(&worker).await.unwrap();
    assert_eq!(world.mainstay.run_due_jobs(&worker).await.unwrap(), 0);
    for (job, before) in Job::ALL.iter().zip(before) {
        assert_eq!(runs(world, world.acme.id, *job).await.len(), before + 1, "{job}");
    }
});

on_both_databases!(three_workers_run_each_period_once, async |world| {
    let workers = [worker(), worker(), worker()];
    let [(first, _), (second, _), (third, _)] = &workers;
    let from = world.mainstay.now();
    for _ in 0..60 {
        world.clock.advance_hours(1);
        let mainstay = &world.mainstay;
        let begun = tokio::join!(
            mainstay.run_due_jobs(first),
            mainstay.run_due_jobs(second),
            mainstay.run_due_jobs(third)
        );
        let begun = begun.0.unwrap() + begun.1.unwrap() + begun.2.unwrap();
        assert!(begun >= 2, "one hourly job of each organization: {begun}");
    }
    for organization in [world.acme.id, world.rival.id] {
        let hours = periods(world, organization, Job::Hourly, from).await;
        assert_eq!(hours.iter().collect::<BTreeSet<_>>().len(), hours.len());
        assert_eq!(hours.len(), 60);
        assert_eq!(periods(world, organization, Job::Daily, from).await.len(), 3);
    }
});

on_both_databases!(what_a_stalled_process_writes_after_its_lease_is_refused, async |world| {
    let (mainstay, acme) = (&world.mainstay, world.acme.id);
    world.be_active("ada", "login", 3).await;
    world.clock.advance_hours(1);
    let now = mainstay.now();
    let minute = SignedDuration::from_secs(60);
    let new = NewJobRun { id: new_id(now), job: "daily".to_owned(), period: now, scheduled: true };
    let mut tx = mainstay.store().begin(Scope::Service(acme)).await.unwrap();
    assert!(tx.create_job_run(&new, now).await.unwrap());
    let until = now.checked_add(minute).unwrap();
    let run = tx.claim_job_run(&["daily"], "stalled", now, until).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let stalled = mainstay.with_lease(Lease { organization: acme, run: run.id, fence: run.fence });
    let scores = ScoreRun { as_of: now, client: None, dry_run: false };
    // While the claim counts, it writes.
    assert_eq!(stalled.score_organization(acme, &scores, drop).await.unwrap(), 1);
    world.clock.set(now.checked_add(minute * 2).unwrap());
    let (other, _stop) = worker();
    assert!(mainstay.run_next_job(acme, &other).await.unwrap());
    assert_eq!(runs(world, acme, Job::Daily).await[0].state, RunState::Succeeded);
    let refused = |result: mainstay::Result<u64>| match result {
        Err(mainstay::Error::Store(StoreError::LeaseLost)) => {}
        other => panic!("{other:?}"),
    };
    refused(stalled.score_organization(acme, &scores, drop).await);
    refused(stalled.clean_expired_insights(acme).await);
    refused(stalled.generate_organization_insights(acme, now, None, false, drop).await);
});

on_both_databases!(a_worker_that_is_stopped_leaves_the_rest_to_others, async |world| {
    let (stopped, stop) = worker();
    stop.send(true).unwrap();
    world.clock.advance_hours(1);
    assert_eq!(world.mainstay.run_due_jobs(&stopped).await.unwrap(), 0);
    assert_eq!(runs(world, world.acme.id, Job::Hourly).await[0].state, RunState::Waiting);
    let (other, _stop) = worker();
    assert!(world.mainstay.run_due_jobs(&other).await.unwrap() > 0);
});

on_both_databases!(jobs_are_listed_changed_and_run_over_http, async |world| {
    let (worker, _stop) = worker();
    let key = &world.acme.secret_key;
    let jobs = world.get(key, "/api/v1/jobs").await.json(200);
    assert_eq!(jobs["jobs"][0]["job"], "weekly");
    assert_eq!(jobs["jobs"][0]["cron"], "0 0 * * 0");
    // The next Sunday's midnight in Berlin.
    assert_eq!(jobs["jobs"][0]["next"], "2026-05-02T22:00:00Z");
    let body = json!({"cron": "0 8 * * 1"});
    let changed = world.put(key, "/api/v1/jobs/weekly/schedule", body).await.json(200);
    assert_eq!(changed["jobs"][0]["next"], "2026-05-04T06:00:00Z");
    let wrong = world.put(key, "/api/v1/jobs/weekly/schedule", json!({"cron": "0 25 * * 1"})).await;
    assert_eq!(wrong.problem(422)["field"], "cron");
    world.put(key, "/api/v1/jobs/yearly/schedule", json!({"cron": "0 5 * * 1"})).await.problem(422);
    world.be_active("ada", "content_generated", 2).await;
    world.tick();
    let started = world.post(key, "/api/v1/jobs/weekly/run", json!(null)).await.json(202);
    assert_eq!(started["state"], "waiting");
    world.mainstay.run_due_jobs(&worker).await.unwrap();
    let runs = world.get(key, "/api/v1/jobs/runs?job=weekly").await.json(200);
    assert_eq!(runs["runs"][0]["id"], started["id"]);
    assert_eq!(runs["runs"][0]["state"], "succeeded");
    assert_eq!(runs["runs"][0]["counts"]["scores"], 1);
    assert_eq!(runs["runs"][0]["counts"]["emails"], 0);
});

on_both_databases!(
    a_clock_that_was_years_ahead_leaves_the_jobs_of_the_present_alone,
    async |world| {
        let (worker, _stop) = worker();
        world.mainstay.run_due_jobs(&worker).await.unwrap();
        let now = world.mainstay.now();
        let before = runs(world, world.acme.id, Job::Daily).await.len();
        world.clock.jump(now.checked_add(SignedDuration::from_hours(10 * 365 * 24)).unwrap());
        world.mainstay.run_due_jobs(&worker).await.unwrap();
        world.clock.jump(now);
        for _ in 0..3 {
            world.clock.advance_hours(24);
            world.mainstay.run_due_jobs(&worker).await.unwrap();
        }
        let until = world.mainstay.now();
        let ran = runs(world, world.acme.id, Job::Daily).await;
        let present = ran.iter().filter(|run| run.period <= until).count();
        assert_eq!(present, before + 3, "{ran:?}");
    }
);
