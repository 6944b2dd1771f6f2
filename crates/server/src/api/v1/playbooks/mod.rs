//! `/api/v1/playbooks`: automatic actions after an alert or a change of band, and their outcomes.

mod body;

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::{alert::AlertType, id::PlaybookId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    api::{
        Api,
        body::Body,
        caller::{Administrator, StaffCaller},
        input::Id,
        names,
        problem::Problem,
    },
    playbook::OUTCOME_DAYS,
};
use body::{NewPlaybook, PlaybookBody, TallyBody};

/// The organization's playbooks.
#[derive(Debug, Serialize, ToSchema)]
struct Playbooks {
    /// Oldest first.
    playbooks: Vec<PlaybookBody>,
}

/// The runs of a playbook that waited for approval.
#[derive(Debug, Serialize, ToSchema)]
struct ApprovedRuns {
    /// The number of runs.
    #[schema(example = 42)]
    runs: u64,
}

/// The outcomes of alerts and playbooks.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomesBody {
    /// The number of days counted.
    #[schema(example = 90)]
    days: i64,
    /// Per type of alert.
    alerts: Vec<AlertOutcome>,
    /// Per playbook that started.
    playbooks: Vec<PlaybookOutcome>,
}

/// The outcomes of a type of alert.
#[derive(Debug, Serialize, ToSchema)]
struct AlertOutcome {
    /// The type.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    #[serde(flatten)]
    tally: TallyBody,
}

/// The outcomes of a playbook.
#[derive(Debug, Serialize, ToSchema)]
struct PlaybookOutcome {
    /// The playbook; it may have been deleted since.
    playbook_id: Uuid,
    #[serde(flatten)]
    tally: TallyBody,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_playbooks, create_playbook))
        .routes(routes!(read_playbook, change_playbook, delete_playbook))
        .routes(routes!(approve_playbook_runs))
        .routes(routes!(reject_playbook_runs))
        .routes(routes!(read_outcomes))
}

/// Lists the playbooks.
///
/// Each starts once per episode of an alert, or once per client and local day when the score enters
/// another band. It waits while data is missing, and for approval if it would act for many clients
/// at once.
#[utoipa::path(
    get, path = "/api/v1/playbooks", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The playbooks.", body = Playbooks)),
)]
async fn list_playbooks(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<Playbooks>, Problem> {
    let playbooks = api.mainstay.playbooks(caller.scope).await?;
    let waiting = api.mainstay.runs_to_approve(caller.scope).await?;
    let bodies = playbooks.into_iter().map(|stored| {
        let runs = waiting.get(&stored.id).copied().unwrap_or(0);
        PlaybookBody::from(stored).with_runs_to_approve(runs)
    });
    Ok(Json(Playbooks { playbooks: bodies.collect() }))
}

/// Creates a playbook.
///
/// It applies to later alerts and changes; at most 50 per organization. Needs the role owner or admin,
/// or a secret key.
#[utoipa::path(
    post, path = "/api/v1/playbooks", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewPlaybook,
    responses(
        (status = 201, description = "The playbook.", body = PlaybookBody),
        (status = 409, description = "The limit of playbooks is reached."),
    ),
)]
async fn create_playbook(
    administrator: Administrator,
    State(api): State<Api>,
    Body(new): Body<NewPlaybook>,
) -> Result<(StatusCode, Json<PlaybookBody>), Problem> {
    let enabled = new.enabled;
    let created =
        api.mainstay.create_playbook(administrator.scope, new.playbook(), enabled).await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

/// Reads a playbook.
///
/// With its trigger and actions.
#[utoipa::path(
    get, path = "/api/v1/playbooks/{playbook_id}", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The playbook.", body = PlaybookBody)),
)]
async fn read_playbook(
    caller: StaffCaller,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<Json<PlaybookBody>, Problem> {
    let stored = api.mainstay.playbook(caller.scope, playbook).await?;
    let waiting = api.mainstay.runs_to_approve(caller.scope).await?;
    let runs = waiting.get(&playbook).copied().unwrap_or(0);
    Ok(Json(PlaybookBody::from(stored).with_runs_to_approve(runs)))
}

/// Replaces a playbook.
///
/// Also enables and disables it. Past runs stay. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    put, path = "/api/v1/playbooks/{playbook_id}", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewPlaybook,
    responses((status = 200, description = "The playbook as it is now.", body = PlaybookBody)),
)]
async fn change_playbook(
    administrator: Administrator,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
    Body(new): Body<NewPlaybook>,
) -> Result<Json<PlaybookBody>, Problem> {
    let enabled = new.enabled;
    let changed = api
        .mainstay
        .change_playbook(administrator.scope, playbook, new.playbook(), enabled)
        .await?;
    Ok(Json(changed.into()))
}

/// Deletes a playbook.
///
/// Its tasks and past runs stay. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/playbooks/{playbook_id}", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_playbook(
    administrator: Administrator,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_playbook(administrator.scope, playbook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approves waiting runs.
///
/// A playbook that would act for more than ten clients within a day, and for more than 5 % of all,
/// waits for approval: so many at once are usually caused by faulty data. This starts all waiting
/// runs.
/// Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{playbook_id}/approve", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The runs that were started.", body = ApprovedRuns)),
)]
async fn approve_playbook_runs(
    administrator: Administrator,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<Json<ApprovedRuns>, Problem> {
    let organization = administrator.organization;
    let runs = api.mainstay.approve_playbook_runs(organization, playbook).await?;
    Ok(Json(ApprovedRuns { runs }))
}

/// Rejects waiting runs.
///
/// They do not start, and the clients' alerts do not change. Needs the role owner or admin, or a secret
/// key.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{playbook_id}/reject", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The runs that were rejected.", body = ApprovedRuns)),
)]
async fn reject_playbook_runs(
    administrator: Administrator,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<Json<ApprovedRuns>, Problem> {
    let organization = administrator.organization;
    let runs = api.mainstay.reject_playbook_runs(organization, playbook).await?;
    Ok(Json(ApprovedRuns { runs }))
}

/// Reads the outcomes of alerts and playbooks.
///
/// For the last 90 days: how often they fired, whether anybody acted, and whether the client
/// recovered within 14 days, so that noisy rules are visible.
#[utoipa::path(
    get, path = "/api/v1/outcomes", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The outcomes.", body = OutcomesBody)),
)]
async fn read_outcomes(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<OutcomesBody>, Problem> {
    let outcomes = api.mainstay.outcomes(caller.scope).await?;
    let alerts = outcomes.alerts.into_iter();
    let playbooks = outcomes.playbooks.into_iter();
    Ok(Json(OutcomesBody {
        days: OUTCOME_DAYS,
        alerts: alerts.map(|(kind, tally)| AlertOutcome { kind, tally: tally.into() }).collect(),
        playbooks: playbooks
            .map(|(id, tally)| PlaybookOutcome { playbook_id: id.uuid(), tally: tally.into() })
            .collect(),
    }))
}
