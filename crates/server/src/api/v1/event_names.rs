//! `/api/v1/event-names`: what the organization calls its events, and what those count as.

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::engagement::EventType;
use mainstay_store::EventName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::Items,
    caller::{Administrator, Worker},
    input::Params,
    names,
    problem::Problem,
};

/// Names that are mapped in one request: they are looked at for every request with events.
const MAX_NAMES: usize = 1_000;

/// An event name and what it counts as.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventName)]
#[serde(deny_unknown_fields)]
struct EventNameBody {
    /// The name that is sent, 1–255 characters.
    #[schema(min_length = 1, max_length = 255, example = "Report Exported")]
    name: String,
    /// What it counts as.
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: EventType,
}

/// The organization's event names.
#[derive(Debug, Serialize, ToSchema)]
struct EventNames {
    /// By name.
    event_names: Vec<EventNameBody>,
}

/// Which name to forget.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichName {
    /// The name.
    #[param(required = true, value_type = String, example = "Report Exported")]
    name: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_event_names, set_event_names, delete_event_name))
}

/// Lists the event names.
///
/// Those that the organization maps to types. The types' own names need no mapping, and any other
/// name counts as `custom`.
#[utoipa::path(
    get, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The names.", body = EventNames)),
)]
async fn list_event_names(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<EventNames>, Problem> {
    let names = api.mainstay.event_names(worker.scope).await?;
    let event_names = names
        .into_iter()
        .map(|name| EventNameBody { name: name.name, event_type: name.event_type })
        .collect();
    Ok(Json(EventNames { event_names }))
}

/// Maps event names.
///
/// Adds these to those that are mapped already; a name that is among them is mapped anew. Events
/// that are stored keep what they counted as. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    put, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body(content = Vec<EventNameBody>, example = json!([
        {"name": "Report Exported", "type": "export_downloaded"}
    ])),
    responses((status = 200, description = "All names as they are mapped now.", body = EventNames)),
)]
async fn set_event_names(
    administrator: Administrator,
    State(api): State<Api>,
    Items(names): Items<EventNameBody>,
) -> Result<Json<EventNames>, Problem> {
    if names.len() > MAX_NAMES {
        return Err(Problem::too_large(
            MAX_NAMES,
            format!(
                "{} names are more than the {MAX_NAMES} of one request; send fewer",
                names.len()
            ),
        )
        .field("body"));
    }
    let names: Vec<EventName> = names
        .into_iter()
        .map(|name| EventName { name: name.name, event_type: name.event_type })
        .collect();
    let Administrator { organization, scope, .. } = administrator;
    api.mainstay.set_event_names(scope, &names).await?;
    list_event_names(Worker { organization, scope, member: None }, State(api)).await
}

/// Forgets an event name.
///
/// From then on it counts as the type of that name, or as `custom`. Needs the role owner or admin,
/// or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichName),
    responses(
        (status = 204, description = "Forgotten."),
        (status = 404, description = "The name is not mapped."),
    ),
)]
async fn delete_event_name(
    administrator: Administrator,
    State(api): State<Api>,
    Params(which): Params<WhichName>,
) -> Result<StatusCode, Problem> {
    let name = which.name.ok_or_else(|| {
        Problem::invalid("name", "is missing in the query; name the one to forget")
    })?;
    api.mainstay.delete_event_name(administrator.scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
