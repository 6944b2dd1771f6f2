//! Playbooks that would act for many clients at once wait for a person: that many at once is more
//! often a fault of the data than of the clients.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{OrganizationId, PlaybookId},
    playbook::acts_for_many,
};
use mainstay_store::{ClientChunk, Scope, Tx};

use super::{no_playbook, start::Starting};
use crate::{Mainstay, Result, email::Nudge, organization::Context, score::shown_facts};

/// The time in which the occasions of a playbook are counted together, whatever checks found them.
const COUNTED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Runs that are approved in one transaction.
const APPROVED_AT_ONCE: i64 = 200;

/// For how many occasions each playbook started lately, while something goes through an
/// organization's clients.
#[derive(Debug, Default)]
pub(crate) struct PlaybookCounts {
    loaded: bool,
    clients: i64,
    runs: HashMap<PlaybookId, i64>,
}

impl PlaybookCounts {
    /// Counts what was found before an instant, the first time that it is asked.
    pub(crate) async fn load(&mut self, tx: &mut Tx, as_of: Timestamp) -> Result<()> {
        if !self.loaded {
            let since = as_of.checked_sub(COUNTED_WITHIN).unwrap_or(Timestamp::MIN);
            self.runs = tx.count_playbook_runs(since).await?;
            self.clients = tx.count_clients().await?;
            self.loaded = true;
        }
        Ok(())
    }

    /// Counts what is about to start, and has what is too much wait for a person.
    pub(super) fn limit(&mut self, starting: &mut Starting) {
        for (playbook, count) in starting.count() {
            let runs = self.runs.entry(playbook).or_default();
            *runs += count;
            if acts_for_many(*runs, self.clients) {
                starting.await_approval(playbook);
            }
        }
    }
}

impl Mainstay {
    /// How many runs of each playbook wait for a person.
    pub async fn runs_to_approve(&self, scope: Scope) -> Result<HashMap<PlaybookId, i64>> {
        Ok(self.store().read(scope).await?.count_runs_to_approve().await?)
    }

    /// Starts the runs of a playbook that wait for a person; answers how many.
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
            let stored = tx.playbook(id).await?.ok_or_else(|| no_playbook(id))?;
            let waiting = tx.runs_to_approve(id, APPROVED_AT_ONCE).await?;
            if waiting.is_empty() {
                return Ok(approved);
            }
            let context = Context::load(&mut tx).await?;
            let mut clients: Vec<_> =
                waiting.iter().map(|(_, client, name)| (*client, name.clone())).collect();
            clients.sort_unstable_by_key(|(client, _)| client.id);
            clients.dedup_by_key(|(client, _)| client.id);
            let chunk = ClientChunk::picked(clients);
            let facts = shown_facts(&mut tx, &context, &chunk, self.now(), false).await?;
            let tasks = tx.open_tasks(&chunk, self.now()).await?;
            let mut starting = Starting::default();
            for (run, ..) in waiting {
                let Some(facts) = facts.iter().find(|facts| facts.client == run.client) else {
                    starting.forget(run.id);
                    continue;
                };
                let open = tasks.get(&run.client).map(Vec::as_slice).unwrap_or_default();
                let score = context.shown_score(facts);
                let model = context.model_ref(score.inputs.model);
                let nudge = || Nudge::new(run.client, score.clone(), model, open);
                starting.release(&stored, run.clone(), nudge);
                approved += 1;
            }
            self.start_playbooks(&mut tx, &context, &chunk, starting).await?;
            tx.commit().await?;
        }
    }

    /// Forgets the runs of a playbook that wait for a person; answers how many.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when there is no such playbook.
    pub async fn reject_playbook_runs(
        &self,
        organization: OrganizationId,
        id: PlaybookId,
    ) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        tx.playbook(id).await?.ok_or_else(|| no_playbook(id))?;
        let rejected = tx.forget_runs_to_approve(id).await?;
        tx.commit().await?;
        Ok(rejected)
    }
}
