use serde::{Deserialize, Serialize};

use super::{PlaybookError, check_line, task::MAX_TASK_TITLE_CHARS, task::check_task_text};
use crate::id::{EmailId, MemberId, WebhookId};

/// Maximum number of tasks that one playbook creates.
pub const MAX_TASKS: usize = 3;
/// Maximum number of days until a task is due.
const MAX_DUE_DAYS: i32 = 365;

/// Action of a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum PlaybookAction {
    /// Creates a task for the client's owner.
    Task(PlaybookTask),
    /// Writes the client the mail for those who have fallen silent, as far as it wants mails.
    Nudge,
    /// Sends a notice to a webhook, whatever that hears of otherwise.
    Webhook {
        /// ID.
        webhook: WebhookId,
    },
}

/// Task that a playbook creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookTask {
    /// Title of the task.
    pub title: String,
    /// Description.
    #[serde(default)]
    pub text: String,
    /// Due at the end of the local day so many days later.
    pub due_in_days: i32,
    /// Member who gets the task if the client has no owner.
    #[serde(default)]
    pub otherwise: Option<MemberId>,
}

/// Outcome of an action that creates no task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum ActionOutcome {
    /// An email to the client was queued.
    #[serde(rename = "nudged")]
    EmailQueued {
        /// ID.
        email: EmailId,
    },
    /// No email was queued.
    #[serde(rename = "not_nudged")]
    EmailSkipped {
        /// Reason, as a clause that follows "because".
        reason: String,
    },
    /// A webhook message was queued.
    #[serde(rename = "called")]
    WebhookQueued {
        /// Name of the webhook at that time.
        webhook: String,
    },
    /// None was: the webhook is gone, switched off, or the organization is a sample.
    #[serde(rename = "not_called")]
    WebhookSkipped,
    /// A fault in Mainstay ended the run before it had done everything.
    Failed {
        /// The error.
        reason: String,
    },
}

pub(super) fn check(actions: &[PlaybookAction]) -> Result<(), PlaybookError> {
    if actions.is_empty() {
        return Err(PlaybookError::new("actions", "is empty; name at least one"));
    }
    let mut tasks = 0;
    for (place, action) in actions.iter().enumerate() {
        let field = |name: &str| format!("actions[{place}].{name}");
        let PlaybookAction::Task(task) = action else {
            if actions[..place].contains(action) {
                return Err(PlaybookError::new(
                    field("do"),
                    "says the same as one before; name it once",
                ));
            }
            continue;
        };
        tasks += 1;
        if tasks > MAX_TASKS {
            return Err(PlaybookError::new(
                "actions",
                format!("has more than {MAX_TASKS} tasks; put what belongs together into one"),
            ));
        }
        check_line(&field("title"), &task.title, MAX_TASK_TITLE_CHARS)?;
        check_task_text(&field("text"), &task.text)?;
        if !(0..=MAX_DUE_DAYS).contains(&task.due_in_days) {
            return Err(PlaybookError::new(
                field("due_in_days"),
                format!("is {}; use 0 (the same day) to {MAX_DUE_DAYS}", task.due_in_days),
            ));
        }
    }
    Ok(())
}
