use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use mainstay_core::{
    alert::Severity,
    engagement::{Event, EventType},
    id::OrganizationId,
};
use mainstay_store::RefusedEvent;
use tokio::sync::{broadcast, watch};

use super::refusals::RefusalBuffer;

/// Maximum number of queued updates of a slow reader; one that falls further behind is disconnected
/// and must reload.
const BACKLOG: usize = 64;
/// Maximum number of individual events per second; the rest is only counted.
const MAX_EVENTS_PER_SECOND: usize = 40;
/// Maximum number of named clients.
pub(super) const MAX_NAMED: usize = 200;

/// A newly stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveEvent {
    /// The host app's id of the client.
    pub client_id: String,
    /// The sender's id of the message.
    pub message_id: String,
    /// What it counts as.
    pub event_type: EventType,
    /// The name as it was sent.
    pub name: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was received.
    pub received_at: Timestamp,
}

/// A live update for pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveUpdate {
    /// Events were stored.
    Events(Vec<LiveEvent>),
    /// More events were stored than are sent individually.
    MoreEvents {
        /// The number of events.
        count: i64,
        /// Their clients; `None` if there are too many to name.
        clients: Option<Vec<String>>,
    },
    /// Events were rejected, newest first.
    Refused(Vec<RefusedEvent>),
    /// The number of open alerts per severity.
    Alerts(Vec<(Severity, i64)>),
    /// Clients' standings changed, by the host app's ids; `None` if there are too many to name.
    Standings(Option<Vec<String>>),
}

/// Publishes updates of an organization to its subscribers. Costs nothing without subscribers.
#[derive(Debug)]
pub struct Hub {
    channels: Mutex<HashMap<OrganizationId, Channel>>,
    pub(super) refusals: RefusalBuffer,
    stopped: watch::Sender<bool>,
    /// Incremented when sessions end or rights change.
    sessions: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
struct Channel {
    sender: broadcast::Sender<Arc<LiveUpdate>>,
    budget: Arc<AtomicUsize>,
    more: Arc<Mutex<Overflow>>,
}

/// Events of a second that were not sent individually.
#[derive(Debug, Default)]
struct Overflow {
    count: i64,
    /// At most one more than the maximum.
    clients: BTreeSet<String>,
}

/// A subscription of one reader.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<LiveUpdate>>,
    stopped: watch::Receiver<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            channels: Mutex::default(),
            refusals: RefusalBuffer::default(),
            stopped: watch::Sender::new(false),
            sessions: watch::Sender::new(0),
        }
    }
}

impl Subscription {
    /// The next update; `None` if the server stops, or if the reader fell behind and must reload.
    pub async fn next(&mut self) -> Option<Arc<LiveUpdate>> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => None,
            news = self.receiver.recv() => news.ok(),
        }
    }
}

impl Hub {
    /// Subscribes to an organization; also returns whether it is the first subscription.
    pub(super) fn listen(&self, organization: OrganizationId) -> (Subscription, bool) {
        let mut channels = self.channels();
        let first = !channels.contains_key(&organization);
        let channel = channels.entry(organization).or_insert_with(|| Channel {
            sender: broadcast::Sender::new(BACKLOG),
            budget: Arc::new(AtomicUsize::new(MAX_EVENTS_PER_SECOND)),
            more: Arc::default(),
        });
        let receiver = channel.sender.subscribe();
        (Subscription { receiver, stopped: self.stopped.subscribe() }, first)
    }

    /// Publishes an update to the subscribers of an organization.
    pub(super) fn publish(&self, organization: OrganizationId, news: LiveUpdate) {
        if let Some(channel) = self.channels().get(&organization) {
            // Nobody may be listening any more.
            let _ = channel.sender.send(Arc::new(news));
        }
    }

    /// Starts a new second: resets the budget of events and publishes the overflow. Returns false
    /// if there are no subscribers any more.
    pub(super) fn next_second(&self, organization: OrganizationId) -> bool {
        let mut channels = self.channels();
        let Some(channel) = channels.get(&organization) else { return false };
        if channel.sender.receiver_count() == 0 {
            channels.remove(&organization);
            return false;
        }
        channel.budget.store(MAX_EVENTS_PER_SECOND, Ordering::Relaxed);
        let more = std::mem::take(&mut *lock(&channel.more));
        if more.count > 0 {
            let _ = channel.sender.send(Arc::new(more.into_update()));
        }
        true
    }

    /// Publishes newly stored events, each with its client's `external_id`.
    pub(crate) fn publish_stored<'a>(
        &self,
        organization: OrganizationId,
        new: impl Iterator<Item = (&'a str, &'a Event)>,
    ) {
        let Some(channel) = self.channels().get(&organization).cloned() else { return };
        let new: Vec<(&str, &Event)> = new.collect();
        let budget = channel.budget.load(Ordering::Relaxed);
        let (rest, individual) = new.split_at(new.len().saturating_sub(budget));
        channel.budget.fetch_sub(individual.len(), Ordering::Relaxed);
        lock(&channel.more).add(rest);
        if !individual.is_empty() {
            let individual =
                individual.iter().map(|(client, event)| LiveEvent::of(client, event)).collect();
            let _ = channel.sender.send(Arc::new(LiveUpdate::Events(individual)));
        }
    }

    /// Notifies streams that sessions ended or rights changed, so that they check their permission.
    pub(crate) fn notify_sessions_changed(&self) {
        self.sessions.send_modify(|times| *times += 1);
    }

    /// Subscribes to changes of sessions.
    pub(crate) fn watch_sessions(&self) -> watch::Receiver<u64> {
        self.sessions.subscribe()
    }

    /// Ends all streams, and new ones immediately: the server stops.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<OrganizationId, Channel>> {
        lock(&self.channels)
    }
}

impl Overflow {
    fn add(&mut self, events: &[(&str, &Event)]) {
        self.count += i64::try_from(events.len()).unwrap_or(i64::MAX);
        for (client, _) in events {
            if self.clients.len() > MAX_NAMED {
                break;
            }
            if !self.clients.contains(*client) {
                self.clients.insert((*client).to_owned());
            }
        }
    }

    fn into_update(self) -> LiveUpdate {
        let few = self.clients.len() <= MAX_NAMED;
        let clients = few.then(|| self.clients.into_iter().collect());
        LiveUpdate::MoreEvents { count: self.count, clients }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveEvent {
    fn of(client_id: &str, event: &Event) -> Self {
        Self {
            client_id: client_id.to_owned(),
            message_id: event.message_id.clone(),
            event_type: event.event_type,
            name: event.name.clone(),
            occurred_at: event.occurred_at,
            received_at: event.received_at,
        }
    }
}
