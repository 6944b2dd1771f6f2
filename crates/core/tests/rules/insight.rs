//! Weekly insights: each rule at its edges, and every sentence a client reads.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Weekday, date},
    tz::TimeZone,
};
use mainstay_core::{
    engagement::EventType,
    insight::{
        ComponentChange, Insight, InsightEvidence, InsightStatus, InsightType, LifetimeCount,
        PendingTask, Period, Priority, Rule, WeekFacts, contributions, weekly_insights,
    },
    score::{Component, Components, LaunchKit, Previous, Score, ScoreInputs, ScoreModel},
};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp of the test")
}

/// Sun 22 Nov 2026, 00:00 in Copenhagen: the weekly run.
fn sunday() -> Timestamp {
    at("2026-11-21T23:00:00Z")
}

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").expect("a zone of the test")
}

/// A steady client: 16 events on 4 days this week, 16 the week before, 6 pieces of content, 4 visuals, 4 of
/// 5 tasks done, no feedback. 19.75 + 17.20 + 15.00 + 7.50 + 9.00 = 68.45.
fn steady() -> ScoreInputs {
    ScoreInputs {
        as_of: sunday(),
        zone: "Europe/Copenhagen".to_owned(),
        model: ScoreModel::STANDARD_VERSION,
        events: 16,
        events_before: 16,
        active_days: 4,
        high_value: 3,
        content: 6,
        visuals: 4,
        tasks: 5,
        settled: 4,
        kit: LaunchKit::Viewed,
        ratings: 0,
        rating_sum: 0,
        last: Some(at("2026-11-21T15:00:00Z")),
        known_at: None,
    }
}

/// A client with nothing at all: no event, no task, no score to speak of.
fn nothing() -> ScoreInputs {
    ScoreInputs {
        events: 0,
        events_before: 0,
        active_days: 0,
        high_value: 0,
        content: 0,
        visuals: 0,
        tasks: 0,
        settled: 0,
        kit: LaunchKit::Unopened,
        last: None,
        known_at: None,
        ..steady()
    }
}

fn previous(overall: i64) -> Previous {
    Previous { as_of: at("2026-11-14T23:00:00Z"), overall }
}

/// One client's week with what a test changes of it.
struct Week {
    as_of: Timestamp,
    created_at: Timestamp,
    events: Vec<(EventType, i64)>,
    content: LifetimeCount,
    visuals: LifetimeCount,
    pending_tasks: Vec<PendingTask>,
    inputs: ScoreInputs,
    previous: Option<Previous>,
    previous_contributions: Option<Components<i64>>,
    model: ScoreModel,
}

impl Week {
    fn of(inputs: ScoreInputs) -> Self {
        Self {
            as_of: sunday(),
            created_at: at("2026-10-02T08:00:00Z"),
            events: Vec::new(),
            content: LifetimeCount { before: inputs.content, at_end: inputs.content },
            visuals: LifetimeCount { before: inputs.visuals, at_end: inputs.visuals },
            pending_tasks: Vec::new(),
            inputs,
            previous: None,
            previous_contributions: None,
            model: ScoreModel::standard(),
        }
    }

    fn insights(&self) -> Vec<Insight> {
        let zone = copenhagen();
        let score = Score::compute(self.inputs.clone(), &self.model, self.previous);
        weekly_insights(&WeekFacts {
            as_of: self.as_of,
            zone: &zone,
            period: Period::last_complete(self.as_of, &zone, Weekday::Sunday),
            created_at: self.created_at,
            events: self.events.iter().copied().collect(),
            content: self.content,
            visuals: self.visuals,
            pending_tasks: self.pending_tasks.clone(),
            score: &score,
            model: &self.model,
            previous_contributions: self.previous_contributions,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.insights().iter().map(|insight| insight.rule).collect()
    }

    fn get(&self, rule: Rule) -> Option<Insight> {
        self.insights().into_iter().find(|insight| insight.rule == rule)
    }

    fn kind(&self, rule: Rule) -> Option<(InsightType, Priority)> {
        self.get(rule).map(|insight| (insight.kind, insight.priority))
    }
}

fn pending(titles: &[&str]) -> Vec<PendingTask> {
    titles
        .iter()
        .zip(9..)
        .map(|(title, day)| PendingTask {
            title: (*title).to_owned(),
            open_since: at(&format!("2026-11-{day:02}T10:00:00Z")),
        })
        .collect()
}

fn week(as_of: &str, week_start: Weekday) -> Period {
    Period::last_complete(at(as_of), &copenhagen(), week_start)
}

#[test]
fn a_period_is_the_last_complete_local_week_on_every_day_of_the_next() {
    let expected = Period {
        first: date(2026, 11, 15),
        last: date(2026, 11, 21),
        start: at("2026-11-14T23:00:00Z"),
        end: at("2026-11-21T23:00:00Z"),
    };
    for as_of in [
        "2026-11-21T23:00:00Z",
        "2026-11-22T11:30:00Z",
        "2026-11-23T11:30:00Z",
        "2026-11-26T00:00:00Z",
        "2026-11-28T22:59:59.999999Z",
    ] {
        assert_eq!(week(as_of, Weekday::Sunday), expected, "{as_of}");
    }
    assert_eq!(week("2026-11-21T22:59:59Z", Weekday::Sunday).last, date(2026, 11, 14));
    assert_eq!(week("2026-11-28T23:00:00Z", Weekday::Sunday).last, date(2026, 11, 28));
}

#[test]
fn a_week_ends_where_the_organization_has_it_end() {
    // 24 Nov 2026 is a Tuesday.
    for (week_start, last) in [
        (Weekday::Monday, date(2026, 11, 22)),
        (Weekday::Tuesday, date(2026, 11, 23)),
        (Weekday::Wednesday, date(2026, 11, 17)),
    ] {
        let period = week("2026-11-24T12:00:00Z", week_start);
        assert_eq!((period.last, period.first), (last, last.checked_sub(6.days()).unwrap()));
    }
}

#[test]
fn a_period_across_a_clock_change_still_has_seven_days() {
    let period = week("2026-10-28T12:00:00Z", Weekday::Wednesday);
    assert_eq!((period.first, period.last), (date(2026, 10, 21), date(2026, 10, 27)));
    assert_eq!(period.start, at("2026-10-21T00:00:00+02:00"));
    assert_eq!(period.end, at("2026-10-28T00:00:00+01:00"));
}

#[test]
fn a_period_belongs_to_the_organizations_zone() {
    let as_of = at("2026-11-22T02:00:00Z");
    let chicago = TimeZone::get("America/Chicago").unwrap();
    let last = |zone: &TimeZone| Period::last_complete(as_of, zone, Weekday::Sunday).last;
    assert_eq!(last(&copenhagen()), date(2026, 11, 21));
    assert_eq!(last(&chicago), date(2026, 11, 14));
}

#[test]
fn no_activity_recommends_with_high_priority_and_any_event_prevents_it() {
    let mut week = Week::of(nothing());
    let expected = Some((InsightType::Recommendation, Priority::High));
    assert_eq!(week.kind(Rule::NoActivity), expected);
    week.events = vec![(EventType::Login, 0)];
    assert_eq!(week.kind(Rule::NoActivity), expected, "a count of 0 is no event");
    for kind in EventType::ALL {
        week.events = vec![(kind, 1)];
        assert_eq!(week.get(Rule::NoActivity), None, "{kind}");
    }
}

#[test]
fn nobody_is_silent_before_being_created() {
    let mut week = Week::of(nothing());
    let period = Period::last_complete(week.as_of, &copenhagen(), Weekday::Sunday);
    week.created_at = period.end;
    assert_eq!(week.get(Rule::NoActivity), None);
    week.created_at = at("2026-11-19T10:00:00Z");
    let insight = week.get(Rule::NoActivity).unwrap();
    assert_eq!(insight.title, "No activity for 3 days");
    assert_eq!(insight.figures["since"], "2026-11-19");
}

#[test]
fn a_client_that_came_back_after_the_period_is_not_told_to() {
    let mut week = Week::of(nothing());
    week.as_of = at("2026-11-22T10:00:00Z");
    week.inputs.as_of = week.as_of;
    week.inputs.last = Some(at("2026-11-22T09:00:00Z"));
    assert_eq!(
        week.get(Rule::NoActivity).unwrap().message,
        "You had no activity from 15 to 21 Nov; your last was on 22 Nov."
    );
}

#[test]
fn each_high_value_type_has_its_own_insight_and_all_others_share_one() {
    let mut week = Week::of(steady());
    for kind in EventType::ALL {
        week.events = vec![(kind, 2)];
        let (rule, expected) = match kind {
            EventType::ContentGenerated => {
                (Rule::ContentGenerated, (InsightType::Achievement, Priority::Normal))
            }
            EventType::VisualCreated => {
                (Rule::VisualsCreated, (InsightType::Achievement, Priority::Normal))
            }
            EventType::TaskCompleted => {
                (Rule::TasksCompleted, (InsightType::Milestone, Priority::Normal))
            }
            _ => (Rule::OtherActivity, (InsightType::WeeklySummary, Priority::Low)),
        };
        assert_eq!(week.rules(), [Rule::BestNextStep, rule], "{kind}");
        let insight = week.get(rule).unwrap();
        assert_eq!((insight.kind, insight.priority), expected, "{kind}");
        assert_eq!(insight.evidence.events, [kind]);
        assert_eq!(insight.figures["count"], 2);
    }
}

#[test]
fn one_to_three_pending_tasks_are_named_and_more_are_not() {
    let mut week = Week::of(steady());
    let titles = ["a", "b", "c", "d"];
    for (count, expected) in [(0, false), (1, true), (2, true), (3, true), (4, false)] {
        week.pending_tasks = pending(&titles[..count]);
        let tip = week.get(Rule::TasksPending);
        assert_eq!(tip.is_some(), expected, "{count}");
        if let Some(tip) = tip {
            assert_eq!((tip.kind, tip.priority), (InsightType::Tip, Priority::Normal));
            assert!(tip.evidence.tasks);
        }
    }
}

#[test]
fn a_milestone_is_told_in_the_week_that_crossed_it() {
    let mut week = Week::of(steady());
    // (before, at the end, crossed)
    let cases = [
        (0, 0, None),
        (0, 1, Some(1)),
        (1, 1, None),
        (1, 4, None),
        (4, 4, None),
        (4, 5, Some(5)),
        (5, 5, None),
        (5, 9, None),
        (9, 10, Some(10)),
        (10, 400, None),
        (0, 400, Some(10)),
        (0, 9, Some(5)),
    ];
    for (before, at_end, crossed) in cases {
        for (rule, content) in [(Rule::ContentMilestone, true), (Rule::VisualMilestone, false)] {
            let lifetime = LifetimeCount { before, at_end };
            (week.content, week.visuals) = if content {
                (lifetime, LifetimeCount::default())
            } else {
                (LifetimeCount::default(), lifetime)
            };
            let insight = week.get(rule);
            let told = insight.as_ref().map(|insight| insight.figures["at"].as_i64().unwrap());
            assert_eq!(told, crossed, "{rule}: {before} → {at_end}");
            assert!(insight.is_none_or(|insight| insight.kind == InsightType::Milestone));
        }
    }
}

#[test]
fn milestones_are_those_of_the_organizations_model() {
    let mut week = Week::of(steady());
    week.model.progress.content = vec![mainstay_core::score::Milestone { at: 3, points: 1 }];
    week.content = LifetimeCount { before: 2, at_end: 3 };
    let insight = week.get(Rule::ContentMilestone).unwrap();
    assert_eq!(insight.title, "Milestone: 3rd piece of content");
    week.model.progress.content.clear();
    assert_eq!(week.get(Rule::ContentMilestone), None);
}

#[test]
fn a_score_that_moved_by_ten_is_told_and_a_fall_comes_first() {
    let mut week = Week::of(steady());
    let normal = Some((InsightType::TrendAlert, Priority::Normal));
    let high = Some((InsightType::TrendAlert, Priority::High));
    let cases =
        [(None, None), (Some(59), None), (Some(58), normal), (Some(77), None), (Some(78), high)];
    for (overall, expected) in cases {
        week.previous = overall.map(previous);
        assert_eq!(week.kind(Rule::ScoreMoved), expected, "{overall:?} → 68");
    }
}

#[test]
fn a_score_that_moved_names_the_components_that_moved_it() {
    let model = ScoreModel::standard();
    let before = ScoreInputs { events: 2, active_days: 1, high_value: 0, ratings: 1, ..steady() };
    let then = Score::compute(before.clone(), &model, None);
    let mut week = Week::of(steady());
    week.previous = Some(previous(then.overall));
    week.previous_contributions = Some(contributions(&before, &model));
    let insight = week.get(Rule::ScoreMoved).unwrap();
    assert_eq!(
        serde_json::to_value(&insight.figures["moved"]).unwrap(),
        serde_json::json!([
            { "component": "engagement", "hundredths": 1675 },
            { "component": "momentum", "hundredths": 900 },
            { "component": "satisfaction", "hundredths": 750 },
        ])
    );
    assert_eq!(
        insight.evidence.components,
        [Component::Engagement, Component::Momentum, Component::Satisfaction]
    );
}

#[test]
fn the_best_next_step_promises_no_figure_that_would_be_out_of_date_when_it_is_read() {
    let week = Week::of(steady());
    let insight = week.get(Rule::BestNextStep).unwrap();
    assert_eq!(insight.figures["action"], "create_visual");
    assert_eq!(insight.figures.keys().collect::<Vec<_>>(), ["action", "times"]);
    assert!(!insight.message.contains("point"), "{}", insight.message);
}

#[test]
fn a_perfect_score_needs_no_next_step() {
    let inputs = ScoreInputs {
        events: 40,
        active_days: 7,
        content: 10,
        visuals: 10,
        settled: 5,
        ratings: 1,
        rating_sum: 100,
        ..steady()
    };
    assert_eq!(Week::of(inputs).get(Rule::BestNextStep), None);
}

#[test]
fn insights_come_by_priority_and_are_valid_for_fourteen_local_days() {
    let mut week = Week::of(steady());
    week.events = EventType::ALL.into_iter().zip(1..).collect();
    week.content = LifetimeCount { before: 4, at_end: 6 };
    week.visuals = LifetimeCount { before: 0, at_end: 4 };
    week.pending_tasks = pending(&["Connect your shop"]);
    week.previous = Some(previous(90));
    let every_rule_but_no_activity: Vec<Rule> =
        Rule::ALL.iter().copied().filter(|rule| *rule != Rule::NoActivity).collect();
    assert_eq!(week.rules(), every_rule_but_no_activity);
    assert!(week.insights().is_sorted_by_key(|insight| std::cmp::Reverse(insight.priority)));
    for insight in week.insights() {
        assert_eq!(insight.valid_until, at("2026-12-06T00:00:00+01:00"));
    }
    week.as_of = at("2026-10-17T22:00:00Z");
    assert_eq!(week.insights()[0].valid_until, at("2026-11-01T00:00:00+01:00"), "across DST");
}

#[test]
fn statuses_only_move_forward_and_the_same_one_again_is_no_error() {
    use InsightStatus::{ActedOn, Dismissed, Read, Unread};
    let allowed = [
        (Unread, vec![Unread, Read, ActedOn, Dismissed]),
        (Read, vec![Read, ActedOn, Dismissed]),
        (ActedOn, vec![ActedOn]),
        (Dismissed, vec![Dismissed]),
    ];
    for (from, to) in allowed {
        for next in InsightStatus::ALL {
            assert_eq!(from.can_become(*next), to.contains(next), "{from} → {next}");
        }
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for rule in Rule::ALL {
        assert_eq!(rule.as_str().parse(), Ok(*rule));
    }
    for kind in InsightType::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!(
        "urgent".parse::<Priority>().unwrap_err().to_string(),
        "unknown priority \"urgent\": use one of low, normal, high"
    );
}

#[test]
fn evidence_survives_storage() {
    let mut week = Week::of(steady());
    week.events = vec![(EventType::ContentGenerated, 2)];
    week.pending_tasks = pending(&["Connect your shop"]);
    week.previous = Some(previous(40));
    for insight in week.insights() {
        let stored = serde_json::to_string(&insight.evidence).unwrap();
        let read: InsightEvidence = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, insight.evidence, "{stored}");
    }
    let content = week.get(Rule::ContentGenerated).unwrap();
    assert_eq!(
        serde_json::to_value(content.evidence).unwrap(),
        serde_json::json!({
            "first": "2026-11-15",
            "last": "2026-11-21",
            "counted": 2,
            "events": ["content_generated"],
        })
    );
}

/// A client that was here once in the period, so that only its next step is of interest.
fn here(inputs: ScoreInputs) -> Week {
    Week { events: vec![(EventType::Login, 1)], ..Week::of(inputs) }
}

fn told(week: &Week) -> String {
    let lines = week.insights().into_iter().map(|insight| {
        let Insight { priority, kind, title, message, figures, .. } = insight;
        let figures = serde_json::to_string(&figures).expect("JSON");
        format!("[{priority} {kind}] {title}\n    {message}\n    {figures}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_busy_week_in_words() {
    let mut week = Week::of(steady());
    week.events = vec![
        (EventType::ContentGenerated, 2),
        (EventType::VisualCreated, 1),
        (EventType::TaskCompleted, 1),
        (EventType::Login, 5),
        (EventType::PageView, 1_204),
        (EventType::Custom, 1),
    ];
    week.content = LifetimeCount { before: 4, at_end: 6 };
    week.visuals = LifetimeCount { before: 3, at_end: 4 };
    week.pending_tasks = pending(&["Connect your shop"]);
    week.previous = Some(previous(56));
    let before = ScoreInputs { events: 8, active_days: 2, high_value: 0, ..steady() };
    week.previous_contributions = Some(contributions(&before, &week.model));
    insta::assert_snapshot!(told(&week), @r#"
    [normal trend_alert] Your score rose 12 points, to 68
        It was 56 on 15 Nov. In points: engagement +11.25, momentum +6.00. Open the score to see the events behind each part.
        {"change":12,"moved":[{"component":"engagement","hundredths":1125},{"component":"momentum","hundredths":600}],"overall":68,"previous":56,"previous_as_of":"2026-11-14T23:00:00Z"}
    [normal recommendation] Make your 5th visual
        You have 4 visuals; the 5th reaches a milestone. “Ways to improve” shows what it is worth now.
        {"action":"create_visual","times":1}
    [normal milestone] Milestone: 5th piece of content
        You had 4 pieces of content before 15 Nov and 6 at the end of 21 Nov. The 5th gives 20 of 100 progress points. The next milestone is the 10th: 4 more.
        {"at":5,"before":4,"points":20,"total":6}
    [normal milestone] 1 task done
        You finished 1 task from 15 to 21 Nov. 1 onboarding task is left.
        {"count":1,"pending":1}
    [normal achievement] 2 pieces of content written
        You wrote 2 pieces of content from 15 to 21 Nov, 6 in all. The next milestone is the 10th: 4 more.
        {"count":2,"total":6}
    [normal achievement] 1 visual made
        You made 1 visual from 15 to 21 Nov, 4 in all. The next milestone is the 5th: 1 more.
        {"count":1,"total":4}
    [normal tip] 1 onboarding task left
        “Connect your shop” has been open since 9 Nov. Finish it to complete your onboarding.
        {"count":1}
    [low weekly_summary] Other activity: 1 210 events
        You had 1 204 page views, 5 sign-ins and 1 other event from 15 to 21 Nov.
        {"by_type":{"custom":1,"login":5,"page_view":1204},"count":1210}
    "#);
}

#[test]
fn a_week_of_last_tasks_and_last_milestones_in_words() {
    let mut week = Week::of(ScoreInputs { content: 10, visuals: 10, settled: 2, ..busy() });
    week.events = vec![(EventType::TaskCompleted, 2), (EventType::FeedbackGiven, 1)];
    week.content = LifetimeCount { before: 2, at_end: 10 };
    week.visuals = LifetimeCount { before: 0, at_end: 1 };
    week.pending_tasks = pending(&["Connect your shop", "Invite a colleague", "Read the guide"]);
    insta::assert_snapshot!(told(&week), @r#"
    [normal recommendation] Finish an onboarding task
        You have done 2 of 5 onboarding tasks. “Ways to improve” shows what it is worth now.
        {"action":"complete_task","times":1}
    [normal milestone] Milestone: 10th piece of content
        You had 2 pieces of content before 15 Nov and 10 at the end of 21 Nov. The 10th gives 10 of 100 progress points.
        {"at":10,"before":2,"points":10,"total":10}
    [normal milestone] Milestone: 1st visual
        You had no visuals before 15 Nov and 1 at the end of 21 Nov. The 1st gives 20 of 100 progress points. The next milestone is the 5th: 4 more.
        {"at":1,"before":0,"points":20,"total":1}
    [normal milestone] 2 tasks done
        You finished 2 tasks from 15 to 21 Nov. 3 onboarding tasks are left.
        {"count":2,"pending":3}
    [normal tip] 3 onboarding tasks left
        “Connect your shop”, “Invite a colleague” and “Read the guide” are open, the oldest since 9 Nov. Finish them to complete your onboarding.
        {"count":3}
    [low weekly_summary] Other activity: 1 event
        You had 1 feedback answer from 15 to 21 Nov.
        {"by_type":{"feedback_given":1},"count":1}
    "#);
}

#[test]
fn a_silent_week_in_words() {
    let mut week = Week::of(nothing());
    week.inputs.last = Some(at("2026-11-09T10:00:00Z"));
    week.previous = Some(previous(37));
    insta::assert_snapshot!(told(&week), @r#"
    [high recommendation] No activity for 7 days
        You had no activity from 15 to 21 Nov; your last was on 9 Nov. One visit makes a day active.
        {"events":0,"last_event_at":"2026-11-09T10:00:00Z","since":"2026-11-15"}
    [high trend_alert] Your score fell 29 points, to 8
        It was 37 on 15 Nov. Open the score to see the events behind each part.
        {"change":-29,"moved":[],"overall":8,"previous":37,"previous_as_of":"2026-11-14T23:00:00Z"}
    [normal recommendation] Write your 1st piece of content
        You have no content yet; the 1st reaches a milestone. “Ways to improve” shows what it is worth now.
        {"action":"generate_content","times":1}
    "#);
}

#[test]
fn a_silence_in_words() {
    let mut yesterday = Week::of(nothing());
    yesterday.created_at = at("2026-11-21T10:00:00Z");
    let mut year = Week::of(nothing());
    year.as_of = at("2026-12-08T10:00:00Z");
    year.inputs.last = Some(at("2025-11-09T10:00:00Z"));
    let messages =
        [yesterday, year].map(|week| week.get(Rule::NoActivity).unwrap().message).join("\n");
    insta::assert_snapshot!(messages, @r#"
    You had no activity on 21 Nov. One visit makes a day active.
    You had no activity from 29 Nov to 5 Dec; your last was on 9 Nov 2025. One visit makes a day active.
    "#);
}

/// All but the best of everything.
fn busy() -> ScoreInputs {
    ScoreInputs { events: 60, events_before: 20, active_days: 7, ..steady() }
}

#[test]
fn the_best_next_step_in_words() {
    let settled = ScoreInputs { content: 10, visuals: 10, settled: 5, ..busy() };
    let task = ScoreInputs { settled: 4, ..settled.clone() };
    let mut named_task = here(task.clone());
    named_task.pending_tasks = pending(&["Connect your shop"]);
    let today = ScoreInputs {
        as_of: at("2026-11-22T08:00:00Z"),
        events: 9,
        active_days: 6,
        last: Some(at("2026-11-21T23:30:00Z")),
        ..settled.clone()
    };
    let mut first = here(ScoreInputs { events: 5, active_days: 2, ..nothing() });
    first.model.progress.content.clear();
    first.model.progress.visuals.clear();
    first.model.momentum.from_nothing = 0;
    let mut sixth = here(ScoreInputs { content: 5, high_value: 0, events: 5, ..settled.clone() });
    sixth.model.progress.content.clear();
    let mut small = here(ScoreInputs { events: 19, events_before: 10, ..settled.clone() });
    small.inputs.last = today.last;
    small.inputs.high_value = 0;
    (small.inputs.ratings, small.inputs.rating_sum) = (1, 52);
    small.model.engagement.high_value_points = 0;
    small.model.weights.engagement = 10;
    small.model.weights.progress = 40;
    let steps = [
        here(task),
        named_task,
        here(ScoreInputs { kit: LaunchKit::Unopened, ..settled.clone() }),
        here(today),
        here(ScoreInputs { active_days: 5, ..settled.clone() }),
        here(ScoreInputs { content: 7, ..settled }),
        first,
        sixth,
        small,
    ]
    .map(|week| {
        let Insight { title, message, figures, .. } = week.get(Rule::BestNextStep).unwrap();
        format!("{title}\n    {message}\n    {}", serde_json::to_string(&figures).unwrap())
    });
    insta::assert_snapshot!(steps.join("\n"), @r#"
    Finish an onboarding task
        You have done 4 of 5 onboarding tasks. “Ways to improve” shows what it is worth now.
        {"action":"complete_task","times":1}
    Finish “Connect your shop”
        You have done 4 of 5 onboarding tasks. “Ways to improve” shows what it is worth now.
        {"action":"complete_task","times":1}
    Open your launch kit
        You have not opened your launch kit yet. “Ways to improve” shows what it is worth now.
        {"action":"view_launch_kit","times":1}
    Visit once more
        You had 9 events in the last 7 days. “Ways to improve” shows what it is worth now.
        {"action":"be_active","times":1}
    Visit on one more day
        You were active on 5 of the last 7 days. “Ways to improve” shows what it is worth now.
        {"action":"be_active","times":1}
    Write 3 more pieces of content
        You have 7 pieces of content; the 10th reaches a milestone. “Ways to improve” shows what it is worth now.
        {"action":"generate_content","times":3}
    Write your 1st piece of content
        You have no content yet. “Ways to improve” shows what it is worth now.
        {"action":"generate_content","times":1}
    Write your 6th piece of content
        You have 5 pieces of content. “Ways to improve” shows what it is worth now.
        {"action":"generate_content","times":1}
    Visit once more
        You had 19 events in the last 7 days. “Ways to improve” shows what it is worth now.
        {"action":"be_active","times":1}
    "#);
}

fn any_lifetime() -> impl Strategy<Value = LifetimeCount> {
    (0_i64..20, 0_i64..20)
        .prop_map(|(before, more)| LifetimeCount { before, at_end: before + more })
}

proptest! {
    #[test]
    fn a_rule_writes_at_most_one_insight_and_the_same_facts_give_the_same_words(
        counts in proptest::collection::vec(0_i64..5, 11),
        content in any_lifetime(),
        visuals in any_lifetime(),
        tasks in 0_usize..6,
        before in proptest::option::of(0_i64..=100),
        events in 0_i64..40,
    ) {
        let mut week = Week::of(ScoreInputs { events, ..steady() });
        week.events = EventType::ALL.into_iter().zip(counts).collect();
        week.content = content;
        week.visuals = visuals;
        week.pending_tasks = pending(&["task"; 6][..tasks]);
        week.previous = before.map(previous);
        let insights = week.insights();
        let mut rules: Vec<Rule> = insights.iter().map(|insight| insight.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        prop_assert_eq!(rules.len(), insights.len());
        prop_assert_eq!(&insights, &week.insights());
        for insight in &insights {
            prop_assert!(!insight.message.contains('!'));
            prop_assert!(insight.message.ends_with('.') && !insight.message.contains("  "));
        }
    }

    #[test]
    fn what_moved_a_score_adds_up_to_its_exact_change(
        (events, days, content) in (0_i64..40, 0_i64..8, 0_i64..12),
        (ratings, before) in (0_i64..2, 0_i64..40),
    ) {
        let model = ScoreModel::standard();
        let now = ScoreInputs {
            events, active_days: days, content, ratings, rating_sum: ratings * 90, ..steady()
        };
        let then = ScoreInputs { events: before, ..steady() };
        let total = |inputs| {
            let parts = contributions(inputs, &model);
            Component::ALL.into_iter().map(|component| *parts.get(component)).sum::<i64>()
        };
        let changes = ComponentChange::between(&contributions(&then, &model), &contributions(&now, &model));
        prop_assert_eq!(
            changes.iter().map(|changes| changes.hundredths).sum::<i64>(),
            total(&now) - total(&then)
        );
        let sizes = changes.iter().map(|changes| std::cmp::Reverse(changes.hundredths.abs()));
        prop_assert!(sizes.is_sorted());
    }
}
