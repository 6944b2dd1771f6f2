use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertType, Severity},
    id::MemberId,
    notification::{EndpointKind, NotificationType, Route},
};
use mainstay_store::{Webhook, WebhookPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{api::names, notification::CreateWebhook};

/// A webhook, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(super) struct WebhookBody {
    /// Its id.
    id: Uuid,
    /// The format: `webhook` is signed JSON, `slack` is for Slack's incoming webhooks.
    #[schema(value_type = names::EndpointKind)]
    kind: EndpointKind,
    /// The display name.
    #[schema(example = "Customer success channel")]
    name: String,
    /// The URL.
    #[schema(example = "https://example.com/hooks/mainstay")]
    url: String,
    /// The filter of events.
    route: RouteBody,
    /// Whether to deliver in quiet hours, too.
    ignores_quiet_hours: bool,
    /// Whether it is enabled.
    enabled: bool,
    /// Why it is disabled.
    disabled_reason: Option<String>,
    /// When it was disabled.
    disabled_at: Option<Timestamp>,
    /// Since when all attempts have failed.
    failing_since: Option<Timestamp>,
    /// Until when messages are also signed with the previous secret.
    previous_secret_until: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
}

impl From<Webhook> for WebhookBody {
    fn from(webhook: Webhook) -> Self {
        let (disabled_reason, disabled_at) = webhook.disabled.unzip();
        Self {
            id: webhook.id.uuid(),
            kind: webhook.kind,
            name: webhook.name,
            url: webhook.url,
            route: webhook.route.into(),
            ignores_quiet_hours: webhook.ignores_quiet_hours,
            enabled: disabled_at.is_none(),
            disabled_reason,
            disabled_at,
            failing_since: webhook.failing_since,
            previous_secret_until: webhook.previous_secret.map(|(_, until)| until),
            created_at: webhook.created_at,
        }
    }
}

/// A webhook with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedWebhook {
    /// The signing secret, shown only once: store it safely.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: String,
    /// The webhook.
    #[serde(flatten)]
    webhook: WebhookBody,
}

impl From<Webhook> for CreatedWebhook {
    fn from(webhook: Webhook) -> Self {
        Self { secret: webhook.secret.clone(), webhook: webhook.into() }
    }
}

/// The organization's webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhooks {
    /// Oldest first.
    pub(super) webhooks: Vec<WebhookBody>,
}

/// The filter of a webhook. An omitted or empty field matches everything.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookRoute)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RouteBody {
    /// Only these events.
    #[schema(value_type = Vec<names::RoutedEvent>)]
    events: Vec<NotificationType>,
    /// Only alerts of at least this severity.
    #[schema(value_type = Option<names::Severity>)]
    least_severity: Option<Severity>,
    /// Only alerts of these types.
    #[schema(value_type = Vec<names::AlertType>)]
    alert_types: Vec<AlertType>,
    /// Only alerts of clients owned by these members.
    #[schema(max_items = 100)]
    owners: Vec<Uuid>,
    /// Also alerts of clients without an owner; without `owners`, only these.
    unowned: bool,
}

impl From<Route> for RouteBody {
    fn from(route: Route) -> Self {
        Self {
            events: route.events,
            least_severity: route.least_severity,
            alert_types: route.alert_types,
            owners: route.owners.into_iter().map(MemberId::uuid).collect(),
            unowned: route.unowned,
        }
    }
}

impl From<RouteBody> for Route {
    fn from(body: RouteBody) -> Self {
        Self {
            events: body.events,
            least_severity: body.least_severity,
            alert_types: body.alert_types,
            owners: body.owners.into_iter().map(Into::into).collect(),
            unowned: body.unowned,
        }
    }
}

/// A webhook to create.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhookBody {
    /// The format.
    #[serde(default = "webhook")]
    #[schema(value_type = names::EndpointKind, default = "webhook")]
    kind: EndpointKind,
    /// The display name.
    #[schema(min_length = 1, max_length = 100, example = "Customer success channel")]
    name: String,
    /// The URL: http or https, without user and password.
    #[schema(max_length = 2000, example = "https://example.com/hooks/mainstay")]
    url: String,
    /// The signing secret: `whsec_` and 24 to 64 bytes in base64. Generated if omitted.
    secret: Option<String>,
    /// The filter of events; all if omitted.
    #[serde(default)]
    route: RouteBody,
    /// Whether to deliver in quiet hours, too.
    #[serde(default)]
    ignores_quiet_hours: bool,
}

const fn webhook() -> EndpointKind {
    EndpointKind::Webhook
}

impl From<NewWebhookBody> for CreateWebhook {
    fn from(new: NewWebhookBody) -> Self {
        Self {
            kind: new.kind,
            name: new.name,
            url: new.url,
            secret: new.secret,
            route: new.route.into(),
            ignores_quiet_hours: new.ignores_quiet_hours,
        }
    }
}

/// Changes to a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedWebhook {
    /// The display name.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// The URL.
    #[schema(max_length = 2000)]
    url: Option<String>,
    /// The new filter of events.
    route: Option<RouteBody>,
    /// Whether to deliver in quiet hours, too.
    ignores_quiet_hours: Option<bool>,
    /// Whether it is enabled.
    pub(super) enabled: Option<bool>,
}

impl From<ChangedWebhook> for WebhookPatch {
    fn from(body: ChangedWebhook) -> Self {
        Self {
            name: body.name,
            url: body.url,
            route: body.route.map(Into::into),
            ignores_quiet_hours: body.ignores_quiet_hours,
        }
    }
}

/// A new secret.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewWebhookSecret)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    /// `whsec_` and 24 to 64 bytes in base64. Generated if omitted.
    pub(super) secret: Option<String>,
}
