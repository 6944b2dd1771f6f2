//! Memory limits of incoming request bodies, and their eviction.
//!
//! Bytes are counted as they arrive, not as announced. Bodies without a key in the header have a
//! separate budget, so that nobody without a key can starve authenticated senders.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::access::CallerKey;

/// Maximum memory of incoming bodies with a key in the header.
const MAX_KEYED_BYTES: usize = 16 * 1024 * 1024;
/// Maximum memory of incoming bodies without a key in the header.
const MAX_KEYLESS_BYTES: usize = 6 * 1024 * 1024;
/// A body without progress for this long can be evicted.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait for the memory of an evicted body.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(1);

/// The sender of a body, as known before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BodyOwner {
    /// The holder of a key or token.
    Credential(CallerKey),
    /// An IP address.
    Address(IpAddr),
}

/// All incoming bodies.
#[derive(Debug)]
pub(crate) struct IncomingBodies {
    keyed: Arc<Semaphore>,
    keyless: Arc<Semaphore>,
    bodies: Mutex<Bodies>,
}

#[derive(Debug, Default)]
struct Bodies {
    next: u64,
    by_number: HashMap<u64, Body>,
}

#[derive(Debug)]
struct Body {
    owner: BodyOwner,
    bytes: usize,
    last: Instant,
    evicted: Arc<Notify>,
}

impl Default for IncomingBodies {
    fn default() -> Self {
        Self {
            keyed: Arc::new(Semaphore::new(MAX_KEYED_BYTES)),
            keyless: Arc::new(Semaphore::new(MAX_KEYLESS_BYTES)),
            bodies: Mutex::default(),
        }
    }
}

impl IncomingBodies {
    /// Registers a new incoming body.
    pub(crate) fn register(self: &Arc<Self>, owner: BodyOwner) -> IncomingBody {
        let evicted = Arc::new(Notify::new());
        let body = Body { owner, bytes: 0, last: Instant::now(), evicted: Arc::clone(&evicted) };
        let mut bodies = lock(&self.bodies);
        let number = bodies.next;
        bodies.next += 1;
        bodies.by_number.insert(number, body);
        drop(bodies);
        IncomingBody { all: Arc::clone(self), owner, number, held: None, evicted }
    }

    const fn budget(&self, owner: BodyOwner) -> (&Arc<Semaphore>, usize) {
        match owner {
            BodyOwner::Credential(_) => (&self.keyed, MAX_KEYED_BYTES),
            BodyOwner::Address(_) => (&self.keyless, MAX_KEYLESS_BYTES),
        }
    }
}

impl Bodies {
    /// Evicts others to free memory; returns false if that is not possible. Stalled bodies are
    /// evicted first, longest first; then those of senders that hold more than a quarter of the
    /// budget, largest first.
    fn evict_others(&mut self, number: u64, needed: usize, budget: usize, now: Instant) -> bool {
        let Some(own) = self.by_number.get(&number).map(|body| body.owner) else { return false };
        let same_budget = |body: &Body| {
            matches!(
                (body.owner, own),
                (BodyOwner::Credential(_), BodyOwner::Credential(_))
                    | (BodyOwner::Address(_), BodyOwner::Address(_))
            )
        };
        let mut held: HashMap<BodyOwner, usize> = HashMap::new();
        for body in self.by_number.values().filter(|body| same_budget(body)) {
            *held.entry(body.owner).or_default() += body.bytes;
        }
        let greedy =
            |owner: BodyOwner| owner != own && held.get(&owner).is_some_and(|it| *it > budget / 4);
        let mut candidates: Vec<_> = self
            .by_number
            .iter()
            .filter(|(one, body)| **one != number && body.bytes > 0 && same_budget(body))
            .filter_map(|(one, body)| {
                let waited = now.saturating_duration_since(body.last);
                let stalled = waited >= STALL_TIMEOUT;
                (stalled || greedy(body.owner))
                    .then_some(((!stalled, std::cmp::Reverse((waited, body.bytes))), *one))
            })
            .collect();
        candidates.sort_unstable_by_key(|(order, _)| *order);
        let mut freed = 0;
        for (_, one) in candidates {
            if freed >= needed {
                break;
            }
            if let Some(body) = self.by_number.remove(&one) {
                freed += body.bytes;
                body.evicted.notify_one();
            }
        }
        freed >= needed
    }
}

/// An incoming body with its reserved memory.
pub(crate) struct IncomingBody {
    all: Arc<IncomingBodies>,
    owner: BodyOwner,
    number: u64,
    held: Option<OwnedSemaphorePermit>,
    evicted: Arc<Notify>,
}

impl IncomingBody {
    /// Reserves memory for received bytes; returns false if there is none.
    pub(crate) async fn reserve(&mut self, bytes: usize) -> bool {
        let (semaphore, budget) = self.all.budget(self.owner);
        let Ok(wanted) = u32::try_from(bytes) else { return false };
        let permit = match Arc::clone(semaphore).try_acquire_many_owned(wanted) {
            Ok(permit) => permit,
            Err(_) if !self.evict_others(bytes, budget) => return false,
            Err(_) => {
                let freed = Arc::clone(semaphore).acquire_many_owned(wanted);
                let Ok(Ok(permit)) = timeout(EVICTION_TIMEOUT, freed).await else { return false };
                permit
            }
        };
        if let Some(body) = lock(&self.all.bodies).by_number.get_mut(&self.number) {
            body.bytes += bytes;
            body.last = Instant::now();
        }
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        true
    }

    fn evict_others(&self, bytes: usize, budget: usize) -> bool {
        lock(&self.all.bodies).evict_others(self.number, bytes, budget, Instant::now())
    }

    /// Completes when the body is evicted.
    pub(crate) async fn wait_for_eviction(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for IncomingBody {
    fn drop(&mut self) {
        lock(&self.all.bodies).by_number.remove(&self.number);
    }
}

fn lock(bodies: &Mutex<Bodies>) -> MutexGuard<'_, Bodies> {
    bodies.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn key(number: usize) -> BodyOwner {
        BodyOwner::Credential(CallerKey::from_credential(&format!("mwk_{number}")))
    }

    fn somebody(last: u8) -> BodyOwner {
        BodyOwner::Address(Ipv4Addr::new(192, 0, 2, last).into())
    }

    /// Whether a body would get so many bytes if it came so much later.
    fn evicts_others(
        incoming: &IncomingBody,
        bytes: usize,
        budget: usize,
        later: Duration,
    ) -> bool {
        let now = Instant::now() + later;
        lock(&incoming.all.bodies).evict_others(incoming.number, bytes, budget, now)
    }

    async fn is_evicted(incoming: &IncomingBody) -> bool {
        timeout(Duration::ZERO, incoming.wait_for_eviction()).await.is_ok()
    }

    #[tokio::test]
    async fn a_body_that_stalls_gives_way_to_one_that_arrives() {
        let all = Arc::new(IncomingBodies::default());
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut one = all.register(key(1));
            assert!(one.reserve(MAX_KEYED_BYTES / 4).await);
            stalled.push(one);
        }
        let incoming = all.register(key(1));
        assert!(!evicts_others(&incoming, 1_000_000, MAX_KEYED_BYTES, Duration::ZERO));
        assert!(evicts_others(&incoming, 1_000_000, MAX_KEYED_BYTES, STALL_TIMEOUT));
        // One of them is enough, and the first has waited longest.
        let mut given = Vec::new();
        for one in &stalled {
            given.push(is_evicted(one).await);
        }
        assert_eq!(given, [true, false, false, false]);
    }

    #[tokio::test]
    async fn whoever_takes_all_gives_way_even_while_it_arrives_and_to_its_own_it_does_not() {
        let all = Arc::new(IncomingBodies::default());
        let mut greedy = all.register(key(1));
        assert!(greedy.reserve(MAX_KEYED_BYTES).await);
        assert!(!all.register(key(1)).reserve(1).await);
        let giving = tokio::spawn(async move {
            greedy.wait_for_eviction().await;
            drop(greedy);
        });
        assert!(all.register(key(2)).reserve(1_000).await);
        giving.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_no_key_takes_nothing_from_those_who_have() {
        let all = Arc::new(IncomingBodies::default());
        let mut keyless = all.register(somebody(1));
        assert!(keyless.reserve(MAX_KEYLESS_BYTES).await);
        assert!(!keyless.reserve(1).await);
        let mut keyed = all.register(key(1));
        assert!(keyed.reserve(MAX_KEYED_BYTES).await);
        let other = all.register(key(1));
        assert!(evicts_others(&other, 1, MAX_KEYED_BYTES, STALL_TIMEOUT));
        assert!(is_evicted(&keyed).await && !is_evicted(&keyless).await, "each has its own budget");
    }
}
