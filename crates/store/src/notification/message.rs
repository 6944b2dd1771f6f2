//! The outbox of notices: one message for each endpoint, sent by one at a time, and a record of what
//! came of it.

use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    id::{AlertId, OrganizationId, WebhookId, WebhookMessageId},
    notification::{MessageState, Notification, NotificationType},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, StoreError, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_for_rows, fetch_optional, insert_rows},
        id::new_id,
        name,
    },
};

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewWebhookMessage {
    /// Its id, the same however often it is sent.
    pub id: WebhookMessageId,
    /// Where to.
    pub webhook: WebhookId,
    /// Text.
    pub notice: Notification,
    /// Alerts that the message reports.
    pub alerts: Vec<AlertId>,
    /// Whether somebody waits for it: quiet hours do not hold it.
    pub by_hand: bool,
}

/// A message as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookMessage {
    /// Its id.
    pub id: WebhookMessageId,
    /// Where to.
    pub webhook: WebhookId,
    /// Text.
    pub notice: Notification,
    /// State.
    pub state: MessageState,
    /// Why it is not delivered, or not yet.
    pub reason: Option<String>,
    /// Whether quiet hours do not hold it.
    pub by_hand: bool,
    /// How often it was sent since it was last queued.
    pub attempts: i64,
    /// Time of the next attempt while the message is queued.
    pub due_at: Timestamp,
    /// When the email was created.
    pub created_at: Timestamp,
    /// When the message was delivered or expired.
    pub ended_at: Option<Timestamp>,
}

/// A message that this process is to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedMessage {
    /// The message.
    pub message: WebhookMessage,
    /// Fencing token of the claim.
    pub fence: i64,
}

/// One time that a message was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// Start.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// The status of the answer; `None` when there was none.
    pub status: Option<i64>,
    /// The beginning of the answer.
    pub response: String,
    /// Why it did not arrive; `None` when it did.
    pub error: Option<String>,
}

/// What becomes of a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// What it is now; queued when it is sent again.
    pub state: MessageState,
    /// Why it is not delivered.
    pub reason: Option<String>,
    /// Time of the next attempt.
    pub due_at: Option<Timestamp>,
}

/// Delivery of an alert's notification to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertDelivery {
    /// Name of the endpoint.
    pub webhook: String,
    /// The change.
    pub notice_type: NotificationType,
    /// Whether it arrived.
    pub state: MessageState,
    /// Time of delivery or expiry; until then, of the next attempt.
    pub at: Timestamp,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    endpoint_id: Uuid,
    notice: Json<Notification>,
    state: String,
    reason: Option<String>,
    by_hand: bool,
    attempts: i64,
    due_at: Instant,
    created_at: Instant,
    ended_at: Option<Instant>,
}

impl TryFrom<Row> for WebhookMessage {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            webhook: row.endpoint_id.into(),
            notice: row.notice.0,
            state: name::MESSAGE_STATE.read(&row.state)?,
            reason: row.reason,
            by_hand: row.by_hand,
            attempts: row.attempts,
            due_at: row.due_at.0,
            created_at: row.created_at.0,
            ended_at: row.ended_at.map(|at| at.0),
        })
    }
}

macro_rules! select_messages {
    ($rest:literal) => {
        concat!(
            "SELECT id, endpoint_id, notice, state, reason, by_hand, attempts, due_at, created_at, \
             ended_at FROM webhook_messages WHERE organization_id = $1 ",
            $rest
        )
    };
}

impl Tx {
    /// Keeps messages to be sent, in the transaction of what they tell.
    pub async fn enqueue_webhook_messages(
        &mut self,
        messages: &[NewWebhookMessage],
        now: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO webhook_messages (organization_id, id, endpoint_id, notice_type, \
             about_client, notice, state, by_hand, attempts, due_at, fence, created_at)",
            messages,
            "",
            |row| [
                organization,
                row.id.uuid(),
                row.webhook.uuid(),
                row.notice.event.kind().as_str(),
                row.notice.event.client_id(),
                Json(&row.notice),
                MessageState::Queued.as_str(),
                row.by_hand,
                0_i64,
                Instant(now),
                0_i64,
                Instant(now)
            ]
        );
        let pairs: Vec<(Uuid, Uuid)> = messages
            .iter()
            .flat_map(|message| message.alerts.iter().map(|id| (id.uuid(), message.id.uuid())))
            .collect();
        insert_rows!(
            self,
            "INSERT INTO webhook_message_alerts (organization_id, alert_id, message_id)",
            &pairs,
            "ON CONFLICT (organization_id, alert_id, message_id) DO NOTHING",
            |pair| [organization, pair.0, pair.1]
        );
        Ok(())
    }

    /// The organizations with messages whose time has come. System scope.
    pub async fn list_organizations_with_messages(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT o.id FROM organizations o WHERE EXISTS (SELECT 1 FROM webhook_messages m \
             WHERE m.organization_id = o.id AND m.state = 'queued' AND m.due_at <= $1 \
             AND (m.lease_until IS NULL OR m.lease_until <= $1)) ORDER BY o.id",
            Instant(now)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// The endpoints with messages whose time has come.
    pub async fn list_due_webhooks(&mut self, now: Timestamp) -> Result<Vec<WebhookId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT DISTINCT endpoint_id FROM webhook_messages WHERE organization_id = $1 \
             AND state = 'queued' AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)",
            self.scope.organization_uuid(),
            Instant(now)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Claims an endpoint's next messages until an instant: nobody else sends them by then, and
    /// whoever claimed them before has lost them.
    pub async fn claim_webhook_messages(
        &mut self,
        webhook: WebhookId,
        most: i64,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Vec<ClaimedMessage>> {
        let organization = self.scope.organization_uuid();
        let due: Vec<(Uuid, i64)> = fetch_all!(
            self,
            (Uuid, i64),
            "SELECT id, fence FROM webhook_messages WHERE organization_id = $1 AND endpoint_id = $2 \
             AND state = 'queued' AND due_at <= $3 AND (lease_until IS NULL OR lease_until <= $3) \
             ORDER BY due_at, id LIMIT $4",
            organization,
            webhook.uuid(),
            Instant(now),
            most
        )?;
        let mut claimed = Vec::with_capacity(due.len());
        for (id, fence) in due {
            // Whoever is quicker moves the fence, and this finds nothing.
            let claimed_rows = execute!(
                self,
                "UPDATE webhook_messages SET fence = fence + 1, lease_until = $4 \
                 WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'queued'",
                organization,
                id,
                fence,
                Instant(lease_until)
            )?;
            if claimed_rows == 1
                && let Some(message) = self.find_webhook_message(id.into()).await?
            {
                claimed.push(ClaimedMessage { message, fence: fence + 1 });
            }
        }
        Ok(claimed)
    }

    /// Gives a claimed message back unsent, for a reason that lasts until an instant. False when
    /// somebody else has claimed it since.
    pub async fn extend_webhook_claim(
        &mut self,
        claimed: &ClaimedMessage,
        until: Timestamp,
        reason: &str,
    ) -> Result<bool> {
        let held = execute!(
            self,
            "UPDATE webhook_messages SET due_at = $4, reason = $5, lease_until = NULL \
             WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'queued'",
            self.scope.organization_uuid(),
            claimed.message.id.uuid(),
            claimed.fence,
            Instant(until),
            reason
        )?;
        Ok(held == 1)
    }

    /// Puts off an endpoint's messages that wait, and that nobody is sending, until an instant.
    pub async fn defer_webhook_messages(
        &mut self,
        webhook: WebhookId,
        until: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE webhook_messages SET due_at = $3 WHERE organization_id = $1 \
             AND endpoint_id = $2 AND state = 'queued' AND lease_until IS NULL AND due_at < $3",
            self.scope.organization_uuid(),
            webhook.uuid(),
            Instant(until)
        )?;
        Ok(())
    }

    /// Records an attempt and what becomes of the message. The attempt is kept in any case; false when
    /// somebody else has claimed the message since, who then says what becomes of it.
    pub async fn complete_webhook_attempt(
        &mut self,
        claimed: &ClaimedMessage,
        attempt: &WebhookAttempt,
        end: &AttemptEnd,
        now: Timestamp,
    ) -> Result<bool> {
        let organization = self.scope.organization_uuid();
        let id = claimed.message.id.uuid();
        // Not of a message that was deleted meanwhile.
        execute!(
            self,
            "INSERT INTO webhook_attempts (organization_id, message_id, id, at, duration_ms, status, \
             response, error) SELECT m.organization_id, m.id, $3, $4, $5, $6, $7, $8 \
             FROM webhook_messages m WHERE m.organization_id = $1 AND m.id = $2",
            organization,
            id,
            new_id::<Uuid>(now),
            Instant(attempt.at),
            attempt.duration_ms,
            attempt.status,
            &attempt.response,
            &attempt.error
        )?;
        let ended = execute!(
            self,
            "UPDATE webhook_messages SET state = $4, reason = $5, due_at = COALESCE($6, due_at), \
             attempts = attempts + 1, lease_until = NULL, ended_at = $7 \
             WHERE organization_id = $1 AND id = $2 AND fence = $3 AND state = 'queued'",
            organization,
            id,
            claimed.fence,
            end.state.as_str(),
            &end.reason,
            end.due_at.map(Instant),
            (end.state != MessageState::Queued).then_some(Instant(now))
        )?;
        Ok(ended == 1)
    }

    /// Sends a message again, under the same id, whatever became of it; false when there is none such.
    pub async fn resend_webhook_message(
        &mut self,
        id: WebhookMessageId,
        now: Timestamp,
    ) -> Result<bool> {
        let queued = execute!(
            self,
            "UPDATE webhook_messages SET state = 'queued', reason = NULL, by_hand = $4, attempts = 0, \
             due_at = $3, lease_until = NULL, fence = fence + 1, ended_at = NULL \
             WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid(),
            Instant(now),
            true
        )?;
        Ok(queued == 1)
    }

    /// One message.
    pub async fn find_webhook_message(
        &mut self,
        id: WebhookMessageId,
    ) -> Result<Option<WebhookMessage>> {
        let row = fetch_optional!(
            self,
            Row,
            select_messages!("AND id = $2"),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The messages to an endpoint, newest first, on from one of them.
    pub async fn list_webhook_messages(
        &mut self,
        webhook: WebhookId,
        after: Option<WebhookMessageId>,
        limit: i64,
    ) -> Result<Vec<WebhookMessage>> {
        let rows = fetch_all!(
            self,
            Row,
            select_messages!("AND endpoint_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"),
            self.scope.organization_uuid(),
            webhook.uuid(),
            after.map_or(Uuid::max(), WebhookMessageId::uuid),
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Each time that a message was sent, oldest first.
    pub async fn list_webhook_attempts(
        &mut self,
        id: WebhookMessageId,
    ) -> Result<Vec<WebhookAttempt>> {
        let rows = fetch_all!(
            self,
            (Instant, i64, Option<i64>, String, Option<String>),
            "SELECT at, duration_ms, status, response, error FROM webhook_attempts \
             WHERE organization_id = $1 AND message_id = $2 ORDER BY at, id",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(rows
            .into_iter()
            .map(|(at, duration_ms, status, response, error)| WebhookAttempt {
                at: at.0,
                duration_ms,
                status,
                response,
                error,
            })
            .collect())
    }

    /// Returns the deliveries for some alerts, oldest first.
    pub async fn list_deliveries_of(
        &mut self,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<AlertDelivery>>> {
        let organization = self.scope.organization_uuid();
        let mut rows: Vec<(Uuid, Uuid, String, String, String, Instant)> = fetch_for_rows!(
            self,
            (Uuid, Uuid, String, String, String, Instant),
            "WITH wanted (organization_id, alert_id) AS (",
            alerts,
            ") SELECT t.alert_id, m.id, e.name, m.notice_type, m.state, \
             COALESCE(m.ended_at, m.due_at) FROM wanted w CROSS JOIN webhook_message_alerts t \
             JOIN webhook_messages m ON m.organization_id = t.organization_id AND m.id = t.message_id \
             JOIN webhook_endpoints e \
             ON e.organization_id = m.organization_id AND e.id = m.endpoint_id \
             WHERE t.organization_id = w.organization_id AND t.alert_id = w.alert_id",
            |alert| [organization, alert.uuid()]
        );
        rows.sort_by_key(|(_, message, ..)| *message);
        let mut deliveries: HashMap<AlertId, Vec<AlertDelivery>> = HashMap::new();
        for (alert, _, webhook, kind, state, at) in rows {
            let notice_type = name::NOTICE_TYPE.read(&kind)?;
            let state = name::MESSAGE_STATE.read(&state)?;
            let delivery = AlertDelivery { webhook, notice_type, state, at: at.0 };
            deliveries.entry(alert.into()).or_default().push(delivery);
        }
        Ok(deliveries)
    }

    /// Forgets messages that ended before an instant; answers how many.
    pub async fn delete_webhook_messages(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM webhook_messages WHERE organization_id = $1 AND ended_at < $2",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }
}
