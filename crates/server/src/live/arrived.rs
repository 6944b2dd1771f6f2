use mainstay_store::{ArrivedEvent, RefusedEvent, Scope};

use crate::{Mainstay, Result};

/// What arrived lately, the newest first of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrived {
    /// Events that were stored.
    pub events: Vec<ArrivedEvent>,
    /// Events that were refused.
    pub refused: Vec<RefusedEvent>,
}

impl Mainstay {
    /// What arrived lately.
    pub async fn arrived(&self, scope: Scope, only_refused: bool, limit: i64) -> Result<Arrived> {
        let mut tx = self.store().read(scope).await?;
        let events = if only_refused { Vec::new() } else { tx.arrived_events(limit).await? };
        Ok(Arrived { events, refused: tx.refused_events(None, limit).await? })
    }
}
