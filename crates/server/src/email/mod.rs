//! Emails to subscribed clients: stored in an outbox in the transaction that causes them, and sent
//! by a background task.

mod address;
mod deliver;
mod frame;
mod link;
mod message;
mod milestones;
mod outbox;
mod render;
mod sender;
mod smtp;
mod status;
mod subscribe;
mod track;
mod transactional;
mod weekly;

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    email::{EmailContent, EmailSettings, EmailState, EmailType},
    id::EmailId,
};
use mainstay_store::{
    ClientEmail, EmailCounts, EmailEvent, EmailFilter, EmailToken, NewEmail, Organization, Scope,
    Subscriber, Suppression, WholeEmail, new_id,
};

use deliver::{Delivery, Item};
pub use link::{LinkPurpose, link_token};
pub(crate) use milestones::{InsightBatch, Nudge};
pub use render::{Rendered, preview_links, render};
pub use sender::{Sender, start};
pub use smtp::{SmtpServer, SmtpUrlError};
pub use status::{MailStatus, MailTrouble, Outage};
pub use subscribe::SubscriptionUpdate;
pub use track::{Destination, OpenedEmail, StaleButton};
pub use transactional::MailOverview;
pub(crate) use transactional::{queue_owner_notices, queue_sign_in_warning};

use crate::{Error, Mainstay, Result};

/// The reason why a sample organization sends nothing.
const SAMPLE: &str = "sample data: nothing is sent";

/// An email with its events.
#[derive(Clone, Debug)]
pub struct EmailDetails {
    /// The email.
    pub whole: WholeEmail,
    /// Opens and clicks, oldest first.
    pub events: Vec<EmailEvent>,
}

impl Mainstay {
    /// Emails to clients, newest first.
    pub async fn emails(
        &self,
        scope: Scope,
        which: &EmailFilter,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        Ok(self.store().read(scope).await?.list_emails(which, limit).await?)
    }

    /// The number of emails in each state, and of subscribed clients.
    pub async fn email_summary(&self, scope: Scope) -> Result<(EmailCounts, i64)> {
        let mut tx = self.store().read(scope).await?;
        Ok((tx.count_emails().await?, tx.count_subscribers().await?))
    }

    /// One email.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not exist.
    pub async fn email(&self, scope: Scope, id: EmailId) -> Result<EmailDetails> {
        let mut tx = self.store().read(scope).await?;
        let whole = tx.find_email(id).await?.ok_or_else(|| Error::NotFound {
            what: "email",
            id: id.to_string(),
            remedy: "GET /api/v1/emails lists the latest emails",
        })?;
        let events = tx.list_email_events(id).await?;
        Ok(EmailDetails { whole, events })
    }

    /// An organization's email settings.
    pub async fn email_settings(&self, scope: Scope) -> Result<EmailSettings> {
        Ok(self.store().read(scope).await?.get_email_settings().await?)
    }

    /// Changes an organization's email settings.
    ///
    /// # Errors
    /// If a value is invalid.
    pub async fn set_email_settings(
        &self,
        scope: impl Into<Scope>,
        settings: &EmailSettings,
    ) -> Result<()> {
        settings.check().map_err(|error| Error::invalid(error.field, error.reason))?;
        let mut tx = self.begin_writing(scope.into()).await?;
        tx.set_email_settings(settings, self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Suppressed addresses, newest first.
    pub async fn suppressions(&self, scope: Scope, limit: i64) -> Result<Vec<Suppression>> {
        Ok(self.store().read(scope).await?.list_suppressions(limit).await?)
    }

    /// Removes an address from the suppression list.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it was not suppressed.
    pub async fn unsuppress_address(&self, scope: impl Into<Scope>, address: &str) -> Result<()> {
        let mut tx = self.begin_writing(scope.into()).await?;
        if !tx.unsuppress_address(address).await? {
            return Err(Error::NotFound {
                what: "suppressed address",
                id: address.to_owned(),
                remedy: "GET /api/v1/email/suppressions lists all suppressed addresses",
            });
        }
        Ok(tx.commit().await?)
    }
}

/// An email to be queued.
struct Draft {
    kind: EmailType,
    period: Date,
    subject: String,
    content: EmailContent,
}

/// Turns a draft into an outbox row; if it must not be sent, with the reason.
fn outbox_row(
    draft: Draft,
    organization: &Organization,
    to: &Subscriber,
    now: Timestamp,
    due_at: Timestamp,
) -> NewEmail {
    let suppressed =
        to.suppressed.as_ref().map(|reason| format!("the address was refused: {reason}"));
    let reason = if organization.sample { Some(SAMPLE.to_owned()) } else { suppressed };
    NewEmail {
        id: new_id(now),
        client: to.client.id,
        kind: draft.kind,
        period: draft.period,
        subject: draft.subject,
        content: draft.content,
        body: None,
        address: to.address.clone(),
        token: new_token(),
        state: if reason.is_some() { EmailState::Suppressed } else { EmailState::Queued },
        reason,
        due_at,
    }
}

fn new_token() -> EmailToken {
    let mut token = EmailToken::default();
    getrandom::fill(&mut token).expect("the operating system gives randomness");
    token
}

/// A client's name in its emails.
fn display_name<'a>(name: Option<&'a str>, external_id: &'a str) -> &'a str {
    name.filter(|name| !name.trim().is_empty()).unwrap_or(external_id)
}

/// An earlier instant, or the minimum.
fn ago(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.checked_sub(time).unwrap_or(Timestamp::MIN)
}
