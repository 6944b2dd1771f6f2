//! When the events of one local day happened, as `daily_activity` keeps it.
//!
//! Fixed-width digits that are put one after another: adding events to a day is concatenation, which
//! both databases do without reading what is there.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::time::{add_days, start_of_day};

/// Digits of an instant: 2^40 µs are twelve days, and a local day ends within three of where it is
/// counted from.
pub(crate) const DIGITS: usize = 10;

/// What a day's instants are counted from: the day before began then in UTC. No zone is that far
/// ahead, so that none of them is negative.
pub(crate) fn counted_from(day: Date) -> Timestamp {
    start_of_day(add_days(day, -1), &TimeZone::UTC)
}

/// Adds an instant to a day's.
pub(crate) fn push(instants: &mut String, day: Date, at: Timestamp) {
    let offset = at.as_microsecond() - counted_from(day).as_microsecond();
    // Writing to a String cannot fail.
    let _ = write!(instants, "{offset:0DIGITS$x}");
}

/// A day's instants, in no order. What cannot be read as one is left out.
pub(crate) fn of(day: Date, instants: &str) -> impl Iterator<Item = Timestamp> {
    let from = counted_from(day).as_microsecond();
    instants.as_bytes().chunks(DIGITS).filter_map(move |digits| {
        let offset = i64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Timestamp::from_microsecond(from + offset).ok()
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_edges_of_days_in_every_zone_are_read_as_they_were_written() {
        let day = date(2026, 3, 29);
        let (mut text, mut written) = (String::new(), Vec::new());
        for at in
            ["2026-03-28T10:00:00Z", "2026-03-29T12:00:00.000001Z", "2026-03-30T11:59:59.999999Z"]
        {
            let at: Timestamp = at.parse().unwrap();
            push(&mut text, day, at);
            written.push(at);
        }
        assert_eq!(text.len(), 3 * DIGITS);
        assert_eq!(of(day, &text).collect::<Vec<_>>(), written);
    }
}
