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

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(1);

/// Somebody who does what is due.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What it is called in a run.
    pub holder: Arc<str>,
    /// How long others leave a run alone of which nothing has been heard.
    pub lease: SignedDuration,
    /// Turns true when it is to stop.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// A worker of this process, and what stops it.
    pub fn new(lease: SignedDuration) -> (Self, watch::Sender<bool>) {
        let (sender, stop) = watch::channel(false);
        let unique: String = random_secret().chars().take(8).collect();
        let holder = format!("process {}, {unique}", std::process::id());
        (Self { holder: holder.into(), lease, stop }, sender)
    }

    /// Ends when the worker is to stop.
    pub(super) async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Whoever could stop it is gone without having done so.
            std::future::pending::<()>().await;
        }
    }
}

/// Does what is due, until the worker is stopped.
pub fn start(mainstay: &Mainstay, worker: Worker) -> JoinHandle<()> {
    let services = mainstay.clone();
    mainstay
        .supervisor()
        .spawn(JOBS, OnPanic::Restart, move || run(services.clone(), worker.clone()))
}

async fn run(mainstay: Mainstay, worker: Worker) {
    let mut steadiness = Steadiness::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = worker.stopped() => return,
            _ = ticks.tick() => {}
        }
        mainstay.supervisor().pass(JOBS);
        let (wall, monotonic) = mainstay.both_clocks();
        match steadiness.look(wall, monotonic) {
            Steady::Yes => {}
            Steady::JumpedBy(by) => {
                tracing::warn!(
                    ?by, %wall,
                    "the clock jumped ahead; nothing is made up for until it has gone on for a minute"
                );
                continue;
            }
            Steady::NotYet => continue,
        }
        if let Err(error) = mainstay.run_due_jobs(&worker).await {
            tracing::error!(%error, "what is due could not be looked up; it is tried again");
        }
    }
}

/// How far the clock may get ahead of the time that passes before it is doubted.
const MAX_DRIFT: SignedDuration = SignedDuration::from_mins(1);
/// For how long a clock that jumped ahead has to go on before it is believed.
const PROBATION: Duration = Duration::from_mins(1);

/// Whether the clock can be believed: a clock that is years ahead for a few seconds must not have the jobs
/// of those years run.
#[derive(Debug, Default)]
struct Steadiness {
    last: Option<(Timestamp, Duration)>,
    doubted_until: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Steady {
    Yes,
    JumpedBy(SignedDuration),
    NotYet,
}

impl Steadiness {
    /// Looks at both clocks, once in a while.
    fn look(&mut self, wall: Timestamp, monotonic: Duration) -> Steady {
        let last = self.last.replace((wall, monotonic));
        let ahead = last.map_or(SignedDuration::ZERO, |(last_wall, last_monotonic)| {
            let passed = monotonic.saturating_sub(last_monotonic);
            let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
            wall.duration_since(last_wall).saturating_sub(passed)
        });
        if ahead > MAX_DRIFT {
            self.doubted_until = Some(monotonic + PROBATION);
            return Steady::JumpedBy(ahead);
        }
        if ahead < -MAX_DRIFT {
            // Back to where it was, or behind: nothing becomes due by that.
            self.doubted_until = None;
        }
        if self.doubted_until.is_some_and(|until| monotonic < until) {
            return Steady::NotYet;
        }
        self.doubted_until = None;
        Steady::Yes
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
        let mut clock = Steadiness::default();
        assert_eq!(clock.look(at(0), second(0)), Steady::Yes);
        assert_eq!(clock.look(at(1), second(1)), Steady::Yes);
        // A slow loop is no jump.
        assert_eq!(clock.look(at(400), second(400)), Steady::Yes);
        let years = 10 * 365 * 86_400;
        let jumped = Steady::JumpedBy(SignedDuration::from_secs(years));
        assert_eq!(clock.look(at(401 + years), second(401)), jumped);
        assert_eq!(clock.look(at(402 + years), second(402)), Steady::NotYet);
        assert_eq!(clock.look(at(403), second(403)), Steady::Yes);
        // After sleeping for an hour.
        assert!(matches!(clock.look(at(4_004), second(404)), Steady::JumpedBy(_)));
        assert_eq!(clock.look(at(4_063), second(463)), Steady::NotYet);
        assert_eq!(clock.look(at(4_064), second(464)), Steady::Yes);
    }
}
