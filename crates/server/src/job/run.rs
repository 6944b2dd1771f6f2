use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::SignedDuration;
use mainstay_core::{
    id::OrganizationId,
    job::{Job, retry_after},
};
use mainstay_store::{JobRun, Lease, RunEnd, RunProgress, Scope, StoreError};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Worker;
use crate::{Error, Mainstay, Result};

/// How long a crashed process blocks a run with an open transaction.
pub const MAX_IDLE_SECONDS: i64 = 30;
/// How long ended runs are kept.
const RUN_RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The progress of a run, written by its steps and read by the lease keeper.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<RunProgress>>);

impl Progress {
    fn of(run: &JobRun) -> Self {
        let progress = RunProgress { counts: run.counts.clone(), ..RunProgress::default() };
        Self(Arc::new(Mutex::new(progress)))
    }

    fn lock(&self) -> MutexGuard<'_, RunProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, step: &str, total: i64) {
        let mut progress = self.lock();
        (progress.step, progress.done, progress.total) = (Some(step.to_owned()), 0, total);
    }

    pub(super) fn advance(&self, by: usize) {
        self.lock().done += i64::try_from(by).unwrap_or(i64::MAX);
    }

    pub(super) fn end(&self, step: &str, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.lock().counts.insert(step.to_owned(), count);
    }

    pub(super) fn has_ended(&self, step: &str) -> bool {
        self.lock().counts.contains_key(step)
    }

    fn snapshot(&self) -> RunProgress {
        self.lock().clone()
    }
}

impl Mainstay {
    /// Executes all due runs; returns the number of started runs.
    ///
    /// # Errors
    /// If due runs cannot be looked up. A failed run is not an error: it is retried.
    pub async fn run_due_jobs(&self, worker: &Worker) -> Result<u64> {
        let mut started = 0;
        for organization in self.create_due_runs().await? {
            if self.is_changing_zone(organization).await? {
                // Results are stored for good, and must not mix the days of two time zones.
                continue;
            }
            while !*worker.stop.borrow() && self.run_next_job(organization, worker).await? {
                started += 1;
            }
        }
        Ok(started)
    }

    /// Claims and executes an organization's next run; returns false if there is none.
    pub async fn run_next_job(
        &self,
        organization: OrganizationId,
        worker: &Worker,
    ) -> Result<bool> {
        let order: Vec<&str> = Job::ALL.iter().map(|job| job.as_str()).collect();
        let now = self.now();
        let lease_until = now.saturating_add(worker.lease).unwrap_or(now);
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let claimed = tx.claim_job_run(&order, &worker.holder, now, lease_until).await?;
        tx.commit().await?;
        let Some(run) = claimed else { return Ok(false) };
        let lease = Lease { organization, run: run.id, fence: run.fence };
        match self.execute_run(&run, lease, worker).await {
            // Its new holder tells how it ends.
            Err(Error::Store(StoreError::LeaseLost)) => {
                tracing::warn!(job = run.job, run = %run.id, "run taken over by another process");
                Ok(true)
            }
            result => result.map(|()| true),
        }
    }

    async fn execute_run(&self, run: &JobRun, lease: Lease, worker: &Worker) -> Result<()> {
        let progress = Progress::of(run);
        let leased = self.with_lease(lease);
        let steps = async {
            // Boxed: the parts are as large as all that they do, and everybody who waits would be too.
            let steps = Box::pin(async {
                self.supervisor().fail_point("job run");
                leased.run_steps(lease.organization, run, &progress).await
            });
            // A panic fails the run, which says so; it is tried again like any other that failed.
            self.supervisor().isolate("job run", steps).await.unwrap_or_else(|it| Err(it.into()))
        };
        let result = tokio::select! {
            result = steps => Some(result),
            lost = self.maintain_lease(lease, worker, &progress) => return Err(lost),
            () = worker.stopped() => None,
        };
        let now = self.now();
        let end = match result {
            None => RunEnd::Released,
            Some(Ok(())) => RunEnd::Succeeded,
            Some(Err(Error::Store(StoreError::LeaseLost))) => {
                return Err(StoreError::LeaseLost.into());
            }
            Some(Err(error)) => {
                let wait = retry_after(run.attempts, fastrand::u16(0..=1_000));
                let again_at = wait.and_then(|wait| now.checked_add(wait).ok());
                tracing::error!(job = run.job, run = %run.id, %error, ?again_at, "run failed");
                RunEnd::Failed { error: error.to_string(), again_at }
            }
        };
        let mut tx = self.store().begin(Scope::Service(lease.organization)).await?;
        tx.finish_job_run(lease, &end, &progress.snapshot(), now).await?;
        tx.delete_job_runs(now.checked_sub(RUN_RETENTION).unwrap_or(now)).await?;
        tx.commit().await?;
        tracing::debug!(job = run.job, run = %run.id, ?end, "run ended");
        Ok(())
    }

    /// Renews a run's lease and saves its progress; completes when the lease is lost.
    async fn maintain_lease(&self, lease: Lease, worker: &Worker, progress: &Progress) -> Error {
        let third = Duration::try_from(worker.lease / 3).unwrap_or(Duration::from_secs(1));
        let mut ticks = interval(third.clamp(Duration::from_millis(100), Duration::from_secs(5)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let snapshot = progress.snapshot();
            let renewing = self.renew(lease, worker, &snapshot);
            let allowed = Duration::try_from(worker.lease).unwrap_or(Duration::MAX);
            // A database that does not answer for so long has let somebody else have the run.
            let renewed = timeout(allowed, renewing)
                .await
                .unwrap_or_else(|_| Err(StoreError::LeaseLost.into()));
            match renewed {
                Ok(()) => {}
                Err(lost @ Error::Store(StoreError::LeaseLost)) => return lost,
                // The lease lasts for some tries more, and each transaction of the work checks it.
                Err(error) => tracing::warn!(%error, "failed to renew a run's lease"),
            }
        }
    }

    async fn renew(&self, lease: Lease, worker: &Worker, progress: &RunProgress) -> Result<()> {
        let now = self.now();
        let until = now.saturating_add(worker.lease).unwrap_or(now);
        let mut tx = self.store().begin(Scope::Service(lease.organization)).await?;
        tx.renew_lease(lease, until, progress).await?;
        Ok(tx.commit().await?)
    }
}
