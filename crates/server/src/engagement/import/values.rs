//! Values that are common to all formats.

use mainstay_core::engagement::{EventError, MAX_DURATION_SECONDS};

/// The live API uses the time of arrival instead, which history does not have.
pub(super) fn missing_timestamp() -> EventError {
    EventError::new(
        "timestamp",
        "is missing; history cannot be placed without a time, send RFC 3339 with an offset, for \
         example 2026-05-01T09:30:00Z",
    )
}

/// Parses a duration without rounding or guessing: `1.5`, `00:01:30` and overflows are rejected;
/// the range is checked with the whole event.
pub(super) fn parse_duration(text: &str) -> Result<i64, EventError> {
    text.trim().parse().map_err(|_| {
        let shown = excerpt(text);
        EventError::new(
            "duration_seconds",
            format!(
                "{shown:?} is not a whole number of seconds from 0 to {MAX_DURATION_SECONDS} (one \
                 day); send for example 90"
            ),
        )
    })
}

/// The start of a text, truncated for a message.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    text.chars().take(MAX_CHARS).collect()
}
