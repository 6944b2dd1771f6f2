//! `/api/v1/event-names`: the organization's event names and their types.

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::engagement::EventType;
use mainstay_store::EventName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::Items,
    caller::{Administrator, StaffCaller},
    input::Params,
    names,
    problem::Problem,
};

/// Maximum number of names per request: every request with events looks them up.
const MAX_NAMES: usize = 1_000;

/// An event name and its type.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = EventName)]
#[serde(deny_unknown_fields)]
struct EventNameBody {
    /// The name as sent, 1–255 characters.
    #[schema(min_length = 1, max_length = 255, example = "Report Exported")]
    name: String,
    /// The event type.
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: EventType,
}

/// The organization's event names.
#[derive(Debug, Serialize, ToSchema)]
struct EventNames {
    /// Ordered by name.
    event_names: Vec<EventNameBody>,
}

/// The name to delete.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventNameQuery {
    /// The name.
    #[param(required = true, value_type = String, example = "Report Exported")]
    name: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_event_names, set_event_names, delete_event_name))
}

/// Lists the event names.
///
/// The names that the organization maps to types. The types' own names need no mapping; any other
/// name counts as `custom`.
#[utoipa::path(
    get, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The names.", body = EventNames)),
)]
async fn list_event_names(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<EventNames>, Problem> {
    let names = api.mainstay.event_names(caller.scope).await?;
    let event_names = names
        .into_iter()
        .map(|name| EventNameBody { name: name.name, event_type: name.event_type })
        .collect();
    Ok(Json(EventNames { event_names }))
}

/// Maps event names.
///
/// Adds to the existing mappings and replaces those of the same name. Stored events keep their
/// type. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    put, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body(content = Vec<EventNameBody>, example = json!([
        {"name": "Report Exported", "type": "export_downloaded"}
    ])),
    responses((status = 200, description = "All mapped names.", body = EventNames)),
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
                "{} names exceed the limit of {MAX_NAMES} per request; send fewer",
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
    list_event_names(StaffCaller { organization, scope, member: None }, State(api)).await
}

/// Deletes an event name.
///
/// Later events count as the type of that name, or as `custom`. Needs the role owner or admin,
/// or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/event-names", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    params(EventNameQuery),
    responses(
        (status = 204, description = "Forgotten."),
        (status = 404, description = "The name is not mapped."),
    ),
)]
async fn delete_event_name(
    administrator: Administrator,
    State(api): State<Api>,
    Params(query): Params<EventNameQuery>,
) -> Result<StatusCode, Problem> {
    let name = query.name.ok_or_else(|| {
        Problem::invalid("name", "is missing in the query; name the event name to delete")
    })?;
    api.mainstay.delete_event_name(administrator.scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
