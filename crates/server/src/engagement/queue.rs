//! What waits to be stored: each organization's in its order, and one organization after the other,
//! so that one which sends much, or whose rows are locked, does not keep the others waiting. What write keys
//! send is stored apart from the rest of an organization's: what it may settle is the same for a whole
//! transaction.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstay_core::{engagement::segment::IncomingMessage, id::OrganizationId};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use super::{MessageOutcome, Source};
use crate::{Result, access::CallerKey};

/// Maximum number of messages per transaction, which must stay short.
const MAX_GROUP_SIZE: usize = 5_000;
/// Groups of one organization that are being stored at a time.
pub(super) const MOST_UNDER_WAY: usize = 4;

/// The messages of one request.
pub(super) struct Submission {
    pub(super) messages: Vec<IncomingMessage>,
    /// The key of the request; `None` for Mainstay's own pages.
    pub(super) key: Option<CallerKey>,
    pub(super) reply: oneshot::Sender<Result<Vec<MessageOutcome>>>,
    /// Its reserved memory, released with the reply.
    pub(super) memory: OwnedSemaphorePermit,
}

/// The messages of one transaction.
pub(super) struct Group {
    pub(super) source: Source,
    pub(super) submissions: Vec<Submission>,
    pub(super) turn: Turn,
}

/// An organization's turn, over when it is dropped.
pub(super) struct Turn {
    queue: Arc<Queue>,
    organization: OrganizationId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.queue.lock();
        if let Some(count) = waiting.under_way.get_mut(&self.organization) {
            *count -= 1;
            if *count == 0 {
                waiting.under_way.remove(&self.organization);
            }
        }
        drop(waiting);
        self.queue.changed.notify_one();
    }
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    by_organization: HashMap<Source, VecDeque<Submission>>,
    /// Sources of which something waits, in the order by_organization their turns.
    turns: VecDeque<Source>,
    /// How many groups of each organization are being stored.
    under_way: HashMap<OrganizationId, usize>,
    closed: bool,
}

impl Queue {
    pub(super) fn push(&self, source: Source, submission: Submission) {
        let mut waiting = self.lock();
        let own = waiting.by_organization.entry(source).or_default();
        own.push_back(submission);
        if own.len() == 1 {
            waiting.turns.push_back(source);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Lets writers stop once the queue is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Waits for the next group to store; `None` if the queue is closed and empty.
    pub(super) async fn next(self: &Arc<Self>) -> Option<Group> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that nothing is missed between looking and waiting.
            changed.as_mut().enable();
            {
                let mut waiting = self.lock();
                if let Some((source, submissions)) = waiting.next_group() {
                    if !waiting.turns.is_empty() {
                        self.changed.notify_one();
                    }
                    let turn = Turn { queue: Arc::clone(self), organization: source.organization };
                    return Some(Group { source, submissions, turn });
                }
                // What an organization has no turn for is left to those who are storing for it.
                if waiting.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// What the next source that may have a turn has waiting.
    fn next_group(&mut self) -> Option<(Source, Vec<Submission>)> {
        let may = |source: &Source| {
            self.under_way.get(&source.organization).is_none_or(|it| *it < MOST_UNDER_WAY)
        };
        let place = self.turns.iter().position(may)?;
        let source = self.turns.remove(place)?;
        let own = self.by_organization.get_mut(&source)?;
        let mut submissions: Vec<Submission> = own.pop_front().into_iter().collect();
        let mut count = submissions.first().map_or(0, |first| first.messages.len());
        while let Some(next) = own.front()
            && count + next.messages.len() <= MAX_GROUP_SIZE
        {
            count += next.messages.len();
            submissions.extend(own.pop_front());
        }
        if own.is_empty() {
            self.by_organization.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        *self.under_way.entry(source.organization).or_default() += 1;
        Some((source, submissions))
    }
}
