//! Deleting a client for good, and keeping it away afterwards.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::id::OrganizationId;
use mainstay_store::{ErasedClient, KeepOut, Scope, Tx};
use tokio::{sync::Mutex, time::interval};

use crate::{Error, Mainstay, Result};

/// How long what is sent of a deleted client is refused when nobody says otherwise: SDKs send again for
/// hours what they could not, and should not bring back what somebody has just deleted.
pub const KEPT_OUT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How often the database's file is tried to be freed of what was deleted while readers are in the way.
const MAX_SCRUBS: u32 = 60;
const SCRUB_INTERVAL: Duration = Duration::from_secs(1);
/// Deleted clients that are listed at most.
const MAX_LISTED: i64 = 500;

/// Counts deletions, so that one scrub of the file does for all that were made before it.
#[derive(Debug, Default)]
pub(crate) struct Scrubbing {
    wanted: AtomicU64,
    done: Mutex<u64>,
}

impl Mainstay {
    /// Deletes a client and everything known of it, for good, also where others' rows name it. What is
    /// sent of it afterwards is refused: for good when `keep_out` says so, for [`KEPT_OUT_FOR`] when
    /// it says nothing.
    ///
    /// # Errors
    /// When there is no such client.
    pub async fn delete_client(
        &self,
        organization: OrganizationId,
        external_id: &str,
        keep_out: Option<bool>,
    ) -> Result<()> {
        let scope = Scope::Service(organization);
        let client = self.client(scope, external_id).await?;
        let now = self.now();
        let keep_out = match keep_out {
            Some(true) => KeepOut::ForGood,
            Some(false) => KeepOut::No,
            None => KeepOut::Until(now.saturating_add(KEPT_OUT_FOR).unwrap_or(now)),
        };
        // What was just refused of it is not written down behind the deletion's back.
        let held = self.hold_refused().await;
        let mut tx = self.store().begin(scope).await?;
        let names = tx.erase_client(&client, keep_out, now).await?;
        tx.commit().await?;
        self.forget_refused(organization, &names);
        drop(held);
        let mine = self.scrubbing().wanted.fetch_add(1, Ordering::SeqCst) + 1;
        // The client is gone whatever comes of this: what is left are bytes that no query reaches.
        if !self.scrub(mine).await {
            self.supervisor().spawn_item("scrubbing", self.clone().scrub_later(mine));
        }
        Ok(())
    }

    /// Frees the database's file of what was deleted; false when it has to be tried again.
    async fn scrub(&self, mine: u64) -> bool {
        let scrubbing = self.scrubbing();
        let mut done = scrubbing.done.lock().await;
        if *done >= mine {
            return true;
        }
        let wanted = scrubbing.wanted.load(Ordering::SeqCst);
        match self.store().scrub().await {
            Ok(true) => {
                *done = wanted;
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::warn!(%error, "the database's file may still hold what was deleted");
                false
            }
        }
    }

    async fn scrub_later(self, mine: u64) {
        let mut ticks = interval(SCRUB_INTERVAL);
        // The first one is at once, which is too early.
        ticks.tick().await;
        for _ in 0..MAX_SCRUBS {
            ticks.tick().await;
            if self.scrub(mine).await {
                return;
            }
        }
        tracing::warn!(
            "readers were in the way for a minute: copies of what was deleted stay in the database's \
             write-ahead log until the next deletion or a restart"
        );
    }

    /// Deleted clients whose ids are kept out, the latest first.
    pub async fn erased_clients(&self, scope: Scope) -> Result<Vec<ErasedClient>> {
        Ok(self.store().read(scope).await?.erased_clients(self.now(), MAX_LISTED).await?)
    }

    /// Lets the id of a deleted client in again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not kept out.
    pub async fn let_client_in(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.let_in(external_id).await? {
            return Err(Error::NotFound {
                what: "deleted client",
                id: external_id.to_owned(),
                remedy: "no id like this is kept out; it is let in already",
            });
        }
        Ok(tx.commit().await?)
    }
}

/// Lets a client be created that was deleted without the wish to keep it out for good: whoever creates
/// one by hand means it.
pub(super) async fn check_not_kept_out(
    tx: &mut Tx,
    external_id: &str,
    now: Timestamp,
) -> Result<()> {
    match tx.erased_client(external_id, now).await? {
        None => Ok(()),
        Some(erased) if erased.keep_out_until.is_some() => {
            tx.let_in(external_id).await?;
            Ok(())
        }
        Some(_) => Err(Error::conflict_in(
            "client_id",
            "this client was deleted and is kept out; let it in again first: DELETE \
             /api/v1/erased-clients/{client_id}",
        )),
    }
}
