use serde::{Deserialize, Serialize};

use super::{PlaybookError, check_line, task::MAX_TASK_TITLE_CHARS, task::check_text_of_task};
use crate::id::{EmailId, MemberId, WebhookId};

/// Tasks that one playbook makes at most.
pub const MOST_TASKS: usize = 3;
/// Days until a task is due at most: longer is nobody's plan.
const MOST_DAYS: i32 = 365;

/// Something that a playbook does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum PlaybookAction {
    /// Makes a task for the client's owner.
    Task(PlaybookTask),
    /// Writes the client the mail for those who have fallen silent, as far as it wants mails.
    Nudge,
    /// Sends a notice to a webhook, whatever that hears of otherwise.
    Webhook {
        /// Which one.
        webhook: WebhookId,
    },
}

/// The task that a playbook makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookTask {
    /// What to do, in a line.
    pub title: String,
    /// More of it.
    #[serde(default)]
    pub text: String,
    /// Due at the end of the local day so many days later.
    pub due_in_days: i32,
    /// Whose it is when nobody looks after the client.
    #[serde(default)]
    pub otherwise: Option<MemberId>,
}

/// What became of an action that leaves no task behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum PlaybookDeed {
    /// A mail to the client was written.
    Nudged {
        /// Which one.
        email: EmailId,
    },
    /// None was, and why.
    NotNudged {
        /// As a clause that follows "because".
        reason: String,
    },
    /// A notice to a webhook was queued.
    Called {
        /// What the webhook was called then.
        webhook: String,
    },
    /// None was: the webhook is gone, switched off, or the organization is a sample.
    NotCalled,
    /// A fault in Mainstay ended the run before it had done everything.
    Failed {
        /// What went wrong.
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
        if tasks > MOST_TASKS {
            return Err(PlaybookError::new(
                "actions",
                format!("has more than {MOST_TASKS} tasks; put what belongs together into one"),
            ));
        }
        check_line(&field("title"), &task.title, MAX_TASK_TITLE_CHARS)?;
        check_text_of_task(&field("text"), &task.text)?;
        if !(0..=MOST_DAYS).contains(&task.due_in_days) {
            return Err(PlaybookError::new(
                field("due_in_days"),
                format!("is {}; use 0 (the same day) to {MOST_DAYS}", task.due_in_days),
            ));
        }
    }
    Ok(())
}
