//! Staff tasks for clients, created by playbooks and people.

use jiff::civil::Date;
use mainstay_core::{
    id::{AlertId, MemberId, StaffTaskId},
    playbook::{StaffTaskState, check_task},
    time::local_day,
};
use mainstay_store::{Scope, StaffTask, StaffTaskFilter, Tx, new_id};

use crate::{Error, Mainstay, Result, alert::no_alert, organization::Context};

/// The owner of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskOwner {
    /// Unchanged; for a new task, the client's owner.
    #[default]
    Unspecified,
    /// Nobody.
    Unassigned,
    /// A member.
    Member(MemberId),
}

impl TaskOwner {
    fn or(self, default: Option<MemberId>) -> Option<MemberId> {
        match self {
            Self::Unspecified => default,
            Self::Unassigned => None,
            Self::Member(member) => Some(member),
        }
    }
}

impl From<Option<MemberId>> for TaskOwner {
    fn from(member: Option<MemberId>) -> Self {
        member.map_or(Self::Unassigned, Self::Member)
    }
}

/// A task to create.
#[derive(Clone, Debug)]
pub struct NewStaffTask {
    /// For which client, by its `external_id`.
    pub client_id: String,
    /// The title.
    pub title: String,
    /// The description.
    pub text: String,
    /// The due date.
    pub due_on: Date,
    /// The owner.
    pub owner: TaskOwner,
    /// The alert that led to it.
    pub alert: Option<AlertId>,
}

/// Changes to a task; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct StaffTaskPatch {
    /// The title.
    pub title: Option<String>,
    /// The description.
    pub text: Option<String>,
    /// The due date.
    pub due_on: Option<Date>,
    /// The owner.
    pub owner: TaskOwner,
    /// The outcome of it.
    pub state: Option<StaffTaskState>,
}

fn no_task(id: StaffTaskId) -> Error {
    Error::NotFound {
        what: "staff task",
        id: id.to_string(),
        remedy: "GET /api/v1/staff-tasks lists all tasks",
    }
}

async fn check_owner(tx: &mut Tx, owner: Option<MemberId>) -> Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    if tx.list_members().await?.iter().any(|member| member.id == owner) {
        return Ok(());
    }
    Err(Error::invalid(
        "owner_id",
        format!("there is no member {owner}; choose one of the organization's members"),
    ))
}

impl Mainstay {
    /// Staff tasks, ordered by due date.
    pub async fn staff_tasks(
        &self,
        scope: Scope,
        filter: &StaffTaskFilter,
        limit: i64,
    ) -> Result<Vec<StaffTask>> {
        Ok(self.store().read(scope).await?.list_staff_tasks(filter, limit).await?)
    }

    /// One task.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn staff_task(&self, scope: Scope, id: StaffTaskId) -> Result<StaffTask> {
        let mut tx = self.store().read(scope).await?;
        tx.find_staff_task(id).await?.ok_or_else(|| no_task(id))
    }

    /// The number of overdue tasks, of a member or of everybody.
    pub async fn overdue_staff_tasks(&self, scope: Scope, owner: Option<MemberId>) -> Result<i64> {
        let mut tx = self.store().read(scope).await?;
        let today = local_day(self.now(), &Context::load(&mut tx).await?.zone);
        Ok(tx.count_due_staff_tasks(owner, today).await?)
    }

    /// Creates a task manually.
    ///
    /// # Errors
    /// If there is no such client, alert or member, or a text is invalid.
    pub async fn create_staff_task(
        &self,
        scope: Scope,
        member: Option<MemberId>,
        new: NewStaffTask,
    ) -> Result<StaffTask> {
        check_task(&new.title, &new.text)?;
        let now = self.now();
        let mut tx = self.store().begin(scope).await?;
        let client = tx
            .find_client(&new.client_id)
            .await?
            .ok_or_else(|| Error::no_client(&new.client_id))?;
        let owner = new.owner.or(client.owner);
        check_owner(&mut tx, owner).await?;
        if let Some(alert) = new.alert {
            let found = tx.find_alert(alert).await?.ok_or_else(|| no_alert(alert))?;
            if found.client_id != client.external_id {
                return Err(Error::invalid(
                    "alert_id",
                    "is an alert of another client; use one of this client, or omit it",
                ));
            }
        }
        let task = StaffTask {
            id: new_id(now),
            client: client.id,
            client_id: client.external_id,
            client_name: client.profile.name,
            owner,
            title: new.title.trim().to_owned(),
            text: new.text.trim().to_owned(),
            due_on: new.due_on,
            state: StaffTaskState::Open,
            alert: new.alert,
            run: None,
            created_by: member,
            created_at: now,
            finished_by: None,
            finished_at: None,
        };
        tx.create_staff_tasks(std::slice::from_ref(&task)).await?;
        tx.mark_known(&[task.client]).await?;
        tx.commit().await?;
        Ok(task)
    }

    /// Changes a task; records who completed it and when.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if a value is invalid.
    pub async fn change_staff_task(
        &self,
        scope: Scope,
        member: Option<MemberId>,
        id: StaffTaskId,
        patch: StaffTaskPatch,
    ) -> Result<StaffTask> {
        let mut tx = self.store().begin(scope).await?;
        let mut task = tx.find_staff_task(id).await?.ok_or_else(|| no_task(id))?;
        if let Some(title) = patch.title {
            title.trim().clone_into(&mut task.title);
        }
        if let Some(text) = patch.text {
            text.trim().clone_into(&mut task.text);
        }
        check_task(&task.title, &task.text)?;
        task.due_on = patch.due_on.unwrap_or(task.due_on);
        if patch.owner != TaskOwner::Unspecified {
            task.owner = patch.owner.or(None);
            check_owner(&mut tx, task.owner).await?;
        }
        // Who finished it first did: the same again changes nothing.
        if let Some(state) = patch.state.filter(|state| *state != task.state) {
            let finished = state != StaffTaskState::Open;
            task.state = state;
            task.finished_by = member.filter(|_| finished);
            task.finished_at = finished.then(|| self.now());
        }
        if !tx.update_staff_task(&task).await? {
            return Err(no_task(id));
        }
        tx.commit().await?;
        Ok(task)
    }

    /// Deletes a task.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_staff_task(&self, scope: Scope, id: StaffTaskId) -> Result<()> {
        let mut tx = self.store().begin(scope).await?;
        if !tx.delete_staff_task(id).await? {
            return Err(no_task(id));
        }
        Ok(tx.commit().await?)
    }
}
