//! The clock, as an abstraction that tests can control.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{Timestamp, ToSpan};

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// Monotonic time since the process started, for measuring durations: setting the clock does
    /// not affect it.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The start of monotonic time.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the machine's clock"
        )]
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        START.elapsed()
    }
}

/// A clock that only moves when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<ManualTime>);

#[derive(Clone, Copy, Debug)]
struct ManualTime {
    now: Timestamp,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock at an instant.
    pub const fn new(at: Timestamp) -> Self {
        Self(Mutex::new(ManualTime { now: at, monotonic: Duration::ZERO }))
    }

    /// Moves it to an instant: monotonic time advances, unless it moves back.
    pub fn set(&self, at: Timestamp) {
        let mut standing = self.lock();
        let passed = Duration::try_from(at.duration_since(standing.now)).unwrap_or_default();
        *standing = ManualTime { now: at, monotonic: standing.monotonic + passed };
    }

    /// Sets it to an instant: monotonic time does not advance.
    pub fn jump(&self, at: Timestamp) {
        self.lock().now = at;
    }

    /// Advances it by a number of hours.
    pub fn advance_hours(&self, hours: i64) {
        let now = self.lock().now;
        self.set(now.saturating_add(hours.hours()).unwrap_or(now));
    }

    fn lock(&self) -> MutexGuard<'_, ManualTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }
}
