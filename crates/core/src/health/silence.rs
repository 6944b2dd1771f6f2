use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{AlertType, Finding};
use crate::time::days_before;

/// Hours without an event from any client after which the data, not the clients, are silent.
const SILENT_HOURS: i64 = 6;
/// Weeks before in which the same hours are looked at.
const WEEKS: i32 = 4;

/// A stretch of time, from its first instant to the one after its last.
pub type Stretch = (Timestamp, Timestamp);

/// The last hours before an instant, and the same hours of the weeks before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentHours {
    /// The last six hours.
    pub now: Stretch,
    /// The same by the clock on the wall, one to four weeks earlier.
    pub before: Vec<Stretch>,
}

impl SilentHours {
    /// The hours that decide at an instant, in an organization's zone.
    pub fn at(as_of: Timestamp, zone: &TimeZone) -> Self {
        let from = as_of.checked_sub(SILENT_HOURS.hours()).unwrap_or(Timestamp::MIN);
        let earlier = |at, weeks| days_before(at, 7 * weeks, zone);
        Self {
            now: (from, as_of),
            before: (1..=WEEKS)
                .map(|weeks| (earlier(from, weeks), earlier(as_of, weeks)))
                .collect(),
        }
    }
}

/// Whether the data are silent: nothing came now, and something did in the same hours of each of the
/// weeks before. One week without, a holiday or the beginning of all data, and nobody can tell.
pub fn data_are_silent(some_now: bool, some_before: &[bool]) -> bool {
    !some_now && !some_before.is_empty() && some_before.iter().all(|some| *some)
}

/// Whether an alert that opens during a silence of the data is held: all that it says of the client is
/// that nothing came.
pub const fn is_held_in_silence(finding: &Finding) -> bool {
    matches!(finding.kind, AlertType::Inactivity | AlertType::ZeroActivity) || finding.by_silence
}
