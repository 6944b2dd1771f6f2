//! Group commit: what is waiting is stored in one transaction, with one fsync for all of it.

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
use mainstay_core::{engagement::segment::Said, id::OrganizationId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinHandle,
};

use super::{
    Fate,
    arrivals::Arrivals,
    gather::Gatherer,
    queue::{Group, MOST_UNDER_WAY, Queue, Submission},
};
use crate::{
    Error, Mainstay, Result,
    access::{CallerKey, Principal},
    limit::{LimitClock, Limiter},
    supervise::{GATHERER, OnPanic, WRITER},
};

/// Bytes of requests that may wait and be stored at a time: bounds memory, and past it
/// senders are told to come again. A byte of a request takes some ten while it is worked on. With all of
/// it taken by 4 096 connections, a server was measured at 432 MiB (the README promises less than 512); with
/// six times as much it took 814, stored no more, and the last answers came after 4.4 s instead of 2.4.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What a request takes besides its bytes.
const REQUEST_BYTES: usize = 1_024;
/// What a sender is told to wait when too much is waiting, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;
/// Transactions at a time on PostgreSQL, which has more than one writer: while one waits for its
/// commit, the next are under way. One organization has fewer, so that a lock on its rows leaves some to the
/// others.
const POSTGRES_WRITERS: usize = MOST_UNDER_WAY + 2;
/// Events that may come at once whatever the rate: the most that one request brings.
const LEAST_BURST: NonZeroU32 = NonZeroU32::new(2_500).unwrap();
/// Seconds' worth of events that may come at once where nobody chose a rate: apps send what they held
/// back while they were offline.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Keys and organizations that are counted before those that have long been quiet are forgotten.
const MOST_COUNTED: usize = 10_000;

/// How many events are taken in a second, before senders are told to wait; `None` is as many as can
/// be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From all keys of an organization together.
    pub organization: Option<NonZeroU32>,
    /// With one key, whatever it opens.
    pub key: Option<NonZeroU32>,
    /// With one write key, which may be public: a minute's worth at once.
    pub write_key: Option<NonZeroU32>,
    /// With one client's token: a minute's worth at once.
    pub client_token: Option<NonZeroU32>,
    /// Events and ratings of one client in a day that a browser or the client itself sends.
    pub client_day: Option<NonZeroU32>,
}

impl Rates {
    /// What is in force when the operator says nothing.
    pub const STANDARD: Self = Self {
        organization: None,
        key: None,
        write_key: NonZeroU32::new(1_000),
        client_token: NonZeroU32::new(10),
        client_day: NonZeroU32::new(2_000),
    };
}

/// The way into the store for what arrives over the network. Cheap to clone; the writer ends when the
/// last clone is gone and everything that was waiting is stored.
#[derive(Clone)]
pub struct EventWriter(Arc<Shared>);

struct Shared {
    queue: Arc<Queue>,
    memory: Arc<Semaphore>,
    arrivals: Arc<Arrivals>,
    clock: LimitClock,
    organizations: Option<Limiter<OrganizationId>>,
    keys: Option<Limiter<CallerKey>>,
    write_keys: Option<Limiter<CallerKey>>,
    client_tokens: Option<Limiter<(OrganizationId, String)>>,
    client_days: Option<Limiter<(OrganizationId, String)>>,
    /// How many a limiter may count before it forgets the quiet ones.
    most_counted: AtomicUsize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A share of the memory that requests may take, held while one is worked on.
pub struct Admission {
    memory: OwnedSemaphorePermit,
    all: Arc<Semaphore>,
    key: Option<CallerKey>,
}

impl Admission {
    /// Says with which key the request came, so that the silence of a key is noticed.
    #[must_use]
    pub fn of_key(mut self, key: CallerKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Takes more, for a request that turns out to be larger than it said.
    ///
    /// # Errors
    /// [`Error::Busy`] when there is no more.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.memory.merge(take(&self.all, bytes)?);
        Ok(())
    }
}

impl EventWriter {
    /// Starts the writer, and answers when it is done too: after the last clone is dropped.
    pub fn start(mainstay: &Mainstay, rates: Rates) -> (Self, JoinHandle<()>) {
        let queue: Arc<Queue> = Arc::default();
        let clock = LimitClock::of(mainstay);
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate.max(LEAST_BURST));
        let shared = Shared {
            queue: Arc::clone(&queue),
            memory: Arc::new(Semaphore::new(MOST_BYTES)),
            arrivals: Arc::default(),
            organizations: rates.organization.map(|rate| clock.limiter(quota(rate))),
            keys: rates.key.map(|rate| clock.limiter(quota(rate))),
            write_keys: rates.write_key.map(|rate| clock.limiter(minutes_worth(rate))),
            client_tokens: rates.client_token.map(|rate| clock.limiter(minutes_worth(rate))),
            client_days: rates.client_day.and_then(days_worth).map(|quota| clock.limiter(quota)),
            most_counted: AtomicUsize::new(MOST_COUNTED),
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
                    write(mainstay.clone(), Arc::clone(&queue), Arc::clone(&gatherer))
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
        let written = tokio::spawn(async move {
            for writer in running {
                // A panic was caught and logged, and ends the process.
                let _ = writer.await;
            }
            gatherer.finish();
            let _ = gathering.await;
        });
        (Self(Arc::new(shared)), written)
    }

    /// Bodies that are on their way.
    pub(crate) fn arrivals(&self) -> &Arc<Arrivals> {
        &self.0.arrivals
    }

    /// Checks that a request of so many bytes would be let in now.
    ///
    /// # Errors
    /// [`Error::Busy`] when too much is waiting.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<()> {
        if self.0.memory.available_permits() >= bytes + REQUEST_BYTES {
            Ok(())
        } else {
            Err(Error::Busy { retry_after_seconds: RETRY_AFTER_SECONDS })
        }
    }

    /// Lets a request of so many bytes in.
    ///
    /// # Errors
    /// [`Error::Busy`] when too much is waiting.
    pub fn admit(&self, bytes: usize) -> Result<Admission> {
        let all = &self.0.memory;
        Ok(Admission { memory: take(all, bytes + REQUEST_BYTES)?, all: Arc::clone(all), key: None })
    }

    /// Counts so many events against the rates of who sends them and of the organization.
    ///
    /// # Errors
    /// [`Error::TooFast`] when one of them is exceeded, [`Error::Invalid`] when so many can never come at
    /// once.
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

    /// Counts what a browser or a client itself says of clients against what each may in a day.
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
        of: &'static str,
    ) -> Result<()> {
        self.forget_the_quiet(limiter);
        match limiter.check_key_n(key, events) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                Err(Error::TooFast { of, retry_after_seconds: self.0.clock.seconds_until(&until) })
            }
            Err(most) => Err(Error::invalid(
                "events",
                format!(
                    "{events} are more than the {} that one {of} may send at once; send fewer",
                    most.0
                ),
            )),
        }
    }

    /// Forgets those that have long been quiet, once there are many. Looking through all of them costs as
    /// much as there are: so it happens again only when there are twice as many as were left.
    fn forget_the_quiet<K: std::hash::Hash + Eq + Clone>(&self, limiter: &Limiter<K>) {
        let counted = limiter.len();
        if counted <= self.0.most_counted.load(Ordering::Relaxed) {
            return;
        }
        limiter.retain_recent();
        let next = (2 * limiter.len()).max(MOST_COUNTED);
        self.0.most_counted.store(next, Ordering::Relaxed);
    }

    /// Stores what was said; when this returns it is on disk, as far as it is not refused.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database does not take it; then nothing is stored.
    pub async fn store(
        &self,
        organization: OrganizationId,
        said: Vec<Said>,
        admission: Admission,
    ) -> Result<Vec<Fate>> {
        if said.is_empty() {
            return Ok(Vec::new());
        }
        let (answer, stored) = oneshot::channel();
        let Admission { memory, key, .. } = admission;
        self.0.queue.push(organization, Submission { said, key, answer, memory });
        stored.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

fn minutes_worth(rate: NonZeroU32) -> Quota {
    Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST_SECONDS))
}

/// A day's events at once, and then one at a time, evenly.
fn days_worth(events: NonZeroU32) -> Option<Quota> {
    let period = Duration::from_hours(24) / events.get();
    Some(Quota::with_period(period)?.allow_burst(events))
}

fn take(all: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    Arc::clone(all)
        .try_acquire_many_owned(bytes)
        .map_err(|_| Error::Busy { retry_after_seconds: RETRY_AFTER_SECONDS })
}

const fn unavailable() -> Error {
    Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }
}

async fn write(mainstay: Mainstay, queue: Arc<Queue>, gatherer: Arc<Gatherer>) {
    while let Some(group) = queue.next().await {
        mainstay.supervisor().pass(WRITER);
        store_group(&mainstay, &gatherer, group).await;
    }
}

async fn store_group(
    mainstay: &Mainstay,
    gatherer: &Gatherer,
    Group { organization, submissions, turn: _turn }: Group,
) {
    let mut said = Vec::with_capacity(submissions.iter().map(|one| one.said.len()).sum());
    let mut answers = Vec::with_capacity(submissions.len());
    let mut keys = Vec::new();
    for submission in submissions {
        answers.push((submission.said.len(), submission.answer, submission.memory));
        keys.push((submission.key, submission.said.len()));
        said.extend(submission.said);
    }
    match mainstay.store_apart_from_faults(organization, &said).await {
        Ok(fates) => {
            gatherer.note(organization, said.len());
            mainstay.keys_seen().note(organization, &keys, said.iter().zip(&fates));
            // Beside the next group, which need not wait until everybody is answered and all is freed.
            tokio::spawn(async move {
                let mut fates = fates.into_iter();
                for (count, answer, _memory) in answers {
                    // The sender may have gone; its events are stored all the same.
                    let _ = answer.send(Ok(fates.by_ref().take(count).collect()));
                }
                drop(said);
            });
        }
        Err(error) => {
            tracing::error!(%error, events = said.len(), "events were not stored");
            for (_, answer, _memory) in answers {
                let _ = answer.send(Err(unavailable()));
            }
        }
    }
}
