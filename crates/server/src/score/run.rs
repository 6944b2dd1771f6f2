use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::Score,
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, Scope, Tx};

use super::Moment;
use crate::{
    CHUNK, Error, Mainstay, Result,
    organization::{Context, check_as_of},
};

/// Days that stay out of the folded totals: the two weeks that scores tell apart, and a day for
/// windows that are cut.
const UNFOLDED_DAYS: i32 = 15;

/// A score with the name that the host app knows its client by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientScore {
    /// The client's `external_id`.
    pub client_id: String,
    /// Its score.
    pub score: Score,
}

/// Which scores to compute.
#[derive(Clone, Debug)]
pub struct ScoreRun {
    /// The instant they are for.
    pub as_of: Timestamp,
    /// Only this client's.
    pub client: Option<String>,
    /// Compute and tell, but store nothing.
    pub dry_run: bool,
}

impl Mainstay {
    /// Computes and stores the scores of an organization's clients that existed before `as_of`, and
    /// hands them out chunk by chunk, in no promised order.
    ///
    /// Scores stored before are mended first where something late has arrived since, so that the
    /// figures are the same whatever the order in which events came.
    ///
    /// # Errors
    /// When there is no such client, or `as_of` cannot be used.
    pub async fn score_organization(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        check_as_of(run.as_of, self.now())?;
        if run.dry_run {
            return self.dry_score_run(organization, run, each).await;
        }
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        self.prepare_scores(&mut tx, run.as_of).await?;
        tx.commit().await?;
        self.mend_scores(organization).await?;

        let mut count = 0;
        let mut chunk = self.first_chunk(organization, run).await?;
        while let Some(last) = chunk.last() {
            let mut read = self.store().read(Scope::Service(organization)).await?;
            let context = Context::load(&mut read).await?;
            let moment = Moment::new(&context, run.as_of, false);
            let scores = scores_of(&mut read, &chunk, &moment).await?;
            let next = match run.client {
                Some(_) => ClientChunk { clients: Vec::new() },
                None => read.client_chunk(Some(last), run.as_of, CHUNK).await?,
            };
            drop(read);
            let day = local_day(run.as_of, &context.zone);
            let mut write = self.store().begin(Scope::Service(organization)).await?;
            write.save_scores(day, &scores, self.now()).await?;
            write.commit().await?;
            count += scores.len() as u64;
            each(named(&chunk, scores));
            chunk = next;
        }
        Ok(count)
    }

    /// The same work in one transaction that is undone, so that it cannot say otherwise.
    async fn dry_score_run(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        let mut chunk = self.first_chunk(organization, run).await?;
        let mut tx = self.store().begin(Scope::Service(organization)).await?;
        self.prepare_scores(&mut tx, run.as_of).await?;
        self.mend_scores_in(&mut tx, None).await?;
        let context = Context::load(&mut tx).await?;
        let moment = Moment::new(&context, run.as_of, false);
        let mut count = 0;
        while let Some(last) = chunk.last() {
            let scores = scores_of(&mut tx, &chunk, &moment).await?;
            count += scores.len() as u64;
            each(named(&chunk, scores));
            chunk = match run.client {
                Some(_) => ClientChunk { clients: Vec::new() },
                None => tx.client_chunk(Some(last), run.as_of, CHUNK).await?,
            };
        }
        tx.rollback().await?;
        Ok(count)
    }

    async fn first_chunk(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
    ) -> Result<ClientChunk> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let Some(external_id) = &run.client else {
            return Ok(tx.client_chunk(None, run.as_of, CHUNK).await?);
        };
        let client = tx.client(external_id).await?.ok_or_else(|| Error::no_client(external_id))?;
        Ok(if client.created_at < run.as_of {
            ClientChunk::of(&client)
        } else {
            ClientChunk { clients: Vec::new() }
        })
    }

    /// Announces the scores, and folds old activity when they are for the present: a score of the
    /// past reads the history anyway.
    pub(crate) async fn prepare_scores(&self, tx: &mut Tx, as_of: Timestamp) -> Result<()> {
        tx.advance_scored_until(as_of).await?;
        let now = self.now();
        if now.duration_since(as_of) < SignedDuration::from_hours(24) {
            let context = Context::load(tx).await?;
            tx.fold_activity(add_days(local_day(now, &context.zone), -UNFOLDED_DAYS - 1)).await?;
        }
        Ok(())
    }
}

pub(crate) async fn scores_of(
    tx: &mut Tx,
    chunk: &ClientChunk,
    moment: &Moment,
) -> Result<Vec<(ClientId, Score)>> {
    let facts = tx.client_facts(chunk, &moment.range, &moment.model).await?;
    Ok(facts.iter().map(|facts| (facts.client, moment.score(facts))).collect())
}

fn named(chunk: &ClientChunk, scores: Vec<(ClientId, Score)>) -> Vec<ClientScore> {
    chunk
        .clients
        .iter()
        .zip(scores)
        .map(|((_, external_id), (_, score))| ClientScore { client_id: external_id.clone(), score })
        .collect()
}
