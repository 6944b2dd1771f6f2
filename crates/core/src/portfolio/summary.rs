use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Standing;
use crate::{alert::Severity, score::Band};

/// A score lies between 0 and this.
const MAX_SCORE: usize = 100;

/// What an organization's clients come to together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Clients in all.
    pub clients: i64,
    /// Clients of each band that has any.
    pub by_band: BTreeMap<Band, i64>,
    /// Clients that need a person.
    pub need_a_person: i64,
    /// Clients with an open alert.
    pub with_alerts: i64,
    /// Open alerts of each severity that has any.
    pub open: BTreeMap<Severity, i64>,
    /// The score in the middle.
    pub median: Option<i64>,
    /// The same of the scores that they are compared with.
    pub median_before: Option<i64>,
    /// Events in the week of the scores.
    pub events: i64,
    /// Events in the week before it.
    pub events_before: i64,
    /// Percent of the scores' weight that rests on measured data, on average.
    pub coverage: Option<i64>,
    /// The instant of the newest score.
    pub as_of: Option<Timestamp>,
    /// The instant of the oldest.
    pub oldest_as_of: Option<Timestamp>,
    /// The first and the last instant of those scores that are not for the one just after their
    /// client's last event.
    pub idle_as_of: Option<(Timestamp, Timestamp)>,
    /// Clients without a score.
    pub unscored: i64,
    /// Clients on each plan, by its name.
    pub plans: BTreeMap<String, i64>,
}

impl Summary {
    pub(super) fn of<'a>(standings: impl Iterator<Item = &'a Standing>) -> Self {
        let mut sums = Self::default();
        let (mut scores, mut before) = (Histogram::default(), Histogram::default());
        let mut coverage = 0;
        for standing in standings {
            sums.clients += 1;
            sums.need_a_person += i64::from(standing.needs_a_person());
            sums.with_alerts += i64::from(!standing.alerts.is_empty());
            for alert in &standing.alerts {
                *sums.open.entry(alert.severity).or_default() += 1;
            }
            if let Some(plan) = &standing.plan {
                // Looked up first: nearly every plan is there already, and a key costs a copy.
                match sums.plans.get_mut(plan) {
                    Some(count) => *count += 1,
                    None => drop(sums.plans.insert(plan.clone(), 1)),
                }
            }
            let Some(score) = &standing.score else {
                sums.unscored += 1;
                continue;
            };
            *sums.by_band.entry(score.band).or_default() += 1;
            scores.add(score.overall);
            before.extend(standing.before());
            coverage += score.coverage;
            sums.events += score.events;
            sums.events_before += score.events_before;
            sums.as_of = sums.as_of.max(Some(score.as_of));
            sums.oldest_as_of =
                Some(sums.oldest_as_of.map_or(score.as_of, |oldest| oldest.min(score.as_of)));
            if !score.is_just_after_last_event() {
                let (first, last) = sums.idle_as_of.unwrap_or((score.as_of, score.as_of));
                sums.idle_as_of = Some((first.min(score.as_of), last.max(score.as_of)));
            }
        }
        sums.median = scores.median();
        sums.median_before = before.median();
        sums.coverage = (scores.count > 0).then(|| (coverage + scores.count / 2) / scores.count);
        sums
    }

    /// Whether every client's score is for the instant that it is shown for, as far as that follows
    /// from the stored scores: `midnight` began the present day.
    pub fn is_of_day(&self, midnight: Timestamp) -> bool {
        self.unscored == 0
            && self.oldest_as_of.is_none_or(|oldest| oldest >= midnight)
            && self.idle_as_of.is_none_or(|idle| idle == (midnight, midnight))
    }

    /// Clients of a band.
    pub fn in_band(&self, band: Band) -> i64 {
        self.by_band.get(&band).copied().unwrap_or(0)
    }

    /// Open alerts of all severities.
    pub fn open_alerts(&self) -> i64 {
        self.open.values().sum()
    }
}

/// How often there is each score.
struct Histogram {
    times: [i64; MAX_SCORE + 1],
    count: i64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { times: [0; MAX_SCORE + 1], count: 0 }
    }
}

impl Histogram {
    fn add(&mut self, score: i64) {
        let score = usize::try_from(score).unwrap_or(0).min(MAX_SCORE);
        self.times[score] += 1;
        self.count += 1;
    }

    /// The lower of the two in the middle, when there are two.
    fn median(&self) -> Option<i64> {
        let mut remaining = (self.count + 1) / 2;
        (0_i64..).zip(self.times).find_map(|(score, times)| {
            remaining -= times;
            (self.count > 0 && remaining <= 0).then_some(score)
        })
    }
}

impl Extend<i64> for Histogram {
    fn extend<T: IntoIterator<Item = i64>>(&mut self, scores: T) {
        for score in scores {
            self.add(score);
        }
    }
}
