//! What staff are to do for clients: made by playbooks and by people.

use jiff::civil::Date;
use mainstay_core::{
    id::{AlertId, MemberId, StaffTaskId},
    playbook::{StaffTaskState, check_task},
    time::local_day,
};
use mainstay_store::{Scope, StaffTask, StaffTaskFilter, Tx, new_id};

use crate::{Error, Mainstay, Result, alert::no_alert, organization::Context};

/// Whose a task is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskOwner {
    /// As it is; of a new task, the client's owner.
    #[default]
    Unsaid,
    /// Nobody.
    Nobody,
    /// A member.
    Member(MemberId),
}

impl TaskOwner {
    fn or(self, unsaid: Option<MemberId>) -> Option<MemberId> {
        match self {
            Self::Unsaid => unsaid,
            Self::Nobody => None,
            Self::Member(member) => Some(member),
        }
    }
}

impl From<Option<MemberId>> for TaskOwner {
    fn from(member: Option<MemberId>) -> Self {
        member.map_or(Self::Nobody, Self::Member)
    }
}

/// A task that somebody makes.
#[derive(Clone, Debug)]
pub struct NewStaffTask {
    /// For which client, by its `external_id`.
    pub client_id: String,
    /// What to do, in a line.
    pub title: String,
    /// More of it.
    pub text: String,
    /// The local day at whose end it is late.
    pub due_on: Date,
    /// Whose it is.
    pub owner: TaskOwner,
    /// The alert that led to it.
    pub alert: Option<AlertId>,
}

/// Changes to a task; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct StaffTaskPatch {
    /// What to do, in a line.
    pub title: Option<String>,
    /// More of it.
    pub text: Option<String>,
    /// The local day at whose end it is late.
    pub due_on: Option<Date>,
    /// Whose it is.
    pub owner: TaskOwner,
    /// What became of it.
    pub state: Option<StaffTaskState>,
}

fn no_task(id: StaffTaskId) -> Error {
    Error::NotFound {
        what: "staff task",
        id: id.to_string(),
        remedy: "GET /api/v1/staff-tasks lists them with their ids",
    }
}

async fn check_owner(tx: &mut Tx, owner: Option<MemberId>) -> Result<()> {
    let Some(owner) = owner else { return Ok(()) };
    if tx.members().await?.iter().any(|member| member.id == owner) {
        return Ok(());
    }
    Err(Error::invalid(
        "owner_id",
        format!("there is no member {owner}; choose one of the organization's members"),
    ))
}

impl Mainstay {
    /// Tasks of the staff's, in the order in which they are due.
    pub async fn staff_tasks(
        &self,
        scope: Scope,
        which: &StaffTaskFilter,
        limit: i64,
    ) -> Result<Vec<StaffTask>> {
        Ok(self.store().read(scope).await?.staff_tasks(which, limit).await?)
    }

    /// One task.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn staff_task(&self, scope: Scope, id: StaffTaskId) -> Result<StaffTask> {
        let mut tx = self.store().read(scope).await?;
        tx.staff_task(id).await?.ok_or_else(|| no_task(id))
    }

    /// How many open tasks are late, of a member or of everybody.
    pub async fn overdue_staff_tasks(&self, scope: Scope, owner: Option<MemberId>) -> Result<i64> {
        let mut tx = self.store().read(scope).await?;
        let today = local_day(self.now(), &Context::load(&mut tx).await?.zone);
        Ok(tx.count_due_staff_tasks(owner, today).await?)
    }

    /// Makes a task by hand.
    ///
    /// # Errors
    /// When there is no such client, alert or member, or a text cannot be used.
    pub async fn create_staff_task(
        &self,
        scope: Scope,
        member: Option<MemberId>,
        new: NewStaffTask,
    ) -> Result<StaffTask> {
        check_task(&new.title, &new.text)?;
        let now = self.now();
        let mut tx = self.store().begin(scope).await?;
        let client =
            tx.client(&new.client_id).await?.ok_or_else(|| Error::no_client(&new.client_id))?;
        let owner = new.owner.or(client.owner);
        check_owner(&mut tx, owner).await?;
        if let Some(alert) = new.alert {
            let found = tx.alert(alert).await?.ok_or_else(|| no_alert(alert))?;
            if found.client_id != client.external_id {
                return Err(Error::invalid(
                    "alert_id",
                    "is an alert of another client; name one of this client's, or leave it out",
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
        tx.commit().await?;
        Ok(task)
    }

    /// Changes what a task says, when it is due, whose it is and what became of it; keeps who finished
    /// it and when.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when something cannot be used.
    pub async fn change_staff_task(
        &self,
        scope: Scope,
        member: Option<MemberId>,
        id: StaffTaskId,
        patch: StaffTaskPatch,
    ) -> Result<StaffTask> {
        let mut tx = self.store().begin(scope).await?;
        let mut task = tx.staff_task(id).await?.ok_or_else(|| no_task(id))?;
        if let Some(title) = patch.title {
            title.trim().clone_into(&mut task.title);
        }
        if let Some(text) = patch.text {
            text.trim().clone_into(&mut task.text);
        }
        check_task(&task.title, &task.text)?;
        task.due_on = patch.due_on.unwrap_or(task.due_on);
        if patch.owner != TaskOwner::Unsaid {
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
