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

/// How often it is looked whether something is to be sent.
const TICK: Duration = Duration::from_secs(1);
/// Messages that are on their way to one endpoint at a time: a slow one holds up nobody else.
const MOST_AT_ONE: usize = 4;
/// Messages that are on their way at a time.
const MOST_AT_ALL: usize = 256;
/// News of a health check that went on would not be as old as this.
const ABANDONED: SignedDuration = SignedDuration::from_mins(5);

/// Sends what is due, until it is told to stop. What is on its way then is finished.
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
        let done = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => None,
            Some(done) = courier.under_way.join_next() => Some(done),
        };
        courier.mainstay.supervisor().pass(COURIER);
        let looked = match done {
            None => courier.set_out().await,
            Some(Ok((organization, webhook))) => courier.go_on(organization, webhook).await,
            // Its claim runs out, and it is sent again.
            Some(Err(error)) => {
                tracing::error!(%error, "a delivery was not recorded");
                Ok(())
            }
        };
        if let Err(error) = looked {
            tracing::error!(%error, "notices could not be looked up; it is tried again");
        }
    }
    while courier.under_way.join_next().await.is_some() {}
}

/// Takes messages to endpoints, several at a time.
pub struct Courier {
    mainstay: Mainstay,
    outbound: Arc<Outbound>,
    site: Arc<Site>,
    under_way: JoinSet<(OrganizationId, WebhookId)>,
    rooms: HashMap<WebhookId, Arc<Semaphore>>,
}

impl Courier {
    /// A courier with nothing under way.
    pub fn new(mainstay: Mainstay, outbound: Outbound, site: Arc<Site>) -> Self {
        Self {
            mainstay,
            outbound: Arc::new(outbound),
            site,
            under_way: JoinSet::new(),
            rooms: HashMap::new(),
        }
    }

    /// Sends everything whose time has come, and waits for all answers.
    ///
    /// # Errors
    /// When it cannot be told what is due. A message that is not taken is no error here.
    pub async fn deliver_due(&mut self) -> Result<()> {
        self.set_out().await?;
        while let Some(done) = self.under_way.join_next().await {
            if let Ok((organization, webhook)) = done {
                self.go_on(organization, webhook).await?;
            }
        }
        Ok(())
    }

    /// Sets out with what is due to any endpoint, as far as there is room.
    async fn set_out(&mut self) -> Result<()> {
        self.tell_abandoned_news().await?;
        // Endpoints with nothing under way are forgotten, so that deleted ones are.
        self.rooms.retain(|_, room| room.available_permits() < MOST_AT_ONE);
        for organization in self.mainstay.organizations_with_messages().await? {
            for webhook in self.mainstay.webhooks_due(organization).await? {
                self.go_on(organization, webhook).await?;
            }
        }
        Ok(())
    }

    /// Sets out with what is due to one endpoint, as far as there is room.
    async fn go_on(&mut self, organization: OrganizationId, webhook: WebhookId) -> Result<()> {
        let room =
            self.rooms.entry(webhook).or_insert_with(|| Arc::new(Semaphore::new(MOST_AT_ONE)));
        let room = Arc::clone(room);
        let free = room.available_permits().min(MOST_AT_ALL.saturating_sub(self.under_way.len()));
        let most = i64::try_from(free).unwrap_or_default();
        if most == 0 {
            return Ok(());
        }
        for delivery in self.mainstay.take_webhook_messages(organization, webhook, most).await? {
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else { break };
            let (mainstay, outbound) = (self.mainstay.clone(), Arc::clone(&self.outbound));
            let site = Arc::clone(&self.site);
            self.under_way.spawn(async move {
                deliver(&mainstay, &outbound, &site, &delivery, place).await;
                (organization, webhook)
            });
        }
        Ok(())
    }

    /// Tells what a health check left that was stopped before it had told it.
    async fn tell_abandoned_news(&self) -> Result<()> {
        let before = self.mainstay.now().checked_sub(ABANDONED).unwrap_or(jiff::Timestamp::MIN);
        let mut tx = self.mainstay.store().read(Scope::System).await?;
        let abandoned = tx.organizations_with_old_news(before).await?;
        drop(tx);
        for organization in abandoned {
            self.mainstay.tell_news(organization).await?;
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
    let (now, began) = (mainstay.now(), Instant::now());
    let sending = async {
        mainstay.supervisor().pass("webhook message");
        let body = body_of(delivery.webhook.kind, &delivery.claimed.message.notice, site);
        outbound.send(&delivery.webhook, &delivery.message_id(), body, now).await
    };
    let sent = mainstay.supervisor().isolate("webhook message", sending).await;
    let outcome = sent.unwrap_or_else(|panicked| Err(panicked.into()));
    let took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    if let Err(error) = mainstay.record_delivery(delivery, now, took, outcome).await {
        // It is sent again when the claim has run out.
        tracing::error!(%error, notice = %delivery.claimed.message.id, "a delivery was not recorded");
    }
    drop(place);
}
