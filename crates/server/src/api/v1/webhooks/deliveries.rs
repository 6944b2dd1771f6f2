use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::{
    id::{WebhookId, WebhookMessageId},
    notification::{MessageState, Notification, NotificationType},
};
use mainstay_store::{WebhookAttempt, WebhookMessage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        Api,
        caller::Administrator,
        input::{Id, Params, id, limit},
        names,
        problem::Problem,
    },
    notification::DeliveredMessage,
    paging::Page,
};

const DEFAULT_DELIVERIES: i64 = 50;
const MAX_DELIVERIES: i64 = 200;

/// A message to a webhook and its outcome.
#[derive(Debug, Serialize, ToSchema)]
struct Delivery {
    /// Its id; the header `webhook-id` is `msg_` and this.
    id: Uuid,
    /// The event type.
    #[serde(rename = "type")]
    #[schema(value_type = names::NoticeEvent)]
    kind: NotificationType,
    /// The message.
    #[schema(value_type = Object)]
    notice: Notification,
    /// The current state.
    #[schema(value_type = names::MessageState)]
    state: MessageState,
    /// Why it is not delivered, or not yet delivered.
    reason: Option<String>,
    /// The time of the next attempt, while it is queued.
    due_at: Option<Timestamp>,
    /// When it was created.
    created_at: Timestamp,
    /// When it was delivered or given up.
    ended_at: Option<Timestamp>,
    /// Its attempts, oldest first.
    attempts: Vec<Attempt>,
}

/// An attempt to send a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct Attempt {
    /// When.
    at: Timestamp,
    /// The duration.
    duration_ms: i64,
    /// The status of the response; null if there was none.
    status: Option<i64>,
    /// The first 500 characters of the response.
    response: String,
    /// Why it failed; null if it succeeded.
    error: Option<String>,
}

impl From<WebhookAttempt> for Attempt {
    fn from(attempt: WebhookAttempt) -> Self {
        let WebhookAttempt { at, duration_ms, status, response, error } = attempt;
        Self { at, duration_ms, status, response, error }
    }
}

impl Delivery {
    fn new(message: WebhookMessage, attempts: Vec<WebhookAttempt>) -> Self {
        Self {
            id: message.id.uuid(),
            kind: message.notice.event.kind(),
            notice: message.notice,
            due_at: (message.state == MessageState::Queued).then_some(message.due_at),
            state: message.state,
            reason: message.reason,
            created_at: message.created_at,
            ended_at: message.ended_at,
            attempts: attempts.into_iter().map(Into::into).collect(),
        }
    }
}

/// A page of messages to a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct Deliveries {
    /// Newest first.
    deliveries: Vec<Delivery>,
    /// The cursor of the next page; absent on the last page.
    next: Option<Uuid>,
}

/// Which messages to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// Continue before the message with this id: the `next` of the previous page.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(test_webhook))
        .routes(routes!(list_deliveries))
        .routes(routes!(resend_delivery))
}

/// Sends a test message to a webhook.
///
/// Sends `webhook.test` within a second, even in quiet hours; see the deliveries for the outcome. Needs the
/// role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{webhook_id}/test", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The message, which is about to be sent.", body = Delivery),
        (status = 409, description = "The webhook is disabled."),
    ),
)]
async fn test_webhook(
    administrator: Administrator,
    Id(id): Id<WebhookId>,
    State(api): State<Api>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    let queued = api.mainstay.test_webhook(administrator.scope, id).await?;
    Ok((StatusCode::ACCEPTED, Json(Delivery::new(queued, Vec::new()))))
}

/// Lists the messages to a webhook.
///
/// Newest first, paginated, with every attempt; messages are deleted 30 days after they ended.
/// Needs the role owner or admin, or a secret key.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{webhook_id}/deliveries", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    params(DeliveryQuery),
    responses((status = 200, description = "A page of messages.", body = Deliveries)),
)]
async fn list_deliveries(
    administrator: Administrator,
    Id(webhook): Id<WebhookId>,
    State(api): State<Api>,
    Params(query): Params<DeliveryQuery>,
) -> Result<Json<Deliveries>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_DELIVERIES, MAX_DELIVERIES)?;
    let before: Option<WebhookMessageId> =
        query.before.as_deref().map(|text| id("before", text)).transpose()?;
    let organization = administrator.organization;
    let page = Page::read(limit, async |limit| {
        api.mainstay.webhook_messages(organization, webhook, before, limit).await
    })
    .await?;
    Ok(Json(Deliveries {
        next: page.next(|last| last.message.id.uuid()),
        deliveries: page
            .items
            .into_iter()
            .map(|DeliveredMessage { message, attempts }| Delivery::new(message, attempts))
            .collect(),
    }))
}

/// Sends a message again.
///
/// With the same `webhook-id`, within a second, even in quiet hours, whatever its state. Needs
/// the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The message, which is about to be sent.", body = Delivery),
        (status = 409, description = "The webhook is disabled."),
    ),
)]
async fn resend_delivery(
    administrator: Administrator,
    Id(webhook): Id<WebhookId>,
    Id(message): Id<WebhookMessageId>,
    State(api): State<Api>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    let queued = api.mainstay.resend_webhook_message(administrator.scope, webhook, message).await?;
    Ok((StatusCode::ACCEPTED, Json(Delivery::new(queued, Vec::new()))))
}
