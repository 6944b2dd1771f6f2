//! Playbooks: what follows from an alert or a change of the band, the tasks of the staff's that they
//! and people make, and what came of it all.

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

/// Playbooks that an organization has at most: each is looked at with every alert.
pub const MOST_PLAYBOOKS: usize = 50;
/// How far back an instant may lie for playbooks to start: who looks into the past wants figures, not
/// tasks for yesterday.
const PRESENT: SignedDuration = SignedDuration::from_hours(24);

fn no_playbook(id: PlaybookId) -> Error {
    Error::NotFound {
        what: "playbook",
        id: id.to_string(),
        remedy: "GET /api/v1/playbooks lists them with their ids",
    }
}

impl Mainstay {
    /// The organization's playbooks, oldest first.
    pub async fn playbooks(&self, scope: Scope) -> Result<Vec<StoredPlaybook>> {
        Ok(self.store().read(scope).await?.playbooks().await?)
    }

    /// One playbook.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn playbook(&self, scope: Scope, id: PlaybookId) -> Result<StoredPlaybook> {
        let mut tx = self.store().read(scope).await?;
        tx.playbook(id).await?.ok_or_else(|| no_playbook(id))
    }

    /// Keeps a new playbook. It answers what happens from now on.
    ///
    /// # Errors
    /// When it cannot be used, or there are too many.
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
        if tx.playbooks().await?.len() >= MOST_PLAYBOOKS {
            return Err(Error::conflict_in(
                "name",
                format!(
                    "there are {MOST_PLAYBOOKS} playbooks, which is the limit; delete one first"
                ),
            ));
        }
        tx.save_playbook(&stored).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Replaces what a playbook says, and whether anything starts it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when it cannot be used.
    pub async fn change_playbook(
        &self,
        scope: impl Into<Scope>,
        id: PlaybookId,
        playbook: Playbook,
        enabled: bool,
    ) -> Result<StoredPlaybook> {
        let mut tx = self.begin_writing(scope.into()).await?;
        let known = tx.playbook(id).await?.ok_or_else(|| no_playbook(id))?;
        check(&mut tx, &playbook).await?;
        let stored = StoredPlaybook { enabled, playbook, changed_at: self.now(), ..known };
        tx.save_playbook(&stored).await?;
        tx.commit().await?;
        Ok(stored)
    }

    /// Deletes a playbook. What it did stays.
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

    /// Whether an instant is near enough to now that playbooks start for what is found of it.
    fn is_present(&self, as_of: Timestamp) -> bool {
        self.now().duration_since(as_of) < PRESENT
    }
}

/// Checks a playbook, and that whom it names is there.
async fn check(tx: &mut Tx, playbook: &Playbook) -> Result<()> {
    playbook.check()?;
    let members = tx.members().await?;
    for (place, action) in playbook.actions.iter().enumerate() {
        let missing = match action {
            PlaybookAction::Task(task) => task
                .otherwise
                .filter(|id| !members.iter().any(|member| member.id == *id))
                .map(|id| ("otherwise", format!("there is no member {id}; choose one"))),
            PlaybookAction::Webhook { webhook } if tx.webhook(*webhook).await?.is_none() => {
                Some(("webhook_id", format!("there is no webhook {webhook}; choose one")))
            }
            PlaybookAction::Webhook { .. } | PlaybookAction::Nudge => None,
        };
        if let Some((field, reason)) = missing {
            return Err(Error::invalid(format!("actions[{place}].{field}"), reason));
        }
    }
    Ok(())
}
