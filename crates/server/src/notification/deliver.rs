use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{OrganizationId, WebhookId},
    notification::{
        MessageState, Urgency, is_notable_failure, next_attempt, retry_after, should_disable,
    },
    time::time_zone,
};
use mainstay_store::{AttemptEnd, ClaimedMessage, Scope, Webhook, WebhookAttempt};

use super::{EndpointResponse, SendError};
use crate::{Error, Mainstay, Result, email::queue_owner_notices};

const WEBHOOK_FAILS: &str = "A webhook is failing";
const WEBHOOK_OFF: &str = "A webhook was disabled";

/// The lease of a message: no attempt takes as long.
const LEASE: SignedDuration = SignedDuration::from_mins(1);

/// A message claimed for sending.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The organization.
    pub organization: OrganizationId,
    /// The webhook.
    pub webhook: Webhook,
    /// The message.
    pub claimed: ClaimedMessage,
}

impl Delivery {
    /// The message id for the receiver: the same for every attempt.
    pub fn message_id(&self) -> String {
        format!("msg_{}", self.claimed.message.id)
    }
}

impl Mainstay {
    /// The organizations with messages to send.
    pub(super) async fn organizations_with_messages(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.list_organizations_with_messages(self.now()).await?)
    }

    /// The endpoints of an organization with messages to send.
    pub(super) async fn webhooks_due(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<WebhookId>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.list_due_webhooks(self.now()).await?)
    }

    /// Claims an endpoint's next messages. Those held by quiet hours are deferred.
    pub async fn claim_webhook_messages(
        &self,
        organization: OrganizationId,
        webhook: WebhookId,
        most: i64,
    ) -> Result<Vec<Delivery>> {
        let now = self.now();
        let lease_until = now.checked_add(LEASE).unwrap_or(now);
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let mut deliveries = Vec::new();
        let Some(webhook) = tx.find_webhook(webhook).await? else { return Ok(deliveries) };
        if let Some((reason, _)) = &webhook.disabled {
            // Queued by somebody who had not seen yet that it is.
            tx.disable_webhook(webhook.id, reason, now).await?;
            tx.commit().await?;
            return Ok(deliveries);
        }
        let settings = tx.get_notification_settings().await?;
        let zone = tx.get_organization().await?.time_zone;
        let zone = time_zone(&zone).map_err(|reason| Error::invalid("time_zone", reason))?;
        for claimed in tx.claim_webhook_messages(webhook.id, most, now, lease_until).await? {
            let urgency = Urgency {
                severity: claimed.message.notice.event.severity(),
                any_hour: claimed.message.by_hand || webhook.ignores_quiet_hours,
            };
            match settings.held_until(urgency, &zone, now) {
                Some(until) => {
                    tx.extend_webhook_claim(&claimed, until, "held by quiet hours").await?;
                }
                None => {
                    deliveries.push(Delivery { organization, webhook: webhook.clone(), claimed });
                }
            }
        }
        tx.commit().await?;
        Ok(deliveries)
    }

    /// Records the outcome of an attempt.
    pub async fn record_delivery(
        &self,
        delivery: &Delivery,
        began_at: Timestamp,
        duration_ms: i64,
        outcome: std::result::Result<EndpointResponse, SendError>,
    ) -> Result<()> {
        let now = self.now();
        let message = &delivery.claimed.message;
        let requested_wait =
            outcome.as_ref().ok().and_then(|response| response.retry_after.as_deref());
        let requested_wait = requested_wait.and_then(|value| retry_after(value, now));
        let (status, response, error) = describe_outcome(outcome);
        let wait = next_attempt(message.attempts + 1, fastrand::u16(0..=1_000));
        let wait =
            wait.map(|wait| requested_wait.map_or(wait, |requested_wait| requested_wait.max(wait)));
        let end = match (&error, wait) {
            (None, _) => AttemptEnd { state: MessageState::Delivered, reason: None, due_at: None },
            (Some(reason), Some(wait)) => AttemptEnd {
                state: MessageState::Queued,
                reason: Some(reason.clone()),
                due_at: now.checked_add(wait).ok(),
            },
            (Some(reason), None) => AttemptEnd {
                state: MessageState::Failed,
                reason: Some(reason.clone()),
                due_at: None,
            },
        };
        let id = delivery.webhook.id;
        tracing::info!(webhook = %id, notice = %message.id, state = %end.state, status, "webhook message sent");
        let failed = error.is_some();
        let attempt = WebhookAttempt {
            at: began_at,
            duration_ms,
            status: status.map(i64::from),
            response,
            error,
        };
        let mut tx = self.store().begin(Scope::Service(delivery.organization)).await?;
        tx.complete_webhook_attempt(&delivery.claimed, &attempt, &end, now).await?;
        if let Some(webhook) =
            tx.find_webhook(id).await?.filter(|webhook| webhook.disabled.is_none())
        {
            let since = failed.then(|| webhook.failing_since.unwrap_or(began_at));
            if since != webhook.failing_since {
                tx.set_webhook_failing(id, since).await?;
            }
            if let (Some(requested_wait), true) = (requested_wait, failed) {
                let until = now.checked_add(requested_wait).unwrap_or(now);
                tx.defer_webhook_messages(id, until).await?;
            }
            let reason = since.and_then(|since| should_disable(status, wait.is_none(), since, now));
            if let Some(reason) = reason {
                tracing::warn!(webhook = %id, reason, "webhook disabled");
                tx.disable_webhook(id, &reason, now).await?;
                let lead = format!(
                    "“{}” no longer gets messages: {reason}. Enable it again in Settings, \
                     Notifications, once it accepts messages.",
                    webhook.name
                );
                let key = format!("webhook-off:{id}:{now}");
                queue_owner_notices(&mut tx, &key, WEBHOOK_OFF, &lead, now).await?;
            } else if let Some(since) = since.filter(|since| is_notable_failure(*since, now)) {
                let lead = format!(
                    "“{}” has accepted no message for {} minutes: {}. Messages are queued and \
                     retried. Check its address in Settings, Notifications.",
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

/// The status and start of a response, and the error, if any.
fn describe_outcome(
    outcome: std::result::Result<EndpointResponse, SendError>,
) -> (Option<u16>, String, Option<String>) {
    let response = match outcome {
        Ok(response) => response,
        Err(error) => return (None, String::new(), Some(error.to_string())),
    };
    let error = match response.status {
        200..=299 => None,
        status @ 300..=399 => Some(format!(
            "it answered {status}, a redirect, which is not followed; enter the target URL"
        )),
        status => Some(format!("it answered {status}")),
    };
    (Some(response.status), response.body, error)
}
