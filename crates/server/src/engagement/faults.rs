//! Isolation of events that cannot be stored because of an internal error: each is found and
//! rejected individually, and the others are stored.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use mainstay_core::engagement::{EventError, segment::IncomingMessage};
use tokio::time::timeout;

use super::{MessageOutcome, Source};
use crate::{Error, Mainstay, Result, supervise::Panicked};

/// Number of panics after which a whole group is rejected.
const MAX_PANICS: u32 = 32;
/// The `Retry-After`, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

type Storing<'a> = Pin<Box<dyn Future<Output = Result<Vec<MessageOutcome>>> + Send + 'a>>;

/// Whether the database would reject the same data again.
fn is_data_error(error: &Error) -> bool {
    let refused = matches!(error, Error::Store(error) if error.is_of_data());
    if refused {
        tracing::error!(%error, "the database rejected a batch; looking for the faulty event");
    }
    refused
}

impl Mainstay {
    /// Stores messages. Those that cause a panic, or that the database rejects, are rejected
    /// individually and logged.
    ///
    /// # Errors
    /// If the database times out.
    pub(super) async fn store_isolating_faults(
        &self,
        source: Source,
        messages: &[IncomingMessage],
    ) -> Result<Vec<MessageOutcome>> {
        match self.store_isolated(source, messages).await {
            Ok(Err(error)) if is_data_error(&error) => {}
            Ok(stored) => return stored,
            Err(_) => {}
        }
        let panics = AtomicU32::new(1);
        self.store_halves(source, messages, &panics).await
    }

    /// Stores both halves of a batch, splitting again on a panic or a rejection.
    fn store_halves<'a>(
        &'a self,
        source: Source,
        messages: &'a [IncomingMessage],
        panics: &'a AtomicU32,
    ) -> Storing<'a> {
        Box::pin(async move {
            if messages.len() <= 1 {
                return Ok(messages.iter().map(|_| MessageOutcome::Refused(fault())).collect());
            }
            let mut outcomes = Vec::with_capacity(messages.len());
            let (first, second) = messages.split_at(messages.len() / 2);
            for half in [first, second] {
                match self.store_isolated(source, half).await {
                    Ok(Err(error)) if is_data_error(&error) => {
                        outcomes.extend(self.store_halves(source, half, panics).await?);
                    }
                    Ok(stored) => outcomes.extend(stored?),
                    Err(panicked) if panics.fetch_add(1, Ordering::Relaxed) >= MAX_PANICS => {
                        return Err(panicked.into());
                    }
                    Err(_) => outcomes.extend(self.store_halves(source, half, panics).await?),
                }
            }
            Ok(outcomes)
        })
    }

    async fn store_isolated(
        &self,
        source: Source,
        messages: &[IncomingMessage],
    ) -> std::result::Result<Result<Vec<MessageOutcome>>, Panicked> {
        // Boxed, once a group: whoever waits for it would be as large as all that it does.
        let storing = Box::pin(async {
            if self.supervisor().is_armed() {
                self.inject_event_panics(messages);
            }
            self.store_messages(source, messages).await
        });
        // After that its connection is taken for lost.
        let seconds = self.store().timeouts().storing_seconds;
        let in_time = async {
            timeout(Duration::from_secs(seconds.into()), storing).await.unwrap_or_else(|_| {
                tracing::error!("the database did not take events in {seconds} s");
                Err(Error::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS })
            })
        };
        self.supervisor().isolate("storing events", in_time).await
    }

    /// The fail point for events of a given name.
    fn inject_event_panics(&self, messages: &[IncomingMessage]) {
        for one in messages {
            if let IncomingMessage::Event(event)
            | IncomingMessage::PersonEvent(event)
            | IncomingMessage::PersonOrClientEvent(event) = one
            {
                self.supervisor().fail_point(&format!("event {}", event.name));
            }
        }
    }
}

fn fault() -> EventError {
    EventError::new(
        "event",
        "an internal error prevents this event from being stored; it is not retried. See the \
         server's log, please report it, and send the event again once it is fixed",
    )
}
