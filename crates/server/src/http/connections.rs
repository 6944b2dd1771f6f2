//! Which connections there are, what each of them waits for, and which has to go.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::Instant};

use super::Limits;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// For the head of a request, the first one included.
    Head,
    /// For a request's body.
    Body,
    /// For the next request.
    Next,
    /// For us.
    Us,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    address: IpAddr,
    state: Mutex<State>,
    /// Told when the connection is to be closed.
    pub(super) closing: Notify,
}

#[derive(Debug)]
struct State {
    waiting: Waiting,
    since: Instant,
    /// Since when the reader has not taken what was written.
    blocked: Option<Instant>,
}

impl Connection {
    /// Bytes came.
    pub(super) fn came(&self) {
        let mut state = lock(&self.state);
        if state.waiting == Waiting::Next {
            (state.waiting, state.since) = (Waiting::Head, Instant::now());
        }
    }

    /// A request's head is there.
    pub(super) fn begins(&self, with_body: bool) {
        self.waits(if with_body { Waiting::Body } else { Waiting::Us });
    }

    /// A part of the body came.
    pub(super) fn body_came(&self) {
        self.waits(Waiting::Body);
    }

    /// The whole body is there, or nobody wants the rest.
    pub(super) fn body_ended(&self) {
        let mut state = lock(&self.state);
        if state.waiting == Waiting::Body {
            state.waiting = Waiting::Us;
        }
    }

    /// The answer is written.
    pub(super) fn ends(&self) {
        self.waits(Waiting::Next);
    }

    /// Whether a write went through.
    pub(super) fn writes(&self, through: bool) {
        let mut state = lock(&self.state);
        if through {
            state.blocked = None;
        } else if state.blocked.is_none() {
            state.blocked = Some(Instant::now());
        }
    }

    fn waits(&self, waiting: Waiting) {
        let mut state = lock(&self.state);
        (state.waiting, state.since) = (waiting, Instant::now());
    }

    /// Whether it has waited for too long. A body has a limit of its own.
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
                Waiting::Body | Waiting::Us => false,
            }
    }

    /// How soon it has to go when there is no room, the smallest first; `None` for one that waits for us.
    fn turn(&self) -> Option<(bool, Instant)> {
        let state = lock(&self.state);
        match state.waiting {
            Waiting::Head | Waiting::Body => Some((false, state.since)),
            // It has done its part, and may come again at once.
            Waiting::Next => Some((true, state.since)),
            Waiting::Us => None,
        }
    }
}

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    /// Whether they are a proxy's, so that their address says nothing.
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

    /// Closes the connection that has waited longest for its sender; false when all wait for us.
    fn make_room(&mut self, address: Option<IpAddr>) -> bool {
        let candidates = self
            .by_number
            .iter()
            .filter(|(_, connection)| address.is_none_or(|address| connection.address == address));
        let first = candidates
            .filter_map(|(number, connection)| Some((connection.turn()?, *number)))
            .min_by_key(|(turn, _)| *turn);
        let Some(closed) = first.and_then(|(_, number)| self.remove(number)) else { return false };
        closed.closing.notify_one();
        true
    }
}

impl Connections {
    pub(super) fn new(limits: Limits, behind_proxy: bool) -> Arc<Self> {
        Arc::new(Self { limits, behind_proxy, open: Mutex::default() })
    }

    /// Takes a connection in; one that has waited longer may have to make room. `None` when there is none.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let mut open = lock(&self.open);
        let own = open.by_address.get(&address).copied().unwrap_or_default();
        let most = self.limits.of_address(address).filter(|_| !self.behind_proxy);
        if most.is_some_and(|most| own >= most) && !open.make_room(Some(address)) {
            return None;
        }
        if open.by_number.len() >= self.limits.connections && !open.make_room(None) {
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
        Some(Admitted { all: Arc::clone(self), number, connection })
    }

    /// Closes some connection that nobody would miss: there are no descriptors left.
    pub(super) fn make_room(&self) {
        lock(&self.open).make_room(None);
    }

    /// Closes all that have waited for too long.
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

/// A connection's place, given back when it ends.
pub(super) struct Admitted {
    all: Arc<Connections>,
    number: u64,
    pub(super) connection: Arc<Connection>,
}

impl Admitted {
    pub(super) fn limits(&self) -> &Limits {
        &self.all.limits
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        lock(&self.all.open).remove(self.number);
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn is_closing(admitted: &Admitted) -> bool {
        !lock(&admitted.all.open).by_number.contains_key(&admitted.number)
    }

    #[tokio::test]
    async fn whoever_waits_longest_for_its_sender_makes_room_and_whoever_waits_for_us_stays() {
        let all = connections(3, 3);
        let working = all.admit(address(1)).unwrap();
        working.connection.begins(false);
        let slow = all.admit(address(2)).unwrap();
        let slower = all.admit(address(3)).unwrap();
        slow.connection.begins(true);
        // The newest of all, and yet it has to go: it waits for a request, the others for its rest.
        let fourth = all.admit(address(4)).unwrap();
        assert!(is_closing(&slower) && !is_closing(&slow) && !is_closing(&working));
        fourth.connection.begins(false);
        slow.connection.body_ended();
        assert!(all.admit(address(5)).is_none(), "all of them wait for us");
        fourth.connection.ends();
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
        one.connection.begins(true);
        assert!(!overdue(Duration::from_hours(1)), "a body has a limit of its own");
        one.connection.ends();
        assert!(!overdue(idle / 2) && overdue(idle + second));
        one.connection.came();
        assert!(!overdue(head / 2) && overdue(head + second), "the next head is not finished");
        one.connection.begins(false);
        assert!(!overdue(Duration::from_hours(1)), "it waits for us");
        one.connection.writes(false);
        assert!(overdue(all.limits.write_timeout + second), "its reader takes nothing");
        one.connection.writes(true);
        assert!(!overdue(all.limits.write_timeout + second));
    }
}
