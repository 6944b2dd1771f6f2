//! What staff are to do for clients. Not the clients' own tasks: those are in `onboarding`.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{AlertId, ClientId, MemberId, PlaybookRunId, StaffTaskId},
    playbook::StaffTaskState,
};
use uuid::Uuid;

use crate::{
    Result, StoreError, Tx,
    db::{
        dialect::{
            Day, Instant, execute, fetch_all, fetch_for_rows, fetch_one, fetch_optional,
            insert_rows,
        },
        name,
    },
};

/// Where a list of tasks goes on: when the last one shown is due, and which it was.
pub type DueDateCursor = (Date, StaffTaskId);

/// Something that staff are to do for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaffTask {
    /// Its id.
    pub id: StaffTaskId,
    /// For which client.
    pub client: ClientId,
    /// That client's `external_id`.
    pub client_id: String,
    /// Display name of the client.
    pub client_name: Option<String>,
    /// Owner.
    pub owner: Option<MemberId>,
    /// Title of the task.
    pub title: String,
    /// Description.
    pub text: String,
    /// The local day at whose end it is late.
    pub due_on: Date,
    /// State.
    pub state: StaffTaskState,
    /// The alert that led to it.
    pub alert: Option<AlertId>,
    /// The run of a playbook that made it; `None` when somebody did.
    pub run: Option<PlaybookRunId>,
    /// The member who made it; `None` for playbooks and secret keys.
    pub created_by: Option<MemberId>,
    /// Time.
    pub created_at: Timestamp,
    /// The member who did or dismissed it.
    pub finished_by: Option<MemberId>,
    /// Time.
    pub finished_at: Option<Timestamp>,
}

/// Filter for a list of tasks.
#[derive(Clone, Copy, Debug, Default)]
pub struct StaffTaskFilter {
    /// Only this member's.
    pub owner: Option<MemberId>,
    /// Only those that are nobody's.
    pub unowned: bool,
    /// Only for this client.
    pub client: Option<ClientId>,
    /// Only in this state.
    pub state: Option<StaffTaskState>,
    /// Only those due before this day.
    pub due_before: Option<Date>,
    /// The one that is due last first, rather than the one that is due first.
    pub latest_first: bool,
    /// Only those that come after this place.
    pub after: Option<DueDateCursor>,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    client_id: Uuid,
    external_id: String,
    client_name: Option<String>,
    owner_member_id: Option<Uuid>,
    title: String,
    text: String,
    due_on: Day,
    state: String,
    alert_id: Option<Uuid>,
    playbook_run_id: Option<Uuid>,
    created_by: Option<Uuid>,
    created_at: Instant,
    finished_by: Option<Uuid>,
    finished_at: Option<Instant>,
}

impl TryFrom<Row> for StaffTask {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            client: row.client_id.into(),
            client_id: row.external_id,
            client_name: row.client_name,
            owner: row.owner_member_id.map(Into::into),
            title: row.title,
            text: row.text,
            due_on: row.due_on.0,
            state: name::STAFF_TASK_STATE.read(&row.state)?,
            alert: row.alert_id.map(Into::into),
            run: row.playbook_run_id.map(Into::into),
            created_by: row.created_by.map(Into::into),
            created_at: row.created_at.0,
            finished_by: row.finished_by.map(Into::into),
            finished_at: row.finished_at.map(|at| at.0),
        })
    }
}

macro_rules! select_tasks {
    ($from:literal, $($rest:literal),+) => {
        concat!(
            "SELECT t.id, t.client_id, c.external_id, c.name AS client_name, t.owner_member_id, \
             t.title, t.text, t.due_on, t.state, t.alert_id, t.playbook_run_id, t.created_by, \
             t.created_at, t.finished_by, t.finished_at FROM ",
            $from,
            "staff_tasks t JOIN clients c \
             ON c.organization_id = t.organization_id AND c.id = t.client_id ",
            $($rest),+
        )
    };
}

macro_rules! task_condition {
    ($comes:literal, $order:literal) => {
        select_tasks!(
            "",
            "WHERE t.organization_id = $1 AND ($2 IS NULL OR t.owner_member_id = $2) \
             AND (NOT $3 OR t.owner_member_id IS NULL) AND ($4 IS NULL OR t.client_id = $4) \
             AND ($5 IS NULL OR t.state = $5) AND ($6 IS NULL OR t.due_on < $6) \
             AND ($7 IS NULL OR t.due_on ",
            $comes,
            " $7 OR (t.due_on = $7 AND t.id ",
            $comes,
            " $8)) ORDER BY ",
            $order,
            " LIMIT $9"
        )
    };
}

impl Tx {
    /// Keeps new tasks.
    pub async fn create_staff_tasks(&mut self, tasks: &[StaffTask]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO staff_tasks (organization_id, id, client_id, owner_member_id, title, text, \
             due_on, state, alert_id, playbook_run_id, created_by, created_at)",
            tasks,
            "",
            |task| [
                organization,
                task.id.uuid(),
                task.client.uuid(),
                task.owner.map(MemberId::uuid),
                &task.title,
                &task.text,
                Day(task.due_on),
                task.state.as_str(),
                task.alert.map(AlertId::uuid),
                task.run.map(PlaybookRunId::uuid),
                task.created_by.map(MemberId::uuid),
                Instant(task.created_at)
            ]
        );
        Ok(())
    }

    /// Tasks, in the order in which they are due.
    pub async fn list_staff_tasks(
        &mut self,
        filter: &StaffTaskFilter,
        limit: i64,
    ) -> Result<Vec<StaffTask>> {
        let sql = if filter.latest_first {
            task_condition!("<", "t.due_on DESC, t.id DESC")
        } else {
            task_condition!(">", "t.due_on, t.id")
        };
        let rows = fetch_all!(
            self,
            Row,
            sql,
            self.scope.organization_uuid(),
            filter.owner.map(MemberId::uuid),
            filter.unowned,
            filter.client.map(ClientId::uuid),
            filter.state.map(StaffTaskState::as_str),
            filter.due_before.map(Day),
            filter.after.map(|(due, _)| Day(due)),
            filter.after.map(|(_, id)| id.uuid()),
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// One task.
    pub async fn find_staff_task(&mut self, id: StaffTaskId) -> Result<Option<StaffTask>> {
        let row = fetch_optional!(
            self,
            Row,
            select_tasks!("", "WHERE t.organization_id = $1 AND t.id = $2"),
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// Keeps what a task says, whose it is, when it is due and what became of it; false when it is gone.
    pub async fn update_staff_task(&mut self, task: &StaffTask) -> Result<bool> {
        let updated = execute!(
            self,
            "UPDATE staff_tasks SET owner_member_id = $3, title = $4, text = $5, due_on = $6, \
             state = $7, finished_by = $8, finished_at = $9 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            task.id.uuid(),
            task.owner.map(MemberId::uuid),
            &task.title,
            &task.text,
            Day(task.due_on),
            task.state.as_str(),
            task.finished_by.map(MemberId::uuid),
            task.finished_at.map(Instant)
        )?;
        Ok(updated > 0)
    }

    /// Deletes a task; false when there is none.
    pub async fn delete_staff_task(&mut self, id: StaffTaskId) -> Result<bool> {
        let deleted = execute!(
            self,
            "DELETE FROM staff_tasks WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(deleted > 0)
    }

    /// The tasks that some alerts led to, the one that is due first first.
    pub async fn list_staff_tasks_of(
        &mut self,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<StaffTask>>> {
        let organization = self.scope.organization_uuid();
        let mut rows: Vec<Row> = fetch_for_rows!(
            self,
            Row,
            "WITH wanted (organization_id, alert_id) AS (",
            alerts,
            concat!(
                ") ",
                select_tasks!(
                    "wanted w CROSS JOIN ",
                    "WHERE t.organization_id = w.organization_id AND t.alert_id = w.alert_id"
                )
            ),
            |alert| [organization, alert.uuid()]
        );
        rows.sort_unstable_by_key(|row| (row.due_on, row.id));
        let mut tasks: HashMap<AlertId, Vec<StaffTask>> = HashMap::new();
        for row in rows {
            if let Some(alert) = row.alert_id {
                tasks.entry(alert.into()).or_default().push(row.try_into()?);
            }
        }
        Ok(tasks)
    }

    /// How many open tasks are due before a day, of a member or of everybody.
    pub async fn count_due_staff_tasks(
        &mut self,
        owner: Option<MemberId>,
        before: Date,
    ) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM staff_tasks WHERE organization_id = $1 AND state = 'open' \
             AND due_on < $2 AND ($3 IS NULL OR owner_member_id = $3)",
            self.scope.organization_uuid(),
            Day(before),
            owner.map(MemberId::uuid)
        )?;
        Ok(count)
    }
}
