//! A change of the time zone is work for the background: everything that is rolled up moves to the days of
//! the new zone a few rows at a time, each time in a transaction of its own, so that nobody waits for it.

use mainstay_core::id::OrganizationId;
use mainstay_store::{Scope, ZoneStep};
use tokio::{sync::watch, task::JoinHandle};

use crate::{Mainstay, Result, engagement::Tries, steps, supervise::ZONE_CHANGES};

/// What one step moves: some ten milliseconds, for which an event that comes has to wait.
const STEP: ZoneStep = ZoneStep { rows: 1_000, events: 20_000 };
/// Steps that a request takes itself, so that a small organization's change is done when it answers.
pub(super) const STEPS_PER_REQUEST: usize = 10;

impl Mainstay {
    /// Goes on with an organization's change of the time zone for some steps, each a transaction of its
    /// own. Returns whether there is more to do.
    pub async fn take_zone_steps(
        &self,
        organization: OrganizationId,
        steps: usize,
    ) -> Result<bool> {
        for _ in 0..steps {
            if !self.take_zone_step(organization).await? {
                return Ok(false);
            }
            // Those who wait for the database come first.
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    async fn take_zone_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tries = Tries::default();
        loop {
            let taken = self.try_zone_step(organization).await;
            if !tries.again(&taken) {
                return taken;
            }
        }
    }

    async fn try_zone_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let more = tx.take_zone_step(STEP).await?;
        tx.commit().await?;
        Ok(more)
    }

    /// Takes a step with the change of every organization that has one. Returns whether there is more to
    /// do.
    pub async fn run_zone_changes(&self) -> Result<bool> {
        let mut tx = self.store().read(Scope::System).await?;
        let organizations = tx.organizations_with_zone_changes().await?;
        drop(tx);
        let mut more = false;
        for organization in organizations {
            let step = self.take_zone_steps(organization, 1);
            more |= self.take_isolated_step("zone change", organization, step).await;
        }
        Ok(more)
    }

    /// Whether an organization's figures may rest on the days of two zones.
    pub(crate) async fn is_changing_zone(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.organization().await?.zone_change_since.is_some())
    }
}

/// Continues time zone changes in the background until `stop` is set.
pub(crate) fn start(mainstay: &Mainstay, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    steps::start(mainstay, ZONE_CHANGES, stop, |mainstay: Mainstay| async move {
        mainstay.run_zone_changes().await
    })
}
