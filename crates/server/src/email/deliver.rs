use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{
        Admission, Candidate, Earlier, EmailState, EmailType, Fault, NUDGE_EVERY,
        SubscriptionState, admission, next_trial, next_try,
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

/// Mails of each outbox that are looked up at a time.
const BATCH: i64 = 100;
/// A sender of which nothing was heard for so long is gone: no attempt takes as long.
const LOST: SignedDuration = SignedDuration::from_mins(10);
const LOST_REASON: &str =
    "the server stopped while it was sending; it may have been sent, and is not sent again";

/// A mail of one of the three outboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// To one person, about one thing: these go first.
    Transactional(TransactionalEmailId),
    /// To a client that asked for mails.
    Client(EmailId),
    /// The daily mail to a member.
    Digest(StaffEmailId),
}

/// A mail that is to be given to a mail server now. It counts as being sent already.
#[derive(Clone, Debug)]
pub(super) enum Delivery {
    /// To a client.
    Client {
        /// The mail.
        email: Box<WholeEmail>,
        /// Whom it comes from, by name.
        from_name: String,
        /// The postal address below it.
        postal_address: Option<String>,
        /// What its button's token is derived from.
        secret: String,
    },
    /// The daily mail to a member.
    Digest {
        /// Whose member.
        organization: OrganizationId,
        /// The mail.
        email: Box<StaffEmail>,
    },
    /// To one person, about one thing.
    Transactional {
        /// Whose member or client.
        organization: OrganizationId,
        /// The mail.
        email: Box<TransactionalEmail>,
        /// Whom it comes from, by name, when that is the organization.
        from_name: Option<String>,
        /// Where its button leads.
        button: String,
    },
}

impl Delivery {
    /// Where it goes.
    pub(super) fn address(&self) -> &str {
        match self {
            Self::Client { email, .. } => &email.email.address,
            Self::Digest { email, .. } => &email.address,
            Self::Transactional { email, .. } => &email.address,
        }
    }

    /// How often a mail server was asked to take it before.
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
    /// The organizations with mails to send or to give up.
    pub(super) async fn organizations_with_emails(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.organizations_with_emails(self.now()).await?)
    }

    /// The mails of an organization whose time has come, the most urgent first. Gives up those whose
    /// sender is gone.
    pub(super) async fn due_emails(&self, organization: OrganizationId) -> Result<Vec<Item>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.requeue_lost_transactional_emails(ago(now, LOST)).await?;
        let lost = tx.give_lost_emails_up(ago(now, LOST), LOST_REASON).await?;
        tx.give_lost_staff_emails_up(ago(now, LOST), LOST_REASON).await?;
        let mut due: Vec<Item> = Vec::new();
        due.extend(
            tx.transactional_emails_due(now, BATCH).await?.into_iter().map(Item::Transactional),
        );
        due.extend(tx.emails_due(now, BATCH).await?.into_iter().map(Item::Client));
        due.extend(tx.staff_emails_due(now, BATCH).await?.into_iter().map(Item::Digest));
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(lost, "mails may have been sent before the server stopped");
        }
        Ok(due)
    }

    /// Takes a mail to send it, for good: when this has answered with it, nobody else will. `None`
    /// when somebody else has it, or when it is not to be sent, not yet or not at all.
    pub(super) async fn take_email(
        &self,
        organization: OrganizationId,
        item: Item,
        site: &Site,
    ) -> Result<Option<Delivery>> {
        match item {
            Item::Transactional(id) => self.take_transactional_email(organization, id, site).await,
            Item::Client(id) => self.take_client_email(organization, id).await,
            Item::Digest(id) => {
                let email = self.take_staff_email(organization, id).await?;
                Ok(email.map(|email| Delivery::Digest { organization, email: Box::new(email) }))
            }
        }
    }

    async fn take_client_email(
        &self,
        organization: OrganizationId,
        id: EmailId,
    ) -> Result<Option<Delivery>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.begin_sending(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.email(id).await? else { return Ok(None) };
        let organization = tx.organization().await?;
        let kept = match may_go(&mut tx, &email, &organization, now).await? {
            Admission::Now => None,
            Admission::Later(at) => Some(SendEnd {
                state: EmailState::Queued,
                reason: Some("held until then".to_owned()),
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
            tx.end_sending(id, end, now).await?;
        }
        let settings = tx.email_settings().await?;
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

    /// Records how sending a mail ended.
    pub(super) async fn record_outcome(&self, delivery: &Delivery, outcome: Outcome) -> Result<()> {
        let now = self.now();
        let end = end_of(&outcome, delivery.attempts() + 1, now);
        tracing::info!(
            email = ?delivery.item(), state = %end.state, reason = ?end.reason, "a mail was tried"
        );
        let mut tx = self.store().begin(Scope::Service(delivery.organization())).await?;
        end_item(&mut tx, delivery.item(), &end, now).await?;
        if let Outcome::Refused { why, fault: Fault::Mailbox } = &outcome {
            tx.suppress_address(delivery.address(), why, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Gives up a mail that was put off, and its address: few were refused like it.
    pub(super) async fn suppress_refused(
        &self,
        organization: OrganizationId,
        item: Item,
        address: &str,
        why: &str,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let taken = match item {
            Item::Transactional(id) => tx.begin_sending_transactional(id, now).await?,
            Item::Client(id) => tx.begin_sending(id, now).await?,
            Item::Digest(id) => tx.begin_sending_to_staff(id, now).await?,
        };
        if taken {
            let end = SendEnd {
                state: EmailState::Failed,
                reason: Some(why.to_owned()),
                due_at: None,
                tried: false,
            };
            end_item(&mut tx, item, &end, now).await?;
        }
        tx.suppress_address(address, why, now).await?;
        Ok(tx.commit().await?)
    }

    /// Lets an organization's mails go that waited for the mail server, and tells its owners.
    pub(super) async fn resume_emails(
        &self,
        organization: OrganizationId,
        outage: &Outage,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.hasten_emails(self.now()).await?;
        tx.commit().await?;
        self.tell_owners_of_outage(organization, outage).await
    }

    /// A mail as somebody in front of a page sees it: its links lead nowhere.
    pub async fn preview_email(&self, scope: Scope, id: EmailId) -> Result<Rendered> {
        let email = self.email(scope, id).await?.whole;
        let settings = self.email_settings(scope).await?;
        let postal = settings.postal_address.as_deref();
        render(&email.content, postal, &preview_links(email.email.kind))
    }
}

async fn end_item(tx: &mut Tx, item: Item, end: &SendEnd, now: Timestamp) -> Result<()> {
    match item {
        Item::Transactional(id) => tx.end_sending_transactional(id, end, now).await?,
        Item::Client(id) => tx.end_sending(id, end, now).await?,
        Item::Digest(id) => tx.end_sending_to_staff(id, end, now).await?,
    }
    Ok(())
}

/// What becomes of a mail after so many tries. Only its recipient's fault ends it; whatever else keeps it
/// may be mended.
fn end_of(outcome: &Outcome, tries: i64, now: Timestamp) -> SendEnd {
    let jitter = fastrand::u16(0..=1_000);
    let trial = || now.checked_add(next_trial(tries, jitter)).ok();
    let (state, reason, due_at) = match outcome {
        Outcome::Sent => (EmailState::Sent, None, None),
        Outcome::Unknown(why) => (EmailState::Unknown, Some(why), None),
        Outcome::Refused { why, fault: Fault::Mailbox } | Outcome::Undeliverable(why) => {
            (EmailState::Failed, Some(why), None)
        }
        Outcome::Refused { why, .. } | Outcome::Again { why, recipient: false } => {
            (EmailState::Queued, Some(why), trial())
        }
        Outcome::Again { why, recipient: true } => match next_try(tries, jitter) {
            Some(wait) => (EmailState::Queued, Some(why), now.checked_add(wait).ok()),
            None => (EmailState::Failed, Some(why), None),
        },
    };
    SendEnd { state, reason: reason.cloned(), due_at, tried: true }
}

async fn may_go(
    tx: &mut Tx,
    email: &WholeEmail,
    organization: &Organization,
    now: Timestamp,
) -> Result<Admission> {
    let never = |why: &str| Ok(Admission::Never(why.to_owned()));
    if organization.sample {
        return never(SAMPLE);
    }
    let address = &email.email.address;
    if let Some(why) = tx.suppression(address).await? {
        return Ok(Admission::Never(format!("the address was refused: {why}")));
    }
    let wanted = match email.email.kind {
        EmailType::SubscriptionRequest => SubscriptionState::Pending,
        _ => SubscriptionState::Subscribed,
    };
    let subscription = tx.subscription(email.client).await?;
    if !subscription.is_some_and(|one| one.state == wanted && one.address == *address) {
        return never("the client does not want it, or not to this address, any more");
    }
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let since = ago(now, NUDGE_EVERY);
    let earlier = tx.emails_since(email.client, since, email.email.id).await?;
    let earlier: Vec<Earlier> =
        earlier.into_iter().map(|(kind, at)| Earlier { kind, at }).collect();
    let settings = tx.email_settings().await?;
    let candidate = Candidate {
        kind: email.email.kind,
        period: email.email.period,
        queued_at: email.email.created_at,
        earlier: &earlier,
    };
    Ok(admission(&candidate, &settings, &zone, now))
}
