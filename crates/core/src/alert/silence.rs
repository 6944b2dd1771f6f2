//! Whether the data, rather than the clients, are silent.
//!
//! Evidence of absence is none where the reason for the absence is known. Two things tell it: no event
//! at all for some hours, and fewer than half of the clients that usually come on such a day. Both
//! compare with the same time of four earlier weeks, so that neither nights nor weekends look like it.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::time::{add_days, days_before, local_day};

/// Hours without an event after which the data, not the clients, are silent.
const SILENT_HOURS: i64 = 6;
/// Earlier weeks that are compared with.
const WEEKS: i32 = 4;
/// Days of an organization on which fewer clients than this come say nothing about its data.
const MIN_USUAL_CLIENTS: i64 = 5;
/// After a silence of this length, what came during it is what is usual.
const NEW_NORMAL_AFTER: SignedDuration = SignedDuration::from_hours(24 * 7 * WEEKS as i64);
/// What a client is given at least to come back after a silence of the data: 24 hours.
pub const MIN_TIME_TO_RETURN: SignedDuration = SignedDuration::from_hours(24);

/// A stretch of time, from its first instant to the one after its last.
pub type TimeRange = (Timestamp, Timestamp);

/// The last hours before an instant, and the same hours of earlier weeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentHours {
    /// The last six hours.
    pub now: TimeRange,
    /// The same wall-clock hours of the four latest weeks that do not overlap an ongoing silence.
    pub before: Vec<TimeRange>,
}

impl SilentHours {
    /// The hours that decide at an instant, in an organization's zone. `since` is when a silence that
    /// lasts began.
    pub fn at(as_of: Timestamp, since: Option<Timestamp>, zone: &TimeZone) -> Self {
        let from = as_of.checked_sub(SILENT_HOURS.hours()).unwrap_or(Timestamp::MIN);
        let earlier = |at, weeks| days_before(at, 7 * weeks, zone);
        let skipped = weeks_of(as_of, since);
        Self {
            now: (from, as_of),
            before: (skipped + 1..=skipped + WEEKS)
                .map(|weeks| (earlier(from, weeks), earlier(as_of, weeks)))
                .collect(),
        }
    }
}

/// The local days that tell how many clients come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveDays {
    /// Today as far as it is over, and yesterday.
    pub now: [Date; 2],
    /// The weekday of yesterday in four earlier weeks, as in [`SilentHours::before`].
    pub before: Vec<Date>,
}

impl ActiveDays {
    /// The days that decide at an instant.
    pub fn at(as_of: Timestamp, since: Option<Timestamp>, zone: &TimeZone) -> Self {
        let today = local_day(as_of, zone);
        let yesterday = add_days(today, -1);
        let skipped = weeks_of(as_of, since);
        Self {
            now: [today, yesterday],
            before: (skipped + 1..=skipped + WEEKS)
                .map(|weeks| add_days(yesterday, -7 * weeks))
                .collect(),
        }
    }
}

/// Whole weeks that a silence has touched.
fn weeks_of(as_of: Timestamp, since: Option<Timestamp>) -> i32 {
    let lasted = since.map_or(SignedDuration::ZERO, |since| as_of.duration_since(since));
    i32::try_from(lasted.as_hours() / (24 * 7)).unwrap_or(0)
}

/// What comes in, and what usually does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFlow {
    /// Events of [`SilentHours::now`].
    pub events: i64,
    /// Events of each of [`SilentHours::before`].
    pub events_before: Vec<i64>,
    /// Clients with an event on the better one of [`ActiveDays::now`].
    pub clients: i64,
    /// Clients with an event on each of [`ActiveDays::before`].
    pub clients_before: Vec<i64>,
}

impl DataFlow {
    /// Whether nothing came for hours, where something did in each of the weeks before. One week
    /// without, a holiday or the beginning of all data, and nobody can tell.
    pub fn has_stopped(&self) -> bool {
        self.events == 0
            && !self.events_before.is_empty()
            && self.events_before.iter().all(|events| *events > 0)
    }

    /// Whether fewer than half of the clients came that did in any of the weeks before: part of the
    /// data is missing.
    pub fn has_dropped(&self) -> bool {
        self.usual_clients()
            .is_some_and(|usual| usual >= MIN_USUAL_CLIENTS && 2 * self.clients < usual)
    }

    /// The fewest clients that came on such a day in the weeks before; `None` where no week is known.
    pub fn usual_clients(&self) -> Option<i64> {
        self.clients_before.iter().copied().min()
    }

    /// Whether data come at half their usual rate at least: as many events, and of as many clients. One
    /// client that is back, or that sends a lot, is not the data.
    pub fn is_usual(&self) -> bool {
        let weeks = i64::try_from(self.events_before.len()).unwrap_or(i64::MAX);
        let usual: i64 = self.events_before.iter().sum();
        // Hours in which nothing is usual, as at night, say nothing about the rate.
        usual > 0 && 2 * self.events.saturating_mul(weeks) >= usual && !self.has_dropped()
    }
}

/// Whether a silence has lasted so long that what came during it is what is usual.
pub fn is_new_normal(since: Timestamp, as_of: Timestamp) -> bool {
    as_of.duration_since(since) > NEW_NORMAL_AFTER
}

/// Until when what rests on a client's activity is held after a silence of the data that ended at an
/// instant: it is given its own usual gap to come back, and a day at least.
pub fn held_until(ended_at: Timestamp, usual_gap_days: Option<i32>) -> Timestamp {
    let gap = SignedDuration::from_hours(24 * i64::from(usual_gap_days.unwrap_or(0)));
    ended_at.saturating_add(gap.max(MIN_TIME_TO_RETURN)).unwrap_or(Timestamp::MAX)
}
