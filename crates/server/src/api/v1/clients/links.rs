//! `/api/v1/clients/{client_id}/links`: sign-in links to a client's own page, and `…/sign-out`,
//! which revokes them.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::OptionalBody,
    caller::StaffCaller,
    input::{PathClient, instant},
    problem::Problem,
};

/// A link to create.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLink {
    /// When it expires, RFC 3339, at most 30 days ahead; after 7 days if omitted.
    #[schema(format = DateTime, example = "2026-05-08T09:00:00Z")]
    expires_at: Option<String>,
}

/// A sign-in link of one client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientLink)]
struct LinkBody {
    /// The URL. It works for anyone who has it.
    #[schema(example = "https://success.example.com/client/sign-in?token=eyJ0eXAi…")]
    url: String,
    /// When it expires.
    expires_at: Timestamp,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_client_link)).routes(routes!(sign_client_out))
}

/// Creates a sign-in link for a client.
///
/// To send by email or chat. Anyone who opens it sees this client's page until the link expires; it
/// does not grant access to the API.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/links", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<NewLink>,
    responses((status = 201, description = "The link.", body = LinkBody)),
)]
async fn create_client_link(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    OptionalBody(new): OptionalBody<NewLink>,
) -> Result<(StatusCode, Json<LinkBody>), Problem> {
    let client = api.mainstay.client(caller.scope, &client_id).await?;
    let expires_at = new.expires_at.map(|at| instant("expires_at", &at)).transpose()?;
    let link = api
        .mainstay
        .client_link(caller.organization, &client.external_id, expires_at, &api.site)
        .await?;
    Ok((StatusCode::CREATED, Json(LinkBody { url: link.url, expires_at: link.expires_at })))
}

/// Signs a client out everywhere.
///
/// Revokes its sessions and every link and token signed so far, for example after a phone was lost
/// or a link was leaked. The app can sign it in again with a new token; a token without `iat`
/// counts as signed a day before it expires. The client need not exist yet.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/sign-out", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "All links and tokens signed so far are revoked.")),
)]
async fn sign_client_out(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.revoke_client_access(caller.actor(), &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
