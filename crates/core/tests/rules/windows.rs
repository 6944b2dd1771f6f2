//! Days and weeks in an organization's zone, against instants worked by hand, and the rhythm of a
//! client's active days.
//!
//! Clock changes of 2026 that the tables use:
//!
//! | zone | forward | back |
//! |---|---|---|
//! | Europe/Berlin | 03-29 02:00 → 03:00 (01:00Z) | 10-25 03:00 → 02:00 (01:00Z) |
//! | America/New_York | 03-08 02:00 → 03:00 (07:00Z) | 11-01 02:00 → 01:00 (06:00Z) |
//! | Australia/Lord_Howe | 10-04 02:00 → 02:30 (10-03 15:30Z) | 04-05 02:00 → 01:30 (04-04 15:00Z) |
//! | America/Santiago | 09-06 00:00 → 01:00 (04:00Z) | 04-05 00:00 → 04-04 23:00 (03:00Z) |
//! | Asia/Beirut | 03-29 00:00 → 01:00 (03-28 22:00Z) | 10-25 00:00 → 10-24 23:00 (10-24 21:00Z) |
//! | America/Havana | | 2022-11-06 01:00 → 00:00 (05:00Z) |
//! | Asia/Kathmandu | never, always +05:45 | |

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
};
use mainstay_core::{
    engagement::{Rhythm, Windows},
    time::{
        add_days, days_before, days_between, epoch_day, from_epoch_day, local_day, start_of_day,
        time_zone, to_micros,
    },
};
use proptest::prelude::*;

use super::score::at;

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Santiago",
    "Asia/Beirut",
    "America/Havana",
    "Pacific/Apia",
];

fn windows(as_of: &str, zone: &str) -> Windows {
    Windows::at(at(as_of), time_zone(zone).expect("a zone of the test"))
}

fn day(text: &str) -> Date {
    text.parse().expect("a day of the test")
}

/// Zone, `as_of`, start of this week, start of last week, and why it is here.
const WEEKS: [(&str, &str, &str, &str, &str); 18] = [
    (
        "Europe/Berlin",
        "2026-03-31T22:00:00Z", // 1 April 00:00 +02:00
        "2026-03-24T23:00:00Z",
        "2026-03-17T23:00:00Z",
        "spring: this week has 167 hours",
    ),
    (
        "Europe/Berlin",
        "2026-04-07T10:00:00Z", // 12:00 +02:00
        "2026-03-31T10:00:00Z",
        "2026-03-24T11:00:00Z",
        "spring: last week has 167 hours",
    ),
    (
        "Europe/Berlin",
        "2026-10-27T23:00:00Z", // 28 October 00:00 +01:00
        "2026-10-20T22:00:00Z",
        "2026-10-13T22:00:00Z",
        "autumn: this week has 169 hours",
    ),
    (
        "Europe/Berlin",
        "2026-04-05T00:30:00Z", // 02:30 +02:00
        "2026-03-29T01:30:00Z", // 02:30 is skipped, 03:30 +02:00
        "2026-03-22T01:30:00Z", // 02:30 +01:00
        "a week ago lies in the skipped hour",
    ),
    (
        "Europe/Berlin",
        "2026-11-01T01:30:00Z", // 02:30 +01:00
        "2026-10-25T00:30:00Z", // 02:30 +02:00, the first of the two
        "2026-10-18T00:30:00Z",
        "a week ago lies in the repeated hour",
    ),
    (
        "Europe/Berlin",
        "2026-10-25T00:30:00Z", // the first 02:30
        "2026-10-18T00:30:00Z",
        "2026-10-11T00:30:00Z",
        "as_of lies in the repeated hour, first time",
    ),
    (
        "Europe/Berlin",
        "2026-10-25T01:30:00Z", // the second 02:30
        "2026-10-18T00:30:00Z",
        "2026-10-11T00:30:00Z",
        "as_of lies in the repeated hour, second time",
    ),
    (
        "Europe/Berlin",
        "2026-03-29T01:00:00Z", // the first instant after the skipped hour: 03:00 +02:00
        "2026-03-22T02:00:00Z",
        "2026-03-15T02:00:00Z",
        "as_of ends the skipped hour",
    ),
    (
        "Europe/Berlin",
        "2026-03-29T00:59:59.999999Z", // the last instant before it
        "2026-03-22T00:59:59.999999Z",
        "2026-03-15T00:59:59.999999Z",
        "as_of begins the skipped hour",
    ),
    (
        "America/New_York",
        "2026-03-11T04:00:00Z", // 00:00 −04:00
        "2026-03-04T05:00:00Z",
        "2026-02-25T05:00:00Z",
        "spring",
    ),
    (
        "America/New_York",
        "2026-11-04T05:00:00Z", // 00:00 −05:00
        "2026-10-28T04:00:00Z",
        "2026-10-21T04:00:00Z",
        "autumn",
    ),
    (
        "Australia/Lord_Howe",
        "2026-10-06T13:00:00Z", // 7 October 00:00 +11:00
        "2026-09-29T13:30:00Z", // 30 September 00:00 +10:30
        "2026-09-22T13:30:00Z",
        "spring: half an hour",
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-07T13:30:00Z", // 8 April 00:00 +10:30
        "2026-03-31T13:00:00Z", // 1 April 00:00 +11:00
        "2026-03-24T13:00:00Z",
        "autumn: half an hour",
    ),
    (
        "Asia/Kathmandu",
        "2026-03-31T18:15:00Z", // 1 April 00:00 +05:45
        "2026-03-24T18:15:00Z",
        "2026-03-17T18:15:00Z",
        "never changes",
    ),
    (
        "America/Santiago",
        "2026-09-13T03:00:00Z", // 00:00 −03:00
        "2026-09-06T04:00:00Z", // 00:00 is skipped, 01:00 −03:00
        "2026-08-30T04:00:00Z", // 00:00 −04:00
        "the midnight a week ago does not exist",
    ),
    (
        "America/Santiago",
        "2026-09-06T04:00:00Z", // 01:00 −03:00, the first instant of that Sunday
        "2026-08-30T05:00:00Z", // 01:00 −04:00
        "2026-08-23T05:00:00Z",
        "as_of is a day without a midnight",
    ),
    (
        "Asia/Beirut",
        "2026-04-04T21:00:00Z", // 5 April 00:00 +03:00
        "2026-03-28T22:00:00Z", // 29 March 01:00 +03:00
        "2026-03-21T22:00:00Z", // 22 March 00:00 +02:00
        "the midnight a week ago does not exist",
    ),
    (
        "Pacific/Apia",
        "2012-01-05T10:00:00Z", // 6 January 00:00 +14:00
        "2011-12-30T10:00:00Z", // 30 December was skipped whole: 31 December 00:00 +14:00
        "2011-12-23T10:00:00Z", // 23 December 00:00 −10:00
        "the day a week ago does not exist",
    ),
];

#[test]
fn weeks_are_seven_calendar_days_long_in_every_zone() {
    for (zone, as_of, this_week, last_week, why) in WEEKS {
        let windows = windows(as_of, zone);
        assert_eq!(windows.as_of, at(as_of));
        assert_eq!(windows.this_week, at(this_week), "{zone}, {why}");
        assert_eq!(windows.last_week, at(last_week), "{zone}, {why}");
    }
}

#[test]
fn an_instant_falls_on_the_day_of_the_zone() {
    let table = [
        ("UTC", "2026-03-29T23:59:59.999999Z", "2026-03-29"),
        ("Europe/Berlin", "2026-03-28T22:59:59.999999Z", "2026-03-28"),
        ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T21:59:59.999999Z", "2026-03-29"),
        ("Europe/Berlin", "2026-03-29T22:00:00Z", "2026-03-30"),
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25"),
        ("Europe/Berlin", "2026-10-25T22:59:59.999999Z", "2026-10-25"),
        ("Europe/Berlin", "2026-10-25T23:00:00Z", "2026-10-26"),
        ("America/New_York", "2026-03-08T04:59:59.999999Z", "2026-03-07"),
        ("America/New_York", "2026-03-08T05:00:00Z", "2026-03-08"),
        ("America/New_York", "2026-03-09T03:59:59.999999Z", "2026-03-08"),
        ("America/New_York", "2026-11-01T04:00:00Z", "2026-11-01"),
        ("America/New_York", "2026-11-02T04:59:59.999999Z", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-10-03T13:29:59.999999Z", "2026-10-03"),
        ("Australia/Lord_Howe", "2026-10-03T13:30:00Z", "2026-10-04"),
        ("Australia/Lord_Howe", "2026-10-04T12:59:59.999999Z", "2026-10-04"),
        ("Australia/Lord_Howe", "2026-10-04T13:00:00Z", "2026-10-05"),
        ("Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-04-05T13:29:59.999999Z", "2026-04-05"),
        ("Asia/Kathmandu", "2026-03-28T18:14:59.999999Z", "2026-03-28"),
        ("Asia/Kathmandu", "2026-03-28T18:15:00Z", "2026-03-29"),
        // 23:59:59 the first time, 23:00 the second time, then Sunday.
        ("America/Santiago", "2026-04-05T02:59:59.999999Z", "2026-04-04"),
        ("America/Santiago", "2026-04-05T03:00:00Z", "2026-04-04"),
        ("America/Santiago", "2026-04-05T03:59:59.999999Z", "2026-04-04"),
        ("America/Santiago", "2026-04-05T04:00:00Z", "2026-04-05"),
        // 23:59:59, then 01:00.
        ("America/Santiago", "2026-09-06T03:59:59.999999Z", "2026-09-05"),
        ("America/Santiago", "2026-09-06T04:00:00Z", "2026-09-06"),
        ("Pacific/Apia", "2011-12-30T09:59:59.999999Z", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
    ];
    for (zone, instant, expected) in table {
        let tz = time_zone(zone).expect("a zone of the test");
        assert_eq!(local_day(at(instant), &tz), day(expected), "{zone}, {instant}");
        assert_eq!(windows(instant, zone).day_of(at(instant)), day(expected));
    }
}

#[test]
fn a_day_begins_at_midnight_or_right_after_the_midnight_that_was_skipped() {
    // (zone, day, its first instant, its length in minutes)
    let table = [
        ("UTC", "2026-03-29", "2026-03-29T00:00:00Z", 1_440),
        ("Europe/Berlin", "2026-03-28", "2026-03-27T23:00:00Z", 1_440),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", 1_380),
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00:00Z", 1_440),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", 1_500),
        ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00:00Z", 1_440),
        ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", 1_380),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", 1_500),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30:00Z", 1_410),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00:00Z", 1_470),
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28T18:15:00Z", 1_440),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z", 1_380),
        ("America/Santiago", "2026-04-04", "2026-04-04T03:00:00Z", 1_500),
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00:00Z", 1_440),
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00:00Z", 1_380),
        ("Asia/Beirut", "2026-10-24", "2026-10-23T21:00:00Z", 1_500),
        // Havana repeats the hour from midnight to one: the day begins with the first of them.
        ("America/Havana", "2022-11-06", "2022-11-06T04:00:00Z", 1_500),
        // 23:30 → 00:00: the last half hour of a day is skipped.
        ("Asia/Pyongyang", "2018-05-04", "2018-05-03T15:30:00Z", 1_410),
        ("Asia/Pyongyang", "2018-05-05", "2018-05-04T15:00:00Z", 1_440),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", 1_440),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", 1_440),
    ];
    for (zone, civil, start, minutes) in table {
        let tz = time_zone(zone).expect("a zone of the test");
        let civil = day(civil);
        let (begins, ends) = (start_of_day(civil, &tz), start_of_day(add_days(civil, 1), &tz));
        assert_eq!(begins, at(start), "{zone}, {civil}");
        assert_eq!(ends.duration_since(begins).as_secs(), minutes * 60, "{zone}, {civil}");
    }
}

#[test]
fn around_every_clock_change_of_every_zone_days_follow_each_other_without_a_gap() {
    // Until November 2010 three Canadian zones fell back a minute past midnight, so that an hour of
    // Saturday came after the first minute of Sunday: no start and end can tell such days.
    let since = at("2010-12-01T00:00:00Z");
    let until = at("2050-01-01T00:00:00Z");
    let skipped = date(2011, 12, 30); // in Apia and Fakaofo
    let micro = 1.microsecond();
    let mut days = 0;
    for name in jiff::tz::db().available() {
        let Ok(zone) = time_zone(name.as_str()) else {
            continue;
        };
        let changes = zone.following(since).map(|change| change.timestamp());
        for change in changes.take_while(|change| *change < until) {
            let around = local_day(change, &zone);
            for civil in (-2..=2).map(|offset| add_days(around, offset)) {
                let start = start_of_day(civil, &zone);
                let end = start_of_day(add_days(civil, 1), &zone);
                let exists = local_day(start, &zone) == civil;
                assert!(exists || civil == skipped && start == end, "{}: {civil}", name.as_str());
                assert!(local_day(start - micro, &zone) < civil, "{}: {civil}", name.as_str());
                assert!(!exists || local_day(end - micro, &zone) == civil);
                days += 1;
            }
        }
    }
    assert!(days > 10_000, "the bundled database has every zone, and not only {days} days");
}

#[test]
fn a_window_cuts_the_days_in_which_its_edges_lie() {
    // (zone, as_of, days cut)
    let table: [(&str, &str, &[&str], &str); 13] = [
        ("UTC", "2026-05-20T00:00:00Z", &[], "midnight"),
        (
            "UTC",
            "2026-05-20T00:00:00.000001Z",
            &["2026-05-06", "2026-05-13", "2026-05-20"],
            "a microsecond later",
        ),
        (
            "Europe/Berlin",
            "2026-05-20T10:00:00Z",
            &["2026-05-06", "2026-05-13", "2026-05-20"],
            "noon",
        ),
        ("Europe/Berlin", "2026-05-19T22:00:00Z", &[], "midnight in Berlin"),
        (
            "Europe/Berlin",
            "2026-05-20T00:00:00Z",
            &["2026-05-06", "2026-05-13", "2026-05-20"],
            "midnight in London is two o'clock in Berlin",
        ),
        ("Europe/Berlin", "2026-03-31T22:00:00Z", &[], "midnight after the spring change"),
        ("Europe/Berlin", "2026-10-27T23:00:00Z", &[], "midnight after the autumn change"),
        (
            "Europe/Berlin",
            "2026-10-25T01:30:00Z",
            &["2026-10-11", "2026-10-18", "2026-10-25"],
            "as_of in the repeated hour",
        ),
        (
            "Europe/Berlin",
            "2026-04-05T00:30:00Z",
            &["2026-03-22", "2026-03-29", "2026-04-05"],
            "a week ago in the skipped hour",
        ),
        (
            "America/Santiago",
            "2026-09-13T03:00:00Z",
            &[],
            "the midnight a week ago was skipped, and the day began an hour later",
        ),
        (
            "America/Santiago",
            "2026-09-06T04:00:00Z",
            &["2026-08-23", "2026-08-30"],
            "today began at one o'clock, the days a week and two ago at midnight",
        ),
        (
            "America/Havana",
            "2022-11-06T05:00:00Z",
            &["2022-11-06"],
            "a second midnight cuts its day, the only ones a week and two before cut nothing",
        ),
        ("Pacific/Apia", "2012-01-05T10:00:00Z", &[], "the day a week ago does not exist"),
    ];
    for (zone, as_of, expected, why) in table {
        let expected: Vec<_> = expected.iter().map(|text| day(text)).collect();
        assert_eq!(windows(as_of, zone).partial_days(), expected, "{zone}, {why}");
    }
}

#[test]
fn an_instant_is_cut_to_the_microsecond_that_the_databases_keep() {
    assert_eq!(to_micros(at("2026-05-20T00:00:00.123456789Z")), at("2026-05-20T00:00:00.123456Z"));
    assert_eq!(to_micros(at("2026-05-20T00:00:00.000000999Z")), at("2026-05-20T00:00:00Z"));
    assert_eq!(to_micros(Timestamp::MAX), at("9999-12-30T22:00:00.999999Z"));
    assert_eq!(to_micros(Timestamp::MIN), Timestamp::MIN);
    // Otherwise an event in the microsecond of as_of would count now and not when recomputed.
    assert_eq!(windows("2026-05-20T00:00:00.000000999Z", "UTC").as_of, at("2026-05-20T00:00:00Z"));
}

#[test]
fn a_zone_is_an_iana_name_and_nothing_else() {
    for name in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Argentina/ComodRivadavia"] {
        assert_eq!(time_zone(name).expect("a zone").iana_name(), Some(name));
    }
    for name in ["", " ", "Europe/Atlantis", "+02:00", "EST5EDT4,M3.2.0,M11.1.0", "local", "\0"] {
        let refused = time_zone(name).expect_err("not a zone");
        assert_eq!(
            refused,
            format!("unknown time zone {name:?}: use an IANA name such as Europe/Berlin or UTC")
        );
    }
    // Names for "I do not know" would quietly count UTC days.
    for name in ["Etc/Unknown", "Factory"] {
        assert!(time_zone(name).is_err(), "{name}");
    }
}

#[test]
fn days_are_counted_from_1970() {
    let table =
        [("1970-01-01", 0), ("1969-12-31", -1), ("2000-01-01", 10_957), ("2026-05-20", 20_593)];
    for (civil, number) in table {
        assert_eq!(epoch_day(day(civil)), number);
        assert_eq!(from_epoch_day(number), day(civil));
    }
    assert_eq!(days_between(day("2026-02-27"), day("2026-03-01")), 2);
    assert_eq!(days_between(day("2026-03-01"), day("2026-02-27")), -2);
    assert_eq!(days_between(day("2026-01-01"), day("2028-01-01")), 730);
    assert_eq!(add_days(day("2024-02-28"), 1), day("2024-02-29"));
    assert_eq!(add_days(day("2026-03-01"), -1), day("2026-02-28"));
}

#[test]
fn calendar_arithmetic_stops_at_the_ends_of_the_calendar() {
    let zone = time_zone("Europe/Berlin").expect("a zone of the test");
    assert_eq!(add_days(Date::MAX, 1), Date::MAX);
    assert_eq!(add_days(Date::MIN, -1), Date::MIN);
    assert_eq!(add_days(day("2026-05-20"), i32::MAX), Date::MAX);
    assert_eq!(add_days(day("2026-05-20"), i32::MIN), Date::MIN);
    assert_eq!(from_epoch_day(i32::MAX), Date::MAX);
    assert_eq!(from_epoch_day(i32::MIN), Date::MIN);
    assert_eq!(days_before(at("2026-05-20T00:00:00Z"), i32::MAX, &zone), Timestamp::MIN);
    assert_eq!(days_before(at("2026-05-20T00:00:00Z"), i32::MIN, &zone), Timestamp::MAX);
    assert_eq!(days_before(Timestamp::MIN, 7, &zone), Timestamp::MIN);
    assert!(start_of_day(Date::MIN, &zone) <= start_of_day(add_days(Date::MIN, 2), &zone));
    assert!(start_of_day(Date::MAX, &zone) >= start_of_day(add_days(Date::MAX, -2), &zone));
}

#[test]
fn the_usual_gap_is_the_median_of_the_distances_between_active_days() {
    let table: [(&[&str], Option<i32>, &str); 8] = [
        (&[], None, "never active"),
        (&["2026-05-01", "2026-05-02", "2026-05-03"], None, "three days are no habit"),
        (&["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-03"], None, "nor is one day twice"),
        (&["2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04"], Some(1), "daily"),
        // Gaps 1, 4, 9.
        (&["2026-05-01", "2026-05-02", "2026-05-06", "2026-05-15"], Some(4), "the middle one"),
        // Gaps 1, 2, 5, 9: the upper of the two middle ones.
        (
            &["2026-05-01", "2026-05-02", "2026-05-04", "2026-05-09", "2026-05-18"],
            Some(5),
            "the upper middle one",
        ),
        // Gaps 7, 7, 90, 7, 7.
        (
            &["2026-01-01", "2026-01-08", "2026-01-15", "2026-04-15", "2026-04-22", "2026-04-29"],
            Some(7),
            "a long holiday does not change a weekly habit",
        ),
        // Across February and a clock change, in calendar days.
        (&["2026-02-22", "2026-03-01", "2026-03-08", "2026-03-15"], Some(7), "weekly"),
    ];
    for (days, expected, why) in table {
        let rhythm: Rhythm = days.iter().map(|text| day(text)).collect();
        assert_eq!(rhythm.usual_gap_days(), expected, "{why}");
    }
}

#[test]
fn a_rhythm_remembers_the_latest_31_days() {
    let first = date(2026, 1, 1);
    // A month of weekly use long ago, then 31 days in a row: the weeks are forgotten.
    let weekly = (0..4).map(|week| add_days(first, week * 7));
    let daily = (0..31).map(|offset| add_days(first, 100 + offset));
    let rhythm: Rhythm = weekly.clone().chain(daily).collect();
    assert_eq!(Rhythm::MAX_DAYS, 31);
    assert_eq!(rhythm.days().count(), 31);
    assert_eq!(rhythm.days().next(), Some(add_days(first, 100)));
    assert_eq!(rhythm.usual_gap_days(), Some(1));
    // One day fewer, and one of them is still known.
    let rhythm: Rhythm =
        (0..30).map(|offset| add_days(first, 100 + offset)).chain(weekly).collect();
    assert_eq!(rhythm.days().next(), Some(add_days(first, 21)));
}

fn instants() -> impl Strategy<Value = Timestamp> {
    // 2000 to 2050, in microseconds.
    (946_684_800_000_000_i64..2_524_608_000_000_000)
        .prop_map(|micros| Timestamp::from_microsecond(micros).expect("between 2000 and 2050"))
}

fn zones() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(ZONES.as_slice())
}

proptest! {
    #[test]
    fn windows_are_in_order_and_about_a_week_long(as_of in instants(), zone in zones()) {
        let tz = time_zone(zone).expect("a zone of the test");
        let windows = Windows::at(as_of, tz.clone());
        prop_assert!(windows.last_week < windows.this_week);
        prop_assert!(windows.this_week < windows.as_of);
        for (from, to) in [(windows.last_week, windows.this_week), (windows.this_week, as_of)] {
            let hours = to.duration_since(from).as_secs() / 3_600;
            // Apia's week without a Friday has 144 hours.
            prop_assert!((166..=169).contains(&hours) || hours >= 143 && zone == "Pacific/Apia");
        }
        prop_assert_eq!(windows.this_week, days_before(as_of, 7, &tz));
        prop_assert_eq!(windows.last_week, days_before(as_of, 14, &tz));
    }

    /// What `partial_days` is for: every other day lies on one side of each edge.
    #[test]
    fn a_day_that_is_not_cut_lies_whole_inside_or_outside(as_of in instants(), zone in zones()) {
        let tz = time_zone(zone).expect("a zone of the test");
        let windows = Windows::at(as_of, tz.clone());
        let cut = windows.partial_days();
        prop_assert!(cut.len() <= 3);
        prop_assert!(cut.is_sorted());
        for offset in -16..=1 {
            let civil = add_days(local_day(as_of, &tz), offset);
            let (start, end) = (start_of_day(civil, &tz), start_of_day(add_days(civil, 1), &tz));
            let edges = [windows.last_week, windows.this_week, windows.as_of];
            let split = edges.iter().any(|edge| start < *edge && *edge < end);
            prop_assert_eq!(split, cut.contains(&civil), "{}", civil);
        }
    }

    #[test]
    fn a_midnight_cuts_no_day_unless_a_midnight_is_missing(
        offset in 0..18_000_i32,
        zone in zones(),
    ) {
        let tz = time_zone(zone).expect("a zone of the test");
        let windows = Windows::at(start_of_day(add_days(date(2000, 1, 1), offset), &tz), tz);
        let missing = ["America/Santiago", "Asia/Beirut", "America/Havana", "Pacific/Apia"];
        prop_assert!(windows.partial_days().is_empty() || missing.contains(&zone));
    }

    #[test]
    fn a_rhythm_is_the_same_in_whatever_order_days_arrive(
        mut days in proptest::collection::vec(0..400_i32, 0..80),
        order in any::<u64>(),
    ) {
        let rhythm: Rhythm = days.iter().map(|day| from_epoch_day(20_000 + day)).collect();
        // A cheap shuffle that the seed decides.
        days.sort_by_key(|day| (u64::from(day.unsigned_abs()) ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled: Rhythm = days.iter().map(|day| from_epoch_day(20_000 + day)).collect();
        prop_assert_eq!(&shuffled, &rhythm);

        days.sort_unstable();
        days.dedup();
        let latest = &days[days.len().saturating_sub(Rhythm::MAX_DAYS)..];
        let kept: Vec<_> = rhythm.days().map(|day| epoch_day(day) - 20_000).collect();
        prop_assert_eq!(&kept, latest);

        let mut gaps: Vec<_> = latest.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        let usual = (latest.len() >= 4).then(|| gaps[gaps.len() / 2]);
        prop_assert_eq!(rhythm.usual_gap_days(), usual);
    }
}

#[test]
fn a_day_begins_once_where_clocks_go_back_over_midnight() {
    // St. John's, 2010-11-07: at 00:01 (02:31 UTC) clocks went back to 23:01 of the 6th.
    let zone = time_zone("America/St_Johns").unwrap();
    for (instant, expected) in [
        ("2010-11-07T02:29:59Z", "2010-11-06"),
        ("2010-11-07T02:30:30Z", "2010-11-07"),
        ("2010-11-07T03:00:00Z", "2010-11-07"),
        ("2010-11-07T03:30:00Z", "2010-11-07"),
        ("2010-11-07T03:40:00Z", "2010-11-07"),
        ("2010-11-08T03:29:59Z", "2010-11-07"),
        ("2010-11-08T03:30:00Z", "2010-11-08"),
    ] {
        let instant = at(instant);
        let day = local_day(instant, &zone);
        assert_eq!(day.to_string(), expected, "{instant}");
        let (start, next) = (start_of_day(day, &zone), start_of_day(add_days(day, 1), &zone));
        assert!(start <= instant && instant < next, "{instant} is outside of its day");
    }
}
