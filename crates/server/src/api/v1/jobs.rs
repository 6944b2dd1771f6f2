//! `/api/v1/jobs`: what runs by itself, when, and how it went.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::job::{Job, Schedule};
use mainstay_store::{JobRun, RunState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        Api,
        body::Body,
        caller::{Administrator, Worker},
        input::{Params, PathJob, limit, one_of},
        names,
        problem::Problem,
    },
    job::JobState,
};

const DEFAULT_RUNS: i64 = 50;
const MOST_RUNS: i64 = 500;

/// A job of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
struct JobBody {
    /// Which one.
    #[schema(value_type = names::JobName)]
    job: Job,
    /// What it does.
    about: &'static str,
    /// When it runs, in the organization's time zone.
    #[schema(example = "0 0 * * 0")]
    cron: String,
    /// Whether the organization changed that.
    changed: bool,
    /// When it runs next.
    next: Option<Timestamp>,
    /// Its latest run.
    last: Option<RunBody>,
}

/// A run of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobRun)]
struct RunBody {
    /// Its id.
    id: Uuid,
    /// Which job.
    #[schema(example = "weekly")]
    job: String,
    /// The instant that it is for; each has one run.
    period: Timestamp,
    /// Whether the schedule asked for it, rather than a person.
    scheduled: bool,
    /// What is so about it.
    #[schema(value_type = names::JobRunState)]
    state: &'static str,
    /// How often it was begun.
    attempts: i64,
    /// The part that is being done, or was when it ended.
    step: Option<String>,
    /// How much of that part is done.
    done: i64,
    /// Of how much; 0 when that is not known.
    total: i64,
    /// What the parts that are done have counted.
    #[schema(value_type = Object, example = json!({"scores": 500, "insights": 812, "emails": 321}))]
    counts: mainstay_store::RunCounts,
    /// Why the last attempt failed.
    error: Option<String>,
    /// When it was last begun.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
    /// When it is tried again, while it waits.
    due_at: Option<Timestamp>,
}

/// The organization's jobs.
#[derive(Debug, Serialize, ToSchema)]
struct Jobs {
    /// In the order in which they run.
    jobs: Vec<JobBody>,
}

/// Runs of jobs.
#[derive(Debug, Serialize, ToSchema)]
struct JobRuns {
    /// Newest first.
    runs: Vec<RunBody>,
}

/// When a job is to run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JobSchedule {
    /// Minute, hour, day of month, month and day of week, in the organization's time zone.
    #[schema(example = "0 8 * * 1")]
    cron: String,
}

/// Which runs to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichRuns {
    /// Only of this job.
    #[param(value_type = Option<names::JobName>)]
    job: Option<String>,
    /// How many at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

impl From<JobRun> for RunBody {
    fn from(run: JobRun) -> Self {
        Self {
            id: run.id.uuid(),
            due_at: (run.state == RunState::Waiting).then_some(run.due_at),
            job: run.job,
            period: run.period,
            scheduled: run.scheduled,
            state: run.state.as_str(),
            attempts: run.attempts,
            step: run.step,
            done: run.done,
            total: run.total,
            counts: run.counts,
            error: run.error,
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }
}

impl From<JobState> for JobBody {
    fn from(state: JobState) -> Self {
        Self {
            job: state.job,
            about: state.job.about(),
            cron: Schedule::as_str(&state.schedule).to_owned(),
            changed: state.changed,
            next: state.next,
            last: state.last.map(Into::into),
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(list_runs))
        .routes(routes!(change_schedule))
        .routes(routes!(run_job))
}

/// Lists the jobs.
///
/// What runs by itself, when it runs next and how its latest run went.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The jobs.", body = Jobs)),
)]
async fn list_jobs(worker: Worker, State(api): State<Api>) -> Result<Json<Jobs>, Problem> {
    let jobs = api.mainstay.jobs(worker.scope).await?;
    Ok(Json(Jobs { jobs: jobs.into_iter().map(Into::into).collect() }))
}

/// Lists the latest runs.
///
/// Newest first, with what each counted. Runs are kept for 90 days.
#[utoipa::path(
    get, path = "/api/v1/jobs/runs", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichRuns),
    responses((status = 200, description = "The runs.", body = JobRuns)),
)]
async fn list_runs(
    worker: Worker,
    State(api): State<Api>,
    Params(which): Params<WhichRuns>,
) -> Result<Json<JobRuns>, Problem> {
    let limit = limit(which.limit.as_deref(), DEFAULT_RUNS, MOST_RUNS)?;
    let job = which.job.as_deref().map(|text| one_of("job", text)).transpose()?;
    let runs = api.mainstay.job_runs(worker.scope, job, limit).await?;
    Ok(Json(JobRuns { runs: runs.into_iter().map(Into::into).collect() }))
}

/// Changes when a job runs.
///
/// From now on: what the new schedule would have had before is not made up for. A time that a clock
/// change skips runs at the next instant that exists, and one that it repeats runs once. Needs the role
/// owner or admin, or a secret key.
#[utoipa::path(
    put, path = "/api/v1/jobs/{job}/schedule", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = JobSchedule,
    responses((status = 200, description = "The jobs as they are now.", body = Jobs)),
)]
async fn change_schedule(
    administrator: Administrator,
    PathJob(job): PathJob,
    State(api): State<Api>,
    Body(schedule): Body<JobSchedule>,
) -> Result<Json<Jobs>, Problem> {
    let Administrator { organization, scope, .. } = administrator;
    api.mainstay.set_job_schedule(scope, job, &schedule.cron).await?;
    list_jobs(Worker { organization, scope, member: None }, State(api)).await
}

/// Runs a job now.
///
/// Besides its schedule. Answers at once; the list of runs tells how it goes. Needs the role owner or
/// admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/jobs/{job}/run", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 202, description = "The run, which waits for a process to do it.", body = RunBody)),
)]
async fn run_job(
    administrator: Administrator,
    PathJob(job): PathJob,
    State(api): State<Api>,
) -> Result<(StatusCode, Json<RunBody>), Problem> {
    let run = api.mainstay.start_job(administrator.scope, job).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}
