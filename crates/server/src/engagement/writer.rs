//! Group commit: queued events are stored in one transaction with a single fsync.

use std::{collections::BTreeMap, hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use mainstay_core::{engagement::segment::IncomingMessage, id::OrganizationId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::JoinHandle,
};

use super::{
    MessageOutcome, Source,
    gather::Gatherer,
    incoming_bodies::IncomingBodies,
    queue::{Group, MOST_UNDER_WAY, Queue, Submission},
};
use crate::{
    Error, Mainstay, Result,
    access::{CallerKey, Principal},
    limit::{Charges, Limiter, Quota, Refusal},
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
    organizations: Option<Limiter<OrganizationId>>,
    keys: Option<Limiter<CallerKey>>,
    write_keys: Option<Limiter<CallerKey>>,
    client_tokens: Option<Limiter<(OrganizationId, String)>>,
    client_days: Option<Limiter<(OrganizationId, String)>>,
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
        let shared = Shared {
            queue: Arc::clone(&queue),
            memory: Arc::new(Semaphore::new(MAX_BYTES)),
            incoming_bodies: Arc::default(),
            organizations: rates
                .organization
                .map(|rate| Limiter::new(mainstay, worth_a_request(rate))),
            keys: rates.key.map(|rate| Limiter::new(mainstay, worth_a_request(rate))),
            write_keys: rates
                .write_key
                .map(|rate| Limiter::new(mainstay, minute_burst_quota(rate))),
            client_tokens: rates
                .client_token
                .map(|rate| Limiter::new(mainstay, minute_burst_quota(rate))),
            client_days: rates.client_day.map(|rate| Limiter::new(mainstay, daily_quota(rate))),
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

    /// Charges the rates of who sends so many events and of the organization.
    ///
    /// # Errors
    /// [`Error::TooFast`] if a limit is exceeded, [`Error::Invalid`] if the batch exceeds the
    /// maximum burst. Then none of them is charged.
    pub(crate) fn count(
        &self,
        sender: &Principal,
        key: CallerKey,
        events: usize,
    ) -> Result<Charges> {
        let organization = sender.organization();
        let mut charges = Charges::default();
        let events = u32::try_from(events).ok().and_then(NonZeroU32::new);
        let Some(events) = events else { return Ok(charges) };
        match sender {
            Principal::Client(_, client) => {
                // By client and not by token: a client may be given any number of those.
                if let Some(tokens) = &self.0.client_tokens {
                    let client = (organization, client.clone());
                    charges.add(charge(tokens, &client, events, "client token")?);
                }
            }
            Principal::Write(..) => {
                if let Some(keys) = &self.0.write_keys {
                    charges.add(charge(keys, &key, events, "write key")?);
                }
            }
            Principal::Secret(_) | Principal::Member(..) => {}
        }
        if let Some(keys) = &self.0.keys {
            charges.add(charge(keys, &key, events, "key")?);
        }
        if let Some(organizations) = &self.0.organizations {
            charges.add(charge(organizations, &organization, events, "organization")?);
        }
        Ok(charges)
    }

    /// Charges what a browser or a client itself says of clients to what may be messages of each in a day.
    ///
    /// # Errors
    /// See [`EventWriter::count`].
    pub(crate) fn count_self_told<'a>(
        &self,
        organization: OrganizationId,
        clients: impl Iterator<Item = &'a str>,
    ) -> Result<Charges> {
        let mut charges = Charges::default();
        let Some(days) = &self.0.client_days else { return Ok(charges) };
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for client in clients {
            *counts.entry(client).or_default() += 1;
        }
        for (client, count) in counts {
            let Some(count) = NonZeroU32::new(count) else { continue };
            charges.add(charge(days, &(organization, client.to_owned()), count, "client")?);
        }
        Ok(charges)
    }

    /// Stores messages; when this returns, all that are not rejected are on disk.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database fails; then nothing is stored.
    pub async fn store(
        &self,
        source: Source,
        messages: Vec<IncomingMessage>,
        admission: Admission,
    ) -> Result<Vec<MessageOutcome>> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, stored) = oneshot::channel();
        let Admission { memory, key, .. } = admission;
        self.0.queue.push(source, Submission { messages, key, reply, memory });
        stored.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

fn charge<K: Hash + Eq + Clone + Send + Sync + 'static>(
    limiter: &Limiter<K>,
    key: &K,
    events: NonZeroU32,
    sender: &'static str,
) -> Result<Charges> {
    limiter.charge(key, events).map_err(|refusal| match refusal {
        Refusal::Wait { seconds } => Error::TooFast { sender, retry_after_seconds: seconds },
        Refusal::Burst { max } => Error::invalid(
            "events",
            format!(
                "{events} are more than the {max} that one {sender} may send at once; send fewer"
            ),
        ),
    })
}

fn per_second(rate: NonZeroU32, burst: NonZeroU32) -> Quota {
    Quota { burst, period: Duration::from_secs(1) / rate.get() }
}

/// As many at once as one request brings, at the least.
fn worth_a_request(rate: NonZeroU32) -> Quota {
    per_second(rate, rate.max(MIN_BURST))
}

fn minute_burst_quota(rate: NonZeroU32) -> Quota {
    per_second(rate, rate.saturating_mul(BURST_SECONDS))
}

/// A day's events as a burst, refilled evenly.
fn daily_quota(events: NonZeroU32) -> Quota {
    Quota { burst: events, period: Duration::from_hours(24) / events.get() }
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
    Group { source, submissions, turn: _turn }: Group,
) {
    let organization = source.organization;
    let mut messages = Vec::with_capacity(submissions.iter().map(|one| one.messages.len()).sum());
    let mut replies = Vec::with_capacity(submissions.len());
    let mut keys = Vec::new();
    for submission in submissions {
        replies.push((submission.messages.len(), submission.reply, submission.memory));
        keys.push((submission.key, submission.messages.len()));
        messages.extend(submission.messages);
    }
    match mainstay.store_isolating_faults(source, &messages).await {
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
