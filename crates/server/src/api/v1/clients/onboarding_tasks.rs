//! `/api/v1/clients/{client_id}/onboarding-tasks`: what a client has to do to get started.

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
    body::{Body, present},
    caller::{ForClient, Worker},
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
    /// How far it is.
    #[schema(value_type = names::TaskStatus)]
    status: TaskStatus,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it was last touched.
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
    /// In the order in which they were made.
    tasks: Vec<TaskBody>,
}

/// A status that can be set; a task is taken back with DELETE.
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
    /// How far it is; `pending` when left out.
    #[serde(default)]
    #[schema(value_type = names::TaskStatus)]
    status: SettableStatus,
}

/// Changes to a task; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TaskChanges {
    /// What to do.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 255)]
    title: Option<String>,
    /// How far it is.
    #[serde(default, deserialize_with = "present")]
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
/// All of them, in the order in which they were made. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/onboarding-tasks", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The tasks.", body = OnboardingTasks)),
)]
async fn list_tasks(
    asked: ForClient,
    State(api): State<Api>,
) -> Result<Json<OnboardingTasks>, Problem> {
    let tasks = api.mainstay.tasks(asked.scope, asked.client.id).await?;
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
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<TaskBody>), Problem> {
    let task =
        api.mainstay.create_task(worker.scope, &client_id, &new.title, new.status.into()).await?;
    Ok((StatusCode::CREATED, Json(task.into())))
}

/// Changes an onboarding task.
///
/// Its title or its status. An empty object only says that somebody worked on it: a task that is in
/// progress and untouched for 72 hours raises an alert.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client_id}/onboarding-tasks/{task_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = TaskChanges,
    responses((status = 200, description = "The task as it is now.", body = TaskBody)),
)]
async fn change_task(
    worker: Worker,
    PathClient(client_id): PathClient,
    Id(task): Id<TaskId>,
    State(api): State<Api>,
    Body(changes): Body<TaskChanges>,
) -> Result<Json<TaskBody>, Problem> {
    let (title, status) = (changes.title.as_deref(), changes.status.map(Into::into));
    let task = api.mainstay.update_task(worker.scope, &client_id, task, title, status).await?;
    Ok(Json(task.into()))
}

/// Takes an onboarding task back.
///
/// It counts for nothing from then on; scores of the past keep counting it.
#[utoipa::path(
    delete, path = "/api/v1/clients/{client_id}/onboarding-tasks/{task_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Taken back.")),
)]
async fn delete_task(
    worker: Worker,
    PathClient(client_id): PathClient,
    Id(task): Id<TaskId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    let deleted = Some(TaskStatus::Deleted);
    api.mainstay.update_task(worker.scope, &client_id, task, None, deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}
