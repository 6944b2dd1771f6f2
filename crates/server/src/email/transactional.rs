//! Transactional emails: password resets, sign-in links for clients, notices for owners, tests.
//! Sign-in links are only created when the email is sent, and stored nowhere before.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{EmailContent, EmailState, SubscriptionState, TransactionalKind},
    id::{MemberId, OrganizationId, TransactionalEmailId},
    insight::words::join_with_and,
    text::{count_noun, format_thousands},
    time::{local_day, time_zone},
};
use mainstay_store::{
    Addressee, LinkKind, Member, NewTransactionalEmail, Organization, RecordedFailures, Role,
    Scope, SendEnd, TransactionalEmail, Tx, new_id,
};

use super::{Outage, SAMPLE, ago, deliver::Delivery, track::OpenedEmail};
use crate::{Error, Mainstay, Result, site::Site};

/// Lifetime of a client's sign-in link.
const SIGN_IN_LINK_TTL: SignedDuration = SignedDuration::from_hours(24);
/// How long a requested link or a test is worth sending.
const REQUEST_TTL: SignedDuration = SignedDuration::from_hours(24);
/// How long a notice for owners is worth sending.
const NOTICE_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Maximum number of emails of a kind to one person per hour: earlier links stay valid.
const MAX_PER_HOUR: i64 = 5;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Maximum number of active password reset links of a member.
const MAX_LIVE_RESETS: i64 = 5;
/// Owners are only emailed about outages of at least this length.
const NOTABLE_OUTAGE: SignedDuration = SignedDuration::from_mins(10);

/// The queue, and the last test.
#[derive(Clone, Debug)]
pub struct MailOverview {
    /// The number of queued emails, to clients and members.
    pub waiting: i64,
    /// The last test email.
    pub last_test: Option<TransactionalEmail>,
}

impl Mainstay {
    /// The queued emails and the last test.
    pub async fn mail_overview(&self, organization: OrganizationId) -> Result<MailOverview> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let waiting = tx.count_waiting_emails().await?;
        let last_test = tx.find_latest_transactional_email(TransactionalKind::Test).await?;
        Ok(MailOverview { waiting, last_test })
    }

    /// Emails a member a password reset link, unless it has enough active ones.
    pub(crate) async fn queue_password_reset(
        &self,
        organization: OrganizationId,
        member: MemberId,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let Some(member) = find(&mut tx, member).await? else { return Ok(()) };
        let to = Addressee::Member(member.id);
        let live = tx.count_live_sign_in_links(member.id, LinkKind::Reset, now).await?;
        let kind = TransactionalKind::PasswordReset;
        if live >= MAX_LIVE_RESETS || !is_below_limit(&mut tx, kind, to, now).await? {
            tracing::info!(%organization, member = %member.id, "too many password reset links are active");
            return Ok(());
        }
        let organization = tx.get_organization().await?;
        let subject = format!("Choose a new password for {}", organization.name);
        let content = EmailContent {
            organization: organization.name,
            about: "New password".to_owned(),
            preview: "The link works once, for 24 hours.".to_owned(),
            heading: "Choose a new password.".to_owned(),
            lead: "Somebody, most likely you, asked for a new password of your account. The link works \
                   once, for 24 hours. If it was not you, do nothing: your password stays as it is."
                .to_owned(),
            button: "Choose a new password".to_owned(),
            ..EmailContent::default()
        };
        let email = new_email(kind, to, member.email, (subject, content), now, REQUEST_TTL);
        tx.enqueue_transactional_emails(&[email], now).await?;
        Ok(tx.commit().await?)
    }

    /// Emails a client a new sign-in link, to its subscribed address; returns `false` if there is
    /// none.
    ///
    /// # Errors
    /// [`Error::Conflict`] if no mail server is configured.
    pub async fn request_sign_in_link(&self, opened: &OpenedEmail) -> Result<bool> {
        self.check_mail_server()?;
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(opened.organization.id)).await?;
        let subscription = tx.find_subscription(opened.email.client).await?;
        // An address that was only asked about is nobody's yet.
        let address = subscription
            .filter(|one| one.state != SubscriptionState::Pending && !one.address.is_empty())
            .map(|one| one.address);
        let Some(address) = address else { return Ok(false) };
        let to = Addressee::Client(opened.email.client);
        let kind = TransactionalKind::SignInLink;
        if !is_below_limit(&mut tx, kind, to, now).await? {
            return Ok(true);
        }
        let organization = opened.organization.name.clone();
        let subject = format!("Your link to {organization}");
        let content = EmailContent {
            organization,
            about: "Your link".to_owned(),
            preview: "The link works for 24 hours.".to_owned(),
            heading: "Your link to your dashboard.".to_owned(),
            lead:
                "You asked for a new link. It works for 24 hours. If you did not ask, do nothing."
                    .to_owned(),
            button: "Open your dashboard".to_owned(),
            ..EmailContent::default()
        };
        let email = new_email(kind, to, address, (subject, content), now, REQUEST_TTL);
        tx.enqueue_transactional_emails(&[email], now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Sends a test email to a member, immediately.
    ///
    /// # Errors
    /// [`Error::Conflict`] if no mail server is configured, for sample data, and after too many tests.
    pub async fn send_test_email(
        &self,
        organization: OrganizationId,
        member: &Member,
    ) -> Result<()> {
        self.check_mail_server()?;
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let sender = tx.get_organization().await?;
        if sender.sample {
            return Err(Error::conflict(
                "this organization contains sample data and sends no emails; use another organization",
            ));
        }
        let (kind, to) = (TransactionalKind::Test, Addressee::Member(member.id));
        if !is_below_limit(&mut tx, kind, to, now).await? {
            return Err(Error::conflict(format!(
                "you were sent {} in the last hour; check the latest one, or wait",
                count_noun(MAX_PER_HOUR, "test email")
            )));
        }
        let subject = format!("Test email from {}", sender.name);
        let content = EmailContent {
            organization: sender.name,
            about: "Test".to_owned(),
            preview: "Mainstay can send emails.".to_owned(),
            heading: "Mainstay can send emails.".to_owned(),
            lead: "This test was sent from the email settings. No action is needed.".to_owned(),
            button: "Open the email settings".to_owned(),
            ..EmailContent::default()
        };
        let email = new_email(kind, to, member.email.clone(), (subject, content), now, REQUEST_TTL);
        tx.enqueue_transactional_emails(&[email], now).await?;
        tx.commit().await?;
        self.mail_status().try_now(organization, now);
        Ok(())
    }

    fn check_mail_server(&self) -> Result<()> {
        if self.mail_status().is_configured() {
            return Ok(());
        }
        Err(Error::conflict(
            "no mail server is configured, so no email can be sent; the operator must set \
             MAINSTAY_SMTP_URL and MAINSTAY_MAIL_FROM",
        ))
    }

    /// Notifies owners about an outage of their organization's emails, after it has ended.
    pub(super) async fn notify_owners_of_outage(
        &self,
        organization: OrganizationId,
        outage: &Outage,
    ) -> Result<()> {
        let lasted = self.now().duration_since(outage.since);
        if lasted < NOTABLE_OUTAGE {
            return Ok(());
        }
        let lead = format!(
            "For {}, the mail server rejected this organization's emails. All emails were kept and \
             are being sent now. Its reply: {}",
            format_duration(lasted),
            outage.reason
        );
        let about = "Emails waited".to_owned();
        self.notify_owners(organization, &format!("mail:{}", outage.since), about, lead).await
    }

    /// Emails a notice to the owners of an organization, once per key.
    pub(crate) async fn notify_owners(
        &self,
        organization: OrganizationId,
        key: &str,
        about: String,
        lead: String,
    ) -> Result<()> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        queue_owner_notices(&mut tx, key, &about, &lead, now).await?;
        Ok(tx.commit().await?)
    }

    /// Claims a transactional email; `None` if another process has it or it must not be sent.
    pub(super) async fn claim_transactional_email(
        &self,
        organization: OrganizationId,
        id: TransactionalEmailId,
        site: &Site,
    ) -> Result<Option<Delivery>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.claim_transactional_email(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.find_transactional_email(id).await? else { return Ok(None) };
        let sender = tx.get_organization().await?;
        let reason = if sender.sample {
            Some(SAMPLE)
        } else {
            (email.expires_at <= now).then_some("expired before it could be sent")
        };
        if let Some(reason) = reason {
            let end = SendEnd {
                state: EmailState::Suppressed,
                reason: Some(reason.to_owned()),
                due_at: None,
                tried: false,
            };
            tx.complete_transactional_email(id, &end, now).await?;
            tx.commit().await?;
            return Ok(None);
        }
        tx.commit().await?;
        let button = self.button_of(&sender, &email, site).await?;
        let from_name = email.client_id.is_some().then_some(sender.name);
        Ok(Some(Delivery::Transactional {
            organization,
            email: Box::new(email),
            from_name,
            button,
        }))
    }

    async fn button_of(
        &self,
        organization: &Organization,
        email: &TransactionalEmail,
        site: &Site,
    ) -> Result<String> {
        let now = self.now();
        Ok(match (email.kind, email.to, &email.client_id) {
            (TransactionalKind::PasswordReset, Addressee::Member(member), _) => {
                self.reset_link(organization.id, member, site).await?.url
            }
            (TransactionalKind::SignInLink, _, Some(client_id)) => {
                let until = now.checked_add(SIGN_IN_LINK_TTL).unwrap_or(now);
                self.client_link(organization.id, client_id, Some(until), site).await?.url
            }
            (TransactionalKind::Test, ..) => site.link("/settings/emails"),
            (TransactionalKind::SignInWarning, ..) => site.link("/settings/profile"),
            _ => site.link("/emails"),
        })
    }
}

/// Queues a notice for each owner of the transaction's organization, once per key.
pub(crate) async fn queue_owner_notices(
    tx: &mut Tx,
    key: &str,
    about: &str,
    lead: &str,
    now: Timestamp,
) -> Result<()> {
    let organization = tx.get_organization().await?.name;
    let owners = tx.list_members().await?.into_iter().filter(|member| member.role == Role::Owner);
    let emails: Vec<NewTransactionalEmail> = owners
        .map(|owner| {
            let content = EmailContent {
                organization: organization.clone(),
                about: about.to_owned(),
                preview: lead.to_owned(),
                heading: format!("{about}."),
                lead: lead.to_owned(),
                button: "Open Mainstay".to_owned(),
                ..EmailContent::default()
            };
            let said = (format!("{about}: {organization}"), content);
            let (kind, to) = (TransactionalKind::OwnerNotice, Addressee::Member(owner.id));
            let email = new_email(kind, to, owner.email, said, now, NOTICE_TTL);
            NewTransactionalEmail { dedup_key: Some(format!("{key}:{}", owner.id)), ..email }
        })
        .collect();
    tx.enqueue_transactional_emails(&emails, now).await?;
    Ok(())
}

/// Queues a warning for a member after many failed sign-ins, at most one per local day.
pub(crate) async fn queue_sign_in_warning(
    tx: &mut Tx,
    member: MemberId,
    recorded: &RecordedFailures,
    now: Timestamp,
) -> Result<()> {
    let Some(member) = find(tx, member).await? else { return Ok(()) };
    let organization = tx.get_organization().await?;
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let RecordedFailures { failures, places } = recorded;
    let lead = format!(
        "{} wrong passwords were tried for your account since {} ({} time). The latest came from {}. If \
         that was you, no action is needed. If not, choose a new password that you use nowhere \
         else.",
        format_thousands(failures.count),
        failures.since.to_zoned(zone.clone()).strftime("%-d %B, %H:%M"),
        organization.time_zone,
        join_with_and(places),
    );
    let subject = format!("Failed sign-ins to your account at {}", organization.name);
    let content = EmailContent {
        organization: organization.name,
        about: "Failed sign-ins".to_owned(),
        preview: lead.clone(),
        heading: "Someone may be trying to guess your password.".to_owned(),
        lead,
        button: "Change your password".to_owned(),
        notes: vec!["You get this email at most once a day.".to_owned()],
        ..EmailContent::default()
    };
    let (kind, to) = (TransactionalKind::SignInWarning, Addressee::Member(member.id));
    let key = format!("sign-in:{}:{}", member.id, local_day(now, &zone));
    let email = new_email(kind, to, member.email, (subject, content), now, REQUEST_TTL);
    let email = NewTransactionalEmail { dedup_key: Some(key), ..email };
    tx.enqueue_transactional_emails(&[email], now).await?;
    Ok(())
}

async fn find(tx: &mut Tx, member: MemberId) -> Result<Option<Member>> {
    Ok(tx.list_members().await?.into_iter().find(|one| one.id == member))
}

/// Whether the recipient is below the limit for a kind.
async fn is_below_limit(
    tx: &mut Tx,
    kind: TransactionalKind,
    to: Addressee,
    now: Timestamp,
) -> Result<bool> {
    Ok(tx.count_transactional_emails(kind, to, ago(now, HOUR)).await? < MAX_PER_HOUR)
}

fn new_email(
    kind: TransactionalKind,
    to: Addressee,
    address: String,
    (subject, content): (String, EmailContent),
    now: Timestamp,
    ttl: SignedDuration,
) -> NewTransactionalEmail {
    NewTransactionalEmail {
        id: new_id(now),
        kind,
        to,
        address,
        dedup_key: None,
        subject,
        content,
        due_at: now,
        expires_at: now.checked_add(ttl).unwrap_or(now),
    }
}

/// `25 minutes`, `3 hours`, `2 days`.
fn format_duration(time: SignedDuration) -> String {
    match (time.as_hours(), time.as_mins()) {
        (0, minutes) => count_noun(minutes, "minute"),
        (hours @ 1..48, _) => count_noun(hours, "hour"),
        (hours, _) => count_noun(hours / 24, "day"),
    }
}
