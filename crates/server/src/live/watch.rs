use std::{sync::Arc, time::Duration};

use mainstay_core::id::OrganizationId;
use mainstay_store::{ClientRange, Scope};
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

use super::{News, Subscription, hub::MOST_NAMED};
use crate::{
    Mainstay, Result,
    supervise::{LIVE, OnPanic},
};

/// How often the database is asked what changed, while somebody listens: in this process or another.
const EVERY: Duration = Duration::from_secs(1);
/// Refused events that are told at a time.
const MOST_REFUSED: i64 = 50;

/// What was told already.
struct Told {
    version: i64,
    refused: Option<Uuid>,
}

impl Mainstay {
    /// Listens to what happens in an organization, from now on.
    pub async fn listen(&self, organization: OrganizationId) -> Result<Subscription> {
        // Before the first news, so that none is between.
        let told = Arc::new(Mutex::new(self.told_until_now(organization).await?));
        let (subscription, first) = self.hub().listen(organization);
        if first {
            let mainstay = self.clone();
            self.supervisor().spawn(LIVE, OnPanic::Restart, move || {
                mainstay.clone().watch(organization, Arc::clone(&told))
            });
        }
        Ok(subscription)
    }

    async fn told_until_now(&self, organization: OrganizationId) -> Result<Told> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let version = tx.portfolio_changes(None).await?.version;
        let refused = tx.refused_events(None, 1).await?.first().map(|newest| newest.id);
        Ok(Told { version, refused })
    }

    /// Tells what other transactions changed, until nobody listens any more.
    async fn watch(self, organization: OrganizationId, told: Arc<Mutex<Told>>) {
        let mut told = told.lock().await;
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !self.hub().next_second(organization) {
                return;
            }
            self.supervisor().pass(LIVE);
            if let Err(error) = self.tell_changes(organization, &mut told).await {
                tracing::warn!(%error, "what changed could not be read; trying again");
            }
        }
    }

    async fn tell_changes(&self, organization: OrganizationId, told: &mut Told) -> Result<()> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let changes = tx.portfolio_changes(Some(told.version)).await?;
        let refused = tx.refused_events(told.refused, MOST_REFUSED).await?;
        let open = if changes.version == told.version {
            None
        } else {
            Some(tx.open_alert_counts().await?)
        };
        drop(tx);
        if let Some(newest) = refused.first() {
            told.refused = Some(newest.id);
            self.hub().tell(organization, News::Refused(refused));
        }
        if let Some(open) = open {
            told.version = changes.version;
            let names = self.names(organization, changes.clients).await?;
            self.hub().tell(organization, News::Standings(names));
            self.hub().tell(organization, News::Alerts(open));
        }
        Ok(())
    }

    /// The host app's ids of clients, if they are few.
    async fn names(
        &self,
        organization: OrganizationId,
        ranges: Option<Vec<ClientRange>>,
    ) -> Result<Option<Vec<String>>> {
        let few = ranges.filter(|ranges| {
            ranges.len() <= MOST_NAMED && ranges.iter().all(|range| range.low == range.high)
        });
        let Some(few) = few else { return Ok(None) };
        // Up to date, so that a new client has a name already.
        let board = self.portfolio(organization).await?;
        Ok(Some(board.look(|portfolio| {
            let standings = few.iter().filter_map(|range| portfolio.standing(range.low));
            standings.map(|standing| standing.external_id.clone()).collect()
        })))
    }
}
