//! Writing to clients who asked for it: mails are kept in an outbox with what caused them, and a
//! sender gives them to a mail server.

mod address;
mod celebrate;
mod deliver;
mod frame;
mod link;
mod message;
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

pub(crate) use celebrate::{Nudge, Occasion};
use deliver::{Delivery, Item};
pub use link::{LinkPurpose, link_token};
pub use render::{Rendered, preview_links, render};
pub use sender::{Sender, start};
pub use smtp::{SmtpServer, SmtpUrlError};
pub use status::{MailStatus, MailTrouble, Outage};
pub use subscribe::Subscribe;
pub use track::{Destination, OpenedEmail, StaleButton};
pub use transactional::MailOverview;
pub(crate) use transactional::{queue_owner_notices, queue_sign_in_warning};

use crate::{Error, Mainstay, Result};

/// Why nothing of a sample organization is sent.
const SAMPLE: &str = "sample data: nothing is sent";

/// A mail with what was done with it.
#[derive(Clone, Debug)]
pub struct EmailDetails {
    /// The mail.
    pub whole: WholeEmail,
    /// Opens and clicks, oldest first.
    pub events: Vec<EmailEvent>,
}

impl Mainstay {
    /// Mails to clients, newest first.
    pub async fn emails(
        &self,
        scope: Scope,
        which: &EmailFilter,
        limit: i64,
    ) -> Result<Vec<ClientEmail>> {
        Ok(self.store().read(scope).await?.emails(which, limit).await?)
    }

    /// How many mails there are in each state, and how many clients get mails.
    pub async fn email_summary(&self, scope: Scope) -> Result<(EmailCounts, i64)> {
        let mut tx = self.store().read(scope).await?;
        Ok((tx.email_counts().await?, tx.count_subscribers().await?))
    }

    /// One mail.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none such.
    pub async fn email(&self, scope: Scope, id: EmailId) -> Result<EmailDetails> {
        let mut tx = self.store().read(scope).await?;
        let whole = tx.email(id).await?.ok_or_else(|| Error::NotFound {
            what: "e-mail",
            id: id.to_string(),
            remedy: "GET /api/v1/emails lists the latest e-mails",
        })?;
        let events = tx.email_events(id).await?;
        Ok(EmailDetails { whole, events })
    }

    /// What an organization decided about its mails.
    pub async fn email_settings(&self, scope: Scope) -> Result<EmailSettings> {
        Ok(self.store().read(scope).await?.email_settings().await?)
    }

    /// Changes what an organization decided about its mails.
    ///
    /// # Errors
    /// When a value cannot be used.
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

    /// Addresses that nothing is sent to, the latest first.
    pub async fn suppressions(&self, scope: Scope, limit: i64) -> Result<Vec<Suppression>> {
        Ok(self.store().read(scope).await?.suppressions(limit).await?)
    }

    /// Sends to an address again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing kept it from that.
    pub async fn unsuppress_address(&self, scope: impl Into<Scope>, address: &str) -> Result<()> {
        let mut tx = self.begin_writing(scope.into()).await?;
        if !tx.unsuppress_address(address).await? {
            return Err(Error::NotFound {
                what: "suppressed address",
                id: address.to_owned(),
                remedy: "GET /api/v1/email/suppressions lists those that there are",
            });
        }
        Ok(tx.commit().await?)
    }
}

/// A mail that is about to be queued.
struct Draft {
    kind: EmailType,
    period: Date,
    subject: String,
    content: EmailContent,
}

/// Makes a draft a row of the outbox; one that is not to be sent says why.
fn queued(
    draft: Draft,
    organization: &Organization,
    to: &Subscriber,
    now: Timestamp,
    due_at: Timestamp,
) -> NewEmail {
    let suppressed = to.suppressed.as_ref().map(|why| format!("the address was refused: {why}"));
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

/// What a client is called in its mails.
fn called<'a>(name: Option<&'a str>, external_id: &'a str) -> &'a str {
    name.filter(|name| !name.trim().is_empty()).unwrap_or(external_id)
}

/// An instant before another one, or the first there is.
fn ago(now: Timestamp, time: SignedDuration) -> Timestamp {
    now.checked_sub(time).unwrap_or(Timestamp::MIN)
}
