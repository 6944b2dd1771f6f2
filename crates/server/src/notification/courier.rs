use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use mainstay_core::id::{OrganizationId, WebhookId};
use mainstay_store::Scope;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};

use super::{Delivery, Outbound, body_of};
use crate::{
    Mainstay, Result,
    site::Site,
    supervise::{COURIER, OnPanic},
};

/// How often to check for due messages.
const TICK: Duration = Duration::from_secs(1);
/// Maximum number of concurrent messages to one endpoint, so that a slow one does not delay others.
const MAX_IN_FLIGHT_PER_ENDPOINT: usize = 4;
/// Maximum number of concurrent messages.
const MAX_IN_FLIGHT: usize = 256;
/// Age of news after which their health check must have crashed.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Sends due messages until it is asked to stop. Messages in flight are finished.
pub fn start(
    mainstay: &Mainstay,
    outbound: Outbound,
    site: Arc<Site>,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let services = mainstay.clone();
    mainstay.supervisor().spawn(COURIER, OnPanic::Restart, move || {
        let courier = Courier::new(services.clone(), outbound.clone(), Arc::clone(&site));
        run(courier, stop.clone())
    })
}

async fn run(mut courier: Courier, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let finished = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => None,
            Some(finished) = courier.in_flight.join_next() => Some(finished),
        };
        courier.mainstay.supervisor().fail_point(COURIER);
        let looked = match finished {
            None => courier.dispatch_due().await,
            Some(Ok((organization, webhook))) => courier.dispatch_to(organization, webhook).await,
            // Its claim runs out, and it is sent again.
            Some(Err(error)) => {
                tracing::error!(%error, "failed to record a delivery");
                Ok(())
            }
        };
        if let Err(error) = looked {
            tracing::error!(%error, "failed to look up due messages; will retry");
        }
    }
    while courier.in_flight.join_next().await.is_some() {}
}

/// Sends messages to endpoints concurrently.
pub struct Courier {
    mainstay: Mainstay,
    outbound: Arc<Outbound>,
    site: Arc<Site>,
    in_flight: JoinSet<(OrganizationId, WebhookId)>,
    slots: HashMap<WebhookId, Arc<Semaphore>>,
}

impl Courier {
    /// Creates an idle courier.
    pub fn new(mainstay: Mainstay, outbound: Outbound, site: Arc<Site>) -> Self {
        Self {
            mainstay,
            outbound: Arc::new(outbound),
            site,
            in_flight: JoinSet::new(),
            slots: HashMap::new(),
        }
    }

    /// Sends all due messages, and waits for all responses.
    ///
    /// # Errors
    /// If due messages cannot be looked up. A failed delivery is not an error.
    pub async fn deliver_due(&mut self) -> Result<()> {
        self.dispatch_due().await?;
        while let Some(finished) = self.in_flight.join_next().await {
            if let Ok((organization, webhook)) = finished {
                self.dispatch_to(organization, webhook).await?;
            }
        }
        Ok(())
    }

    /// Dispatches due messages to all endpoints, within the limits.
    async fn dispatch_due(&mut self) -> Result<()> {
        self.queue_abandoned_notifications().await?;
        // Endpoints with nothing in progress are forgotten, so that deleted ones are.
        self.slots.retain(|_, slot| slot.available_permits() < MAX_IN_FLIGHT_PER_ENDPOINT);
        for organization in self.mainstay.organizations_with_messages().await? {
            for webhook in self.mainstay.webhooks_due(organization).await? {
                self.dispatch_to(organization, webhook).await?;
            }
        }
        Ok(())
    }

    /// Dispatches due messages to one endpoint, within the limits.
    async fn dispatch_to(
        &mut self,
        organization: OrganizationId,
        webhook: WebhookId,
    ) -> Result<()> {
        let slot = self
            .slots
            .entry(webhook)
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_IN_FLIGHT_PER_ENDPOINT)));
        let slot = Arc::clone(slot);
        let free = slot.available_permits().min(MAX_IN_FLIGHT.saturating_sub(self.in_flight.len()));
        let most = i64::try_from(free).unwrap_or_default();
        if most == 0 {
            return Ok(());
        }
        for delivery in self.mainstay.claim_webhook_messages(organization, webhook, most).await? {
            let Ok(place) = Arc::clone(&slot).try_acquire_owned() else { break };
            let (mainstay, outbound) = (self.mainstay.clone(), Arc::clone(&self.outbound));
            let site = Arc::clone(&self.site);
            self.in_flight.spawn(async move {
                deliver(&mainstay, &outbound, &site, &delivery, place).await;
                (organization, webhook)
            });
        }
        Ok(())
    }

    /// Queues the news that a crashed health check left behind.
    async fn queue_abandoned_notifications(&self) -> Result<()> {
        let before =
            self.mainstay.now().checked_sub(ABANDONED_AFTER).unwrap_or(jiff::Timestamp::MIN);
        let mut tx = self.mainstay.store().read(Scope::System).await?;
        let abandoned = tx.list_organizations_with_old_news(before).await?;
        drop(tx);
        for organization in abandoned {
            self.mainstay.queue_alert_notifications(organization).await?;
        }
        Ok(())
    }
}

async fn deliver(
    mainstay: &Mainstay,
    outbound: &Outbound,
    site: &Site,
    delivery: &Delivery,
    place: OwnedSemaphorePermit,
) {
    let (now, started_at) = (mainstay.now(), Instant::now());
    let sending = async {
        mainstay.supervisor().fail_point("webhook message");
        let body = body_of(delivery.webhook.kind, &delivery.claimed.message.notice, site);
        outbound.send(&delivery.webhook, &delivery.message_id(), body, now).await
    };
    let result = mainstay.supervisor().isolate("webhook message", sending).await;
    let outcome = result.unwrap_or_else(|panicked| Err(panicked.into()));
    let duration_ms = i64::try_from(started_at.elapsed().as_millis()).unwrap_or(i64::MAX);
    if let Err(error) = mainstay.record_delivery(delivery, now, duration_ms, outcome).await {
        // It is sent again when the claim has run out.
        tracing::error!(%error, notice = %delivery.claimed.message.id, "failed to record a delivery");
    }
    drop(place);
}
