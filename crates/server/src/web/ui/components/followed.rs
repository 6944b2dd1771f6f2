use std::fmt::Write as _;

use mainstay_core::playbook::{ActionOutcome, StaffTaskState};
use mainstay_store::{PlaybookRun, StaffTask};

use super::view::View;
use crate::{
    alert::FollowUps,
    web::{
        staff::people::People,
        ui::text::{Isolated, straight},
    },
};

/// What followed from an alert, a sentence for each playbook that it started and each task that
/// somebody made for it.
pub(crate) fn followed(view: &View, people: &People, followed: &FollowUps) -> Vec<String> {
    let of_run = |run: &PlaybookRun| {
        let mut sentence = format!("Playbook “{}”", straight(&run.name));
        let Some(started) = run.started_at else {
            return format!("{sentence} is waiting: no client sends events.");
        };
        let _ = write!(sentence, ", {}", view.moment(started));
        for task in followed.tasks.iter().filter(|task| task.run == Some(run.id)) {
            let _ = write!(sentence, ". {}", of_task(view, people, task));
        }
        for deed in &run.deeds {
            match deed {
                ActionOutcome::EmailQueued { .. } => {
                    sentence.push_str(". Email to the client queued");
                }
                ActionOutcome::EmailSkipped { reason } => {
                    let _ = write!(sentence, ". No email to the client: {reason}");
                }
                ActionOutcome::WebhookQueued { webhook } => {
                    let _ = write!(sentence, ". Webhook “{}” called", straight(webhook));
                }
                ActionOutcome::WebhookSkipped => {
                    sentence.push_str(". A webhook was skipped: it was deleted or switched off");
                }
                ActionOutcome::Failed { reason } => {
                    let _ = write!(sentence, ". Stopped early: {}", straight(reason));
                }
            }
        }
        sentence.push('.');
        sentence
    };
    let by_hand = followed.tasks.iter().filter(|task| task.run.is_none());
    let by_hand = by_hand.map(|task| format!("{}.", of_task(view, people, task)));
    followed.runs.iter().map(of_run).chain(by_hand).collect()
}

/// `Task “Call” for Ines, due Fri 8 May`, or who did it.
fn of_task(view: &View, people: &People, task: &StaffTask) -> String {
    let title = straight(&task.title);
    let by = Isolated(&people.name(task.finished_by)).to_string();
    match (task.state, task.owner) {
        (StaffTaskState::Done, _) => format!("Task “{title}” done by {by}"),
        (StaffTaskState::Dismissed, _) => format!("Task “{title}” dismissed by {by}"),
        (StaffTaskState::Open, owner) => {
            let owner = owner.map_or_else(
                || ", unassigned".to_owned(),
                |owner| format!(" for {}", Isolated(&people.name(Some(owner)))),
            );
            format!("Task “{title}”{owner}, due {}", view.weekday(task.due_on))
        }
    }
}
