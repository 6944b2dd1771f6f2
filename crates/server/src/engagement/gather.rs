//! Gathering of rolled-up activity from small writes.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mainstay_core::id::OrganizationId;
use mainstay_store::Scope;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::messages::ConflictRetries;
use crate::{Mainstay, Result, supervise::GATHERER};

/// How often activity is gathered: until then, every query must also read the pending rows.
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of pending events of an organization.
const MAX_PENDING: usize = 100_000;

/// Pause for an organization whose gathering panicked.
const PANIC_PAUSE: Duration = Duration::from_mins(1);
/// Timeout for gathering an organization, after which the connection counts as lost.
const GATHER_TIMEOUT: Duration = Duration::from_mins(2);

/// Tracks the organizations with activity to gather.
#[derive(Default)]
pub(super) struct Gatherer {
    pending: Mutex<HashMap<OrganizationId, usize>>,
    /// Organizations whose gathering panicked, and when.
    paused: tokio::sync::Mutex<HashMap<OrganizationId, Instant>>,
    threshold_reached: Notify,
    done: Notify,
}

impl Gatherer {
    /// Records stored events of an organization.
    pub(super) fn add_pending(&self, organization: OrganizationId, events: usize) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = pending.entry(organization).or_default();
        *waiting += events;
        if *waiting >= MAX_PENDING {
            self.threshold_reached.notify_one();
        }
    }

    /// Gathers the rest and stops: no more events will arrive.
    pub(super) fn finish(&self) {
        self.done.notify_one();
    }

    /// Gathers every second, and once more at the end; first the leftovers of a killed process.
    pub(super) async fn run(&self, mainstay: Mainstay) {
        match mainstay.organizations_to_gather().await {
            Ok(organizations) => {
                for organization in organizations {
                    self.add_pending(organization, 0);
                }
            }
            Err(error) => tracing::error!(%error, "failed to look up activity to gather"),
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = self.done.notified() => true,
                () = self.threshold_reached.notified() => false,
                _ = ticks.tick() => false,
            };
            mainstay.supervisor().fail_point(GATHERER);
            self.gather(&mainstay).await;
            if done {
                return;
            }
        }
    }

    async fn gather(&self, mainstay: &Mainstay) {
        let pending = mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut paused = self.paused.lock().await;
        for (organization, events) in pending {
            if paused.get(&organization).is_some_and(|since| since.elapsed() < PANIC_PAUSE) {
                // Figures look beside the place too: they are right, and slower to read.
                self.add_pending(organization, 0);
                continue;
            }
            let supervisor = mainstay.supervisor();
            // Boxed: whoever waits for it would be as large as all that it does.
            let gathering = Box::pin(async {
                if supervisor.is_armed() {
                    supervisor.fail_point(&format!("gather {organization}"));
                }
                mainstay.gather_activity(organization).await
            });
            let in_time = timeout(GATHER_TIMEOUT, gathering);
            match supervisor.isolate("gathering an organization's activity", in_time).await {
                Ok(Ok(Ok(()))) => {
                    paused.remove(&organization);
                }
                Ok(Ok(Err(error))) => {
                    tracing::error!(%error, %organization, "failed to gather activity; will retry");
                    self.add_pending(organization, events);
                }
                Ok(Err(_)) => {
                    tracing::error!(%organization, "gathering activity timed out; will retry");
                    self.add_pending(organization, events);
                }
                Err(_) => {
                    paused.insert(organization, Instant::now());
                    self.add_pending(organization, 0);
                }
            }
        }
        mainstay.flush_key_activity().await;
    }
}

impl Mainstay {
    async fn organizations_to_gather(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.list_organizations_with_pending_activity().await?)
    }

    async fn gather_activity(&self, organization: OrganizationId) -> Result<()> {
        let mut retries = ConflictRetries::default();
        loop {
            let gathered = self.try_gather(organization).await;
            if !retries.should_retry(&gathered) {
                return gathered;
            }
        }
    }

    async fn try_gather(&self, organization: OrganizationId) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.gather_activity().await?;
        Ok(tx.commit().await?)
    }
}
