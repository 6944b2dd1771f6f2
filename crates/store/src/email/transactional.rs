//! Emails to one person about one thing: a new password, a way back in, news that an owner must have, a
//! test. An outbox like that of the emails to clients.

use jiff::Timestamp;
use mainstay_core::{
    email::{EmailContent, EmailState, TransactionalKind},
    id::{ClientId, MemberId, TransactionalEmailId},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, SendEnd, StoreError, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_one, fetch_optional, insert_rows},
        name,
    },
};

/// Recipient of a transactional email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// A member of the organization.
    Member(MemberId),
    /// One of its clients.
    Client(ClientId),
}

impl Addressee {
    const fn member(self) -> Option<MemberId> {
        match self {
            Self::Member(member) => Some(member),
            Self::Client(_) => None,
        }
    }

    const fn client(self) -> Option<ClientId> {
        match self {
            Self::Client(client) => Some(client),
            Self::Member(_) => None,
        }
    }
}

/// A transactional email to be sent.
#[derive(Clone, Debug)]
pub struct NewTransactionalEmail {
    /// Its id.
    pub id: TransactionalEmailId,
    /// Purpose.
    pub kind: TransactionalKind,
    /// Recipient.
    pub to: Addressee,
    /// Where it goes.
    pub address: String,
    /// At most one email of the organization has the same key; any number has none.
    pub dedup_key: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
    /// Earliest time of sending.
    pub due_at: Timestamp,
    /// After this it is not sent any more.
    pub expires_at: Timestamp,
}

/// A transactional email in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalEmail {
    /// Its id.
    pub id: TransactionalEmailId,
    /// Purpose.
    pub kind: TransactionalKind,
    /// Recipient.
    pub to: Addressee,
    /// The `external_id` of the client that it is for.
    pub client_id: Option<String>,
    /// Where it goes.
    pub address: String,
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
    /// State.
    pub state: EmailState,
    /// Why it is not sent, or not yet.
    pub reason: Option<String>,
    /// How often a mail server was asked to take it.
    pub attempts: i64,
    /// After this it is not sent any more.
    pub expires_at: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When a mail server accepted the email.
    pub sent_at: Option<Timestamp>,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    member_id: Option<Uuid>,
    client_id: Option<Uuid>,
    external_id: Option<String>,
    address: String,
    subject: String,
    content: Json<EmailContent>,
    state: String,
    reason: Option<String>,
    attempts: i64,
    expires_at: Instant,
    created_at: Instant,
    sent_at: Option<Instant>,
}

impl TryFrom<Row> for TransactionalEmail {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        let to = match (row.member_id, row.client_id) {
            (Some(member), _) => Addressee::Member(member.into()),
            // A CHECK constraint sees to it that there is one of the two.
            (None, client) => Addressee::Client(client.unwrap_or_default().into()),
        };
        Ok(Self {
            id: row.id.into(),
            kind: name::TRANSACTIONAL_KIND.read(&row.kind)?,
            to,
            client_id: row.external_id,
            address: row.address,
            subject: row.subject,
            content: row.content.0,
            state: name::TRANSACTIONAL_STATE.read(&row.state)?,
            reason: row.reason,
            attempts: row.attempts,
            expires_at: row.expires_at.0,
            created_at: row.created_at.0,
            sent_at: row.sent_at.map(|at| at.0),
        })
    }
}

macro_rules! select_transactional {
    ($rest:literal) => {
        concat!(
            "SELECT e.id, e.kind, e.member_id, e.client_id, c.external_id, e.address, e.subject, \
             e.content, e.state, e.reason, e.attempts, e.expires_at, e.created_at, e.sent_at \
             FROM transactional_emails e LEFT JOIN clients c \
             ON c.organization_id = e.organization_id AND c.id = e.client_id \
             WHERE e.organization_id = $1 ",
            $rest
        )
    };
}

impl Tx {
    /// Queues transactional emails, except those whose key another one has. Returns how many were new.
    pub async fn enqueue_transactional_emails(
        &mut self,
        emails: &[NewTransactionalEmail],
        now: Timestamp,
    ) -> Result<u64> {
        let organization = self.scope.organization_uuid();
        let queued = insert_rows!(
            self,
            "INSERT INTO transactional_emails (organization_id, id, kind, member_id, client_id, address, \
             dedup_key, subject, content, state, attempts, due_at, expires_at, created_at)",
            emails,
            "ON CONFLICT (organization_id, dedup_key) DO NOTHING",
            |row| [
                organization,
                row.id.uuid(),
                row.kind.as_str(),
                row.to.member().map(MemberId::uuid),
                row.to.client().map(ClientId::uuid),
                &row.address,
                &row.dedup_key,
                &row.subject,
                Json(&row.content),
                EmailState::Queued.as_str(),
                0_i64,
                Instant(row.due_at),
                Instant(row.expires_at),
                Instant(now)
            ]
        );
        Ok(queued)
    }

    /// The transactional emails that are due, the longest waiting first.
    pub async fn list_due_transactional_emails(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<TransactionalEmailId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM transactional_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND due_at <= $2 AND state = 'queued' \
             ORDER BY due_at, id LIMIT $3",
            self.scope.organization_uuid(),
            Instant(now),
            limit
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// One transactional email.
    pub async fn find_transactional_email(
        &mut self,
        id: TransactionalEmailId,
    ) -> Result<Option<TransactionalEmail>> {
        let row = fetch_optional!(
            self,
            Row,
            select_transactional!("AND e.id = $2"),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The latest transactional email of a kind.
    pub async fn find_latest_transactional_email(
        &mut self,
        kind: TransactionalKind,
    ) -> Result<Option<TransactionalEmail>> {
        let row = fetch_optional!(
            self,
            Row,
            select_transactional!("AND e.kind = $2 ORDER BY e.created_at DESC, e.id DESC LIMIT 1"),
            self.scope.organization_uuid(),
            kind.as_str()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// How many transactional emails of a kind were queued for somebody since an instant.
    pub async fn count_transactional_emails(
        &mut self,
        kind: TransactionalKind,
        to: Addressee,
        since: Timestamp,
    ) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM transactional_emails WHERE organization_id = $1 AND kind = $2 \
             AND (member_id = $3 OR client_id = $4) AND created_at >= $5",
            self.scope.organization_uuid(),
            kind.as_str(),
            to.member().map(MemberId::uuid),
            to.client().map(ClientId::uuid),
            Instant(since)
        )?;
        Ok(count)
    }

    /// Claims a transactional email to send it; false when somebody else has.
    pub async fn claim_transactional_email(
        &mut self,
        id: TransactionalEmailId,
        now: Timestamp,
    ) -> Result<bool> {
        let claimed = execute!(
            self,
            "UPDATE transactional_emails SET state = 'sending', sending_since = $3 \
             WHERE organization_id = $1 AND id = $2 AND state = 'queued'",
            self.scope.organization_uuid(),
            id.uuid(),
            Instant(now)
        )?;
        Ok(claimed == 1)
    }

    /// Records how sending a transactional email ended.
    pub async fn complete_transactional_email(
        &mut self,
        id: TransactionalEmailId,
        end: &SendEnd,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE transactional_emails SET state = $3, reason = $4, due_at = COALESCE($5, due_at), \
             sent_at = $6, attempts = attempts + $7, sending_since = NULL \
             WHERE organization_id = $1 AND id = $2 AND state = 'sending'",
            self.scope.organization_uuid(),
            id.uuid(),
            end.state.as_str(),
            &end.reason,
            end.due_at.map(Instant),
            (end.state == EmailState::Sent).then_some(Instant(now)),
            i64::from(end.tried)
        )?;
        Ok(())
    }

    /// Queues transactional emails again whose sender has been gone since before an instant: to get one
    /// twice is better than to wait for it in vain. Returns how many.
    pub async fn requeue_stuck_transactional_emails(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "UPDATE transactional_emails SET state = 'queued', sending_since = NULL \
             WHERE organization_id = $1 AND state IN ('queued', 'sending') AND state = 'sending' \
             AND sending_since < $2",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }

    /// Deletes transactional emails that were queued before an instant; returns how many.
    pub async fn delete_transactional_emails(&mut self, before: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM transactional_emails WHERE organization_id = $1 AND created_at < $2",
            self.scope.organization_uuid(),
            Instant(before)
        )
    }

    /// Makes every email due at once that a mail server has refused or put off, in all three outboxes:
    /// for when it takes mails again.
    pub async fn make_emails_due(&mut self, now: Timestamp) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "UPDATE client_success_emails SET due_at = $2 WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND state = 'queued' AND attempts > 0 AND due_at > $2",
            organization,
            Instant(now)
        )?;
        execute!(
            self,
            "UPDATE staff_emails SET due_at = $2 WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND state = 'queued' AND attempts > 0 AND due_at > $2",
            organization,
            Instant(now)
        )?;
        execute!(
            self,
            "UPDATE transactional_emails SET due_at = $2 WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND state = 'queued' AND attempts > 0 AND due_at > $2",
            organization,
            Instant(now)
        )?;
        Ok(())
    }

    /// How many emails wait in the organization's three outboxes.
    pub async fn count_waiting_emails(&mut self) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT (SELECT COUNT(*) FROM client_success_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending')) \
             + (SELECT COUNT(*) FROM staff_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending')) \
             + (SELECT COUNT(*) FROM transactional_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending'))",
            self.scope.organization_uuid()
        )?;
        Ok(count)
    }
}
