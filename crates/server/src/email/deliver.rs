use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{
        Admission, EarlierEmail, EmailCandidate, EmailState, EmailType, FailureCause,
        NUDGE_INTERVAL, SubscriptionState, admission, probe_delay, retry_delay,
    },
    id::{EmailId, OrganizationId, StaffEmailId, TransactionalEmailId},
    time::time_zone,
};
use mainstay_store::{
    Organization, Scope, SendEnd, StaffEmail, TransactionalEmail, Tx, WholeEmail,
};

use super::{
    Outage, SAMPLE, ago,
    render::{Rendered, preview_links, render},
    smtp::Outcome,
};
use crate::{Error, Mainstay, Result, site::Site};

/// Emails of each outbox per query.
const BATCH: i64 = 100;
/// A sender without activity for this long has crashed: no attempt takes as long.
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(10);
const LOST_REASON: &str =
    "the server stopped while sending; the email may have been sent and is not retried";

/// An email of one of the three outboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A transactional email: these are sent first.
    Transactional(TransactionalEmailId),
    /// To a subscribed client.
    Client(EmailId),
    /// The daily digest to a member.
    Digest(StaffEmailId),
}

/// An email that was claimed for sending.
#[derive(Clone, Debug)]
pub(super) enum Delivery {
    /// To a client.
    Client {
        /// The email.
        email: Box<WholeEmail>,
        /// The sender name.
        from_name: String,
        /// The postal address in the footer.
        postal_address: Option<String>,
        /// The secret from which its button's token is derived.
        secret: String,
    },
    /// The daily digest to a member.
    Digest {
        /// The member's organization.
        organization: OrganizationId,
        /// The email.
        email: Box<StaffEmail>,
    },
    /// A transactional email.
    Transactional {
        /// The organization of the member or client.
        organization: OrganizationId,
        /// The email.
        email: Box<TransactionalEmail>,
        /// The sender name, if it is the organization's.
        from_name: Option<String>,
        /// The target of its button.
        button: String,
    },
}

impl Delivery {
    /// The recipient's address.
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Client { email, .. } => &email.email.address,
            Self::Digest { email, .. } => &email.address,
            Self::Transactional { email, .. } => &email.address,
        }
    }

    /// The number of earlier attempts.
    pub(super) fn attempts(&self) -> i64 {
        match self {
            Self::Client { email, .. } => email.email.attempts,
            Self::Digest { email, .. } => email.attempts,
            Self::Transactional { email, .. } => email.attempts,
        }
    }

    fn item(&self) -> Item {
        match self {
            Self::Client { email, .. } => Item::Client(email.email.id),
            Self::Digest { email, .. } => Item::Digest(email.id),
            Self::Transactional { email, .. } => Item::Transactional(email.id),
        }
    }

    fn organization(&self) -> OrganizationId {
        match self {
            Self::Client { email, .. } => email.organization,
            Self::Digest { organization, .. } | Self::Transactional { organization, .. } => {
                *organization
            }
        }
    }
}

impl Mainstay {
    /// The organizations with emails to send or to give up.
    pub(super) async fn organizations_with_emails(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.list_organizations_with_emails(self.now()).await?)
    }

    /// The due emails of an organization, most urgent first. Gives up those whose sender has
    /// crashed.
    pub(super) async fn due_emails(&self, organization: OrganizationId) -> Result<Vec<Item>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.requeue_stuck_transactional_emails(ago(now, LOST_AFTER)).await?;
        let lost = tx.expire_stuck_emails(ago(now, LOST_AFTER), LOST_REASON).await?;
        tx.expire_stuck_staff_emails(ago(now, LOST_AFTER), LOST_REASON).await?;
        let mut due: Vec<Item> = Vec::new();
        due.extend(
            tx.list_due_transactional_emails(now, BATCH)
                .await?
                .into_iter()
                .map(Item::Transactional),
        );
        due.extend(tx.list_due_emails(now, BATCH).await?.into_iter().map(Item::Client));
        due.extend(tx.list_due_staff_emails(now, BATCH).await?.into_iter().map(Item::Digest));
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(lost, "emails may have been sent before the server stopped");
        }
        Ok(due)
    }

    /// Claims an email for sending: no other process will send it. `None` if another process has
    /// it, or if it must not be sent, now or ever.
    pub(super) async fn claim_email(
        &self,
        organization: OrganizationId,
        item: Item,
        site: &Site,
    ) -> Result<Option<Delivery>> {
        match item {
            Item::Transactional(id) => self.claim_transactional_email(organization, id, site).await,
            Item::Client(id) => self.claim_client_email(organization, id).await,
            Item::Digest(id) => {
                let email = self.claim_staff_email(organization, id).await?;
                Ok(email.map(|email| Delivery::Digest { organization, email: Box::new(email) }))
            }
        }
    }

    async fn claim_client_email(
        &self,
        organization: OrganizationId,
        id: EmailId,
    ) -> Result<Option<Delivery>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.claim_email(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.find_email(id).await? else { return Ok(None) };
        let organization = tx.get_organization().await?;
        let kept = match check_admission(&mut tx, &email, &organization, now).await? {
            Admission::Now => None,
            Admission::Later(at) => Some(SendEnd {
                state: EmailState::Queued,
                reason: Some("held".to_owned()),
                due_at: Some(at),
                tried: false,
            }),
            Admission::Never(reason) => Some(SendEnd {
                state: EmailState::Suppressed,
                reason: Some(reason),
                due_at: None,
                tried: false,
            }),
        };
        if let Some(end) = &kept {
            tx.complete_email(id, end, now).await?;
        }
        let settings = tx.get_email_settings().await?;
        tx.commit().await?;
        if kept.is_some() {
            return Ok(None);
        }
        let secret = self.client_token_secret(&organization).await?;
        let from_name = settings.from_name.unwrap_or(organization.name);
        let postal_address = settings.postal_address;
        let email = Box::new(email);
        Ok(Some(Delivery::Client { email, from_name, postal_address, secret }))
    }

    /// Records the outcome of a delivery attempt.
    pub(super) async fn record_outcome(&self, delivery: &Delivery, outcome: Outcome) -> Result<()> {
        let now = self.now();
        let end = send_end(&outcome, delivery.attempts() + 1, now);
        tracing::info!(
            email = ?delivery.item(), state = %end.state, reason = ?end.reason, "email delivery attempted"
        );
        let mut tx = self.store().begin(Scope::Service(delivery.organization())).await?;
        finish_item(&mut tx, delivery.item(), &end, now).await?;
        if let Outcome::Refused { reason, fault: FailureCause::Mailbox } = &outcome {
            tx.suppress_address(delivery.address(), reason, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Gives up a deferred email and suppresses its address, because only few were rejected like it.
    pub(super) async fn suppress_refused(
        &self,
        organization: OrganizationId,
        item: Item,
        address: &str,
        reason: &str,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let claimed = match item {
            Item::Transactional(id) => tx.claim_transactional_email(id, now).await?,
            Item::Client(id) => tx.claim_email(id, now).await?,
            Item::Digest(id) => tx.claim_staff_email(id, now).await?,
        };
        if claimed {
            let end = SendEnd {
                state: EmailState::Failed,
                reason: Some(reason.to_owned()),
                due_at: None,
                tried: false,
            };
            finish_item(&mut tx, item, &end, now).await?;
        }
        tx.suppress_address(address, reason, now).await?;
        Ok(tx.commit().await?)
    }

    /// Resumes an organization's emails that waited for the mail server, and notifies its owners.
    pub(super) async fn resume_emails(
        &self,
        organization: OrganizationId,
        outage: &Outage,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.make_emails_due(self.now()).await?;
        tx.commit().await?;
        self.notify_owners_of_outage(organization, outage).await
    }

    /// Renders an email as a preview with disabled links.
    pub async fn preview_email(&self, scope: Scope, id: EmailId) -> Result<Rendered> {
        let email = self.email(scope, id).await?.whole;
        let settings = self.email_settings(scope).await?;
        let postal = settings.postal_address.as_deref();
        render(&email.content, postal, &preview_links(email.email.kind))
    }
}

async fn finish_item(tx: &mut Tx, item: Item, end: &SendEnd, now: Timestamp) -> Result<()> {
    match item {
        Item::Transactional(id) => tx.complete_transactional_email(id, end, now).await?,
        Item::Client(id) => tx.complete_email(id, end, now).await?,
        Item::Digest(id) => tx.complete_staff_email(id, end, now).await?,
    }
    Ok(())
}

/// The state of an email after an attempt. Only an error of the recipient is final; all others may
/// be fixed.
fn send_end(outcome: &Outcome, tries: i64, now: Timestamp) -> SendEnd {
    let jitter = fastrand::u16(0..=1_000);
    let trial = || now.checked_add(probe_delay(tries, jitter)).ok();
    let (state, reason, due_at) = match outcome {
        Outcome::Sent => (EmailState::Sent, None, None),
        Outcome::Unknown(reason) => (EmailState::Unknown, Some(reason), None),
        Outcome::Refused { reason, fault: FailureCause::Mailbox }
        | Outcome::Undeliverable(reason) => (EmailState::Failed, Some(reason), None),
        Outcome::Refused { reason, .. } | Outcome::Retry { reason, recipient: false } => {
            (EmailState::Queued, Some(reason), trial())
        }
        Outcome::Retry { reason, recipient: true } => match retry_delay(tries, jitter) {
            Some(wait) => (EmailState::Queued, Some(reason), now.checked_add(wait).ok()),
            None => (EmailState::Failed, Some(reason), None),
        },
    };
    SendEnd { state, reason: reason.cloned(), due_at, tried: true }
}

async fn check_admission(
    tx: &mut Tx,
    email: &WholeEmail,
    organization: &Organization,
    now: Timestamp,
) -> Result<Admission> {
    let never = |reason: &str| Ok(Admission::Never(reason.to_owned()));
    if organization.sample {
        return never(SAMPLE);
    }
    let address = &email.email.address;
    if let Some(reason) = tx.find_suppression(address).await? {
        return Ok(Admission::Never(format!("the address was refused: {reason}")));
    }
    let wanted = match email.email.kind {
        EmailType::SubscriptionRequest => SubscriptionState::Pending,
        _ => SubscriptionState::Subscribed,
    };
    let subscription = tx.find_subscription(email.client).await?;
    if !subscription.is_some_and(|one| one.state == wanted && one.address == *address) {
        return never("the client has unsubscribed or changed its address");
    }
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let since = ago(now, NUDGE_INTERVAL);
    let earlier = tx.list_emails_since(email.client, since, email.email.id).await?;
    let earlier: Vec<EarlierEmail> =
        earlier.into_iter().map(|(kind, at)| EarlierEmail { kind, at }).collect();
    let settings = tx.get_email_settings().await?;
    let candidate = EmailCandidate {
        kind: email.email.kind,
        period: email.email.period,
        queued_at: email.email.created_at,
        earlier: &earlier,
    };
    Ok(admission(&candidate, &settings, &zone, now))
}
