//! The table of section 5 of the specification, at every threshold, with values worked by hand.

use jiff::{Timestamp, ToSpan};
use mainstay_core::{
    score::{
        ActivationRule, Band, Comparison, Component, EarlierScore, LaunchKit, MissingData,
        Previous, PreviousCutoffs, Score, ScoreInputs, ScoreModel, Trend, displayed_as_of,
    },
    time::time_zone,
};

/// A client that never did anything, on a Wednesday at midnight in Berlin.
pub(super) fn nobody() -> ScoreInputs {
    ScoreInputs {
        as_of: at("2026-05-05T22:00:00Z"),
        zone: "Europe/Berlin".to_owned(),
        model: ScoreModel::STANDARD_VERSION,
        events: 0,
        events_before: 0,
        active_days: 0,
        high_value: 0,
        content: 0,
        visuals: 0,
        tasks: 0,
        settled: 0,
        kit: LaunchKit::Unopened,
        ratings: 0,
        rating_sum: 0,
        last: None,
        known_at: None,
    }
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp of the test")
}

fn value(component: Component, inputs: &ScoreInputs) -> (i64, bool) {
    let value = *ScoreModel::standard().components(inputs).get(component);
    (value.points, value.measured)
}

fn points(component: Component, inputs: &ScoreInputs) -> i64 {
    value(component, inputs).0
}

#[test]
fn engagement_counts_days_events_and_one_bonus_and_stops_at_100() {
    // (active days, events, high-value events, points)
    let table = [
        // No event is 0, whatever else is claimed.
        (0, 0, 0, 0),
        (7, 0, 3, 0),
        // One event gives 2.5; a day gives 50/7 = 7.142857…
        (0, 1, 0, 3),  //  2.5
        (1, 1, 0, 10), //  9.64
        (2, 1, 0, 17), // 16.79
        (3, 1, 0, 24), // 23.93
        (4, 1, 0, 31), // 31.07
        (5, 1, 0, 38), // 38.21
        (6, 1, 0, 45), // 45.36
        (7, 1, 0, 53), // 52.5
        (8, 1, 0, 53), // a week that starts at noon touches 8 days, and counts 7
        // All events.
        (0, 20, 0, 50),
        (1, 20, 0, 57),  // 57.14
        (2, 20, 0, 64),  // 64.29
        (3, 20, 0, 71),  // 71.43
        (4, 20, 0, 79),  // 78.57
        (5, 20, 0, 86),  // 85.71
        (6, 20, 0, 93),  // 92.86
        (7, 20, 0, 100), // exactly
        (8, 20, 0, 100),
        // Around the twentieth event.
        (1, 19, 0, 55), // 47.5 + 7.14 = 54.64
        (1, 21, 0, 57),
        (1, 1_000_000, 0, 57),
        (7, 19, 0, 98), // 97.5
        (7, 3, 0, 58),  // 57.5
        (7, 2, 0, 55),
        // The bonus is earned once.
        (1, 1, 1, 20),  // 19.64
        (1, 20, 1, 67), // 67.14
        (1, 20, 2, 67),
        (1, 20, 500, 67),
        // The cap.
        (5, 20, 1, 96),  // 95.71
        (6, 20, 1, 100), // 102.86
        (7, 15, 1, 98),  // 97.5
        (7, 16, 1, 100), // exactly
        (7, 17, 1, 100), // 102.5
        (7, 20, 1, 100), // 110
    ];
    for (active_days, events, high_value, expected) in table {
        let inputs = ScoreInputs { active_days, events, high_value, ..nobody() };
        assert_eq!(
            value(Component::Engagement, &inputs),
            (expected, true),
            "{events} events on {active_days} days, {high_value} of high value"
        );
    }
}

#[test]
fn activation_counts_settled_tasks_and_the_launch_kit() {
    use LaunchKit::{Completed, Unopened, Viewed};
    // (tasks, settled, kit, points, measured)
    let table = [
        // Without tasks the component is assumed, and the kit alone earns nothing.
        (0, 0, Unopened, 0, false),
        (0, 0, Viewed, 0, false),
        (0, 0, Completed, 0, false),
        (1, 0, Unopened, 0, true),
        (1, 0, Viewed, 30, true),
        (1, 0, Completed, 30, true),
        (1, 1, Unopened, 70, true),
        (1, 1, Viewed, 100, true),
        (1, 1, Completed, 100, true),
        (3, 1, Unopened, 23, true), // 23.33
        (3, 2, Unopened, 47, true), // 46.67
        (3, 2, Viewed, 77, true),
        (4, 1, Unopened, 18, true), // 17.5
        (4, 2, Viewed, 65, true),
        (4, 3, Completed, 83, true), // 52.5 + 30
        (7, 1, Unopened, 10, true),
        (8, 1, Unopened, 9, true),     // 8.75
        (140, 1, Unopened, 1, true),   // 0.5
        (141, 1, Unopened, 0, true),   // 0.496
        (140, 139, Viewed, 100, true), // 99.5
    ];
    for (tasks, settled, kit, expected, measured) in table {
        let inputs = ScoreInputs { tasks, settled, kit, ..nobody() };
        assert_eq!(
            value(Component::Activation, &inputs),
            (expected, measured),
            "{settled} of {tasks}, kit {kit:?}"
        );
    }
}

#[test]
fn progress_adds_up_the_milestones_of_content_and_visuals() {
    let content = [(0, 0), (1, 20), (4, 20), (5, 40), (9, 40), (10, 50), (11, 50), (9_999, 50)];
    let visuals = [(0, 0), (1, 20), (4, 20), (5, 35), (9, 35), (10, 50), (11, 50), (9_999, 50)];
    for (pieces, content_points) in content {
        for (drawn, visual_points) in visuals {
            let inputs = ScoreInputs { content: pieces, visuals: drawn, ..nobody() };
            assert_eq!(
                value(Component::Progress, &inputs),
                (content_points + visual_points, true),
                "{pieces} content, {drawn} visuals"
            );
        }
    }
}

#[test]
fn satisfaction_is_the_mean_rating_or_an_assumed_50() {
    // (ratings, their sum, points, measured)
    let table = [
        (0, 0, 50, false),
        (1, 0, 0, true),
        (1, 50, 50, true),
        (1, 100, 100, true),
        (2, 125, 63, true),  // 62.5
        (2, 1, 1, true),     //  0.5
        (2, 199, 100, true), // 99.5
        (3, 250, 83, true),  // 83.33
        (3, 200, 67, true),  // 66.67
        (8, 100, 13, true),  // 12.5
        (200, 99, 0, true),  //  0.495
        (200, 100, 1, true), // 0.5
    ];
    for (ratings, rating_sum, expected, measured) in table {
        let inputs = ScoreInputs { ratings, rating_sum, ..nobody() };
        assert_eq!(
            value(Component::Satisfaction, &inputs),
            (expected, measured),
            "{rating_sum} / {ratings}"
        );
    }
}

#[test]
fn momentum_compares_the_two_weeks_exactly() {
    // (last week, [(this week, points)])
    let table: [(i64, &[(i64, i64)]); 7] = [
        (0, &[(0, 0), (1, 80), (1_000, 80)]),
        (1, &[(0, 0), (1, 60), (2, 100)]),
        // +66.7 %, +33.3 %, 0, −33.3 %, −66.7 %
        (3, &[(5, 100), (4, 80), (3, 60), (2, 20), (1, 0), (0, 0)]),
        // +57.1, +42.9, +28.6, +14.3, 0, −14.3, −28.6, −42.9, −57.1
        (7, &[(11, 100), (10, 80), (9, 80), (8, 60), (7, 60), (6, 40), (5, 20), (4, 20), (3, 0)]),
        (
            10,
            &[
                (15, 100),
                (14, 80),
                (12, 80),
                (11, 60),
                (10, 60),
                (9, 40),
                (8, 40),
                (7, 20),
                (5, 20),
                (4, 0),
                (0, 0),
            ],
        ),
        (
            100,
            &[
                (150, 100),
                (149, 80),
                (120, 80),
                (119, 60),
                (100, 60),
                (99, 40),
                (80, 40),
                (79, 20),
                (50, 20),
                (49, 0),
            ],
        ),
        // One event in ten thousand from each edge.
        (
            10_000,
            &[
                (15_000, 100),
                (14_999, 80),
                (12_000, 80),
                (11_999, 60),
                (10_000, 60),
                (9_999, 40),
                (8_000, 40),
                (7_999, 20),
                (5_000, 20),
                (4_999, 0),
            ],
        ),
    ];
    for (events_before, rows) in table {
        for (events, expected) in rows {
            let inputs = ScoreInputs { events: *events, events_before, ..nobody() };
            assert_eq!(
                value(Component::Momentum, &inputs),
                (*expected, true),
                "{events_before} → {events}"
            );
        }
    }
}

#[test]
fn counts_beyond_any_real_client_do_not_overflow() {
    let huge = i64::MAX / 2;
    let inputs = ScoreInputs {
        events: huge,
        events_before: 1,
        active_days: 7,
        high_value: huge,
        content: huge,
        visuals: huge,
        tasks: 1_000_000,
        settled: 1_000_000,
        ratings: 1_000_000_000,
        rating_sum: 100_000_000_000,
        ..nobody()
    };
    assert_eq!(points(Component::Momentum, &inputs), 100);
    let score = Score::compute(inputs.clone(), &ScoreModel::standard(), None);
    // 25 + 20 × 0.7 + 25 + 15 + 15
    assert_eq!(score.overall, 94);
    let evidence = mainstay_core::score::Evidence::of(&inputs, &ScoreModel::standard());
    assert_eq!(evidence.overall, 94);
}

#[test]
fn the_overall_weighs_the_components_and_rounds_once() {
    // Engagement 57, activation 65, progress 55, satisfaction 63, momentum 80:
    // 14.25 + 13 + 13.75 + 9.45 + 12 = 62.45.
    let inputs = ScoreInputs {
        events: 20,
        events_before: 16, // +25 %
        active_days: 1,
        tasks: 4,
        settled: 2,
        kit: LaunchKit::Viewed,
        content: 2,
        visuals: 5,
        ratings: 2,
        rating_sum: 125,
        ..nobody()
    };
    let score = Score::compute(inputs, &ScoreModel::standard(), None);
    let parts = score.components;
    assert_eq!(
        [parts.engagement, parts.activation, parts.progress, parts.satisfaction, parts.momentum],
        [57, 65, 55, 63, 80]
    );
    assert_eq!(score.overall, 62);
    assert_eq!(score.coverage, 100);
    assert_eq!(score.band, Band::Good);
}

#[test]
fn the_overall_rounds_half_up() {
    // Satisfaction alone: 15 % of the rating.
    let satisfied = [(3, 0), (10, 2), (23, 3), (30, 5), (43, 6), (50, 8), (63, 9), (70, 11)];
    for (rating_sum, expected) in satisfied {
        // 0.45, 1.50, 3.45, 4.50, 6.45, 7.50, 9.45, 10.50
        let inputs = ScoreInputs { ratings: 1, rating_sum, ..nobody() };
        let score = Score::compute(inputs, &ScoreModel::standard(), None);
        assert_eq!(score.overall, expected, "15 % of {rating_sum}");
    }
    // The standard weights never make x.49; others do.
    for (weight, expected) in [(49, 0), (50, 1), (51, 1)] {
        let mut model = ScoreModel::standard();
        model.weights = mainstay_core::score::Components {
            engagement: 100 - weight,
            satisfaction: weight,
            ..Default::default()
        };
        model.check().expect("the weights sum to 100");
        let inputs = ScoreInputs { ratings: 1, rating_sum: 1, ..nobody() };
        assert_eq!(Score::compute(inputs, &model, None).overall, expected, "0.{weight}");
    }
}

#[test]
fn a_client_without_any_data_scores_8_and_says_that_it_is_an_assumption() {
    // 15 % of an assumed 50 is 7.5.
    let score = Score::compute(nobody(), &ScoreModel::standard(), None);
    assert_eq!((score.overall, score.coverage, score.band), (8, 65, Band::AtRisk));
    assert_eq!((score.previous, score.change, score.trend), (None, None, Trend::Stable));
}

#[test]
fn bands_begin_at_40_60_and_80() {
    let model = ScoreModel::standard();
    let table = [
        (0, Band::AtRisk),
        (39, Band::AtRisk),
        (40, Band::NeedsAttention),
        (59, Band::NeedsAttention),
        (60, Band::Good),
        (79, Band::Good),
        (80, Band::Excellent),
        (100, Band::Excellent),
    ];
    for (overall, band) in table {
        assert_eq!(model.band(overall), band, "{overall}");
    }
    let words = [
        (Band::AtRisk, "at_risk", "at risk"),
        (Band::NeedsAttention, "needs_attention", "needs attention"),
        (Band::Good, "good", "good"),
        (Band::Excellent, "excellent", "excellent"),
    ];
    for (band, name, read) in words {
        assert_eq!((band.as_str(), band.words(), band.to_string()), (name, read, name.to_owned()));
    }
}

#[test]
fn a_client_reads_gentler_names_of_the_lower_bands_than_staff() {
    let words = [
        (Band::AtRisk, "getting going"),
        (Band::NeedsAttention, "building up"),
        (Band::Good, "good"),
        (Band::Excellent, "excellent"),
    ];
    for (band, read) in words {
        assert_eq!(band.client_words(), read);
    }
}

#[test]
fn a_trend_begins_at_five_points() {
    let model = ScoreModel::standard();
    let table = [
        (None, Trend::Stable),
        (Some(0), Trend::Stable),
        (Some(4), Trend::Stable),
        (Some(5), Trend::Rising),
        (Some(100), Trend::Rising),
        (Some(-4), Trend::Stable),
        (Some(-5), Trend::Declining),
        (Some(-100), Trend::Declining),
    ];
    for (change, trend) in table {
        assert_eq!(model.trend(change), trend, "{change:?}");
    }
}

#[test]
fn a_score_tells_its_change_since_the_previous_one() {
    let previous = |overall| Some(Previous { as_of: at("2026-04-28T22:00:00Z"), overall });
    // The client without data scores 8.
    let table = [
        (4, 4, Trend::Stable),
        (3, 5, Trend::Rising),
        (8, 0, Trend::Stable),
        (12, -4, Trend::Stable),
        (13, -5, Trend::Declining),
    ];
    for (before, change, trend) in table {
        let score = Score::compute(nobody(), &ScoreModel::standard(), previous(before));
        assert_eq!((score.change, score.trend), (Some(change), trend), "{before} → 8");
        assert_eq!(score.previous, previous(before));
    }
}

/// The overall of the chosen score; scores are numbered 1, 2, 3… from the oldest.
fn chosen(as_of: &str, zone: &str, scores: &[&str]) -> Option<i64> {
    let zone = time_zone(zone).expect("a zone of the test");
    let found = PreviousCutoffs::at(at(as_of), &zone).choose(scores.iter().map(|it| at(it)))?;
    i64::try_from(found + 1).ok()
}

#[test]
fn the_previous_score_is_the_latest_a_week_old_else_the_oldest_a_day_old() {
    let as_of = "2026-05-20T00:00:00Z";
    let table: [(&[&str], Option<i64>, &str); 9] = [
        (&[], None, "no score at all"),
        (&["2026-05-20T00:00:00Z"], None, "only this one"),
        (&["2026-05-19T00:00:00.000001Z"], None, "a microsecond short of a day"),
        (&["2026-05-19T00:00:00Z"], Some(1), "exactly a day"),
        (
            &["2026-05-14T00:00:00Z", "2026-05-16T00:00:00Z", "2026-05-19T00:00:00Z"],
            Some(1),
            "the oldest of those younger than a week",
        ),
        (
            &["2026-05-13T00:00:00.000001Z", "2026-05-19T12:00:00Z"],
            Some(1),
            "a microsecond short of a week is still the oldest",
        ),
        (
            &["2026-05-01T00:00:00Z", "2026-05-13T00:00:00Z", "2026-05-14T00:00:00Z"],
            Some(2),
            "the latest of those a week old, at exactly a week",
        ),
        (
            &["2026-01-01T00:00:00Z", "2026-05-19T00:00:00Z"],
            Some(1),
            "a week old wins over yesterday, however old it is",
        ),
        (
            &["2026-05-13T00:00:00Z", "2026-05-21T00:00:00Z", "2026-06-01T00:00:00Z"],
            Some(1),
            "scores of later instants are nothing to compare with",
        ),
    ];
    for (scores, expected, why) in table {
        assert_eq!(chosen(as_of, "UTC", scores), expected, "{why}");
    }
}

#[test]
fn the_previous_score_is_found_by_calendar_days_across_clock_changes() {
    // Berlin springs forward on 2026-03-29: these seven days have 167 hours.
    let spring = "2026-03-31T22:00:00Z"; // 1 April, 00:00 +02:00
    let week_ago = "2026-03-24T23:00:00Z"; // 25 March, 00:00 +01:00
    let yesterday = "2026-03-30T22:00:00Z";
    assert_eq!(chosen(spring, "Europe/Berlin", &[week_ago, yesterday]), Some(1));
    assert_eq!(
        chosen(spring, "Europe/Berlin", &["2026-03-20T23:00:00Z", week_ago, yesterday]),
        Some(2),
        "the score of the same midnight is a week old although an hour is missing"
    );
    assert_eq!(
        chosen(spring, "Europe/Berlin", &["2026-03-20T23:00:00Z", "2026-03-24T23:00:00.000001Z"]),
        Some(1),
        "a microsecond after that midnight is not"
    );
    // The day of the change has 23 hours, and the score of its midnight is a day old after them.
    let day_after = "2026-03-29T22:00:00Z"; // 30 March, 00:00 +02:00
    assert_eq!(chosen(day_after, "Europe/Berlin", &["2026-03-28T23:00:00Z"]), Some(1));
    assert_eq!(chosen(day_after, "Europe/Berlin", &["2026-03-28T23:00:00.000001Z"]), None);

    // It falls back on 2026-10-25: 169 hours, of which 168 are not enough.
    let autumn = "2026-10-27T23:00:00Z"; // 28 October, 00:00 +01:00
    assert_eq!(
        chosen(
            autumn,
            "Europe/Berlin",
            &["2026-10-01T22:00:00Z", "2026-10-20T22:00:00Z", "2026-10-20T23:00:00Z"]
        ),
        Some(2)
    );
    // Its day has 25 hours.
    let day_after = "2026-10-25T23:00:00Z"; // 26 October, 00:00 +01:00
    assert_eq!(chosen(day_after, "Europe/Berlin", &["2026-10-24T22:00:00Z"]), Some(1));
    assert_eq!(chosen(day_after, "Europe/Berlin", &["2026-10-24T23:00:00Z"]), None);
}

#[test]
fn a_daily_score_always_finds_the_one_of_the_same_weekday() {
    // Also in Santiago, where the midnight of one Sunday in September does not exist.
    for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"] {
        let zone = time_zone(name).expect("a zone of the test");
        let midnights: Vec<_> = (0..400)
            .map(|offset| {
                let day = jiff::civil::date(2026, 1, 1) + offset.days();
                mainstay_core::time::start_of_day(day, &zone)
            })
            .collect();
        for (index, as_of) in midnights.iter().enumerate() {
            let stored = midnights[..index].iter().copied();
            let expected = match index {
                0 => None,
                1..7 => Some(midnights[0]),
                _ => Some(midnights[index - 7]),
            };
            let found = PreviousCutoffs::at(*as_of, &zone).choose(stored);
            assert_eq!(found.map(|found| midnights[found]), expected, "{name}, day {index}");
        }
    }
}

/// A score of another version of the model, made from these inputs.
fn made_by_another(inputs: ScoreInputs, overall: i64) -> EarlierScore {
    EarlierScore { as_of: inputs.as_of, overall, model: 1, inputs: Some(inputs) }
}

#[test]
fn both_sides_of_a_change_are_made_by_the_same_model() {
    let generous = ScoreModel {
        activation: ActivationRule {
            without_tasks: MissingData::Neutral(100),
            ..ScoreModel::standard().activation
        },
        ..ScoreModel::standard()
    };
    let standard = ScoreModel::standard();
    let inputs = nobody();
    // 8 by the standard model, 28 by the generous one: the client did nothing in between.
    let made = Score::compute(inputs.clone(), &generous, None);
    assert_eq!(made.overall, 28);
    let earlier = made_by_another(inputs.clone(), made.overall);
    let compared = earlier.compare_using((2, &standard), &generous);
    assert_eq!(compared, Comparison::With(Previous { as_of: inputs.as_of, overall: 8 }));
    let later = Score::compute(inputs.clone(), &standard, compared);
    assert_eq!((later.change, later.trend), (Some(0), Trend::Stable));
    // By its own model it stays what was stored, inputs or not.
    let bare = EarlierScore { inputs: None, ..earlier };
    let own = Comparison::With(Previous { as_of: inputs.as_of, overall: 28 });
    assert_eq!(bare.compare_using((1, &generous), &generous), own);
}

#[test]
fn a_score_whose_inputs_count_other_feedback_is_compared_with_nothing() {
    let standard = ScoreModel::standard();
    let mut shorter = ScoreModel::standard();
    shorter.satisfaction.days = 30;
    let rated = ScoreInputs { ratings: 2, rating_sum: 150, ..nobody() };
    let earlier = made_by_another(rated.clone(), 20);
    let impossible = Comparison::Impossible(rated.as_of);
    assert_eq!(earlier.compare_using((2, &shorter), &standard), impossible);
    let later = Score::compute(rated.clone(), &shorter, impossible);
    assert_eq!((later.previous, later.change, later.trend), (None, None, Trend::Stable));
    assert_eq!(later.incomparable, Some(rated.as_of));
    // No rating in 90 days is none in 30, but none in 30 says nothing of 90.
    let unrated = made_by_another(nobody(), 8);
    assert!(matches!(unrated.compare_using((2, &shorter), &standard), Comparison::With(_)));
    assert_eq!(
        unrated.compare_using((2, &standard), &shorter),
        Comparison::Impossible(nobody().as_of)
    );
}

#[test]
fn a_score_is_shown_as_of_the_last_event_or_the_last_midnight() {
    let berlin = time_zone("Europe/Berlin").expect("a zone of the test");
    let shown =
        |last: Option<&str>, now| displayed_as_of(last.map(at), at(now), &berlin).to_string();
    let midnight = "2026-05-19T22:00:00Z";
    assert_eq!(shown(None, "2026-05-20T10:00:00Z"), midnight);
    assert_eq!(shown(Some("2026-05-18T10:00:00Z"), "2026-05-20T10:00:00Z"), midnight);
    // The event itself counts: windows end before their instant.
    let after = "2026-05-20T08:00:00.000001Z";
    assert_eq!(shown(Some("2026-05-20T08:00:00Z"), "2026-05-20T10:00:00Z"), after);
    assert_eq!(shown(Some("2026-05-20T08:00:00Z"), after), after);
    // What has not happened yet does not count, and nothing is shown for the future.
    assert_eq!(shown(Some("2026-05-20T08:00:00Z"), "2026-05-20T08:00:00Z"), midnight);
    // At midnight itself the day has ended.
    assert_eq!(shown(Some("2026-05-19T21:59:59Z"), midnight), midnight);
    // A day without a midnight begins when it begins.
    let santiago = time_zone("America/Santiago").expect("a zone of the test");
    let begins = displayed_as_of(None, at("2026-09-06T12:00:00Z"), &santiago);
    assert_eq!(begins, at("2026-09-06T04:00:00Z"));
}
