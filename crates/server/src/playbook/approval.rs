//! Playbooks that would act for many clients at once wait for approval: so many at once are usually
//! caused by faulty data.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{OrganizationId, PlaybookId},
    playbook::needs_approval_for,
};
use mainstay_store::{ClientChunk, Scope, Tx};

use super::{no_playbook, start::PendingRuns};
use crate::{Mainstay, Result, email::Nudge, organization::Context, score::shown_facts};

/// The window in which the runs of a playbook are counted.
const COUNT_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Runs approved per transaction.
const APPROVAL_BATCH: i64 = 200;

/// The number of recent runs of each playbook, during a pass over an organization's clients.
#[derive(Debug, Default)]
pub(crate) struct PlaybookCounts {
    loaded: bool,
    clients: i64,
    runs: HashMap<PlaybookId, i64>,
}

impl PlaybookCounts {
    /// Loads the counts before an instant, on first use.
    pub(crate) async fn load(&mut self, tx: &mut Tx, as_of: Timestamp) -> Result<()> {
        if !self.loaded {
            let since = as_of.checked_sub(COUNT_WINDOW).unwrap_or(Timestamp::MIN);
            self.runs = tx.count_playbook_runs(since).await?;
            self.clients = tx.count_clients().await?;
            self.loaded = true;
        }
        Ok(())
    }

    /// Counts the pending runs, and lets excess runs wait for approval.
    pub(super) fn limit(&mut self, pending_runs: &mut PendingRuns) {
        for (playbook, count) in pending_runs.count() {
            let runs = self.runs.entry(playbook).or_default();
            *runs += count;
            if needs_approval_for(*runs, self.clients) {
                pending_runs.await_approval(playbook);
            }
        }
    }
}

impl Mainstay {
    /// The number of runs of each playbook that wait for approval.
    pub async fn runs_to_approve(&self, scope: Scope) -> Result<HashMap<PlaybookId, i64>> {
        Ok(self.store().read(scope).await?.count_runs_to_approve().await?)
    }

    /// Starts the runs of a playbook that wait for approval; returns their number.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such playbook.
    pub async fn approve_playbook_runs(
        &self,
        organization: OrganizationId,
        id: PlaybookId,
    ) -> Result<u64> {
        let mut approved = 0;
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            tx.lock_health_check().await?;
            tx.lock_known_clients().await?;
            let stored = tx.find_playbook(id).await?.ok_or_else(|| no_playbook(id))?;
            let waiting = tx.list_runs_to_approve(id, APPROVAL_BATCH).await?;
            if waiting.is_empty() {
                return Ok(approved);
            }
            let context = Context::load(&mut tx).await?;
            let mut clients: Vec<_> =
                waiting.iter().map(|(_, client, name)| (*client, name.clone())).collect();
            clients.sort_unstable_by_key(|(client, _)| client.id);
            clients.dedup_by_key(|(client, _)| client.id);
            let chunk = ClientChunk::from_selection(clients);
            let facts = shown_facts(&mut tx, &context, &chunk, self.now(), false).await?;
            let tasks = tx.list_open_tasks(&chunk, self.now()).await?;
            let mut pending_runs = PendingRuns::default();
            for (run, ..) in waiting {
                let Some(facts) = facts.iter().find(|facts| facts.client == run.client) else {
                    pending_runs.forget(run.id);
                    continue;
                };
                let open = tasks.get(&run.client).map(Vec::as_slice).unwrap_or_default();
                let score = context.shown_score(facts);
                let model = context.model_ref(score.inputs.model);
                let nudge = || Nudge::new(run.client, score.clone(), model, open);
                pending_runs.release(&stored, run.clone(), nudge);
                approved += 1;
            }
            self.start_playbooks(&mut tx, &context, &chunk, pending_runs).await?;
            tx.commit().await?;
        }
    }

    /// Discards the runs of a playbook that wait for approval; returns their number.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such playbook.
    pub async fn reject_playbook_runs(
        &self,
        organization: OrganizationId,
        id: PlaybookId,
    ) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.find_playbook(id).await?.ok_or_else(|| no_playbook(id))?;
        let rejected = tx.delete_runs_to_approve(id).await?;
        tx.commit().await?;
        Ok(rejected)
    }
}
