//! What playbooks and their outcomes are, in words.

use mainstay_core::{
    playbook::{Playbook, PlaybookAction, PlaybookTask, Tally, Trigger, is_noisy},
    text::{count_noun, format_thousands},
};

use crate::web::ui::text::straight;

/// What starts a playbook.
pub(super) fn starts(trigger: Trigger) -> String {
    match trigger {
        Trigger::Alert { kind, at_least } => {
            let kind = kind
                .map_or_else(|| "Any alert".to_owned(), |kind| format!("Alert “{}”", kind.words()));
            format!("{kind} opens or worsens, at least {at_least}")
        }
        Trigger::Band { from: None, to } => format!("The score enters “{}”", to.words()),
        Trigger::Band { from: Some(from), to } => {
            format!("The score goes from “{}” to “{}”", from.words(), to.words())
        }
    }
}

/// What a playbook does.
pub(super) fn does(playbook: &Playbook) -> Vec<String> {
    let words = |action: &PlaybookAction| match action {
        PlaybookAction::Task(PlaybookTask { title, due_in_days, .. }) => {
            let due = match due_in_days {
                0 => "the same day".to_owned(),
                days => format!("{} later", count_noun(i64::from(*days), "day")),
            };
            format!("Task “{}”, due {due}", straight(title))
        }
        PlaybookAction::Nudge => "Reminder email to the client".to_owned(),
        PlaybookAction::Webhook { .. } => "Webhook call".to_owned(),
    };
    playbook.actions.iter().map(words).collect()
}

/// What came of something: `42 opened, 3 acted on, 17 recovered within 14 days: noisy`.
pub(super) fn outcome(tally: &Tally, verb: &str) -> String {
    if tally.opened == 0 {
        return format!("None {verb}");
    }
    let undecided = match tally.undecided {
        0 => String::new(),
        some => format!(", {} undecided", format_thousands(some)),
    };
    let noisy = if is_noisy(tally) { ": noisy" } else { "" };
    format!(
        "{} {verb}, {} acted on, {} recovered within 14 days{undecided}{noisy}",
        format_thousands(tally.opened),
        format_thousands(tally.acted_on),
        format_thousands(tally.recovered)
    )
}
