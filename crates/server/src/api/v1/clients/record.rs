//! `/api/v1/clients/{client_id}`: one client's profile.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_store::{Client, ClientPatch};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::{Body, present},
    caller::{Administrator, ForClient, Worker},
    input::PathClient,
    problem::Problem,
};

/// A customer of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub(super) struct ClientBody {
    /// The host app's id.
    #[schema(example = "ada")]
    client_id: String,
    /// What people call it.
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    /// Its address.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// What it pays for.
    #[schema(example = "pro")]
    plan: Option<String>,
    /// The account that it belongs to.
    #[schema(example = "analytical-engines")]
    group_id: Option<String>,
    /// Anything else that the host app told.
    #[schema(value_type = Object)]
    traits: Map<String, Value>,
    /// Its first event, or when it was created.
    created_at: Timestamp,
}

impl From<Client> for ClientBody {
    fn from(client: Client) -> Self {
        Self {
            client_id: client.external_id,
            name: client.profile.name,
            email: client.profile.email,
            plan: client.profile.plan,
            group_id: client.profile.group_id,
            traits: client.profile.traits,
            created_at: client.created_at,
        }
    }
}

/// Changes to a client's profile; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClientChanges {
    /// What people call it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 255, example = "Ada Lovelace")]
    name: Option<String>,
    /// Its address.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 255, example = "ada@example.com")]
    email: Option<String>,
    /// What it pays for.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 255, example = "pro")]
    plan: Option<String>,
    /// The account that it belongs to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 255, example = "analytical-engines")]
    group_id: Option<String>,
    /// Traits to add or replace, one by one; at most 32 KiB as JSON.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"industry": "computing"}))]
    traits: Map<String, Value>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_client, change_client, delete_client))
}

/// Reads a client.
///
/// Its profile. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The client.", body = ClientBody)),
)]
async fn read_client(asked: ForClient) -> Json<ClientBody> {
    Json(asked.client.into())
}

/// Changes a client's profile.
///
/// Only what is sent; traits are added to those it has.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = ClientChanges,
    responses((status = 200, description = "The client as it is now.", body = ClientBody)),
)]
async fn change_client(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(changes): Body<ClientChanges>,
) -> Result<Json<ClientBody>, Problem> {
    let patch = ClientPatch {
        name: changes.name,
        email: changes.email,
        plan: changes.plan,
        group_id: changes.group_id,
        traits: changes.traits,
    };
    let client = api.mainstay.update_client(worker.organization, &client_id, &patch).await?;
    Ok(Json(client.into()))
}

/// Deletes a client.
///
/// With everything known of it, for good: profile, events, scores, insights, alerts, feedback. Needs
/// the role owner or admin, or a secret key. Should it send another event, it is a new client.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_client(
    administrator: Administrator,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_client(administrator.organization, &client_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
