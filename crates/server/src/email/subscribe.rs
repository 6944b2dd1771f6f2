use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{ConsentSource, EmailState, EmailType, SubscriptionState, subscription_request},
    id::{ClientId, OrganizationId},
    time::local_day,
};
use mainstay_store::{Client, NewEmail, Scope, Subscription, Tx, WholeEmail, new_id};

use super::{SAMPLE, ago, called, new_token, outbox::made};
use crate::{
    Error, Mainstay, Result,
    access::{check_email, normal_email},
    organization::Context,
};

/// Mails in a day that ask one client for its consent.
const MAX_REQUESTS_PER_DAY: i64 = 5;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What is to become of a client's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Subscribed, unsubscribed, or pending: asked by a mail whether it wants that.
    pub state: SubscriptionState,
    /// Where to; the client's own address when absent.
    pub address: Option<String>,
    /// Where it was said.
    pub source: ConsentSource,
}

impl Subscribe {
    /// What becomes of a client's own wish: mails to another address than the one that is known need
    /// the word of its owner, and so does coming back after unsubscribing.
    pub fn by_client(
        client: &Client,
        before: Option<&Subscription>,
        wants: SubscriptionState,
        address: Option<&str>,
    ) -> Self {
        let known = client.profile.email.as_deref().map(normal_email);
        let given = address.map(normal_email).filter(|address| !address.is_empty());
        let foreign = given.is_some() && given != known;
        let left = before.is_some_and(|one| one.state == SubscriptionState::Unsubscribed);
        let state = match wants {
            SubscriptionState::Subscribed if foreign || left => SubscriptionState::Pending,
            wants => wants,
        };
        Self { state, address: given, source: ConsentSource::ClientPage }
    }
}

/// From `unsubscribed`, only the client itself comes back.
fn check_return(before: Option<&Subscription>, asked: &Subscribe) -> Result<()> {
    let left = before.is_some_and(|one| one.state == SubscriptionState::Unsubscribed);
    let by_itself = match (asked.state, asked.source) {
        (SubscriptionState::Unsubscribed, _)
        | (SubscriptionState::Pending, ConsentSource::ClientPage)
        | (SubscriptionState::Subscribed, ConsentSource::DoubleOptIn) => true,
        (SubscriptionState::Pending | SubscriptionState::Subscribed, _) => false,
    };
    if !left || by_itself {
        return Ok(());
    }
    Err(Error::conflict_in(
        "state",
        "this client has unsubscribed, and only the person itself can come back: by the button \
         \u{201c}Get the weekly e-mail\u{201d} on its page and the link in the mail that asks it then",
    ))
}

/// Keeps anybody from filling a mailbox with questions by changing addresses.
async fn check_requests(tx: &mut Tx, client: ClientId, now: Timestamp) -> Result<()> {
    let since = ago(now, DAY);
    let asked = tx.consents(client, MAX_REQUESTS_PER_DAY * 4).await?;
    let today = asked
        .iter()
        .filter(|one| one.state == SubscriptionState::Pending && one.changed_at > since)
        .count();
    if today < usize::try_from(MAX_REQUESTS_PER_DAY).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(Error::conflict_in(
        "address",
        format!(
            "this client was asked {MAX_REQUESTS_PER_DAY} times in the last 24 hours; open the \
         link in the last mail, or try again tomorrow"
        ),
    ))
}

impl Mainstay {
    /// Whether a client gets mails; `None` when nobody ever said.
    pub async fn subscription(
        &self,
        scope: Scope,
        client: ClientId,
    ) -> Result<Option<Subscription>> {
        Ok(self.store().read(scope).await?.subscription(client).await?)
    }

    /// Everything that a client ever said about mails, newest first.
    pub async fn consents(
        &self,
        scope: Scope,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<Subscription>> {
        Ok(self.store().read(scope).await?.consents(client, limit).await?)
    }

    /// Changes whether a client gets mails. Saying the same twice changes nothing.
    ///
    /// # Errors
    /// When there is no address, or it cannot be used; [`Error::Conflict`] when anybody but the client
    /// itself wants mails for one that has unsubscribed, or when it was asked too often in a day.
    pub async fn subscribe(
        &self,
        organization: OrganizationId,
        client: &Client,
        asked: &Subscribe,
    ) -> Result<Subscription> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let before = tx.subscription(client.id).await?;
        let given = asked.address.as_deref().filter(|address| !address.trim().is_empty());
        // Anybody can have told it: whoever reads what is sent there must say yes first.
        let unconfirmed = client.profile.unconfirmed_email.as_deref().map(normal_email);
        let known = before.as_ref().filter(|before| {
            asked.state == SubscriptionState::Unsubscribed
                || before.state == SubscriptionState::Subscribed
                || Some(&before.address) != unconfirmed.as_ref()
        });
        let known = known.map(|before| before.address.as_str());
        let own = client.profile.email.as_deref();
        // Whoever does not want mails need not have an address.
        let fallback = (asked.state == SubscriptionState::Unsubscribed).then_some("");
        let confirmed = given.or(own).or(known).or(fallback);
        let state = match asked.state {
            SubscriptionState::Subscribed if confirmed.is_none() => SubscriptionState::Pending,
            state => state,
        };
        let address = confirmed.or(unconfirmed.as_deref()).ok_or_else(|| {
            Error::invalid(
                "address",
                "this client has no e-mail address; send one, or identify the client with one first",
            )
        })?;
        let address = normal_email(address);
        // An address that is sent must be one, also where none is needed.
        if state != SubscriptionState::Unsubscribed || given.is_some() {
            check_email(&address).map_err(|error| match error {
                Error::Invalid { reason, .. } => Error::invalid("address", reason),
                other => other,
            })?;
        }
        let now = self.now();
        let same = |before: &&Subscription| {
            before.state == state
                && (before.address == address || state == SubscriptionState::Unsubscribed)
        };
        if let Some(same) = before.as_ref().filter(same) {
            return Ok(same.clone());
        }
        check_return(before.as_ref(), asked)?;
        if state == SubscriptionState::Pending {
            check_requests(&mut tx, client.id, now).await?;
        }
        let new = Subscription { state, address, source: asked.source, changed_at: now };
        tx.set_subscription(client.id, &new).await?;
        if new.state == SubscriptionState::Pending {
            let context = Context::load(&mut tx).await?;
            let sample = context.organization.sample;
            let name = called(client.profile.name.as_deref(), &client.external_id);
            let (subject, says) = subscription_request(&context.organization.name, name);
            let request = NewEmail {
                id: new_id(now),
                client: client.id,
                kind: EmailType::SubscriptionRequest,
                period: local_day(now, &context.zone),
                subject,
                content: says,
                body: None,
                address: new.address.clone(),
                token: new_token(),
                state: if sample { EmailState::Suppressed } else { EmailState::Queued },
                reason: sample.then(|| SAMPLE.to_owned()),
                due_at: now,
            };
            let settings = tx.email_settings().await?;
            let mut request = made(vec![request], settings.postal_address.as_deref()).await?;
            // One a day is kept. The last word counts: a corrected address, or whoever left and came back.
            if tx.queue_emails(&request, now).await? == 0
                && let Some(request) = request.pop()
            {
                tx.replace_subscription_request(&request, now).await?;
            }
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Ends a client's subscription, by the way out of a mail.
    pub async fn unsubscribe(&self, email: &WholeEmail) -> Result<Subscription> {
        let asked = Subscribe {
            state: SubscriptionState::Unsubscribed,
            address: Some(email.email.address.clone()),
            source: ConsentSource::Unsubscribe,
        };
        let client =
            self.client(Scope::Service(email.organization), &email.email.client_id).await?;
        self.subscribe(email.organization, &client, &asked).await
    }

    /// Begins the subscription that a mail asked about; `None` when it is not asked any more.
    pub async fn confirm_subscription(&self, email: &WholeEmail) -> Result<Option<Subscription>> {
        let scope = Scope::Service(email.organization);
        let asked = self.subscription(scope, email.client).await?;
        let asked = asked.filter(|one| {
            email.email.kind == EmailType::SubscriptionRequest
                && one.address == email.email.address
                && one.state != SubscriptionState::Unsubscribed
        });
        let Some(asked) = asked else { return Ok(None) };
        if asked.state == SubscriptionState::Subscribed {
            return Ok(Some(asked));
        }
        let client = self.client(scope, &email.email.client_id).await?;
        let asked = Subscribe {
            state: SubscriptionState::Subscribed,
            address: Some(asked.address),
            source: ConsentSource::DoubleOptIn,
        };
        self.subscribe(email.organization, &client, &asked).await.map(Some)
    }
}
