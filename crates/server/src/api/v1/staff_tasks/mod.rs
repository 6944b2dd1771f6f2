//! `/api/v1/staff-tasks`: what staff are to do for clients.

mod body;

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::{id::StaffTaskId, time::add_days};
use mainstay_store::{DuePlace, StaffTaskFilter};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Api,
        body::Body,
        caller::Worker,
        input::{Id, Params, client_named, day, id, limit, one_of, shown},
        names,
        problem::Problem,
    },
    paging::Page,
};
use body::{NewTask, StaffTaskPage, TaskBody, TaskPatch};

const DEFAULT_TASKS: i64 = 50;
const MOST_TASKS: i64 = 500;
/// What stands for tasks that are nobody's.
const NOBODY: &str = "nobody";

/// Which tasks to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichTasks {
    /// Only of this member, by its id, or `nobody`.
    owner_id: Option<String>,
    /// Only in this state.
    #[param(value_type = Option<names::StaffTaskState>)]
    state: Option<String>,
    /// Only for this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// Only those due on this day or before it.
    #[param(value_type = Option<String>, format = Date)]
    due_until: Option<String>,
    /// Go on after this place: the `next` of the page before.
    after: Option<String>,
    /// How many at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_staff_tasks, create_staff_task)).routes(routes!(
        read_staff_task,
        change_staff_task,
        delete_staff_task
    ))
}

/// Lists staff tasks.
///
/// The one that is due first first, page by page. `?state=open` is what is to be done.
#[utoipa::path(
    get, path = "/api/v1/staff-tasks", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    params(WhichTasks),
    responses(
        (status = 200, description = "A page of tasks.", body = StaffTaskPage),
        (status = 404, description = "There is no such client."),
    ),
)]
async fn list_staff_tasks(
    worker: Worker,
    State(api): State<Api>,
    Params(which): Params<WhichTasks>,
) -> Result<Json<StaffTaskPage>, Problem> {
    let limit = limit(which.limit.as_deref(), DEFAULT_TASKS, MOST_TASKS)?;
    let filter = filter(&api, &worker, &which).await?;
    let page = Page::read(limit, async |limit| {
        api.mainstay.staff_tasks(worker.scope, &filter, limit).await
    })
    .await?;
    let next = page.next(|task| format!("{}_{}", task.due_on, task.id));
    let context = api.mainstay.context_in(worker.scope).await?;
    let now = api.mainstay.now();
    let staff_tasks =
        page.items.into_iter().map(|task| TaskBody::new(task, now, &context)).collect();
    Ok(Json(StaffTaskPage { staff_tasks, next }))
}

async fn filter(
    api: &Api,
    worker: &Worker,
    which: &WhichTasks,
) -> Result<StaffTaskFilter, Problem> {
    let unowned = which.owner_id.as_deref() == Some(NOBODY);
    let owner = which.owner_id.as_deref().filter(|_| !unowned);
    let client = client_named(api, worker.scope, which.client_id.as_deref()).await?;
    let until = which.due_until.as_deref().map(|text| day("due_until", text)).transpose()?;
    Ok(StaffTaskFilter {
        owner: owner.map(|text| id("owner_id", text)).transpose()?,
        unowned,
        client,
        state: which.state.as_deref().map(|text| one_of("state", text)).transpose()?,
        due_before: until.map(|until| add_days(until, 1)),
        latest_first: false,
        after: which.after.as_deref().map(place).transpose()?,
    })
}

fn place(text: &str) -> Result<DuePlace, Problem> {
    let read = || {
        let (due, task) = text.split_once('_')?;
        Some((due.parse().ok()?, task.parse().ok()?))
    };
    read().ok_or_else(|| {
        Problem::invalid("after", format!("{} is no place; send the next of a page", shown(text)))
    })
}

/// Creates a staff task.
///
/// For the client's owner, unless another member is named.
#[utoipa::path(
    post, path = "/api/v1/staff-tasks", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewTask,
    responses(
        (status = 201, description = "The task.", body = TaskBody),
        (status = 404, description = "There is no such client or alert."),
    ),
)]
async fn create_staff_task(
    worker: Worker,
    State(api): State<Api>,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<TaskBody>), Problem> {
    let created = api.mainstay.create_staff_task(worker.scope, worker.member, new.read()?).await?;
    let context = api.mainstay.context_in(worker.scope).await?;
    let body = TaskBody::new(created, api.mainstay.now(), &context);
    Ok((StatusCode::CREATED, Json(body)))
}

/// Reads a staff task.
///
/// With what led to it, and who finished it.
#[utoipa::path(
    get, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The task.", body = TaskBody)),
)]
async fn read_staff_task(
    worker: Worker,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
) -> Result<Json<TaskBody>, Problem> {
    let found = api.mainstay.staff_task(worker.scope, task).await?;
    let context = api.mainstay.context_in(worker.scope).await?;
    Ok(Json(TaskBody::new(found, api.mainstay.now(), &context)))
}

/// Changes a staff task.
///
/// Also to finish, dismiss and reopen it; who did and when is kept.
#[utoipa::path(
    patch, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = TaskPatch,
    responses((status = 200, description = "The task as it is now.", body = TaskBody)),
)]
async fn change_staff_task(
    worker: Worker,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
    Body(patch): Body<TaskPatch>,
) -> Result<Json<TaskBody>, Problem> {
    let patch = patch.read()?;
    let changed = api.mainstay.change_staff_task(worker.scope, worker.member, task, patch).await?;
    let context = api.mainstay.context_in(worker.scope).await?;
    Ok(Json(TaskBody::new(changed, api.mainstay.now(), &context)))
}

/// Deletes a staff task.
///
/// To say that it need not be done, dismiss it instead: that is kept.
#[utoipa::path(
    delete, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "It is deleted.")),
)]
async fn delete_staff_task(
    worker: Worker,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_staff_task(worker.scope, task).await?;
    Ok(StatusCode::NO_CONTENT)
}
