//! Runs of jobs: which there were, whose they are, and that only their holder writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_core::id::{JobRunId, OrganizationId};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, StoreError, Tx,
    db::{
        dialect::{Connection, Instant, execute, fetch_all, fetch_optional},
        lock::Lock,
        name::{self, names},
    },
};

/// Claiming a run, keeping it and ending it are over in milliseconds.
const MAX_IDLE_IN_CLAIM_SECONDS: i64 = 10;

/// Schedule of a job that an organization has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSchedule {
    /// Organization.
    pub organization: OrganizationId,
    /// Name of the job.
    pub job: String,
    /// A cron expression.
    pub cron: String,
    /// When it was changed: nothing before this is made up for.
    pub changed_at: Timestamp,
}

/// A run to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJobRun {
    /// Its id.
    pub id: JobRunId,
    /// Name of the job.
    pub job: String,
    /// The instant that it is for; at most one run each.
    pub period: Timestamp,
    /// Whether the schedule asked for it.
    pub scheduled: bool,
}

/// State of a job run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is to be done, or done again.
    Waiting,
    /// Somebody does it.
    Running,
    /// It is done.
    Succeeded,
    /// It was given up.
    Failed,
}

names!(
    RunState, "state of a run",
    Waiting => "waiting", Running => "running", Succeeded => "succeeded", Failed => "failed"
);

/// What a run's parts have counted, by their names.
pub type RunCounts = BTreeMap<String, i64>;

/// A run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRun {
    /// Its id.
    pub id: JobRunId,
    /// Name of the job.
    pub job: String,
    /// The instant that it is for.
    pub period: Timestamp,
    /// Whether the schedule asked for it, rather than a person.
    pub scheduled: bool,
    /// State.
    pub state: RunState,
    /// How often it was begun.
    pub attempts: i64,
    /// Not before this time.
    pub due_at: Timestamp,
    /// The claim that counts.
    pub fence: i64,
    /// The process that made it.
    pub holder: Option<String>,
    /// The part that is being done, or was when it ended.
    pub step: Option<String>,
    /// How much of that part.
    pub done: i64,
    /// Of how much; 0 when that is not known.
    pub total: i64,
    /// Counts of the completed steps.
    pub counts: RunCounts,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When the run was created.
    pub created_at: Timestamp,
    /// When the last attempt started.
    pub started_at: Option<Timestamp>,
    /// End.
    pub finished_at: Option<Timestamp>,
}

/// The claim of a run: what every transaction of its work presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Organization of the run.
    pub organization: OrganizationId,
    /// ID of the run.
    pub run: JobRunId,
    /// Fencing token of the claim.
    pub fence: i64,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// The part that is being done.
    pub step: Option<String>,
    /// How much of it.
    pub done: i64,
    /// Of how much.
    pub total: i64,
    /// Counts of the completed steps.
    pub counts: RunCounts,
}

/// How a claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It is done.
    Succeeded,
    /// It failed, and is tried again at an instant, or given up.
    Failed {
        /// Why.
        error: String,
        /// Time of the next attempt.
        again_at: Option<Timestamp>,
    },
    /// It was interrupted, through no fault of its own: anybody may go on at once.
    Released,
}

/// Work of an organization that has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastPeriod {
    /// Organization.
    pub organization: OrganizationId,
    /// Name of the job.
    pub job: String,
    /// The latest period that the schedule asked for.
    pub period: Timestamp,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    job: String,
    period: Instant,
    scheduled: bool,
    state: String,
    attempts: i64,
    due_at: Instant,
    fence: i64,
    holder: Option<String>,
    step: Option<String>,
    done: i64,
    total: i64,
    counts: Json<RunCounts>,
    error: Option<String>,
    created_at: Instant,
    started_at: Option<Instant>,
    finished_at: Option<Instant>,
}

impl TryFrom<Row> for JobRun {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            job: row.job,
            period: row.period.0,
            scheduled: row.scheduled,
            state: name::RUN_STATE.read(&row.state)?,
            attempts: row.attempts,
            due_at: row.due_at.0,
            fence: row.fence,
            holder: row.holder,
            step: row.step,
            done: row.done,
            total: row.total,
            counts: row.counts.0,
            error: row.error,
            created_at: row.created_at.0,
            started_at: row.started_at.map(|at| at.0),
            finished_at: row.finished_at.map(|at| at.0),
        })
    }
}

macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT id, job, period, scheduled, state, attempts, due_at, fence, holder, step, done, \
             total, counts, error, created_at, started_at, finished_at FROM job_runs \
             WHERE organization_id = $1 ",
            $rest
        )
    };
}

impl Tx {
    /// What organizations changed about when their jobs run. System scope.
    pub async fn list_all_job_schedules(&mut self) -> Result<Vec<JobSchedule>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, String, Instant),
            "SELECT organization_id, job, cron, changed_at FROM job_schedules"
        )?;
        Ok(rows.into_iter().map(schedule).collect())
    }

    /// Returns the job schedules that the organization has changed.
    pub async fn list_job_schedules(&mut self) -> Result<Vec<JobSchedule>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, String, Instant),
            "SELECT organization_id, job, cron, changed_at FROM job_schedules \
             WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(schedule).collect())
    }

    /// Changes when a job runs, from now on.
    pub async fn set_job_schedule(&mut self, job: &str, cron: &str, now: Timestamp) -> Result<()> {
        execute!(
            self,
            "INSERT INTO job_schedules (organization_id, job, cron, changed_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, job) \
             DO UPDATE SET cron = excluded.cron, changed_at = excluded.changed_at",
            self.scope.organization_uuid(),
            job,
            cron,
            Instant(now)
        )?;
        Ok(())
    }

    /// The latest period of each job that a schedule asked for, up to an instant: a clock that was ahead for
    /// a moment leaves periods that are not there yet. System scope.
    pub async fn list_last_job_periods(&mut self, until: Timestamp) -> Result<Vec<LastPeriod>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, Instant),
            "SELECT organization_id, job, MAX(period) FROM job_runs WHERE scheduled AND period <= $1 \
             GROUP BY organization_id, job",
            Instant(until)
        )?;
        Ok(rows
            .into_iter()
            .map(|(organization, job, period)| LastPeriod {
                organization: organization.into(),
                job,
                period: period.0,
            })
            .collect())
    }

    /// The organizations with a run that can be claimed. System scope.
    pub async fn list_organizations_with_runs(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT DISTINCT organization_id FROM job_runs WHERE finished_at IS NULL \
             AND ((state = 'waiting' AND due_at <= $1) OR (state = 'running' AND lease_until <= $1))",
            Instant(now)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Keeps a run to be done; false when its period has one already.
    pub async fn create_job_run(&mut self, new: &NewJobRun, now: Timestamp) -> Result<bool> {
        let created = execute!(
            self,
            "INSERT INTO job_runs (organization_id, id, job, period, scheduled, state, attempts, \
             due_at, fence, done, total, counts, created_at) \
             VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, 0, 0, 0, $7, $6) \
             ON CONFLICT (organization_id, job, period) DO NOTHING",
            self.scope.organization_uuid(),
            new.id.uuid(),
            &new.job,
            Instant(new.period),
            new.scheduled,
            Instant(now),
            Json(RunCounts::new())
        )?;
        Ok(created == 1)
    }

    /// Claims the first run that can be had, those of `order` first in that order, unless the
    /// organization has one that is being done. Whoever held it before writes nothing more.
    pub async fn claim_job_run(
        &mut self,
        order: &[&str],
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<JobRun>> {
        self.end_when_idle(MAX_IDLE_IN_CLAIM_SECONDS).await?;
        self.lock_organization(Lock::ClaimRuns).await?;
        let organization = self.scope.organization_uuid();
        let busy = fetch_optional!(
            self,
            (i64,),
            "SELECT fence FROM job_runs WHERE organization_id = $1 AND finished_at IS NULL \
             AND state = 'running' AND lease_until > $2 LIMIT 1",
            organization,
            Instant(now)
        )?;
        if busy.is_some() {
            return Ok(None);
        }
        let mut open: Vec<(Instant, String, Uuid, i64)> = fetch_all!(
            self,
            (Instant, String, Uuid, i64),
            "SELECT period, job, id, fence FROM job_runs \
             WHERE organization_id = $1 AND finished_at IS NULL \
             AND ((state = 'waiting' AND due_at <= $2) OR (state = 'running' AND lease_until <= $2))",
            organization,
            Instant(now)
        )?;
        let rank = |job: &str| order.iter().position(|known| *known == job);
        open.retain(|(_, job, ..)| rank(job).is_some());
        open.sort_by_key(|(period, job, ..)| (rank(job), *period));
        for (.., id, fence) in open {
            // Whoever is quicker moves the fence, and this finds nothing.
            let claimed = execute!(
                self,
                "UPDATE job_runs SET state = 'running', fence = fence + 1, attempts = attempts + 1, \
                 holder = $4, started_at = $5, lease_until = $6 \
                 WHERE organization_id = $1 AND id = $2 AND fence = $3 AND finished_at IS NULL",
                organization,
                id,
                fence,
                holder,
                Instant(now),
                Instant(lease_until)
            )?;
            if claimed == 1 {
                return self.find_job_run(id.into()).await;
            }
        }
        Ok(None)
    }

    /// Makes sure that a claim still counts until this transaction ends: nobody claims the run
    /// meanwhile. On PostgreSQL, a process that stops in the middle of it is disconnected after so
    /// many seconds, so that it does not keep others from the run.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has claimed the run.
    pub async fn hold_lease(&mut self, lease: Lease, timeout_seconds: i64) -> Result<()> {
        self.end_when_idle(timeout_seconds).await?;
        let held = execute!(
            self,
            "UPDATE job_runs SET fence = fence \
             WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'running'",
            lease.organization.uuid(),
            lease.run.uuid(),
            lease.fence
        )?;
        if held == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
    }

    /// Has PostgreSQL disconnect a process that stops in the middle of this transaction, which would
    /// keep its locks. SQLite's are the whole file's anyway.
    async fn end_when_idle(&mut self, seconds: i64) -> Result<()> {
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let sql = format!("SET LOCAL idle_in_transaction_session_timeout = '{}s'", seconds.max(1));
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut **connection).await?;
        Ok(())
    }

    /// Keeps a claim for longer and tells how far the run is.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has claimed the run.
    pub async fn renew_lease(
        &mut self,
        lease: Lease,
        lease_until: Timestamp,
        progress: &RunProgress,
    ) -> Result<()> {
        self.end_when_idle(MAX_IDLE_IN_CLAIM_SECONDS).await?;
        let renewed = execute!(
            self,
            "UPDATE job_runs SET lease_until = $4, step = $5, done = $6, total = $7, counts = $8 \
             WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'running'",
            lease.organization.uuid(),
            lease.run.uuid(),
            lease.fence,
            Instant(lease_until),
            &progress.step,
            progress.done,
            progress.total,
            Json(&progress.counts)
        )?;
        if renewed == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
    }

    /// Ends a claim.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else has claimed the run.
    pub async fn finish_job_run(
        &mut self,
        lease: Lease,
        end: &RunEnd,
        progress: &RunProgress,
        now: Timestamp,
    ) -> Result<()> {
        self.end_when_idle(MAX_IDLE_IN_CLAIM_SECONDS).await?;
        let (state, error, due_at) = match end {
            RunEnd::Succeeded => (RunState::Succeeded, None, None),
            RunEnd::Failed { error, again_at: Some(at) } => {
                (RunState::Waiting, Some(error.as_str()), Some(*at))
            }
            RunEnd::Failed { error, again_at: None } => {
                (RunState::Failed, Some(error.as_str()), None)
            }
            RunEnd::Released => (RunState::Waiting, None, Some(now)),
        };
        let uncounted = i64::from(*end == RunEnd::Released);
        let finished_at = due_at.is_none().then_some(Instant(now));
        let ended = execute!(
            self,
            "UPDATE job_runs SET state = $4, error = COALESCE($5, error), \
             due_at = COALESCE($6, due_at), finished_at = $7, step = $8, done = $9, total = $10, \
             counts = $11, attempts = attempts - $12, lease_until = NULL \
             WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'running'",
            lease.organization.uuid(),
            lease.run.uuid(),
            lease.fence,
            state.as_str(),
            error,
            due_at.map(Instant),
            finished_at,
            &progress.step,
            progress.done,
            progress.total,
            Json(&progress.counts),
            uncounted
        )?;
        if ended == 1 { Ok(()) } else { Err(StoreError::LeaseLost) }
    }

    /// One run.
    pub async fn find_job_run(&mut self, id: JobRunId) -> Result<Option<JobRun>> {
        let row = fetch_optional!(
            self,
            Row,
            select_runs!("AND id = $2"),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The latest runs, of one job or of all, newest first.
    pub async fn list_job_runs(&mut self, job: Option<&str>, limit: i64) -> Result<Vec<JobRun>> {
        let rows = fetch_all!(
            self,
            Row,
            select_runs!("AND (CAST($2 AS TEXT) IS NULL OR job = $2) ORDER BY id DESC LIMIT $3"),
            self.scope.organization_uuid(),
            job,
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Forgets runs that ended before an instant; answers how many.
    pub async fn delete_job_runs(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM job_runs WHERE organization_id = $1 AND finished_at < $2 \
             AND period < (SELECT MAX(r.period) FROM job_runs r \
             WHERE r.organization_id = $1 AND r.job = job_runs.job AND r.scheduled)",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }
}

fn schedule(row: (Uuid, String, String, Instant)) -> JobSchedule {
    let (organization, job, cron, changed_at) = row;
    JobSchedule { organization: organization.into(), job, cron, changed_at: changed_at.0 }
}
