use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use mainstay_core::email::suspected;
use mainstay_store::{EmailEvent, EmailToken, Organization, Scope, WholeEmail};

use crate::{Mainstay, Result, http::Site};

/// How long after it was written a mail's button lets its reader in.
const LETS_IN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// For how long the button lets its reader in each time.
const VISIT: SignedDuration = SignedDuration::from_hours(24);

/// A mail that a link leads to.
#[derive(Clone, Debug)]
pub struct OpenedEmail {
    /// The mail.
    pub email: WholeEmail,
    /// Who wrote it.
    pub organization: Organization,
}

/// What names a mail in a link; `None` for anything that we never made.
pub fn parse_token(text: &str) -> Option<EmailToken> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// What names a mail in a link.
pub(super) fn written(token: EmailToken) -> String {
    URL_SAFE_NO_PAD.encode(token)
}

impl Mainstay {
    /// The mail that a link names. Changes nothing.
    pub async fn email_of_link(&self, token: &str) -> Result<Option<OpenedEmail>> {
        let Some(token) = parse_token(token) else { return Ok(None) };
        let mut tx = self.store().read(Scope::System).await?;
        let Some(email) = tx.email_by_token(token).await? else { return Ok(None) };
        drop(tx);
        let mut tx = self.store().read(Scope::Service(email.organization)).await?;
        let organization = tx.organization().await?;
        Ok(Some(OpenedEmail { email, organization }))
    }

    /// Records that a mail was opened, or that its link was followed, by a program of this name. A
    /// mail that was never sent records nothing.
    pub async fn record_email_event(
        &self,
        email: &WholeEmail,
        link: Option<i64>,
        agent: &str,
    ) -> Result<()> {
        let at = self.now();
        let Some(sent_at) = email.email.sent_at else { return Ok(()) };
        let event = EmailEvent { link, at, suspected: suspected(Some(sent_at), at, agent) };
        let mut tx = self.store().begin(Scope::Service(email.organization)).await?;
        tx.keep_email_event(email.email.id, &event).await?;
        Ok(tx.commit().await?)
    }

    /// Where the button of a mail leads: to the organization's own page, or to the client's here, for
    /// a month with what lets it in.
    pub async fn email_destination(&self, opened: &OpenedEmail, site: &Site) -> Result<String> {
        let OpenedEmail { email, organization } = opened;
        let settings = self.email_settings(Scope::Service(organization.id)).await?;
        if let Some(url) = settings.dashboard_url {
            return Ok(url);
        }
        let now = self.now();
        if now.duration_since(email.email.created_at) > LETS_IN {
            return Ok(site.link("/client/dashboard/success"));
        }
        let until = now.checked_add(VISIT).unwrap_or(now);
        let client_id = &email.email.client_id;
        Ok(self.client_link(organization.id, client_id, Some(until), site).await?.url)
    }
}
