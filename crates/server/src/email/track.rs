use jiff::SignedDuration;
use mainstay_core::email::{SubscriptionState, is_suspected_bot};
use mainstay_store::{EmailEvent, Organization, Scope, WholeEmail};

use super::link::{LinkPurpose, LinkToken};
use crate::{Mainstay, Result, site::Site};

/// How long an email's button signs its reader in.
const ENTRY_TTL: SignedDuration = SignedDuration::from_hours(24);
/// Minimum length of a session that starts at the end of that time.
const MIN_VISIT: SignedDuration = SignedDuration::from_hours(1);

/// The email of a link.
#[derive(Clone, Debug)]
pub struct OpenedEmail {
    /// The email.
    pub email: WholeEmail,
    /// The organization.
    pub organization: Organization,
    token: LinkToken,
}

/// The target of an email's button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A page; the client's own page includes a sign-in token.
    Page(String),
    /// The button no longer signs the reader in.
    Stale(StaleButton),
}

/// Why an email's button does not sign its reader in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleButton {
    /// The email is older than a day.
    Old,
    /// Its address is no longer subscribed.
    Unsubscribed,
    /// The organization has replaced its token secret.
    Revoked,
}

impl Mainstay {
    /// The email of a link, if the link is for this purpose. Changes nothing.
    pub async fn email_of_link(
        &self,
        purpose: LinkPurpose,
        token: &str,
    ) -> Result<Option<OpenedEmail>> {
        let Some(token) = LinkToken::parse(token) else { return Ok(None) };
        let mut tx = self.store().read(Scope::Service(token.organization)).await?;
        let email = tx.find_email(token.email).await?.filter(|email| token.is_for(purpose, email));
        let Some(email) = email else { return Ok(None) };
        let organization = tx.get_organization().await?;
        Ok(Some(OpenedEmail { email, organization, token }))
    }

    /// Records an open or a click by a user agent. Nothing is recorded for an unsent email.
    pub async fn record_email_event(
        &self,
        email: &WholeEmail,
        link: Option<i64>,
        agent: &str,
    ) -> Result<()> {
        let at = self.now();
        let Some(sent_at) = email.email.sent_at else { return Ok(()) };
        let event = EmailEvent { link, at, suspected: is_suspected_bot(Some(sent_at), at, agent) };
        let mut tx = self.store().begin(Scope::Service(email.organization)).await?;
        tx.record_email_event(email.email.id, &event).await?;
        Ok(tx.commit().await?)
    }

    /// The target of an email's button: the organization's own page, or the client's page in
    /// Mainstay, for a day with a sign-in token; without one after the address was unsubscribed or
    /// changed, or the organization has replaced its token secret.
    pub async fn email_destination(
        &self,
        opened: &OpenedEmail,
        site: &Site,
    ) -> Result<Destination> {
        let OpenedEmail { email, organization, token } = opened;
        let scope = Scope::Service(organization.id);
        if let Some(url) = self.email_settings(scope).await?.dashboard_url {
            return Ok(Destination::Page(url));
        }
        let subscription = self.subscription(scope, email.client).await?;
        let subscribed = subscription.is_some_and(|one| {
            one.state == SubscriptionState::Subscribed && one.address == email.email.address
        });
        if !subscribed {
            return Ok(Destination::Stale(StaleButton::Unsubscribed));
        }
        if !token.grants_entry(email, &self.client_token_secret(organization).await?) {
            return Ok(Destination::Stale(StaleButton::Revoked));
        }
        let now = self.now();
        // Of an email whose sending nobody saw the end of, it was sent when it was due.
        let sent_at = email.email.sent_at.unwrap_or(email.email.due_at);
        let ends = sent_at.checked_add(ENTRY_TTL).unwrap_or(sent_at);
        if ends <= now {
            return Ok(Destination::Stale(StaleButton::Old));
        }
        let until = ends.max(now.checked_add(MIN_VISIT).unwrap_or(now));
        let client_id = &email.email.client_id;
        let link = self.client_link(organization.id, client_id, Some(until), site).await?;
        Ok(Destination::Page(link.url))
    }
}
