use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::AlertFacts,
    id::{AlertId, ClientId, PlaybookRunId},
    playbook::{RECOVERY_WINDOW, Setback},
};
use mainstay_store::{ClientChunk, Tx};

use crate::Result;

/// Setbacks that clients can still recover from in time.
#[derive(Default)]
pub(super) struct Setbacks {
    alerts: HashMap<ClientId, Vec<(AlertId, Setback)>>,
    falls: HashMap<ClientId, Vec<(PlaybookRunId, Setback)>>,
}

impl Setbacks {
    /// Loads the setbacks of a chunk of clients.
    pub(super) async fn load(tx: &mut Tx, chunk: &ClientChunk, as_of: Timestamp) -> Result<Self> {
        let since = as_of.checked_sub(RECOVERY_WINDOW).unwrap_or(Timestamp::MIN);
        Ok(Self {
            alerts: tx.list_unrecovered_alerts(chunk, since).await?,
            falls: tx.list_unrecovered_falls(chunk, since).await?,
        })
    }

    /// Records the setbacks that a client has recovered from.
    pub(super) async fn record_recovered(
        &mut self,
        tx: &mut Tx,
        client: ClientId,
        facts: &AlertFacts,
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
