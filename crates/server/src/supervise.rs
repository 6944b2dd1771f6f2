//! Supervision of background loops: starts them, tracks which are running, and decides whether a
//! panic ends one item, restarts a loop or ends the process.
//!
//! | loop | a panic in one item | a panic in the loop itself |
//! |---|---|---|
//! | [`WRITER`] | the event is found and refused, the others are stored | ends the process |
//! | [`GATHERER`] | the organization waits a minute, the others continue | ends the process |
//! | [`JOBS`] | the run fails with the cause and is tried again; a playbook fails for one client only | starts again |
//! | [`SENDER`] | the email fails with the cause, the others are sent | starts again |
//! | [`COURIER`] | the attempt fails with the cause and is tried again | starts again |
//! | [`RETURNS`] | other organizations go on; the hourly check sees to what was missed | starts again |
//! | [`ZONE_CHANGES`], [`MERGES`] | the step is tried again, other organizations go on | starts again |
//! | [`LIVE`], [`REFUSALS`] | – | starts again |
//!
//! The process ends if continuing would lose data: accepted events would no longer be stored or
//! rolled up. The service manager restarts the server.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};

/// Stores the events that wait.
pub const WRITER: &str = "event writer";
/// Rolls up activity from small writes.
pub const GATHERER: &str = "activity gatherer";
/// Runs due jobs.
pub const JOBS: &str = "jobs";
/// Sends emails.
pub const SENDER: &str = "email sender";
/// Sends notifications to webhooks.
pub const COURIER: &str = "webhook courier";
/// Ends the silences of returned clients.
pub const RETURNS: &str = "returned clients";
/// Runs merges of clients.
pub const MERGES: &str = "client merges";
/// Continues time zone changes.
pub const ZONE_CHANGES: &str = "time zone changes";
/// Publishes changes to open pages.
pub const LIVE: &str = "live updates";
/// Saves rejected events for the page of live events.
pub const REFUSALS: &str = "refused events";

/// Backoff before a panicked loop restarts, doubled with each panic.
const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// Uptime after which the backoff is reset.
const BACKOFF_RESET_AFTER: Duration = Duration::from_mins(5);
/// Fail points that panic in a debug build, for tests of the binary: `PLACE` or `PLACE=TIMES`,
/// separated by commas. Ignored in release builds.
const ENV_PANICS: &str = "MAINSTAY_TEST_PANICS";

/// The reaction to a panic in a loop outside its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// The loop restarts after a backoff.
    Restart,
    /// The process ends with an error.
    EndProcess,
}

/// A panic while processing an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("internal error ({0}); see the server's log, and please report it")]
pub struct Panicked(pub String);

/// Starts background loops and tracks those that are not running.
#[derive(Debug)]
pub struct Supervisor {
    /// Started loops that have not ended normally, with the panic that stopped them.
    loops: Mutex<BTreeMap<(&'static str, u64), Option<String>>>,
    next: AtomicU64,
    fatal: watch::Sender<Option<String>>,
    stopping: watch::Sender<bool>,
    armed: AtomicBool,
    faults: Mutex<BTreeMap<String, u32>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        let supervisor = Self {
            loops: Mutex::default(),
            next: AtomicU64::new(0),
            fatal: watch::Sender::new(None),
            stopping: watch::Sender::new(false),
            armed: AtomicBool::new(false),
            faults: Mutex::default(),
        };
        if cfg!(debug_assertions)
            && let Ok(places) = std::env::var(ENV_PANICS)
        {
            for place in places.split(',') {
                let (place, times) = place.split_once('=').unwrap_or((place, "1"));
                supervisor.inject_panic(place, times.parse().unwrap_or(1));
            }
        }
        supervisor
    }
}

impl Supervisor {
    /// Starts a loop. It ends when `start`'s future returns, which only happens when it was asked to stop.
    pub fn spawn<F, Running>(
        self: &Arc<Self>,
        name: &'static str,
        on_panic: OnPanic,
        mut start: F,
    ) -> JoinHandle<()>
    where
        F: FnMut() -> Running + Send + 'static,
        Running: Future<Output = ()> + Send + 'static,
    {
        let supervisor = Arc::clone(self);
        let key = (name, self.next.fetch_add(1, Ordering::Relaxed));
        lock(&self.loops).insert(key, None);
        tokio::spawn(async move {
            let mut backoff = MIN_BACKOFF;
            loop {
                let started_at = Instant::now();
                lock(&supervisor.loops).insert(key, None);
                let ended = AssertUnwindSafe(async { start().await }).catch_unwind().await;
                let Err(panic) = ended else { break };
                let cause = panic_message(&*panic);
                lock(&supervisor.loops).insert(key, Some(cause.clone()));
                if on_panic == OnPanic::EndProcess {
                    tracing::error!(background = name, cause, "panicked; the process ends");
                    supervisor.fatal.send_replace(Some(format!("{name} panicked: {cause}")));
                    return;
                }
                if started_at.elapsed() > BACKOFF_RESET_AFTER {
                    backoff = MIN_BACKOFF;
                }
                tracing::error!(background = name, cause, ?backoff, "panicked; restarting");
                let mut stopping = supervisor.stopping.subscribe();
                if timeout(backoff, stopping.wait_for(|stopping| *stopping)).await.is_ok() {
                    break;
                }
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
            lock(&supervisor.loops).remove(&key);
        })
    }

    /// Processes one item, so that a panic only affects this item.
    ///
    /// # Errors
    /// [`Panicked`] with the panic's message, which is in the log.
    pub async fn isolate<T>(
        &self,
        item: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Panicked> {
        AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
            let cause = panic_message(&*panic);
            tracing::error!(item, cause, "panicked; this item is skipped");
            Panicked(cause)
        })
    }

    /// Spawns a task. A panic in it is logged and has no other effect.
    pub fn spawn_item(
        self: &Arc<Self>,
        item: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let supervisor = Arc::clone(self);
        // What the panic was is in the log; whoever waits for the work finds out by themselves.
        tokio::spawn(async move { drop(supervisor.isolate(item, work).await) });
    }

    /// The names of loops that are not running but should be.
    pub fn stopped_loops(&self) -> Vec<&'static str> {
        let loops = lock(&self.loops);
        let mut names: Vec<_> =
            loops.iter().filter(|(_, cause)| cause.is_some()).map(|((name, _), _)| *name).collect();
        names.dedup();
        names
    }

    /// Waits for a panic that must end the process; returns its message.
    pub async fn wait_for_fatal(&self) -> String {
        let mut fatal = self.fatal.subscribe();
        let cause = fatal.wait_for(Option::is_some).await.ok().and_then(|cause| cause.clone());
        // The sender lives as long as `self`.
        cause.unwrap_or_default()
    }

    /// Stops loops that wait for a restart.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Makes a fail point panic a number of times, for tests.
    pub fn inject_panic(&self, place: &str, times: u32) {
        lock(&self.faults).insert(place.to_owned(), times);
        self.armed.store(true, Ordering::Release);
    }

    /// Whether any fail point is armed.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// A fail point.
    ///
    /// # Panics
    /// If it is armed by a test.
    pub(crate) fn fail_point(&self, place: &str) {
        if !self.is_armed() {
            return;
        }
        let mut faults = lock(&self.faults);
        let Some(times) = faults.get_mut(place).filter(|times| **times > 0) else { return };
        *times -= 1;
        drop(faults);
        panic!("a panic injected at {place}");
    }
}

/// The message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// Installs a hook that logs every panic with its location.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, cause = panic_message(panic.payload()), "panicked");
    }));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
