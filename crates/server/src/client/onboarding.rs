use jiff::Timestamp;
use mainstay_core::{
    engagement::check_text,
    id::{ClientId, TaskId},
    score::{FeedbackKind, LaunchKit},
};
use mainstay_store::{Client, Feedback, LaunchKitTimes, OnboardingTask, Scope, TaskStatus, new_id};

use crate::{Error, Mainstay, Result, validate::check_name};

const MAX_COMMENT_CHARS: usize = 4_000;

/// A rating to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackInput {
    /// On which scale.
    pub kind: FeedbackKind,
    /// The rating on its scale.
    pub rating: i64,
    /// The client's comment.
    pub comment: Option<String>,
    /// When it was given, if earlier.
    pub given_at: Option<Timestamp>,
    /// Whether the client sent it itself: a newer one of the same kind within a week then replaces it.
    pub self_told: bool,
}

impl FeedbackInput {
    /// Validates the rating and the comment; returns the rating on the common scale.
    ///
    /// # Errors
    /// With the field, its limit and the remedy.
    pub fn check(&self) -> Result<i64> {
        let normalised = self.kind.normalize(self.rating)?;
        if let Some(comment) = &self.comment {
            check_text("comment", comment, MAX_COMMENT_CHARS)?;
        }
        Ok(normalised)
    }
}

impl Mainstay {
    /// Adds a task to a client's onboarding.
    ///
    /// # Errors
    /// If the title is invalid or there is no such client.
    pub async fn create_task(
        &self,
        scope: impl Into<Scope>,
        client_id: &str,
        title: &str,
        status: TaskStatus,
    ) -> Result<OnboardingTask> {
        check_name("title", title)?;
        let scope = scope.into();
        let client = self.client(scope, client_id).await?;
        let now = self.now();
        let task = OnboardingTask {
            id: new_id(now),
            title: title.to_owned(),
            status,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store().begin(scope).await?;
        tx.create_task(client.id, &task).await?;
        tx.commit().await?;
        Ok(task)
    }

    /// A client's onboarding tasks.
    pub async fn tasks(&self, scope: Scope, client: ClientId) -> Result<Vec<OnboardingTask>> {
        Ok(self.store().read(scope).await?.list_tasks(client).await?)
    }

    /// Changes a task's title or status; without either, only marks it as touched. Status `deleted`
    /// deletes it.
    ///
    /// # Errors
    /// If a value is invalid or there is no such task.
    pub async fn update_task(
        &self,
        scope: impl Into<Scope>,
        client_id: &str,
        task: TaskId,
        title: Option<&str>,
        status: Option<TaskStatus>,
    ) -> Result<OnboardingTask> {
        if let Some(title) = title {
            check_name("title", title)?;
        }
        let scope = scope.into();
        let client = self.client(scope, client_id).await?;
        let mut tx = self.store().begin(scope).await?;
        let updated = tx.update_task(client.id, task, title, status, self.now()).await?;
        let updated = updated.ok_or_else(|| Error::NotFound {
            what: "onboarding task",
            id: task.to_string(),
            remedy: "GET /api/v1/clients/{client_id}/onboarding-tasks lists them with their ids",
        })?;
        tx.commit().await?;
        Ok(updated)
    }

    /// When a client viewed and completed its launch kit.
    pub async fn launch_kit(&self, scope: Scope, client: ClientId) -> Result<LaunchKitTimes> {
        Ok(self.store().read(scope).await?.get_launch_kit(client).await?)
    }

    /// Records a client's progress in its launch kit, which is never reset.
    ///
    /// # Errors
    /// When there is no such client.
    pub async fn record_launch_kit(
        &self,
        scope: impl Into<Scope>,
        client_id: &str,
        state: LaunchKit,
    ) -> Result<LaunchKitTimes> {
        let scope = scope.into();
        let client = self.client(scope, client_id).await?;
        let now = Some(self.now());
        let times = match state {
            LaunchKit::Unopened => {
                return Err(Error::invalid(
                    "state",
                    "a launch kit cannot become unopened again; send viewed or completed",
                ));
            }
            LaunchKit::Viewed => LaunchKitTimes { viewed_at: now, completed_at: None },
            LaunchKit::Completed => LaunchKitTimes { viewed_at: now, completed_at: now },
        };
        let mut tx = self.store().begin(scope).await?;
        tx.record_launch_kit(client.id, times).await?;
        let times = tx.get_launch_kit(client.id).await?;
        tx.commit().await?;
        Ok(times)
    }

    /// Records a client's rating.
    ///
    /// # Errors
    /// If the rating is outside its scale or in the future.
    pub async fn record_feedback(
        &self,
        scope: impl Into<Scope>,
        client: &Client,
        input: FeedbackInput,
    ) -> Result<Feedback> {
        let now = self.now();
        let normalised = input.check()?;
        if input.self_told && input.given_at.is_some() {
            return Err(Error::invalid(
                "given_at",
                "is for ratings that the organization records; leave it out, a client's own rating is \
                 given now",
            ));
        }
        let given_at = input.given_at.map_or(now, mainstay_core::time::to_micros);
        if given_at > now || given_at < Timestamp::constant(946_684_800, 0) {
            return Err(Error::invalid(
                "given_at",
                format!(
                    "{given_at} is not between 2000-01-01 and now ({now}); leave it out for now"
                ),
            ));
        }
        let feedback = Feedback {
            id: new_id(now),
            kind: input.kind,
            rating: input.rating,
            normalised,
            comment: input.comment.filter(|comment| !comment.trim().is_empty()),
            given_at,
            self_told: input.self_told,
        };
        let mut tx = self.store().begin(scope.into()).await?;
        tx.create_feedback(client.id, &feedback).await?;
        tx.commit().await?;
        Ok(feedback)
    }

    /// A client's latest ratings.
    pub async fn feedback(
        &self,
        scope: Scope,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<Feedback>> {
        Ok(self.store().read(scope).await?.list_feedback(client, limit).await?)
    }
}
