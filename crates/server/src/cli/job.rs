use std::{io::Write as _, process::ExitCode, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    job::{Job, Step},
    text::count_noun,
};
use mainstay_store::{JobRun, Organization, RunCounts, RunState, Scope};
use serde::Serialize;
use tokio::time::interval;

use super::{
    FAILED, Result,
    args::JobCommand,
    figures::local,
    organization,
    output::Output,
    table::{NONE, Table, sentence},
};
use crate::{
    Mainstay,
    config::Settings,
    job::{JobState, Worker},
};

/// How often to check whether another process has finished the run.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Serialize)]
struct JobOutput {
    job: Job,
    cron: String,
    next: Option<Timestamp>,
    last: Option<RunOutput>,
}

#[derive(Serialize)]
struct RunOutput {
    id: String,
    job: String,
    period: Timestamp,
    scheduled: bool,
    state: &'static str,
    attempts: i64,
    counts: RunCounts,
    seconds: Option<f64>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    error: Option<String>,
}

impl From<&JobRun> for RunOutput {
    fn from(run: &JobRun) -> Self {
        Self {
            id: run.id.to_string(),
            job: run.job.clone(),
            period: run.period,
            scheduled: run.scheduled,
            state: run.state.as_str(),
            attempts: run.attempts,
            counts: run.counts.clone(),
            seconds: run_duration(run).map(|duration| duration.as_secs_f64()),
            started_at: run.started_at,
            finished_at: run.finished_at,
            error: run.error.clone(),
        }
    }
}

pub(super) async fn run(
    mainstay: &Mainstay,
    settings: &Settings,
    command: JobCommand,
    out: &mut Output,
) -> Result<ExitCode> {
    match command {
        JobCommand::List { org, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let jobs = mainstay.jobs(Scope::Service(organization.id)).await?;
            if json.json {
                let jobs: Vec<JobOutput> = jobs.iter().map(job_output).collect();
                out.json_array(&jobs)?;
            } else {
                list(&jobs, &organization, out)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        JobCommand::Run { job, org, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let run = run_now(mainstay, settings, &organization, job).await?;
            if json.json {
                out.json(&RunOutput::from(&run))?;
            } else {
                history(std::slice::from_ref(&run), &organization, out)?;
            }
            let failed = run.state == RunState::Failed || run.error.is_some();
            Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
        }
        JobCommand::History { org, job, limit, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let runs = mainstay.job_runs(Scope::Service(organization.id), job, limit).await?;
            if json.json {
                out.json_array(&runs.iter().map(RunOutput::from).collect::<Vec<_>>())?;
            } else if runs.is_empty() {
                writeln!(
                    out,
                    "no runs yet; jobs run under `mainstay serve`, or with `mainstay job run`"
                )?;
            } else {
                history(&runs, &organization, out)?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs a job here, or waits for a server that has claimed it first.
async fn run_now(
    mainstay: &Mainstay,
    settings: &Settings,
    organization: &Organization,
    job: Job,
) -> Result<JobRun> {
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(settings.job_lease_seconds));
    let started = mainstay.start_job(organization.id, job).await?;
    let mut looks = interval(POLL_INTERVAL);
    loop {
        let found = mainstay.run_next_job(organization.id, &worker).await?;
        let run = mainstay.job_run(Scope::Service(organization.id), started.id).await?;
        let tried = run.state == RunState::Waiting && run.error.is_some();
        if run.finished_at.is_some() || tried {
            return Ok(run);
        }
        if !found {
            looks.tick().await;
        }
    }
}

fn job_output(state: &JobState) -> JobOutput {
    JobOutput {
        job: state.job,
        cron: state.schedule.to_string(),
        next: state.next,
        last: state.last.as_ref().map(RunOutput::from),
    }
}

fn list(jobs: &[JobState], organization: &Organization, out: &mut Output) -> Result<()> {
    let mut table = Table::new(&["JOB", "CRON", "NEXT", "LAST RUN", "STATE", "WHAT"]);
    for state in jobs {
        let none = || NONE.to_owned();
        table.row([
            state.job.to_string(),
            state.schedule.to_string(),
            state.next.map_or_else(none, |at| local(at, organization)),
            state.last.as_ref().map_or_else(none, |run| local(run.period, organization)),
            state.last.as_ref().map_or_else(none, |run| run.state.as_str().to_owned()),
            state.job.description().to_owned(),
        ]);
    }
    table.write(out)?;
    Ok(())
}

fn history(runs: &[JobRun], organization: &Organization, out: &mut Output) -> Result<()> {
    let mut table = Table::new(&["JOB", "FOR", "STATE", ">TRIES", ">SECONDS", "WHAT"]);
    for run in runs {
        let seconds = run_duration(run).map(|duration| format!("{:.1}", duration.as_secs_f64()));
        table.row([
            run.job.clone(),
            local(run.period, organization),
            run.state.as_str().to_owned(),
            run.attempts.to_string(),
            seconds.unwrap_or_else(|| NONE.to_owned()),
            run.error.as_deref().map_or_else(|| counts(&run.counts), sentence),
        ]);
    }
    table.write(out)?;
    Ok(())
}

fn run_duration(run: &JobRun) -> Option<SignedDuration> {
    Some(run.finished_at?.duration_since(run.started_at?))
}

fn counts(counts: &RunCounts) -> String {
    let step = |step: &Step| Some(count_noun(*counts.get(step.as_str())?, step.counts()));
    let parts: Vec<String> = Step::ALL.iter().filter_map(step).collect();
    if parts.is_empty() { NONE.to_owned() } else { parts.join(", ") }
}
