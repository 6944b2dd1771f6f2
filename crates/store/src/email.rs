//! The e-mails that were written to clients.

use jiff::{Timestamp, civil::Date};
use mainstay_core::id::ClientId;

use crate::{
    Result, Tx,
    dialect::{Day, Instant, fetch_all},
};

/// An e-mail to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEmail {
    /// `weekly_insights`, `milestone_celebration`, `momentum_nudge` or `achievement_badge`.
    pub kind: String,
    /// Last local day of the period that it speaks of.
    pub period: Date,
    /// Its subject.
    pub subject: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was opened first. Never enters a score.
    pub opened_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    email_type: String,
    period: Day,
    subject: String,
    created_at: Instant,
    sent_at: Option<Instant>,
    opened_at: Option<Instant>,
}

impl Tx {
    /// The latest e-mails to a client, newest first.
    pub async fn client_emails(
        &mut self,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        let rows = fetch_all!(
            self,
            Row,
            "SELECT email_type, period, subject, created_at, sent_at, opened_at \
             FROM client_success_emails WHERE organization_id = $1 AND client_id = $2 \
             ORDER BY created_at DESC, id DESC LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|row| ClientEmail {
                kind: row.email_type,
                period: row.period.0,
                subject: row.subject,
                created_at: row.created_at.0,
                sent_at: row.sent_at.map(|at| at.0),
                opened_at: row.opened_at.map(|at| at.0),
            })
            .collect())
    }
}
