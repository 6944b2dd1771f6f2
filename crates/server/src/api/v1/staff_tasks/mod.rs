//! `/api/v1/staff-tasks`: tasks of staff for clients.

mod body;

use axum::{Json, extract::State, http::StatusCode};
use mainstay_core::{id::StaffTaskId, time::add_days};
use mainstay_store::{DueDateCursor, StaffTaskFilter};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Api,
        body::Body,
        caller::StaffCaller,
        input::{Id, Params, day, find_resolved_client, id, limit, one_of, quote},
        names,
        problem::Problem,
    },
    paging::Page,
};
use body::{NewTask, StaffTaskPage, TaskBody, TaskPatch};

const DEFAULT_TASKS: i64 = 50;
const MAX_TASKS: i64 = 500;
/// The value that selects tasks without an owner.
const UNASSIGNED_OWNER: &str = "nobody";

/// Which tasks to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StaffTaskQuery {
    /// Only tasks of this member (by id), or `nobody`.
    owner_id: Option<String>,
    /// Only tasks in this state.
    #[param(value_type = Option<names::StaffTaskState>)]
    state: Option<String>,
    /// Only tasks for this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// Only tasks due on or before this day.
    #[param(value_type = Option<String>, format = Date)]
    due_until: Option<String>,
    /// Continue after a page: the `next` of the previous page.
    after: Option<String>,
    /// The page size.
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
/// Ordered by due date, paginated. `?state=open` lists open tasks.
#[utoipa::path(
    get, path = "/api/v1/staff-tasks", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    params(StaffTaskQuery),
    responses(
        (status = 200, description = "A page of tasks.", body = StaffTaskPage),
        (status = 404, description = "The client does not exist."),
    ),
)]
async fn list_staff_tasks(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(query): Params<StaffTaskQuery>,
) -> Result<Json<StaffTaskPage>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_TASKS, MAX_TASKS)?;
    let filter = filter(&api, &caller, &query).await?;
    let page = Page::read(limit, async |limit| {
        api.mainstay.staff_tasks(caller.scope, &filter, limit).await
    })
    .await?;
    let next = page.next(|task| format!("{}_{}", task.due_on, task.id));
    let context = api.mainstay.context_in(caller.scope).await?;
    let now = api.mainstay.now();
    let staff_tasks =
        page.items.into_iter().map(|task| TaskBody::new(task, now, &context)).collect();
    Ok(Json(StaffTaskPage { staff_tasks, next }))
}

async fn filter(
    api: &Api,
    caller: &StaffCaller,
    query: &StaffTaskQuery,
) -> Result<StaffTaskFilter, Problem> {
    let unowned = query.owner_id.as_deref() == Some(UNASSIGNED_OWNER);
    let owner = query.owner_id.as_deref().filter(|_| !unowned);
    let client = find_resolved_client(api, caller.scope, query.client_id.as_deref()).await?;
    let until = query.due_until.as_deref().map(|text| day("due_until", text)).transpose()?;
    Ok(StaffTaskFilter {
        owner: owner.map(|text| id("owner_id", text)).transpose()?,
        unowned,
        client,
        state: query.state.as_deref().map(|text| one_of("state", text)).transpose()?,
        due_before: until.map(|until| add_days(until, 1)),
        latest_first: false,
        after: query.after.as_deref().map(parse_place).transpose()?,
    })
}

fn parse_place(text: &str) -> Result<DueDateCursor, Problem> {
    let read = || {
        let (due, task) = text.split_once('_')?;
        Some((due.parse().ok()?, task.parse().ok()?))
    };
    read().ok_or_else(|| {
        Problem::invalid(
            "after",
            format!("{} is not a valid cursor; send the `next` of the previous page", quote(text)),
        )
    })
}

/// Creates a staff task.
///
/// The owner is the client's owner, unless another member is given.
#[utoipa::path(
    post, path = "/api/v1/staff-tasks", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewTask,
    responses(
        (status = 201, description = "The task.", body = TaskBody),
        (status = 404, description = "The client or the alert does not exist."),
    ),
)]
async fn create_staff_task(
    caller: StaffCaller,
    State(api): State<Api>,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<TaskBody>), Problem> {
    let created = api.mainstay.create_staff_task(caller.scope, caller.member, new.read()?).await?;
    let context = api.mainstay.context_in(caller.scope).await?;
    let body = TaskBody::new(created, api.mainstay.now(), &context);
    Ok((StatusCode::CREATED, Json(body)))
}

/// Reads a staff task.
///
/// With its origin, and who completed it.
#[utoipa::path(
    get, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The task.", body = TaskBody)),
)]
async fn read_staff_task(
    caller: StaffCaller,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
) -> Result<Json<TaskBody>, Problem> {
    let found = api.mainstay.staff_task(caller.scope, task).await?;
    let context = api.mainstay.context_in(caller.scope).await?;
    Ok(Json(TaskBody::new(found, api.mainstay.now(), &context)))
}

/// Changes a staff task.
///
/// Also completes, dismisses and reopens it; author and time are recorded.
#[utoipa::path(
    patch, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = TaskPatch,
    responses((status = 200, description = "The task as it is now.", body = TaskBody)),
)]
async fn change_staff_task(
    caller: StaffCaller,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
    Body(patch): Body<TaskPatch>,
) -> Result<Json<TaskBody>, Problem> {
    let patch = patch.read()?;
    let changed = api.mainstay.change_staff_task(caller.scope, caller.member, task, patch).await?;
    let context = api.mainstay.context_in(caller.scope).await?;
    Ok(Json(TaskBody::new(changed, api.mainstay.now(), &context)))
}

/// Deletes a staff task.
///
/// To discard a task but keep a record, dismiss it instead.
#[utoipa::path(
    delete, path = "/api/v1/staff-tasks/{staff_task_id}", tag = "Staff tasks",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 204, description = "Deleted.")),
)]
async fn delete_staff_task(
    caller: StaffCaller,
    Id(task): Id<StaffTaskId>,
    State(api): State<Api>,
) -> Result<StatusCode, Problem> {
    api.mainstay.delete_staff_task(caller.scope, task).await?;
    Ok(StatusCode::NO_CONTENT)
}
