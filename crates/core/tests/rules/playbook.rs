use jiff::{SignedDuration, Timestamp, civil::date, tz::TimeZone};
use mainstay_core::{
    alert::{
        AlertFacts, AlertType, Ending, Finding, ScoreFacts, Severity, TaskInProgress, Transition,
    },
    id::AlertId,
    playbook::{
        BandChange, MAX_TASKS, Playbook, PlaybookAction, PlaybookTask, RECOVERY_WINDOW, Setback,
        Tally, Trigger, due_at, due_day, is_noisy, is_overdue, suggestions,
    },
    score::{Band, ScoreModel},
    time::time_zone,
};
use serde_json::{Map, json};

const MICROSECOND: SignedDuration = SignedDuration::from_micros(1);

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn finding(kind: AlertType, severity: Severity) -> Finding {
    Finding { kind, severity, message: String::new(), figures: Map::new() }
}

fn id() -> AlertId {
    AlertId::new(uuid::Uuid::from_u128(7))
}

#[test]
fn an_alert_that_opens_or_worsens_far_enough_starts_a_playbook_and_nothing_else_does() {
    use AlertType::{ChurnRisk, ScoreDrop};
    use Severity::{Critical, Info, Warning};
    let trigger = Trigger::Alert { kind: Some(ScoreDrop), at_least: Warning };
    let any = Trigger::Alert { kind: None, at_least: Info };
    let opened = |kind, severity| Transition::Opened(finding(kind, severity));
    for (transition, expected) in [
        (opened(ScoreDrop, Warning), true),
        (opened(ScoreDrop, Critical), true),
        (opened(ScoreDrop, Info), false),
        (opened(ChurnRisk, Critical), false),
        (Transition::Worsened { id: id(), finding: finding(ScoreDrop, Critical) }, true),
        (Transition::SnoozeEnded { id: id(), finding: finding(ScoreDrop, Critical) }, false),
        (Transition::Refreshed { id: id(), finding: finding(ScoreDrop, Critical) }, false),
        (
            Transition::Resolved { id: id(), ending: Ending::Recovered, reason: String::new() },
            false,
        ),
        (Transition::ConditionEnded { id: id() }, false),
    ] {
        assert_eq!(trigger.matches_transition(&transition), expected, "{transition:?}");
        let told = matches!(transition, Transition::Opened(_) | Transition::Worsened { .. });
        assert_eq!(any.matches_transition(&transition), told, "{transition:?}");
    }
    let fall = BandChange { from: Band::Good, to: Band::AtRisk };
    assert!(!any.matches_band(fall));
}

#[test]
fn a_band_is_entered_from_the_one_that_is_named_or_from_any() {
    let change = |from, to| BandChange::between(from, to).expect("two bands");
    let any = Trigger::Band { from: None, to: Band::AtRisk };
    let named = Trigger::Band { from: Some(Band::Good), to: Band::AtRisk };
    assert!(any.matches_band(change(Band::NeedsAttention, Band::AtRisk)));
    assert!(any.matches_band(change(Band::Good, Band::AtRisk)));
    assert!(!any.matches_band(change(Band::AtRisk, Band::Good)));
    assert!(!named.matches_band(change(Band::NeedsAttention, Band::AtRisk)));
    assert!(named.matches_band(change(Band::Good, Band::AtRisk)));
    assert_eq!(BandChange::between(Band::Good, Band::Good), None);
    assert!(change(Band::Good, Band::AtRisk).is_fall());
    assert!(!change(Band::AtRisk, Band::Good).is_fall());
    let opened = Transition::Opened(finding(AlertType::NeedsAttention, Severity::Critical));
    assert!(!any.matches_transition(&opened));
}

#[test]
fn a_task_is_due_until_the_end_of_the_local_day_also_when_clocks_change() {
    for (zone, now, days, day, end) in [
        ("UTC", "2026-05-01T23:59:59Z", 0, date(2026, 5, 1), "2026-05-02T00:00:00Z"),
        // Already the second of May there.
        ("Pacific/Auckland", "2026-05-01T12:30:00Z", 1, date(2026, 5, 3), "2026-05-03T12:00:00Z"),
        // Spring forward and back, on the day that is due: 23 and 25 hours long.
        ("Europe/Berlin", "2026-03-28T12:00:00Z", 1, date(2026, 3, 29), "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-24T12:00:00Z", 1, date(2026, 10, 25), "2026-10-25T23:00:00Z"),
        // Midnight itself is skipped there: the day ends when the next one begins, at one o'clock.
        ("America/Santiago", "2026-09-04T12:00:00Z", 1, date(2026, 9, 5), "2026-09-06T04:00:00Z"),
        (
            "Australia/Lord_Howe",
            "2026-10-02T12:00:00Z",
            1,
            date(2026, 10, 3),
            "2026-10-03T13:30:00Z",
        ),
    ] {
        let zone = time_zone(zone).expect("a zone");
        let due = due_day(at(now), days, &zone);
        assert_eq!((due, due_at(due, &zone)), (day, at(end)), "{now}");
        assert!(!is_overdue(due, at(end) - MICROSECOND, &zone), "{now}");
        assert!(is_overdue(due, at(end), &zone), "{now}");
    }
}

/// A client that does well, unless it is said otherwise.
fn facts(as_of: Timestamp, overall: Option<i64>) -> AlertFacts {
    AlertFacts {
        as_of,
        zone: TimeZone::UTC,
        created_at: at("2026-01-01T00:00:00Z"),
        last_event_at: Some(at("2026-04-20T00:00:00Z")),
        usual_gap_days: None,
        tasks_in_progress: Vec::new(),
        score: overall
            .map(|overall| ScoreFacts::new(as_of, overall, None, &ScoreModel::standard())),
    }
}

fn opened() -> Timestamp {
    at("2026-05-01T12:00:00Z")
}

fn alert(kind: AlertType, score: Option<(i64, Option<i64>)>) -> Setback {
    Setback::Alert { kind, at: opened(), score }
}

#[test]
fn who_was_silent_has_recovered_with_the_next_event_until_fourteen_days_are_over() {
    let silent = alert(AlertType::ZeroActivity, None);
    let end = opened() + RECOVERY_WINDOW;
    let came = |event: Timestamp, as_of| AlertFacts {
        last_event_at: Some(event),
        ..facts(as_of, Some(90))
    };
    assert!(!silent.has_recovered(&facts(opened() + SignedDuration::from_hours(1), Some(90))));
    assert!(silent.has_recovered(&came(opened() + MICROSECOND, end)));
    assert!(!silent.has_recovered(&came(opened() + MICROSECOND, end + MICROSECOND)));
    // What came late is from before.
    assert!(!silent.has_recovered(&came(opened(), end)));
    assert!(!silent.has_recovered(&came(opened() + MICROSECOND, opened())));
}

#[test]
fn a_score_has_recovered_in_a_better_band_or_with_half_of_what_it_had_lost() {
    let later = opened() + SignedDuration::from_hours(24);
    for (then, before, now, expected) in [
        (55, Some(78), 66, true),
        (55, Some(78), 60, true),
        (55, Some(78), 59, false),
        (41, Some(49), 44, false),
        (41, Some(49), 45, true),
        (41, None, 45, false),
        (41, None, 60, true),
        (85, Some(95), 90, true),
        (85, Some(95), 89, false),
        // It was no fall.
        (50, Some(45), 51, false),
    ] {
        let setback = alert(AlertType::ScoreDrop, Some((then, before)));
        let told = setback.has_recovered(&facts(later, Some(now)));
        assert_eq!(told, expected, "{before:?} to {then}, now {now}");
    }
    let fell = Setback::Fall { into: Band::AtRisk, at: opened() };
    assert!(!fell.has_recovered(&facts(later, Some(39))));
    assert!(fell.has_recovered(&facts(later, Some(40))));
    assert!(!fell.has_recovered(&facts(opened() + RECOVERY_WINDOW + MICROSECOND, Some(40))));
    assert!(!fell.has_recovered(&facts(later, None)));
}

#[test]
fn who_was_stuck_has_recovered_when_nothing_is_stalled_any_more() {
    let stuck = alert(AlertType::TaskStalled, None);
    let later = opened() + SignedDuration::from_hours(24);
    let stalled =
        TaskInProgress { title: "Connect".to_owned(), updated_at: at("2026-04-20T00:00:00Z") };
    assert!(stuck.has_recovered(&facts(later, None)));
    let facts = AlertFacts { tasks_in_progress: vec![stalled], ..facts(later, None) };
    assert!(!stuck.has_recovered(&facts));
}

#[test]
fn a_rule_is_noisy_when_hardly_anybody_acts_on_what_it_says() {
    let tally = |opened, acted_on| Tally { opened, acted_on, ..Tally::default() };
    assert!(is_noisy(&tally(42, 3)));
    assert!(!is_noisy(&tally(42, 5)));
    assert!(is_noisy(&tally(10, 0)));
    assert!(!is_noisy(&tally(9, 0)));
    assert!(!is_noisy(&tally(10, 1)));
}

fn task(title: &str, due_in_days: i32) -> PlaybookAction {
    let (title, text) = (title.to_owned(), String::new());
    PlaybookAction::Task(PlaybookTask { title, text, due_in_days, otherwise: None })
}

#[test]
fn a_playbook_that_cannot_be_used_says_which_field_and_why() {
    let good = || suggestions().remove(0);
    let with = |actions| Playbook { actions, ..good() };
    let same = Trigger::Band { from: Some(Band::Good), to: Band::Good };
    for (playbook, field, reason) in [
        (Playbook { name: " ".to_owned(), ..good() }, "name", "1 to 100 characters"),
        (Playbook { name: "a\nb".to_owned(), ..good() }, "name", "use one line"),
        (Playbook { name: "é".repeat(101), ..good() }, "name", "the limit is 100"),
        (Playbook { trigger: same, ..good() }, "trigger.from", "two different bands"),
        (with(vec![]), "actions", "at least one"),
        (with(vec![task("a", 1); MAX_TASKS + 1]), "actions", "more than 3 tasks"),
        (with(vec![task("", 1)]), "actions[0].title", "1 to 200 characters"),
        (with(vec![task("a", 1), task("b", -1)]), "actions[1].due_in_days", "0 (the same day)"),
        (with(vec![task("a", 366)]), "actions[0].due_in_days", "365"),
        (with(vec![PlaybookAction::Nudge; 2]), "actions[1].do", "once"),
    ] {
        let error = playbook.check().expect_err(field);
        assert_eq!(error.field, field);
        assert!(error.reason.contains(reason), "{error}");
    }
}

#[test]
fn suggestions_can_be_used_and_are_kept_as_they_are() {
    for playbook in suggestions() {
        assert_eq!(playbook.check(), Ok(()));
        let kept = serde_json::to_value(&playbook).expect("plain data");
        assert_eq!(serde_json::from_value::<Playbook>(kept).expect("the same"), playbook);
    }
    let kept = json!({"on": "band", "to": "at_risk"});
    assert_eq!(
        serde_json::from_value::<Trigger>(kept).expect("a trigger"),
        Trigger::Band { from: None, to: Band::AtRisk }
    );
}
