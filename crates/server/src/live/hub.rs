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

use super::refusals::Refusals;

/// News that may wait for a slow reader; one that falls further behind is let go, and starts anew.
const BACKLOG: usize = 64;
/// Events that are told one by one in a second; more of them are counted.
const EVENTS_A_SECOND: usize = 40;
/// Clients that are named at a time.
pub(super) const MOST_NAMED: usize = 200;

/// An event that was just stored.
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
    /// When it reached us.
    pub received_at: Timestamp,
}

/// Something that a page may want to know at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Events were stored.
    Events(Vec<LiveEvent>),
    /// More were stored than were told one by one.
    MoreEvents {
        /// How many more.
        count: i64,
        /// Of which clients; `None` for more than are worth naming.
        clients: Option<Vec<String>>,
    },
    /// Events were refused, the newest first.
    Refused(Vec<RefusedEvent>),
    /// How many alerts of each severity are open now.
    Alerts(Vec<(Severity, i64)>),
    /// Clients stand otherwise, by the host app's ids; `None` for more than are worth naming.
    Standings(Option<Vec<String>>),
}

/// Tells those who watch an organization what happens in it. Costs nothing while nobody does.
#[derive(Debug)]
pub struct Hub {
    channels: Mutex<HashMap<OrganizationId, Channel>>,
    pub(super) refusals: Refusals,
    stopped: watch::Sender<bool>,
    /// How often sessions ended, or the rights of one changed.
    sessions: watch::Sender<u64>,
}

#[derive(Clone, Debug)]
struct Channel {
    sender: broadcast::Sender<Arc<News>>,
    left: Arc<AtomicUsize>,
    more: Arc<Mutex<More>>,
}

/// Events of a second that were not told one by one.
#[derive(Debug, Default)]
struct More {
    count: i64,
    /// At most one more than may be named.
    clients: BTreeSet<String>,
}

/// What one reader hears.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<News>>,
    stopped: watch::Receiver<bool>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            channels: Mutex::default(),
            refusals: Refusals::default(),
            stopped: watch::Sender::new(false),
            sessions: watch::Sender::new(0),
        }
    }
}

impl Subscription {
    /// The next thing that happens. `None` when the server stops, or when so much happened since the
    /// last time that some of it is gone: then it takes a new look at everything.
    pub async fn next(&mut self) -> Option<Arc<News>> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => None,
            news = self.receiver.recv() => news.ok(),
        }
    }
}

impl Hub {
    /// Listens to an organization; the second answer is whether nobody did before.
    pub(super) fn listen(&self, organization: OrganizationId) -> (Subscription, bool) {
        let mut channels = self.channels();
        let first = !channels.contains_key(&organization);
        let channel = channels.entry(organization).or_insert_with(|| Channel {
            sender: broadcast::Sender::new(BACKLOG),
            left: Arc::new(AtomicUsize::new(EVENTS_A_SECOND)),
            more: Arc::default(),
        });
        let receiver = channel.sender.subscribe();
        (Subscription { receiver, stopped: self.stopped.subscribe() }, first)
    }

    /// Tells everybody who listens to an organization.
    pub(super) fn tell(&self, organization: OrganizationId, news: News) {
        if let Some(channel) = self.channels().get(&organization) {
            // Nobody may be listening any more.
            let _ = channel.sender.send(Arc::new(news));
        }
    }

    /// Begins a new second: so many events may be told again, and what was only counted is told.
    /// False when nobody listens any more; then there is nothing to go on for.
    pub(super) fn next_second(&self, organization: OrganizationId) -> bool {
        let mut channels = self.channels();
        let Some(channel) = channels.get(&organization) else { return false };
        if channel.sender.receiver_count() == 0 {
            channels.remove(&organization);
            return false;
        }
        channel.left.store(EVENTS_A_SECOND, Ordering::Relaxed);
        let more = std::mem::take(&mut *lock(&channel.more));
        if more.count > 0 {
            let _ = channel.sender.send(Arc::new(more.news()));
        }
        true
    }

    /// Tells of events that were just stored, each with its client's `external_id`.
    pub(crate) fn stored<'a>(
        &self,
        organization: OrganizationId,
        new: impl Iterator<Item = (&'a str, &'a Event)>,
    ) {
        let Some(channel) = self.channels().get(&organization).cloned() else { return };
        let new: Vec<(&str, &Event)> = new.collect();
        let left = channel.left.load(Ordering::Relaxed);
        let (rest, told) = new.split_at(new.len().saturating_sub(left));
        channel.left.fetch_sub(told.len(), Ordering::Relaxed);
        lock(&channel.more).add(rest);
        if !told.is_empty() {
            let told = told.iter().map(|(client, event)| LiveEvent::of(client, event)).collect();
            let _ = channel.sender.send(Arc::new(News::Events(told)));
        }
    }

    /// Sessions ended, or somebody may do less: streams look whether they may go on.
    pub(crate) fn sessions_changed(&self) {
        self.sessions.send_modify(|times| *times += 1);
    }

    /// Tells when sessions end.
    pub(crate) fn watch_sessions(&self) -> watch::Receiver<u64> {
        self.sessions.subscribe()
    }

    /// Ends every stream, now and from now on: the server stops.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<OrganizationId, Channel>> {
        lock(&self.channels)
    }
}

impl More {
    fn add(&mut self, events: &[(&str, &Event)]) {
        self.count += i64::try_from(events.len()).unwrap_or(i64::MAX);
        for (client, _) in events {
            if self.clients.len() > MOST_NAMED {
                break;
            }
            if !self.clients.contains(*client) {
                self.clients.insert((*client).to_owned());
            }
        }
    }

    fn news(self) -> News {
        let few = self.clients.len() <= MOST_NAMED;
        let clients = few.then(|| self.clients.into_iter().collect());
        News::MoreEvents { count: self.count, clients }
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
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
