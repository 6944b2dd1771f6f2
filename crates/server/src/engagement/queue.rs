//! What waits to be stored: each organization's in its order, and one organization after the other,
//! so that one which sends much, or whose rows are locked, does not keep the others waiting.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstay_core::{engagement::segment::Said, id::OrganizationId};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use super::Fate;
use crate::{Result, access::CallerKey};

/// Things that go into one transaction, so that nobody waits long for a large one.
const MOST_AT_ONCE: usize = 5_000;
/// Groups of one organization that are being stored at a time.
pub(super) const MOST_UNDER_WAY: usize = 4;

/// What one request brings.
pub(super) struct Submission {
    pub(super) said: Vec<Said>,
    /// The key that it came with; `None` of what a page here makes.
    pub(super) key: Option<CallerKey>,
    pub(super) answer: oneshot::Sender<Result<Vec<Fate>>>,
    /// Its share of the memory that may wait; given back with the answer.
    pub(super) memory: OwnedSemaphorePermit,
}

/// What is stored in one transaction.
pub(super) struct Group {
    pub(super) organization: OrganizationId,
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
    of: HashMap<OrganizationId, VecDeque<Submission>>,
    /// Organizations of which something waits, in the order of their turns.
    turns: VecDeque<OrganizationId>,
    /// How many groups of each are being stored.
    under_way: HashMap<OrganizationId, usize>,
    closed: bool,
}

impl Queue {
    pub(super) fn push(&self, organization: OrganizationId, submission: Submission) {
        let mut waiting = self.lock();
        let own = waiting.of.entry(organization).or_default();
        own.push_back(submission);
        if own.len() == 1 {
            waiting.turns.push_back(organization);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Lets writers end when nothing waits any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// The next group to store; waits for one. `None` when the queue is closed and empty.
    pub(super) async fn next(self: &Arc<Self>) -> Option<Group> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that nothing is missed between looking and waiting.
            changed.as_mut().enable();
            {
                let mut waiting = self.lock();
                if let Some((organization, submissions)) = waiting.take() {
                    if !waiting.turns.is_empty() {
                        self.changed.notify_one();
                    }
                    let turn = Turn { queue: Arc::clone(self), organization };
                    return Some(Group { organization, submissions, turn });
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
    /// What the next organization that may have a turn has waiting.
    fn take(&mut self) -> Option<(OrganizationId, Vec<Submission>)> {
        let may =
            |organization| self.under_way.get(organization).is_none_or(|it| *it < MOST_UNDER_WAY);
        let place = self.turns.iter().position(may)?;
        let organization = self.turns.remove(place)?;
        let own = self.of.get_mut(&organization)?;
        let mut submissions: Vec<Submission> = own.pop_front().into_iter().collect();
        let mut count = submissions.first().map_or(0, |first| first.said.len());
        while let Some(next) = own.front()
            && count + next.said.len() <= MOST_AT_ONCE
        {
            count += next.said.len();
            submissions.extend(own.pop_front());
        }
        if own.is_empty() {
            self.of.remove(&organization);
        } else {
            self.turns.push_back(organization);
        }
        *self.under_way.entry(organization).or_default() += 1;
        Some((organization, submissions))
    }
}
