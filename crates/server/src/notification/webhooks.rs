use std::collections::HashMap;

use jiff::SignedDuration;
use mainstay_core::{
    id::{AlertId, OrganizationId, WebhookId, WebhookMessageId},
    notification::{
        EndpointKind, Event, Notification, NotificationSettings, Route, TestNotification,
        check_endpoint_name, check_endpoint_url,
    },
};
use mainstay_store::{
    AlertDelivery, NewWebhook, NewWebhookMessage, Scope, Tx, Webhook, WebhookAttempt,
    WebhookMessage, WebhookPatch, new_id,
};

use super::{SAMPLE, WebhookSecret, no_webhook};
use crate::{Error, Mainstay, Result};

/// How long messages are also signed with a replaced secret.
pub const PREVIOUS_SECRET_TTL: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of endpoints of an organization.
const MAX_WEBHOOKS: usize = 50;

/// The input for creating a webhook.
#[derive(Clone, Debug)]
pub struct CreateWebhook {
    /// The format.
    pub kind: EndpointKind,
    /// The display name.
    pub name: String,
    /// The URL.
    pub url: String,
    /// The signing secret; generated if absent.
    pub secret: Option<String>,
    /// The filter of events.
    pub route: Route,
    /// Whether to deliver in quiet hours.
    pub ignores_quiet_hours: bool,
}

/// A message with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveredMessage {
    /// The message.
    pub message: WebhookMessage,
    /// The attempts, oldest first.
    pub attempts: Vec<WebhookAttempt>,
}

fn no_message(id: WebhookMessageId) -> Error {
    Error::NotFound {
        what: "message",
        id: id.to_string(),
        remedy: "GET /api/v1/webhooks/{id}/deliveries lists a webhook's messages",
    }
}

impl Mainstay {
    /// The endpoints of an organization, oldest first.
    pub async fn webhooks(&self, organization: OrganizationId) -> Result<Vec<Webhook>> {
        Ok(self.store().read(Scope::Service(organization)).await?.list_webhooks().await?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn webhook(&self, organization: OrganizationId, id: WebhookId) -> Result<Webhook> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        tx.find_webhook(id).await?.ok_or_else(|| no_webhook(id))
    }

    /// Creates an endpoint; the result contains its secret.
    ///
    /// # Errors
    /// If a value is invalid, or the limit of endpoints is reached.
    pub async fn create_webhook(
        &self,
        scope: impl Into<Scope>,
        create: CreateWebhook,
    ) -> Result<Webhook> {
        let secret = parse_or_new_secret(create.secret.as_deref())?;
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
        if tx.list_webhooks().await?.len() >= MAX_WEBHOOKS {
            return Err(Error::conflict(format!(
                "there are already {MAX_WEBHOOKS} webhooks, which is the limit; delete an unused \
                 one"
            )));
        }
        tx.create_webhook(&new, self.now()).await?;
        let created = tx.find_webhook(new.id).await?.ok_or_else(|| no_webhook(new.id))?;
        tx.commit().await?;
        Ok(created)
    }

    /// Changes an endpoint, and optionally enables or disables it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if a value is invalid.
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
        let updated = tx.find_webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        tx.commit().await?;
        Ok(updated)
    }

    /// Rotates an endpoint's secret; the result contains the new one. For a day, messages are also
    /// signed with the old one.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if the secret is invalid.
    pub async fn rotate_webhook_secret(
        &self,
        scope: impl Into<Scope>,
        id: WebhookId,
        secret: Option<&str>,
    ) -> Result<Webhook> {
        let secret = parse_or_new_secret(secret)?;
        let until = self.now().checked_add(PREVIOUS_SECRET_TTL).unwrap_or(self.now());
        let mut tx = self.store().begin(scope.into()).await?;
        if !tx.rotate_webhook_secret(id, secret.as_str(), until).await? {
            return Err(no_webhook(id));
        }
        let rotated = tx.find_webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        tx.commit().await?;
        Ok(rotated)
    }

    /// Deletes an endpoint with its message history.
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

    /// Sends a test message, even in quiet hours.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if the endpoint is disabled.
    pub async fn test_webhook(
        &self,
        scope: impl Into<Scope>,
        id: WebhookId,
    ) -> Result<WebhookMessage> {
        let now = self.now();
        let mut tx = self.store().begin(scope.into()).await?;
        let webhook = active_webhook(&mut tx, id).await?;
        let organization = tx.get_organization().await?.slug;
        let event = Event::WebhookTest(TestNotification { organization, endpoint: webhook.name });
        let test = NewWebhookMessage {
            id: new_id(now),
            webhook: id,
            notice: Notification { event, timestamp: now },
            alerts: Vec::new(),
            by_hand: true,
        };
        let message = test.id;
        tx.enqueue_webhook_messages(&[test], now).await?;
        let queued = tx.find_webhook_message(message).await?.ok_or_else(|| no_message(message))?;
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
        tx.find_webhook(id).await?.ok_or_else(|| no_webhook(id))?;
        let mut messages = Vec::new();
        for message in tx.list_webhook_messages(id, after, limit).await? {
            let attempts = tx.list_webhook_attempts(message.id).await?;
            messages.push(DeliveredMessage { message, attempts });
        }
        Ok(messages)
    }

    /// Sends a message again with the same id, even in quiet hours.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if the endpoint is disabled.
    pub async fn resend_webhook_message(
        &self,
        scope: impl Into<Scope>,
        webhook: WebhookId,
        id: WebhookMessageId,
    ) -> Result<WebhookMessage> {
        let mut tx = self.store().begin(scope.into()).await?;
        active_webhook(&mut tx, webhook).await?;
        let found = tx.find_webhook_message(id).await?;
        found.filter(|message| message.webhook == webhook).ok_or_else(|| no_message(id))?;
        tx.resend_webhook_message(id, self.now()).await?;
        let queued = tx.find_webhook_message(id).await?.ok_or_else(|| no_message(id))?;
        tx.commit().await?;
        Ok(queued)
    }

    /// The notifications of some alerts, oldest first.
    pub async fn notifications_of(
        &self,
        organization: OrganizationId,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<AlertDelivery>>> {
        Ok(self
            .store()
            .read(Scope::Service(organization))
            .await?
            .list_deliveries_of(alerts)
            .await?)
    }

    /// An organization's notification settings.
    pub async fn notification_settings(
        &self,
        organization: OrganizationId,
    ) -> Result<NotificationSettings> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        Ok(tx.get_notification_settings().await?)
    }

    /// Changes the notification settings.
    ///
    /// # Errors
    /// If a value is invalid.
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

fn parse_or_new_secret(text: Option<&str>) -> Result<WebhookSecret> {
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
                format!("is not a URL: {error}; use one like https://example.com/hooks"),
            )
        })?;
    }
    let owners = route.map_or(&[][..], |route| &route.owners);
    if !owners.is_empty() {
        let members = tx.list_members().await?;
        if let Some(other) =
            owners.iter().find(|id| !members.iter().any(|member| member.id == **id))
        {
            return Err(Error::invalid(
                "owners",
                format!("{other} is not a member; GET /api/v1/members lists all members"),
            ));
        }
    }
    Ok(())
}

/// An enabled endpoint.
async fn active_webhook(tx: &mut Tx, id: WebhookId) -> Result<Webhook> {
    let webhook = tx.find_webhook(id).await?.ok_or_else(|| no_webhook(id))?;
    if let Some((reason, _)) = &webhook.disabled {
        return Err(Error::conflict(format!(
            "this webhook is disabled: {reason}; enable it first"
        )));
    }
    if tx.get_organization().await?.sample {
        return Err(Error::conflict(SAMPLE));
    }
    Ok(webhook)
}
