//! Dates, signs and lists as they stand in sentences for clients and staff.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    text::{format_points, format_thousands},
    time::{days_between, local_day},
};

/// `+6`, `−3`, `0`.
pub fn format_signed(number: i64) -> String {
    format_with_plus(number, format_thousands(number))
}

/// Hundredths of a point with their sign: `+4.50`, `−17.00`.
pub fn format_signed_points(hundredths: i64) -> String {
    format_with_plus(hundredths, format_points(hundredths))
}

fn format_with_plus(number: i64, text: String) -> String {
    if number > 0 { format!("+{text}") } else { text }
}

/// `1st`, `2nd`, `11th`.
pub fn format_ordinal(number: i64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{}{ending}", format_thousands(number))
}

/// `a`, `a and b`, `a, b and c`.
pub fn join_with_and(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

/// `15 Nov`, read around `today`.
pub fn format_day(day: Date, today: Date) -> String {
    day.strftime(if needs_year(day, today) { "%-d %b %Y" } else { "%-d %b" }).to_string()
}

/// The local day of an instant: `15 Nov`.
pub fn format_local_day(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    format_day(local_day(at, zone), local_day(now, zone))
}

/// `Tue 17 Nov, 08:14` in local time.
pub fn format_instant(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let local = zone.to_datetime(at);
    let pattern = if needs_year(local.date(), local_day(now, zone)) {
        "%a %-d %b %Y, %H:%M"
    } else {
        "%a %-d %b, %H:%M"
    };
    local.strftime(pattern).to_string()
}

/// Within half a year "30 Dec" can only be one day; the change of the year in between is no reason
/// to spell it out.
fn needs_year(day: Date, today: Date) -> bool {
    days_between(day, today).abs() > 180
}
