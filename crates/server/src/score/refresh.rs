//! Bringing the stored scores up to date with those that are shown.

use jiff::Timestamp;
use mainstay_core::{id::OrganizationId, time::local_day};
use mainstay_store::{ClientChunk, ResolvedClient, Scope, StaleClient};

use super::{run::scored, shown::history_facts};
use crate::{Mainstay, Result, organization::Context, playbook::BandPlaybooks};

/// Clients that are seen to in one transaction.
const CLIENTS: usize = 100;
/// Scores of one client that are mended in one transaction.
const MAX_MENDED: usize = 200;

impl Mainstay {
    /// Puts everybody on the list whose stored score may not be the one that is shown, because something
    /// happened since; returns up to so many of them.
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
        let stale = tx.stale_clients(None, limit).await?;
        tx.commit().await?;
        Ok(stale)
    }

    /// Mends these clients' scores and stores those that are shown now. Nothing is folded for it, nobody
    /// else's scores are touched, and events of others go on being stored.
    pub(crate) async fn refresh_clients(
        &self,
        organization: OrganizationId,
        clients: &[(ResolvedClient, String)],
    ) -> Result<()> {
        self.announce_first_scores(organization).await?;
        for clients in clients.chunks(CLIENTS) {
            let mut waiting: Vec<(ResolvedClient, String)> = clients.to_vec();
            while !waiting.is_empty() {
                waiting = self.refresh_some(organization, waiting).await?;
            }
        }
        Ok(())
    }

    /// Sees to it that whatever comes late is found by its time, before the first score of all is
    /// computed: an event that is stored beside that would otherwise miss the score and not make it stale.
    async fn announce_first_scores(&self, organization: OrganizationId) -> Result<()> {
        let scope = Scope::Service(organization);
        if self.store().read(scope).await?.organization().await?.scored_until.is_some() {
            return Ok(());
        }
        let mut tx = self.begin_writing(scope).await?;
        tx.advance_scored_until(self.now()).await?;
        Ok(tx.commit().await?)
    }

    /// Refreshes clients in one transaction; returns those whose scores are not all mended yet.
    async fn refresh_some(
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
        let mut budget = MAX_MENDED;
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
        let chunk = ClientChunk::picked(ready);
        self.store_shown(&mut tx, &context, (&chunk, now), bands.as_ref()).await?;
        tx.commit().await?;
        Ok(waiting)
    }

    async fn store_shown(
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
        let scores = scored(&facts, |facts| context.shown_score(facts));
        if let Some(bands) = bands {
            self.answer_bands(tx, bands, chunk, &scores).await?;
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
