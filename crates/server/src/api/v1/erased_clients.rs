//! `/api/v1/erased-clients`: deleted clients whose ids are blocked.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_store::ErasedClient;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Api, caller::Administrator, input::PathClient, problem::Problem};

/// A deleted client whose id is blocked. No data of it is stored, not even the id.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasedClient)]
struct ErasedClientBody {
    /// HMAC-SHA256 of the id, in hexadecimal, with a secret key.
    id_hash: String,
    /// When it was deleted.
    erased_at: Timestamp,
    /// Until when it is blocked; null if forever.
    keep_out_until: Option<Timestamp>,
    /// The number of messages about it that were rejected since.
    refused: i64,
    /// When the latest of them arrived.
    refused_at: Option<Timestamp>,
}

impl From<ErasedClient> for ErasedClientBody {
    fn from(erased: ErasedClient) -> Self {
        let ErasedClient { id_hash, erased_at, keep_out_until, refused, refused_at } = erased;
        Self { id_hash, erased_at, keep_out_until, refused, refused_at }
    }
}

/// Deleted clients whose ids are blocked.
#[derive(Debug, Serialize, ToSchema)]
struct ErasedClients {
    /// Newest first, at most 500.
    erased_clients: Vec<ErasedClientBody>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_erased_clients)).routes(routes!(let_client_in))
}

/// Lists deleted clients whose ids are blocked.
///
/// With the number of rejected messages of each. Their ids are not stored, so they cannot be
/// listed. Needs the
/// role owner or admin, or a secret key.
#[utoipa::path(
    get, path = "/api/v1/erased-clients", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The clients that are kept out.", body = ErasedClients)),
)]
async fn list_erased_clients(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<Json<ErasedClients>, Problem> {
    let erased = api.mainstay.erased_clients(administrator.scope).await?;
    Ok(Json(ErasedClients { erased_clients: erased.into_iter().map(Into::into).collect() }))
}

/// Unblocks a deleted client.
///
/// The next event with its id creates a client. Needs the role owner or admin, or a secret key.
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
    api.mainstay.readmit_client(administrator.organization, &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
