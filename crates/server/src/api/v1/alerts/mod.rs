//! `/api/v1/alerts`: clients that need attention.

mod act;
mod body;

use axum::{Json, extract::State};
use mainstay_core::{
    alert::{AlertStatus, Severity},
    id::AlertId,
};
use mainstay_store::AlertFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Api,
        caller::{BadgeReader, StaffCaller},
        input::{Id, Params, find_resolved_client, flag, id, limit, one_of},
        names,
        problem::Problem,
    },
    paging::Page,
};
use body::{AlertPage, AlertWithActions};

const DEFAULT_ALERTS: i64 = 50;
const MAX_ALERTS: i64 = 500;

/// The number of open alerts: active, acknowledged or snoozed, and not held.
#[derive(Debug, Serialize, ToSchema)]
struct AlertSummary {
    /// All of them.
    #[schema(example = 12)]
    total: i64,
    /// Of severity critical.
    #[schema(example = 3)]
    critical: i64,
    /// Those to look at.
    #[schema(example = 8)]
    warning: i64,
    /// Those that are good to know.
    #[schema(example = 1)]
    info: i64,
}

/// Which alerts to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertQuery {
    /// Only alerts with this status.
    #[param(value_type = Option<names::AlertStatus>)]
    status: Option<String>,
    /// Only open ones (`true`: active, acknowledged or snoozed) or ended ones (`false`).
    #[param(value_type = Option<bool>)]
    open: Option<String>,
    /// Only alerts of this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<names::AlertType>)]
    kind: Option<String>,
    /// Only alerts of this severity.
    #[param(value_type = Option<names::Severity>)]
    severity: Option<String>,
    /// Only alerts of this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// Continue before the alert with this id: the `next` of the previous page.
    #[param(value_type = Option<uuid::Uuid>)]
    before: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_alerts))
        .routes(routes!(summarize_alerts))
        .routes(routes!(read_alert))
        .merge(act::routes())
}

/// Lists the alerts.
///
/// Newest first, page by page. `?open=true` is the worklist.
#[utoipa::path(
    get, path = "/api/v1/alerts", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    params(AlertQuery),
    responses(
        (status = 200, description = "A page of alerts.", body = AlertPage),
        (status = 404, description = "The client does not exist."),
    ),
)]
async fn list_alerts(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(query): Params<AlertQuery>,
) -> Result<Json<AlertPage>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_ALERTS, MAX_ALERTS)?;
    let filter = filter(&api, &caller, &query).await?;
    let page =
        Page::read(limit, async |limit| api.mainstay.alerts(caller.scope, &filter, limit).await)
            .await?;
    Ok(Json(AlertPage {
        next: page.next(|alert| alert.episode.id.uuid()),
        alerts: page.items.into_iter().map(Into::into).collect(),
    }))
}

async fn filter(
    api: &Api,
    caller: &StaffCaller,
    query: &AlertQuery,
) -> Result<AlertFilter, Problem> {
    let status: Option<AlertStatus> =
        query.status.as_deref().map(|text| one_of("status", text)).transpose()?;
    let open = query.open.as_deref().map(|text| flag("open", text)).transpose()?;
    let kind = query.kind.as_deref().map(|text| one_of("type", text)).transpose()?;
    let severity = query.severity.as_deref().map(|text| one_of("severity", text)).transpose()?;
    let before = query.before.as_deref().map(|text| id("before", text)).transpose()?;
    let client = find_resolved_client(api, caller.scope, query.client_id.as_deref()).await?;
    Ok(AlertFilter { client, open, status, kind, severity, before })
}

/// Counts the open alerts.
///
/// As shown by the badge. Also accepts a badge token, see
/// `POST /api/v1/members/{member_id}/badge-token`.
#[utoipa::path(
    get, path = "/api/v1/alerts/summary", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "How many are open.", body = AlertSummary)),
)]
async fn summarize_alerts(
    reader: BadgeReader,
    State(api): State<Api>,
) -> Result<Json<AlertSummary>, Problem> {
    let counts = api.mainstay.open_alert_counts(reader.scope).await?;
    let of = |severity| counts.iter().find(|(one, _)| *one == severity).map_or(0, |(_, n)| *n);
    Ok(Json(AlertSummary {
        total: counts.iter().map(|(_, count)| count).sum(),
        critical: of(Severity::Critical),
        warning: of(Severity::Warning),
        info: of(Severity::Info),
    }))
}

/// Reads an alert.
///
/// With its complete history.
#[utoipa::path(
    get, path = "/api/v1/alerts/{alert_id}", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The alert.", body = AlertWithActions)),
)]
async fn read_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
) -> Result<Json<AlertWithActions>, Problem> {
    Ok(Json(api.mainstay.alert(caller.scope, alert).await?.into()))
}
