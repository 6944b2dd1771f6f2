use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::Score,
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, ClientFacts, Scope, StaleClient, Tx};

use super::{
    Moment, Scores,
    mend::{earlier, mended},
    shown_facts,
};
use crate::{
    Mainstay, Result,
    client::next_chunk,
    organization::{Context, check_as_of},
    playbook::BandPlaybooks,
};

/// Days that stay out of the folded totals: the two weeks that scores tell apart, and a day for
/// windows that are cut.
const UNFOLDED_DAYS: i32 = 15;

/// Scores of a single client that are mended in one transaction.
const MAX_MENDED: usize = 200;

/// Clients with their scores and the local day that these are for.
struct ScoredChunk {
    day: Date,
    /// When their facts were read.
    read_at: Timestamp,
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

/// Which instant each client's score is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instants {
    /// This one, for all of them.
    Same(Timestamp),
    /// That which its score is shown for now.
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
    /// hands them out chunk by chunk, in no promised order. Of a single client nothing else is touched.
    ///
    /// Scores stored before are mended first where something late has arrived since, and later ones
    /// afterwards where they are to be compared with these, so that the figures are the same whatever
    /// the order in which events came and scores were computed.
    ///
    /// # Errors
    /// When there is no such client, or `as_of` cannot be used.
    pub async fn score_organization(
        &self,
        organization: OrganizationId,
        run: &ScoreRun,
        each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        check_as_of(run.as_of, self.now())?;
        let instants = Instants::Same(run.as_of);
        let asked = (run.client.as_deref(), run.dry_run);
        Box::pin(self.score_at(organization, instants, asked, each)).await
    }

    /// The same for the scores that are shown now: each as of its client's last event or the last local
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
            return self.dry_score_run(organization, instants, client, each).await;
        }
        self.settle_data_silence(organization, instants.latest()).await?;
        let mut tx = self.begin_writing(Scope::Service(organization)).await?;
        let bands = self.band_playbooks(&mut tx, instants.latest()).await?;
        if client.is_none() {
            self.prepare_scores(&mut tx, instants.latest()).await?;
        } else if tx.organization().await?.scored_until.is_none() {
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
        let mut scored: Vec<ScoredChunk> = Vec::new();
        let mut last: Option<ClientChunk> = None;
        loop {
            let [one, other] = self.next_two(organization, instants, client, last.as_ref()).await?;
            // Summing up two weeks of activity takes longest: of two chunks at a time, while those
            // before them are written.
            let (written, first, second) = tokio::join!(
                self.save_chunks(organization, &scored, bands.as_ref()),
                self.score_chunk(organization, instants, &one),
                self.score_chunk(organization, instants, &other),
            );
            written?;
            for ScoredChunk { chunk, scores, .. } in scored {
                count += scores.len() as u64;
                each(named(&chunk, scores));
            }
            scored = [first?, second?].into_iter().flatten().collect();
            let Some(latest) = scored.last() else { break };
            last = Some(latest.chunk.clone());
        }
        match client {
            // Later scores that are compared with these.
            None => self.mend_scores(organization).await?,
            Some(client) => self.mend_scores_of(organization, client).await?,
        };
        Ok(count)
    }

    /// Mends the scores of one client.
    async fn mend_scores_of(&self, organization: OrganizationId, client: &str) -> Result<u64> {
        let scope = Scope::Service(organization);
        let client = self.client(scope, client).await?;
        let mut mended = 0;
        loop {
            let mut tx = self.begin_writing(scope).await?;
            let context = Context::load(&mut tx).await?;
            let stale = StaleClient {
                client: client.id,
                external_id: client.external_id.clone(),
                created_at: client.created_at,
                since: self.now(),
            };
            let mut budget = MAX_MENDED;
            let (changed, complete) =
                self.mend_stored(&mut tx, &context, &stale, &mut budget).await?;
            tx.commit().await?;
            mended += changed;
            if complete {
                return Ok(mended);
            }
        }
    }

    /// The two chunks after another one, as far as there are any.
    async fn next_two(
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

    /// The scores of a chunk; `None` of an empty one.
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
        scored: &[ScoredChunk],
        bands: Option<&BandPlaybooks>,
    ) -> Result<()> {
        for ScoredChunk { day, read_at, chunk, scores } in scored {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            if let Some(bands) = bands {
                self.answer_bands(&mut tx, bands, chunk, scores).await?;
            }
            tx.save_scores(*day, scores, *read_at).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// What a run would store, in one state of the data; nobody waits for it.
    async fn dry_score_run(
        &self,
        organization: OrganizationId,
        instants: Instants,
        client: Option<&str>,
        mut each: impl FnMut(Vec<ClientScore>) + Send,
    ) -> Result<u64> {
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        let stale: HashMap<ClientId, StaleClient> = tx
            .stale_clients(None, i64::MAX)
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
                let all = mended(&mut tx, &context, stale, (usize::MAX, self.now())).await?.all;
                facts.previous = earlier(&all, facts.as_of, &context);
            }
            let scores = scored(&facts, |facts| instants.score(&context, facts));
            count += scores.len() as u64;
            each(named(&chunk, scores));
            chunk = next_chunk(&mut tx, client, instants.latest(), Some(&chunk)).await?;
        }
        Ok(count)
    }

    /// Announces the scores, and folds old activity when they are for the present: a score of the
    /// past reads the history anyway.
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
            let moment = Moment::new(context, as_of, false);
            let model = (moment.version, &moment.model);
            Ok(tx.client_facts(chunk, &moment.range, model).await?)
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
    Ok(scored(&facts, |facts| instants.score(context, facts)))
}

/// The scores of facts.
pub(super) fn scored(facts: &[ClientFacts], score: impl Fn(&ClientFacts) -> Score) -> Scores {
    facts.iter().map(|facts| (facts.client, score(facts))).collect()
}

fn named(chunk: &ClientChunk, scores: Scores) -> Vec<ClientScore> {
    chunk
        .clients
        .iter()
        .zip(scores)
        .map(|((_, external_id), (_, score))| ClientScore { client_id: external_id.clone(), score })
        .collect()
}
