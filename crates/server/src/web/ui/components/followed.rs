use std::fmt::Write as _;

use mainstay_core::playbook::{PlaybookDeed, StaffTaskState};
use mainstay_store::{PlaybookRun, StaffTask};

use super::view::View;
use crate::{
    alert::Followed,
    web::{
        staff::people::People,
        ui::text::{Isolated, straight},
    },
};

/// What followed from an alert, a sentence for each playbook that it started and each task that
/// somebody made for it.
pub(crate) fn followed(view: &View, people: &People, followed: &Followed) -> Vec<String> {
    let of_run = |run: &PlaybookRun| {
        let mut told = format!("Playbook “{}”", straight(&run.name));
        let Some(started) = run.started_at else {
            return format!("{told} waits: no client at all sends events.");
        };
        let _ = write!(told, ", {}", view.moment(started));
        for task in followed.tasks.iter().filter(|task| task.run == Some(run.id)) {
            let _ = write!(told, ". {}", of_task(view, people, task));
        }
        for deed in &run.deeds {
            match deed {
                PlaybookDeed::Nudged { .. } => told.push_str(". Mail to the client written"),
                PlaybookDeed::NotNudged { reason } => {
                    let _ = write!(told, ". No mail to the client: {reason}");
                }
                PlaybookDeed::Called { webhook } => {
                    let _ = write!(told, ". Webhook “{}” called", straight(webhook));
                }
                PlaybookDeed::NotCalled => {
                    told.push_str(". A webhook was not called: it is gone or switched off");
                }
                PlaybookDeed::Failed { reason } => {
                    let _ = write!(told, ". Stopped before it was done: {}", straight(reason));
                }
            }
        }
        told.push('.');
        told
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
                || ", nobody’s".to_owned(),
                |owner| format!(" for {}", Isolated(&people.name(Some(owner)))),
            );
            format!("Task “{title}”{owner}, due {}", view.weekday(task.due_on))
        }
    }
}
