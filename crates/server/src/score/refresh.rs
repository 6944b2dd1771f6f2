//! Refreshing the stored scores to the current ones.

use jiff::Timestamp;
use mainstay_core::{id::OrganizationId, time::local_day};
use mainstay_store::{ClientChunk, ResolvedClient, Scope, StaleClient};

use super::{current::history_facts, run::compute_scores};
use crate::{Mainstay, Result, organization::Context, playbook::BandPlaybooks};

/// Clients per transaction.
const CLIENTS_PER_TRANSACTION: usize = 100;
/// Maximum number of scores of one client recomputed per transaction.
const MAX_RECOMPUTED: usize = 200;

impl Mainstay {
    /// Lists clients whose stored score may be outdated because of new data; returns up to a
    /// maximum.
    pub(crate) async fn clients_to_refresh(
        &self,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<Vec<StaleClient>> {
        let now = self.now();
        let scope = Scope::Service(organization);
        let mut tx = self.store().read(scope).await?;
        if !tx.scores_are_outdated(now).await? {
            return Ok(Vec::new());
        }
        drop(tx);
        let mut tx = self.begin_writing(scope).await?;
        tx.settle_arrivals(now).await?;
        let stale = tx.list_stale_clients(None, limit).await?;
        tx.commit().await?;
        Ok(stale)
    }

    /// Recomputes these clients' scores and stores the current ones, without folding activity,
    /// touching other clients' scores or blocking other events.
    pub(crate) async fn refresh_clients(
        &self,
        organization: OrganizationId,
        clients: &[(ResolvedClient, String)],
    ) -> Result<()> {
        self.mark_first_scoring(organization).await?;
        for clients in clients.chunks(CLIENTS_PER_TRANSACTION) {
            let mut waiting: Vec<(ResolvedClient, String)> = clients.to_vec();
            while !waiting.is_empty() {
                waiting = self.refresh_batch(organization, waiting).await?;
            }
        }
        Ok(())
    }

    /// Enables the detection of late data before the first score is computed: otherwise, a
    /// concurrent event could miss the score without making it stale.
    async fn mark_first_scoring(&self, organization: OrganizationId) -> Result<()> {
        let scope = Scope::Service(organization);
        if self.store().read(scope).await?.get_organization().await?.scored_until.is_some() {
            return Ok(());
        }
        let mut tx = self.begin_writing(scope).await?;
        tx.advance_scored_until(self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Refreshes clients in one transaction; returns those with scores left to recompute.
    async fn refresh_batch(
        &self,
        organization: OrganizationId,
        clients: Vec<(ResolvedClient, String)>,
    ) -> Result<Vec<(ResolvedClient, String)>> {
        let now = self.now();
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let bands = self.band_playbooks(&mut tx, now).await?;
        if bands.is_some() {
            // Before the lock of events, as everywhere.
            tx.lock_known_clients().await?;
        }
        let context = Context::load(&mut tx).await?;
        let mut budget = MAX_RECOMPUTED;
        let mut ready = Vec::with_capacity(clients.len());
        let mut waiting = Vec::new();
        for (client, external_id) in clients {
            if budget == 0 {
                waiting.push((client, external_id));
                continue;
            }
            let stale = StaleClient {
                client: client.id,
                external_id: external_id.clone(),
                created_at: client.created_at,
                since: now,
            };
            self.mend_client(&mut tx, &context, &stale, &mut budget).await?;
            if budget > 0 {
                ready.push((client, external_id));
            } else {
                waiting.push((client, external_id));
            }
        }
        let chunk = ClientChunk::from_selection(ready);
        self.store_shown_scores(&mut tx, &context, (&chunk, now), bands.as_ref()).await?;
        tx.commit().await?;
        Ok(waiting)
    }

    async fn store_shown_scores(
        &self,
        tx: &mut mainstay_store::Tx,
        context: &Context,
        (chunk, now): (&ClientChunk, Timestamp),
        bands: Option<&BandPlaybooks>,
    ) -> Result<()> {
        if chunk.clients.is_empty() {
            return Ok(());
        }
        let (histories, facts) = history_facts(tx, context, chunk, now).await?;
        let scores = compute_scores(&facts, |facts| context.shown_score(facts));
        if let Some(bands) = bands {
            self.start_band_playbooks(tx, bands, chunk, &scores).await?;
        }
        tx.save_scores(local_day(now, &context.zone), &scores, now).await?;
        // What came since `now` was asked for is not counted yet.
        for (history, (client, score)) in histories.iter().zip(&scores) {
            let (as_of, known_until) = (score.inputs.as_of, score.inputs.known_until());
            if let Some(first) = history.first_from(as_of, known_until) {
                tx.mark_stale_since(*client, first).await?;
            }
        }
        Ok(())
    }
}
