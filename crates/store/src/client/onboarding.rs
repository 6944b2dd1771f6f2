use std::{collections::HashMap, fmt, str::FromStr};

/// How long one rating of a kind stands for what a client says of itself: a newer one replaces it.
const SELF_REPORTED_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{ClientId, FeedbackId, TaskId},
    score::FeedbackKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    ClientChunk, Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_optional},
        lock::Lock,
        name,
    },
};

/// How far an onboarding task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not begun.
    Pending,
    /// Begun.
    InProgress,
    /// Done.
    Completed,
    /// Not needed.
    Skipped,
    /// Taken back: counts for nothing from then on.
    Deleted,
}

impl TaskStatus {
    /// The name used in every API and in storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Skipped => "skipped",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "pending" => Ok(Self::Pending),
            "in_progress" => Ok(Self::InProgress),
            "completed" => Ok(Self::Completed),
            "skipped" => Ok(Self::Skipped),
            "deleted" => Ok(Self::Deleted),
            _ => Err(format!(
                "unknown status {text:?}: use pending, in_progress, completed or skipped"
            )),
        }
    }
}

/// One task of a client's onboarding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnboardingTask {
    /// Its id.
    pub id: TaskId,
    /// Description of the task.
    pub title: String,
    /// Progress.
    pub status: TaskStatus,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When the task last changed.
    pub updated_at: Timestamp,
}

/// When a client looked at its launch kit, and when it was through with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchKitTimes {
    /// First look.
    pub viewed_at: Option<Timestamp>,
    /// Through.
    pub completed_at: Option<Timestamp>,
}

/// A rating that a client gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Its id.
    pub id: FeedbackId,
    /// On which scale.
    pub kind: FeedbackKind,
    /// As it was given.
    pub rating: i64,
    /// On a common scale, 0–100.
    pub normalised: i64,
    /// Comment of the client.
    pub comment: Option<String>,
    /// Time.
    pub given_at: Timestamp,
    /// Whether the client gave it with its own token or on its page.
    pub self_told: bool,
}

/// A rating to be kept.
pub type NewFeedback = Feedback;

#[derive(sqlx_macros::FromRow)]
struct TaskRow {
    client_id: Uuid,
    id: Uuid,
    title: String,
    status: String,
    created_at: Instant,
    updated_at: Instant,
}

impl TaskRow {
    fn into_task(self) -> Result<(ClientId, OnboardingTask)> {
        let task = OnboardingTask {
            id: self.id.into(),
            title: self.title,
            status: name::TASK_STATUS.read(&self.status)?,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
        };
        Ok((self.client_id.into(), task))
    }
}

impl Tx {
    /// Adds a task to a client's onboarding.
    pub async fn create_task(&mut self, client: ClientId, task: &OnboardingTask) -> Result<()> {
        self.lock_organization(Lock::StoreEvents).await?;
        execute!(
            self,
            "INSERT INTO onboarding_tasks \
             (organization_id, client_id, id, title, status, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
            self.scope.organization_uuid(),
            client.uuid(),
            task.id.uuid(),
            &task.title,
            task.status.as_str(),
            Instant(task.created_at)
        )?;
        self.mark_known(&[client]).await?;
        self.record_task_change(client, task.id, task.status, task.created_at).await
    }

    /// A client's tasks as they are now, in the order in which they were made.
    pub async fn list_tasks(&mut self, client: ClientId) -> Result<Vec<OnboardingTask>> {
        let rows = fetch_all!(
            self,
            TaskRow,
            "SELECT client_id, id, title, status, created_at, updated_at FROM onboarding_tasks \
             WHERE organization_id = $1 AND client_id = $2 AND status <> 'deleted' ORDER BY id",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        rows.into_iter().map(|row| Ok(row.into_task()?.1)).collect()
    }

    /// Changes a task's title or status, or only touches it. `None` when there is no such task.
    pub async fn update_task(
        &mut self,
        client: ClientId,
        task: TaskId,
        title: Option<&str>,
        status: Option<TaskStatus>,
        now: Timestamp,
    ) -> Result<Option<OnboardingTask>> {
        self.lock_organization(Lock::StoreEvents).await?;
        let row = fetch_optional!(
            self,
            TaskRow,
            "UPDATE onboarding_tasks SET title = COALESCE($4, title), \
             status = COALESCE($5, status), updated_at = $6 \
             WHERE organization_id = $1 AND client_id = $2 AND id = $3 AND status <> 'deleted' \
             RETURNING client_id, id, title, status, created_at, updated_at",
            self.scope.organization_uuid(),
            client.uuid(),
            task.uuid(),
            title,
            status.map(TaskStatus::as_str),
            Instant(now)
        )?;
        let Some(row) = row else { return Ok(None) };
        let (client, task) = row.into_task()?;
        self.record_task_change(client, task.id, task.status, now).await?;
        Ok(Some(task))
    }

    async fn record_task_change(
        &mut self,
        client: ClientId,
        task: TaskId,
        status: TaskStatus,
        at: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO onboarding_task_changes \
             (organization_id, client_id, task_id, changed_at, status) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (organization_id, client_id, task_id, changed_at) \
             DO UPDATE SET status = excluded.status",
            self.scope.organization_uuid(),
            client.uuid(),
            task.uuid(),
            Instant(at),
            status.as_str()
        )?;
        self.record_change(client, at).await
    }

    /// Tasks of a chunk's clients that were pending or in progress at an instant, with their status
    /// then and when they were last touched before it.
    pub async fn list_open_tasks(
        &mut self,
        chunk: &ClientChunk,
        as_of: Timestamp,
    ) -> Result<HashMap<ClientId, Vec<OnboardingTask>>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            TaskRow,
            "SELECT client_id, id, title, status, created_at, updated_at FROM ( \
             SELECT t.client_id, t.id, t.title, t.created_at, \
             (SELECT c.status FROM onboarding_task_changes c \
             WHERE c.organization_id = t.organization_id AND c.client_id = t.client_id \
             AND c.task_id = t.id AND c.changed_at < $4 ORDER BY c.changed_at DESC LIMIT 1) AS status, \
             (SELECT MAX(c.changed_at) FROM onboarding_task_changes c \
             WHERE c.organization_id = t.organization_id AND c.client_id = t.client_id \
             AND c.task_id = t.id AND c.changed_at < $4) AS updated_at \
             FROM onboarding_tasks t WHERE t.organization_id = $1 \
             AND t.client_id BETWEEN $2 AND $3 AND t.created_at < $4) AS at_instant \
             WHERE status IN ('pending', 'in_progress') ORDER BY client_id, updated_at, id",
            self.scope.organization_uuid(),
            low,
            high,
            Instant(as_of)
        )?;
        let mut tasks: HashMap<ClientId, Vec<OnboardingTask>> = HashMap::new();
        for row in rows {
            let (client, task) = row.into_task()?;
            tasks.entry(client).or_default().push(task);
        }
        Ok(tasks)
    }

    /// A client's launch kit.
    pub async fn get_launch_kit(&mut self, client: ClientId) -> Result<LaunchKitTimes> {
        let row = fetch_optional!(
            self,
            (Option<Instant>, Option<Instant>),
            "SELECT viewed_at, completed_at FROM launch_kits \
             WHERE organization_id = $1 AND client_id = $2",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        Ok(row.map_or_else(LaunchKitTimes::default, |(viewed, completed)| LaunchKitTimes {
            viewed_at: viewed.map(|at| at.0),
            completed_at: completed.map(|at| at.0),
        }))
    }

    /// Records that a client looked at its launch kit, or is through with it. The earliest time
    /// counts, whichever is told first.
    pub async fn record_launch_kit(
        &mut self,
        client: ClientId,
        times: LaunchKitTimes,
    ) -> Result<()> {
        self.lock_organization(Lock::StoreEvents).await?;
        execute!(
            self,
            "INSERT INTO launch_kits (organization_id, client_id, viewed_at, completed_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             viewed_at = CASE WHEN excluded.viewed_at < launch_kits.viewed_at \
             THEN excluded.viewed_at ELSE COALESCE(launch_kits.viewed_at, excluded.viewed_at) END, \
             completed_at = CASE WHEN excluded.completed_at < launch_kits.completed_at \
             THEN excluded.completed_at \
             ELSE COALESCE(launch_kits.completed_at, excluded.completed_at) END",
            self.scope.organization_uuid(),
            client.uuid(),
            times.viewed_at.map(Instant),
            times.completed_at.map(Instant)
        )?;
        self.mark_known(&[client]).await?;
        match times.viewed_at.into_iter().chain(times.completed_at).min() {
            Some(at) => self.record_change(client, at).await,
            None => Ok(()),
        }
    }

    /// Keeps a rating.
    pub async fn create_feedback(&mut self, client: ClientId, new: &NewFeedback) -> Result<()> {
        self.lock_organization(Lock::StoreEvents).await?;
        let replaced =
            if new.self_told { self.delete_recent_feedback(client, new).await? } else { None };
        execute!(
            self,
            "INSERT INTO client_feedback \
             (organization_id, client_id, id, kind, rating, normalised, comment, given_at, self_told) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.scope.organization_uuid(),
            client.uuid(),
            new.id.uuid(),
            new.kind.as_str(),
            new.rating,
            new.normalised,
            &new.comment,
            Instant(new.given_at),
            new.self_told
        )?;
        self.mark_known(&[client]).await?;
        self.record_change(client, replaced.unwrap_or(new.given_at).min(new.given_at)).await
    }

    /// Deletes what a client said of the same kind in the week before; answers when the first of it was.
    async fn delete_recent_feedback(
        &mut self,
        client: ClientId,
        new: &NewFeedback,
    ) -> Result<Option<Timestamp>> {
        let since = new.given_at.saturating_sub(SELF_REPORTED_INTERVAL).unwrap_or(Timestamp::MIN);
        let deleted = fetch_all!(
            self,
            (Instant,),
            "DELETE FROM client_feedback WHERE organization_id = $1 AND client_id = $2 AND kind = $3 \
             AND self_told AND given_at > $4 RETURNING given_at",
            self.scope.organization_uuid(),
            client.uuid(),
            new.kind.as_str(),
            Instant(since)
        )?;
        Ok(deleted.into_iter().map(|(at,)| at.0).min())
    }

    /// A client's latest ratings, newest first.
    pub async fn list_feedback(&mut self, client: ClientId, limit: i64) -> Result<Vec<Feedback>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            id: Uuid,
            kind: String,
            rating: i64,
            normalised: i64,
            comment: Option<String>,
            given_at: Instant,
            self_told: bool,
        }
        let rows = fetch_all!(
            self,
            Row,
            "SELECT id, kind, rating, normalised, comment, given_at, self_told FROM client_feedback \
             WHERE organization_id = $1 AND client_id = $2 ORDER BY given_at DESC, id DESC LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        rows.into_iter()
            .map(|row| {
                Ok(Feedback {
                    id: row.id.into(),
                    kind: name::FEEDBACK_KIND.read(&row.kind)?,
                    rating: row.rating,
                    normalised: row.normalised,
                    comment: row.comment,
                    given_at: row.given_at.0,
                    self_told: row.self_told,
                })
            })
            .collect()
    }

    /// Makes scores stale that a change at `at` should count for. Also that which is not stored yet:
    /// unlike an event, nothing else would tell that there is something new.
    async fn record_change(&mut self, client: ClientId, at: Timestamp) -> Result<()> {
        self.mark_stale(&[(client, at)]).await
    }
}
