//! Playbooks: automatic actions after an alert or a change of band, staff tasks, and outcomes.

mod alert;
mod approval;
mod band;
mod call;
mod outcomes;
mod start;
mod tasks;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::PlaybookId,
    playbook::{Playbook, PlaybookAction},
};
use mainstay_store::{Scope, StoredPlaybook, Tx, new_id};

pub(crate) use alert::AlertPlaybooks;
pub(crate) use approval::PlaybookCounts;
pub(crate) use band::BandPlaybooks;
pub use outcomes::{OUTCOME_DAYS, Outcomes};
pub use tasks::{NewStaffTask, StaffTaskPatch, TaskOwner};

use crate::{Error, Mainstay, Result};

/// Maximum number of playbooks of an organization: each is checked with every alert.
pub const MAX_PLAYBOOKS: usize = 50;
/// Maximum age of an instant for which playbooks start: computations for the past must not create
/// tasks.
const MAX_AGE_TO_START: SignedDuration = SignedDuration::from_hours(24);

fn no_playbook(id: PlaybookId) -> Error {
    Error::NotFound {
        what: "playbook",
        id: id.to_string(),
        remedy: "GET /api/v1/playbooks lists all playbooks",
    }
}

impl Mainstay {
    /// The organization's playbooks, oldest first.
    pub async fn playbooks(&self, scope: Scope) -> Result<Vec<StoredPlaybook>> {
        Ok(self.store().read(scope).await?.list_playbooks().await?)
    }

    /// One playbook.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn playbook(&self, scope: Scope, id: PlaybookId) -> Result<StoredPlaybook> {
        let mut tx = self.store().read(scope).await?;
        tx.find_playbook(id).await?.ok_or_else(|| no_playbook(id))
    }

    /// Creates a playbook. It applies to later alerts and changes.
    ///
    /// # Errors
    /// If it is invalid, or the limit is reached.
    pub async fn create_playbook(
        &self,
        scope: impl Into<Scope>,
        playbook: Playbook,
        enabled: bool,
    ) -> Result<StoredPlaybook> {
        let now = self.now();
        let stored =
            StoredPlaybook { id: new_id(now), enabled, playbook, created_at: now, changed_at: now };
        let mut tx = self.begin_writing(scope.into()).await?;
        check(&mut tx, &stored.playbook).await?;
        if tx.list_playbooks().await?.len() >= MAX_PLAYBOOKS {
            return Err(Error::conflict_in(
                "name",
                format!(
                    "there are {MAX_PLAYBOOKS} playbooks, which is the limit; delete one first"
                ),
            ));
        }
        tx.save_playbook(&stored).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Replaces a playbook, and whether it is enabled.
    ///
    /// # Errors
    /// [`Error::NotFound`], or if it is invalid.
    pub async fn change_playbook(
        &self,
        scope: impl Into<Scope>,
        id: PlaybookId,
        playbook: Playbook,
        enabled: bool,
    ) -> Result<StoredPlaybook> {
        let mut tx = self.begin_writing(scope.into()).await?;
        let existing = tx.find_playbook(id).await?.ok_or_else(|| no_playbook(id))?;
        check(&mut tx, &playbook).await?;
        let stored = StoredPlaybook { enabled, playbook, changed_at: self.now(), ..existing };
        tx.save_playbook(&stored).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Deletes a playbook. Its runs stay.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_playbook(&self, scope: impl Into<Scope>, id: PlaybookId) -> Result<()> {
        let mut tx = self.begin_writing(scope.into()).await?;
        if !tx.delete_playbook(id).await? {
            return Err(no_playbook(id));
        }
        Ok(tx.commit().await?)
    }

    /// Whether an instant is recent enough to start playbooks.
    fn is_recent_enough(&self, as_of: Timestamp) -> bool {
        self.now().duration_since(as_of) < MAX_AGE_TO_START
    }
}

/// Validates a playbook, including its members and webhooks.
async fn check(tx: &mut Tx, playbook: &Playbook) -> Result<()> {
    playbook.check()?;
    let members = tx.list_members().await?;
    for (place, action) in playbook.actions.iter().enumerate() {
        let missing = match action {
            PlaybookAction::Task(task) => {
                task.otherwise.filter(|id| !members.iter().any(|member| member.id == *id)).map(
                    |id| ("otherwise", format!("there is no member {id}; choose an existing one")),
                )
            }
            PlaybookAction::Webhook { webhook } if tx.find_webhook(*webhook).await?.is_none() => {
                Some((
                    "webhook_id",
                    format!("there is no webhook {webhook}; choose an existing one"),
                ))
            }
            PlaybookAction::Webhook { .. } | PlaybookAction::Nudge => None,
        };
        if let Some((field, reason)) = missing {
            return Err(Error::invalid(format!("actions[{place}].{field}"), reason));
        }
    }
    Ok(())
}
