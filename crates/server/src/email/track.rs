use jiff::SignedDuration;
use mainstay_core::email::{SubscriptionState, suspected};
use mainstay_store::{EmailEvent, Organization, Scope, WholeEmail};

use super::link::{LinkPurpose, LinkToken};
use crate::{Mainstay, Result, site::Site};

/// How long after it was sent a mail's button lets its reader in.
const ENTRY_TTL: SignedDuration = SignedDuration::from_hours(24);
/// Who comes in at the end of that time has this long.
const SHORTEST_VISIT: SignedDuration = SignedDuration::from_hours(1);

/// A mail that a link leads to.
#[derive(Clone, Debug)]
pub struct OpenedEmail {
    /// The mail.
    pub email: WholeEmail,
    /// Who wrote it.
    pub organization: Organization,
    token: LinkToken,
}

/// Where the button of a mail leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a page; to the client's own here with what lets it in.
    Page(String),
    /// Nowhere by itself any more.
    Stale(StaleButton),
}

/// Why the button of a mail does not let its reader in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleButton {
    /// The mail is older than a day.
    Old,
    /// Its address gets no mails any more: unsubscribed, or changed.
    Unsubscribed,
    /// The organization has ended all links that were made before.
    Revoked,
}

impl Mainstay {
    /// The mail that a link names, if the link was made for this purpose. Changes nothing.
    pub async fn email_of_link(
        &self,
        purpose: LinkPurpose,
        token: &str,
    ) -> Result<Option<OpenedEmail>> {
        let Some(token) = LinkToken::parse(token) else { return Ok(None) };
        let mut tx = self.store().read(Scope::Service(token.organization)).await?;
        let email = tx.email(token.email).await?.filter(|email| token.is_for(purpose, email));
        let Some(email) = email else { return Ok(None) };
        let organization = tx.organization().await?;
        Ok(Some(OpenedEmail { email, organization, token }))
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

    /// Where the button of a mail leads: to the organization's own page, or to the client's here, for a
    /// day with what lets it in. Not after the address was unsubscribed or changed, nor after the
    /// organization has replaced its token secret.
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
        if !token.lets_in(email, &self.client_token_secret(organization).await?) {
            return Ok(Destination::Stale(StaleButton::Revoked));
        }
        let now = self.now();
        // Of a mail whose sending nobody saw the end of, it was sent when it was due.
        let sent_at = email.email.sent_at.unwrap_or(email.email.due_at);
        let ends = sent_at.checked_add(ENTRY_TTL).unwrap_or(sent_at);
        if ends <= now {
            return Ok(Destination::Stale(StaleButton::Old));
        }
        let until = ends.max(now.checked_add(SHORTEST_VISIT).unwrap_or(now));
        let client_id = &email.email.client_id;
        let link = self.client_link(organization.id, client_id, Some(until), site).await?;
        Ok(Destination::Page(link.url))
    }
}
