use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use crate::{
    Mainstay,
    access::random_secret,
    supervise::{JOBS, OnPanic},
};

/// How often to check for due runs.
const TICK: Duration = Duration::from_secs(1);

/// An executor of due runs.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its name in runs.
    pub holder: Arc<str>,
    /// The lease of its runs.
    pub lease: SignedDuration,
    /// True once it should stop.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// A worker of this process, and its stop signal.
    pub fn new(lease: SignedDuration) -> (Self, watch::Sender<bool>) {
        let (sender, stop) = watch::channel(false);
        let unique: String = random_secret().chars().take(8).collect();
        let holder = format!("process {}, {unique}", std::process::id());
        (Self { holder: holder.into(), lease, stop }, sender)
    }

    /// Completes when the worker should stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Whoever could stop it is gone without having done so.
            std::future::pending::<()>().await;
        }
    }
}

/// Executes due runs until the worker is stopped.
pub fn start(mainstay: &Mainstay, worker: Worker) -> JoinHandle<()> {
    let services = mainstay.clone();
    mainstay
        .supervisor()
        .spawn(JOBS, OnPanic::Restart, move || run(services.clone(), worker.clone()))
}

async fn run(mainstay: Mainstay, worker: Worker) {
    let mut clock_monitor = ClockMonitor::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.stopped() => return,
            _ = ticks.tick() => {}
        }
        mainstay.supervisor().fail_point(JOBS);
        let (wall, monotonic) = mainstay.both_clocks();
        match clock_monitor.check(wall, monotonic) {
            ClockState::Steady => {}
            ClockState::Jumped(by) => {
                tracing::warn!(
                    ?by, %wall,
                    "the clock jumped ahead; no missed jobs are started until it has been stable for a minute"
                );
                continue;
            }
            ClockState::Unsettled => continue,
        }
        if let Err(error) = mainstay.run_due_jobs(&worker).await {
            tracing::error!(%error, "failed to look up due jobs; will retry");
        }
    }
}

/// Maximum drift of the clock ahead of monotonic time before it is distrusted.
const MAX_DRIFT: SignedDuration = SignedDuration::from_mins(1);
/// How long a clock that jumped ahead must be stable before it is trusted.
const PROBATION: Duration = Duration::from_mins(1);

/// Monitors the clock: a clock that is years ahead for a few seconds must not start the jobs of
/// those years.
#[derive(Debug, Default)]
struct ClockMonitor {
    last: Option<(Timestamp, Duration)>,
    doubted_until: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClockState {
    Steady,
    Jumped(SignedDuration),
    Unsettled,
}

impl ClockMonitor {
    /// Compares both clocks.
    fn check(&mut self, wall: Timestamp, monotonic: Duration) -> ClockState {
        let last = self.last.replace((wall, monotonic));
        let ahead = last.map_or(SignedDuration::ZERO, |(last_wall, last_monotonic)| {
            let passed = monotonic.saturating_sub(last_monotonic);
            let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
            wall.duration_since(last_wall).saturating_sub(passed)
        });
        if ahead > MAX_DRIFT {
            self.doubted_until = Some(monotonic + PROBATION);
            return ClockState::Jumped(ahead);
        }
        if ahead < -MAX_DRIFT {
            // Back to where it was, or behind: nothing becomes due by that.
            self.doubted_until = None;
        }
        if self.doubted_until.is_some_and(|until| monotonic < until) {
            return ClockState::Unsettled;
        }
        self.doubted_until = None;
        ClockState::Steady
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_believed_after_a_minute_and_one_that_comes_back_at_once() {
        let noon: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        let at = |seconds: i64| noon.checked_add(seconds.seconds()).unwrap();
        let second = Duration::from_secs;
        let mut clock = ClockMonitor::default();
        assert_eq!(clock.check(at(0), second(0)), ClockState::Steady);
        assert_eq!(clock.check(at(1), second(1)), ClockState::Steady);
        // A slow loop is no jump.
        assert_eq!(clock.check(at(400), second(400)), ClockState::Steady);
        let years = 10 * 365 * 86_400;
        let jumped = ClockState::Jumped(SignedDuration::from_secs(years));
        assert_eq!(clock.check(at(401 + years), second(401)), jumped);
        assert_eq!(clock.check(at(402 + years), second(402)), ClockState::Unsettled);
        assert_eq!(clock.check(at(403), second(403)), ClockState::Steady);
        // After sleeping for an hour.
        assert!(matches!(clock.check(at(4_004), second(404)), ClockState::Jumped(_)));
        assert_eq!(clock.check(at(4_063), second(463)), ClockState::Unsettled);
        assert_eq!(clock.check(at(4_064), second(464)), ClockState::Steady);
    }
}
