//! What waits to be stored: each organization's in its order, and one organization after the other,
//! so that one which sends much does not keep the others waiting.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use mainstay_core::{engagement::segment::Said, id::OrganizationId};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use super::Fate;
use crate::{Result, access::CallerKey};

/// Things that go into one transaction, so that nobody waits long for a large one.
const MOST_AT_ONCE: usize = 5_000;

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
    pub(super) async fn next(&self) -> Option<Group> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that nothing is missed between looking and waiting.
            changed.as_mut().enable();
            {
                let mut waiting = self.lock();
                if let Some(group) = waiting.take() {
                    if !waiting.turns.is_empty() {
                        self.changed.notify_one();
                    }
                    return Some(group);
                }
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
    fn take(&mut self) -> Option<Group> {
        let organization = self.turns.pop_front()?;
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
        Some(Group { organization, submissions })
    }
}
