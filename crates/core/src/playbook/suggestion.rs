use super::{Playbook, PlaybookAction, PlaybookTask, Trigger};
use crate::{
    alert::{AlertType, Severity},
    score::Band,
};

/// Playbooks to begin with.
pub fn suggestions() -> Vec<Playbook> {
    vec![
        Playbook {
            name: "Call a client that has gone quiet".to_owned(),
            trigger: Trigger::Alert {
                kind: Some(AlertType::ZeroActivity),
                at_least: Severity::Critical,
            },
            actions: vec![
                task("Call the client", "Ask what keeps them away, and agree on one next step.", 2),
                PlaybookAction::Nudge,
            ],
        },
        Playbook {
            name: "Look into a sharp fall".to_owned(),
            trigger: Trigger::Alert {
                kind: Some(AlertType::ScoreDrop),
                at_least: Severity::Critical,
            },
            actions: vec![task(
                "Find out why the score fell",
                "The alert names the components that moved. Look at the days around the fall.",
                1,
            )],
        },
        Playbook {
            name: "Plan a way back for a client at risk".to_owned(),
            trigger: Trigger::Band { from: None, to: Band::AtRisk },
            actions: vec![task(
                "Write a plan with the client",
                "Its page lists what would raise the score most.",
                5,
            )],
        },
        Playbook {
            name: "Help with a stuck task".to_owned(),
            trigger: Trigger::Alert {
                kind: Some(AlertType::TaskStalled),
                at_least: Severity::Warning,
            },
            actions: vec![task(
                "Offer help with the stuck onboarding task",
                "The alert names the task and since when it is untouched.",
                1,
            )],
        },
    ]
}

fn task(title: &str, text: &str, due_in_days: i32) -> PlaybookAction {
    PlaybookAction::Task(PlaybookTask {
        title: title.to_owned(),
        text: text.to_owned(),
        due_in_days,
        otherwise: None,
    })
}
