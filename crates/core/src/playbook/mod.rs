//! What follows from an alert or a change of the band: a [`Playbook`] answers it with tasks for staff,
//! a mail to the client or a call of a webhook.
//!
//! A playbook starts once for an episode of an alert, when that opens or worsens as far as its
//! [`Trigger`] says, and once for a client and local day whose score entered another band. Whether it
//! helped is told by [`Setback::has_recovered`].

mod action;
mod noise;
mod recovery;
mod suggestion;
mod task;
mod trigger;

use serde::{Deserialize, Serialize};

pub use action::{ActionOutcome, MAX_TASKS, PlaybookAction, PlaybookTask};
pub use noise::{Tally, is_noisy, needs_approval_for};
pub use recovery::{RECOVERY_WINDOW, Setback};
pub use suggestion::suggestions;
pub use task::{
    MAX_TASK_TEXT_CHARS, MAX_TASK_TITLE_CHARS, StaffTaskState, check_task, due_at, due_day,
    is_overdue,
};
pub use trigger::{BandChange, Trigger};

use crate::engagement::check_required;

/// Longest name of a playbook.
pub const MAX_PLAYBOOK_NAME_CHARS: usize = 100;

/// A rule of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playbook {
    /// Title for staff.
    pub name: String,
    /// Trigger.
    pub trigger: Trigger,
    /// Actions, in order.
    pub actions: Vec<PlaybookAction>,
}

/// Why a playbook or a task cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct PlaybookError {
    /// The field at fault, by its name in the API.
    pub field: String,
    /// The problem, its limit and the remedy.
    pub reason: String,
}

impl PlaybookError {
    fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

impl Playbook {
    /// Checks every part.
    ///
    /// # Errors
    /// Naming the first that cannot be used.
    pub fn check(&self) -> Result<(), PlaybookError> {
        check_line("name", &self.name, MAX_PLAYBOOK_NAME_CHARS)?;
        self.trigger.check()?;
        action::check(&self.actions)
    }
}

/// Checks a text of one line.
pub(crate) fn check_line(field: &str, text: &str, max_chars: usize) -> Result<(), PlaybookError> {
    check_required("text", text, max_chars).map_err(|error| PlaybookError::new(field, error.reason))
}
