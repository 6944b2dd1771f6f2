//! Values that mean the same in every format.

use mainstay_core::engagement::{EventError, MAX_DURATION_SECONDS};

/// The live API takes the time of arrival instead; history has none.
pub(super) fn missing_timestamp() -> EventError {
    EventError::new(
        "timestamp",
        "is missing; history cannot be placed without a time, send RFC 3339 with an offset, for \
         example 2026-05-01T09:30:00Z",
    )
}

/// Reads a duration. Neither rounds nor guesses: `1.5` and `00:01:30` are refused, and so are
/// figures that do not fit; the range of those that do is checked with the whole event.
pub(super) fn parse_duration(text: &str) -> Result<i64, EventError> {
    text.trim().parse().map_err(|_| {
        let shown = clipped(text);
        EventError::new(
            "duration_seconds",
            format!(
                "{shown:?} is not a whole number of seconds from 0 to {MAX_DURATION_SECONDS} (one \
                 day); send for example 90"
            ),
        )
    })
}

/// The start of a text, for a message of bearable length.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 40;
    text.chars().take(LONGEST).collect()
}
