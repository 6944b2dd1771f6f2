//! Permanent deletion of clients, and blocking their ids afterwards.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::id::OrganizationId;
use mainstay_store::{ErasedClient, IdBlock, Scope, Tx};
use tokio::{sync::Mutex, time::interval};

use crate::{Error, Mainstay, Result};

/// Default time for which events of a deleted client are rejected: SDKs retry for hours and should
/// not recreate a client that was just deleted.
pub const DEFAULT_KEEP_OUT: SignedDuration = SignedDuration::from_hours(24);
/// How often scrubbing the database file is retried while readers block it.
const MAX_SCRUBS: u32 = 60;
const SCRUB_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of deleted clients listed.
const MAX_LISTED: i64 = 500;

/// Counts deletions, so that one scrub of the file covers all earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Scrubbing {
    wanted: AtomicU64,
    done: Mutex<u64>,
}

impl Mainstay {
    /// Permanently deletes a client and all its data, even in other rows. Later events are
    /// rejected: forever if `keep_out` is true, for [`DEFAULT_KEEP_OUT`] if it is not set.
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
            Some(true) => IdBlock::Forever,
            Some(false) => IdBlock::Unblocked,
            None => IdBlock::Until(now.saturating_add(DEFAULT_KEEP_OUT).unwrap_or(now)),
        };
        // What was just refused of it is not written down behind the deletion's back.
        let held = self.pause_refusals().await;
        let mut tx = self.store().begin(scope).await?;
        let names = tx.erase_client(&client, keep_out, now).await?;
        tx.commit().await?;
        self.discard_refused(organization, &names);
        drop(held);
        let revision = self.scrubbing().wanted.fetch_add(1, Ordering::SeqCst) + 1;
        // The client is gone whatever comes of this: what is left are bytes that no query reaches.
        if !self.scrub(revision).await {
            self.supervisor().spawn_item("scrubbing", self.clone().scrub_later(revision));
        }
        Ok(())
    }

    /// Scrubs deleted data from the database file; returns false if it must be retried.
    async fn scrub(&self, revision: u64) -> bool {
        let scrubbing = self.scrubbing();
        let mut done = scrubbing.done.lock().await;
        if *done >= revision {
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

    async fn scrub_later(self, revision: u64) {
        let mut ticks = interval(SCRUB_INTERVAL);
        // The first one is at once, which is too early.
        ticks.tick().await;
        for _ in 0..MAX_SCRUBS {
            ticks.tick().await;
            if self.scrub(revision).await {
                return;
            }
        }
        tracing::warn!(
            "readers were in the way for a minute: copies of what was deleted stay in the database's \
             write-ahead log until the next deletion or a restart"
        );
    }

    /// Deleted clients whose ids are blocked, newest first.
    pub async fn erased_clients(&self, scope: Scope) -> Result<Vec<ErasedClient>> {
        Ok(self.store().read(scope).await?.list_erased_clients(self.now(), MAX_LISTED).await?)
    }

    /// Unblocks the id of a deleted client.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not blocked.
    pub async fn readmit_client(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<()> {
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        if !tx.unblock_client_id(external_id).await? {
            return Err(Error::NotFound {
                what: "deleted client",
                id: external_id.to_owned(),
                remedy: "no id like this is kept out; it is let in already",
            });
        }
        Ok(tx.commit().await?)
    }
}

/// Checks that a client's id may be created again. An id that is only blocked temporarily is
/// unblocked, because creating it by hand is intentional.
pub(super) async fn check_not_blocked(
    tx: &mut Tx,
    external_id: &str,
    now: Timestamp,
) -> Result<()> {
    match tx.find_erased_client(external_id, now).await? {
        None => Ok(()),
        Some(erased) if erased.keep_out_until.is_some() => {
            tx.unblock_client_id(external_id).await?;
            Ok(())
        }
        Some(_) => Err(Error::conflict_in(
            "client_id",
            "this client was deleted and its id is blocked; unblock it first: DELETE \
             /api/v1/erased-clients/{client_id}",
        )),
    }
}
