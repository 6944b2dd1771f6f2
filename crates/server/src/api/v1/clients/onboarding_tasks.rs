//! `/api/v1/clients/{client_id}/onboarding-tasks`: a client's first steps.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::id::TaskId;
use mainstay_store::{OnboardingTask, TaskStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{
    Api,
    body::{Body, non_null},
    caller::{ClientAccess, StaffCaller},
    input::{Id, PathClient},
    names,
    problem::Problem,
};

/// One task of a client's onboarding.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OnboardingTask)]
struct TaskBody {
    /// Its id.
    id: Uuid,
    /// What to do.
    #[schema(example = "Connect your calendar")]
    title: String,
    /// The status.
    #[schema(value_type = names::TaskStatus)]
    status: TaskStatus,
    /// When it was created.
    created_at: Timestamp,
    /// When it was last changed.
    updated_at: Timestamp,
}

impl From<OnboardingTask> for TaskBody {
    fn from(task: OnboardingTask) -> Self {
        Self {
            id: task.id.uuid(),
            title: task.title,
            status: task.status,
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

/// A client's onboarding.
#[derive(Debug, Serialize, ToSchema)]
struct OnboardingTasks {
    /// In order of creation.
    tasks: Vec<TaskBody>,
}

/// A status that can be set; delete a task with DELETE.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SettableStatus {
    #[default]
    Pending,
    InProgress,
    Completed,
    Skipped,
}

impl From<SettableStatus> for TaskStatus {
    fn from(status: SettableStatus) -> Self {
        match status {
            SettableStatus::Pending => Self::Pending,
            SettableStatus::InProgress => Self::InProgress,
            SettableStatus::Completed => Self::Completed,
            SettableStatus::Skipped => Self::Skipped,
        }
    }
}

/// A task to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTask {
    /// What to do.
    #[schema(min_length = 1, max_length = 255, example = "Connect your calendar")]
    title: String,
    /// The status; `pending` if omitted.
    #[serde(default)]
    #[schema(value_type = names::TaskStatus)]
    status: SettableStatus,
}

/// Changes to a task; omitted fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TaskChanges {
    /// What to do.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    title: Option<String>,
    /// The status.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(value_type = Option<names::TaskStatus>, nullable = false)]
    status: Option<SettableStatus>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks, add_task))
        .routes(routes!(change_task, delete_task))
}

/// Lists a client's onboarding tasks.
///
/// All tasks, in order of creation. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/onboarding-tasks", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The tasks.", body = OnboardingTasks)),
)]
async fn list_tasks(
    access: ClientAccess,
    State(api): State<Api>,
) -> Result<Json<OnboardingTasks>, Problem> {
    let tasks = api.mainstay.tasks(access.scope, access.client.id).await?;
    Ok(Json(OnboardingTasks { tasks: tasks.into_iter().map(Into::into).collect() }))
}

/// Adds an onboarding task.
///
/// Completed and skipped tasks make up most of the activation part of the client's score.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/onboarding-tasks", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewTask,
    responses((status = 201, description = "The new task.", body = TaskBody)),
)]
async fn add_task(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<TaskBody>), Problem> {
    let task =
        api.mainstay.create_task(caller.scope, &client_id, &new.title, new.status.into()).await?;
    Ok((StatusCode::CREATED, Json(task.into())))
}

/// Changes an onboarding task.
///
/// Its title or its status. An empty object only marks it as touched: a task that is in progress
/// and untouched for 72 hours raises an alert.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client_id}/onboarding-tasks/{task_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = TaskChanges,
    responses((status = 200, description = "The task as it is now.", body = TaskBody)),
)]
async fn change_task(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    Id(task): Id<TaskId>,
    State(api): State<Api>,
    Body(changes): Body<TaskChanges>,
) -> Result<Json<TaskBody>, Problem> {
    let (title, status) = (changes.title.as_deref(), changes.status.map(Into::into));
    let task = api.mainstay.update_task(caller.scope, &client_id, task, title, status).await?;
    Ok(Json(task.into()))
}

/// Deletes an onboarding task.
///
/// It no longer counts; past scores do not change.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}/onboarding-tasks/{task_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_task(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    Id(task): Id<TaskId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    let deleted = Some(TaskStatus::Deleted);
    api.mainstay.update_task(caller.scope, &client_id, task, None, deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}
