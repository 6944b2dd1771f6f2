use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::{
    id::{WebhookId, WebhookMessageId},
    notification::{MessageState, Notice, NoticeType},
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
const MOST_DELIVERIES: i64 = 200;

/// A message to a webhook and what came of it.
#[derive(Debug, Serialize, ToSchema)]
struct Delivery {
    /// Its id; the header `webhook-id` is `msg_` and this.
    id: Uuid,
    /// What it tells of.
    #[serde(rename = "type")]
    #[schema(value_type = names::NoticeEvent)]
    kind: NoticeType,
    /// What it says.
    #[schema(value_type = Object)]
    notice: Notice,
    /// What became of it.
    #[schema(value_type = names::MessageState)]
    state: MessageState,
    /// Why it is not delivered, or not yet.
    reason: Option<String>,
    /// When it is sent next, while it is queued.
    due_at: Option<Timestamp>,
    /// When it was written.
    created_at: Timestamp,
    /// When it was delivered or given up.
    ended_at: Option<Timestamp>,
    /// Each time that it was sent, oldest first.
    attempts: Vec<Attempt>,
}

/// One time that a message was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct Attempt {
    /// When.
    at: Timestamp,
    /// How long it took.
    duration_ms: i64,
    /// The status of the answer; null when there was none.
    status: Option<i64>,
    /// The first 500 characters of the answer.
    response: String,
    /// Why it did not arrive; null when it did.
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
    /// Where the next page begins; absent on the last one.
    next: Option<Uuid>,
}

/// Which messages to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichDeliveries {
    /// Go on before the message with this id: the `next` of the page before.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<String>,
    /// How many at most.
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
/// A `webhook.test`, within a second and at any hour; the deliveries say what came of it. Needs the
/// role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{webhook_id}/test", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The message, which is about to be sent.", body = Delivery),
        (status = 409, description = "Nothing is sent to this webhook."),
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

/// Lists what was sent to a webhook.
///
/// Newest first, page by page, with every attempt; what ended more than 30 days ago is forgotten.
/// Needs the role owner or admin, or a secret key.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{webhook_id}/deliveries", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichDeliveries),
    responses((status = 200, description = "A page of messages.", body = Deliveries)),
)]
async fn list_deliveries(
    administrator: Administrator,
    Id(webhook): Id<WebhookId>,
    State(api): State<Api>,
    Params(which): Params<WhichDeliveries>,
) -> Result<Json<Deliveries>, Problem> {
    let limit = limit(which.limit.as_deref(), DEFAULT_DELIVERIES, MOST_DELIVERIES)?;
    let before: Option<WebhookMessageId> =
        which.before.as_deref().map(|text| id("before", text)).transpose()?;
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
/// Under the same `webhook-id`, within a second and at any hour, whatever became of it before. Needs
/// the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The message, which is about to be sent.", body = Delivery),
        (status = 409, description = "Nothing is sent to this webhook."),
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
