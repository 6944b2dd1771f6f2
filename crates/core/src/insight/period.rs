use jiff::{
    Timestamp,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use super::words;
use crate::time::{add_days, local_day, start_of_day};

/// The week that insights speak of: seven complete calendar days of the organization's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    /// First local day, included.
    pub first: Date,
    /// Last local day, included.
    pub last: Date,
    /// The instant at which `first` begins, included.
    pub start: Timestamp,
    /// The instant at which `last` ends, not included.
    pub end: Timestamp,
}

impl Period {
    /// How many days a period has.
    pub const DAYS: i32 = 7;

    /// The last complete week before the local day of `as_of`, where weeks begin on `week_start`: the
    /// same period for every `as_of` until the next week is complete.
    pub fn last_complete(as_of: Timestamp, zone: &TimeZone, week_start: Weekday) -> Self {
        let today = local_day(as_of, zone);
        let into_week = today.weekday().since(week_start);
        let next = add_days(today, -i32::from(into_week));
        let first = add_days(next, -Self::DAYS);
        Self {
            first,
            last: add_days(next, -1),
            start: start_of_day(first, zone),
            end: start_of_day(next, zone),
        }
    }

    /// `from 15 to 21 Nov`, beginning no earlier than `from`.
    pub(super) fn describe_from(&self, from: Date) -> String {
        let first = from.max(self.first);
        let last = words::format_day(self.last, self.last);
        if first >= self.last {
            format!("on {last}")
        } else if first.first_of_month() == self.last.first_of_month() {
            format!("from {} to {last}", first.day())
        } else {
            format!("from {} to {last}", words::format_day(first, self.last))
        }
    }
}
