use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{AlertId, MemberId, PlaybookRunId},
    playbook::{StaffTaskState, due_at, is_overdue},
};
use mainstay_store::StaffTask;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    api::{
        body::non_null,
        input::{day, id},
        names,
        problem::Problem,
    },
    organization::Context,
    playbook::{NewStaffTask, StaffTaskPatch, TaskOwner},
};

/// A task of staff for a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StaffTask)]
pub(super) struct TaskBody {
    /// Its id.
    id: Uuid,
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The client's name.
    #[schema(example = "Ada Lovelace")]
    client_name: Option<String>,
    /// The owner.
    owner_id: Option<Uuid>,
    /// The title of the task.
    #[schema(example = "Call the client")]
    title: String,
    /// The description.
    text: String,
    /// The due date, in the organization's time zone.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// When it becomes overdue: the end of that day.
    due_at: Timestamp,
    /// Whether it is overdue.
    overdue: bool,
    /// The current state.
    #[schema(value_type = names::StaffTaskState)]
    state: StaffTaskState,
    /// The alert it belongs to.
    alert_id: Option<Uuid>,
    /// The playbook run that created it; null if a person created it.
    playbook_run_id: Option<Uuid>,
    /// The member who created it; null for playbooks and secret keys.
    created_by: Option<Uuid>,
    /// When it was made.
    created_at: Timestamp,
    /// The member who completed or dismissed it; null for secret keys.
    finished_by: Option<Uuid>,
    /// When it was completed or dismissed.
    finished_at: Option<Timestamp>,
}

impl TaskBody {
    /// A task at an instant, in its organization's time zone.
    pub(super) fn new(task: StaffTask, now: Timestamp, context: &Context) -> Self {
        let open = task.state == StaffTaskState::Open;
        Self {
            id: task.id.uuid(),
            client_id: task.client_id,
            client_name: task.client_name,
            owner_id: task.owner.map(MemberId::uuid),
            title: task.title,
            text: task.text,
            due_on: task.due_on,
            due_at: due_at(task.due_on, &context.zone),
            overdue: open && is_overdue(task.due_on, now, &context.zone),
            state: task.state,
            alert_id: task.alert.map(AlertId::uuid),
            playbook_run_id: task.run.map(PlaybookRunId::uuid),
            created_by: task.created_by.map(MemberId::uuid),
            created_at: task.created_at,
            finished_by: task.finished_by.map(MemberId::uuid),
            finished_at: task.finished_at,
        }
    }
}

/// A page of tasks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StaffTaskPage {
    /// Ordered by due date.
    pub(super) staff_tasks: Vec<TaskBody>,
    /// Send this as `after` to get the next page; null on the last page.
    #[schema(example = "2026-05-01_019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071")]
    pub(super) next: Option<String>,
}

/// Reads the owner: null means no owner, an omitted field means unspecified.
fn owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskOwner, D::Error> {
    let id: Option<Uuid> = Option::deserialize(deserializer)?;
    Ok(id.map(MemberId::new).into())
}

/// A task to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStaffTask)]
pub(super) struct NewTask {
    /// The client.
    #[schema(example = "ada")]
    client_id: String,
    /// The title of the task.
    #[schema(max_length = 200, example = "Call the client")]
    title: String,
    /// The description.
    #[serde(default)]
    #[schema(max_length = 4_000)]
    text: String,
    /// The due date, in the organization's time zone.
    #[schema(format = Date, example = "2026-05-04")]
    due_on: String,
    /// The owner; the client's owner if absent, no owner if null.
    #[serde(default, deserialize_with = "owner")]
    #[schema(value_type = Option<Uuid>)]
    owner_id: TaskOwner,
    /// The alert it belongs to.
    #[schema(value_type = Option<Uuid>)]
    alert_id: Option<String>,
}

impl NewTask {
    pub(super) fn read(self) -> Result<NewStaffTask, Problem> {
        crate::api::input::client_id("client_id", &self.client_id)?;
        Ok(NewStaffTask {
            due_on: day("due_on", &self.due_on)?,
            alert: self.alert_id.as_deref().map(|text| id("alert_id", text)).transpose()?,
            owner: self.owner_id,
            client_id: self.client_id,
            title: self.title,
            text: self.text,
        })
    }
}

/// Changes to a task; omitted fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffTaskPatch)]
pub(super) struct TaskPatch {
    /// The title of the task.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(max_length = 200)]
    title: Option<String>,
    /// The description.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(max_length = 4_000)]
    text: Option<String>,
    /// The due date, in the organization's time zone.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(format = Date)]
    due_on: Option<String>,
    /// The owner; no owner if null.
    #[serde(default, deserialize_with = "owner")]
    #[schema(value_type = Option<Uuid>)]
    owner_id: TaskOwner,
    /// `done` completes it, `dismissed` discards it, `open` reopens it.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(value_type = Option<names::StaffTaskState>)]
    state: Option<StaffTaskState>,
}

impl TaskPatch {
    pub(super) fn read(self) -> Result<StaffTaskPatch, Problem> {
        Ok(StaffTaskPatch {
            title: self.title,
            text: self.text,
            due_on: self.due_on.as_deref().map(|text| day("due_on", text)).transpose()?,
            owner: self.owner_id,
            state: self.state,
        })
    }
}
