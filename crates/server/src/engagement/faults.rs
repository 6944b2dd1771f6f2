//! Events that a fault in Mainstay keeps from being stored: each is found and refused by itself, and all
//! that came with it is stored.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use mainstay_core::{
    engagement::{EventError, segment::Said},
    id::OrganizationId,
};
use tokio::time::timeout;

use super::Fate;
use crate::{Error, Mainstay, Result, supervise::Panicked};

/// Panics of a group after which it is no event's fault, but of all of them.
const MAX_PANICS: u32 = 32;
/// What a sender is told to wait, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

type Storing<'a> = Pin<Box<dyn Future<Output = Result<Vec<Fate>>> + Send + 'a>>;

/// Whether the database would refuse the same again, however often it is tried.
fn is_of_data(error: &Error) -> bool {
    let refused = matches!(error, Error::Store(error) if error.is_of_data());
    if refused {
        tracing::error!(%error, "the database refused what was to be stored; it is looked for");
    }
    refused
}

impl Mainstay {
    /// Stores what was said. What cannot be stored without a panic, or the database refuses, is refused
    /// by itself, and logged.
    ///
    /// # Errors
    /// When the database does not take it in time.
    pub(super) async fn store_apart_from_faults(
        &self,
        organization: OrganizationId,
        said: &[Said],
    ) -> Result<Vec<Fate>> {
        match self.store_guarded(organization, said).await {
            Ok(Err(error)) if is_of_data(&error) => {}
            Ok(stored) => return stored,
            Err(_) => {}
        }
        let panics = AtomicU32::new(1);
        self.store_halves(organization, said, &panics).await
    }

    /// Stores one half and then the other, and the halves of what panics or the database refuses.
    fn store_halves<'a>(
        &'a self,
        organization: OrganizationId,
        said: &'a [Said],
        panics: &'a AtomicU32,
    ) -> Storing<'a> {
        Box::pin(async move {
            if said.len() <= 1 {
                return Ok(said.iter().map(|_| Fate::Refused(fault())).collect());
            }
            let mut fates = Vec::with_capacity(said.len());
            let (first, second) = said.split_at(said.len() / 2);
            for half in [first, second] {
                match self.store_guarded(organization, half).await {
                    Ok(Err(error)) if is_of_data(&error) => {
                        fates.extend(self.store_halves(organization, half, panics).await?);
                    }
                    Ok(stored) => fates.extend(stored?),
                    Err(panicked) if panics.fetch_add(1, Ordering::Relaxed) >= MAX_PANICS => {
                        return Err(panicked.into());
                    }
                    Err(_) => fates.extend(self.store_halves(organization, half, panics).await?),
                }
            }
            Ok(fates)
        })
    }

    async fn store_guarded(
        &self,
        organization: OrganizationId,
        said: &[Said],
    ) -> std::result::Result<Result<Vec<Fate>>, Panicked> {
        // Boxed, once a group: whoever waits for it would be as large as all that it does.
        let storing = Box::pin(async {
            if self.supervisor().is_armed() {
                self.pass_events(said);
            }
            self.store_said(organization, said).await
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

    /// Where a test can have an event of a name panic.
    fn pass_events(&self, said: &[Said]) {
        for one in said {
            if let Said::Did(event) | Said::DidByPerson(event) | Said::DidByPersonOrClient(event) =
                one
            {
                self.supervisor().pass(&format!("event {}", event.name));
            }
        }
    }
}

fn fault() -> EventError {
    EventError::new(
        "event",
        "a fault in Mainstay keeps this event from being stored; it is not tried again. The server's log \
         has the fault's place; please report it, and send the event again once it is mended",
    )
}
