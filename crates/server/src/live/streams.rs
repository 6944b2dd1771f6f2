//! Limits of live streams.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{access::CallerKey, http::Limits};

/// The limit that a new stream exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamRefusal {
    /// The limit per session.
    Session(usize),
    /// The limit per address.
    Address(usize),
    /// The total limit.
    All,
}

/// Open streams.
#[derive(Debug)]
pub(crate) struct Streams {
    max: usize,
    max_per_address: usize,
    max_per_session: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_session: HashMap<CallerKey, usize>,
    by_address: HashMap<IpAddr, usize>,
}

impl Streams {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max: limits.streams,
            max_per_address: limits.streams_per_address,
            max_per_session: limits.streams_per_session,
            open: Mutex::default(),
        }
    }

    /// Opens a stream of a session from an address.
    ///
    /// # Errors
    /// If a limit is reached.
    pub(crate) fn open(
        self: &Arc<Self>,
        session: CallerKey,
        address: IpAddr,
    ) -> Result<StreamPermit, StreamRefusal> {
        let mut open = self.lock();
        let of_session = open.by_session.get(&session).copied().unwrap_or_default();
        if of_session >= self.max_per_session {
            return Err(StreamRefusal::Session(self.max_per_session));
        }
        let of_address = open.by_address.get(&address).copied().unwrap_or_default();
        // A proxy on this machine that nobody told us of would be everybody.
        if of_address >= self.max_per_address && !address.to_canonical().is_loopback() {
            return Err(StreamRefusal::Address(self.max_per_address));
        }
        if open.all >= self.max {
            return Err(StreamRefusal::All);
        }
        open.all += 1;
        open.by_session.insert(session, of_session + 1);
        open.by_address.insert(address, of_address + 1);
        Ok(StreamPermit { all: Arc::clone(self), session, address })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permit of a stream, released when it ends.
#[derive(Debug)]
pub(crate) struct StreamPermit {
    all: Arc<Streams>,
    session: CallerKey,
    address: IpAddr,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.all -= 1;
        remove_one(&mut open.by_session, &self.session);
        remove_one(&mut open.by_address, &self.address);
    }
}

fn remove_one<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_session_and_each_address_has_its_share_and_gives_it_back() {
        let limits = Limits {
            streams: 4,
            streams_per_address: 3,
            streams_per_session: 2,
            ..Limits::default()
        };
        let streams = Arc::new(Streams::new(&limits));
        let (ada, bob) = (CallerKey::from_credential("ada"), CallerKey::from_credential("bob"));
        let [here, there] = [1, 2].map(|last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last)));
        let first = streams.open(ada, here).unwrap();
        let _second = streams.open(ada, here).unwrap();
        assert_eq!(streams.open(ada, there).unwrap_err(), StreamRefusal::Session(2));
        let _third = streams.open(bob, here).unwrap();
        assert_eq!(streams.open(bob, here).unwrap_err(), StreamRefusal::Address(3));
        let _fourth = streams.open(bob, there).unwrap();
        assert_eq!(
            streams.open(CallerKey::from_credential("eve"), there).unwrap_err(),
            StreamRefusal::All
        );
        drop(first);
        drop(streams.open(ada, here).unwrap());
        assert_eq!(streams.lock().all, 3);
    }
}
