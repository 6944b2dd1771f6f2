//! Group commit: queued events are stored in one transaction with a single fsync.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::Quota;
use mainstay_core::{engagement::segment::IncomingMessage, id::OrganizationId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinHandle,
};

use super::{
    MessageOutcome,
    gather::Gatherer,
    incoming_bodies::IncomingBodies,
    queue::{Group, MOST_UNDER_WAY, Queue, Submission},
};
use crate::{
    Error, Mainstay, Result,
    access::{CallerKey, Principal},
    limit::{LimitClock, Limiter},
    supervise::{GATHERER, OnPanic, WRITER},
};

/// Maximum bytes of queued requests: limits memory; beyond it, senders are told to retry. Each byte
/// takes about ten while it is processed. With the limit reached by 4 096 connections, a server was
/// measured at 432 MiB (the README promises less than 512); six times the limit took 814 MiB,
/// stored no more, and the last responses came after 4.4 s instead of 2.4.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Fixed memory cost of a request.
const REQUEST_BYTES: usize = 1_024;
/// The `Retry-After` if the queue is full, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;
/// Concurrent transactions on PostgreSQL: while one waits for its commit, others proceed. One organization has fewer, so that a lock on its rows leaves some to the
/// others.
const POSTGRES_WRITERS: usize = MOST_UNDER_WAY + 2;
/// Minimum burst, whatever the rate: the maximum of one request.
const MIN_BURST: NonZeroU32 = NonZeroU32::new(2_500).unwrap();
/// The default burst, in seconds' worth of events: apps send a backlog after being offline.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Number of rate-limited keys and organizations from which idle ones are evicted.
const MAX_COUNTED: usize = 10_000;

/// Limits of events per second; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// For all keys of an organization together.
    pub organization: Option<NonZeroU32>,
    /// For one key of any kind.
    pub key: Option<NonZeroU32>,
    /// For one write key, which may be public, with a burst of one minute.
    pub write_key: Option<NonZeroU32>,
    /// For one client's token, with a burst of one minute.
    pub client_token: Option<NonZeroU32>,
    /// Self-reported events and ratings of one client per day.
    pub client_day: Option<NonZeroU32>,
}

impl Rates {
    /// The defaults.
    pub const STANDARD: Self = Self {
        organization: None,
        key: None,
        write_key: NonZeroU32::new(1_000),
        client_token: NonZeroU32::new(10),
        client_day: NonZeroU32::new(2_000),
    };
}

/// The queue for events from the network. Cheap to clone; the writer stops when the last clone is
/// dropped and all queued events are stored.
#[derive(Clone)]
pub struct EventWriter(Arc<Shared>);

struct Shared {
    queue: Arc<Queue>,
    memory: Arc<Semaphore>,
    incoming_bodies: Arc<IncomingBodies>,
    clock: LimitClock,
    organizations: Option<Limiter<OrganizationId>>,
    keys: Option<Limiter<CallerKey>>,
    write_keys: Option<Limiter<CallerKey>>,
    client_tokens: Option<Limiter<(OrganizationId, String)>>,
    client_days: Option<Limiter<(OrganizationId, String)>>,
    /// Number of entries of a limiter from which idle ones are evicted.
    max_counted: AtomicUsize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A reservation of memory, held while a request is processed.
pub struct Admission {
    memory: OwnedSemaphorePermit,
    all: Arc<Semaphore>,
    key: Option<CallerKey>,
}

impl Admission {
    /// Sets the key of the request, to detect when a key goes silent.
    #[must_use]
    pub fn with_key(mut self, key: CallerKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Reserves more memory, for a request that is larger than announced.
    ///
    /// # Errors
    /// [`Error::Busy`] if there is none left.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.memory.merge(acquire_memory(&self.all, bytes)?);
        Ok(())
    }
}

impl EventWriter {
    /// Starts the writer; also returns its task, which ends after the last clone is dropped.
    pub fn start(mainstay: &Mainstay, rates: Rates) -> (Self, JoinHandle<()>) {
        let queue: Arc<Queue> = Arc::default();
        let clock = LimitClock::of(mainstay);
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.max(MIN_BURST));
        let shared = Shared {
            queue: Arc::clone(&queue),
            memory: Arc::new(Semaphore::new(MAX_BYTES)),
            incoming_bodies: Arc::default(),
            organizations: rates.organization.map(|rate| clock.limiter(quota(rate))),
            keys: rates.key.map(|rate| clock.limiter(quota(rate))),
            write_keys: rates.write_key.map(|rate| clock.limiter(minute_burst_quota(rate))),
            client_tokens: rates.client_token.map(|rate| clock.limiter(minute_burst_quota(rate))),
            client_days: rates.client_day.and_then(daily_quota).map(|quota| clock.limiter(quota)),
            max_counted: AtomicUsize::new(MAX_COUNTED),
            clock,
        };
        let writers = if mainstay.store().is_postgres() { POSTGRES_WRITERS } else { 1 };
        let gatherer: Arc<Gatherer> = Arc::default();
        let supervisor = mainstay.supervisor();
        let running: Vec<JoinHandle<()>> = (0..writers)
            .map(|_| {
                let (mainstay, queue) = (mainstay.clone(), Arc::clone(&queue));
                let gatherer = Arc::clone(&gatherer);
                supervisor.spawn(WRITER, OnPanic::EndProcess, move || {
                    run_writer(mainstay.clone(), Arc::clone(&queue), Arc::clone(&gatherer))
                })
            })
            .collect();
        let gathering = {
            let (mainstay, gatherer) = (mainstay.clone(), Arc::clone(&gatherer));
            supervisor.spawn(GATHERER, OnPanic::EndProcess, move || {
                let (mainstay, gatherer) = (mainstay.clone(), Arc::clone(&gatherer));
                async move { gatherer.run(mainstay).await }
            })
        };
        let writer_done = tokio::spawn(async move {
            for writer in running {
                // A panic was caught and logged, and ends the process.
                let _ = writer.await;
            }
            gatherer.finish();
            let _ = gathering.await;
        });
        (Self(Arc::new(shared)), writer_done)
    }

    /// The incoming bodies.
    pub(crate) fn incoming_bodies(&self) -> &Arc<IncomingBodies> {
        &self.0.incoming_bodies
    }

    /// Checks that a request of this size would be admitted now.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<()> {
        if self.0.memory.available_permits() >= bytes + REQUEST_BYTES {
            Ok(())
        } else {
            Err(Error::Busy { retry_after_seconds: RETRY_AFTER_SECONDS })
        }
    }

    /// Admits a request of this size.
    ///
    /// # Errors
    /// [`Error::Busy`] if the queue is full.
    pub fn admit(&self, bytes: usize) -> Result<Admission> {
        let all = &self.0.memory;
        Ok(Admission {
            memory: acquire_memory(all, bytes + REQUEST_BYTES)?,
            all: Arc::clone(all),
            key: None,
        })
    }

    /// Counts events against the rate limits of the sender and the organization.
    ///
    /// # Errors
    /// [`Error::TooFast`] if a limit is exceeded, [`Error::Invalid`] if the batch exceeds the
    /// maximum burst.
    pub fn count(&self, sender: &Principal, key: CallerKey, events: usize) -> Result<()> {
        let organization = sender.organization();
        let events = u32::try_from(events).ok().and_then(NonZeroU32::new);
        let Some(events) = events else { return Ok(()) };
        match sender {
            Principal::Client(_, client) => {
                // By client and not by token: a client may be given any number of those.
                if let Some(tokens) = &self.0.client_tokens {
                    self.check(tokens, &(organization, client.clone()), events, "client token")?;
                }
            }
            Principal::Write(..) => {
                if let Some(keys) = &self.0.write_keys {
                    self.check(keys, &key, events, "write key")?;
                }
            }
            Principal::Secret(_) | Principal::Member(..) => {}
        }
        if let Some(keys) = &self.0.keys {
            self.check(keys, &key, events, "key")?;
        }
        if let Some(organizations) = &self.0.organizations {
            self.check(organizations, &organization, events, "organization")?;
        }
        Ok(())
    }

    /// Counts self-reported messages against the daily limit of each client.
    ///
    /// # Errors
    /// See [`EventWriter::count`].
    pub fn count_self_told<'a>(
        &self,
        organization: OrganizationId,
        clients: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let Some(days) = &self.0.client_days else { return Ok(()) };
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for client in clients {
            *counts.entry(client).or_default() += 1;
        }
        for (client, count) in counts {
            let Some(count) = NonZeroU32::new(count) else { continue };
            self.check(days, &(organization, client.to_owned()), count, "client")?;
        }
        Ok(())
    }

    fn check<K: std::hash::Hash + Eq + Clone>(
        &self,
        limiter: &Limiter<K>,
        key: &K,
        events: NonZeroU32,
        sender: &'static str,
    ) -> Result<()> {
        self.evict_idle(limiter);
        match limiter.check_key_n(key, events) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(Error::TooFast {
                sender,
                retry_after_seconds: self.0.clock.seconds_until(&until),
            }),
            Err(max) => Err(Error::invalid(
                "events",
                format!(
                    "{events} exceed the limit of {} per request of one {sender}; send fewer",
                    max.0
                ),
            )),
        }
    }

    /// Evicts idle entries once there are many. A scan costs time in proportion to their number, so
    /// the next one only happens when the number has doubled.
    fn evict_idle<K: std::hash::Hash + Eq + Clone>(&self, limiter: &Limiter<K>) {
        let counted = limiter.len();
        if counted <= self.0.max_counted.load(Ordering::Relaxed) {
            return;
        }
        limiter.retain_recent();
        let next = (2 * limiter.len()).max(MAX_COUNTED);
        self.0.max_counted.store(next, Ordering::Relaxed);
    }

    /// Stores messages; when this returns, all that are not rejected are on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database fails; then nothing is stored.
    pub async fn store(
        &self,
        organization: OrganizationId,
        messages: Vec<IncomingMessage>,
        admission: Admission,
    ) -> Result<Vec<MessageOutcome>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, stored) = oneshot::channel();
        let Admission { memory, key, .. } = admission;
        self.0.queue.push(organization, Submission { messages, key, reply, memory });
        stored.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

fn minute_burst_quota(rate: NonZeroU32) -> Quota {
    Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST_SECONDS))
}

/// A day's events as a burst, refilled evenly.
fn daily_quota(events: NonZeroU32) -> Option<Quota> {
    let period = Duration::from_hours(24) / events.get();
    Some(Quota::with_period(period)?.allow_burst(events))
}

fn acquire_memory(all: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    Arc::clone(all)
        .try_acquire_many_owned(bytes)
        .map_err(|_| Error::Busy { retry_after_seconds: RETRY_AFTER_SECONDS })
}

const fn unavailable() -> Error {
    Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }
}

async fn run_writer(mainstay: Mainstay, queue: Arc<Queue>, gatherer: Arc<Gatherer>) {
    while let Some(group) = queue.next().await {
        mainstay.supervisor().fail_point(WRITER);
        store_group(&mainstay, &gatherer, group).await;
    }
}

async fn store_group(
    mainstay: &Mainstay,
    gatherer: &Gatherer,
    Group { organization, submissions, turn: _turn }: Group,
) {
    let mut messages = Vec::with_capacity(submissions.iter().map(|one| one.messages.len()).sum());
    let mut replies = Vec::with_capacity(submissions.len());
    let mut keys = Vec::new();
    for submission in submissions {
        replies.push((submission.messages.len(), submission.reply, submission.memory));
        keys.push((submission.key, submission.messages.len()));
        messages.extend(submission.messages);
    }
    match mainstay.store_isolating_faults(organization, &messages).await {
        Ok(outcomes) => {
            gatherer.add_pending(organization, messages.len());
            mainstay.key_activity().record(organization, &keys, messages.iter().zip(&outcomes));
            // Beside the next group, which need not wait until everybody is answered and all is freed.
            tokio::spawn(async move {
                let mut outcomes = outcomes.into_iter();
                for (count, reply, _memory) in replies {
                    // The sender may have gone; its events are stored all the same.
                    let _ = reply.send(Ok(outcomes.by_ref().take(count).collect()));
                }
                drop(messages);
            });
        }
        Err(error) => {
            tracing::error!(%error, events = messages.len(), "failed to store events");
            for (_, reply, _memory) in replies {
                let _ = reply.send(Err(unavailable()));
            }
        }
    }
}
