//! `/jobs`: what runs by itself, when, and how it went.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::{
    job::{Job, Step},
    text::{count_noun, format_thousands},
};
use mainstay_store::{JobRun, RunState};
use serde::Deserialize;

use crate::{
    job::JobState,
    web::{
        AdminSession, Form, FormError, PageError, PageResult, Pages, Path, Place, Query,
        StaffSession, StaffShell, Web, show, show_with, ui::components::View,
    },
};

const PATH: &str = "/jobs";
/// Runs that are shown.
const MAX_RUNS: i64 = 50;

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get(PATH, show_jobs)
        .post("/jobs/{job}/run", run_job)
        .post("/jobs/{job}/schedule", change_schedule)
}

#[derive(Template)]
#[template(path = "jobs/jobs.html")]
struct JobsPage {
    shell: StaffShell,
    admin: bool,
    zone: String,
    done: Option<&'static str>,
    jobs: Vec<Row>,
    runs: Vec<Run>,
    /// The job whose schedule was refused, with what was sent.
    wrong: Option<(Job, String, FormError)>,
}

struct Row {
    job: Job,
    cron: String,
    description: String,
    next: String,
    last: String,
}

struct Run {
    job: String,
    icon: &'static str,
    title: String,
    meta: String,
    /// Percent of what is being done.
    share: Option<i64>,
}

/// What was just done.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DoneParams {
    done: String,
}

async fn show_jobs(
    session: StaffSession,
    State(web): State<Web>,
    Query(done): Query<DoneParams>,
) -> PageResult {
    let page = JobsPage::load(&web, &session).await?;
    let done = match done.done.as_str() {
        "started" => Some("The job has started. Reload this page to see its progress below."),
        "saved" => {
            Some("Saved. Runs that the new schedule would have had before are not caught up.")
        }
        _ => None,
    };
    show(&JobsPage { done, ..page })
}

impl JobsPage {
    async fn load(web: &Web, session: &StaffSession) -> Result<Self, PageError> {
        let jobs = web.mainstay.jobs(session.scope).await?;
        let runs = web.mainstay.job_runs(session.scope, None, MAX_RUNS).await?;
        let view = View::of_client(session.zone.clone(), web.mainstay.now());
        Ok(Self {
            shell: session.shell(Place::Jobs),
            admin: session.is_admin(),
            zone: session.organization.time_zone.clone(),
            done: None,
            jobs: jobs.iter().map(|state| row(&view, state)).collect(),
            runs: runs.iter().map(|run| run_row(&view, run)).collect(),
            wrong: None,
        })
    }
}

fn row(view: &View, state: &JobState) -> Row {
    Row {
        job: state.job,
        cron: state.schedule.to_string(),
        description: state.schedule.describe(),
        next: state.next.map_or_else(|| "never".to_owned(), |at| view.moment(at)),
        last: state.last.as_ref().map_or_else(
            || "has not run yet".to_owned(),
            |run| format!("{} {}", state_words(run), view.moment(run.period)),
        ),
    }
}

fn state_words(run: &JobRun) -> &'static str {
    match run.state {
        RunState::Waiting if run.attempts > 0 => "waiting for a retry, for",
        RunState::Waiting => "waiting, for",
        RunState::Running => "running, for",
        RunState::Succeeded => "done for",
        RunState::Failed => "failed for",
    }
}

fn run_row(view: &View, run: &JobRun) -> Run {
    let icon = match run.state {
        RunState::Waiting => "clock",
        RunState::Running => "refresh",
        RunState::Succeeded => "check",
        RunState::Failed => "critical",
    };
    let manual = if run.scheduled { "" } else { ", started manually" };
    Run {
        job: run.job.clone(),
        icon,
        title: format!("{} {}{manual}", state_words(run), view.full_moment(run.period)),
        meta: meta(view, run),
        share: (run.state == RunState::Running && run.total > 0)
            .then(|| (run.done * 100 / run.total).clamp(0, 100)),
    }
}

/// What a run has done, how long it took and what went wrong.
fn meta(view: &View, run: &JobRun) -> String {
    let mut parts: Vec<String> = Step::ALL
        .iter()
        .filter_map(|step| Some(count_noun(*run.counts.get(step.as_str())?, step.counts())))
        .collect();
    if run.state == RunState::Running
        && let Some(step) = &run.step
    {
        let step = step.replace('_', " ");
        let of = if run.total > 0 {
            format!(" of {}", format_thousands(run.total))
        } else {
            String::new()
        };
        parts.push(format!("now {step}, {}{of} clients", format_thousands(run.done)));
    }
    if let (Some(from), Some(to)) = (run.started_at, run.finished_at) {
        let seconds = to.duration_since(from).as_secs_f64();
        parts.push(format!("{seconds:.1} s"));
    }
    if run.attempts > 1 {
        parts.push(format!("attempt {}", run.attempts));
    }
    if run.state == RunState::Waiting && run.attempts > 0 {
        parts.push(format!("next try {}", view.moment(run.due_at)));
    }
    parts.extend(run.error.clone());
    parts.join(", ")
}

async fn run_job(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(job): Path<Job>,
) -> PageResult {
    web.mainstay.start_job(session.scope, job).await?;
    Ok(Redirect::to("/jobs?done=started").into_response())
}

#[derive(Deserialize)]
struct NewSchedule {
    cron: String,
}

async fn change_schedule(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(job): Path<Job>,
    Form(form): Form<NewSchedule>,
) -> PageResult {
    match web.mainstay.set_job_schedule(session.scope, job, &form.cron).await {
        Ok(_) => Ok(Redirect::to("/jobs?done=saved").into_response()),
        Err(error) => {
            let wrong = Some((job, form.cron, FormError::of(error)?));
            let page = JobsPage { wrong, ..JobsPage::load(&web, &session).await? };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}
