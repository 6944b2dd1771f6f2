use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    email::{ConsentSource, EmailState, EmailType, SubscriptionState, subscription_request},
    id::{ClientId, OrganizationId},
    time::local_day,
};
use mainstay_store::{Client, NewEmail, Scope, Subscription, Tx, WholeEmail, new_id};

use super::{SAMPLE, ago, display_name, new_token, outbox::render_all};
use crate::{
    Error, Mainstay, Result,
    access::{check_email, normal_email},
    organization::Context,
};

/// Maximum number of confirmation emails per client and day.
const MAX_REQUESTS_PER_DAY: i64 = 5;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A change to a client's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionUpdate {
    /// Subscribed, unsubscribed, or pending until a confirmation.
    pub state: SubscriptionState,
    /// Where to; the client's own address when absent.
    pub address: Option<String>,
    /// Where it was said.
    pub source: ConsentSource,
}

impl SubscriptionUpdate {
    /// A client's own request: a new address must be confirmed by its owner, and so must
    /// resubscribing.
    pub fn by_client(
        client: &Client,
        before: Option<&Subscription>,
        wants: SubscriptionState,
        address: Option<&str>,
    ) -> Self {
        let known = client.profile.email.as_deref().map(normal_email);
        let explicit_address = address.map(normal_email).filter(|address| !address.is_empty());
        let foreign = explicit_address.is_some() && explicit_address != known;
        let had_unsubscribed =
            before.is_some_and(|one| one.state == SubscriptionState::Unsubscribed);
        let state = match wants {
            SubscriptionState::Subscribed if foreign || had_unsubscribed => {
                SubscriptionState::Pending
            }
            wants => wants,
        };
        Self { state, address: explicit_address, source: ConsentSource::ClientPage }
    }
}

/// Checks that only the client itself resubscribes.
fn check_resubscribe(before: Option<&Subscription>, update: &SubscriptionUpdate) -> Result<()> {
    let had_unsubscribed = before.is_some_and(|one| one.state == SubscriptionState::Unsubscribed);
    let by_itself = match (update.state, update.source) {
        (SubscriptionState::Unsubscribed, _)
        | (SubscriptionState::Pending, ConsentSource::ClientPage)
        | (SubscriptionState::Subscribed, ConsentSource::DoubleOptIn) => true,
        (SubscriptionState::Pending | SubscriptionState::Subscribed, _) => false,
    };
    if !had_unsubscribed || by_itself {
        return Ok(());
    }
    Err(Error::conflict_in(
        "state",
        "this client has unsubscribed and can only resubscribe itself: with the button \
         \u{201c}Get the weekly email\u{201d} on its page and the link in the confirmation email",
    ))
}

/// Limits confirmation emails, so that nobody can flood a mailbox.
async fn check_request_limit(tx: &mut Tx, client: ClientId, now: Timestamp) -> Result<()> {
    let since = ago(now, DAY);
    let update = tx.list_consents(client, MAX_REQUESTS_PER_DAY * 4).await?;
    let today = update
        .iter()
        .filter(|one| one.state == SubscriptionState::Pending && one.changed_at > since)
        .count();
    if today < usize::try_from(MAX_REQUESTS_PER_DAY).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(Error::conflict_in(
        "address",
        format!(
            "this client got {MAX_REQUESTS_PER_DAY} confirmation emails in the last 24 hours; \
         open the link in the latest, or try again tomorrow"
        ),
    ))
}

impl Mainstay {
    /// A client's subscription; `None` if no consent was ever recorded.
    pub async fn subscription(
        &self,
        scope: Scope,
        client: ClientId,
    ) -> Result<Option<Subscription>> {
        Ok(self.store().read(scope).await?.find_subscription(client).await?)
    }

    /// A client's history of consent, newest first.
    pub async fn consents(
        &self,
        scope: Scope,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<Subscription>> {
        Ok(self.store().read(scope).await?.list_consents(client, limit).await?)
    }

    /// Changes a client's subscription. Idempotent.
    ///
    /// # Errors
    /// If there is no valid address; [`Error::Conflict`] if anyone but the client itself
    /// resubscribes it, or after too many confirmation emails in a day.
    pub async fn subscribe(
        &self,
        organization: OrganizationId,
        client: &Client,
        update: &SubscriptionUpdate,
    ) -> Result<Subscription> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let before = tx.find_subscription(client.id).await?;
        let explicit_address =
            update.address.as_deref().filter(|address| !address.trim().is_empty());
        // Anybody can have told it: whoever reads what is sent there must say yes first.
        let unconfirmed = client.profile.unconfirmed_email.as_deref().map(normal_email);
        let known = before.as_ref().filter(|before| {
            update.state == SubscriptionState::Unsubscribed
                || before.state == SubscriptionState::Subscribed
                || Some(&before.address) != unconfirmed.as_ref()
        });
        let known = known.map(|before| before.address.as_str());
        let own = client.profile.email.as_deref();
        // Whoever does not want emails need not have an address.
        let fallback = (update.state == SubscriptionState::Unsubscribed).then_some("");
        let confirmed = explicit_address.or(own).or(known).or(fallback);
        let state = match update.state {
            SubscriptionState::Subscribed if confirmed.is_none() => SubscriptionState::Pending,
            state => state,
        };
        let address = confirmed.or(unconfirmed.as_deref()).ok_or_else(|| {
            Error::invalid(
                "address",
                "this client has no email address; send one, or identify the client with one first",
            )
        })?;
        let address = normal_email(address);
        // An address that is sent must be one, also where none is needed.
        if state != SubscriptionState::Unsubscribed || explicit_address.is_some() {
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
        check_resubscribe(before.as_ref(), update)?;
        if state == SubscriptionState::Pending {
            check_request_limit(&mut tx, client.id, now).await?;
        }
        let new = Subscription { state, address, source: update.source, changed_at: now };
        tx.set_subscription(client.id, &new).await?;
        if new.state == SubscriptionState::Pending {
            let context = Context::load(&mut tx).await?;
            let sample = context.organization.sample;
            let name = display_name(client.profile.name.as_deref(), &client.external_id);
            let (subject, content) = subscription_request(&context.organization.name, name);
            let request = NewEmail {
                id: new_id(now),
                client: client.id,
                kind: EmailType::SubscriptionRequest,
                period: local_day(now, &context.zone),
                subject,
                content,
                body: None,
                address: new.address.clone(),
                token: new_token(),
                state: if sample { EmailState::Suppressed } else { EmailState::Queued },
                reason: sample.then(|| SAMPLE.to_owned()),
                due_at: now,
            };
            let settings = tx.get_email_settings().await?;
            let mut request = render_all(vec![request], settings.postal_address.as_deref()).await?;
            // One a day is kept. The last word counts: a corrected address, or whoever left and came back.
            if tx.enqueue_emails(&request, now).await? == 0
                && let Some(request) = request.pop()
            {
                tx.replace_subscription_request(&request, now).await?;
            }
        }
        tx.commit().await?;
        Ok(new)
    }

    /// Unsubscribes a client with an email's unsubscribe link.
    pub async fn unsubscribe(&self, email: &WholeEmail) -> Result<Subscription> {
        let update = SubscriptionUpdate {
            state: SubscriptionState::Unsubscribed,
            address: Some(email.email.address.clone()),
            source: ConsentSource::Unsubscribe,
        };
        let client =
            self.client(Scope::Service(email.organization), &email.email.client_id).await?;
        self.subscribe(email.organization, &client, &update).await
    }

    /// Confirms a subscription with a confirmation email; `None` if it is no longer pending.
    pub async fn confirm_subscription(&self, email: &WholeEmail) -> Result<Option<Subscription>> {
        let scope = Scope::Service(email.organization);
        let update = self.subscription(scope, email.client).await?;
        let update = update.filter(|one| {
            email.email.kind == EmailType::SubscriptionRequest
                && one.address == email.email.address
                && one.state != SubscriptionState::Unsubscribed
        });
        let Some(update) = update else { return Ok(None) };
        if update.state == SubscriptionState::Subscribed {
            return Ok(Some(update));
        }
        let client = self.client(scope, &email.email.client_id).await?;
        let update = SubscriptionUpdate {
            state: SubscriptionState::Subscribed,
            address: Some(update.address),
            source: ConsentSource::DoubleOptIn,
        };
        self.subscribe(email.organization, &client, &update).await.map(Some)
    }
}
