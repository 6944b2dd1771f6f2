use askama::Template;
use mainstay_core::{
    insight::{PendingTask, step_words, words::format_signed_points},
    score::{Action, Component, ScoreModel},
};
use mainstay_store::{OnboardingTask, TaskStatus};

use super::{markup, view::View};
use crate::{score::Explained, web::ui::text::straight};

/// Steps that are shown: more than a few are no longer small.
const MAX_STEPS: usize = 4;
/// What a part can come to.
const MAX_POINTS: i64 = 100;

/// The smallest actions that would raise the score, with what each is worth.
#[derive(Template)]
#[template(path = "components/improvements.html")]
pub(crate) struct Improvements {
    staff: bool,
    steps: Vec<Step>,
    feedback: Option<Feedback>,
    /// Whether no part could be more.
    at_most: bool,
}

struct Step {
    gain: String,
    from: i64,
    to: i64,
    title: String,
    fact: String,
    most: &'static str,
    open: Option<String>,
}

/// Feedback replaces what is assumed; what it is worth nobody knows before.
struct Feedback {
    percent: i64,
    assumed: i64,
    href: String,
}

impl Improvements {
    /// What would raise a score that `model` made.
    pub(crate) fn new(
        view: &View,
        explained: &Explained,
        model: &ScoreModel,
        tasks: &[OnboardingTask],
    ) -> Self {
        let Explained { score, evidence, improvements } = explained;
        let pending = pending(tasks);
        let steps = improvements
            .iter()
            .take(MAX_STEPS)
            .map(|step| {
                let words = step_words(step, &score.inputs, model, &pending);
                Step {
                    gain: format_signed_points(step.gain_hundredths),
                    from: score.overall,
                    // Hundredths to whole points, half up: the one rounding of every overall.
                    to: (evidence.total_hundredths + step.gain_hundredths + 50).div_euclid(100),
                    title: straight(&words.title),
                    fact: words.fact,
                    most: step.component.title(),
                    open: (step.action == Action::CompleteTask).then(|| view.part("tasks-h")),
                }
            })
            .collect();
        let assumed = evidence
            .components
            .iter()
            .find(|part| part.component == Component::Satisfaction && !part.measured);
        let feedback = assumed.filter(|_| !view.is_staff()).map(|part| Feedback {
            percent: part.weight_percent,
            assumed: part.points,
            href: view.part("feedback-h"),
        });
        let at_most = evidence.components.iter().all(|part| part.points == MAX_POINTS);
        Self { staff: view.is_staff(), steps, feedback, at_most }
    }

    /// The step that gains most, as a title.
    pub(crate) fn first(&self) -> Option<&str> {
        self.steps.first().map(|step| step.title.as_str())
    }
}

fn pending(tasks: &[OnboardingTask]) -> Vec<PendingTask> {
    tasks
        .iter()
        .filter(|task| matches!(task.status, TaskStatus::Pending | TaskStatus::InProgress))
        .map(|task| PendingTask { title: task.title.clone(), open_since: task.created_at })
        .collect()
}

markup!(Improvements);
