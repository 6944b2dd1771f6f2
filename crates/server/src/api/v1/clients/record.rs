//! `/api/v1/clients/{client_id}`: one client's profile.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_store::{Client, ClientPatch, ProfileField};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::{Body, Change},
    caller::{Administrator, ClientAccess, StaffCaller},
    input::{Params, PathClient, flag},
    problem::Problem,
};

/// A customer of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub(super) struct ClientBody {
    /// The host app's id.
    #[schema(example = "ada")]
    client_id: String,
    /// The display name.
    #[schema(example = "Ada Lovelace")]
    name: Option<String>,
    /// Its address: as set by the organization, otherwise as sent with a write key.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// Whether the organization set the address. No email is sent to an address that only came with
    /// a write key before its owner has agreed; null without an address.
    email_confirmed: Option<bool>,
    /// The latest address sent with a write key, if different.
    unconfirmed_email: Option<String>,
    /// The plan.
    #[schema(example = "pro")]
    plan: Option<String>,
    /// The account.
    #[schema(example = "analytical-engines")]
    group_id: Option<String>,
    /// Additional traits.
    #[schema(value_type = Object)]
    traits: Map<String, Value>,
    /// Its first event, or when it was created.
    created_at: Timestamp,
}

impl From<Client> for ClientBody {
    fn from(client: Client) -> Self {
        Self {
            client_id: client.external_id,
            email: client.profile.displayed_email().map(str::to_owned),
            email_confirmed: client
                .profile
                .displayed_email()
                .map(|_| client.profile.email.is_some()),
            unconfirmed_email: client
                .profile
                .email
                .is_some()
                .then(|| client.profile.unconfirmed_email.clone())
                .flatten()
                .filter(|told| Some(told) != client.profile.email.as_ref()),
            name: client.profile.name,
            plan: client.profile.plan,
            group_id: client.profile.group_id,
            traits: client.profile.traits,
            created_at: client.created_at,
        }
    }
}

/// Changes to a client's profile; omitted fields stay, and null clears a field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClientChanges {
    /// The display name.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "Ada Lovelace")]
    name: Change<String>,
    /// The email address.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "ada@example.com")]
    email: Change<String>,
    /// The plan.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "pro")]
    plan: Change<String>,
    /// The account.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "analytical-engines")]
    group_id: Change<String>,
    /// Traits to add or replace, one by one, and with null to take away; at most 32 KiB as JSON, and
    /// 64 KiB with those that are kept.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"industry": "computing", "fax": null}))]
    traits: Map<String, Value>,
}

impl From<ClientChanges> for ClientPatch {
    fn from(changes: ClientChanges) -> Self {
        let mut patch = Self { traits: changes.traits, ..Self::default() };
        for (field, change) in [
            (ProfileField::Name, changes.name),
            (ProfileField::Email, changes.email),
            (ProfileField::Plan, changes.plan),
            (ProfileField::Group, changes.group_id),
        ] {
            match change {
                Change::Keep => {}
                Change::Clear => {
                    patch.clear.push(field);
                    // What is shown as the address may be one that nobody has confirmed yet.
                    if field == ProfileField::Email {
                        patch.clear.push(ProfileField::UnconfirmedEmail);
                    }
                }
                Change::Set(value) => *patch.field_mut(field) = Some(value),
            }
        }
        patch
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_client, change_client, delete_client))
}

/// Reads a client.
///
/// Its profile. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The client.", body = ClientBody)),
)]
async fn read_client(access: ClientAccess) -> Json<ClientBody> {
    Json(access.client.into())
}

/// Changes a client's profile.
///
/// Only changes the fields that are sent; traits are merged. Overrides earlier `identify` and
/// `group` calls; later calls override it.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = ClientChanges,
    responses((status = 200, description = "The client as it is now.", body = ClientBody)),
)]
async fn change_client(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(changes): Body<ClientChanges>,
) -> Result<Json<ClientBody>, Problem> {
    let patch = changes.into();
    let client = api.mainstay.update_client(caller.scope, &client_id, &patch).await?;
    Ok(Json(client.into()))
}

/// How to delete a client.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteClientQuery {
    /// Whether later events are rejected forever (`true`) or create the client again (`false`). If
    /// omitted, they are rejected for 24 hours, because SDKs retry for hours.
    #[param(value_type = Option<bool>)]
    keep_out: Option<String>,
}

/// Deletes a client.
///
/// Permanently, with all its data: profile, events, scores, insights, alerts, feedback, and its
/// traces in rejected events, emails to staff and messages to webhooks. Needs the role owner or admin,
/// or a secret key. `GET /api/v1/erased-clients` lists the blocked ids.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    params(DeleteClientQuery),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_client(
    administrator: Administrator,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Params(query): Params<DeleteClientQuery>,
) -> Result<StatusCode, Problem> {
    let keep_out = query.keep_out.as_deref().map(|text| flag("keep_out", text)).transpose()?;
    api.mainstay.delete_client(administrator.organization, &client_id, keep_out).await?;
    Ok(StatusCode::NO_CONTENT)
}
