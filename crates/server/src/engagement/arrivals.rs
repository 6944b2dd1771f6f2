//! Bodies that are on their way: how much memory they hold before anybody knows what they bring, and whose
//! has to give way when it is not enough.
//!
//! Bytes are counted as they arrive, not as they are promised. A body whose sender presents no key beforehand
//! has a budget apart, so that nobody without a key can take anything from those who have one.

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

/// Bytes of bodies on their way whose senders presented a key. Not yet worked on, they take no more than
/// themselves.
const KEYED_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of those that may have their key in the body, or none.
const KEYLESS_BYTES: usize = 6 * 1024 * 1024;
/// A body of which nothing came for so long gives way to one that arrives.
const STALLED: Duration = Duration::from_millis(500);
/// How long it is waited for what a body gives back that has to give way.
const GIVING_WAY: Duration = Duration::from_secs(1);

/// Who sends a body, as far as that can be told before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BodyOwner {
    /// Whoever has this key or token.
    Credential(CallerKey),
    /// Somebody at this address.
    Address(IpAddr),
}

/// All bodies on their way.
#[derive(Debug)]
pub(crate) struct Arrivals {
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
    gives_way: Arc<Notify>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            keyed: Arc::new(Semaphore::new(KEYED_BYTES)),
            keyless: Arc::new(Semaphore::new(KEYLESS_BYTES)),
            bodies: Mutex::default(),
        }
    }
}

impl Arrivals {
    /// A body of which nothing has come yet.
    pub(crate) fn begin(self: &Arc<Self>, owner: BodyOwner) -> Arriving {
        let gives_way = Arc::new(Notify::new());
        let body =
            Body { owner, bytes: 0, last: Instant::now(), gives_way: Arc::clone(&gives_way) };
        let mut bodies = lock(&self.bodies);
        let number = bodies.next;
        bodies.next += 1;
        bodies.by_number.insert(number, body);
        drop(bodies);
        Arriving { all: Arc::clone(self), owner, number, held: None, gives_way }
    }

    const fn budget(&self, owner: BodyOwner) -> (&Arc<Semaphore>, usize) {
        match owner {
            BodyOwner::Credential(_) => (&self.keyed, KEYED_BYTES),
            BodyOwner::Address(_) => (&self.keyless, KEYLESS_BYTES),
        }
    }
}

impl Bodies {
    /// Has others give way so that so many bytes become free; false when nobody has to. First whoever has
    /// stalled, the longest first; then whoever holds more than a quarter of the budget, the largest first.
    fn make_way(&mut self, number: u64, needed: usize, budget: usize, now: Instant) -> bool {
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
                let stalled = waited >= STALLED;
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
                body.gives_way.notify_one();
            }
        }
        freed >= needed
    }
}

/// A body on its way, and the memory that it holds.
pub(crate) struct Arriving {
    all: Arc<Arrivals>,
    owner: BodyOwner,
    number: u64,
    held: Option<OwnedSemaphorePermit>,
    gives_way: Arc<Notify>,
}

impl Arriving {
    /// So many more bytes came. False when there is no memory for them.
    pub(crate) async fn came(&mut self, bytes: usize) -> bool {
        let (semaphore, budget) = self.all.budget(self.owner);
        let Ok(wanted) = u32::try_from(bytes) else { return false };
        let permit = match Arc::clone(semaphore).try_acquire_many_owned(wanted) {
            Ok(permit) => permit,
            Err(_) if !self.make_way(bytes, budget) => return false,
            Err(_) => {
                let freed = Arc::clone(semaphore).acquire_many_owned(wanted);
                let Ok(Ok(permit)) = timeout(GIVING_WAY, freed).await else { return false };
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

    fn make_way(&self, bytes: usize, budget: usize) -> bool {
        lock(&self.all.bodies).make_way(self.number, bytes, budget, Instant::now())
    }

    /// Ends when the body has to give way to others.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }
}

impl Drop for Arriving {
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
        BodyOwner::Credential(CallerKey::of(&format!("mwk_{number}")))
    }

    fn somebody(last: u8) -> BodyOwner {
        BodyOwner::Address(Ipv4Addr::new(192, 0, 2, last).into())
    }

    /// Whether a body would get so many bytes if it came so much later.
    fn makes_way(arriving: &Arriving, bytes: usize, budget: usize, later: Duration) -> bool {
        let now = Instant::now() + later;
        lock(&arriving.all.bodies).make_way(arriving.number, bytes, budget, now)
    }

    async fn gives_way(arriving: &Arriving) -> bool {
        timeout(Duration::ZERO, arriving.gives_way()).await.is_ok()
    }

    #[tokio::test]
    async fn a_body_that_stalls_gives_way_to_one_that_arrives() {
        let all = Arc::new(Arrivals::default());
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let mut one = all.begin(key(1));
            assert!(one.came(KEYED_BYTES / 4).await);
            stalled.push(one);
        }
        let arriving = all.begin(key(1));
        assert!(!makes_way(&arriving, 1_000_000, KEYED_BYTES, Duration::ZERO));
        assert!(makes_way(&arriving, 1_000_000, KEYED_BYTES, STALLED));
        // One of them is enough, and the first has waited longest.
        let mut given = Vec::new();
        for one in &stalled {
            given.push(gives_way(one).await);
        }
        assert_eq!(given, [true, false, false, false]);
    }

    #[tokio::test]
    async fn whoever_takes_all_gives_way_even_while_it_arrives_and_to_its_own_it_does_not() {
        let all = Arc::new(Arrivals::default());
        let mut greedy = all.begin(key(1));
        assert!(greedy.came(KEYED_BYTES).await);
        assert!(!all.begin(key(1)).came(1).await);
        let giving = tokio::spawn(async move {
            greedy.gives_way().await;
            drop(greedy);
        });
        assert!(all.begin(key(2)).came(1_000).await);
        giving.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_no_key_takes_nothing_from_those_who_have() {
        let all = Arc::new(Arrivals::default());
        let mut keyless = all.begin(somebody(1));
        assert!(keyless.came(KEYLESS_BYTES).await);
        assert!(!keyless.came(1).await);
        let mut keyed = all.begin(key(1));
        assert!(keyed.came(KEYED_BYTES).await);
        let other = all.begin(key(1));
        assert!(makes_way(&other, 1, KEYED_BYTES, STALLED));
        assert!(gives_way(&keyed).await && !gives_way(&keyless).await, "each has its own budget");
    }
}
