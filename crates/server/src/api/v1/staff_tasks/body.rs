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
        body::present,
        input::{day, id},
        names,
        problem::Problem,
    },
    organization::Context,
    playbook::{NewStaffTask, StaffTaskPatch, TaskOwner},
};

/// Something that staff are to do for a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StaffTask)]
pub(super) struct TaskBody {
    /// Its id.
    id: Uuid,
    /// For which client.
    #[schema(example = "ada")]
    client_id: String,
    /// What that client is called.
    #[schema(example = "Ada Lovelace")]
    client_name: Option<String>,
    /// The member whose it is.
    owner_id: Option<Uuid>,
    /// What to do, in a line.
    #[schema(example = "Call the client")]
    title: String,
    /// More of it.
    text: String,
    /// The day on which it is due, of the organization's calendar.
    #[schema(value_type = String, format = Date)]
    due_on: Date,
    /// From when on it is late: the end of that day.
    due_at: Timestamp,
    /// Whether it is open and late.
    overdue: bool,
    /// What became of it.
    #[schema(value_type = names::StaffTaskState)]
    state: StaffTaskState,
    /// The alert that led to it.
    alert_id: Option<Uuid>,
    /// The run of a playbook that made it; null when somebody did.
    playbook_run_id: Option<Uuid>,
    /// The member who made it; null for playbooks and secret keys.
    created_by: Option<Uuid>,
    /// When it was made.
    created_at: Timestamp,
    /// The member who did or dismissed it; null for secret keys.
    finished_by: Option<Uuid>,
    /// When it was done or dismissed.
    finished_at: Option<Timestamp>,
}

impl TaskBody {
    /// A task as it stands at an instant, in its organization's zone.
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
    /// The one that is due first first.
    pub(super) staff_tasks: Vec<TaskBody>,
    /// Send this as `after` for the next page; null on the last one.
    #[schema(example = "2026-05-01_019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071")]
    pub(super) next: Option<String>,
}

/// Reads whose a task is to be: null is nobody, where a field that is left out says nothing.
fn owner<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskOwner, D::Error> {
    let id: Option<Uuid> = Option::deserialize(deserializer)?;
    Ok(id.map(MemberId::new).into())
}

/// A task to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStaffTask)]
pub(super) struct NewTask {
    /// For which client.
    #[schema(example = "ada")]
    client_id: String,
    /// What to do, in a line.
    #[schema(max_length = 200, example = "Call the client")]
    title: String,
    /// More of it.
    #[serde(default)]
    #[schema(max_length = 4_000)]
    text: String,
    /// The day on which it is due, of the organization's calendar.
    #[schema(format = Date, example = "2026-05-04")]
    due_on: String,
    /// The member whose it is; the client's owner when absent, nobody when null.
    #[serde(default, deserialize_with = "owner")]
    #[schema(value_type = Option<Uuid>)]
    owner_id: TaskOwner,
    /// The alert that led to it.
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

/// Changes to a task; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StaffTaskPatch)]
pub(super) struct TaskPatch {
    /// What to do, in a line.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 200)]
    title: Option<String>,
    /// More of it.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 4_000)]
    text: Option<String>,
    /// The day on which it is due, of the organization's calendar.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date)]
    due_on: Option<String>,
    /// The member whose it is; nobody when null.
    #[serde(default, deserialize_with = "owner")]
    #[schema(value_type = Option<Uuid>)]
    owner_id: TaskOwner,
    /// `done` finishes it, `dismissed` says that it need not be done, `open` takes either back.
    #[serde(default, deserialize_with = "present")]
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
