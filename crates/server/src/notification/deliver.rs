use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{OrganizationId, WebhookId},
    notification::{
        MessageState, Urgency, disables, is_notable_failure, next_attempt, retry_after,
    },
    time::time_zone,
};
use mainstay_store::{AttemptEnd, ClaimedMessage, Scope, Webhook, WebhookAttempt};

use super::{Answer, SendError};
use crate::{Error, Mainstay, Result, email::queue_owner_notices};

const WEBHOOK_FAILS: &str = "A webhook takes no messages";
const WEBHOOK_OFF: &str = "A webhook was switched off";

/// A process of which nothing was heard for so long has stopped: no attempt takes as long.
const LEASE: SignedDuration = SignedDuration::from_mins(1);

/// A message that is to be sent now, by nobody else.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whose message.
    pub organization: OrganizationId,
    /// Where to.
    pub webhook: Webhook,
    /// The message.
    pub claimed: ClaimedMessage,
}

impl Delivery {
    /// What names the message to its receiver: the same however often it is sent.
    pub fn message_id(&self) -> String {
        format!("msg_{}", self.claimed.message.id)
    }
}

impl Mainstay {
    /// The organizations with messages to send.
    pub(super) async fn organizations_with_messages(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.organizations_with_messages(self.now()).await?)
    }

    /// The endpoints of an organization with messages to send.
    pub(super) async fn webhooks_due(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<WebhookId>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.webhooks_due(self.now()).await?)
    }

    /// Takes an endpoint's next messages to send them. Those that quiet hours hold are put off.
    pub async fn take_webhook_messages(
        &self,
        organization: OrganizationId,
        webhook: WebhookId,
        most: i64,
    ) -> Result<Vec<Delivery>> {
        let now = self.now();
        let lease_until = now.checked_add(LEASE).unwrap_or(now);
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let mut deliveries = Vec::new();
        let Some(webhook) = tx.webhook(webhook).await? else { return Ok(deliveries) };
        if let Some((reason, _)) = &webhook.disabled {
            // Queued by somebody who had not seen yet that it is.
            tx.disable_webhook(webhook.id, reason, now).await?;
            tx.commit().await?;
            return Ok(deliveries);
        }
        let settings = tx.notification_settings().await?;
        let zone = tx.organization().await?.time_zone;
        let zone = time_zone(&zone).map_err(|reason| Error::invalid("time_zone", reason))?;
        for claimed in tx.claim_webhook_messages(webhook.id, most, now, lease_until).await? {
            let urgency = Urgency {
                severity: claimed.message.notice.event.severity(),
                any_hour: claimed.message.by_hand || webhook.ignores_quiet_hours,
            };
            match settings.held_until(urgency, &zone, now) {
                Some(until) => {
                    tx.hold_webhook_message(&claimed, until, "held by quiet hours").await?;
                }
                None => {
                    deliveries.push(Delivery { organization, webhook: webhook.clone(), claimed });
                }
            }
        }
        tx.commit().await?;
        Ok(deliveries)
    }

    /// Records what came of sending a message.
    pub async fn record_delivery(
        &self,
        delivery: &Delivery,
        began_at: Timestamp,
        duration_ms: i64,
        outcome: std::result::Result<Answer, SendError>,
    ) -> Result<()> {
        let now = self.now();
        let message = &delivery.claimed.message;
        let asked = outcome.as_ref().ok().and_then(|answer| answer.retry_after.as_deref());
        let asked = asked.and_then(|value| retry_after(value, now));
        let (status, response, error) = told(outcome);
        let wait = next_attempt(message.attempts + 1, fastrand::u16(0..=1_000));
        let wait = wait.map(|wait| asked.map_or(wait, |asked| asked.max(wait)));
        let end = match (&error, wait) {
            (None, _) => AttemptEnd { state: MessageState::Delivered, reason: None, due_at: None },
            (Some(why), Some(wait)) => AttemptEnd {
                state: MessageState::Queued,
                reason: Some(why.clone()),
                due_at: now.checked_add(wait).ok(),
            },
            (Some(why), None) => {
                AttemptEnd { state: MessageState::Failed, reason: Some(why.clone()), due_at: None }
            }
        };
        let id = delivery.webhook.id;
        tracing::info!(webhook = %id, notice = %message.id, state = %end.state, status, "a notice was sent");
        let failed = error.is_some();
        let attempt = WebhookAttempt {
            at: began_at,
            duration_ms,
            status: status.map(i64::from),
            response,
            error,
        };
        let mut tx = self.store().begin(Scope::Service(delivery.organization)).await?;
        tx.end_webhook_attempt(&delivery.claimed, &attempt, &end, now).await?;
        if let Some(webhook) = tx.webhook(id).await?.filter(|webhook| webhook.disabled.is_none()) {
            let since = failed.then(|| webhook.failing_since.unwrap_or(began_at));
            if since != webhook.failing_since {
                tx.set_webhook_failing(id, since).await?;
            }
            if let (Some(asked), true) = (asked, failed) {
                let until = now.checked_add(asked).unwrap_or(now);
                tx.defer_webhook_messages(id, until).await?;
            }
            let why = since.and_then(|since| disables(status, wait.is_none(), since, now));
            if let Some(why) = why {
                tracing::warn!(webhook = %id, why, "a webhook is disabled");
                tx.disable_webhook(id, &why, now).await?;
                let lead = format!(
                    "Nothing is sent to “{}” any more: {why}. Switch it on again in Settings, \
                     Notifications, when it takes messages.",
                    webhook.name
                );
                let key = format!("webhook-off:{id}:{now}");
                queue_owner_notices(&mut tx, &key, WEBHOOK_OFF, &lead, now).await?;
            } else if let Some(since) = since.filter(|since| is_notable_failure(*since, now)) {
                let lead = format!(
                    "“{}” has taken no message for {} minutes: {}. Messages wait and are sent again. \
                     Check its address in Settings, Notifications.",
                    webhook.name,
                    now.duration_since(since).as_mins(),
                    attempt.error.as_deref().unwrap_or_default()
                );
                let key = format!("webhook:{id}:{since}");
                queue_owner_notices(&mut tx, &key, WEBHOOK_FAILS, &lead, now).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

/// The status of an answer, its beginning, and why it is no acceptance.
fn told(outcome: std::result::Result<Answer, SendError>) -> (Option<u16>, String, Option<String>) {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => return (None, String::new(), Some(error.to_string())),
    };
    let error = match answer.status {
        200..=299 => None,
        status @ 300..=399 => Some(format!(
            "it answered {status}, a redirect, which is not followed; enter the address that it \
             leads to"
        )),
        status => Some(format!("it answered {status}")),
    };
    (Some(answer.status), answer.body, error)
}
