use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{
        Admission, Earlier, EmailState, EmailType, NUDGE_EVERY, SubscriptionState, admission,
        next_try,
    },
    id::{EmailId, OrganizationId, StaffEmailId},
    time::time_zone,
};
use mainstay_store::{Organization, Scope, SendEnd, StaffEmail, Tx, WholeEmail};

use super::{
    SAMPLE, ago, named,
    render::{Rendered, preview_links, render},
    smtp::Outcome,
};
use crate::{Error, Mainstay, Result};

/// A sender of which nothing was heard for so long is gone: no attempt takes as long.
const LOST: SignedDuration = SignedDuration::from_mins(10);
const LOST_REASON: &str =
    "the server stopped while it was sending; it may have been sent, and is not sent again";

/// A mail that is to be given to a mail server now. It counts as being sent already.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The mail.
    pub email: WholeEmail,
    /// Who writes.
    pub organization: Organization,
    /// Whom it comes from, by name.
    pub from_name: String,
    /// The postal address below it.
    pub postal_address: Option<String>,
}

impl Mainstay {
    /// The organizations with mails to send or to give up.
    pub(super) async fn organizations_with_emails(&self) -> Result<Vec<OrganizationId>> {
        let mut tx = self.store().read(Scope::System).await?;
        Ok(tx.organizations_with_emails(self.now()).await?)
    }

    /// The mails of an organization whose time has come. Gives up those whose sender is gone.
    pub(super) async fn due_emails(
        &self,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<Vec<EmailId>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let lost = tx.give_lost_emails_up(ago(now, LOST), LOST_REASON).await?;
        let due = tx.emails_due(now, limit).await?;
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(lost, "mails may have been sent before the server stopped");
        }
        Ok(due)
    }

    /// Takes a mail to send it, for good: when this has answered with it, nobody else will. `None`
    /// when somebody else has it, or when it is not to be sent, not yet or not at all.
    pub async fn take_email(
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
        let from_name = settings.from_name.unwrap_or_else(|| organization.name.clone());
        let postal_address = settings.postal_address;
        let delivery = Delivery { email, organization, from_name, postal_address };
        Ok(kept.is_none().then_some(delivery))
    }

    /// Records how sending a mail ended.
    pub(super) async fn record_outcome(&self, delivery: &Delivery, outcome: Outcome) -> Result<()> {
        let now = self.now();
        let email = &delivery.email;
        let end = end_of(&outcome, email.email.attempts + 1, now);
        let (state, reason) = (end.state, &end.reason);
        tracing::info!(client = named(email.client), %state, ?reason, "a mail was tried");
        let mut tx = self.store().begin(Scope::Service(email.organization)).await?;
        tx.end_sending(email.email.id, &end, now).await?;
        if let Outcome::Refused { why, recipient: true } = &outcome {
            tx.suppress_address(&email.email.address, why, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The mails to an organization's members whose time has come. Gives up those whose sender is
    /// gone.
    pub(super) async fn due_staff_emails(
        &self,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<Vec<StaffEmailId>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.give_lost_staff_emails_up(ago(now, LOST), LOST_REASON).await?;
        let due = tx.staff_emails_due(now, limit).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// Records how sending a mail to a member ended.
    pub(super) async fn record_staff_outcome(
        &self,
        organization: OrganizationId,
        email: &StaffEmail,
        outcome: Outcome,
    ) -> Result<()> {
        let now = self.now();
        let end = end_of(&outcome, email.attempts + 1, now);
        tracing::info!(member = %email.member, state = %end.state, reason = ?end.reason, "a digest was tried");
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        tx.end_sending_to_staff(email.id, &end, now).await?;
        if let Outcome::Refused { why, recipient: true } = &outcome {
            tx.suppress_address(&email.address, why, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// A mail as somebody in front of a page sees it: its links lead nowhere.
    pub async fn preview_email(&self, scope: Scope, id: EmailId) -> Result<Rendered> {
        let email = self.email(scope, id).await?.whole;
        let settings = self.email_settings(scope).await?;
        let postal = settings.postal_address.as_deref();
        render(&email.content, postal, &preview_links(email.email.kind))
    }
}

/// What becomes of a mail after so many tries.
fn end_of(outcome: &Outcome, tries: i64, now: Timestamp) -> SendEnd {
    let (state, reason, due_at) = match outcome {
        Outcome::Sent => (EmailState::Sent, None, None),
        Outcome::Unknown(why) => (EmailState::Unknown, Some(why), None),
        Outcome::Refused { why, .. } => (EmailState::Failed, Some(why), None),
        Outcome::Again(why) => match next_try(tries, fastrand::u16(0..=1_000)) {
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
    let earlier = tx.emails_since(email.client, ago(now, NUDGE_EVERY)).await?;
    let earlier: Vec<Earlier> =
        earlier.into_iter().map(|(kind, at)| Earlier { kind, at }).collect();
    let settings = tx.email_settings().await?;
    let (kind, queued_at) = (email.email.kind, email.email.created_at);
    Ok(admission(kind, queued_at, &earlier, &settings, &zone, now))
}
