//! `/api/v1/playbooks`: what follows from an alert or a change of the band, and what came of it.

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
        caller::{Administrator, Worker},
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

/// Runs of a playbook that waited for approval.
#[derive(Debug, Serialize, ToSchema)]
struct ApprovedRuns {
    /// How many there were.
    #[schema(example = 42)]
    runs: u64,
}

/// What came of alerts and playbooks.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomesBody {
    /// Days back that are counted.
    #[schema(example = 90)]
    days: i64,
    /// By each type of alert.
    alerts: Vec<AlertOutcome>,
    /// By each playbook that started.
    playbooks: Vec<PlaybookOutcome>,
}

/// What came of the alerts of a type.
#[derive(Debug, Serialize, ToSchema)]
struct AlertOutcome {
    /// The type.
    #[serde(rename = "type")]
    #[schema(value_type = names::AlertType)]
    kind: AlertType,
    #[serde(flatten)]
    tally: TallyBody,
}

/// What came of a playbook.
#[derive(Debug, Serialize, ToSchema)]
struct PlaybookOutcome {
    /// The playbook; it may be deleted since.
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
/// Each starts once for an episode of an alert, or once for a client and local day whose score entered
/// another band. Data that are missing hold it back until they come again, and where it would act for many
/// clients at once it waits for a person.
#[utoipa::path(
    get, path = "/api/v1/playbooks", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The playbooks.", body = Playbooks)),
)]
async fn list_playbooks(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<Playbooks>, Problem> {
    let playbooks = api.mainstay.playbooks(worker.scope).await?;
    let waiting = api.mainstay.runs_to_approve(worker.scope).await?;
    let bodies = playbooks.into_iter().map(|stored| {
        let runs = waiting.get(&stored.id).copied().unwrap_or(0);
        PlaybookBody::from(stored).with_runs_to_approve(runs)
    });
    Ok(Json(Playbooks { playbooks: bodies.collect() }))
}

/// Creates a playbook.
///
/// It answers what happens from now on; an organization has at most 50. Needs the role owner or admin,
/// or a secret key.
#[utoipa::path(
    post, path = "/api/v1/playbooks", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewPlaybook,
    responses(
        (status = 201, description = "The playbook.", body = PlaybookBody),
        (status = 409, description = "There are too many."),
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
/// What starts it and what it does then, in its order.
#[utoipa::path(
    get, path = "/api/v1/playbooks/{playbook_id}", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The playbook.", body = PlaybookBody)),
)]
async fn read_playbook(
    worker: Worker,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<Json<PlaybookBody>, Problem> {
    let stored = api.mainstay.playbook(worker.scope, playbook).await?;
    let waiting = api.mainstay.runs_to_approve(worker.scope).await?;
    let runs = waiting.get(&playbook).copied().unwrap_or(0);
    Ok(Json(PlaybookBody::from(stored).with_runs_to_approve(runs)))
}

/// Replaces a playbook.
///
/// Also to switch it on and off. What it did stays. Needs the role owner or admin, or a secret key.
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
/// The tasks that it made and what it did stay. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/playbooks/{playbook_id}", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "It is deleted.")),
)]
async fn delete_playbook(
    administrator: Administrator,
    Id(playbook): Id<PlaybookId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_playbook(administrator.scope, playbook).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts what waits for approval.
///
/// A playbook that would act for more than ten clients within a day, and for more than 5 % of them, waits
/// for a person instead: that many at once is more often a fault of the data. This starts all that waits.
/// Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{playbook_id}/approve", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "What was started.", body = ApprovedRuns)),
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

/// Forgets what waits for approval.
///
/// None of it starts, and the clients' alerts stay as they are. Needs the role owner or admin, or a secret
/// key.
#[utoipa::path(
    post, path = "/api/v1/playbooks/{playbook_id}/reject", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "What was forgotten.", body = ApprovedRuns)),
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

/// Reads what came of alerts and playbooks.
///
/// Of the last 90 days: how often, whether anybody acted, and whether the client recovered within 14
/// days, so that a rule that only makes noise is seen.
#[utoipa::path(
    get, path = "/api/v1/outcomes", tag = "Playbooks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "What came of them.", body = OutcomesBody)),
)]
async fn read_outcomes(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<OutcomesBody>, Problem> {
    let outcomes = api.mainstay.outcomes(worker.scope).await?;
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
