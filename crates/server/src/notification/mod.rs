//! Notifications of staff: stored in an outbox in the transaction that causes them, and sent by a
//! courier to webhooks and Slack. A digest is emailed once a day.

mod address;
mod courier;
mod deliver;
mod digest;
mod news;
mod secret;
mod send;
mod webhooks;

pub use address::Unreachable;
pub use courier::{Courier, start};
pub use deliver::Delivery;
pub(crate) use news::{manual_change_news, notify_all_webhooks};
pub use secret::{SecretError, WebhookSecret, signatures};
pub use send::{EndpointResponse, Outbound, SendError, body_of};
pub use webhooks::{CreateWebhook, DeliveredMessage, PREVIOUS_SECRET_TTL};

use mainstay_core::{
    id::{AlertId, WebhookId},
    notification::Notification,
};
use mainstay_store::{NewWebhookMessage, Tx, new_id};

use crate::{Error, Result};

/// The reason why a sample organization sends nothing.
const SAMPLE: &str = "sample data: nothing is sent";

/// Queues a notification to one endpoint in the caller's transaction, about the given alerts;
/// returns false if the endpoint is disabled. The transaction needs the service scope.
///
/// # Errors
/// If the database fails.
pub async fn queue_notice(
    tx: &mut Tx,
    webhook: WebhookId,
    notice: Notification,
    alerts: &[AlertId],
    now: jiff::Timestamp,
) -> Result<bool> {
    let enabled = tx.find_webhook(webhook).await?.is_some_and(|webhook| webhook.disabled.is_none());
    if !enabled || tx.get_organization().await?.sample {
        return Ok(false);
    }
    let message = NewWebhookMessage {
        id: new_id(now),
        webhook,
        notice,
        alerts: alerts.to_vec(),
        by_hand: false,
    };
    tx.enqueue_webhook_messages(&[message], now).await?;
    Ok(true)
}

fn no_webhook(id: WebhookId) -> Error {
    Error::NotFound {
        what: "webhook",
        id: id.to_string(),
        remedy: "GET /api/v1/webhooks lists all webhooks",
    }
}
