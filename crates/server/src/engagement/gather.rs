//! Putting in its place what is rolled up from events that came a few at a time.

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

use super::said::Tries;
use crate::{Mainstay, Result, supervise::GATHERER};

/// How long what is rolled up may lie beside its place: every figure has to look there too.
const TICK: Duration = Duration::from_secs(1);
/// Events of an organization that may lie there, however fast they come.
const MOST_PENDING: usize = 100_000;

/// How long an organization whose gathering panicked is left alone.
const SET_ASIDE: Duration = Duration::from_mins(1);
/// What gathering an organization may take, before its connection is taken for lost.
const GATHER_TIMEOUT: Duration = Duration::from_mins(2);

/// Remembers whose events are to be gathered.
#[derive(Default)]
pub(super) struct Gatherer {
    pending: Mutex<HashMap<OrganizationId, usize>>,
    /// Organizations whose gathering panicked, and when.
    set_aside: tokio::sync::Mutex<HashMap<OrganizationId, Instant>>,
    many: Notify,
    done: Notify,
}

impl Gatherer {
    /// So many events of an organization were stored.
    pub(super) fn note(&self, organization: OrganizationId, events: usize) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = pending.entry(organization).or_default();
        *waiting += events;
        if *waiting >= MOST_PENDING {
            self.many.notify_one();
        }
    }

    /// No more events are coming: gathers what there is, and ends.
    pub(super) fn finish(&self) {
        self.done.notify_one();
    }

    /// Gathers every second, and once more at the end; first what a process left behind that was
    /// killed.
    pub(super) async fn run(&self, mainstay: Mainstay) {
        match mainstay.left_to_gather().await {
            Ok(organizations) => {
                for organization in organizations {
                    self.note(organization, 0);
                }
            }
            Err(error) => tracing::error!(%error, "what is to be gathered could not be looked up"),
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = self.done.notified() => true,
                () = self.many.notified() => false,
                _ = ticks.tick() => false,
            };
            mainstay.supervisor().pass(GATHERER);
            self.gather(&mainstay).await;
            if done {
                return;
            }
        }
    }

    async fn gather(&self, mainstay: &Mainstay) {
        let pending = mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let mut set_aside = self.set_aside.lock().await;
        for (organization, events) in pending {
            if set_aside.get(&organization).is_some_and(|since| since.elapsed() < SET_ASIDE) {
                // Figures look beside the place too: they are right, and slower to read.
                self.note(organization, 0);
                continue;
            }
            let supervisor = mainstay.supervisor();
            // Boxed: whoever waits for it would be as large as all that it does.
            let gathering = Box::pin(async {
                if supervisor.is_armed() {
                    supervisor.pass(&format!("gather {organization}"));
                }
                mainstay.gather_activity(organization).await
            });
            let in_time = timeout(GATHER_TIMEOUT, gathering);
            match supervisor.isolate("gathering an organization's activity", in_time).await {
                Ok(Ok(Ok(()))) => {
                    set_aside.remove(&organization);
                }
                Ok(Ok(Err(error))) => {
                    tracing::error!(%error, %organization, "activity was not gathered; it is tried again");
                    self.note(organization, events);
                }
                Ok(Err(_)) => {
                    tracing::error!(%organization, "the database did not gather activity in time; it is tried again");
                    self.note(organization, events);
                }
                Err(_) => {
                    set_aside.insert(organization, Instant::now());
                    self.note(organization, 0);
                }
            }
        }
        mainstay.keep_keys_seen().await;
    }
}

impl Mainstay {
    async fn left_to_gather(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.organizations_with_pending_activity().await?)
    }

    async fn gather_activity(&self, organization: OrganizationId) -> Result<()> {
        let mut tries = Tries::default();
        loop {
            let gathered = self.try_gather(organization).await;
            if !tries.again(&gathered) {
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
