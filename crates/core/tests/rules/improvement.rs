//! Ways to improve: each is worth what computing the score again says, to the hundredth.

use mainstay_core::score::{
    Action, Component, Evidence, Improvement, LaunchKit, MissingData, ScoreInputs, ScoreModel,
    improvements, improvements_now,
};
use proptest::prelude::*;

use super::{
    evidence::{any_inputs, any_model},
    score::{at, nobody},
};

/// Halfway through onboarding, and already here today.
fn halfway() -> ScoreInputs {
    ScoreInputs {
        as_of: at("2026-05-06T10:00:00Z"),
        last: Some(at("2026-05-06T08:00:00Z")),
        events: 12,
        events_before: 12,
        active_days: 3,
        tasks: 4,
        settled: 2,
        ..nobody()
    }
}

/// Nothing left to gain in the standard model.
fn done() -> ScoreInputs {
    ScoreInputs {
        events: 30,
        events_before: 20,
        active_days: 7,
        high_value: 5,
        content: 10,
        visuals: 10,
        tasks: 4,
        settled: 4,
        kit: LaunchKit::Completed,
        ratings: 1,
        rating_sum: 100,
        last: Some(at("2026-05-05T12:00:00Z")),
        ..nobody()
    }
}

fn found(inputs: &ScoreInputs) -> Vec<Improvement> {
    improvements(inputs, &ScoreModel::standard())
}

const fn worth(
    action: Action,
    times: i64,
    gain_hundredths: i64,
    component: Component,
) -> Improvement {
    Improvement { action, times, gain_hundredths, component }
}

#[test]
fn the_best_small_action_comes_first_with_what_it_is_worth() {
    // Engagement is 21.43 + 30 = 51.43, so 51.
    assert_eq!(
        found(&halfway()),
        [
            // Engagement 21.43 + 32.5 + 10 = 63.93, so 64: 13 × 25 %; progress 20 × 25 %.
            worth(Action::GenerateContent, 1, 325 + 500, Component::Progress),
            worth(Action::CreateVisual, 1, 325 + 500, Component::Progress),
            // Activation 35 → 65.
            worth(Action::ViewLaunchKit, 1, 600, Component::Activation),
            // Activation 35 → 52.5, so 53: 18 × 20 %. It makes no event.
            worth(Action::CompleteTask, 1, 360, Component::Activation),
            // Engagement 21.43 + 32.5 = 53.93, so 54.
            worth(Action::BeActive, 1, 75, Component::Engagement),
        ]
    );
}

#[test]
fn what_is_done_on_a_new_day_makes_it_an_active_one() {
    let inputs = ScoreInputs { last: Some(at("2026-05-05T21:59:59Z")), ..halfway() };
    // Engagement 28.57 + 32.5 = 61.07, so 61.
    assert!(found(&inputs).contains(&worth(Action::BeActive, 1, 250, Component::Engagement)));
    // Engagement 28.57 + 32.5 + 10 = 71.07, so 71: 20 × 25 %; progress 500.
    let content = worth(Action::GenerateContent, 1, 1_000, Component::Progress);
    assert!(found(&inputs).contains(&content), "{:?}", found(&inputs));
    // There are only seven days in a week: 50 + 30 → 50 + 32.5.
    let inputs = ScoreInputs { active_days: 7, ..inputs };
    assert!(found(&inputs).contains(&worth(Action::BeActive, 1, 75, Component::Engagement)));
}

#[test]
fn a_client_that_never_came_gains_most_by_coming_back() {
    assert_eq!(
        found(&nobody()),
        [
            // Engagement 0 → 19.64, so 20: 500; progress 0 → 20: 500; momentum 0 → 80: 1 200.
            worth(Action::GenerateContent, 1, 2_200, Component::Momentum),
            worth(Action::CreateVisual, 1, 2_200, Component::Momentum),
            // Engagement 0 → 9.64, so 10: 250; momentum 1 200.
            worth(Action::BeActive, 1, 1_450, Component::Momentum),
        ]
    );
}

#[test]
fn one_more_event_can_reach_a_momentum_step() {
    // 11 → 12 after 10: from 60 to 80 points, 300; engagement 87.5 → 90 (88 → 90), 50.
    let inputs = ScoreInputs { events: 11, events_before: 10, ..done() };
    // Any event does, so the one that asks for no particular work comes first.
    assert_eq!(
        found(&inputs),
        [Action::BeActive, Action::GenerateContent, Action::CreateVisual].map(|action| worth(
            action,
            1,
            350,
            Component::Momentum
        ))
    );
}

#[test]
fn a_milestone_within_five_is_one_action() {
    let content = |content| found(&ScoreInputs { content, ..done() });
    let step = |times, gain| vec![worth(Action::GenerateContent, times, gain, Component::Progress)];
    assert_eq!(content(0), step(1, 500));
    assert_eq!(content(1), step(4, 500));
    assert_eq!(content(2), step(3, 500));
    assert_eq!(content(4), step(1, 500));
    assert_eq!(content(5), step(5, 250));
    assert_eq!(content(9), step(1, 250));
    assert_eq!(content(10), []);
    // Six more is not called a small step.
    let mut model = ScoreModel::standard();
    model.progress.content[2].at = 11;
    let inputs = ScoreInputs { content: 5, ..done() };
    assert_eq!(improvements(&inputs, &model), []);
    let inputs = ScoreInputs { content: 6, ..done() };
    assert_eq!(improvements(&inputs, &model), step(5, 250));
}

#[test]
fn of_one_and_many_the_one_worth_more_each_time_is_offered() {
    let offered = |inputs: &ScoreInputs| {
        let mut all = found(inputs).into_iter();
        all.find(|it| it.action == Action::GenerateContent).expect("content is worth something")
    };
    // Once: engagement 51 → 64, 325 for one. Three times: 68.93, so 69, and progress 500: 950 for
    // three, which is less each.
    let inputs = ScoreInputs { content: 2, events_before: 0, ..halfway() };
    assert_eq!(offered(&inputs), worth(Action::GenerateContent, 1, 325, Component::Engagement));
    // With the bonus earned already, once is 51 + 10 → 53.93 + 10 (61 → 64): 75 for one; three
    // times 69, 200 + 500 for three.
    let inputs = ScoreInputs { high_value: 1, ..inputs };
    assert_eq!(offered(&inputs), worth(Action::GenerateContent, 3, 700, Component::Progress));
}

#[test]
fn a_lot_of_work_comes_after_a_little_that_is_worth_more_each_time() {
    // A task: activation 83 → 100, 340 for one; three pieces of content: 500, so 167 each.
    assert_eq!(
        found(&ScoreInputs { content: 2, settled: 3, ..done() }),
        [
            worth(Action::CompleteTask, 1, 340, Component::Activation),
            worth(Action::GenerateContent, 3, 500, Component::Progress),
        ]
    );
}

#[test]
fn nothing_is_promised_when_everything_is_done() {
    assert_eq!(found(&done()), []);
    // A better rating is never asked for.
    assert_eq!(found(&ScoreInputs { rating_sum: 0, ..done() }), []);
    assert_eq!(found(&ScoreInputs { ratings: 0, rating_sum: 0, ..done() }), []);
}

#[test]
fn tasks_and_kit_are_offered_only_where_they_count() {
    let actions =
        |inputs: &ScoreInputs| found(inputs).iter().map(|it| it.action).collect::<Vec<_>>();
    // Without tasks the kit earns nothing.
    let without_tasks = ScoreInputs { tasks: 0, settled: 0, kit: LaunchKit::Unopened, ..done() };
    assert_eq!(actions(&without_tasks), []);
    assert_eq!(
        actions(&ScoreInputs { kit: LaunchKit::Unopened, ..done() }),
        [Action::ViewLaunchKit]
    );
    assert_eq!(actions(&ScoreInputs { kit: LaunchKit::Viewed, ..done() }), []);
    assert_eq!(actions(&ScoreInputs { settled: 3, ..done() }), [Action::CompleteTask]);
    // Where activation weighs nothing, neither does.
    let mut model = ScoreModel::standard();
    (model.weights.activation, model.weights.progress) = (0, 45);
    let inputs = ScoreInputs { settled: 3, kit: LaunchKit::Unopened, ..done() };
    assert_eq!(improvements(&inputs, &model), []);
}

#[test]
fn a_gain_is_worked_with_the_weights_in_force() {
    // Satisfaction left out: activation weighs 20 / 85, and the kit's 30 points 7.06: together
    // 92.94 before, without a rounding in between.
    let mut model = ScoreModel::standard();
    model.satisfaction.without_feedback = MissingData::Exclude;
    let inputs = ScoreInputs { kit: LaunchKit::Unopened, ratings: 0, rating_sum: 0, ..done() };
    assert_eq!(
        improvements(&inputs, &model),
        [worth(Action::ViewLaunchKit, 1, 706, Component::Activation)]
    );
}

#[test]
fn an_action_goes_by_one_name_everywhere() {
    for action in ORDER {
        assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
    }
}

/// The order of [`Action`], which decides between equals.
const ORDER: [Action; 5] = [
    Action::BeActive,
    Action::ViewLaunchKit,
    Action::CompleteTask,
    Action::GenerateContent,
    Action::CreateVisual,
];

/// The inputs as they will be after an action, told independently of the crate.
fn later(action: Action, times: i64, inputs: &ScoreInputs) -> ScoreInputs {
    let mut later = inputs.clone();
    match action {
        Action::ViewLaunchKit => later.kit = LaunchKit::Viewed,
        Action::BeActive => {}
        Action::CompleteTask => later.settled += 1,
        Action::GenerateContent => later.content += times,
        Action::CreateVisual => later.visuals += times,
    }
    // Looking at the kit and finishing a task are no events; of the others, being active alone is not
    // of high value.
    if matches!(action, Action::ViewLaunchKit | Action::CompleteTask) {
        return later;
    }
    later.events += times;
    if action != Action::BeActive {
        later.high_value += times;
    }
    if !inputs.active_today() || inputs.events == 0 {
        later.active_days = (inputs.active_days + 1).min(7);
    }
    later
}

proptest! {
    #[test]
    fn a_gain_is_what_computing_the_score_again_gives(
        inputs in any_inputs(),
        model in prop_oneof![Just(ScoreModel::standard()), any_model()],
    ) {
        let now = Evidence::of(&inputs, &model);
        let all = improvements(&inputs, &model);
        for it in &all {
            prop_assert!(it.gain_hundredths > 0);
            prop_assert!((1..=5).contains(&it.times));
            let then = Evidence::of(&later(it.action, it.times, &inputs), &model);
            prop_assert_eq!(it.gain_hundredths, then.total_hundredths - now.total_hundredths);
            let gains = now.components.iter().zip(&then.components).map(|(before, after)| {
                (before.component, after.contribution_hundredths - before.contribution_hundredths)
            });
            let most = gains.clone().map(|(_, gain)| gain).max().unwrap();
            let named = gains.clone().find(|(component, _)| *component == it.component).unwrap();
            prop_assert_eq!(named.1, most);
        }
        // What is not offered is not possible or worth nothing.
        for action in ORDER {
            if all.iter().any(|it| it.action == action) {
                continue;
            }
            let possible = match action {
                Action::CompleteTask => inputs.settled < inputs.tasks,
                Action::ViewLaunchKit => inputs.kit == LaunchKit::Unopened && inputs.tasks > 0,
                _ => true,
            };
            let then = Evidence::of(&later(action, 1, &inputs), &model);
            prop_assert!(!possible || then.total_hundredths <= now.total_hundredths);
        }
    }

    #[test]
    fn a_gain_is_from_the_score_that_is_shown_to_the_one_that_will_be(
        shown in any_inputs(),
        now in any_inputs(),
        (shown_model, now_model) in (any_model(), any_model()),
    ) {
        let before = Evidence::of(&shown, &shown_model);
        for it in improvements_now((&shown, &shown_model), (&now, &now_model)) {
            let at_once = matches!(it.action, Action::ViewLaunchKit | Action::CompleteTask);
            let (inputs, model) = if at_once { (&shown, &shown_model) } else { (&now, &now_model) };
            let then = Evidence::of(&later(it.action, it.times, inputs), model);
            prop_assert_eq!(it.gain_hundredths, then.total_hundredths - before.total_hundredths);
        }
    }

    #[test]
    fn improvements_are_ordered_by_gain_for_each_time(
        inputs in any_inputs(),
        model in prop_oneof![Just(ScoreModel::standard()), any_model()],
    ) {
        let all = improvements(&inputs, &model);
        let place = |it: &Improvement| ORDER.iter().position(|action| *action == it.action);
        for pair in all.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            let (left, right) =
                (first.gain_hundredths * second.times, second.gain_hundredths * first.times);
            let ordered = left > right
                || left == right && first.times < second.times
                || left == right && first.times == second.times && place(first) < place(second);
            prop_assert!(ordered, "{first:?} before {second:?}");
        }
    }
}
