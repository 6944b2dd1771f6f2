//! `/api/v1/clients/{client_id}/links`: links by which a client comes to its own page, and
//! `…/sign-out`, which ends them.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::OptionalBody,
    caller::Worker,
    input::{PathClient, instant},
    problem::Problem,
};

/// A link to make.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLink {
    /// Until when it is to work, RFC 3339, at most 30 days ahead; 7 days when left out.
    #[schema(format = DateTime, example = "2026-05-08T09:00:00Z")]
    expires_at: Option<String>,
}

/// A link by which one client comes in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientLink)]
struct LinkBody {
    /// Where it leads. It works for whoever has it.
    #[schema(example = "https://success.example.com/client/sign-in?token=eyJ0eXAi…")]
    url: String,
    /// Until when it works.
    expires_at: Timestamp,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(create_client_link)).routes(routes!(sign_client_out))
}

/// Makes a link for a client.
///
/// To send by mail or chat. Whoever opens it sees this client's page, as the client does, until the
/// link expires; it opens nothing of the API.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/links", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<NewLink>,
    responses((status = 201, description = "The link.", body = LinkBody)),
)]
async fn create_client_link(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    OptionalBody(new): OptionalBody<NewLink>,
) -> Result<(StatusCode, Json<LinkBody>), Problem> {
    let client = api.mainstay.client(worker.scope, &client_id).await?;
    let expires_at = new.expires_at.map(|at| instant("expires_at", &at)).transpose()?;
    let link = api
        .mainstay
        .client_link(worker.organization, &client.external_id, expires_at, &api.site)
        .await?;
    Ok((StatusCode::CREATED, Json(LinkBody { url: link.url, expires_at: link.expires_at })))
}

/// Signs a client out everywhere.
///
/// Ends its sessions, and every link and token that was signed for it until now: for a lost phone, or a
/// link in wrong hands. Its app lets it in again with a token that is signed afterwards; a token without
/// `iat` counts as signed a day before it expires. The client need not be known yet.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/sign-out", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Nothing that was signed until now lets it in.")),
)]
async fn sign_client_out(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.end_client_access(worker.actor(), &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
