use std::collections::HashMap;

use jiff::SignedDuration;
use mainstay_core::{
    id::{AlertId, OrganizationId, WebhookId, WebhookMessageId},
    notification::{
        EndpointKind, Event, Notice, NotificationSettings, Route, TestNotice, check_endpoint_name,
        check_endpoint_url,
    },
};
use mainstay_store::{
    NewWebhook, NewWebhookMessage, Scope, Told, Tx, Webhook, WebhookAttempt, WebhookMessage,
    WebhookPatch, new_id,
};

use super::{SAMPLE, WebhookSecret, no_webhook};
use crate::{Error, Mainstay, Result};

/// How long messages are signed with a secret that was replaced, too.
pub const PREVIOUS_SECRET_COUNTS: SignedDuration = SignedDuration::from_hours(24);
/// Endpoints that an organization has at most.
const MOST_WEBHOOKS: usize = 50;

/// What it takes to create a webhook.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// What it understands.
    pub kind: EndpointKind,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// What messages are signed with; a new secret when absent.
    pub secret: Option<String>,
    /// Which notices go there.
    pub route: Route,
    /// Whether it takes them at any hour.
    pub ignores_quiet_hours: bool,
}

/// A message with each time that it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredMessage {
    /// The message.
    pub message: WebhookMessage,
    /// Each time, oldest first.
    pub attempts: Vec<WebhookAttempt>,
}

fn no_message(id: WebhookMessageId) -> Error {
    Error::NotFound {
        what: "message",
        id: id.to_string(),
        remedy: "GET /api/v1/webhooks/{id}/deliveries lists those of a webhook",
    }
}

impl Mainstay {
    /// The endpoints of an organization, oldest first.
    pub async fn webhooks(&self, organization: OrganizationId) -> Result<Vec<Webhook>> {
        Ok(self.store().read(Scope::Service(organization)).await?.webhooks().await?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn webhook(&self, organization: OrganizationId, id: WebhookId) -> Result<Webhook> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        tx.webhook(id).await?.ok_or_else(|| no_webhook(id))
    }

    /// Creates an endpoint; its secret is in what is answered.
    ///
    /// # Errors
    /// When a value cannot be used, or there are very many endpoints.
    pub async fn create_webhook(
        &self,
        scope: impl Into<Scope>,
        create: CreateWebhook,
    ) -> Result<Webhook> {
        let secret = chosen_secret(create.secret.as_deref())?;
        let new = NewWebhook {
            id: new_id(self.now()),
            kind: create.kind,
            name: create.name.trim().to_owned(),
            url: create.url.trim().to_owned(),
            secret: secret.as_str().to_owned(),
            route: create.route,
            ignores_quiet_hours: create.ignores_quiet_hours,
        };
        let mut tx = self.store().begin(scope.into()).await?;
        check(&mut tx, Some(&new.name), Some(&new.url), Some(&new.route)).await?;
        if tx.webhooks().await?.len() >= MOST_WEBHOOKS {
            return Err(Error::conflict(format!(
                "there are {MOST_WEBHOOKS} webhooks already, the most that an organization has; delete \
                 one that nobody needs any more"
            )));
        }
        tx.create_webhook(&new, self.now()).await?;
        let created = tx.webhook(new.id).await?.ok_or_else(|| no_webhook(new.id))?;
        tx.commit().await?;
        Ok(created)
    }

    /// Changes an endpoint, and switches it on or off when `enabled` says so.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when a value cannot be used.
    pub async fn update_webhook(
        &self,
        scope: impl Into<Scope>,
        id: WebhookId,
        patch: &WebhookPatch,
        enabled: Option<bool>,
    ) -> Result<Webhook> {
        let mut tx = self.store().begin(scope.into()).await?;
        let patch = WebhookPatch {
            name: patch.name.as_deref().map(|name| name.trim().to_owned()),
            url: patch.url.as_deref().map(|url| url.trim().to_owned()),
            ..patch.clone()
        };
        check(&mut tx, patch.name.as_deref(), patch.url.as_deref(), patch.route.as_ref()).await?;
        if !tx.update_webhook(id, &patch).await? {
            return Err(no_webhook(id));
        }
        match enabled {
            Some(true) => drop(tx.enable_webhook(id).await?),
            Some(false) => drop(tx.disable_webhook(id, "switched off", self.now()).await?),
            None => {}
        }
        let updated = tx.webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        tx.commit().await?;
        Ok(updated)
    }

    /// Gives an endpoint another secret, which is in what is answered. For a day, messages are signed
    /// with the one until now as well.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the secret cannot be used.
    pub async fn rotate_webhook_secret(
        &self,
        scope: impl Into<Scope>,
        id: WebhookId,
        secret: Option<&str>,
    ) -> Result<Webhook> {
        let secret = chosen_secret(secret)?;
        let until = self.now().checked_add(PREVIOUS_SECRET_COUNTS).unwrap_or(self.now());
        let mut tx = self.store().begin(scope.into()).await?;
        if !tx.rotate_webhook_secret(id, secret.as_str(), until).await? {
            return Err(no_webhook(id));
        }
        let rotated = tx.webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        tx.commit().await?;
        Ok(rotated)
    }

    /// Deletes an endpoint with the record of what was sent there.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_webhook(&self, scope: impl Into<Scope>, id: WebhookId) -> Result<()> {
        let mut tx = self.store().begin(scope.into()).await?;
        if !tx.delete_webhook(id).await? {
            return Err(no_webhook(id));
        }
        Ok(tx.commit().await?)
    }

    /// Sends a test message, at any hour.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when nothing is sent there.
    pub async fn test_webhook(
        &self,
        scope: impl Into<Scope>,
        id: WebhookId,
    ) -> Result<WebhookMessage> {
        let now = self.now();
        let mut tx = self.store().begin(scope.into()).await?;
        let webhook = sendable(&mut tx, id).await?;
        let organization = tx.organization().await?.slug;
        let event = Event::WebhookTest(TestNotice { organization, endpoint: webhook.name });
        let test = NewWebhookMessage {
            id: new_id(now),
            webhook: id,
            notice: Notice { event, timestamp: now },
            alerts: Vec::new(),
            by_hand: true,
        };
        let message = test.id;
        tx.queue_webhook_messages(&[test], now).await?;
        let queued = tx.webhook_message(message).await?.ok_or_else(|| no_message(message))?;
        tx.commit().await?;
        Ok(queued)
    }

    /// The messages to an endpoint, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such endpoint.
    pub async fn webhook_messages(
        &self,
        organization: OrganizationId,
        id: WebhookId,
        after: Option<WebhookMessageId>,
        limit: i64,
    ) -> Result<Vec<DeliveredMessage>> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        tx.webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        let mut messages = Vec::new();
        for message in tx.webhook_messages(id, after, limit).await? {
            let attempts = tx.webhook_attempts(message.id).await?;
            messages.push(DeliveredMessage { message, attempts });
        }
        Ok(messages)
    }

    /// Sends a message again, under its id, at any hour.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when nothing is sent there.
    pub async fn resend_webhook_message(
        &self,
        scope: impl Into<Scope>,
        webhook: WebhookId,
        id: WebhookMessageId,
    ) -> Result<WebhookMessage> {
        let mut tx = self.store().begin(scope.into()).await?;
        sendable(&mut tx, webhook).await?;
        let found = tx.webhook_message(id).await?;
        found.filter(|message| message.webhook == webhook).ok_or_else(|| no_message(id))?;
        tx.resend_webhook_message(id, self.now()).await?;
        let queued = tx.webhook_message(id).await?.ok_or_else(|| no_message(id))?;
        tx.commit().await?;
        Ok(queued)
    }

    /// What was told of some alerts outside, oldest first.
    pub async fn told_of(
        &self,
        organization: OrganizationId,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<Told>>> {
        Ok(self.store().read(Scope::Service(organization)).await?.told_of(alerts).await?)
    }

    /// What an organization decided about telling its staff.
    pub async fn notification_settings(
        &self,
        organization: OrganizationId,
    ) -> Result<NotificationSettings> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.notification_settings().await?)
    }

    /// Changes that.
    ///
    /// # Errors
    /// When a value cannot be used.
    pub async fn set_notification_settings(
        &self,
        scope: impl Into<Scope>,
        settings: &NotificationSettings,
    ) -> Result<()> {
        settings.check().map_err(|error| Error::invalid(error.field, error.reason))?;
        let mut tx = self.store().begin(scope.into()).await?;
        tx.set_notification_settings(settings, self.now()).await?;
        Ok(tx.commit().await?)
    }
}

fn chosen_secret(text: Option<&str>) -> Result<WebhookSecret> {
    text.map_or_else(
        || Ok(WebhookSecret::new()),
        |text| {
            WebhookSecret::parse(text).map_err(|error| Error::invalid("secret", error.to_string()))
        },
    )
}

async fn check(
    tx: &mut Tx,
    name: Option<&str>,
    url: Option<&str>,
    route: Option<&Route>,
) -> Result<()> {
    let checked = name
        .map_or(Ok(()), check_endpoint_name)
        .and_then(|()| url.map_or(Ok(()), check_endpoint_url))
        .and_then(|()| route.map_or(Ok(()), Route::check));
    checked.map_err(|error| Error::invalid(error.field, error.reason))?;
    if let Some(url) = url {
        url::Url::parse(url).map_err(|error| {
            Error::invalid(
                "url",
                format!("is no address: {error}; use one like https://example.com/hooks"),
            )
        })?;
    }
    let owners = route.map_or(&[][..], |route| &route.owners);
    if !owners.is_empty() {
        let members = tx.members().await?;
        if let Some(other) =
            owners.iter().find(|id| !members.iter().any(|member| member.id == **id))
        {
            return Err(Error::invalid(
                "owners",
                format!("{other} is no member; GET /api/v1/members lists those there are"),
            ));
        }
    }
    Ok(())
}

/// An endpoint that messages are sent to.
async fn sendable(tx: &mut Tx, id: WebhookId) -> Result<Webhook> {
    let webhook = tx.webhook(id).await?.ok_or_else(|| no_webhook(id))?;
    if let Some((reason, _)) = &webhook.disabled {
        return Err(Error::conflict(format!(
            "nothing is sent to this webhook: {reason}; enable it first"
        )));
    }
    if tx.organization().await?.sample {
        return Err(Error::conflict(SAMPLE));
    }
    Ok(webhook)
}
