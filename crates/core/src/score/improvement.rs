use serde::{Deserialize, Serialize};

use super::{Component, Evidence, LaunchKit, ScoreInputs, ScoreModel};

/// Something a client can do to raise its score; what asks least of it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Use the host app.
    BeActive,
    /// Look at the launch kit.
    ViewLaunchKit,
    /// Finish an onboarding task.
    CompleteTask,
    /// Make a piece of content.
    GenerateContent,
    /// Make a visual.
    CreateVisual,
}

impl Action {
    const ALL: [Self; 5] = [
        Self::BeActive,
        Self::ViewLaunchKit,
        Self::CompleteTask,
        Self::GenerateContent,
        Self::CreateVisual,
    ];

    /// Whether it is an event of the client; otherwise it changes what is known of its onboarding.
    const fn is_event(self) -> bool {
        matches!(self, Self::BeActive | Self::GenerateContent | Self::CreateVisual)
    }

    /// The name used in every API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GenerateContent => "generate_content",
            Self::CreateVisual => "create_visual",
            Self::CompleteTask => "complete_task",
            Self::ViewLaunchKit => "view_launch_kit",
            Self::BeActive => "be_active",
        }
    }
}

/// What an action is worth, found by computing the score again as if it had been done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Improvement {
    /// Description of the task.
    pub action: Action,
    /// How many times.
    pub times: i64,
    /// How much the overall would gain before rounding, in hundredths of a point.
    pub gain_hundredths: i64,
    /// The component that would gain most.
    pub component: Component,
}

/// Longest series of one action that is still called a small step.
const MAX_TIMES: i64 = 5;

/// Every action that would raise a score, the one worth most for the least work first: by gain
/// for each time it has to be done, then by fewer times, then in the order of [`Action`].
///
/// Feedback is not among them: what it is worth depends on what the client thinks of us, and asking
/// for a good rating would make the figure worthless.
pub fn improvements(inputs: &ScoreInputs, model: &ScoreModel) -> Vec<Improvement> {
    improvements_now((inputs, model), (inputs, model))
}

/// The same for a score that is shown: what doing exactly this now, and nothing else, would change.
///
/// `shown` is what the score was made from. `now` is what would be counted for a score just after now:
/// an event moves the score's instant to its own, so that older events leave the week; finishing a task
/// or opening the launch kit moves no window.
pub fn improvements_now(
    shown: (&ScoreInputs, &ScoreModel),
    now: (&ScoreInputs, &ScoreModel),
) -> Vec<Improvement> {
    let before = Evidence::of(shown.0, shown.1);
    let mut improvements: Vec<Improvement> = Action::ALL
        .into_iter()
        .filter_map(|action| {
            let (inputs, model) = if action.is_event() { now } else { shown };
            list_sizes(action, inputs, model)
                .into_iter()
                .filter_map(|times| estimate_gain(action, times, inputs, model, &before))
                .max_by(|a, b| {
                    let (left, right) = (a.gain_hundredths * b.times, b.gain_hundredths * a.times);
                    left.cmp(&right).then(b.times.cmp(&a.times))
                })
        })
        .collect();
    improvements.sort_by(|a, b| {
        let (left, right) = (a.gain_hundredths * b.times, b.gain_hundredths * a.times);
        right.cmp(&left).then(a.times.cmp(&b.times))
    });
    improvements
}

/// Once, or as often as the next milestone takes.
fn list_sizes(action: Action, inputs: &ScoreInputs, model: &ScoreModel) -> Vec<i64> {
    let next = |milestones: &[super::Milestone], count: i64| {
        milestones.iter().map(|step| step.at - count).find(|missing| *missing > 0)
    };
    let milestone = match action {
        Action::GenerateContent => next(&model.progress.content, inputs.content),
        Action::CreateVisual => next(&model.progress.visuals, inputs.visuals),
        Action::CompleteTask | Action::ViewLaunchKit | Action::BeActive => None,
    };
    let mut list_sizes = vec![1];
    list_sizes.extend(milestone.filter(|times| (2..=MAX_TIMES).contains(times)));
    list_sizes
}

fn estimate_gain(
    action: Action,
    times: i64,
    inputs: &ScoreInputs,
    model: &ScoreModel,
    now: &Evidence,
) -> Option<Improvement> {
    let then = Evidence::of(&inputs_after(action, times, inputs)?, model);
    let gain_hundredths = then.total_hundredths - now.total_hundredths;
    if gain_hundredths <= 0 {
        return None;
    }
    let component = now
        .components
        .iter()
        .zip(&then.components)
        .max_by_key(|(before, inputs_after)| {
            inputs_after.contribution_hundredths - before.contribution_hundredths
        })
        .map(|(before, _)| before.component)?;
    Some(Improvement { action, times, gain_hundredths, component })
}

/// The inputs as they would be after an action; `None` when there is nothing left to do.
///
/// Nothing else is assumed to happen with it: completing a task is no `task_completed` event, since
/// neither API nor page makes one of it.
fn inputs_after(action: Action, times: i64, inputs: &ScoreInputs) -> Option<ScoreInputs> {
    let mut inputs = inputs.clone();
    match action {
        // Without tasks the kit earns nothing: activation stays assumed.
        Action::ViewLaunchKit if inputs.kit == LaunchKit::Unopened && inputs.tasks > 0 => {
            inputs.kit = LaunchKit::Viewed;
        }
        Action::CompleteTask if inputs.settled < inputs.tasks => inputs.settled += 1,
        Action::ViewLaunchKit | Action::CompleteTask => return None,
        Action::GenerateContent => inputs.content += times,
        Action::CreateVisual => inputs.visuals += times,
        Action::BeActive => {}
    }
    if action.is_event() {
        if inputs.events == 0 || !inputs.active_today() {
            inputs.active_days = (inputs.active_days + 1).min(7);
        }
        inputs.events += times;
        if action != Action::BeActive {
            inputs.high_value += times;
        }
    }
    Some(inputs)
}
