//! Telling staff outside the pages here: notices are kept in an outbox with what caused them, and a
//! courier takes them to webhooks and to Slack. A digest is mailed once a day.

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
pub(crate) use news::{changed_by, tell_all};
pub use secret::{SecretError, WebhookSecret, signatures};
pub use send::{Answer, Outbound, SendError, body_of};
pub use webhooks::{CreateWebhook, DeliveredMessage, PREVIOUS_SECRET_COUNTS};

use mainstay_core::{
    id::{AlertId, WebhookId},
    notification::Notice,
};
use mainstay_store::{NewWebhookMessage, Tx, new_id};

use crate::{Error, Result};

/// Why nothing of a sample organization is sent.
const SAMPLE: &str = "sample data: nothing is sent";

/// Queues a notice to one endpoint in the caller's transaction, for the alerts that it tells of; false
/// when nothing is sent there. The transaction needs the scope of the service.
///
/// # Errors
/// When the database does not take it.
pub async fn queue_notice(
    tx: &mut Tx,
    webhook: WebhookId,
    notice: Notice,
    alerts: &[AlertId],
    now: jiff::Timestamp,
) -> Result<bool> {
    let enabled = tx.webhook(webhook).await?.is_some_and(|webhook| webhook.disabled.is_none());
    if !enabled || tx.organization().await?.sample {
        return Ok(false);
    }
    let message = NewWebhookMessage {
        id: new_id(now),
        webhook,
        notice,
        alerts: alerts.to_vec(),
        by_hand: false,
    };
    tx.queue_webhook_messages(&[message], now).await?;
    Ok(true)
}

fn no_webhook(id: WebhookId) -> Error {
    Error::NotFound {
        what: "webhook",
        id: id.to_string(),
        remedy: "GET /api/v1/webhooks lists those there are",
    }
}
