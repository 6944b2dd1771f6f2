//! Health checks on demand: what the hourly job does, now.

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
        caller::{Administrator, Worker},
        input::PathClient,
        names,
        problem::Problem,
    },
};

/// What a health check changed.
#[derive(Debug, Serialize, ToSchema)]
struct HealthCheck {
    /// The instant that was checked.
    as_of: Timestamp,
    /// Alerts that opened, and those that were held and are told from now on.
    opened: Vec<AlertChangeBody>,
    /// Alerts that got worse.
    worsened: Vec<AlertChangeBody>,
    /// Alerts that ended by themselves.
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
    /// What the alert warns of.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    /// How bad it is.
    #[schema(value_type = names::Severity)]
    severity: Severity,
    /// What it says, or why it ended.
    #[schema(example = "Quiet for 3 days, usual gap 1. Last event Tue 28 Apr, 11:00.")]
    message: String,
    /// Whether it is told to nobody, because the data that it rests on are missing.
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
/// Now, as the hourly job does: alerts open, worsen and resolve, and what follows from that happens.
/// Needs the role owner or admin, or a secret key. Takes as long as there are clients.
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
/// Now, as the hourly job does for all: its alerts open, worsen and resolve, and what follows from that
/// happens.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/health-check", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 200, description = "What changed.", body = HealthCheck),
        (status = 409, description = "Other checks are under way."),
    ),
)]
async fn check_client_health(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<Json<HealthCheck>, Problem> {
    let checked = api.mainstay.check_health_now(worker.organization, Some(&client_id)).await?;
    Ok(Json(HealthCheck::new(checked)))
}
