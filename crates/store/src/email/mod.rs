//! The mails to clients: an outbox, and afterwards a record of what was sent.

pub(super) mod history;
pub(super) mod staff;
pub(super) mod subscription;
pub(super) mod transactional;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    email::{EmailContent, EmailState, EmailType},
    id::{ClientId, EmailId, OrganizationId},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, StoreError, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_one, fetch_optional, insert_rows},
        id::new_id,
        lock::Lock,
        name,
    },
};

/// Opens and clicks that are kept of one mail.
const MAX_EVENTS: i64 = 100;

/// What the tokens in a mail's links are derived from; it stands in none of them.
pub type EmailToken = [u8; 16];

/// A mail to be kept, and sent when its state is [`EmailState::Queued`].
#[derive(Clone, Debug)]
pub struct NewEmail {
    /// Its id.
    pub id: EmailId,
    /// Recipient.
    pub client: ClientId,
    /// Its kind; a client gets one of each a period.
    pub kind: EmailType,
    /// Last local day of the email's period.
    pub period: Date,
    /// Its subject.
    pub subject: String,
    /// Text.
    pub content: EmailContent,
    /// The mail that is made of it, as whoever sends it packs it; of one that is not to be sent, nothing.
    pub body: Option<Vec<u8>>,
    /// Where to.
    pub address: String,
    /// Secret from which the tokens in the email's links are derived.
    pub token: EmailToken,
    /// Whether it is to be sent.
    pub state: EmailState,
    /// Why not.
    pub reason: Option<String>,
    /// Not before this time.
    pub due_at: Timestamp,
}

/// A mail to a client, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEmail {
    /// Its id.
    pub id: EmailId,
    /// `external_id` of the client.
    pub client_id: String,
    /// Display name of the client.
    pub client_name: Option<String>,
    /// Its kind.
    pub kind: EmailType,
    /// Last local day of the email's period.
    pub period: Date,
    /// Its subject.
    pub subject: String,
    /// State.
    pub state: EmailState,
    /// Why it is not sent, or not yet.
    pub reason: Option<String>,
    /// Where to.
    pub address: String,
    /// Number of attempts.
    pub attempts: i64,
    /// Time of the next attempt while the message is queued.
    pub due_at: Timestamp,
    /// When the email was created.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
    /// When it was opened first, by a person as far as can be told. Never enters a score.
    pub opened_at: Option<Timestamp>,
    /// When a person first followed a link in the email, as far as that can be detected.
    pub clicked_at: Option<Timestamp>,
}

/// A mail with all that it takes to make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeEmail {
    /// Client that the event belongs to.
    pub organization: OrganizationId,
    /// Recipient.
    pub client: ClientId,
    /// Fields that lists show.
    pub email: ClientEmail,
    /// Text.
    pub content: EmailContent,
    /// The mail that is made of it, as it was packed, while it is to be sent.
    pub body: Option<Vec<u8>>,
    /// Secret from which the tokens in the email's links are derived.
    pub token: EmailToken,
}

/// Filter for a list of emails.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmailFilter {
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only those in this state.
    pub state: Option<EmailState>,
    /// Only those of this kind.
    pub kind: Option<EmailType>,
    /// Only those before this one in the list.
    pub after: Option<EmailId>,
}

/// How an attempt to send a mail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendEnd {
    /// What became of the mail; queued when it is tried again.
    pub state: EmailState,
    /// Why it was not sent.
    pub reason: Option<String>,
    /// Time of the next attempt.
    pub due_at: Option<Timestamp>,
    /// Whether a mail server was asked at all: only that counts as an attempt.
    pub tried: bool,
}

/// What somebody, or some program, did with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailEvent {
    /// Index of the link that was followed. `None` if the email was opened.
    pub link: Option<i64>,
    /// Time.
    pub at: Timestamp,
    /// Whether a program rather than a person seems to have done it.
    pub suspected: bool,
}

/// How many mails there are in a state.
pub type EmailCounts = Vec<(EmailState, i64)>;

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    external_id: String,
    name: Option<String>,
    email_type: String,
    period: Day,
    subject: String,
    state: String,
    reason: Option<String>,
    address: String,
    attempts: i64,
    due_at: Instant,
    created_at: Instant,
    sent_at: Option<Instant>,
    opened_at: Option<Instant>,
    clicked_at: Option<Instant>,
}

#[derive(sqlx_macros::FromRow)]
struct WholeRow {
    #[sqlx(flatten)]
    row: Row,
    organization_id: Uuid,
    client_id: Uuid,
    content: Json<EmailContent>,
    body: Option<Vec<u8>>,
    token: Vec<u8>,
}

impl TryFrom<Row> for ClientEmail {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            client_id: row.external_id,
            client_name: row.name,
            kind: name::EMAIL_TYPE.read(&row.email_type)?,
            period: row.period.0,
            subject: row.subject,
            state: name::EMAIL_STATE.read(&row.state)?,
            reason: row.reason,
            address: row.address,
            attempts: row.attempts,
            due_at: row.due_at.0,
            created_at: row.created_at.0,
            sent_at: row.sent_at.map(|at| at.0),
            opened_at: row.opened_at.map(|at| at.0),
            clicked_at: row.clicked_at.map(|at| at.0),
        })
    }
}

impl TryFrom<WholeRow> for WholeEmail {
    type Error = StoreError;
    fn try_from(row: WholeRow) -> Result<Self> {
        Ok(Self {
            organization: row.organization_id.into(),
            client: row.client_id.into(),
            email: row.row.try_into()?,
            content: row.content.0,
            body: row.body,
            token: row.token.try_into().unwrap_or_default(),
        })
    }
}

macro_rules! select_emails {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT e.id, c.external_id, c.name, e.email_type, e.period, e.subject, e.state, \
             e.reason, e.address, e.attempts, e.due_at, e.created_at, e.sent_at, e.opened_at, \
             e.clicked_at",
            $more,
            " FROM client_success_emails e JOIN clients c \
             ON c.organization_id = e.organization_id AND c.id = e.client_id ",
            $rest
        )
    };
}

impl Tx {
    /// Keeps mails; of those whose client has one of the kind for the period already, nothing. Answers
    /// how many were new.
    pub async fn enqueue_emails(&mut self, emails: &[NewEmail], now: Timestamp) -> Result<u64> {
        let organization = self.scope.organization_uuid();
        let queued = insert_rows!(
            self,
            "INSERT INTO client_success_emails (organization_id, id, client_id, email_type, period, \
             subject, created_at, state, reason, address, token, content, attempts, due_at, body)",
            emails,
            "ON CONFLICT (organization_id, client_id, email_type, period) DO NOTHING",
            |row| [
                organization,
                row.id.uuid(),
                row.client.uuid(),
                row.kind.as_str(),
                Day(row.period),
                &row.subject,
                Instant(now),
                row.state.as_str(),
                &row.reason,
                &row.address,
                row.token.as_slice(),
                Json(&row.content),
                0_i64,
                Instant(row.due_at),
                &row.body
            ]
        );
        Ok(queued)
    }

    /// Mails, newest first.
    pub async fn list_emails(
        &mut self,
        filter: &EmailFilter,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        let rows = fetch_all!(
            self,
            Row,
            select_emails!(
                "",
                "WHERE e.organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR e.state = $2) \
                 AND (CAST($3 AS TEXT) IS NULL OR e.email_type = $3) AND (NOT $4 OR e.client_id = $5) \
                 AND e.id < $6 ORDER BY e.id DESC LIMIT $7"
            ),
            self.scope.organization_uuid(),
            filter.state.map(EmailState::as_str),
            filter.kind.map(EmailType::as_str),
            filter.client.is_some(),
            filter.client.map_or(Uuid::nil(), ClientId::uuid),
            filter.after.map_or(Uuid::max(), EmailId::uuid),
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// How many mails there are in each state.
    pub async fn count_emails(&mut self) -> Result<EmailCounts> {
        let rows = fetch_all!(
            self,
            (String, i64),
            "SELECT state, COUNT(*) FROM client_success_emails WHERE organization_id = $1 \
             GROUP BY state",
            self.scope.organization_uuid()
        )?;
        rows.into_iter()
            .map(|(state, count)| Ok((name::EMAIL_STATE.read(&state)?, count)))
            .collect()
    }

    /// The latest mails to a client, newest first.
    pub async fn list_client_emails(
        &mut self,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        self.list_emails(&EmailFilter { client: Some(client), ..EmailFilter::default() }, limit)
            .await
    }

    /// One mail.
    pub async fn find_email(&mut self, id: EmailId) -> Result<Option<WholeEmail>> {
        let row = fetch_optional!(
            self,
            WholeRow,
            select_emails!(
                ", e.organization_id, e.client_id, e.content, e.body, e.token",
                "WHERE e.organization_id = $1 AND e.id = $2"
            ),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// The organizations with emails of any outbox whose time has come. System scope.
    pub async fn list_organizations_with_emails(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT o.id FROM organizations o WHERE EXISTS (SELECT 1 FROM client_success_emails e \
             WHERE e.organization_id = o.id AND e.state IN ('queued', 'sending') AND e.due_at <= $1) \
             OR EXISTS (SELECT 1 FROM staff_emails s WHERE s.organization_id = o.id \
             AND s.state IN ('queued', 'sending') AND s.due_at <= $1) \
             OR EXISTS (SELECT 1 FROM transactional_emails t WHERE t.organization_id = o.id \
             AND t.state IN ('queued', 'sending') AND t.due_at <= $1) ORDER BY o.id",
            Instant(now)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// The mails whose time has come, the longest waiting first.
    pub async fn list_due_emails(&mut self, now: Timestamp, limit: i64) -> Result<Vec<EmailId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM client_success_emails WHERE organization_id = $1 \
             AND state IN ('queued', 'sending') AND due_at <= $2 AND state = 'queued' \
             ORDER BY due_at, id LIMIT $3",
            self.scope.organization_uuid(),
            Instant(now),
            limit
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Takes a mail to send it; false when somebody else has. Once this is committed, the mail is not
    /// sent by anybody else, whatever happens. Until the transaction ends, no other email of the
    /// organization is claimed, so what [`Tx::list_emails_since`] returns stays true.
    pub async fn claim_email(&mut self, id: EmailId, now: Timestamp) -> Result<bool> {
        self.lock_organization(Lock::ClaimEmails).await?;
        let claimed = execute!(
            self,
            "UPDATE client_success_emails SET state = 'sending', sending_since = $3 \
             WHERE organization_id = $1 AND id = $2 AND state = 'queued'",
            self.scope.organization_uuid(),
            id.uuid(),
            Instant(now)
        )?;
        Ok(claimed == 1)
    }

    /// Records how sending a mail ended.
    pub async fn complete_email(
        &mut self,
        id: EmailId,
        end: &SendEnd,
        now: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE client_success_emails SET state = $3, reason = $4, \
             body = CASE WHEN $3 = 'queued' THEN body END, \
             due_at = COALESCE($5, due_at), sent_at = $6, attempts = attempts + $7, \
             sending_since = NULL \
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

    /// Gives up on mails whose sender has been gone since before an instant: they may have been sent.
    /// Answers how many.
    pub async fn expire_stuck_emails(&mut self, before: Timestamp, reason: &str) -> Result<u64> {
        execute!(
            self,
            "UPDATE client_success_emails SET state = 'unknown', reason = $3, body = NULL, \
             sending_since = NULL \
             WHERE organization_id = $1 AND state IN ('queued', 'sending') AND state = 'sending' \
             AND sending_since < $2",
            self.scope.organization_uuid(),
            Instant(before),
            reason
        )
    }

    /// Keeps an open or a click, unless the mail has very many already.
    pub async fn record_email_event(&mut self, email: EmailId, event: &EmailEvent) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let (kept,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM email_events WHERE organization_id = $1 AND email_id = $2",
            organization,
            email.uuid()
        )?;
        if kept >= MAX_EVENTS {
            return Ok(());
        }
        let kind = if event.link.is_some() { "click" } else { "open" };
        execute!(
            self,
            "INSERT INTO email_events (organization_id, email_id, id, kind, link, at, suspected) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            organization,
            email.uuid(),
            new_id::<Uuid>(event.at),
            kind,
            event.link,
            Instant(event.at),
            event.suspected
        )?;
        if event.suspected {
            return Ok(());
        }
        let clicked = event.link.map(|_| Instant(event.at));
        // Whoever follows a link has the mail open, whether or not it loads pictures.
        execute!(
            self,
            "UPDATE client_success_emails SET opened_at = COALESCE(opened_at, $3), \
             clicked_at = COALESCE(clicked_at, $4) WHERE organization_id = $1 AND id = $2",
            organization,
            email.uuid(),
            Instant(event.at),
            clicked
        )?;
        Ok(())
    }

    /// Returns the opens and clicks of an email, oldest first.
    pub async fn list_email_events(&mut self, email: EmailId) -> Result<Vec<EmailEvent>> {
        let rows = fetch_all!(
            self,
            (Option<i64>, Instant, bool),
            "SELECT link, at, suspected FROM email_events \
             WHERE organization_id = $1 AND email_id = $2 ORDER BY at, id",
            self.scope.organization_uuid(),
            email.uuid()
        )?;
        Ok(rows
            .into_iter()
            .map(|(link, at, suspected)| EmailEvent { link, at: at.0, suspected })
            .collect())
    }
}
