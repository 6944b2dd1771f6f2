use mainstay_core::{id::OrganizationId, score::Score, time::local_day};
use mainstay_store::{ClientChunk, ResolvedClient, Scope, StaleClient, Tx};

use super::Moment;
use crate::{Mainstay, Result, organization::Context};

/// Clients whose scores are mended in one transaction.
const BATCH: i64 = 100;

impl Mainstay {
    /// Computes stored scores again that something late has made out of date, each for its own
    /// instant with its own model. Answers how many scores changed.
    pub async fn mend_scores(&self, organization: OrganizationId) -> Result<u64> {
        let mut mended = 0;
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            let (clients, scores) = self.mend_scores_in(&mut tx, Some(BATCH)).await?;
            tx.commit().await?;
            mended += scores;
            if clients == 0 {
                return Ok(mended);
            }
        }
    }

    /// Mends within a transaction, at most so many clients; answers how many, and how many scores
    /// changed.
    pub(crate) async fn mend_scores_in(
        &self,
        tx: &mut Tx,
        most: Option<i64>,
    ) -> Result<(u64, u64)> {
        // Nothing more can arrive while this is under way.
        let context = Context::load(tx).await?;
        let Some(scored_until) = context.organization.scored_until else { return Ok((0, 0)) };
        tx.advance_scored_until(scored_until).await?;
        let stale = tx.stale_clients(None, most.unwrap_or(i64::MAX)).await?;
        let mut mended = 0;
        for client in &stale {
            mended += self.mend_client(tx, &context, client).await?;
            tx.clear_stale(client).await?;
        }
        Ok((stale.len() as u64, mended))
    }

    async fn mend_client(
        &self,
        tx: &mut Tx,
        context: &Context,
        stale: &StaleClient,
    ) -> Result<u64> {
        let Some(scored_until) = context.organization.scored_until else { return Ok(0) };
        let resolved = ResolvedClient { id: stale.client, created_at: stale.created_at };
        let chunk = ClientChunk::picked(vec![(resolved, stale.external_id.clone())]);
        let first = local_day(stale.since, &context.zone);
        let last = local_day(scored_until, &context.zone);
        let mut mended = 0;
        // Oldest first: a later one may be compared with an earlier one.
        for row in tx.client_scores(stale.client, first, last).await? {
            let as_of = row.score.inputs.as_of;
            // Activity is rolled up by the days of the present zone: a score of another one stays
            // what it was.
            if as_of <= stale.since || row.score.inputs.zone != context.organization.time_zone {
                continue;
            }
            let moment = Moment::with_model(context, as_of, false, row.score.inputs.model);
            for facts in tx.client_facts(&chunk, &moment.range, &moment.model).await? {
                let score: Score = moment.score(&facts);
                if score != row.score {
                    tx.save_scores(row.day, &[(stale.client, score)], self.now()).await?;
                    mended += 1;
                }
            }
        }
        Ok(mended)
    }
}
