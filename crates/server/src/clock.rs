//! The clock as a value, so that a test can move it.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{Timestamp, ToSpan};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The instant it is.
    fn now(&self) -> Timestamp;

    /// How long the process has been counting: it never goes back, and does not move when somebody sets the
    /// clock. For whatever measures how long something takes.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// When the process began to count.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that reads the machine's clock"
        )]
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        BEGAN.elapsed()
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock(Mutex<Standing>);

#[derive(Clone, Copy, Debug)]
struct Standing {
    now: Timestamp,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock that stands at an instant.
    pub const fn new(at: Timestamp) -> Self {
        Self(Mutex::new(Standing { now: at, monotonic: Duration::ZERO }))
    }

    /// Moves it to an instant: so much time passes. Back, none does.
    pub fn set(&self, at: Timestamp) {
        let mut standing = self.lock();
        let passed = Duration::try_from(at.duration_since(standing.now)).unwrap_or_default();
        *standing = Standing { now: at, monotonic: standing.monotonic + passed };
    }

    /// Sets it to an instant, as somebody sets a clock: no time passes.
    pub fn jump(&self, at: Timestamp) {
        self.lock().now = at;
    }

    /// Moves it on by so many hours.
    pub fn advance_hours(&self, hours: i64) {
        let now = self.lock().now;
        self.set(now.saturating_add(hours.hours()).unwrap_or(now));
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
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
