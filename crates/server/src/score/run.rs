use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::Score,
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, ClientFacts, Scope, StaleClient, Tx};

use super::{
    Scores, ScoringContext,
    recompute::{previous_score, recompute_scores},
    shown_facts,
};
use crate::{
    Mainstay, Result,
    client::next_chunk,
    organization::{Context, check_as_of},
    playbook::BandPlaybooks,
};

/// Days that are not folded into totals: the two weeks of a score, and one day for partial windows.
const UNFOLDED_DAYS: i32 = 15;

/// Maximum number of scores of a single client recomputed per transaction.
const MAX_RECOMPUTED: usize = 200;

/// Clients with their scores and the local day of the scores.
struct ScoredChunk {
    day: Date,
    /// When their facts were read.
    read_at: Timestamp,
    chunk: ClientChunk,
    scores: Scores,
}

/// A score with the client's external id.
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
    /// The instant of the scores.
    pub as_of: Timestamp,
    /// Only this client's.
    pub client: Option<String>,
    /// Compute only, store nothing.
    pub dry_run: bool,
}

/// The instant of each client's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instants {
    /// This one, for all of them.
    Same(Timestamp),
    /// The instant of its current score.
    Shown(Timestamp),
}

impl Instants {
    const fn latest(self) -> Timestamp {
        match self {
            Self::Same(at) | Self::Shown(at) => at,
        }
    }
}

impl Mainstay {
    /// Computes and stores the scores of an organization's clients that existed before `as_of`, and
    /// passes them on in chunks, in no particular order. For a single client, nothing else is
    /// changed.
    ///
    /// Stored scores with late data are recomputed first, and later scores that depend on them
    /// afterwards, so that the result does not depend on the order of events and computations.
    ///
    /// # Errors
    /// If there is no such client, or `as_of` is invalid.
    pub async fn score_organization(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        check_as_of(run.as_of, self.now())?;
        let instants = Instants::Same(run.as_of);
        let options = (run.client.as_deref(), run.dry_run);
        Box::pin(self.score_at(organization, instants, options, each)).await
    }

    /// The same for the current scores: each as of its client's last event or the last local
    /// midnight, whichever is later.
    ///
    /// # Errors
    /// When there is no such client.
    pub async fn score_as_shown(
        &self,
        organization: OrganizationId,
        client: Option<&str>,
        dry_run: bool,
        each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        let instants = Instants::Shown(self.now());
        Box::pin(self.score_at(organization, instants, (client, dry_run), each)).await
    }

    async fn score_at(
        &self,
        organization: OrganizationId,
        mut instants: Instants,
        (client, dry_run): (Option<&str>, bool),
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        if dry_run {
            return self.dry_run_scores(organization, instants, client, each).await;
        }
        self.refresh_data_silence(organization, instants.latest()).await?;
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let bands = self.band_playbooks(&mut tx, instants.latest()).await?;
        if client.is_none() {
            self.prepare_scores(&mut tx, instants.latest()).await?;
        } else if tx.get_organization().await?.scored_until.is_none() {
            // Whatever happens from here on is found by it.
            tx.advance_scored_until(instants.latest()).await?;
        }
        tx.commit().await?;
        match (client, instants) {
            (Some(_), _) => {}
            (None, Instants::Same(_)) => {
                self.mend_scores(organization).await?;
            }
            (None, Instants::Shown(_)) => {
                self.mend_before_scoring(organization).await?;
                // What came while these were mended counts.
                instants = Instants::Shown(self.now());
            }
        }
        let mut count = 0;
        let mut compute_scores: Vec<ScoredChunk> = Vec::new();
        let mut last: Option<ClientChunk> = None;
        loop {
            let [one, other] =
                self.next_chunks(organization, instants, client, last.as_ref()).await?;
            // Summing up two weeks of activity takes longest: of two chunks at a time, while those
            // before them are written.
            let (written, first, second) = tokio::join!(
                self.save_chunks(organization, &compute_scores, bands.as_ref()),
                self.score_chunk(organization, instants, &one),
                self.score_chunk(organization, instants, &other),
            );
            written?;
            for ScoredChunk { chunk, scores, .. } in compute_scores {
                count += scores.len() as u64;
                each(with_client_ids(&chunk, scores));
            }
            compute_scores = [first?, second?].into_iter().flatten().collect();
            let Some(latest) = compute_scores.last() else { break };
            last = Some(latest.chunk.clone());
        }
        match client {
            // Later scores that are compared with these.
            None => self.mend_scores(organization).await?,
            Some(client) => self.mend_scores_of(organization, client).await?,
        };
        Ok(count)
    }

    /// Recomputes the scores of one client.
    async fn mend_scores_of(&self, organization: OrganizationId, client: &str) -> Result<u64> {
        let scope = Scope::Service(organization);
        let client = self.client(scope, client).await?;
        let mut recomputed = 0;
        loop {
            let mut tx = self.begin_writing(scope).await?;
            let context = Context::load(&mut tx).await?;
            let stale = StaleClient {
                client: client.id,
                external_id: client.external_id.clone(),
                created_at: client.created_at,
                since: self.now(),
            };
            let mut budget = MAX_RECOMPUTED;
            let (changed, complete) =
                self.mend_stored(&mut tx, &context, &stale, &mut budget).await?;
            tx.commit().await?;
            recomputed += changed;
            if complete {
                return Ok(recomputed);
            }
        }
    }

    /// The next two chunks after another one.
    async fn next_chunks(
        &self,
        organization: OrganizationId,
        instants: Instants,
        client: Option<&str>,
        after: Option<&ClientChunk>,
    ) -> Result<[ClientChunk; 2]> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let one = next_chunk(&mut tx, client, instants.latest(), after).await?;
        if one.clients.is_empty() {
            return Ok([one.clone(), one]);
        }
        let other = next_chunk(&mut tx, client, instants.latest(), Some(&one)).await?;
        Ok([one, other])
    }

    /// The scores of a chunk; `None` if it is empty.
    async fn score_chunk(
        &self,
        organization: OrganizationId,
        instants: Instants,
        chunk: &ClientChunk,
    ) -> Result<Option<ScoredChunk>> {
        if chunk.clients.is_empty() {
            return Ok(None);
        }
        let read_at = self.now();
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let scores = chunk_scores(&mut tx, &context, instants, chunk).await?;
        let day = local_day(instants.latest(), &context.zone);
        Ok(Some(ScoredChunk { day, read_at, chunk: chunk.clone(), scores }))
    }

    async fn save_chunks(
        &self,
        organization: OrganizationId,
        compute_scores: &[ScoredChunk],
        bands: Option<&BandPlaybooks>,
    ) -> Result<()> {
        for ScoredChunk { day, read_at, chunk, scores } in compute_scores {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            if let Some(bands) = bands {
                self.start_band_playbooks(&mut tx, bands, chunk, scores).await?;
            }
            tx.save_scores(*day, scores, *read_at).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Computes what a run would store, from one snapshot, without blocking.
    async fn dry_run_scores(
        &self,
        organization: OrganizationId,
        instants: Instants,
        client: Option<&str>,
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let stale: HashMap<ClientId, StaleClient> = tx
            .list_stale_clients(None, i64::MAX)
            .await?
            .into_iter()
            .map(|stale| (stale.client, stale))
            .collect();
        let mut count = 0;
        let mut chunk = next_chunk(&mut tx, client, instants.latest(), None).await?;
        while !chunk.clients.is_empty() {
            let mut facts = chunk_facts(&mut tx, &context, instants, &chunk).await?;
            for facts in &mut facts {
                // A run mends what scores are compared with first.
                let Some(stale) = stale.get(&facts.client) else { continue };
                let all =
                    recompute_scores(&mut tx, &context, stale, (usize::MAX, self.now())).await?.all;
                facts.previous = previous_score(&all, facts.as_of, &context);
            }
            let scores = compute_scores(&facts, |facts| instants.score(&context, facts));
            count += scores.len() as u64;
            each(with_client_ids(&chunk, scores));
            chunk = next_chunk(&mut tx, client, instants.latest(), Some(&chunk)).await?;
        }
        Ok(count)
    }

    /// Marks the scoring and, for current scores, folds old activity: a past score reads the
    /// history anyway.
    pub(crate) async fn prepare_scores(&self, tx: &mut Tx, as_of: Timestamp) -> Result<()> {
        tx.settle_later_scores(as_of).await?;
        let now = self.now();
        if now.duration_since(as_of) < SignedDuration::from_hours(24) {
            let context = Context::load(tx).await?;
            tx.fold_activity(add_days(local_day(now, &context.zone), -UNFOLDED_DAYS - 1)).await?;
        }
        Ok(())
    }
}

impl Instants {
    fn score(self, context: &Context, facts: &ClientFacts) -> Score {
        match self {
            Self::Same(_) => context.score(facts, context.organization.model_version),
            Self::Shown(_) => context.shown_score(facts),
        }
    }
}

async fn chunk_facts(
    tx: &mut Tx,
    context: &Context,
    instants: Instants,
    chunk: &ClientChunk,
) -> Result<Vec<ClientFacts>> {
    match instants {
        Instants::Same(as_of) => {
            let scoring = ScoringContext::new(context, as_of, false);
            let model = (scoring.version, &scoring.model);
            Ok(tx.list_client_facts(chunk, &scoring.range, model).await?)
        }
        Instants::Shown(now) => shown_facts(tx, context, chunk, now, false).await,
    }
}

async fn chunk_scores(
    tx: &mut Tx,
    context: &Context,
    instants: Instants,
    chunk: &ClientChunk,
) -> Result<Scores> {
    let facts = chunk_facts(tx, context, instants, chunk).await?;
    Ok(compute_scores(&facts, |facts| instants.score(context, facts)))
}

/// The scores of facts.
pub(super) fn compute_scores(
    facts: &[ClientFacts],
    score: impl Fn(&ClientFacts) -> Score,
) -> Scores {
    facts.iter().map(|facts| (facts.client, score(facts))).collect()
}

fn with_client_ids(chunk: &ClientChunk, scores: Scores) -> Vec<ClientScore> {
    chunk
        .clients
        .iter()
        .zip(scores)
        .map(|((_, external_id), (_, score))| ClientScore { client_id: external_id.clone(), score })
        .collect()
}
