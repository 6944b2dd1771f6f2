//! Open connections, their states, and their eviction.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use super::Limits;

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Waiting for the head of a request, including the first.
    Head,
    /// Waiting for a request body.
    Body,
    /// Waiting for the next request.
    Next,
    /// Waiting for the server.
    Server,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: IpAddr,
    state: Mutex<State>,
    /// Notified when the connection must close.
    pub(super) closing: Notify,
}

#[derive(Debug)]
struct State {
    waiting: Waiting,
    since: Instant,
    /// Since when a write is blocked.
    blocked: Option<Instant>,
}

impl Connection {
    /// Records received bytes.
    pub(super) fn bytes_received(&self) {
        let mut state = lock(&self.state);
        if state.waiting == Waiting::Next {
            (state.waiting, state.since) = (Waiting::Head, Instant::now());
        }
    }

    /// Records a complete request head.
    pub(super) fn request_started(&self, with_body: bool) {
        self.set_waiting(if with_body { Waiting::Body } else { Waiting::Server });
    }

    /// Records a part of the body.
    pub(super) fn body_received(&self) {
        self.set_waiting(Waiting::Body);
    }

    /// Records the end of the body, or that the rest is ignored.
    pub(super) fn body_ended(&self) {
        let mut state = lock(&self.state);
        if state.waiting == Waiting::Body {
            state.waiting = Waiting::Server;
        }
    }

    /// Records the end of the response.
    pub(super) fn response_finished(&self) {
        self.set_waiting(Waiting::Next);
    }

    /// Records whether a write succeeded.
    pub(super) fn record_write(&self, through: bool) {
        let mut state = lock(&self.state);
        if through {
            state.blocked = None;
        } else if state.blocked.is_none() {
            state.blocked = Some(Instant::now());
        }
    }

    fn set_waiting(&self, waiting: Waiting) {
        let mut state = lock(&self.state);
        (state.waiting, state.since) = (waiting, Instant::now());
    }

    /// Whether it has timed out. Bodies have their own timeout.
    fn is_overdue(&self, limits: &Limits, now: Instant) -> bool {
        let state = lock(&self.state);
        let waited = now.saturating_duration_since(state.since);
        let blocked = state
            .blocked
            .is_some_and(|since| now.saturating_duration_since(since) > limits.write_timeout);
        blocked
            || match state.waiting {
                Waiting::Head => waited > limits.header_timeout,
                Waiting::Next => waited > limits.idle_timeout,
                Waiting::Body | Waiting::Server => false,
            }
    }

    /// The eviction order, smallest first; `None` if it waits for the server.
    fn eviction_order(&self) -> Option<(bool, Instant)> {
        let state = lock(&self.state);
        match state.waiting {
            Waiting::Head | Waiting::Body => Some((false, state.since)),
            // It has done its part, and may come again at once.
            Waiting::Next => Some((true, state.since)),
            Waiting::Server => None,
        }
    }
}

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    /// Whether they come from a proxy, so that their address is meaningless.
    behind_proxy: bool,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Arc<Connection>>,
    by_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn remove(&mut self, number: u64) -> Option<Arc<Connection>> {
        let connection = self.by_number.remove(&number)?;
        if let Some(count) = self.by_address.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&connection.address);
            }
        }
        Some(connection)
    }

    /// Closes the connection that has waited longest for its sender; returns false if all wait for
    /// the server.
    fn evict_one(&mut self, address: Option<IpAddr>) -> bool {
        let candidates = self
            .by_number
            .iter()
            .filter(|(_, connection)| address.is_none_or(|address| connection.address == address));
        let first = candidates
            .filter_map(|(number, connection)| Some((connection.eviction_order()?, *number)))
            .min_by_key(|(order, _)| *order);
        let Some(closed) = first.and_then(|(_, number)| self.remove(number)) else { return false };
        closed.closing.notify_one();
        true
    }
}

impl Connections {
    pub(super) fn new(limits: Limits, behind_proxy: bool) -> Arc<Self> {
        Arc::new(Self { limits, behind_proxy, open: Mutex::default() })
    }

    /// Admits a connection, evicting one if necessary; `None` if that is not possible.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPermit> {
        let mut open = lock(&self.open);
        let own = open.by_address.get(&address).copied().unwrap_or_default();
        let max = self.limits.limit_for(address).filter(|_| !self.behind_proxy);
        if max.is_some_and(|max| own >= max) && !open.evict_one(Some(address)) {
            return None;
        }
        if open.by_number.len() >= self.limits.connections && !open.evict_one(None) {
            return None;
        }
        let state = State { waiting: Waiting::Head, since: Instant::now(), blocked: None };
        let connection =
            Arc::new(Connection { address, state: Mutex::new(state), closing: Notify::new() });
        let number = open.next;
        open.next += 1;
        open.by_number.insert(number, Arc::clone(&connection));
        *open.by_address.entry(address).or_default() += 1;
        drop(open);
        Some(ConnectionPermit { all: Arc::clone(self), number, connection })
    }

    /// Evicts a connection, because there are no file descriptors left.
    pub(super) fn evict_one(&self) {
        lock(&self.open).evict_one(None);
    }

    /// Closes all timed-out connections.
    pub(super) fn close_overdue(&self) {
        let now = Instant::now();
        let open = lock(&self.open);
        for connection in open.by_number.values() {
            if connection.is_overdue(&self.limits, now) {
                connection.closing.notify_one();
            }
        }
    }
}

/// The permit of a connection, released when it ends.
pub(super) struct ConnectionPermit {
    all: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl ConnectionPermit {
    pub(super) fn limits(&self) -> &Limits {
        &self.all.limits
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        lock(&self.all.open).remove(self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn connections(all: usize, per_address: usize) -> Arc<Connections> {
        let limits =
            Limits { connections: all, connections_per_address: per_address, ..Limits::default() };
        Connections::new(limits, false)
    }

    fn is_closing(permit: &ConnectionPermit) -> bool {
        !lock(&permit.all.open).by_number.contains_key(&permit.number)
    }

    #[tokio::test]
    async fn whoever_waits_longest_for_its_sender_makes_room_and_whoever_waits_for_us_stays() {
        let all = connections(3, 3);
        let working = all.admit(address(1)).unwrap();
        working.connection.request_started(false);
        let slow = all.admit(address(2)).unwrap();
        let slower = all.admit(address(3)).unwrap();
        slow.connection.request_started(true);
        // The newest of all, and yet it has to go: it waits for a request, the others for its rest.
        let fourth = all.admit(address(4)).unwrap();
        assert!(is_closing(&slower) && !is_closing(&slow) && !is_closing(&working));
        fourth.connection.request_started(false);
        slow.connection.body_ended();
        assert!(all.admit(address(5)).is_none(), "all of them wait for us");
        fourth.connection.response_finished();
        assert!(all.admit(address(5)).is_some() && is_closing(&fourth));
    }

    #[tokio::test]
    async fn an_address_past_its_share_costs_itself() {
        let all = connections(10, 2);
        let other = all.admit(address(1)).unwrap();
        let first = all.admit(address(2)).unwrap();
        let second = all.admit(address(2)).unwrap();
        let third = all.admit(address(2)).unwrap();
        assert!(is_closing(&first) && !is_closing(&second) && !is_closing(&other));
        drop((second, third));
        assert!(lock(&all.open).by_address.len() == 1);
    }

    #[tokio::test]
    async fn heads_idling_and_readers_have_their_limits() {
        let all = connections(10, 10);
        let one = all.admit(address(1)).unwrap();
        let overdue =
            |after: Duration| one.connection.is_overdue(&all.limits, Instant::now() + after);
        let second = Duration::from_secs(1);
        let (head, idle) = (all.limits.header_timeout, all.limits.idle_timeout);
        assert!(!overdue(head / 2) && overdue(head + second), "nothing was sent at all");
        one.connection.request_started(true);
        assert!(!overdue(Duration::from_hours(1)), "a body has a limit of its own");
        one.connection.response_finished();
        assert!(!overdue(idle / 2) && overdue(idle + second));
        one.connection.bytes_received();
        assert!(!overdue(head / 2) && overdue(head + second), "the next head is not finished");
        one.connection.request_started(false);
        assert!(!overdue(Duration::from_hours(1)), "it waits for us");
        one.connection.record_write(false);
        assert!(overdue(all.limits.write_timeout + second), "its reader takes nothing");
        one.connection.record_write(true);
        assert!(!overdue(all.limits.write_timeout + second));
    }
}
