//! Changes of the time zone run in the background: activity moves to the days of the new zone in
//! small steps, each in its own transaction, so that nobody waits for it.

use mainstay_core::id::OrganizationId;
use mainstay_store::{Scope, ZoneStep};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Mainstay, Result, background_steps, engagement::ConflictRetries, supervise::ZONE_CHANGES,
};

/// The size of a step: some ten milliseconds during which new events wait.
const STEP: ZoneStep = ZoneStep { rows: 1_000, events: 20_000 };
/// Steps that a request runs itself, so that a small organization's change is done when it returns.
pub(super) const STEPS_PER_REQUEST: usize = 10;

impl Mainstay {
    /// Runs some steps of an organization's change of time zone, each in its own transaction.
    /// Returns whether there is more to do.
    pub async fn run_zone_steps(&self, organization: OrganizationId, steps: usize) -> Result<bool> {
        for _ in 0..steps {
            if !self.run_zone_step(organization).await? {
                return Ok(false);
            }
            // Those who wait for the database come first.
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    async fn run_zone_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut retries = ConflictRetries::default();
        loop {
            let outcome = self.try_zone_step(organization).await;
            if !retries.should_retry(&outcome) {
                return outcome;
            }
        }
    }

    async fn try_zone_step(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let more = tx.run_zone_step(STEP).await?;
        tx.commit().await?;
        Ok(more)
    }

    /// Runs one step of every pending change. Returns whether there is more to do.
    pub async fn run_zone_changes(&self) -> Result<bool> {
        let mut tx = self.store().read(Scope::System).await?;
        let organizations = tx.list_organizations_with_zone_changes().await?;
        drop(tx);
        let mut more = false;
        for organization in organizations {
            let step = self.run_zone_steps(organization, 1);
            more |= self.take_isolated_step("zone change", organization, step).await;
        }
        Ok(more)
    }

    /// Whether an organization's figures may mix days of two zones.
    pub(crate) async fn is_changing_zone(&self, organization: OrganizationId) -> Result<bool> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.get_organization().await?.zone_change_since.is_some())
    }
}

/// Continues time zone changes in the background until `stop` is set.
pub(crate) fn start(mainstay: &Mainstay, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    background_steps::start(mainstay, ZONE_CHANGES, stop, |mainstay: Mainstay| async move {
        mainstay.run_zone_changes().await
    })
}
