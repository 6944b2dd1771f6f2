use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};
use mainstay_core::{
    job::{Job, MAX_ATTEMPTS, Schedule, due, retry_after},
    time::time_zone,
};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn cron(text: &str) -> Schedule {
    Schedule::parse(text).expect("an expression")
}

/// Every instant of a schedule from one to another, by `next`.
fn instants(schedule: &Schedule, zone: &TimeZone, from: &str, until: &str) -> Vec<String> {
    let mut found = Vec::new();
    let before = at(from).checked_sub(SignedDuration::from_secs(1));
    let mut after = before.expect("in range");
    while let Some(next) = schedule.next(after, zone).filter(|next| *next < at(until)) {
        found.push(next.to_string());
        after = next;
    }
    found
}

#[test]
fn each_job_runs_when_the_specification_says() {
    let berlin = time_zone("Europe/Berlin").unwrap();
    let now = at("2026-05-20T12:34:56.5Z"); // a Wednesday
    let next = |job: Job| cron(job.default_cron()).next(now, &berlin).unwrap().to_string();
    let latest = |job: Job| cron(job.default_cron()).latest(now, &berlin).unwrap().to_string();
    assert_eq!(next(Job::Weekly), "2026-05-23T22:00:00Z");
    assert_eq!(latest(Job::Weekly), "2026-05-16T22:00:00Z");
    assert_eq!(next(Job::Daily), "2026-05-20T22:00:00Z");
    assert_eq!(latest(Job::Daily), "2026-05-19T22:00:00Z");
    assert_eq!(next(Job::Hourly), "2026-05-20T13:00:00Z");
    assert_eq!(latest(Job::Hourly), "2026-05-20T12:00:00Z");
}

#[test]
fn a_skipped_time_runs_at_the_next_that_exists_and_a_repeated_one_once() {
    for (zone, expression, day, expected) in [
        // Forward at 02:00, 02:00 and 02:00 (by half an hour).
        ("Europe/Berlin", "30 2 * * *", "2026-03-29", vec!["2026-03-29T01:00:00Z"]),
        ("America/New_York", "30 2 * * *", "2026-03-08", vec!["2026-03-08T07:00:00Z"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03", vec!["2026-10-03T15:30:00Z"]),
        // Two times in the gap are one run.
        ("Europe/Berlin", "0,30 2 * * *", "2026-03-29", vec!["2026-03-29T01:00:00Z"]),
        // Back at 03:00, 02:00 and 02:00 (by half an hour).
        ("Europe/Berlin", "30 2 * * *", "2026-10-25", vec!["2026-10-25T00:30:00Z"]),
        ("America/New_York", "30 1 * * *", "2026-11-01", vec!["2026-11-01T05:30:00Z"]),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04", vec!["2026-04-04T14:45:00Z"]),
    ] {
        let (from, until) = (format!("{day}T00:00:00Z"), at(&format!("{day}T00:00:00Z")));
        let until = until.checked_add(SignedDuration::from_hours(23)).unwrap().to_string();
        let zone = time_zone(zone).unwrap();
        assert_eq!(instants(&cron(expression), &zone, &from, &until), expected, "{expression}");
    }
}

#[test]
fn every_hour_means_real_hours() {
    for (zone, day, next, hours) in [
        ("Europe/Berlin", "2026-03-29", "2026-03-30", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-26", 25),
        ("America/New_York", "2026-11-01", "2026-11-02", 25),
        ("Europe/Berlin", "2026-05-20", "2026-05-21", 24),
    ] {
        let zone = time_zone(zone).unwrap();
        let start = |day: &str| {
            let day: jiff::civil::Date = day.parse().unwrap();
            mainstay_core::time::start_of_day(day, &zone).to_string()
        };
        let found = instants(&cron("0 * * * *"), &zone, &start(day), &start(next));
        assert_eq!(found.len(), hours, "{found:?}");
    }
}

#[test]
fn a_schedule_knows_the_one_day_of_the_week_that_it_runs_on() {
    for (text, weekday) in [
        ("0 0 * * 0", Some(Weekday::Sunday)),
        ("30 6 * * 1", Some(Weekday::Monday)),
        ("0 6,18 * * FRI", Some(Weekday::Friday)),
        ("0 0 * * *", None),
        ("0 0 * * 1-5", None),
        ("0 0 1 * *", None),
        ("*/5 * * * *", None),
    ] {
        assert_eq!(cron(text).weekday(), weekday, "{text}");
    }
}

#[test]
fn ten_days_down_are_made_up_once() {
    let berlin = time_zone("Europe/Berlin").unwrap();
    let since = at("2026-01-01T00:00:00Z");
    for job in Job::ALL {
        let schedule = cron(job.default_cron());
        let ran = schedule.latest(at("2026-05-10T12:00:00Z"), &berlin);
        let now = at("2026-05-20T12:30:00Z");
        let missed = due(&schedule, &berlin, since, ran, now).unwrap();
        assert_eq!(Some(missed), schedule.latest(now, &berlin));
        assert_eq!(due(&schedule, &berlin, since, Some(missed), now), None);
    }
}

#[test]
fn a_new_schedule_makes_up_for_nothing_before_it() {
    let utc = TimeZone::UTC;
    let monday = cron("0 8 * * 1");
    let changed = at("2026-05-19T10:00:00Z"); // a Tuesday
    assert_eq!(due(&monday, &utc, changed, None, at("2026-05-19T10:00:01Z")), None);
    let first = at("2026-05-25T08:00:00Z");
    assert_eq!(due(&monday, &utc, changed, None, first), Some(first));
}

#[test]
fn an_expression_that_cannot_be_used_is_refused_with_what_to_write() {
    for wrong in ["", "x", "* * * *", "61 * * * *", "0 0 30 2 *", "@daily", "0 0 * * 0 2030 1"] {
        let error = Schedule::parse(wrong).unwrap_err().to_string();
        assert!(error.contains("cannot be used: "), "{error}");
        assert!(error.contains("write five fields"), "{error}");
    }
    Schedule::parse(&"*,".repeat(4_000)).unwrap_err();
    assert_eq!(cron("  0   0 * *  SUN ").as_str(), "0 0 * * SUN");
}

#[test]
fn waits_between_attempts_grow_and_end() {
    let waits: Vec<i64> =
        (1..MAX_ATTEMPTS).map(|n| retry_after(n, 500).unwrap().as_secs()).collect();
    assert_eq!(waits, [10, 60, 300, 1_200, 3_600]);
    assert_eq!(retry_after(MAX_ATTEMPTS, 500), None);
    assert_eq!(retry_after(1, 0), Some(SignedDuration::from_secs(8)));
    assert_eq!(retry_after(1, 1_000), Some(SignedDuration::from_secs(12)));
}

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
];
const EXPRESSIONS: [&str; 7] = [
    "0 0 * * 0",
    "0 0 * * *",
    "0 * * * *",
    "30 2 * * *",
    "*/20 1,2 * * *",
    "15 1 1 * *",
    "*/30 * * * 1-5",
];

proptest! {
    #[test]
    fn what_comes_next_is_what_came_latest_and_nothing_lies_between(
        second in 1_262_304_000_i64..1_893_456_000,
        zone in proptest::sample::select(&ZONES),
        expression in proptest::sample::select(&EXPRESSIONS),
    ) {
        let (zone, schedule) = (time_zone(zone).unwrap(), cron(expression));
        let now = Timestamp::from_second(second).unwrap();
        let latest = schedule.latest(now, &zone).unwrap();
        let next = schedule.next(now, &zone).unwrap();
        prop_assert!(latest <= now && now < next);
        prop_assert_eq!(schedule.next(latest, &zone), Some(next));
        prop_assert_eq!(schedule.latest(next, &zone), Some(next));
        let before = next.checked_sub(SignedDuration::from_secs(1)).unwrap();
        prop_assert_eq!(schedule.latest(before, &zone), Some(latest));
    }
}
