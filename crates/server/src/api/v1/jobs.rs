//! `/api/v1/jobs`: scheduled jobs and their runs.

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
        caller::{Administrator, StaffCaller},
        input::{Params, PathJob, limit, one_of},
        names,
        problem::Problem,
    },
    job::JobState,
};

const DEFAULT_RUNS: i64 = 50;
const MAX_RUNS: i64 = 500;

/// A scheduled job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
struct JobBody {
    /// Which one.
    #[schema(value_type = names::JobName)]
    job: Job,
    /// The description.
    about: &'static str,
    /// The schedule, in the organization's time zone.
    #[schema(example = "0 0 * * 0")]
    cron: String,
    /// Whether the organization changed the schedule.
    changed: bool,
    /// The next run.
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
    /// The job.
    #[schema(example = "weekly")]
    job: String,
    /// The scheduled instant; each has one run.
    period: Timestamp,
    /// Whether it was started by the schedule, not by a person.
    scheduled: bool,
    /// The state.
    #[schema(value_type = names::JobRunState)]
    state: &'static str,
    /// The number of attempts.
    attempts: i64,
    /// The current step, or the last one if it ended.
    step: Option<String>,
    /// The progress of the step.
    done: i64,
    /// The total of the step; 0 if unknown.
    total: i64,
    /// The counts of the finished steps.
    #[schema(value_type = Object, example = json!({"scores": 500, "insights": 812, "emails": 321}))]
    counts: mainstay_store::RunCounts,
    /// Why the last attempt failed.
    error: Option<String>,
    /// When it was last started.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
    /// The time of the next attempt, while it waits.
    due_at: Option<Timestamp>,
}

/// The organization's jobs.
#[derive(Debug, Serialize, ToSchema)]
struct Jobs {
    /// In execution order.
    jobs: Vec<JobBody>,
}

/// Runs of jobs.
#[derive(Debug, Serialize, ToSchema)]
struct JobRuns {
    /// Newest first.
    runs: Vec<RunBody>,
}

/// A job's schedule.
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
struct RunQuery {
    /// Only runs of this job.
    #[param(value_type = Option<names::JobName>)]
    job: Option<String>,
    /// The page size.
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
            about: state.job.description(),
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
/// With the next and the latest run of each.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The jobs.", body = Jobs)),
)]
async fn list_jobs(caller: StaffCaller, State(api): State<Api>) -> Result<Json<Jobs>, Problem> {
    let jobs = api.mainstay.jobs(caller.scope).await?;
    Ok(Json(Jobs { jobs: jobs.into_iter().map(Into::into).collect() }))
}

/// Lists the latest runs.
///
/// Newest first, with their counts. Runs are kept for 90 days.
#[utoipa::path(
    get, path = "/api/v1/jobs/runs", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    params(RunQuery),
    responses((status = 200, description = "The runs.", body = JobRuns)),
)]
async fn list_runs(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(query): Params<RunQuery>,
) -> Result<Json<JobRuns>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_RUNS, MAX_RUNS)?;
    let job = query.job.as_deref().map(|text| one_of("job", text)).transpose()?;
    let runs = api.mainstay.job_runs(caller.scope, job, limit).await?;
    Ok(Json(JobRuns { runs: runs.into_iter().map(Into::into).collect() }))
}

/// Changes when a job runs.
///
/// For future runs only. A time that a clock change skips runs at the next existing instant; a
/// repeated one runs once. Needs the role
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
    list_jobs(StaffCaller { organization, scope, member: None }, State(api)).await
}

/// Runs a job now.
///
/// In addition to its schedule. Returns immediately; see the list of runs for its progress. Needs the role owner or
/// admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/jobs/{job}/run", tag = "Jobs",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 202, description = "The queued run.", body = RunBody)),
)]
async fn run_job(
    administrator: Administrator,
    PathJob(job): PathJob,
    State(api): State<Api>,
) -> Result<(StatusCode, Json<RunBody>), Problem> {
    let run = api.mainstay.start_job(administrator.scope, job).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}
