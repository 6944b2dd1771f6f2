use std::{sync::Arc, time::Duration};

use lettre::{Address, transport::smtp::client::AsyncSmtpConnection};
use mainstay_core::{
    email::{EmailLinks, FailureCause, is_sender_fault},
    id::OrganizationId,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    Delivery, Item,
    address::WireAddress,
    link::links,
    message::{Letter, build},
    outbox::rendered_body,
    render::{Rendered, render},
    smtp::{Outcome, SmtpServer, send},
    status::{Evidence, QueueChange},
};
use crate::{
    Mainstay, Result,
    site::Site,
    supervise::{OnPanic, SENDER},
};

/// How often to look for due emails.
const TICK: Duration = Duration::from_secs(1);

/// The sender name of emails to members.
const SYSTEM_SENDER_NAME: &str = "Mainstay";

/// The parts of a message that depend on the recipient.
struct MessageContent {
    from_name: String,
    subject: String,
    rendered: Rendered,
}

/// Sends due emails until it is asked to stop. It finishes the email in progress.
pub fn start(
    mainstay: &Mainstay,
    server: SmtpServer,
    from: Address,
    site: Arc<Site>,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let services = mainstay.clone();
    mainstay.supervisor().spawn(SENDER, OnPanic::Restart, move || {
        let (server, from, site) = (server.clone(), from.clone(), Arc::clone(&site));
        run(Sender::new(services.clone(), server, from, site, stop.clone()))
    })
}

async fn run(mut sender: Sender) {
    let mut stop = sender.stop.clone();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = ticks.tick() => {}
        }
        sender.mainstay.supervisor().fail_point(SENDER);
        if let Err(error) = sender.send_due().await {
            tracing::error!(%error, "failed to look up due emails; will retry");
        }
    }
    sender.disconnect().await;
}

/// Sends due emails to one mail server over one connection.
pub struct Sender {
    mainstay: Mainstay,
    server: SmtpServer,
    from: Address,
    site: Arc<Site>,
    stop: watch::Receiver<bool>,
    connection: Option<AsyncSmtpConnection>,
}

/// A run through the due emails of one organization.
#[derive(Default)]
struct Run {
    tried: u64,
    /// Emails that were rejected for an unclear reason.
    unclear: Vec<(Item, String, String)>,
}

impl Sender {
    /// Creates a sender that stops before the next email once `stop` is true.
    pub fn new(
        mainstay: Mainstay,
        server: SmtpServer,
        from: Address,
        site: Arc<Site>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        mainstay.mail_status().set_configured();
        Self { mainstay, server, from, site, stop, connection: None }
    }

    /// Sends all due emails.
    ///
    /// # Errors
    /// If due emails cannot be looked up. A failed delivery is not an error.
    pub async fn send_due(&mut self) -> Result<()> {
        // Staff hear of a mail server that cannot be used before there is an email for it, and of one that
        // can be used again when there is none any more.
        if !self.mainstay.mail_status().is_reached() {
            self.ensure_connected().await;
        }
        for organization in self.mainstay.organizations_with_emails().await? {
            // What is wrong with one organization's emails keeps nobody else's.
            if let Err(error) = self.send_queue(organization).await {
                tracing::error!(%organization, %error, "failed to send emails; will retry");
            }
        }
        // An idle connection is closed by the server before long.
        self.disconnect().await;
        Ok(())
    }

    /// Sends an organization's emails until none is due or its queue is paused.
    async fn send_queue(&mut self, organization: OrganizationId) -> Result<()> {
        let mut run = Run::default();
        loop {
            let due = self.mainstay.due_emails(organization).await?;
            if due.is_empty() {
                break;
            }
            for item in due {
                let may_send =
                    self.mainstay.mail_status().may_send(organization, self.mainstay.now());
                if *self.stop.borrow() || !may_send || !self.ensure_connected().await {
                    return self.suppress_unclear(organization, run).await;
                }
                self.attempt(organization, item, &mut run).await?;
            }
        }
        self.suppress_unclear(organization, run).await
    }

    /// Sends one email, unless another process does or it must not be sent.
    async fn attempt(
        &mut self,
        organization: OrganizationId,
        item: Item,
        run: &mut Run,
    ) -> Result<()> {
        let Some(delivery) = self.mainstay.claim_email(organization, item, &self.site).await?
        else {
            return Ok(());
        };
        run.tried += 1;
        let outcome = self.isolated(async |sender| sender.send(&delivery).await).await;
        if let Outcome::Refused { reason, fault: FailureCause::Unclear } = &outcome {
            run.unclear.push((item, delivery.address().to_owned(), reason.clone()));
        }
        let unclear = u64::try_from(run.unclear.len()).unwrap_or(u64::MAX);
        let refused = |reason| Evidence::Refused { reason, first: delivery.attempts() == 0 };
        let evidence = match &outcome {
            Outcome::Sent => Evidence::Accepted,
            Outcome::Refused { reason, fault: FailureCause::Sender } => refused(reason),
            Outcome::Refused { reason, fault: FailureCause::Unclear }
                if is_sender_fault(unclear, run.tried) =>
            {
                refused(reason)
            }
            _ => Evidence::Neither,
        };
        let status = self.mainstay.mail_status();
        let change = status.record(organization, evidence, self.mainstay.now());
        self.mainstay.record_outcome(&delivery, outcome).await?;
        match change {
            QueueChange::None => Ok(()),
            QueueChange::Stopped(outage) => {
                tracing::error!(
                    %organization, reason = outage.reason, retry_delay = %outage.retry_delay,
                    "the mail server rejects this organization's emails; its queue is paused"
                );
                Ok(())
            }
            QueueChange::Resumed(outage) => {
                tracing::info!(%organization, since = %outage.since, "the mail server accepts this organization's emails again");
                self.mainstay.resume_emails(organization, &outage).await
            }
        }
    }

    /// Suppresses the addresses of unclear rejections of a run if there are only few.
    async fn suppress_unclear(&self, organization: OrganizationId, run: Run) -> Result<()> {
        let unclear = u64::try_from(run.unclear.len()).unwrap_or(u64::MAX);
        if is_sender_fault(unclear, run.tried) {
            return Ok(());
        }
        for (item, address, reason) in run.unclear {
            self.mainstay.suppress_refused(organization, item, &address, &reason).await?;
        }
        Ok(())
    }

    /// Connects if necessary, before an email is claimed: an unreachable server must not count as a
    /// failed attempt.
    async fn ensure_connected(&mut self) -> bool {
        if self.connection.is_some() {
            return true;
        }
        let (now, status) = (self.mainstay.now(), self.mainstay.mail_status());
        if !status.may_connect(now) {
            return false;
        }
        match self.server.connect().await {
            Ok(connection) => {
                self.connection = Some(connection);
                status.record_reached();
                true
            }
            Err(error) => {
                let retry_delay = status.record_unreachable(&error, now);
                tracing::warn!(error, %retry_delay, "the mail server cannot be reached");
                false
            }
        }
    }

    /// Sends one email; a panic only fails this email.
    async fn isolated(&mut self, send: impl AsyncFnOnce(&mut Self) -> Outcome) -> Outcome {
        let supervisor = Arc::clone(self.mainstay.supervisor());
        let outcome = supervisor
            .isolate("email", async {
                supervisor.fail_point("email");
                send(self).await
            })
            .await;
        match outcome {
            Ok(outcome) => outcome,
            Err(panicked) => {
                self.disconnect().await;
                Outcome::Undeliverable(panicked.to_string())
            }
        }
    }

    async fn send(&mut self, delivery: &Delivery) -> Outcome {
        let addresses = WireAddress::parse(self.from.as_ref())
            .and_then(|from| Ok((from, WireAddress::parse(delivery.address())?)));
        let (from, to) = match addresses {
            Ok(addresses) => addresses,
            Err(reason) => return Outcome::Undeliverable(reason),
        };
        let message = match self.message(delivery, &from, &to) {
            Ok(message) => message,
            Err(reason) => return Outcome::Undeliverable(reason),
        };
        let Some(connection) = &mut self.connection else {
            let reason = "the connection was lost".to_owned();
            return Outcome::Retry { reason, recipient: false };
        };
        let outcome = send(connection, &from, &to, &message).await;
        if outcome != Outcome::Sent {
            // What state the server is in is not known any more.
            self.disconnect().await;
        }
        outcome
    }

    fn message(
        &self,
        delivery: &Delivery,
        from: &WireAddress,
        to: &WireAddress,
    ) -> std::result::Result<Vec<u8>, String> {
        let (id, content, links) = match delivery {
            Delivery::Client { email, from_name, postal_address, secret, .. } => {
                let links = links(email, secret, &self.site.link(""));
                let content = MessageContent {
                    from_name: from_name.clone(),
                    subject: email.email.subject.clone(),
                    rendered: rendered_body(email, postal_address.as_deref(), &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.email.id.to_string(), content, links)
            }
            Delivery::Digest { email, .. } => {
                let links = EmailLinks::button_only(self.site.link("/alerts"));
                let content = MessageContent {
                    from_name: SYSTEM_SENDER_NAME.to_owned(),
                    subject: email.subject.clone(),
                    rendered: render(&email.content, None, &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.id.to_string(), content, links)
            }
            Delivery::Transactional { email, from_name, button, .. } => {
                let links = EmailLinks::button_only(button.clone());
                let content = MessageContent {
                    from_name: from_name.clone().unwrap_or_else(|| SYSTEM_SENDER_NAME.to_owned()),
                    subject: email.subject.clone(),
                    rendered: render(&email.content, None, &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.id.to_string(), content, links)
            }
        };
        let letter = Letter {
            id,
            from_name: &content.from_name,
            from: &from.address,
            to,
            subject: &content.subject,
            rendered: content.rendered,
            host: self.site.public_url.host_str().unwrap_or("localhost"),
            now: self.mainstay.now(),
        };
        build(letter, &links)
    }

    async fn disconnect(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.abort().await;
        }
    }
}
