//! Emails to one person about one thing: a new password, a way back to a client's page, what owners have
//! to know, a test. A link that lets somebody in is made when its email is sent, and kept nowhere before.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{EmailContent, EmailState, SubscriptionState, TransactionalKind},
    id::{MemberId, OrganizationId, TransactionalEmailId},
    insight::words::listed,
    text::{counted, grouped},
    time::{local_day, time_zone},
};
use mainstay_store::{
    Addressee, LinkKind, Member, NewTransactionalEmail, Organization, RecordedFailures, Role,
    Scope, SendEnd, TransactionalEmail, Tx, new_id,
};

use super::{Outage, SAMPLE, ago, deliver::Delivery, track::OpenedEmail};
use crate::{Error, Mainstay, Result, site::Site};

/// How long the link works by which a client comes to its page.
const SIGN_IN_LINK_TTL: SignedDuration = SignedDuration::from_hours(24);
/// A link that was asked for is of no use to anybody after this; neither is a test.
const REQUEST_TTL: SignedDuration = SignedDuration::from_hours(24);
/// How long news for owners is worth sending.
const NOTICE_TTL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Emails of a kind to one person in an hour: whoever asks again has the earlier ones, which all work.
const MAX_PER_HOUR: i64 = 5;
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Links for a new password of one member that can be used at a time.
const MAX_LIVE_RESETS: i64 = 5;
/// Owners hear of a stop that was shorter only on the pages about mail.
const NOTABLE_OUTAGE: SignedDuration = SignedDuration::from_mins(10);

/// What waits, and what came of the last test.
#[derive(Clone, Debug)]
pub struct MailOverview {
    /// How many emails wait, to clients and members.
    pub waiting: i64,
    /// The last test email.
    pub last_test: Option<TransactionalEmail>,
}

impl Mainstay {
    /// What waits to be sent, and what came of the last test.
    pub async fn mail_overview(&self, organization: OrganizationId) -> Result<MailOverview> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let waiting = tx.count_waiting_emails().await?;
        let last_test = tx.latest_transactional_email(TransactionalKind::Test).await?;
        Ok(MailOverview { waiting, last_test })
    }

    /// Mails a member a link for a new password, unless it has enough of them that work.
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
        if live >= MAX_LIVE_RESETS || !has_room(&mut tx, kind, to, now).await? {
            tracing::info!(%organization, member = %member.id, "enough links for a new password are out");
            return Ok(());
        }
        let organization = tx.organization().await?;
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
        let email = new(kind, to, member.email, (subject, content), now, REQUEST_TTL);
        tx.queue_transactional_emails(&[email], now).await?;
        Ok(tx.commit().await?)
    }

    /// Mails the client of a mail a new link to its page, to the address that it gets mails at now.
    /// `false` when there is none.
    ///
    /// # Errors
    /// [`Error::Conflict`] when no mail server is set.
    pub async fn request_sign_in_link(&self, opened: &OpenedEmail) -> Result<bool> {
        self.check_mail_server()?;
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(opened.organization.id)).await?;
        let subscription = tx.subscription(opened.email.client).await?;
        // An address that was only asked about is nobody's yet.
        let address = subscription
            .filter(|one| one.state != SubscriptionState::Pending && !one.address.is_empty())
            .map(|one| one.address);
        let Some(address) = address else { return Ok(false) };
        let to = Addressee::Client(opened.email.client);
        let kind = TransactionalKind::SignInLink;
        if !has_room(&mut tx, kind, to, now).await? {
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
        let email = new(kind, to, address, (subject, content), now, REQUEST_TTL);
        tx.queue_transactional_emails(&[email], now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Mails a member a test, and tries the mail server at once.
    ///
    /// # Errors
    /// [`Error::Conflict`] when no mail server is set, for sample data, and after too many tests.
    pub async fn send_test_email(
        &self,
        organization: OrganizationId,
        member: &Member,
    ) -> Result<()> {
        self.check_mail_server()?;
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        let sender = tx.organization().await?;
        if sender.sample {
            return Err(Error::conflict(
                "this organization is sample data, for which nothing is sent; use one of your own",
            ));
        }
        let (kind, to) = (TransactionalKind::Test, Addressee::Member(member.id));
        if !has_room(&mut tx, kind, to, now).await? {
            return Err(Error::conflict(format!(
                "you were sent {} in the last hour; look at what came of the last one, or wait",
                counted(MAX_PER_HOUR, "test email")
            )));
        }
        let subject = format!("Test email from {}", sender.name);
        let content = EmailContent {
            organization: sender.name,
            about: "Test".to_owned(),
            preview: "Mainstay can send emails.".to_owned(),
            heading: "Mainstay can send emails.".to_owned(),
            lead: "This test was sent from the e-mail settings. Nothing else is to be done."
                .to_owned(),
            button: "Open the e-mail settings".to_owned(),
            ..EmailContent::default()
        };
        let email = new(kind, to, member.email.clone(), (subject, content), now, REQUEST_TTL);
        tx.queue_transactional_emails(&[email], now).await?;
        tx.commit().await?;
        self.mail_status().try_now(organization, now);
        Ok(())
    }

    fn check_mail_server(&self) -> Result<()> {
        if self.mail_status().is_configured() {
            return Ok(());
        }
        Err(Error::conflict(
            "no mail server is set, so no email can be sent; whoever runs the server sets \
             MAINSTAY_SMTP_URL and MAINSTAY_MAIL_FROM",
        ))
    }

    /// Tells owners that their organization's mails waited, and why. It could not be mailed before.
    pub(super) async fn tell_owners_of_outage(
        &self,
        organization: OrganizationId,
        outage: &Outage,
    ) -> Result<()> {
        let lasted = self.now().duration_since(outage.since);
        if lasted < NOTABLE_OUTAGE {
            return Ok(());
        }
        let lead = format!(
            "For {}, the mail server refused what this organization sends. All emails were kept and are \
             sent now. It said: {}",
            lasting(lasted),
            outage.reason
        );
        let about = "Emails waited".to_owned();
        self.tell_owners(organization, &format!("mail:{}", outage.since), about, lead).await
    }

    /// Mails the owners of an organization what they have to know, once for each key.
    pub(crate) async fn tell_owners(
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

    /// Takes a transactional email to send it; `None` when somebody else has it or it is not to be sent.
    pub(super) async fn take_transactional_email(
        &self,
        organization: OrganizationId,
        id: TransactionalEmailId,
        site: &Site,
    ) -> Result<Option<Delivery>> {
        let now = self.now();
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.begin_sending_transactional(id, now).await? {
            return Ok(None);
        }
        let Some(email) = tx.transactional_email(id).await? else { return Ok(None) };
        let sender = tx.organization().await?;
        let why = if sender.sample {
            Some(SAMPLE)
        } else {
            (email.expires_at <= now).then_some("it waited until it was out of date")
        };
        if let Some(why) = why {
            let end = SendEnd {
                state: EmailState::Suppressed,
                reason: Some(why.to_owned()),
                due_at: None,
                tried: false,
            };
            tx.end_sending_transactional(id, &end, now).await?;
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

/// Queues a notice for each owner of the transaction's organization, once for each key.
pub(crate) async fn queue_owner_notices(
    tx: &mut Tx,
    key: &str,
    about: &str,
    lead: &str,
    now: Timestamp,
) -> Result<()> {
    let organization = tx.organization().await?.name;
    let owners = tx.members().await?.into_iter().filter(|member| member.role == Role::Owner);
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
            let email = new(kind, to, owner.email, said, now, NOTICE_TTL);
            NewTransactionalEmail { dedup_key: Some(format!("{key}:{}", owner.id)), ..email }
        })
        .collect();
    tx.queue_transactional_emails(&emails, now).await?;
    Ok(())
}

/// Queues a warning for a member whose password somebody seems to guess, at most one a local day.
pub(crate) async fn queue_sign_in_warning(
    tx: &mut Tx,
    member: MemberId,
    recorded: &RecordedFailures,
    now: Timestamp,
) -> Result<()> {
    let Some(member) = find(tx, member).await? else { return Ok(()) };
    let organization = tx.organization().await?;
    let zone =
        time_zone(&organization.time_zone).map_err(|reason| Error::invalid("time_zone", reason))?;
    let RecordedFailures { failures, places } = recorded;
    let lead = format!(
        "{} wrong passwords were tried for your account since {} ({} time). The latest came from {}. If \
         that was you, there is nothing to do. If it was not, choose a new password that you use nowhere \
         else.",
        grouped(failures.count),
        failures.since.to_zoned(zone.clone()).strftime("%-d %B, %H:%M"),
        organization.time_zone,
        listed(places),
    );
    let subject = format!("Failed sign-ins to your account at {}", organization.name);
    let content = EmailContent {
        organization: organization.name,
        about: "Failed sign-ins".to_owned(),
        preview: lead.clone(),
        heading: "Somebody may be guessing your password.".to_owned(),
        lead,
        button: "Change your password".to_owned(),
        notes: vec!["You get this email at most once a day.".to_owned()],
        ..EmailContent::default()
    };
    let (kind, to) = (TransactionalKind::SignInWarning, Addressee::Member(member.id));
    let key = format!("sign-in:{}:{}", member.id, local_day(now, &zone));
    let email = new(kind, to, member.email, (subject, content), now, REQUEST_TTL);
    let email = NewTransactionalEmail { dedup_key: Some(key), ..email };
    tx.queue_transactional_emails(&[email], now).await?;
    Ok(())
}

async fn find(tx: &mut Tx, member: MemberId) -> Result<Option<Member>> {
    Ok(tx.members().await?.into_iter().find(|one| one.id == member))
}

/// Whether somebody may be sent one more of a kind.
async fn has_room(
    tx: &mut Tx,
    kind: TransactionalKind,
    to: Addressee,
    now: Timestamp,
) -> Result<bool> {
    Ok(tx.count_transactional_emails(kind, to, ago(now, HOUR)).await? < MAX_PER_HOUR)
}

fn new(
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
fn lasting(time: SignedDuration) -> String {
    match (time.as_hours(), time.as_mins()) {
        (0, minutes) => counted(minutes, "minute"),
        (hours @ 1..48, _) => counted(hours, "hour"),
        (hours, _) => counted(hours / 24, "day"),
    }
}
