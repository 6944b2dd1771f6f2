//! Health checks on demand.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::alert::{AlertType, Change, Severity};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    alert::HealthChange,
    api::{
        Api,
        caller::{Administrator, StaffCaller},
        input::PathClient,
        names,
        problem::Problem,
    },
};

/// The changes of a health check.
#[derive(Debug, Serialize, ToSchema)]
struct HealthCheck {
    /// The instant of the check.
    as_of: Timestamp,
    /// Alerts that opened, including held ones that were released.
    opened: Vec<AlertChangeBody>,
    /// Alerts that worsened.
    worsened: Vec<AlertChangeBody>,
    /// Alerts that ended on their own.
    resolved: Vec<AlertChangeBody>,
}

/// A change of an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertChange)]
struct AlertChangeBody {
    /// The alert's id.
    alert_id: Uuid,
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The type of alert.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    /// The severity.
    #[schema(value_type = names::Severity)]
    severity: Severity,
    /// The message, or why it ended.
    #[schema(example = "Quiet for 3 days, usual gap 1. Last event Tue 28 Apr, 11:00.")]
    message: String,
    /// Whether it is held because its data is missing.
    held: bool,
}

impl From<HealthChange> for AlertChangeBody {
    fn from(change: HealthChange) -> Self {
        Self {
            alert_id: change.alert.uuid(),
            client_id: change.client_id,
            kind: change.kind,
            severity: change.severity,
            message: change.message,
            held: change.held,
        }
    }
}

impl HealthCheck {
    fn new((as_of, changes): (Timestamp, Vec<HealthChange>)) -> Self {
        let mut check =
            Self { as_of, opened: Vec::new(), worsened: Vec::new(), resolved: Vec::new() };
        for change in changes {
            let list = match change.change {
                Change::Opened => &mut check.opened,
                Change::Worsened => &mut check.worsened,
                Change::Resolved => &mut check.resolved,
            };
            list.push(change.into());
        }
        check
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(check_health)).routes(routes!(check_client_health))
}

/// Checks the health of every client.
///
/// Immediately, as the hourly job does: alerts open, worsen and resolve, with all follow-up actions.
/// Needs the role owner or admin, or a secret key. The duration depends on the number of clients.
#[utoipa::path(
    post, path = "/api/v1/health-check", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 200, description = "What changed.", body = HealthCheck),
        (status = 409, description = "Other checks are under way."),
    ),
)]
async fn check_health(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<Json<HealthCheck>, Problem> {
    let checked = api.mainstay.check_health_now(administrator.organization, None).await?;
    Ok(Json(HealthCheck::new(checked)))
}

/// Checks the health of a client.
///
/// Immediately, as the hourly job does for all: its alerts open, worsen and resolve, with all
/// follow-up actions.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/health-check", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 200, description = "What changed.", body = HealthCheck),
        (status = 409, description = "Other checks are under way."),
    ),
)]
async fn check_client_health(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<Json<HealthCheck>, Problem> {
    let checked = api.mainstay.check_health_now(caller.organization, Some(&client_id)).await?;
    Ok(Json(HealthCheck::new(checked)))
}
