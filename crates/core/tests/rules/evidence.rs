//! A score explained: whatever the inputs and the model, the parts add up to the whole.

use std::fmt::Write as _;

use jiff::Timestamp;
use mainstay_core::{
    engagement::{Activity, Windows},
    score::{
        ActivationRule, BandFloors, Component, Components, EngagementRule, Evidence, LaunchKit,
        Milestone, MissingData, MomentumRule, MomentumStep, ProgressRule, SatisfactionRule, Score,
        ScoreInputs, ScoreModel, TaskCounts,
    },
    text::{count_noun, format_points, format_thousands},
    time::time_zone,
};
use proptest::{collection::vec, prelude::*, sample::select};

use super::score::{at, nobody};

/// Everything a person reads of a score.
fn read(inputs: &ScoreInputs, model: &ScoreModel) -> String {
    let evidence = Evidence::of(inputs, model);
    let mut text = String::new();
    for component in &evidence.components {
        let assumed = if component.measured { "" } else { " (assumed)" };
        writeln!(
            text,
            "{}: {} × {} % = {}{assumed}\n  {}",
            component.component,
            component.points,
            component.weight_percent,
            format_points(component.contribution_hundredths),
            component.rule,
        )
        .expect("a String takes any text");
        for part in &component.parts {
            writeln!(text, "  - {}: {} of {}", part.fact, format_points(part.hundredths), part.of)
                .expect("a String takes any text");
        }
    }
    let total = format_points(evidence.total_hundredths);
    write!(text, "{total} → {}, coverage {} %", evidence.overall, evidence.coverage)
        .expect("a String takes any text");
    plain(&text)
}

/// With the thin space of grouped digits as one that a test can be read with.
fn plain(text: &str) -> String {
    text.replace('\u{202f}', " ")
}

fn rule(component: Component, inputs: &ScoreInputs, model: &ScoreModel) -> String {
    let mut components = Evidence::of(inputs, model).components.into_iter();
    components.find(|it| it.component == component).expect("all five are explained").rule
}

fn facts(component: Component, inputs: &ScoreInputs, model: &ScoreModel) -> Vec<String> {
    let mut components = Evidence::of(inputs, model).components.into_iter();
    let found = components.find(|it| it.component == component).expect("all five are explained");
    found.parts.into_iter().map(|part| part.fact).collect()
}

#[test]
fn a_client_that_never_came_reads_as_assumed_where_it_is() {
    insta::assert_snapshot!(read(&nobody(), &ScoreModel::standard()), @r"
    engagement: 0 × 25 % = 0.00
      No event this week.
    activation: 0 × 20 % = 0.00 (assumed)
      No onboarding tasks yet: assumed 0.
    progress: 0 × 25 % = 0.00
      No content and no visuals made so far.
      - 0 of 1 piece of content: 0.00 of 20
      - 0 of 5 pieces of content: 0.00 of 20
      - 0 of 10 pieces of content: 0.00 of 10
      - 0 of 1 visual: 0.00 of 20
      - 0 of 5 visuals: 0.00 of 15
      - 0 of 10 visuals: 0.00 of 15
    satisfaction: 50 × 15 % = 7.50 (assumed)
      No feedback in the last 90 days: assumed 50.
    momentum: 0 × 15 % = 0.00
      No event this week or last week.
      - no event to compare: 0.00 of 100
    7.50 → 8, coverage 65 %
    ");
}

#[test]
fn a_client_that_does_one_of_everything_reads_in_the_singular() {
    let inputs = ScoreInputs {
        events: 1,
        events_before: 1,
        active_days: 1,
        high_value: 1,
        content: 1,
        visuals: 1,
        tasks: 1,
        settled: 1,
        kit: LaunchKit::Viewed,
        ratings: 1,
        rating_sum: 75,
        last: Some(at("2026-05-05T20:00:00Z")),
        ..nobody()
    };
    insta::assert_snapshot!(read(&inputs, &ScoreModel::standard()), @r"
    engagement: 20 × 25 % = 5.00
      1 event on 1 day this week, 1 of high value.
      - active on 1 of 7 days: 7.14 of 50
      - 1 of 20 events: 2.50 of 50
      - 1 high-value event: 10.00 of 10
    activation: 100 × 20 % = 20.00
      1 of 1 onboarding task completed or skipped, launch kit viewed.
      - 1 of 1 onboarding task completed or skipped: 70.00 of 70
      - launch kit viewed: 30.00 of 30
    progress: 40 × 25 % = 10.00
      1 piece of content and 1 visual made so far.
      - 1 of 1 piece of content: 20.00 of 20
      - 1 of 5 pieces of content: 0.00 of 20
      - 1 of 10 pieces of content: 0.00 of 10
      - 1 of 1 visual: 20.00 of 20
      - 1 of 5 visuals: 0.00 of 15
      - 1 of 10 visuals: 0.00 of 15
    satisfaction: 75 × 15 % = 11.25
      1 rating in the last 90 days: 75 of 100.
      - mean of 1 rating in the last 90 days: 75.00 of 100
    momentum: 60 × 15 % = 9.00
      1 event this week, 1 last week: no change.
      - a change of 0 % or more: 60.00 of 100
    55.25 → 55, coverage 100 %
    ");
}

#[test]
fn a_busy_client_reads_with_its_numbers() {
    let inputs = ScoreInputs {
        events: 1_234,
        events_before: 1_541,
        active_days: 7,
        high_value: 1_020,
        content: 12,
        visuals: 3,
        tasks: 8,
        settled: 5,
        kit: LaunchKit::Completed,
        ratings: 3,
        rating_sum: 250,
        last: Some(at("2026-05-05T21:59:59Z")),
        ..nobody()
    };
    insta::assert_snapshot!(read(&inputs, &ScoreModel::standard()), @r"
    engagement: 100 × 25 % = 25.00
      1 234 events on 7 days this week, 1 020 of high value, capped at 100.
      - active on 7 of 7 days: 50.00 of 50
      - 20 of 20 events: 50.00 of 50
      - 1 020 high-value events: 10.00 of 10
    activation: 74 × 20 % = 14.80
      5 of 8 onboarding tasks completed or skipped, launch kit completed.
      - 5 of 8 onboarding tasks completed or skipped: 43.75 of 70
      - launch kit completed: 30.00 of 30
    progress: 70 × 25 % = 17.50
      12 pieces of content and 3 visuals made so far.
      - 1 of 1 piece of content: 20.00 of 20
      - 5 of 5 pieces of content: 20.00 of 20
      - 10 of 10 pieces of content: 10.00 of 10
      - 1 of 1 visual: 20.00 of 20
      - 3 of 5 visuals: 0.00 of 15
      - 3 of 10 visuals: 0.00 of 15
    satisfaction: 83 × 15 % = 12.45
      3 ratings in the last 90 days, on average 83.33 of 100.
      - mean of 3 ratings in the last 90 days: 83.33 of 100
    momentum: 40 × 15 % = 6.00
      1 234 events this week, 1 541 last week: −20 %.
      - a change of −20 % or more: 40.00 of 100
    75.75 → 76, coverage 100 %
    ");
}

#[test]
fn what_is_missing_is_named_as_the_model_treats_it() {
    let standard = ScoreModel::standard();
    let treated = |missing| {
        let mut model = ScoreModel::standard();
        model.activation.without_tasks = missing;
        model.satisfaction.without_feedback = missing;
        model.satisfaction.days = 1;
        [Component::Activation, Component::Satisfaction]
            .map(|component| rule(component, &nobody(), &model))
    };
    assert_eq!(
        [Component::Activation, Component::Satisfaction].map(|component| rule(
            component,
            &nobody(),
            &standard
        )),
        ["No onboarding tasks yet: assumed 0.", "No feedback in the last 90 days: assumed 50."]
    );
    assert_eq!(
        treated(MissingData::Zero),
        ["No onboarding tasks yet: assumed 0.", "No feedback in the last day: assumed 0."]
    );
    assert_eq!(
        treated(MissingData::Neutral(70)),
        ["No onboarding tasks yet: assumed 70.", "No feedback in the last day: assumed 70."]
    );
    assert_eq!(
        treated(MissingData::Exclude),
        [
            "No onboarding tasks yet: left out, and its weight goes to the others.",
            "No feedback in the last day: left out, and its weight goes to the others."
        ]
    );
}

/// Last week, this week, the sentence, the step that fired.
const CHANGES: [(i64, i64, &str, &str); 17] = [
    (0, 0, "No event this week or last week.", "no event to compare"),
    (0, 1, "1 event this week, none last week.", "events after a week without any"),
    (0, 2, "2 events this week, none last week.", "events after a week without any"),
    (1, 0, "No event this week, 1 last week: −100 %.", "a change below −50 %"),
    (10, 10, "10 events this week, 10 last week: no change.", "a change of 0 % or more"),
    (10, 15, "15 events this week, 10 last week: +50 %.", "a change of +50 % or more"),
    (10, 12, "12 events this week, 10 last week: +20 %.", "a change of +20 % or more"),
    (3, 4, "4 events this week, 3 last week: +33 %.", "a change of +20 % or more"),
    (3, 2, "2 events this week, 3 last week: −33 %.", "a change of −50 % or more"),
    (8, 9, "9 events this week, 8 last week: +13 %.", "a change of 0 % or more"), // 12.5
    (8, 7, "7 events this week, 8 last week: −12 %.", "a change of −20 % or more"), // −12.5
    // Half up would show a step that was not reached: +49.99, +19.99, −0.01, −20.01, −50.01.
    (
        10_000,
        14_999,
        "14 999 events this week, 10 000 last week: +49 %.",
        "a change of +20 % or more",
    ),
    (
        10_000,
        11_999,
        "11 999 events this week, 10 000 last week: +19 %.",
        "a change of 0 % or more",
    ),
    (10_000, 9_999, "9 999 events this week, 10 000 last week: −1 %.", "a change of −20 % or more"),
    (
        10_000,
        7_999,
        "7 999 events this week, 10 000 last week: −21 %.",
        "a change of −50 % or more",
    ),
    (10_000, 4_999, "4 999 events this week, 10 000 last week: −51 %.", "a change below −50 %"),
    (1, 13, "13 events this week, 1 last week: +1 200 %.", "a change of +50 % or more"),
];

#[test]
fn a_change_reads_as_the_step_that_it_earned() {
    let model = ScoreModel::standard();
    for (events_before, events, sentence, fact) in CHANGES {
        let inputs = ScoreInputs { events, events_before, ..nobody() };
        assert_eq!(plain(&rule(Component::Momentum, &inputs, &model)), sentence);
        assert_eq!(facts(Component::Momentum, &inputs, &model), [fact]);
    }
    let mut stepless = ScoreModel::standard();
    stepless.momentum.steps.clear();
    let inputs = ScoreInputs { events: 2, events_before: 1, ..nobody() };
    assert_eq!(facts(Component::Momentum, &inputs, &stepless), ["the model has no steps"]);
}

#[test]
fn what_was_made_reads_also_when_it_is_nothing() {
    let table = [
        (0, 0, "No content and no visuals made so far."),
        (0, 1, "No content and 1 visual made so far."),
        (1, 0, "1 piece of content and no visuals made so far."),
        (2, 0, "2 pieces of content and no visuals made so far."),
        (0, 12, "No content and 12 visuals made so far."),
        (1_500, 1, "1 500 pieces of content and 1 visual made so far."),
    ];
    for (content, visuals, sentence) in table {
        let inputs = ScoreInputs { content, visuals, ..nobody() };
        assert_eq!(plain(&rule(Component::Progress, &inputs, &ScoreModel::standard())), sentence);
    }
}

#[test]
fn a_cap_is_said() {
    let model = ScoreModel::standard();
    let capped = ScoreInputs { events: 17, active_days: 7, high_value: 1, ..nobody() };
    assert_eq!(
        rule(Component::Engagement, &capped, &model),
        "17 events on 7 days this week, 1 of high value, capped at 100."
    );
    let exact = ScoreInputs { events: 16, ..capped };
    assert_eq!(
        rule(Component::Engagement, &exact, &model),
        "16 events on 7 days this week, 1 of high value."
    );
}

#[test]
fn numbers_read_as_people_write_them() {
    let groups = [
        (0, "0"),
        (999, "999"),
        (1_000, "1 000"),
        (-1, "−1"),
        (-12_345, "−12 345"),
        (1_234_567, "1 234 567"),
        (i64::MIN, "−9 223 372 036 854 775 808"),
    ];
    for (number, text) in groups {
        assert_eq!(plain(&format_thousands(number)), text);
    }
    let counts = [
        (0, "task", "0 tasks"),
        (1, "task", "1 task"),
        (2, "onboarding task", "2 onboarding tasks"),
        (1, "piece of content", "1 piece of content"),
        (0, "piece of content", "0 pieces of content"),
        (12, "piece of content", "12 pieces of content"),
    ];
    for (count, noun, text) in counts {
        assert_eq!(count_noun(count, noun), text);
    }
    assert_eq!(format_thousands(1_000), "1\u{202f}000");
    for (hundredths, text) in
        [(0, "0.00"), (5, "0.05"), (2_857, "28.57"), (-105, "−1.05"), (-5, "−0.05")]
    {
        assert_eq!(format_points(hundredths), text);
    }
}

#[test]
fn excluded_weight_goes_to_the_others_in_exact_proportion() {
    let mut model = ScoreModel::standard();
    model.activation.without_tasks = MissingData::Exclude;
    model.satisfaction.without_feedback = MissingData::Exclude;
    let weights = |inputs: &ScoreInputs, model: &ScoreModel| {
        let evidence = Evidence::of(inputs, model);
        let weights: Vec<_> = evidence.components.iter().map(|it| it.weight_percent).collect();
        (weights, evidence.weight_total_percent)
    };
    let tasks = ScoreInputs { tasks: 1, ..nobody() };
    let ratings = ScoreInputs { ratings: 1, ..nobody() };
    let both = ScoreInputs { tasks: 1, ratings: 1, ..nobody() };
    assert_eq!(weights(&both, &model), (vec![25, 20, 25, 15, 15], 100));
    assert_eq!(weights(&tasks, &model), (vec![25, 20, 25, 0, 15], 85));
    assert_eq!(weights(&ratings, &model), (vec![25, 0, 25, 15, 15], 80));
    assert_eq!(weights(&nobody(), &model), (vec![25, 0, 25, 0, 15], 65));
    // Satisfaction 50 alone, of 80: 15 × 50 / 80 = 9.375, which whole percents made 10.
    let half = ScoreInputs { ratings: 1, rating_sum: 50, ..nobody() };
    let evidence = Evidence::of(&half, &model);
    assert_eq!((evidence.overall, evidence.total_hundredths), (9, 938));
    // 25 × 100 + 20 × 70 + 25 × 60 + 15 × 80 = 6 600 of 85: 77.647, in parts of 29.412, 16.471,
    // 17.647 and 14.118; the two with the largest remainders are rounded up.
    let busy = ScoreInputs {
        events: 20,
        active_days: 7,
        tasks: 1,
        settled: 1,
        content: 5,
        visuals: 1,
        ..nobody()
    };
    let evidence = Evidence::of(&busy, &model);
    let parts: Vec<_> = evidence.components.iter().map(|it| it.contribution_hundredths).collect();
    assert_eq!(parts, [2_941, 1_647, 1_765, 0, 1_412]);
    assert_eq!((evidence.total_hundredths, evidence.overall), (7_765, 78));
    // Nothing left to weigh: no points, and none of them measured.
    model.weights = Components { activation: 40, satisfaction: 60, ..Components::default() };
    let busy = ScoreInputs { events: 50, active_days: 7, content: 10, ..nobody() };
    let evidence = Evidence::of(&busy, &model);
    assert_eq!(
        (evidence.overall, evidence.coverage, weights(&busy, &model)),
        (0, 0, (vec![0; 5], 0))
    );
}

#[test]
fn inputs_are_gathered_from_what_a_client_did() {
    let zone = time_zone("Europe/Berlin").unwrap();
    let windows = Windows::at(at("2026-05-20T10:00:00.123456789Z"), zone);
    let activity = Activity {
        events_this_week: 9,
        events_last_week: 4,
        active_days: 8,
        high_value_this_week: 2,
        content_generated: 11,
        visuals_created: 3,
        last_event_at: Some(at("2026-05-20T09:00:00Z")),
        ..Activity::default()
    };
    let tasks = TaskCounts { total: 6, settled: 5 };
    let inputs = ScoreInputs::new(
        windows.as_of,
        "Europe/Berlin",
        3,
        &activity,
        tasks,
        LaunchKit::Viewed,
        (2, 125),
    );
    let expected = ScoreInputs {
        as_of: at("2026-05-20T10:00:00.123456Z"),
        zone: "Europe/Berlin".to_owned(),
        model: 3,
        events: 9,
        events_before: 4,
        active_days: 7,
        high_value: 2,
        content: 11,
        visuals: 3,
        tasks: 6,
        settled: 5,
        kit: LaunchKit::Viewed,
        ratings: 2,
        rating_sum: 125,
        last: Some(at("2026-05-20T09:00:00Z")),
        known_at: None,
    };
    assert_eq!(inputs, expected);
}

#[test]
fn whether_a_client_was_active_today_is_told_by_the_days_of_its_zone() {
    // (as_of, last event, active today), in Berlin
    let table = [
        ("2026-05-20T10:00:00Z", None, false),
        ("2026-05-20T10:00:00Z", Some("2026-05-19T22:00:00Z"), true),
        ("2026-05-20T10:00:00Z", Some("2026-05-19T21:59:59Z"), false),
        ("2026-05-19T22:00:00Z", Some("2026-05-19T21:59:59Z"), false),
    ];
    for (as_of, last, active) in table {
        let inputs = ScoreInputs { as_of: at(as_of), last: last.map(at), ..nobody() };
        assert_eq!(inputs.active_today(), active, "{last:?} at {as_of}");
    }
    // Where the zone is gone, an active day that may be there already is not promised away.
    let last = Some(nobody().as_of);
    let inputs = ScoreInputs { zone: "Europe/Atlantis".to_owned(), last, ..nobody() };
    assert!(!inputs.active_today());
}

#[test]
fn stored_inputs_are_about_200_bytes() {
    let inputs = ScoreInputs {
        events: 42,
        events_before: 37,
        active_days: 5,
        high_value: 12,
        content: 140,
        visuals: 61,
        tasks: 8,
        settled: 5,
        kit: LaunchKit::Completed,
        ratings: 3,
        rating_sum: 250,
        last: Some(at("2026-05-05T20:11:12.123Z")),
        ..nobody()
    };
    let json = serde_json::to_string(&inputs).unwrap();
    assert!(json.len() <= 260, "{} bytes: {json}", json.len());
    assert_eq!(serde_json::from_str::<ScoreInputs>(&json).unwrap(), inputs);
    // Without a last event the field is left out.
    assert!(!serde_json::to_string(&nobody()).unwrap().contains("last"));
}

fn missing_data() -> impl Strategy<Value = MissingData> {
    prop_oneof![
        Just(MissingData::Zero),
        (0..=100_i64).prop_map(MissingData::Neutral),
        Just(MissingData::Exclude),
    ]
}

/// Five percents that sum to 100, zeros among them.
fn weights() -> impl Strategy<Value = Components<i64>> {
    vec(0..=100_i64, 4).prop_map(|mut cuts| {
        cuts.sort_unstable();
        Components {
            engagement: cuts[0],
            activation: cuts[1] - cuts[0],
            progress: cuts[2] - cuts[1],
            satisfaction: cuts[3] - cuts[2],
            momentum: 100 - cuts[3],
        }
    })
}

fn milestones() -> impl Strategy<Value = Vec<Milestone>> {
    // At most five of at most 10 points, twice: never more than 100.
    vec((1..40_i64, 0..=10_i64), 0..=5).prop_map(|steps| {
        let mut at = 0;
        let ascending = steps.into_iter().map(|(further, points)| {
            at += further;
            Milestone { at, points }
        });
        ascending.collect()
    })
}

fn momentum_steps() -> impl Strategy<Value = Vec<MomentumStep>> {
    proptest::collection::btree_map(-100..=200_i64, 0..=100_i64, 0..=6).prop_map(|steps| {
        let descending = steps.into_iter().rev();
        descending
            .map(|(at_least_percent, points)| MomentumStep { at_least_percent, points })
            .collect()
    })
}

prop_compose! {
    /// Any model that an organization may use.
    pub(super) fn any_model()(
        weights in weights(),
        (active_day_points, event_points, high_value_points) in (0..=100_i64, 0..=100_i64, 0..=100_i64),
        events_full in prop_oneof![1..=50_i64, 1..=100_000_i64],
        (task_points, launch_kit_points) in
            (0..=100_i64).prop_flat_map(|tasks| (Just(tasks), 0..=100 - tasks)),
        (without_tasks, without_feedback) in (missing_data(), missing_data()),
        (content, visuals) in (milestones(), milestones()),
        days in 1..=3_650_i32,
        from_nothing in 0..=100_i64,
        steps in momentum_steps(),
        floors in proptest::collection::btree_set(1..=100_i64, 3),
        trend_points in 1..=100_i64,
    ) -> ScoreModel {
        let floors: Vec<_> = floors.into_iter().collect();
        ScoreModel {
            name: "generated".to_owned(),
            weights,
            engagement: EngagementRule {
                active_day_points,
                event_points,
                events_full,
                high_value_points,
            },
            activation: ActivationRule { task_points, launch_kit_points, without_tasks },
            progress: ProgressRule { content, visuals },
            satisfaction: SatisfactionRule { days, without_feedback },
            momentum: MomentumRule { from_nothing, steps },
            bands: BandFloors { needs_attention: floors[0], good: floors[1], excellent: floors[2] },
            trend_points,
        }
    }
}

fn model() -> impl Strategy<Value = ScoreModel> {
    prop_oneof![1 => Just(ScoreModel::standard()), 3 => any_model()]
}

prop_compose! {
    /// What any client may have done by any instant between 2000 and 2050.
    pub(super) fn any_inputs()(
        micros in 946_684_800_000_000_i64..2_524_608_000_000_000,
        zone in select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]),
        model in 1..1_000_i64,
        (events, active_days) in prop_oneof![
            1 => Just((0, 0)),
            4 => (1..60_i64, 1..=7_i64),
            1 => (1..1_000_000_i64, 1..=7_i64),
        ],
        events_before in prop_oneof![1 => Just(0), 4 => 1..60_i64, 1 => 1..1_000_000_i64],
        high_value in prop_oneof![Just(0), 1..30_i64],
        (content, visuals) in
            (prop_oneof![0..12_i64, 0..60_i64], prop_oneof![0..12_i64, 0..60_i64]),
        (tasks, settled) in (0..12_i64).prop_flat_map(|tasks| (Just(tasks), 0..=tasks)),
        kit in select(vec![LaunchKit::Unopened, LaunchKit::Viewed, LaunchKit::Completed]),
        (ratings, rating_sum) in (0..9_i64).prop_flat_map(|count| (Just(count), 0..=count * 100)),
        silent_for in proptest::option::of(1..1_000_000_000_000_i64),
        known_after in proptest::option::of(1..1_000_000_000_i64),
    ) -> ScoreInputs {
        let instant = |micros| Timestamp::from_microsecond(micros).expect("between 1970 and 2050");
        ScoreInputs {
            as_of: instant(micros),
            zone: zone.to_owned(),
            model,
            events,
            events_before,
            active_days,
            high_value: high_value.min(events),
            content,
            visuals,
            tasks,
            settled,
            kit,
            ratings,
            rating_sum,
            last: silent_for.map(|silence| instant(micros - silence)),
            known_at: known_after.map(|after| instant(micros + after)),
        }
    }
}

/// Half up, worked without fractions.
fn rounded(hundredths: i64) -> i64 {
    (hundredths + 50).div_euclid(100)
}

proptest! {
    #[test]
    fn a_generated_model_is_a_usable_one(model in any_model()) {
        prop_assert_eq!(model.check(), Ok(()));
        let json = serde_json::to_string(&model).unwrap();
        prop_assert_eq!(serde_json::from_str::<ScoreModel>(&json).unwrap(), model);
    }

    #[test]
    fn contributions_add_up_exactly_to_the_overall_before_its_one_rounding(
        inputs in any_inputs(),
        model in model(),
    ) {
        let evidence = Evidence::of(&inputs, &model);
        let order: Vec<_> = evidence.components.iter().map(|it| it.component).collect();
        prop_assert_eq!(order, Component::ALL);

        let mut sum = 0;
        for component in &evidence.components {
            prop_assert!((0..=100).contains(&component.points));
            let exact = 100 * component.weight_percent * component.points;
            let off = component.contribution_hundredths * evidence.weight_total_percent - exact;
            prop_assert!(off.abs() <= evidence.weight_total_percent, "less than a hundredth off");
            if evidence.weight_total_percent == 100 {
                prop_assert_eq!(off, 0, "exactly, when nothing is left out");
            }
            sum += component.contribution_hundredths;
        }
        prop_assert_eq!(sum, evidence.total_hundredths);
        prop_assert_eq!(evidence.overall, rounded(sum));
        prop_assert!((0..=100).contains(&evidence.overall));

        // The score that is stored is the one that is explained.
        let score = Score::compute(inputs, &model, None);
        prop_assert_eq!((score.overall, score.coverage), (evidence.overall, evidence.coverage));
        for component in &evidence.components {
            prop_assert_eq!(component.points, *score.components.get(component.component));
        }
        prop_assert_eq!(score.band, model.band(score.overall));
    }

    #[test]
    fn coverage_is_the_weight_that_was_measured_and_the_rest_is_named(
        inputs in any_inputs(),
        model in model(),
    ) {
        let evidence = Evidence::of(&inputs, &model);
        let assumed = |component| match component {
            Component::Activation => inputs.tasks == 0,
            Component::Satisfaction => inputs.ratings == 0,
            _ => false,
        };
        let mut measured = 0;
        for it in &evidence.components {
            prop_assert_eq!(it.measured, !assumed(it.component));
            if it.measured {
                measured += *model.weights.get(it.component);
                prop_assert!(!it.rule.contains("assumed") && !it.rule.contains("left out"));
            } else {
                prop_assert!(it.rule.contains("assumed") || it.rule.contains("left out"));
                prop_assert!(it.parts.is_empty(), "nothing assumed is shown as a fact");
            }
        }
        prop_assert_eq!(evidence.coverage, measured);
        prop_assert!((0..=100).contains(&evidence.coverage));
    }

    #[test]
    fn the_overall_after_an_exclusion_is_the_exact_quotient(
        inputs in any_inputs(),
        model in model(),
    ) {
        let evidence = Evidence::of(&inputs, &model);
        let excluded = |component| match component {
            Component::Activation => {
                inputs.tasks == 0 && model.activation.without_tasks == MissingData::Exclude
            }
            Component::Satisfaction => {
                inputs.ratings == 0 && model.satisfaction.without_feedback == MissingData::Exclude
            }
            _ => false,
        };
        let (mut points, mut kept) = (0, 0);
        for it in &evidence.components {
            let weight = *model.weights.get(it.component);
            prop_assert_eq!(it.weight_percent, if excluded(it.component) { 0 } else { weight });
            points += it.weight_percent * it.points;
            kept += it.weight_percent;
        }
        prop_assert_eq!(evidence.weight_total_percent, kept);
        // Half up: ⌊points / kept + 1/2⌋.
        let exact = if kept == 0 { 0 } else { (2 * points + kept).div_euclid(2 * kept) };
        prop_assert_eq!(evidence.overall, exact);
        let off = evidence.total_hundredths * kept - points * 100;
        prop_assert!(off.abs() <= kept, "the hundredths are the nearest, or just below");
    }

    #[test]
    fn the_parts_of_a_component_add_up_to_its_points(inputs in any_inputs(), model in model()) {
        for it in Evidence::of(&inputs, &model).components {
            let sum: i64 = it.parts.iter().map(|part| part.hundredths).sum();
            for part in &it.parts {
                prop_assert!(0 <= part.hundredths && part.hundredths <= part.of * 100);
            }
            if !it.measured {
                continue;
            }
            // Each part is rounded to a hundredth for display, so the sum may be one off a part.
            let shown = i64::try_from(it.parts.len()).unwrap();
            let near = (sum - shown..=sum + shown).map(|sum| rounded(sum).clamp(0, 100));
            prop_assert!(near.into_iter().any(|sum| sum == it.points), "{it:?}");
            if model == ScoreModel::standard() {
                prop_assert_eq!(rounded(sum).min(100), it.points, "exactly, in the standard model");
            }
        }
    }

    #[test]
    fn sentences_are_sentences(inputs in any_inputs(), model in model()) {
        for it in Evidence::of(&inputs, &model).components {
            prop_assert!(it.rule.ends_with('.') && !it.rule.contains(".."), "{}", it.rule);
            prop_assert!(it.rule.starts_with(|first: char| first.is_uppercase() || first.is_numeric()));
            for text in it.parts.iter().map(|part| &part.fact).chain([&it.rule]) {
                for wrong in ["contents", "1 events", "1 days", "1 visuals", "  ", "-", "+0 %"] {
                    let words = format!(" {text} ");
                    prop_assert!(!words.contains(&format!(" {wrong} ")) , "{}", text);
                }
            }
        }
    }

    #[test]
    fn inputs_are_read_back_as_they_were_stored(inputs in any_inputs()) {
        let json = serde_json::to_string(&inputs).unwrap();
        prop_assert!(json.len() <= 335, "{} bytes: {json}", json.len());
        prop_assert_eq!(serde_json::from_str::<ScoreInputs>(&json).unwrap(), inputs);
    }
}
