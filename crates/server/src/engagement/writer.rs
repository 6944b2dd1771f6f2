//! Group commit: what is waiting is stored in one transaction, with one fsync for all of it.

use mainstay_core::{engagement::Event, id::OrganizationId};
use mainstay_store::Outcome;
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Mainstay, Result};

/// Submissions that may wait: bounds memory, and past it senders are told to come again.
const QUEUE: usize = 1_024;
/// Events that go into one transaction, so that nobody waits long for a large one.
const MOST_EVENTS: usize = 5_000;
/// What a sender is told to wait when the queue is full, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

struct Submission {
    organization: OrganizationId,
    events: Vec<Event>,
    answer: oneshot::Sender<Result<Vec<Outcome>>>,
}

/// The way into the store for events that arrive over the network. Cheap to clone; the writer ends
/// when the last clone is gone and everything that was waiting is stored.
#[derive(Clone)]
pub struct EventWriter {
    queue: mpsc::Sender<Submission>,
}

impl EventWriter {
    /// Starts the writer, and answers when it is done too: after the last clone is dropped.
    pub fn start(mainstay: Mainstay) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, submissions) = mpsc::channel(QUEUE);
        (Self { queue }, tokio::spawn(write(mainstay, submissions)))
    }

    /// Stores checked events; when this returns they are on disk.
    ///
    /// # Errors
    /// [`Error::Busy`] when too much is waiting, [`Error::Unavailable`] when the database does not
    /// take it; then none is stored.
    pub async fn store(
        &self,
        organization: OrganizationId,
        events: Vec<Event>,
    ) -> Result<Vec<Outcome>> {
        let (answer, stored) = oneshot::channel();
        self.queue
            .try_send(Submission { organization, events, answer })
            .map_err(|_| Error::Busy { retry_after_seconds: RETRY_AFTER_SECONDS })?;
        stored.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

const fn unavailable() -> Error {
    Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS }
}

async fn write(mainstay: Mainstay, mut submissions: mpsc::Receiver<Submission>) {
    let mut held = None;
    loop {
        let Some(first) = (match held.take() {
            Some(submission) => Some(submission),
            None => submissions.recv().await,
        }) else {
            return;
        };
        let organization = first.organization;
        let mut group = vec![first];
        let mut events = group[0].events.len();
        while events < MOST_EVENTS
            && let Ok(next) = submissions.try_recv()
        {
            if next.organization != organization {
                // A transaction belongs to one organization; this one is next.
                held = Some(next);
                break;
            }
            events += next.events.len();
            group.push(next);
        }
        store_group(&mainstay, organization, group).await;
    }
}

async fn store_group(mainstay: &Mainstay, organization: OrganizationId, group: Vec<Submission>) {
    let counts: Vec<usize> = group.iter().map(|submission| submission.events.len()).collect();
    let (events, answers): (Vec<_>, Vec<_>) =
        group.into_iter().map(|submission| (submission.events, submission.answer)).unzip();
    let events: Vec<Event> = events.into_iter().flatten().collect();
    match mainstay.store_checked(organization, &events).await {
        Ok(outcomes) => {
            mainstay.hub().stored(organization, &events, &outcomes);
            let mut rest = outcomes.as_slice();
            for (answer, count) in answers.into_iter().zip(counts) {
                let (own, others) = rest.split_at(count);
                rest = others;
                // The sender may have gone; its events are stored all the same.
                let _ = answer.send(Ok(own.to_vec()));
            }
        }
        Err(error) => {
            tracing::error!(%error, events = events.len(), "events were not stored");
            for answer in answers {
                let _ = answer.send(Err(unavailable()));
            }
        }
    }
}
