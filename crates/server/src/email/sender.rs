use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::client::AsyncSmtpConnection,
};
use mainstay_core::{
    email::{EmailLinks, next_try},
    id::OrganizationId,
};
use mainstay_store::StaffEmail;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    Delivery,
    outbox::ready,
    render::{Rendered, links, render},
    smtp::{Outcome, SmtpServer, send},
};
use crate::{Mainstay, Result, http::Site};

/// How often it is looked whether a mail is to be sent.
const TICK: Duration = Duration::from_secs(1);
/// Mails that are looked up at a time.
const BATCH: i64 = 100;

/// Whom mails to members come from, by name.
const FROM_OURSELVES: &str = "Mainstay";

/// What a mail is made of, besides its links.
struct Letter<'a> {
    id: String,
    from_name: &'a str,
    to: &'a str,
    subject: &'a str,
    rendered: Rendered,
}

/// Sends what is due, until it is told to stop. It finishes the mail that is under way.
pub fn start(
    mainstay: Mainstay,
    server: SmtpServer,
    from: Address,
    site: Arc<Site>,
    mut stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let stopped = stop.clone();
        let mut sender = Sender::new(mainstay, server, from, site, stopped);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => {}
            }
            if let Err(error) = sender.send_due().await {
                tracing::error!(%error, "mails could not be looked up; it is tried again");
            }
        }
        sender.hang_up().await;
    })
}

/// Gives due mails to one mail server, over one connection.
pub struct Sender {
    mainstay: Mainstay,
    server: SmtpServer,
    from: Address,
    site: Arc<Site>,
    stop: watch::Receiver<bool>,
    connection: Option<AsyncSmtpConnection>,
    /// How often in a row the mail server could not be reached, and when it is tried again.
    unreached: (i64, Timestamp),
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
        let unreached = (0, Timestamp::MIN);
        Self { mainstay, server, from, site, stop, connection: None, unreached }
    }

    /// Sends everything whose time has come.
    ///
    /// # Errors
    /// When it cannot be told what is due. A mail that is not taken is no error here.
    pub async fn send_due(&mut self) -> Result<()> {
        for organization in self.mainstay.organizations_with_emails().await? {
            while self.send_batch(organization).await? {}
            self.send_digests(organization).await?;
        }
        // An idle connection is closed by the server before long.
        self.hang_up().await;
        Ok(())
    }

    /// Sends some of an organization's mails; false when there is nothing more to do now.
    async fn send_batch(&mut self, organization: OrganizationId) -> Result<bool> {
        let due = self.mainstay.due_emails(organization, BATCH).await?;
        for id in &due {
            if *self.stop.borrow() || !self.is_connected().await {
                return Ok(false);
            }
            if let Some(delivery) = self.mainstay.take_email(organization, *id).await? {
                let outcome = self.send(&delivery).await;
                self.mainstay.record_outcome(&delivery, outcome).await?;
            }
        }
        Ok(!due.is_empty())
    }

    /// Sends an organization's mails to its members.
    async fn send_digests(&mut self, organization: OrganizationId) -> Result<()> {
        for id in self.mainstay.due_staff_emails(organization, BATCH).await? {
            if *self.stop.borrow() || !self.is_connected().await {
                return Ok(());
            }
            if let Some(email) = self.mainstay.take_staff_email(organization, id).await? {
                let message = self.digest(&email);
                let outcome = self.give(&email.address, message).await;
                self.mainstay.record_staff_outcome(organization, &email, outcome).await?;
            }
        }
        Ok(())
    }

    /// Whether there is a connection, before a mail is taken: a server that cannot be reached is no
    /// mail's fault.
    async fn is_connected(&mut self) -> bool {
        if self.connection.is_some() {
            return true;
        }
        let now = self.mainstay.now();
        let (times, not_before) = self.unreached;
        if now < not_before {
            return false;
        }
        match self.server.connect().await {
            Ok(connection) => {
                self.connection = Some(connection);
                self.unreached = (0, Timestamp::MIN);
                true
            }
            Err(error) => {
                let wait = next_try((times + 1).min(4), fastrand::u16(0..=1_000));
                let again_at = wait.and_then(|wait| now.checked_add(wait).ok()).unwrap_or(now);
                tracing::warn!(error, %again_at, "the mail server cannot be reached");
                self.unreached = (times + 1, again_at);
                false
            }
        }
    }

    async fn send(&mut self, delivery: &Delivery) -> Outcome {
        self.give(&delivery.email.email.address, self.message(delivery)).await
    }

    async fn give(
        &mut self,
        address: &str,
        message: std::result::Result<Message, String>,
    ) -> Outcome {
        let (to, message) = match (address.parse::<Address>(), message) {
            (Ok(to), Ok(message)) => (to, message),
            (Err(_), _) => {
                let why = "no mail server knows such an address".to_owned();
                return Outcome::Refused { why, recipient: true };
            }
            (_, Err(why)) => return Outcome::Refused { why, recipient: false },
        };
        let Some(connection) = &mut self.connection else {
            return Outcome::Again("the connection was lost".to_owned());
        };
        let outcome = send(connection, &self.from, &to, &message.formatted()).await;
        if outcome != Outcome::Sent {
            // What state the server is in is not known any more.
            self.hang_up().await;
        }
        outcome
    }

    fn message(&self, delivery: &Delivery) -> std::result::Result<Message, String> {
        let Delivery { email, from_name, postal_address, .. } = delivery;
        let links = links(email.email.kind, email.token, &self.site);
        let letter = Letter {
            id: email.email.id.to_string(),
            from_name,
            to: &email.email.address,
            subject: &email.email.subject,
            rendered: ready(email, postal_address.as_deref(), &self.site)
                .map_err(|error| error.to_string())?,
        };
        self.written(letter, &links)
    }

    fn digest(&self, email: &StaffEmail) -> std::result::Result<Message, String> {
        let button = self.site.link("/alerts");
        let links = EmailLinks { button, unsubscribe: None, pixel: None };
        let letter = Letter {
            id: email.id.to_string(),
            from_name: FROM_OURSELVES,
            to: &email.address,
            subject: &email.subject,
            rendered: render(&email.content, None, &links).map_err(|error| error.to_string())?,
        };
        self.written(letter, &links)
    }

    fn written(
        &self,
        letter: Letter<'_>,
        links: &EmailLinks,
    ) -> std::result::Result<Message, String> {
        let to = letter.to.parse().map_err(|_| "a bad address".to_owned())?;
        let host = self.site.public_url.host_str().unwrap_or("localhost");
        let mut message = Message::builder()
            .from(Mailbox::new(Some(letter.from_name.to_owned()), self.from.clone()))
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(self.mainstay.now().into())
            // The same however often it is tried: who gets it twice can tell.
            .message_id(Some(format!("<{}@{host}>", letter.id)));
        if let Some(unsubscribe) = &links.unsubscribe {
            for (name, value) in [
                ("List-Unsubscribe", format!("<{unsubscribe}>")),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
            ] {
                let name = HeaderName::new_from_ascii_str(name);
                message = message.raw_header(HeaderValue::new(name, value));
            }
        }
        message = message.raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        message
            .multipart(MultiPart::alternative_plain_html(
                letter.rendered.text,
                letter.rendered.html,
            ))
            .map_err(|error| error.to_string())
    }

    async fn hang_up(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.abort().await;
        }
    }
}
