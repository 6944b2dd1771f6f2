//! `/api/v1/alerts/{alert_id}/…`: actions of members on an alert. Each is recorded with its author
//! and time.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::{alert::Action, engagement::check_text, id::AlertId, time::to_micros};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::AlertWithActions;
use crate::api::{
    Api,
    body::{Body, OptionalBody},
    caller::StaffCaller,
    input::{Id, instant},
    problem::Problem,
};

const MAX_NOTE_CHARS: usize = 1_000;

/// A note on an action.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActionNote {
    /// A note for other members, up to 1 000 characters.
    #[schema(max_length = 1_000, example = "Called; back from holiday next week.")]
    note: Option<String>,
}

/// Until when to snooze.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Snooze {
    /// When the alert is to be active again, RFC 3339, at most 90 days ahead.
    #[schema(format = DateTime, example = "2026-05-08T09:00:00Z")]
    until: String,
    /// A note for other members, up to 1 000 characters.
    #[schema(max_length = 1_000, example = "On holiday until then.")]
    note: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(acknowledge_alert))
        .routes(routes!(snooze_alert))
        .routes(routes!(resolve_alert))
        .routes(routes!(dismiss_alert))
        .routes(routes!(reopen_alert))
}

async fn act(
    api: &Api,
    caller: &StaffCaller,
    alert: AlertId,
    action: Action,
    note: Option<String>,
) -> Result<Json<AlertWithActions>, Problem> {
    let note = note.unwrap_or_default();
    check_text("note", &note, MAX_NOTE_CHARS)?;
    let history =
        api.mainstay.act_on_alert(caller.scope, alert, action, caller.member, &note).await?;
    Ok(Json(history.into()))
}

/// Acknowledges an alert.
///
/// It stays open, and becomes active again if it worsens.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/acknowledge", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "The alert is already resolved or dismissed."),
    ),
)]
async fn acknowledge_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &caller, alert, Action::Acknowledge, body.note).await
}

/// Snoozes an alert.
///
/// It becomes active again at `until`, or if it worsens.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/snooze", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Snooze,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "The alert is already resolved or dismissed."),
    ),
)]
async fn snooze_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    Body(body): Body<Snooze>,
) -> Result<Json<AlertWithActions>, Problem> {
    let until: Timestamp = to_micros(instant("until", &body.until)?);
    act(&api, &caller, alert, Action::Snooze { until }, body.note).await
}

/// Resolves an alert.
///
/// The same condition stays muted until it has ended once, unless it worsens.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/resolve", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "The alert is already resolved or dismissed."),
    ),
)]
async fn resolve_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &caller, alert, Action::Resolve, body.note).await
}

/// Dismisses an alert.
///
/// It stays muted until its condition has ended once, even if it worsens.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/dismiss", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "The alert is already resolved or dismissed."),
    ),
)]
async fn dismiss_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &caller, alert, Action::Dismiss, body.note).await
}

/// Reopens an alert.
///
/// A resolved or dismissed alert returns to its previous open status; an acknowledged or snoozed
/// one becomes active. Only possible while its condition lasts.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/reopen", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "The alert's condition has ended."),
    ),
)]
async fn reopen_alert(
    caller: StaffCaller,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &caller, alert, Action::Reopen, body.note).await
}
