use jiff::{Timestamp, civil::DateTime, fmt::strtime, tz::TimeZone};
use mainstay_core::engagement::{EventError, parse_timestamp};

use super::{DateFormat, ImportOptions, values::excerpt};

/// The parser of times in a CSV file.
pub(super) struct Times {
    zone: Option<TimeZone>,
    format: Option<DateFormat>,
}

impl Times {
    pub(super) fn new(options: &ImportOptions) -> Self {
        Self { zone: options.time_zone.clone(), format: options.date_format.clone() }
    }

    /// Parses a time; also returns whether it had no offset and the time zone was used.
    ///
    /// Never guesses whether the day or the month comes first: `03/04/2026` requires
    /// `--date-format`.
    pub(super) fn read(&self, cell: &str) -> Result<(Timestamp, bool), EventError> {
        let text = cell.trim();
        if let Ok(at) = parse_timestamp("timestamp", text) {
            return Ok((at, false));
        }
        if let Some(DateFormat(format)) = &self.format {
            let parsed = strtime::parse(format, text).map_err(|_| format_mismatch(text, format))?;
            if let Ok(at) = parsed.to_timestamp() {
                return Ok((at, false));
            }
            let date = parsed.to_date().map_err(|_| format_mismatch(text, format))?;
            // A format without hours means the start of the day.
            let time = parsed.to_time().unwrap_or_default();
            return self.in_zone(date.to_datetime(time), text);
        }
        match text.parse::<DateTime>() {
            // With an offset that cannot be used, as one that is no UTC offset at all.
            Ok(local) if !text.ends_with(['Z', 'z', ']']) => self.in_zone(local, text),
            _ => Err(unreadable_time(text)),
        }
    }

    fn in_zone(&self, local: DateTime, text: &str) -> Result<(Timestamp, bool), EventError> {
        let zone = self.zone.as_ref().ok_or_else(|| unreadable_time(text))?;
        let at = zone.to_timestamp(local).map_err(|_| unreadable_time(text))?;
        Ok((at, true))
    }
}

fn format_mismatch(text: &str, format: &str) -> EventError {
    let shown = excerpt(text);
    EventError::new(
        "timestamp",
        format!("{shown:?} does not match --date-format {format:?}; change one of them"),
    )
}

/// The error for an invalid time, with a remedy for ambiguous dates.
fn unreadable_time(text: &str) -> EventError {
    let shown = excerpt(text);
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let local = numbers.clone().count() >= 3
        && numbers.clone().next().is_some_and(|first| first.len() <= 2);
    if local {
        return EventError::new(
            "timestamp",
            format!(
                "{shown:?} is ambiguous: the day or the month may come first; set the format of \
                 times: --date-format \"%d.%m.%Y %H:%M\" or --date-format \"%m/%d/%Y %H:%M\""
            ),
        );
    }
    parse_timestamp("timestamp", text).map_or_else(
        |error| error,
        |_| EventError::new("timestamp", format!("{shown:?} is not a valid time")),
    )
}
