//! `/api/v1/alerts/{alert_id}/…`: what a member does with an alert. Who and when is kept.

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
    caller::Worker,
    input::{Id, instant},
    problem::Problem,
};

const MAX_NOTE_CHARS: usize = 1_000;

/// What there is to say of it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActionNote {
    /// For the others, up to 1 000 characters.
    #[schema(max_length = 1_000, example = "Called; back from holiday next week.")]
    note: Option<String>,
}

/// Until when to be left alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Snooze {
    /// When the alert is to be active again, RFC 3339, at most 90 days ahead.
    #[schema(format = DateTime, example = "2026-05-08T09:00:00Z")]
    until: String,
    /// For the others, up to 1 000 characters.
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
    worker: &Worker,
    alert: AlertId,
    action: Action,
    note: Option<String>,
) -> Result<Json<AlertWithActions>, Problem> {
    let note = note.unwrap_or_default();
    check_text("note", &note, MAX_NOTE_CHARS)?;
    let history =
        api.mainstay.act_on_alert(worker.scope, alert, action, worker.member, &note).await?;
    Ok(Json(history.into()))
}

/// Acknowledges an alert.
///
/// "I am on it." It stays open, and is active again when it gets worse.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/acknowledge", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "It is resolved or dismissed already."),
    ),
)]
async fn acknowledge_alert(
    worker: Worker,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &worker, alert, Action::Acknowledge, body.note).await
}

/// Snoozes an alert.
///
/// "Not now." It is active again at `until`, or when it gets worse.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/snooze", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Snooze,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "It is resolved or dismissed already."),
    ),
)]
async fn snooze_alert(
    worker: Worker,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    Body(body): Body<Snooze>,
) -> Result<Json<AlertWithActions>, Problem> {
    let until: Timestamp = to_micros(instant("until", &body.until)?);
    act(&api, &worker, alert, Action::Snooze { until }, body.note).await
}

/// Resolves an alert.
///
/// "Settled." The same trouble stays quiet until it has ended once; a worse one does not.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/resolve", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "It is resolved or dismissed already."),
    ),
)]
async fn resolve_alert(
    worker: Worker,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &worker, alert, Action::Resolve, body.note).await
}

/// Dismisses an alert.
///
/// "Never mind." It stays quiet until its condition has ended once, however bad it gets.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/dismiss", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "It is resolved or dismissed already."),
    ),
)]
async fn dismiss_alert(
    worker: Worker,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &worker, alert, Action::Dismiss, body.note).await
}

/// Reopens an alert.
///
/// "I take that back." One that was resolved or dismissed is open again, as it was before; one that was
/// acknowledged or snoozed is active. Possible while its condition lasts.
#[utoipa::path(
    post, path = "/api/v1/alerts/{alert_id}/reopen", tag = "Alerts",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = Option<ActionNote>,
    responses(
        (status = 200, description = "The alert as it is now.", body = AlertWithActions),
        (status = 409, description = "Its condition has ended."),
    ),
)]
async fn reopen_alert(
    worker: Worker,
    Id(alert): Id<AlertId>,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ActionNote>,
) -> Result<Json<AlertWithActions>, Problem> {
    act(&api, &worker, alert, Action::Reopen, body.note).await
}
