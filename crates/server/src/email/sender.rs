use std::{sync::Arc, time::Duration};

use lettre::{Address, transport::smtp::client::AsyncSmtpConnection};
use mainstay_core::{
    email::{EmailLinks, Fault, is_senders_fault},
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
    outbox::ready,
    render::{Rendered, render},
    smtp::{Outcome, SmtpServer, send},
    status::{Evidence, QueueChange},
};
use crate::{
    Mainstay, Result,
    site::Site,
    supervise::{OnPanic, SENDER},
};

/// How often it is looked whether a mail is to be sent.
const TICK: Duration = Duration::from_secs(1);

/// Whom mails to members come from, by name.
const FROM_OURSELVES: &str = "Mainstay";

/// What a mail to one person says besides what its row keeps.
struct Personal {
    from_name: String,
    subject: String,
    rendered: Rendered,
}

/// Sends what is due, until it is told to stop. It finishes the mail that is under way.
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
        sender.mainstay.supervisor().pass(SENDER);
        if let Err(error) = sender.send_due().await {
            tracing::error!(%error, "mails could not be looked up; it is tried again");
        }
    }
    sender.hang_up().await;
}

/// Gives due mails to one mail server, over one connection.
pub struct Sender {
    mainstay: Mainstay,
    server: SmtpServer,
    from: Address,
    site: Arc<Site>,
    stop: watch::Receiver<bool>,
    connection: Option<AsyncSmtpConnection>,
}

/// The mails of one organization that are sent one after another until none is due.
#[derive(Default)]
struct Run {
    tried: u64,
    /// Those that were refused without a word about whose fault it is.
    unclear: Vec<(Item, String, String)>,
}

impl Sender {
    /// A sender that stops before the next mail once `stop` turns true.
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

    /// Sends everything whose time has come.
    ///
    /// # Errors
    /// When it cannot be told who has mails. A mail that is not taken is no error here.
    pub async fn send_due(&mut self) -> Result<()> {
        // Staff hear of a mail server that cannot be used before there is a mail for it, and of one that
        // can be used again when there is none any more.
        if !self.mainstay.mail_status().is_reached() {
            self.is_connected().await;
        }
        for organization in self.mainstay.organizations_with_emails().await? {
            // What is wrong with one organization's mails keeps nobody else's.
            if let Err(error) = self.send_queue(organization).await {
                tracing::error!(%organization, %error, "mails could not be sent; it is tried again");
            }
        }
        // An idle connection is closed by the server before long.
        self.hang_up().await;
        Ok(())
    }

    /// Sends an organization's mails until none is due, or its queue stops.
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
                if *self.stop.borrow() || !may_send || !self.is_connected().await {
                    return self.settle(organization, run).await;
                }
                self.attempt(organization, item, &mut run).await?;
            }
        }
        self.settle(organization, run).await
    }

    /// Sends one mail, unless somebody else does or it is not to be sent.
    async fn attempt(
        &mut self,
        organization: OrganizationId,
        item: Item,
        run: &mut Run,
    ) -> Result<()> {
        let Some(delivery) = self.mainstay.take_email(organization, item, &self.site).await? else {
            return Ok(());
        };
        run.tried += 1;
        let outcome = self.isolated(async |sender| sender.send(&delivery).await).await;
        if let Outcome::Refused { why, fault: Fault::Unclear } = &outcome {
            run.unclear.push((item, delivery.address().to_owned(), why.clone()));
        }
        let unclear = u64::try_from(run.unclear.len()).unwrap_or(u64::MAX);
        let refused = |why| Evidence::Refused { reason: why, first: delivery.attempts() == 0 };
        let evidence = match &outcome {
            Outcome::Sent => Evidence::Accepted,
            Outcome::Refused { why, fault: Fault::Sender } => refused(why),
            Outcome::Refused { why, fault: Fault::Unclear }
                if is_senders_fault(unclear, run.tried) =>
            {
                refused(why)
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
                    %organization, reason = outage.reason, next_try = %outage.next_try,
                    "the mail server refuses what this organization sends: its mails wait"
                );
                Ok(())
            }
            QueueChange::Resumed(outage) => {
                tracing::info!(%organization, since = %outage.since, "the mail server takes mails again");
                self.mainstay.resume_emails(organization, &outage).await
            }
        }
    }

    /// Decides about the refusals of a run that nothing was said about: few are their mailboxes' own.
    async fn settle(&self, organization: OrganizationId, run: Run) -> Result<()> {
        let unclear = u64::try_from(run.unclear.len()).unwrap_or(u64::MAX);
        if is_senders_fault(unclear, run.tried) {
            return Ok(());
        }
        for (item, address, why) in run.unclear {
            self.mainstay.suppress_refused(organization, item, &address, &why).await?;
        }
        Ok(())
    }

    /// Whether there is a connection, before a mail is taken: a server that cannot be reached is no
    /// mail's fault.
    async fn is_connected(&mut self) -> bool {
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
                let next_try = status.record_unreachable(&error, now);
                tracing::warn!(error, %next_try, "the mail server cannot be reached");
                false
            }
        }
    }

    /// Sends one email; a panic in doing so is why that email was not sent, and nothing else.
    async fn isolated(&mut self, send: impl AsyncFnOnce(&mut Self) -> Outcome) -> Outcome {
        let supervisor = Arc::clone(self.mainstay.supervisor());
        let outcome = supervisor
            .isolate("email", async {
                supervisor.pass("email");
                send(self).await
            })
            .await;
        match outcome {
            Ok(outcome) => outcome,
            Err(panicked) => {
                self.hang_up().await;
                Outcome::Undeliverable(panicked.to_string())
            }
        }
    }

    async fn send(&mut self, delivery: &Delivery) -> Outcome {
        let addresses = WireAddress::parse(self.from.as_ref())
            .and_then(|from| Ok((from, WireAddress::parse(delivery.address())?)));
        let (from, to) = match addresses {
            Ok(addresses) => addresses,
            Err(why) => return Outcome::Undeliverable(why),
        };
        let message = match self.message(delivery, &from, &to) {
            Ok(message) => message,
            Err(why) => return Outcome::Undeliverable(why),
        };
        let Some(connection) = &mut self.connection else {
            let why = "the connection was lost".to_owned();
            return Outcome::Again { why, recipient: false };
        };
        let outcome = send(connection, &from, &to, &message).await;
        if outcome != Outcome::Sent {
            // What state the server is in is not known any more.
            self.hang_up().await;
        }
        outcome
    }

    fn message(
        &self,
        delivery: &Delivery,
        from: &WireAddress,
        to: &WireAddress,
    ) -> std::result::Result<Vec<u8>, String> {
        let (id, personal, links) = match delivery {
            Delivery::Client { email, from_name, postal_address, secret, .. } => {
                let links = links(email, secret, &self.site.link(""));
                let personal = Personal {
                    from_name: from_name.clone(),
                    subject: email.email.subject.clone(),
                    rendered: ready(email, postal_address.as_deref(), &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.email.id.to_string(), personal, links)
            }
            Delivery::Digest { email, .. } => {
                let links = EmailLinks::only(self.site.link("/alerts"));
                let personal = Personal {
                    from_name: FROM_OURSELVES.to_owned(),
                    subject: email.subject.clone(),
                    rendered: render(&email.content, None, &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.id.to_string(), personal, links)
            }
            Delivery::Transactional { email, from_name, button, .. } => {
                let links = EmailLinks::only(button.clone());
                let personal = Personal {
                    from_name: from_name.clone().unwrap_or_else(|| FROM_OURSELVES.to_owned()),
                    subject: email.subject.clone(),
                    rendered: render(&email.content, None, &links)
                        .map_err(|error| error.to_string())?,
                };
                (email.id.to_string(), personal, links)
            }
        };
        let letter = Letter {
            id,
            from_name: &personal.from_name,
            from: &from.address,
            to,
            subject: &personal.subject,
            rendered: personal.rendered,
            host: self.site.public_url.host_str().unwrap_or("localhost"),
            now: self.mainstay.now(),
        };
        build(letter, &links)
    }

    async fn hang_up(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.abort().await;
        }
    }
}
