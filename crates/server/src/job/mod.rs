//! Scheduled jobs and their runs.

mod run;
mod steps;
mod worker;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{JobRunId, OrganizationId},
    job::{Job, Schedule, due},
    time::time_zone,
};
use mainstay_store::{JobRun, JobSchedule, LastPeriod, NewJobRun, Organization, Scope, new_id};

pub use run::MAX_IDLE_SECONDS;
pub use worker::{Worker, start};

use crate::{Error, Mainstay, Result};

/// The lease of inline runs: longer than any run of sample data.
const INLINE_LEASE: SignedDuration = SignedDuration::from_hours(1);

/// A job of an organization.
#[derive(Clone, Debug)]
pub struct JobState {
    /// Which one.
    pub job: Job,
    /// When it runs.
    pub schedule: Schedule,
    /// Whether the organization changed that.
    pub changed: bool,
    /// When it runs next.
    pub next: Option<Timestamp>,
    /// Its latest run.
    pub last: Option<JobRun>,
}

impl Mainstay {
    /// All jobs of an organization, in execution order.
    pub async fn jobs(&self, scope: Scope) -> Result<Vec<JobState>> {
        let mut tx = self.store().read(scope).await?;
        let organization = tx.get_organization().await?;
        let changed = tx.list_job_schedules().await?;
        let zone = time_zone(&organization.time_zone)
            .map_err(|reason| Error::invalid("time_zone", reason))?;
        let now = self.now();
        let mut states = Vec::new();
        for job in Job::ALL {
            let (schedule, since) = effective_schedule(*job, &organization, &changed)?;
            states.push(JobState {
                job: *job,
                next: schedule.next(now, &zone),
                schedule,
                changed: since > organization.created_at,
                last: tx.list_job_runs(Some(job.as_str()), 1).await?.into_iter().next(),
            });
        }
        Ok(states)
    }

    /// The latest runs, of one job or of all, newest first.
    pub async fn job_runs(
        &self,
        scope: Scope,
        job: Option<Job>,
        limit: i64,
    ) -> Result<Vec<JobRun>> {
        let mut tx = self.store().read(scope).await?;
        Ok(tx.list_job_runs(job.map(Job::as_str), limit).await?)
    }

    /// One run.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not exist.
    pub async fn job_run(&self, scope: Scope, id: JobRunId) -> Result<JobRun> {
        let mut tx = self.store().read(scope).await?;
        tx.find_job_run(id).await?.ok_or_else(|| Error::NotFound {
            what: "run",
            id: id.to_string(),
            remedy: "GET /api/v1/jobs/runs lists the latest runs",
        })
    }

    /// Changes a job's schedule, for future runs only.
    ///
    /// # Errors
    /// If the expression is invalid.
    pub async fn set_job_schedule(
        &self,
        scope: impl Into<Scope>,
        job: Job,
        cron: &str,
    ) -> Result<Schedule> {
        let schedule = parse(cron)?;
        let mut tx = self.begin_writing(scope.into()).await?;
        tx.set_job_schedule(job.as_str(), schedule.as_str(), self.now()).await?;
        tx.commit().await?;
        Ok(schedule)
    }

    /// Queues a run of a job, in addition to its schedule; any process may execute it.
    pub async fn start_job(&self, scope: impl Into<Scope>, job: Job) -> Result<JobRun> {
        let now = self.now();
        let new = NewJobRun {
            id: new_id(now),
            job: job.as_str().to_owned(),
            period: now,
            scheduled: false,
        };
        let mut tx = self.begin_writing(scope.into()).await?;
        let created = tx.create_job_run(&new, now).await?;
        let run = tx.find_job_run(new.id).await?.filter(|_| created);
        tx.commit().await?;
        run.ok_or_else(|| {
            Error::conflict_in("job", format!("{job} was already started at this instant"))
        })
    }

    /// Runs a scheduled period of a job in this process.
    ///
    /// # Errors
    /// If the run cannot be stored. A failed run is not an error.
    pub(crate) async fn run_period(
        &self,
        organization: OrganizationId,
        job: Job,
        period: Timestamp,
    ) -> Result<()> {
        let job = job.as_str().to_owned();
        let new = NewJobRun { id: new_id(period), job, period, scheduled: true };
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.create_job_run(&new, period).await?;
        tx.commit().await?;
        let (worker, _stop) = Worker::new(INLINE_LEASE);
        while self.run_next_job(organization, &worker).await? {}
        Ok(())
    }

    /// Creates a run for every due period; returns the organizations with pending runs.
    async fn create_due_runs(&self) -> Result<Vec<OrganizationId>> {
        let now = self.now();
        let mut tx = self.store().read(Scope::System).await?;
        let organizations = tx.list_organizations().await?;
        let schedules = tx.list_all_job_schedules().await?;
        let last = tx.list_last_job_periods(now).await?;
        drop(tx);
        for organization in &organizations {
            let periods = match due_periods(organization, &schedules, &last, now) {
                Ok(periods) => periods,
                Err(error) => {
                    tracing::error!(organization = organization.slug, %error, "failed to determine whether a job is due");
                    continue;
                }
            };
            if periods.is_empty() {
                continue;
            }
            let mut tx = self.begin_writing(Scope::Service(organization.id)).await?;
            for (job, period) in periods {
                let job = job.as_str().to_owned();
                let new = NewJobRun { id: new_id(now), job, period, scheduled: true };
                tx.create_job_run(&new, now).await?;
            }
            tx.commit().await?;
        }
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.list_organizations_with_runs(now).await?)
    }
}

/// The due periods that an organization has not run yet.
fn due_periods(
    organization: &Organization,
    schedules: &[JobSchedule],
    last: &[LastPeriod],
    now: Timestamp,
) -> Result<Vec<(Job, Timestamp)>> {
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let mut periods = Vec::new();
    for job in Job::ALL {
        let (schedule, since) = effective_schedule(*job, organization, schedules)?;
        let ran = last
            .iter()
            .find(|last| last.organization == organization.id && last.job == job.as_str())
            .map(|last| last.period);
        periods.extend(due(&schedule, &zone, since, ran, now).map(|period| (*job, period)));
    }
    Ok(periods)
}

/// A job's schedule, and since when it applies.
fn effective_schedule(
    job: Job,
    organization: &Organization,
    changed: &[JobSchedule],
) -> Result<(Schedule, Timestamp)> {
    let own =
        changed.iter().find(|one| one.organization == organization.id && one.job == job.as_str());
    match own {
        Some(own) => Ok((parse(&own.cron)?, own.changed_at)),
        None => Ok((parse(job.default_cron())?, organization.created_at)),
    }
}

/// The schedule of an organization's weekly job.
pub(crate) fn weekly_schedule(
    organization: &Organization,
    changed: &[JobSchedule],
) -> Result<Schedule> {
    Ok(effective_schedule(Job::Weekly, organization, changed)?.0)
}

fn parse(cron: &str) -> Result<Schedule> {
    Schedule::parse(cron).map_err(|error| Error::invalid("cron", error.to_string()))
}
