//! Score models that an organization may send, and each reason to refuse one.

use mainstay_core::score::{Component, Milestone, MissingData, MomentumStep, ScoreModel};

/// The standard model after a change.
fn changed(change: impl FnOnce(&mut ScoreModel)) -> ScoreModel {
    let mut model = ScoreModel::standard();
    change(&mut model);
    model
}

fn refusal(change: impl FnOnce(&mut ScoreModel)) -> String {
    changed(change).check().expect_err("a model that cannot be used").to_string()
}

fn accepted(change: impl FnOnce(&mut ScoreModel)) {
    assert_eq!(changed(change).check(), Ok(()));
}

fn milestones(steps: &[(i64, i64)]) -> Vec<Milestone> {
    steps.iter().map(|(at, points)| Milestone { at: *at, points: *points }).collect()
}

fn steps(steps: &[(i64, i64)]) -> Vec<MomentumStep> {
    steps
        .iter()
        .map(|(percent, points)| MomentumStep { at_least_percent: *percent, points: *points })
        .collect()
}

#[test]
fn the_standard_model_is_the_table_of_the_specification() {
    let model = ScoreModel::standard();
    assert_eq!(model.check(), Ok(()));
    assert_eq!(ScoreModel::STANDARD_VERSION, 1);
    let weights = Component::ALL.map(|component| *model.weights.get(component));
    assert_eq!(weights, [25, 20, 25, 15, 15]);
    let json = serde_json::json!({
        "name": "standard",
        "weights": {
            "engagement": 25, "activation": 20, "progress": 25, "satisfaction": 15, "momentum": 15
        },
        "engagement": {
            "active_day_points": 50, "event_points": 50, "events_full": 20, "high_value_points": 10
        },
        "activation": { "task_points": 70, "launch_kit_points": 30, "without_tasks": "zero" },
        "progress": {
            "content": [
                { "at": 1, "points": 20 }, { "at": 5, "points": 20 }, { "at": 10, "points": 10 }
            ],
            "visuals": [
                { "at": 1, "points": 20 }, { "at": 5, "points": 15 }, { "at": 10, "points": 15 }
            ]
        },
        "satisfaction": { "days": 90, "without_feedback": { "neutral": 50 } },
        "momentum": {
            "from_nothing": 80,
            "steps": [
                { "at_least_percent": 50, "points": 100 },
                { "at_least_percent": 20, "points": 80 },
                { "at_least_percent": 0, "points": 60 },
                { "at_least_percent": -20, "points": 40 },
                { "at_least_percent": -50, "points": 20 }
            ]
        },
        "bands": { "excellent": 80, "good": 60, "needs_attention": 40 },
        "trend_points": 5
    });
    assert_eq!(serde_json::to_value(&model).unwrap(), json);
    assert_eq!(serde_json::from_value::<ScoreModel>(json).unwrap(), model);
}

#[test]
fn an_unknown_field_of_a_model_is_refused_and_not_ignored() {
    let mut json = serde_json::to_value(ScoreModel::standard()).unwrap();
    json["engagement"]["event_pionts"] = 40.into();
    let refused = serde_json::from_value::<ScoreModel>(json).expect_err("misspelt");
    assert!(refused.to_string().contains("unknown field `event_pionts`"), "{refused}");
    let mut json = serde_json::to_value(ScoreModel::standard()).unwrap();
    json["weights"]["momentun"] = 40.into();
    let refused = serde_json::from_value::<ScoreModel>(json).expect_err("misspelt");
    assert!(refused.to_string().contains("unknown field `momentun`"), "{refused}");
}

#[test]
fn a_model_has_a_name_that_both_databases_can_keep() {
    accepted(|model| model.name = "ü".repeat(255));
    let messages = [
        (String::new(), "name: is empty; send 1 to 255 characters"),
        (" ".to_owned(), "name: is empty; send 1 to 255 characters"),
        ("ü".repeat(256), "name: has 256 characters; the limit is 255, shorten it"),
        ("a\0b".to_owned(), "name: contains a NUL character; remove it"),
    ];
    for (name, message) in messages {
        assert_eq!(refusal(|model| model.name = name), message);
    }
}

#[test]
fn weights_are_percents_that_sum_to_100() {
    let range = "weights: each weight is a whole percent from 0 to 100";
    assert_eq!(refusal(|model| model.weights.engagement = -1), range);
    assert_eq!(refusal(|model| model.weights.momentum = 101), range);
    assert_eq!(refusal(|model| model.weights.momentum = i64::MIN), range);
    assert_eq!(
        refusal(|model| (model.weights.engagement, model.weights.activation) = (-5, 50)),
        range,
        "a sum of 100 does not excuse a negative weight"
    );
    assert_eq!(
        refusal(|model| model.weights.engagement = 24),
        "weights: they sum to 99; make them sum to 100"
    );
    assert_eq!(
        refusal(|model| model.weights.engagement = 26),
        "weights: they sum to 101; make them sum to 100"
    );
    accepted(|model| {
        model.weights = mainstay_core::score::Components { progress: 100, ..Default::default() };
    });
}

#[test]
fn points_are_0_to_100() {
    type Field = fn(&mut ScoreModel) -> &mut i64;
    let fields: [(&str, Field); 7] = [
        ("engagement.active_day_points", |model| &mut model.engagement.active_day_points),
        ("engagement.event_points", |model| &mut model.engagement.event_points),
        ("engagement.high_value_points", |model| &mut model.engagement.high_value_points),
        ("activation.task_points", |model| &mut model.activation.task_points),
        ("activation.launch_kit_points", |model| &mut model.activation.launch_kit_points),
        ("momentum.from_nothing", |model| &mut model.momentum.from_nothing),
        ("trend_points", |model| &mut model.trend_points),
    ];
    for (name, field) in fields {
        for value in [-1, 101, i64::MIN, i64::MAX] {
            assert_eq!(
                refusal(|model| *field(model) = value),
                format!("{name}: {value} is outside 0 to 100; use a whole number in between")
            );
        }
    }
    for (_, field) in &fields[..3] {
        accepted(|model| *field(model) = 0);
        accepted(|model| *field(model) = 100);
    }
    assert_eq!(
        refusal(|model| model.trend_points = 0),
        "trend_points: 0 would make every score a trend; use 1 to 100"
    );
    accepted(|model| model.trend_points = 1);
    accepted(|model| model.trend_points = 100);
}

#[test]
fn a_full_week_needs_1_to_100000_events() {
    for events in [0, -1, 100_001] {
        assert_eq!(
            refusal(|model| model.engagement.events_full = events),
            format!(
                "engagement.events_full: {events} is outside 1 to 100000; use a number of events in between"
            )
        );
    }
    accepted(|model| model.engagement.events_full = 1);
    accepted(|model| model.engagement.events_full = 100_000);
}

#[test]
fn activation_gives_at_most_100() {
    assert_eq!(
        refusal(|model| model.activation.task_points = 71),
        "activation: task_points and launch_kit_points add up to 101; make them 100 or less"
    );
    accepted(|model| model.activation.launch_kit_points = 0);
}

#[test]
fn a_neutral_value_is_0_to_100() {
    for value in [-1, 101] {
        assert_eq!(
            refusal(|model| model.activation.without_tasks = MissingData::Neutral(value)),
            format!(
                "activation.without_tasks: neutral {value} is outside 0 to 100; use a whole number in between"
            )
        );
        assert_eq!(
            refusal(|model| model.satisfaction.without_feedback = MissingData::Neutral(value)),
            format!(
                "satisfaction.without_feedback: neutral {value} is outside 0 to 100; use a whole number in between"
            )
        );
    }
    for missing in [
        MissingData::Zero,
        MissingData::Exclude,
        MissingData::Neutral(0),
        MissingData::Neutral(100),
    ] {
        accepted(|model| model.activation.without_tasks = missing);
        accepted(|model| model.satisfaction.without_feedback = missing);
    }
}

#[test]
fn feedback_counts_for_1_to_3650_days() {
    for days in [0, -1, 3_651, i32::MAX] {
        assert_eq!(
            refusal(|model| model.satisfaction.days = days),
            format!(
                "satisfaction.days: {days} is outside 1 to 3650; use a number of days in between"
            )
        );
    }
    accepted(|model| model.satisfaction.days = 1);
    accepted(|model| model.satisfaction.days = 3_650);
}

#[test]
fn milestones_ascend_and_give_at_most_100_together() {
    type List = fn(&mut ScoreModel) -> &mut Vec<Milestone>;
    let lists: [(&str, List); 2] = [
        ("progress.content", |model| &mut model.progress.content),
        ("progress.visuals", |model| &mut model.progress.visuals),
    ];
    for (name, list) in lists {
        let many: Vec<_> = (1..=21).map(|at| (at, 0)).collect();
        let refused = |steps: &[(i64, i64)]| {
            refusal(|model| *list(model) = milestones(steps)).replace(name, "…")
        };
        assert_eq!(refused(&many), "…: has more than 20 milestones; use fewer");
        let single = "…: a milestone is at 1 or more and worth 0 to 100 points";
        assert_eq!(refused(&[(0, 10)]), single);
        assert_eq!(refused(&[(1, -1)]), single);
        assert_eq!(refused(&[(1, 101)]), single);
        let order = "…: list the milestones in ascending order, each once";
        assert_eq!(refused(&[(5, 10), (1, 10)]), order);
        assert_eq!(refused(&[(5, 10), (5, 10)]), order);
        assert_eq!(
            refused(&[(1, 25), (2, 26)]),
            "progress: its milestones add up to 101 points; make them 100 or less"
        );
        accepted(|model| *list(model) = milestones(&many[..20]));
        accepted(|model| *list(model) = milestones(&[(1, 50)]));
        accepted(|model| {
            (model.progress.content, model.progress.visuals) = (Vec::new(), Vec::new());
            *list(model) = milestones(&[(1, 100)]);
        });
        accepted(|model| *list(model) = Vec::new());
        accepted(|model| *list(model) = milestones(&[(i64::MAX, 50)]));
    }
}

#[test]
fn momentum_steps_descend() {
    let refused = |list: &[(i64, i64)]| refusal(|model| model.momentum.steps = steps(list));
    let many: Vec<_> = (0..21).map(|step| (-step, 0)).collect();
    assert_eq!(refused(&many), "momentum.steps: has more than 20 steps; use fewer");
    let single = "momentum.steps: a step is at −100 to 10000 % and worth 0 to 100 points";
    for step in [(-101, 0), (10_001, 0), (0, -1), (0, 101)] {
        assert_eq!(refused(&[step]), single);
    }
    let order = "momentum.steps: list the steps from the highest change down, each once";
    assert_eq!(refused(&[(0, 10), (10, 20)]), order);
    assert_eq!(refused(&[(10, 20), (10, 10)]), order);
    accepted(|model| model.momentum.steps = steps(&many[..20]));
    accepted(|model| model.momentum.steps = steps(&[(10_000, 100), (-100, 0)]));
    accepted(|model| model.momentum.steps = Vec::new());
}

#[test]
fn bands_ascend_between_1_and_100() {
    let message = "bands: use 0 < needs_attention < good < excellent ≤ 100";
    for (needs_attention, good, excellent) in
        [(0, 60, 80), (-1, 60, 80), (60, 60, 80), (40, 80, 80), (40, 60, 101), (80, 60, 40)]
    {
        let bands = mainstay_core::score::BandFloors { excellent, good, needs_attention };
        assert_eq!(refusal(|model| model.bands = bands), message);
    }
    for (needs_attention, good, excellent) in [(1, 2, 3), (98, 99, 100)] {
        let bands = mainstay_core::score::BandFloors { excellent, good, needs_attention };
        accepted(|model| model.bands = bands);
    }
}
