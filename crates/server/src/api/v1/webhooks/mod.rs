//! `/api/v1/webhooks`: notifications of staff outside Mainstay. The OpenAPI document describes the
//! messages under `webhooks` (`catalogue`).

mod body;
pub(crate) mod catalogue;
mod deliveries;
mod settings;

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::id::WebhookId;
use mainstay_store::WebhookPatch;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{Api, body::Body, caller::Administrator, input::Id, problem::Problem},
    notification::CreateWebhook,
};
use body::{ChangedWebhook, CreatedWebhook, NewSecret, NewWebhookBody, WebhookBody, Webhooks};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_webhooks, create_webhook))
        .routes(routes!(read_webhook, change_webhook, delete_webhook))
        .routes(routes!(rotate_webhook_secret))
        .merge(deliveries::routes())
        .merge(settings::routes())
}

/// Lists the webhooks.
///
/// Without their secrets. Needs the role owner or admin, or a secret key: the address of a webhook is
/// often a secret itself.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The webhooks.", body = Webhooks)),
)]
async fn list_webhooks(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<Json<Webhooks>, Problem> {
    let webhooks = api.mainstay.webhooks(administrator.organization).await?;
    Ok(Json(Webhooks { webhooks: webhooks.into_iter().map(Into::into).collect() }))
}

/// Creates a webhook.
///
/// The secret is only shown in this response. Messages to private addresses are refused, unless the
/// operator allows them. Needs the role owner or admin, or a
/// secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewWebhookBody,
    responses(
        (status = 201, description = "The new webhook.", body = CreatedWebhook),
        (status = 409, description = "The limit of webhooks is reached."),
    ),
)]
async fn create_webhook(
    administrator: Administrator,
    State(api): State<Api>,
    Body(new): Body<NewWebhookBody>,
) -> Result<(StatusCode, Json<CreatedWebhook>), Problem> {
    let create = CreateWebhook::from(new);
    let created = api.mainstay.create_webhook(administrator.scope, create).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// Reads a webhook.
///
/// Without its secret. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{webhook_id}", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The webhook.", body = WebhookBody)),
)]
async fn read_webhook(
    administrator: Administrator,
    Id(id): Id<WebhookId>,
    State(api): State<Api>,
) -> Result<Json<WebhookBody>, Problem> {
    Ok(Json(api.mainstay.webhook(administrator.organization, id).await?.into()))
}

/// Changes a webhook.
///
/// Omitted fields stay. `enabled` enables it again after it was disabled. Needs the
/// role owner or admin, or a secret key.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{webhook_id}", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = ChangedWebhook,
    responses((status = 200, description = "The webhook as it is now.", body = WebhookBody)),
)]
async fn change_webhook(
    administrator: Administrator,
    Id(id): Id<WebhookId>,
    State(api): State<Api>,
    Body(body): Body<ChangedWebhook>,
) -> Result<Json<WebhookBody>, Problem> {
    let enabled = body.enabled;
    let patch = WebhookPatch::from(body);
    let scope = administrator.scope;
    Ok(Json(api.mainstay.update_webhook(scope, id, &patch, enabled).await?.into()))
}

/// Deletes a webhook.
///
/// With its message history. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{webhook_id}", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_webhook(
    administrator: Administrator,
    Id(id): Id<WebhookId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_webhook(administrator.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotates a webhook's secret.
///
/// For 24 hours, messages are signed with both secrets, so that the receiver can switch at any
/// time. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{webhook_id}/rotate-secret", tag = "Webhooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewSecret,
    responses((status = 200, description = "The webhook with its new secret.", body = CreatedWebhook)),
)]
async fn rotate_webhook_secret(
    administrator: Administrator,
    Id(id): Id<WebhookId>,
    State(api): State<Api>,
    Body(new): Body<NewSecret>,
) -> Result<Json<CreatedWebhook>, Problem> {
    let scope = administrator.scope;
    let secret = new.secret.as_deref();
    Ok(Json(api.mainstay.rotate_webhook_secret(scope, id, secret).await?.into()))
}
