use mainstay_store::{ArrivedEvent, RefusedEvent, Scope};

use crate::{Mainstay, Result};

/// Recent events, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecentEvents {
    /// Stored events.
    pub events: Vec<ArrivedEvent>,
    /// Rejected events.
    pub refused: Vec<RefusedEvent>,
}

impl Mainstay {
    /// Returns recent events.
    pub async fn recent_events(
        &self,
        scope: Scope,
        only_refused: bool,
        limit: i64,
    ) -> Result<RecentEvents> {
        let mut tx = self.store().read(scope).await?;
        let events = if only_refused { Vec::new() } else { tx.list_arrived_events(limit).await? };
        Ok(RecentEvents { events, refused: tx.list_refused_events(None, limit).await? })
    }
}
