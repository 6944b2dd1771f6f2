use std::{sync::Arc, time::Duration};

use mainstay_core::id::OrganizationId;
use mainstay_store::{ClientRange, Scope};
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{LiveUpdate, Subscription, hub::MAX_NAMED};
use crate::{
    Mainstay, Result,
    supervise::{LIVE, OnPanic},
};

/// How often the database is polled for changes by any process, while there are subscribers.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of rejected events per update.
const MAX_REFUSED: i64 = 50;

/// The last published changes.
struct LiveCursor {
    version: i64,
    refused: Option<Uuid>,
}

impl Mainstay {
    /// Subscribes to the updates of an organization.
    pub async fn listen(&self, organization: OrganizationId) -> Result<Subscription> {
        // Before the first news, so that none is between.
        let cursor = Arc::new(Mutex::new(self.current_cursor(organization).await?));
        let (subscription, first) = self.hub().listen(organization);
        if first {
            let mainstay = self.clone();
            self.supervisor().spawn(LIVE, OnPanic::Restart, move || {
                mainstay.clone().poll_changes(organization, Arc::clone(&cursor))
            });
        }
        Ok(subscription)
    }

    async fn current_cursor(&self, organization: OrganizationId) -> Result<LiveCursor> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let version = tx.list_portfolio_changes(None).await?.version;
        let refused = tx.list_refused_events(None, 1).await?.first().map(|newest| newest.id);
        Ok(LiveCursor { version, refused })
    }

    /// Publishes changes of other transactions, while there are subscribers.
    async fn poll_changes(self, organization: OrganizationId, cursor: Arc<Mutex<LiveCursor>>) {
        let mut cursor = cursor.lock().await;
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !self.hub().next_second(organization) {
                return;
            }
            self.supervisor().fail_point(LIVE);
            if let Err(error) = self.publish_changes(organization, &mut cursor).await {
                tracing::warn!(%error, "failed to read changes; will retry");
            }
        }
    }

    async fn publish_changes(
        &self,
        organization: OrganizationId,
        cursor: &mut LiveCursor,
    ) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.list_portfolio_changes(Some(cursor.version)).await?;
        let refused = tx.list_refused_events(cursor.refused, MAX_REFUSED).await?;
        let open = if changes.version == cursor.version {
            None
        } else {
            Some(tx.count_open_alerts().await?)
        };
        drop(tx);
        if let Some(newest) = refused.first() {
            cursor.refused = Some(newest.id);
            self.hub().publish(organization, LiveUpdate::Refused(refused));
        }
        if let Some(open) = open {
            cursor.version = changes.version;
            let client_names = self.client_names(organization, changes.clients).await?;
            self.hub().publish(organization, LiveUpdate::Standings(client_names));
            self.hub().publish(organization, LiveUpdate::Alerts(open));
        }
        Ok(())
    }

    /// The clients' external ids, if there are only few.
    async fn client_names(
        &self,
        organization: OrganizationId,
        ranges: Option<Vec<ClientRange>>,
    ) -> Result<Option<Vec<String>>> {
        let few = ranges.filter(|ranges| {
            ranges.len() <= MAX_NAMED && ranges.iter().all(|range| range.low == range.high)
        });
        let Some(few) = few else { return Ok(None) };
        // Up to date, so that a new client has a name already.
        let board = self.portfolio(organization).await?;
        Ok(Some(board.read(|portfolio| {
            let standings = few.iter().filter_map(|range| portfolio.standing(range.low));
            standings.map(|standing| standing.external_id.clone()).collect()
        })))
    }
}
