use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::HealthFacts,
    id::{AlertId, ClientId, PlaybookRunId},
    playbook::{RECOVERY_WITHIN, Setback},
};
use mainstay_store::{ClientChunk, Tx};

use crate::Result;

/// What clients have not recovered from, as far as they can still do so in time.
#[derive(Default)]
pub(super) struct Setbacks {
    alerts: HashMap<ClientId, Vec<(AlertId, Setback)>>,
    falls: HashMap<ClientId, Vec<(PlaybookRunId, Setback)>>,
}

impl Setbacks {
    /// Those of a chunk's clients.
    pub(super) async fn load(tx: &mut Tx, chunk: &ClientChunk, as_of: Timestamp) -> Result<Self> {
        let since = as_of.checked_sub(RECOVERY_WITHIN).unwrap_or(Timestamp::MIN);
        Ok(Self {
            alerts: tx.unrecovered_alerts(chunk, since).await?,
            falls: tx.unrecovered_falls(chunk, since).await?,
        })
    }

    /// Keeps which of its setbacks a client has recovered from.
    pub(super) async fn settle(
        &mut self,
        tx: &mut Tx,
        client: ClientId,
        facts: &HealthFacts,
    ) -> Result<()> {
        for (alert, setback) in self.alerts.remove(&client).unwrap_or_default() {
            if setback.has_recovered(facts) {
                tx.set_alert_recovered(alert, facts.as_of).await?;
            }
        }
        for (run, setback) in self.falls.remove(&client).unwrap_or_default() {
            if setback.has_recovered(facts) {
                tx.set_run_recovered(run, facts.as_of).await?;
            }
        }
        Ok(())
    }
}
