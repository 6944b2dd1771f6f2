use mainstay_core::{
    email::{ConsentSource, EmailState, EmailType, SubscriptionState, subscription_request},
    id::{ClientId, OrganizationId},
    time::local_day,
};
use mainstay_store::{Client, NewEmail, Scope, Subscription, WholeEmail, new_id};

use super::{SAMPLE, called, new_token, outbox::made};
use crate::{
    Error, Mainstay, Result,
    access::{check_email, normal_email},
    organization::Context,
};

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
    /// the word of its owner.
    pub fn by_client(client: &Client, wants: SubscriptionState, address: Option<&str>) -> Self {
        let known = client.profile.email.as_deref().map(normal_email);
        let given = address.map(normal_email).filter(|address| !address.is_empty());
        let foreign = given.is_some() && given != known;
        let state = match wants {
            SubscriptionState::Subscribed if foreign => SubscriptionState::Pending,
            wants => wants,
        };
        Self { state, address: given, source: ConsentSource::ClientPage }
    }
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
    /// When there is no address, or it cannot be used.
    pub async fn subscribe(
        &self,
        organization: OrganizationId,
        client: &Client,
        asked: &Subscribe,
    ) -> Result<Subscription> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let before = tx.subscription(client.id).await?;
        let given = asked.address.as_deref().filter(|address| !address.trim().is_empty());
        let known = before.as_ref().map(|before| before.address.as_str());
        let own = client.profile.email.as_deref();
        // Whoever does not want mails need not have an address.
        let fallback = (asked.state == SubscriptionState::Unsubscribed).then_some("");
        let address = given.or(own).or(known).or(fallback).ok_or_else(|| {
            Error::invalid(
                "address",
                "this client has no e-mail address; send one, or identify the client with one first",
            )
        })?;
        let address = normal_email(address);
        if asked.state != SubscriptionState::Unsubscribed {
            check_email(&address).map_err(|error| match error {
                Error::Invalid { reason, .. } => Error::invalid("address", reason),
                other => other,
            })?;
        }
        let now = self.now();
        let same = |before: &&Subscription| {
            before.state == asked.state
                && (before.address == address || asked.state == SubscriptionState::Unsubscribed)
        };
        if let Some(same) = before.as_ref().filter(same) {
            return Ok(same.clone());
        }
        let new =
            Subscription { state: asked.state, address, source: asked.source, changed_at: now };
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
            let request = made(vec![request], settings.postal_address.as_deref()).await?;
            tx.queue_emails(&request, now).await?;
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
