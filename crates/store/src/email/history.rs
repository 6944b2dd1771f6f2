//! What clients were sent before: what decides whether, and when, another mail goes to them.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    email::{EmailType, MAX_UNANSWERED_WEEKLY},
    id::{ClientId, EmailId},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    ClientChunk, NewEmail, Result, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all},
        name,
    },
};

impl Tx {
    /// What a client was sent since an instant, may have been, or is being sent, besides one mail.
    pub async fn list_emails_since(
        &mut self,
        client: ClientId,
        since: Timestamp,
        besides: EmailId,
    ) -> Result<Vec<(EmailType, Timestamp)>> {
        let rows = fetch_all!(
            self,
            (String, Instant),
            "SELECT email_type, COALESCE(sent_at, sending_since, due_at) FROM client_success_emails \
             WHERE organization_id = $1 AND client_id = $2 AND id <> $4 \
             AND state IN ('sending', 'sent', 'unknown') AND email_type <> 'subscription_request' \
             AND COALESCE(sent_at, sending_since, due_at) >= $3",
            self.scope.organization_uuid(),
            client.uuid(),
            Instant(since),
            besides.uuid()
        )?;
        rows.into_iter().map(|(kind, at)| Ok((name::EMAIL_TYPE.read(&kind)?, at.0))).collect()
    }

    /// When each client was last written a mail of a kind, whatever became of it.
    pub async fn list_last_email_times(
        &mut self,
        kind: EmailType,
        since: Timestamp,
    ) -> Result<HashMap<ClientId, Timestamp>> {
        let rows = fetch_all!(
            self,
            (Uuid, Instant),
            "SELECT client_id, MAX(created_at) FROM client_success_emails \
             WHERE organization_id = $1 AND email_type = $2 AND created_at >= $3 \
             GROUP BY client_id",
            self.scope.organization_uuid(),
            kind.as_str(),
            Instant(since)
        )?;
        Ok(rows.into_iter().map(|(client, at)| (client.into(), at.0)).collect())
    }

    /// The latest period of which each client of a chunk was sent a weekly mail, may have been, or will
    /// be; only periods that end after `after`.
    pub async fn list_latest_weekly_periods(
        &mut self,
        chunk: &ClientChunk,
        after: Date,
    ) -> Result<HashMap<ClientId, Date>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            (Uuid, Day),
            "SELECT client_id, MAX(period) FROM client_success_emails WHERE organization_id = $1 \
             AND client_id BETWEEN $2 AND $3 AND email_type = 'weekly_insights' AND period > $4 \
             AND state IN ('queued', 'sending', 'sent', 'unknown') GROUP BY client_id",
            self.scope.organization_uuid(),
            low,
            high,
            Day(after)
        )?;
        Ok(rows.into_iter().map(|(client, period)| (client.into(), period.0)).collect())
    }

    /// When the subscribers of a chunk were sent the earliest of their last [`MAX_UNANSWERED_WEEKLY`]
    /// weekly mails; those with fewer are left out.
    pub async fn list_unanswered_weekly_since(
        &mut self,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, Timestamp>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            (Uuid, Option<Instant>),
            "SELECT s.client_id, (SELECT COALESCE(e.sent_at, e.due_at) FROM client_success_emails e \
             WHERE e.organization_id = s.organization_id AND e.client_id = s.client_id \
             AND e.email_type = 'weekly_insights' AND e.state IN ('sent', 'unknown') \
             ORDER BY e.period DESC LIMIT 1 OFFSET $4) FROM email_subscriptions s \
             WHERE s.organization_id = $1 AND s.client_id BETWEEN $2 AND $3 AND s.state = 'subscribed'",
            self.scope.organization_uuid(),
            low,
            high,
            i64::try_from(MAX_UNANSWERED_WEEKLY - 1).unwrap_or(i64::MAX)
        )?;
        Ok(rows.into_iter().filter_map(|(client, at)| Some((client.into(), at?.0))).collect())
    }

    /// Puts a mail that asks for consent in the place of the one of the same client and day, unless
    /// that one still waits for the same address. Returns whether it did.
    pub async fn replace_subscription_request(
        &mut self,
        new: &NewEmail,
        now: Timestamp,
    ) -> Result<bool> {
        let replaced = execute!(
            self,
            "UPDATE client_success_emails SET subject = $4, content = $5, body = $6, address = $7, \
             token = $8, state = $9, reason = $10, due_at = $11, attempts = 0, created_at = $12, \
             sent_at = NULL, opened_at = NULL, clicked_at = NULL, sending_since = NULL \
             WHERE organization_id = $1 AND client_id = $2 AND period = $3 \
             AND email_type = 'subscription_request' AND NOT (state = 'queued' AND address = $7)",
            self.scope.organization_uuid(),
            new.client.uuid(),
            Day(new.period),
            &new.subject,
            Json(&new.content),
            &new.body,
            &new.address,
            new.token.as_slice(),
            new.state.as_str(),
            &new.reason,
            Instant(new.due_at),
            Instant(now)
        )?;
        Ok(replaced == 1)
    }
}
