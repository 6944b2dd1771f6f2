use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};

use crate::time::days_between;

/// What a client's events come to at one instant: all that scores and alerts need to know of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Events this week.
    pub events_this_week: i64,
    /// Events last week.
    pub events_last_week: i64,
    /// Distinct local days with an event this week, before the cap of 7: a week that starts and
    /// ends at noon touches 8 days.
    pub active_days: i64,
    /// High-value events this week.
    pub high_value_this_week: i64,
    /// `content_generated` events ever.
    pub content_generated: i64,
    /// `visual_created` events ever.
    pub visuals_created: i64,
    /// The last event before the instant.
    pub last_event_at: Option<Timestamp>,
    /// On which days the client was active before it fell silent.
    pub rhythm: Rhythm,
}

/// The latest days on which a client was active: enough to tell its usual gap, and a set, so that
/// the order in which events arrive cannot matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rhythm {
    days: BTreeSet<Date>,
}

impl Rhythm {
    /// How many active days are remembered: a month of daily use, or half a year of weekly use.
    pub const MAX_DAYS: usize = 31;

    /// Adds a day; the oldest falls out when there are more than [`Rhythm::MAX_DAYS`].
    pub fn insert(&mut self, day: Date) {
        self.days.insert(day);
        if self.days.len() > Self::MAX_DAYS {
            self.days.pop_first();
        }
    }

    /// The remembered days, oldest first.
    pub fn days(&self) -> impl Iterator<Item = Date> {
        self.days.iter().copied()
    }

    /// The client's usual gap in days: the median distance between consecutive active days, the
    /// upper one of two middle values. `None` with fewer than four active days, where a "usual"
    /// would be a guess.
    ///
    /// The median, not the mean: one long holiday must not make every later silence look normal.
    pub fn usual_gap_days(&self) -> Option<i32> {
        const MIN_RHYTHM_DAYS: usize = 4;
        if self.days.len() < MIN_RHYTHM_DAYS {
            return None;
        }
        let mut gaps: Vec<i32> = self
            .days
            .iter()
            .zip(self.days.iter().skip(1))
            .map(|(earlier, later)| days_between(*earlier, *later))
            .collect();
        gaps.sort_unstable();
        Some(gaps[gaps.len() / 2])
    }
}

impl FromIterator<Date> for Rhythm {
    fn from_iter<T: IntoIterator<Item = Date>>(days: T) -> Self {
        let mut rhythm = Self::default();
        for day in days {
            rhythm.insert(day);
        }
        rhythm
    }
}
