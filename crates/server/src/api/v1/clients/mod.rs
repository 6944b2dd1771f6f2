//! `/api/v1/clients`: clients and their data.

pub(crate) mod activity;
mod email_subscription;
pub(crate) mod events;
mod feedback;
pub(crate) mod insights;
mod launch_kit;
mod links;
mod onboarding_tasks;
mod record;
pub(crate) mod score;
mod scores;

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use mainstay_store::ClientPatch;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Api,
        body::{Body, id},
        caller::StaffCaller,
        input::{Params, client_id, limit},
        names,
        problem::Problem,
    },
    paging::Page,
    paths::api_client_path,
};
use record::ClientBody;

const DEFAULT_CLIENTS: i64 = 50;
const MAX_CLIENTS: i64 = 500;

/// Which clients to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ClientListQuery {
    /// Continue after the client with this id: the `next` of the previous page.
    #[param(example = "ada")]
    after: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

/// A page of clients.
#[derive(Debug, Serialize, ToSchema)]
struct ClientPage {
    /// Ordered by id.
    clients: Vec<ClientBody>,
    /// Send this as `after` to get the next page; null on the last page.
    #[schema(example = "grace")]
    next: Option<String>,
}

/// A client to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewClient {
    /// The host app's id of the client; also `clientId` or `userId`.
    #[serde(alias = "clientId", alias = "userId", deserialize_with = "id")]
    #[schema(value_type = names::HostId)]
    client_id: String,
    /// The display name.
    #[schema(max_length = 255, example = "Ada Lovelace")]
    name: Option<String>,
    /// The email address.
    #[schema(max_length = 255, example = "ada@example.com")]
    email: Option<String>,
    /// The plan.
    #[schema(max_length = 255, example = "pro")]
    plan: Option<String>,
    /// The account.
    #[schema(max_length = 255, example = "analytical-engines")]
    group_id: Option<String>,
    /// Anything else, at most 32 KiB as JSON.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"industry": "computing"}))]
    traits: Map<String, Value>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_clients, create_client))
        .merge(record::routes())
        .merge(onboarding_tasks::routes())
        .merge(launch_kit::routes())
        .merge(links::routes())
        .merge(email_subscription::routes())
        .merge(feedback::routes())
        .merge(score::routes())
        .merge(scores::routes())
        .merge(events::routes())
        .merge(activity::routes())
        .merge(insights::routes())
}

/// Lists the clients.
///
/// Ordered by id, paginated.
#[utoipa::path(
    get, path = "/api/v1/clients", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    params(ClientListQuery),
    responses((status = 200, description = "A page of clients.", body = ClientPage)),
)]
async fn list_clients(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(query): Params<ClientListQuery>,
) -> Result<Json<ClientPage>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_CLIENTS, MAX_CLIENTS)?;
    if let Some(after) = &query.after {
        client_id("after", after)?;
    }
    let page = Page::read(limit, async |limit| {
        api.mainstay.clients(caller.scope, query.after.as_deref(), limit).await
    })
    .await?;
    Ok(Json(ClientPage {
        next: page.next(|client| client.external_id.clone()),
        clients: page.items.into_iter().map(Into::into).collect(),
    }))
}

/// Creates a client.
///
/// Before its first event, to set its name or onboarding tasks; otherwise its first event creates
/// it.
#[utoipa::path(
    post, path = "/api/v1/clients", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewClient,
    responses(
        (status = 201, description = "The new client.", body = ClientBody,
            headers(("Location" = String, description = "The URL of the client."))),
        (status = 409, description = "The client already exists."),
    ),
)]
async fn create_client(
    caller: StaffCaller,
    State(api): State<Api>,
    Body(new): Body<NewClient>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<ClientBody>), Problem> {
    let profile = ClientPatch {
        name: new.name,
        email: new.email,
        plan: new.plan,
        group_id: new.group_id,
        traits: new.traits,
        clear: Vec::new(),
    };
    let client = api.mainstay.create_client(caller.organization, &new.client_id, profile).await?;
    let location = api_client_path(&client.external_id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(client.into())))
}
