use std::fmt;

use croner::{
    Cron,
    parser::{CronParser, Year},
};
use jiff::{
    SignedDuration, Timestamp,
    civil::{DateTime, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};

/// Longest expression, in bytes: one that names every minute is as long.
const MAX_BYTES: usize = 200;
/// No clock change has repeated more than a day.
const MAX_FOLD: SignedDuration = SignedDuration::from_hours(25);
/// Days on which an expression runs that are looked at to tell whether they share a weekday. Days of a
/// month fall on another weekday within a few months.
const MAX_DAYS_AHEAD: usize = 10;
/// Times looked at before giving up: more than a minute-wise expression has in two such days.
const MAX_LOOKUPS: usize = 4_000;

/// A cron expression: minute, hour, day of month, month, day of week; a field of seconds may come
/// first.
///
/// It speaks of wall-clock time. A time that a clock change skips runs at the next instant that
/// exists; one that it repeats runs once, the first time. An expression for every hour (`*` in the
/// field of hours) means real hours instead: none is skipped, and on a day of 25 hours it runs 25
/// times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    text: String,
    every_hour: bool,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot be used: {reason}; write five fields (minute, hour, day of month, month, day of week), for example 0 0 * * 0 for Sundays at midnight"
)]
pub struct ScheduleError {
    text: String,
    reason: String,
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// When it is none, or one that never comes.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let refused = |reason: &str| {
            let shown = text.chars().take(MAX_BYTES).collect();
            ScheduleError { text: shown, reason: reason.to_owned() }
        };
        if text.len() > MAX_BYTES {
            return Err(refused(&format!("it is longer than {MAX_BYTES} characters")));
        }
        let fields = text.split(' ').count();
        if !(5..=6).contains(&fields) || text.starts_with('@') {
            return Err(refused("it has another number of fields"));
        }
        let parser = CronParser::builder().year(Year::Disallowed).build();
        let cron = parser.parse(&text).map_err(|error| {
            refused(error.to_string().trim_end_matches('.').to_lowercase().as_str())
        })?;
        let hours = text.split(' ').nth(fields - 4).unwrap_or_default();
        let every_hour = hours.starts_with('*');
        // Any start will do: what does not come within a leap-year cycle from it never does.
        let start = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
        let comes = cron.find_next_occurrence(&start, true).is_ok_and(|at| at.year() < 2064);
        if !comes {
            return Err(refused("there is no such day"));
        }
        Ok(Self { cron, text, every_hour })
    }

    /// The expression, with single spaces.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Text of the reply.
    pub fn describe(&self) -> String {
        self.cron.describe()
    }

    /// The one day of the week on which it runs; `None` when it runs on several.
    pub fn weekday(&self) -> Option<Weekday> {
        let mut at = DateTime::constant(2024, 1, 1, 0, 0, 0, 0);
        let mut only = None;
        for _ in 0..MAX_DAYS_AHEAD {
            let Ok(occurrence) = self.cron.find_next_occurrence(&at, true) else { break };
            let weekday = occurrence.date().weekday();
            if only.is_some_and(|only| only != weekday) {
                return None;
            }
            only = Some(weekday);
            let Ok(tomorrow) = occurrence.date().tomorrow() else { break };
            at = tomorrow.to_datetime(jiff::civil::Time::midnight());
        }
        only
    }

    /// The latest of its instants up to `now`, which may be one itself.
    pub fn latest(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.every_hour {
            let occurrence = self.cron.find_previous_occurrence(&now.to_zoned(zone.clone()), true);
            return occurrence.ok().map(|at| whole_second(at.timestamp()));
        }
        let mut local = last_local(now, zone);
        let mut inclusive = true;
        for _ in 0..MAX_LOOKUPS {
            local = self.cron.find_previous_occurrence(&local, inclusive).ok()?;
            let at = instant(local, zone)?;
            if at <= now {
                return Some(at);
            }
            inclusive = false;
        }
        None
    }

    /// The first of its instants after `after`.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.every_hour {
            let occurrence = self.cron.find_next_occurrence(&after.to_zoned(zone.clone()), false);
            return occurrence.ok().map(|at| at.timestamp());
        }
        let mut local = zone.to_datetime(after);
        let mut inclusive = true;
        for _ in 0..MAX_LOOKUPS {
            local = self.cron.find_next_occurrence(&local, inclusive).ok()?;
            let at = instant(local, zone)?;
            if at > after {
                return Some(at);
            }
            inclusive = false;
        }
        None
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Searching backwards keeps the fraction of the second that it began at.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The first instant at which clocks show a time, or the next one that there is.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let local = local.with().subsec_nanosecond(0).build().ok()?;
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let at = ambiguous.compatible().ok()?;
    if !is_gap {
        return Some(at);
    }
    // "Compatible" is as far behind the change as the time that was asked for: the next instant that
    // exists is the change itself.
    let after = at.checked_add(SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(after).next().map(|change| change.timestamp())
}

/// The latest time that clocks have shown up to an instant: after they have gone back, they stand
/// before it for a while.
fn last_local(now: Timestamp, zone: &TimeZone) -> DateTime {
    let local = zone.to_datetime(now);
    let change = zone.preceding(now).next().map(|change| change.timestamp());
    let recent_change = change.filter(|change| now.duration_since(*change) <= MAX_FOLD);
    let before = recent_change.and_then(|at| at.checked_sub(SignedDuration::from_secs(1)).ok());
    before.map_or(local, |before| local.max(zone.to_datetime(before)))
}
