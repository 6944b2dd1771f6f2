use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::Score,
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, Scope, Tx};

use super::Moment;
use crate::{
    Mainstay, Result,
    client::next_chunk,
    organization::{Context, check_as_of},
    playbook::BandPlaybooks,
};

/// Days that stay out of the folded totals: the two weeks that scores tell apart, and a day for
/// windows that are cut.
const UNFOLDED_DAYS: i32 = 15;

/// Clients' scores, in the order of their chunk.
pub(crate) type Scores = Vec<(ClientId, Score)>;

/// Clients with their scores and the local day that these are for.
struct ScoredChunk {
    day: Date,
    chunk: ClientChunk,
    scores: Scores,
}

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
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        self.prepare_scores(&mut tx, run.as_of).await?;
        let bands = self.band_playbooks(&mut tx, run.as_of).await?;
        tx.commit().await?;
        self.mend_scores(organization).await?;

        let mut count = 0;
        let mut scored: Vec<ScoredChunk> = Vec::new();
        let mut last: Option<ClientChunk> = None;
        loop {
            let [one, other] = self.next_two(organization, run, last.as_ref()).await?;
            // Summing up two weeks of activity takes longest: of two chunks at a time, while those
            // before them are written.
            let (written, first, second) = tokio::join!(
                self.save_chunks(organization, &scored, bands.as_ref()),
                self.score_chunk(organization, run, &one),
                self.score_chunk(organization, run, &other),
            );
            written?;
            for ScoredChunk { chunk, scores, .. } in scored {
                count += scores.len() as u64;
                each(named(&chunk, scores));
            }
            scored = [first?, second?].into_iter().flatten().collect();
            let Some(latest) = scored.last() else { return Ok(count) };
            last = Some(latest.chunk.clone());
        }
    }

    /// The two chunks after another one, as far as there are any.
    async fn next_two(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        after: Option<&ClientChunk>,
    ) -> Result<[ClientChunk; 2]> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let client = run.client.as_deref();
        let one = next_chunk(&mut tx, client, run.as_of, after).await?;
        if one.clients.is_empty() {
            return Ok([one.clone(), one]);
        }
        let other = next_chunk(&mut tx, client, run.as_of, Some(&one)).await?;
        Ok([one, other])
    }

    /// The scores of a chunk; `None` of an empty one.
    async fn score_chunk(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        chunk: &ClientChunk,
    ) -> Result<Option<ScoredChunk>> {
        if chunk.clients.is_empty() {
            return Ok(None);
        }
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let moment = Moment::new(&context, run.as_of, false);
        let scores = scores_of(&mut tx, chunk, &moment).await?;
        let day = local_day(run.as_of, &context.zone);
        Ok(Some(ScoredChunk { day, chunk: chunk.clone(), scores }))
    }

    async fn save_chunks(
        &self,
        organization: OrganizationId,
        scored: &[ScoredChunk],
        bands: Option<&BandPlaybooks>,
    ) -> Result<()> {
        for ScoredChunk { day, chunk, scores } in scored {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            if let Some(bands) = bands {
                self.answer_bands(&mut tx, bands, chunk, scores).await?;
            }
            tx.save_scores(*day, scores, self.now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The same work in one transaction that is undone, so that it cannot say otherwise.
    async fn dry_score_run(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        self.prepare_scores(&mut tx, run.as_of).await?;
        self.mend_scores_in(&mut tx, None).await?;
        let context = Context::load(&mut tx).await?;
        let moment = Moment::new(&context, run.as_of, false);
        let mut count = 0;
        let client = run.client.as_deref();
        let mut chunk = next_chunk(&mut tx, client, run.as_of, None).await?;
        while !chunk.clients.is_empty() {
            let scores = scores_of(&mut tx, &chunk, &moment).await?;
            count += scores.len() as u64;
            each(named(&chunk, scores));
            chunk = next_chunk(&mut tx, client, run.as_of, Some(&chunk)).await?;
        }
        tx.rollback().await?;
        Ok(count)
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

pub(crate) async fn scores_of(tx: &mut Tx, chunk: &ClientChunk, moment: &Moment) -> Result<Scores> {
    let facts = tx.client_facts(chunk, &moment.range, &moment.model).await?;
    Ok(facts.iter().map(|facts| (facts.client, moment.score(facts))).collect())
}

fn named(chunk: &ClientChunk, scores: Scores) -> Vec<ClientScore> {
    chunk
        .clients
        .iter()
        .zip(scores)
        .map(|((_, external_id), (_, score))| ClientScore { client_id: external_id.clone(), score })
        .collect()
}
