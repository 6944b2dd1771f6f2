use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::time::{days_before, local_day, start_of_day, to_micros};

/// The weeks that a figure computed for `as_of` looks at, in the organization's time zone.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The instant the figure is for. Events at or after it do not count.
    pub as_of: Timestamp,
    /// Start of this week, `as_of − 7 calendar days`; included.
    pub this_week: Timestamp,
    /// Start of last week, `as_of − 14 calendar days`; included. Its end is `this_week`.
    pub last_week: Timestamp,
    /// The zone that decides what a day is.
    pub zone: TimeZone,
}

impl Windows {
    /// The windows of one instant, which is cut to the microsecond that the databases keep: a figure
    /// recomputed from its stored `as_of` must count the same events.
    pub fn at(as_of: Timestamp, zone: TimeZone) -> Self {
        let as_of = to_micros(as_of);
        Self {
            as_of,
            this_week: days_before(as_of, 7, &zone),
            last_week: days_before(as_of, 14, &zone),
            zone,
        }
    }

    /// The calendar day of an instant.
    pub fn day_of(&self, at: Timestamp) -> Date {
        local_day(at, &self.zone)
    }

    /// The days that a window's edge cuts in two: their events must be looked at one by one, while
    /// every other day counts whole, from the daily roll-up.
    ///
    /// At most three days, none when `as_of` is a midnight in a zone without clock changes nearby.
    pub fn partial_days(&self) -> Vec<Date> {
        let mut days: Vec<Date> = [self.last_week, self.this_week, self.as_of]
            .into_iter()
            .filter(|edge| start_of_day(self.day_of(*edge), &self.zone) != *edge)
            .map(|edge| self.day_of(edge))
            .collect();
        days.dedup();
        days
    }
}
