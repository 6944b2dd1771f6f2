use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
};
use jiff::civil::Date;
use mainstay_core::{id::StaffTaskId, playbook::StaffTaskState};
use mainstay_store::{Member, StaffTask};
use serde::Deserialize;

use crate::{
    Error,
    playbook::{NewStaffTask, StaffTaskPatch, TaskOwner},
    web::{
        Form, FormError, PageError, PageResult, Path, Place, StaffSession, StaffShell, Web, show,
        show_with,
        staff::people::People,
        ui::{
            components::display_name,
            text::{local_path, visible},
        },
    },
};

const PATH: &str = "/tasks";

/// What a form says of a task.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskForm {
    /// A state that the task is to have; else what the other fields say is saved.
    action: String,
    /// Where to go on.
    next: String,
    title: String,
    text: String,
    due_on: String,
    owner: String,
}

impl TaskForm {
    fn of(task: &StaffTask) -> Self {
        Self {
            title: task.title.clone(),
            text: task.text.clone(),
            due_on: task.due_on.to_string(),
            owner: task.owner.map(|owner| owner.to_string()).unwrap_or_default(),
            ..Self::default()
        }
    }

    fn patch(&self) -> Result<StaffTaskPatch, Error> {
        if !self.action.is_empty() {
            let unknown = |_| Error::invalid("action", "is not a task state; use a button");
            let state: StaffTaskState = self.action.parse().map_err(unknown)?;
            return Ok(StaffTaskPatch { state: Some(state), ..StaffTaskPatch::default() });
        }
        Ok(StaffTaskPatch {
            title: Some(self.title.clone()),
            text: Some(self.text.clone()),
            due_on: Some(day(&self.due_on)?),
            owner: owner(&self.owner)?,
            state: None,
        })
    }
}

fn day(text: &str) -> Result<Date, Error> {
    let years = 2000..=9998;
    text.trim().parse().ok().filter(|day: &Date| years.contains(&day.year())).ok_or_else(|| {
        Error::invalid(
            "due_on",
            "is not a date; write it like 2026-05-01, from the year 2000 to 9998",
        )
    })
}

fn owner(text: &str) -> Result<TaskOwner, Error> {
    if text.is_empty() {
        return Ok(TaskOwner::Unassigned);
    }
    let unknown = |_| Error::invalid("owner_id", "is not a member; choose one from the list");
    text.parse().map(TaskOwner::Member).map_err(unknown)
}

/// A new task, as a client's page sends it.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::web) struct NewTaskForm {
    title: String,
    due_on: String,
    owner: String,
}

impl NewTaskForm {
    pub(in crate::web) fn task(&self, client_id: &str) -> Result<NewStaffTask, Error> {
        Ok(NewStaffTask {
            client_id: client_id.to_owned(),
            title: self.title.clone(),
            text: String::new(),
            due_on: day(&self.due_on)?,
            owner: owner(&self.owner)?,
            alert: None,
        })
    }
}

#[derive(Template)]
#[template(path = "tasks/task.html")]
struct TaskPage {
    shell: StaffShell,
    task: StaffTask,
    client: String,
    client_link: String,
    meta: String,
    /// Whether the signed-in member may change it.
    actions: bool,
    form: TaskForm,
    members: Vec<Member>,
    error: Option<FormError>,
}

impl TaskPage {
    async fn load(web: &Web, session: &StaffSession, task: StaffTask) -> Result<Self, PageError> {
        let people = People::load(&web.mainstay, session).await?;
        let view = session.view(web.mainstay.now(), &task.client_id);
        let by =
            if task.run.is_some() { "a playbook".to_owned() } else { people.name(task.created_by) };
        Ok(Self {
            shell: session.shell(Place::Tasks),
            client: display_name(task.client_name.as_deref(), &task.client_id).to_owned(),
            client_link: view.link(""),
            meta: format!("created by {by}, {}", view.moment(task.created_at)),
            actions: session.may_write(),
            form: TaskForm::of(&task),
            members: people.all,
            error: None,
            task,
        })
    }

    fn owner(&self) -> &str {
        let owner = self.members.iter().find(|member| self.task.owner == Some(member.id));
        owner.map_or("Unassigned", |member| visible(&member.name, &member.email))
    }

    const fn state(&self) -> &'static str {
        match self.task.state {
            StaffTaskState::Open => "Open",
            StaffTaskState::Done => "Done",
            StaffTaskState::Dismissed => "Dismissed",
        }
    }
}

fn back(error: Error) -> PageError {
    PageError::from(error).back("Back to tasks", PATH)
}

pub(super) async fn show_task(
    session: StaffSession,
    State(web): State<Web>,
    Path(id): Path<StaffTaskId>,
) -> PageResult {
    let task = web.mainstay.staff_task(session.scope, id).await.map_err(back)?;
    show(&TaskPage::load(&web, &session, task).await?)
}

pub(super) async fn change_task(
    session: StaffSession,
    State(web): State<Web>,
    Path(id): Path<StaffTaskId>,
    Form(form): Form<TaskForm>,
) -> PageResult {
    let known = web.mainstay.staff_task(session.scope, id).await.map_err(back)?;
    let member = Some(session.member_id());
    let changed = match form.patch() {
        Ok(patch) => web.mainstay.change_staff_task(session.scope, member, id, patch).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(_) => {
            let done = if form.action.is_empty() { "saved" } else { &form.action };
            let next = local_path(&form.next).filter(|next| !next.starts_with(PATH));
            let list = local_path(&form.next).unwrap_or_else(|| PATH.to_owned());
            let sign = if list.contains('?') { '&' } else { '?' };
            let next = next.unwrap_or_else(|| format!("{list}{sign}done={done}"));
            Ok(Redirect::to(&next).into_response())
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = TaskPage::load(&web, &session, known).await?;
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &TaskPage { form, error, ..page })
        }
    }
}

pub(super) async fn delete_task(
    session: StaffSession,
    State(web): State<Web>,
    Path(id): Path<StaffTaskId>,
) -> PageResult {
    web.mainstay.delete_staff_task(session.scope, id).await.map_err(back)?;
    Ok(Redirect::to("/tasks?done=deleted").into_response())
}
