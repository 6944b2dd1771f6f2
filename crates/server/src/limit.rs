//! Rate limits that count the time that passes, whatever the clock is set to. In memory: whoever waits out
//! a restart has waited.
//!
//! The generic cell rate algorithm: of each key the limiter knows from when on its whole burst is free
//! again. A charge can be undone, so that a request that one limit refuses costs nothing with the others.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Clock, Mainstay};

/// Keys that are counted before those that have long been quiet are forgotten.
const MAX_KEYS: usize = 10_000;

/// So many at once, and then one each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) burst: NonZeroU32,
    pub(crate) period: Duration,
}

/// Why a limiter refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not before so many seconds, at least one.
    Wait { seconds: u64 },
    /// More at once than can ever be admitted.
    Burst { max: NonZeroU32 },
}

/// A rate limiter by key. Cheap to clone.
pub(crate) struct Limiter<K>(Arc<Shared<K>>);

struct Shared<K> {
    quota: Quota,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts<K>>,
}

struct Counts<K> {
    free_from: HashMap<K, Duration>,
    /// How many keys there may be before the quiet ones are looked for.
    sweep_above: usize,
}

/// What was charged for a request. Undone when it is dropped, for whatever refuses the request
/// afterwards; [`Charges::keep`] makes it count for good.
#[must_use = "charges that are dropped are undone"]
#[derive(Default)]
pub(crate) struct Charges(Vec<Box<dyn FnOnce() + Send + Sync>>);

impl Charges {
    /// Every limit has admitted the request.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }

    pub(crate) fn add(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }
}

impl Drop for Charges {
    fn drop(&mut self) {
        for undo in self.0.drain(..) {
            undo();
        }
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Limiter<K> {
    pub(crate) fn new(mainstay: &Mainstay, quota: Quota) -> Self {
        Self::with_clock(mainstay.clock.clone(), quota)
    }

    fn with_clock(clock: Arc<dyn Clock>, quota: Quota) -> Self {
        let counts = Counts { free_from: HashMap::new(), sweep_above: MAX_KEYS };
        Self(Arc::new(Shared { quota, clock, counts: Mutex::new(counts) }))
    }

    /// Charges a key for so many.
    ///
    /// # Errors
    /// When it has none left; then nothing is charged.
    pub(crate) fn charge(&self, key: &K, count: NonZeroU32) -> Result<Charges, Refusal> {
        let Quota { burst, period } = self.0.quota;
        if count > burst {
            return Err(Refusal::Burst { max: burst });
        }
        let now = self.0.clock.monotonic();
        let mut counts = self.0.lock();
        counts.forget_quiet(now);
        let free_from = counts.free_from.get(key).map_or(now, |at| *at.max(&now));
        let free_from = free_from.saturating_add(period.saturating_mul(count.get()));
        let latest = now.saturating_add(period.saturating_mul(burst.get()));
        if let Some(wait) = free_from.checked_sub(latest).filter(|wait| !wait.is_zero()) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(Refusal::Wait { seconds });
        }
        counts.free_from.insert(key.clone(), free_from);
        drop(counts);
        let (shared, key) = (Arc::clone(&self.0), key.clone());
        Ok(Charges(vec![Box::new(move || shared.undo(&key, count))]))
    }
}

impl<K: Hash + Eq> Shared<K> {
    fn undo(&self, key: &K, count: NonZeroU32) {
        if let Some(free_from) = self.lock().free_from.get_mut(key) {
            *free_from = free_from.saturating_sub(self.quota.period.saturating_mul(count.get()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts<K>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Counts<K> {
    /// Forgets the keys whose whole burst is free, once there are many. Looking through all of them costs
    /// as much as there are: so it happens again only when there are twice as many as were left.
    fn forget_quiet(&mut self, now: Duration) {
        if self.free_from.len() <= self.sweep_above {
            return;
        }
        self.free_from.retain(|_, free_from| *free_from > now);
        self.sweep_above = (2 * self.free_from.len()).max(MAX_KEYS);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ManualClock;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn limiter<K: Hash + Eq + Clone + Send + Sync + 'static>(
        burst: u32,
    ) -> (Limiter<K>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let quota = Quota { burst: number(burst), period: Duration::from_secs(1) };
        (Limiter::with_clock(clock.clone(), quota), clock)
    }

    fn pass(clock: &ManualClock, seconds: i64) {
        clock.set(Timestamp::from_second(clock.now().as_second() + seconds).unwrap());
    }

    #[test]
    fn a_burst_may_come_at_once_and_then_one_each_period() {
        let (limiter, clock) = limiter(5);
        limiter.charge(&"ada", number(5)).unwrap().keep();
        let refused = limiter.charge(&"ada", number(2)).err();
        assert_eq!(refused, Some(Refusal::Wait { seconds: 2 }));
        limiter.charge(&"bob", number(5)).unwrap().keep();
        pass(&clock, 2);
        limiter.charge(&"ada", number(2)).unwrap().keep();
        assert!(limiter.charge(&"ada", number(1)).is_err());
        let refused = limiter.charge(&"ada", number(6)).err();
        assert_eq!(refused, Some(Refusal::Burst { max: number(5) }));
        // Time that nobody used gives no more than a burst.
        pass(&clock, 3_600);
        limiter.charge(&"ada", number(5)).unwrap().keep();
        assert!(limiter.charge(&"ada", number(1)).is_err());
    }

    #[test]
    fn what_is_undone_is_as_if_it_had_never_been_charged() {
        let (limiter, clock) = limiter(5);
        limiter.charge(&"ada", number(2)).unwrap().keep();
        for _ in 0..10 {
            drop(limiter.charge(&"ada", number(3)).unwrap());
        }
        let charges = limiter.charge(&"ada", number(3)).unwrap();
        assert!(limiter.charge(&"ada", number(1)).is_err());
        // Later than all of it would be free again anyway: there is no more than a burst.
        pass(&clock, 60);
        drop(charges);
        limiter.charge(&"ada", number(5)).unwrap().keep();
        assert!(limiter.charge(&"ada", number(1)).is_err());
    }

    #[test]
    fn many_keys_that_are_all_busy_are_looked_through_seldom() {
        let (limiter, clock) = limiter::<usize>(5);
        for key in 0..=MAX_KEYS {
            limiter.charge(&key, number(5)).unwrap().keep();
        }
        limiter.charge(&0, number(5)).err().unwrap();
        let counts = limiter.0.lock();
        assert_eq!((counts.free_from.len(), counts.sweep_above), (MAX_KEYS + 1, 2 * MAX_KEYS + 2));
        drop(counts);
        pass(&clock, 5);
        for key in MAX_KEYS..2 * MAX_KEYS + 5 {
            limiter.charge(&key, number(5)).unwrap().keep();
        }
        // The quiet ones are forgotten; those of this minute are not.
        assert_eq!(limiter.0.lock().free_from.len(), MAX_KEYS + 5);
    }
}
