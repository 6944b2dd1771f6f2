//! Group commit: what is waiting is stored in one transaction, with one fsync for all of it.

use std::{num::NonZeroU32, sync::Arc};

use governor::Quota;
use mainstay_core::{engagement::segment::Said, id::OrganizationId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::{JoinHandle, JoinSet},
};

use super::{
    Fate,
    gather::Gatherer,
    queue::{Group, Queue, Submission},
};
use crate::{
    Error, Mainstay, Result,
    access::CallerKey,
    limit::{LimitClock, Limiter},
};

/// Bytes of requests that may be read, wait and be stored at a time: bounds memory, and past it
/// senders are told to come again. A byte of a request takes some ten while it is worked on. With all of
/// it taken by 4 096 connections, a server was measured at 432 MiB (the README promises less than 512); with
/// six times as much it took 814, stored no more, and the last answers came after 4.4 s instead of 2.4.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What a request takes besides its bytes.
const REQUEST_BYTES: usize = 1_024;
/// What a sender is told to wait when too much is waiting, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;
/// Transactions at a time on PostgreSQL, which has more than one writer: while one waits for its
/// commit, the next are under way.
const POSTGRES_WRITERS: usize = 4;
/// Events that may come at once whatever the rate: the most that one request brings.
const LEAST_BURST: NonZeroU32 = NonZeroU32::new(2_500).unwrap();
/// Keys and organizations that are counted before those that have long been quiet are forgotten.
const MOST_COUNTED: usize = 10_000;

/// How many events are taken in a second, before senders are told to wait; `None` is as many as can
/// be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From all keys of an organization together.
    pub organization: Option<NonZeroU32>,
    /// With one key.
    pub key: Option<NonZeroU32>,
}

/// The way into the store for what arrives over the network. Cheap to clone; the writer ends when the
/// last clone is gone and everything that was waiting is stored.
#[derive(Clone)]
pub struct EventWriter(Arc<Shared>);

struct Shared {
    queue: Arc<Queue>,
    memory: Arc<Semaphore>,
    clock: LimitClock,
    organizations: Option<Limiter<OrganizationId>>,
    keys: Option<Limiter<CallerKey>>,
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
}

impl Admission {
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
            organizations: rates.organization.map(|rate| clock.limiter(quota(rate))),
            keys: rates.key.map(|rate| clock.limiter(quota(rate))),
            clock,
        };
        let writers = if mainstay.store().is_postgres() { POSTGRES_WRITERS } else { 1 };
        let mut running = JoinSet::new();
        let gatherer: Arc<Gatherer> = Arc::default();
        for _ in 0..writers {
            running.spawn(write(mainstay.clone(), Arc::clone(&queue), Arc::clone(&gatherer)));
        }
        let mainstay = mainstay.clone();
        let written = tokio::spawn(async move {
            let writing = async {
                while running.join_next().await.is_some() {}
                gatherer.finish();
            };
            tokio::join!(writing, gatherer.run(mainstay));
        });
        (Self(Arc::new(shared)), written)
    }

    /// Lets a request of so many bytes in, before it is read.
    ///
    /// # Errors
    /// [`Error::Busy`] when too much is waiting.
    pub fn admit(&self, bytes: usize) -> Result<Admission> {
        let all = &self.0.memory;
        Ok(Admission { memory: take(all, bytes + REQUEST_BYTES)?, all: Arc::clone(all) })
    }

    /// Counts so many events against the rates of an organization and a key.
    ///
    /// # Errors
    /// [`Error::TooFast`] when one of them is exceeded; then none is counted against the other.
    pub fn count(
        &self,
        organization: OrganizationId,
        key: Option<CallerKey>,
        events: usize,
    ) -> Result<()> {
        let events = u32::try_from(events).ok().and_then(NonZeroU32::new);
        let Some(events) = events else { return Ok(()) };
        if let (Some(keys), Some(key)) = (&self.0.keys, key) {
            self.check(keys, &key, events, "key")?;
        }
        if let Some(organizations) = &self.0.organizations {
            self.check(organizations, &organization, events, "organization")?;
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
        if limiter.len() > MOST_COUNTED {
            limiter.retain_recent();
        }
        match limiter.check_key_n(key, events) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => {
                Err(Error::TooFast { of, retry_after_seconds: self.0.clock.seconds_until(&until) })
            }
            // More than can come at once: no request brings as many.
            Err(_) => Err(Error::TooFast { of, retry_after_seconds: RETRY_AFTER_SECONDS }),
        }
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
        let memory = admission.memory;
        self.0.queue.push(organization, Submission { said, answer, memory });
        stored.await.unwrap_or_else(|_| Err(unavailable()))
    }
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
        store_group(&mainstay, &gatherer, group).await;
    }
}

async fn store_group(
    mainstay: &Mainstay,
    gatherer: &Gatherer,
    Group { organization, submissions }: Group,
) {
    let mut said = Vec::with_capacity(submissions.iter().map(|one| one.said.len()).sum());
    let mut answers = Vec::with_capacity(submissions.len());
    for submission in submissions {
        answers.push((submission.said.len(), submission.answer, submission.memory));
        said.extend(submission.said);
    }
    match mainstay.store_said(organization, &said).await {
        Ok(fates) => {
            gatherer.note(organization, said.len());
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
