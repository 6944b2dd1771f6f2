//! One place that starts every background loop, knows which of them run, and decides what a panic
//! ends: one item, one loop for a moment, or the process.
//!
//! | loop | a panic in one item | a panic in the loop itself |
//! |---|---|---|
//! | [`WRITER`] | the event is found and refused, the others are stored | ends the process |
//! | [`GATHERER`] | the organization waits a minute, the others go on | ends the process |
//! | [`JOBS`] | the run fails with the cause and is tried again; a playbook fails for one client only | starts again |
//! | [`SENDER`] | the email fails with the cause, the others are sent | starts again |
//! | [`COURIER`] | the attempt fails with the cause and is tried again | starts again |
//! | [`RETURNS`] | other organizations go on; the hourly check sees to what was missed | starts again |
//! | [`ZONE_CHANGES`], [`MERGES`] | the step is tried again, other organizations go on | starts again |
//! | [`LIVE`], [`REFUSALS`] | – | starts again |
//!
//! The process ends where going on would be a lie: nobody would store or roll up what senders believe to
//! be safe. Whatever runs the server starts it again.

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
/// Rolls up what was stored a few at a time.
pub const GATHERER: &str = "activity gatherer";
/// Runs what is due.
pub const JOBS: &str = "jobs";
/// Sends emails.
pub const SENDER: &str = "email sender";
/// Sends notifications to webhooks.
pub const COURIER: &str = "webhook courier";
/// Ends the silences of clients that came back.
pub const RETURNS: &str = "returned clients";
/// Goes on with merges of clients.
pub const MERGES: &str = "client merges";
/// Continues time zone changes.
pub const ZONE_CHANGES: &str = "time zone changes";
/// Tells open pages what changed.
pub const LIVE: &str = "live updates";
/// Keeps refused events for the page of live events.
pub const REFUSALS: &str = "refused events";

/// How long a loop that panicked waits before it starts again: doubled with each panic.
const MIN_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);
/// A loop that ran for so long before it panicked starts again after the shortest wait.
const SETTLED: Duration = Duration::from_mins(5);
/// Names the places that panic in a debug build, for tests of the binary: `PLACE` or `PLACE=TIMES`,
/// separated by commas. A release build does not look at it.
const ENV_PANICS: &str = "MAINSTAY_TEST_PANICS";

/// What follows a panic in a loop outside of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPanic {
    /// The loop starts again after a wait.
    Restart,
    /// The process ends with an error.
    EndProcess,
}

/// The panic that ended an item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault in Mainstay ({0}); the server's log has its place, please report it")]
pub struct Panicked(pub String);

/// Starts background loops and knows which of them do not run.
#[derive(Debug)]
pub struct Supervisor {
    /// Every loop that was started and has not ended as it should, with the panic that stopped it.
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
    /// Starts a loop. It ends when `start`'s future returns, which it does only when it was told to stop.
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
                let began = Instant::now();
                lock(&supervisor.loops).insert(key, None);
                let ended = AssertUnwindSafe(async { start().await }).catch_unwind().await;
                let Err(panic) = ended else { break };
                let cause = cause_of(&*panic);
                lock(&supervisor.loops).insert(key, Some(cause.clone()));
                if on_panic == OnPanic::EndProcess {
                    tracing::error!(background = name, cause, "panicked; the process ends");
                    supervisor.fatal.send_replace(Some(format!("{name} panicked: {cause}")));
                    return;
                }
                if began.elapsed() > SETTLED {
                    backoff = MIN_BACKOFF;
                }
                tracing::error!(background = name, cause, ?backoff, "panicked; it starts again");
                let mut stopping = supervisor.stopping.subscribe();
                if timeout(backoff, stopping.wait_for(|stopping| *stopping)).await.is_ok() {
                    break;
                }
                backoff = (backoff * 2).min(MAX_BACKOFF);
            }
            lock(&supervisor.loops).remove(&key);
        })
    }

    /// Works on one item, so that a panic ends that item alone.
    ///
    /// # Errors
    /// [`Panicked`] with the panic's message, which is in the log.
    pub async fn isolate<T>(
        &self,
        item: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Panicked> {
        AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
            let cause = cause_of(&*panic);
            tracing::error!(
                item,
                cause,
                "panicked; the item is set aside and everything else goes on"
            );
            Panicked(cause)
        })
    }

    /// Starts work that ends by itself. A panic in it is logged and harms nothing else.
    pub fn spawn_item(
        self: &Arc<Self>,
        item: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let supervisor = Arc::clone(self);
        // What the panic was is in the log; whoever waits for the work finds out by themselves.
        tokio::spawn(async move { drop(supervisor.isolate(item, work).await) });
    }

    /// The names of loops that should run and do not, each once.
    pub fn not_running(&self) -> Vec<&'static str> {
        let loops = lock(&self.loops);
        let mut names: Vec<_> =
            loops.iter().filter(|(_, cause)| cause.is_some()).map(|((name, _), _)| *name).collect();
        names.dedup();
        names
    }

    /// Waits until a panic is to end the process; answers which.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.fatal.subscribe();
        let cause = fatal.wait_for(Option::is_some).await.ok().and_then(|cause| cause.clone());
        // The sender lives as long as `self`.
        cause.unwrap_or_default()
    }

    /// Loops that wait to start again end instead.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Has a place panic when it is passed next, so many times: a test's way to be the bug.
    pub fn inject_panic(&self, place: &str, times: u32) {
        lock(&self.faults).insert(place.to_owned(), times);
        self.armed.store(true, Ordering::Release);
    }

    /// Whether any place is to panic: whoever has to look up which need not otherwise.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// A place that a test may have panic.
    ///
    /// # Panics
    /// When a test wants it.
    pub(crate) fn pass(&self, place: &str) {
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

/// What a panic said.
fn cause_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

/// Has every panic logged with its place, once, wherever it is caught.
pub(crate) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, cause = cause_of(panic.payload()), "panicked");
    }));
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
