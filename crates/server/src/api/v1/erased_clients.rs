//! `/api/v1/erased-clients`: deleted clients whose ids are kept out.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_store::ErasedClient;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Api, caller::Administrator, input::PathClient, problem::Problem};

/// A deleted client whose id is kept out. Nothing is known of it any more, not even the id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasedClient)]
struct ErasedClientBody {
    /// HMAC-SHA256 of the id in hexadecimal digits, with a key that nobody is told.
    id_hash: String,
    /// When it was deleted.
    erased_at: Timestamp,
    /// Until when it is kept out; null for good.
    keep_out_until: Option<Timestamp>,
    /// How many messages about it were refused since.
    refused: i64,
    /// When the latest of them came.
    refused_at: Option<Timestamp>,
}

impl From<ErasedClient> for ErasedClientBody {
    fn from(erased: ErasedClient) -> Self {
        let ErasedClient { id_hash, erased_at, keep_out_until, refused, refused_at } = erased;
        Self { id_hash, erased_at, keep_out_until, refused, refused_at }
    }
}

/// Deleted clients that are kept out.
#[derive(Debug, Serialize, ToSchema)]
struct ErasedClients {
    /// The latest first, at most 500.
    erased_clients: Vec<ErasedClientBody>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_erased_clients)).routes(routes!(let_client_in))
}

/// Lists deleted clients that are kept out.
///
/// With how much was refused of each since. Their ids are not kept, so they cannot be listed. Needs the
/// role owner or admin, or a secret key.
#[utoipa::path(
    get, path = "/api/v1/erased-clients", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "Those that are kept out.", body = ErasedClients)),
)]
async fn list_erased_clients(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<Json<ErasedClients>, Problem> {
    let erased = api.mainstay.erased_clients(administrator.scope).await?;
    Ok(Json(ErasedClients { erased_clients: erased.into_iter().map(Into::into).collect() }))
}

/// Lets a deleted client in again.
///
/// The next event of the id creates a client. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/erased-clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Let in.")),
)]
async fn let_client_in(
    administrator: Administrator,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.let_client_in(administrator.organization, &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
