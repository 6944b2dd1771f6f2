//! Calendar arithmetic in an organization's own time zone.

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

/// Looks up an IANA zone in the bundled database.
///
/// # Errors
/// With a sentence for the user when the name is unknown.
pub fn time_zone(name: &str) -> Result<TimeZone, String> {
    // jiff also accepts POSIX rules and offsets elsewhere; a tenant's zone has to be a name, because
    // it is stored with each score and must mean the same for ever.
    let zone = TimeZone::get(name).ok();
    // Both stand for "nobody knows" and would quietly count the days of UTC.
    zone.filter(|zone| !zone.is_unknown() && zone.iana_name() != Some("Factory")).ok_or_else(|| {
        format!("unknown time zone {name:?}: use an IANA name such as Europe/Berlin or UTC")
    })
}

/// The calendar day on which an instant falls in a zone: the last one that has begun.
///
/// Where clocks went back over midnight (St. John's did until 2011, a minute after it), the hour
/// before midnight comes twice. The second time counts to the day that had begun already: so a day
/// is one stretch, from its first instant to the next day's.
pub fn local_day(at: Timestamp, zone: &TimeZone) -> Date {
    const GONE_BACK_TO_HOUR: i8 = 22;
    let local = zone.to_datetime(at);
    let next = add_days(local.date(), 1);
    if local.hour() >= GONE_BACK_TO_HOUR && start_of_day(next, zone) <= at {
        next
    } else {
        local.date()
    }
}

/// The first instant of a calendar day in a zone: midnight, or the first moment after it where a
/// clock change skips midnight.
pub fn start_of_day(day: Date, zone: &TimeZone) -> Timestamp {
    day.to_zoned(zone.clone()).map_or_else(
        // Only days at the very ends of jiff's range (years −9999 and 9999) have no instant; events
        // there are refused long before.
        |_| if day.year() < 0 { Timestamp::MIN } else { Timestamp::MAX },
        |midnight| midnight.timestamp(),
    )
}

/// The same wall-clock time `days` calendar days earlier. Across a clock change such a "day" has 23
/// or 25 hours; a time that the change skipped moves on by the length of the gap, and of a time that
/// it repeated the first is taken.
pub fn days_before(at: Timestamp, days: i32, zone: &TimeZone) -> Timestamp {
    let end = if days < 0 { Timestamp::MAX } else { Timestamp::MIN };
    Span::new()
        .try_days(days)
        .and_then(|span| at.to_zoned(zone.clone()).checked_sub(span))
        .map_or(end, |moved| moved.timestamp())
}

/// Moves a calendar day by a number of days, stopping at the ends of the calendar.
pub fn add_days(day: Date, days: i32) -> Date {
    // A span is narrower than an i32, but wider than the calendar.
    let end = if days < 0 { Date::MIN } else { Date::MAX };
    Span::new().try_days(days).map_or(end, |span| day.saturating_add(span))
}

/// Whole days from one calendar day to a later one (negative when it is earlier).
pub fn days_between(from: Date, to: Date) -> i32 {
    (to - from).get_days()
}

/// Days since 1970-01-01, the form in which days are stored and packed.
pub fn epoch_day(day: Date) -> i32 {
    // Asked for with every row that is stored: an exact duration costs a fraction of a span.
    let hours = day.duration_since(Date::constant(1970, 1, 1)).as_hours();
    i32::try_from(hours / 24).unwrap_or_default()
}

/// The inverse of [`epoch_day`].
pub fn from_epoch_day(days: i32) -> Date {
    add_days(Date::constant(1970, 1, 1), days)
}

/// An instant cut to the microsecond, the precision that both databases keep.
///
/// Cutting at the door means that a figure computed before storing equals the one computed after.
pub fn to_micros(at: Timestamp) -> Timestamp {
    // Not from_microsecond(as_microsecond()): that refuses the last second jiff can tell, and a
    // client's clock may well stand there.
    Timestamp::new(at.as_second(), at.subsec_nanosecond() / 1_000 * 1_000).unwrap_or(at)
}
