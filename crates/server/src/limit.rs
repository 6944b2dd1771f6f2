//! Rate limits on monotonic time. They are in memory: a restart resets them.

use std::{hash::Hash, ops::Add, sync::Arc, time::Duration};

use crate::{Clock, Mainstay};
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock as _, Reference},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::keyed::HashMapStateStore,
};

/// A rate limiter by key.
pub(crate) type Limiter<K> =
    RateLimiter<K, HashMapStateStore<K>, LimitClock, NoOpMiddleware<LimitInstant>>;

/// The server's clock for rate limiters.
#[derive(Clone)]
pub(crate) struct LimitClock(Arc<dyn Clock>);

/// A monotonic instant for rate limiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LimitInstant(Duration);

impl LimitClock {
    /// The clock of the services.
    pub(crate) fn of(mainstay: &Mainstay) -> Self {
        Self(mainstay.clock.clone())
    }

    /// Creates a rate limiter with a quota.
    pub(crate) fn limiter<K: Hash + Eq + Clone>(&self, quota: Quota) -> Limiter<K> {
        RateLimiter::new(quota, HashMapStateStore::default(), self.clone())
    }

    /// Whole seconds until the next attempt, at least one.
    pub(crate) fn seconds_until(&self, until: &NotUntil<LimitInstant>) -> u64 {
        let wait = until.wait_time_from(self.now());
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }
}

impl governor::clock::Clock for LimitClock {
    type Instant = LimitInstant;

    fn now(&self) -> LimitInstant {
        LimitInstant(self.0.monotonic())
    }
}

impl Add<Nanos> for LimitInstant {
    type Output = Self;

    fn add(self, nanos: Nanos) -> Self {
        Self(self.0.saturating_add(Duration::from_nanos(nanos.as_u64())))
    }
}

impl Reference for LimitInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        let since = self.0.saturating_sub(earlier.0);
        Nanos::from(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn saturating_sub(&self, nanos: Nanos) -> Self {
        Self(self.0.saturating_sub(Duration::from_nanos(nanos.as_u64())))
    }
}
