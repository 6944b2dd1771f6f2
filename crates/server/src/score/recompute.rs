use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::Windows,
    id::{ClientId, OrganizationId},
    score::{EarlierScore, PreviousCutoffs, Score},
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, ResolvedClient, Scope, StaleClient, Tx};

use super::current::{LOOKBACK_DAYS, days_before};
use crate::{Mainstay, Result, organization::Context};

/// Clients per transaction.
const CLIENTS_PER_TRANSACTION: i64 = 100;
/// Maximum number of scores recomputed per transaction, which limits how long other writers wait.
const MAX_SCORES: usize = 200;
/// How many days ahead a score may be.
const DAYS_AHEAD: i32 = 2;

/// The recomputed scores of a client.
pub(super) struct RecomputedScores {
    /// Scores that differ from the stored ones.
    pub(super) changed: Vec<(Date, Score)>,
    /// All of the client's scores after the change, oldest first.
    pub(super) all: Vec<EarlierScore>,
    /// The number of recomputed scores.
    pub(super) computed: usize,
    /// The cutoffs of the latest score: for events, and for all other data.
    latest: Option<(Timestamp, Timestamp)>,
    /// Where to continue, if not all were recomputed.
    pub(super) left_since: Option<Timestamp>,
}

/// The outcome of recomputing a client's scores.
pub(super) struct MendOutcome {
    /// The number of changed scores.
    changed: u64,
    /// See [`RecomputedScores::latest`].
    latest: Option<(Timestamp, Timestamp)>,
    /// Whether all scores are recomputed.
    complete: bool,
}

impl Mainstay {
    /// Recomputes stored scores that are outdated because of late data, each for its own instant
    /// with its own model. Returns the number of changed scores.
    pub async fn mend_scores(&self, organization: OrganizationId) -> Result<u64> {
        let mut recomputed = 0;
        let mut last_client: Option<ClientId> = None;
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            let stale = tx.list_stale_clients(last_client, CLIENTS_PER_TRANSACTION).await?;
            if stale.is_empty() {
                return Ok(recomputed);
            }
            let context = Context::load(&mut tx).await?;
            let mut budget = MAX_SCORES;
            for client in &stale {
                if budget == 0 {
                    break;
                }
                let (changed, complete) =
                    self.mend_stored(&mut tx, &context, client, &mut budget).await?;
                recomputed += changed;
                if complete {
                    last_client = Some(client.client);
                }
            }
            tx.commit().await?;
        }
    }

    /// The same, before the current scores of all clients are computed.
    pub(super) async fn mend_before_scoring(&self, organization: OrganizationId) -> Result<()> {
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            let stale = tx.list_stale_clients(None, CLIENTS_PER_TRANSACTION).await?;
            if stale.is_empty() {
                return Ok(());
            }
            let context = Context::load(&mut tx).await?;
            let mut budget = MAX_SCORES;
            for client in &stale {
                if budget == 0 {
                    break;
                }
                self.mend_client(&mut tx, &context, client, &mut budget).await?;
            }
            tx.commit().await?;
        }
    }

    /// Recomputes one client's scores, and leaves it on the list if it has data after its latest
    /// score. Returns the number of changed scores, and whether all are recomputed.
    pub(super) async fn mend_stored(
        &self,
        tx: &mut Tx,
        context: &Context,
        stale: &StaleClient,
        budget: &mut usize,
    ) -> Result<(u64, bool)> {
        let MendOutcome { changed, latest, complete } =
            self.mend_client(tx, context, stale, budget).await?;
        let Some((as_of, known_until)) = latest.filter(|_| complete) else {
            return Ok((changed, complete));
        };
        let days = days_before(context, self.now());
        for history in tx.list_client_histories(&chunk_of(stale), days).await? {
            if let Some(first) = history.first_from(as_of, known_until) {
                tx.mark_stale_since(stale.client, first).await?;
            }
        }
        Ok((changed, complete))
    }

    /// Recomputes one client's scores within a budget. The rest stays on the list; the caller then
    /// stores the current score.
    pub(super) async fn mend_client(
        &self,
        tx: &mut Tx,
        context: &Context,
        stale: &StaleClient,
        budget: &mut usize,
    ) -> Result<MendOutcome> {
        // Before anything is read, so that what comes meanwhile puts the client on the list again.
        let Some(since) = tx.claim_stale(&[stale.client]).await?.remove(&stale.client) else {
            return Ok(MendOutcome { changed: 0, latest: None, complete: true });
        };
        let stale = StaleClient { since, ..stale.clone() };
        let recomputed = recompute_scores(tx, context, &stale, (*budget, self.now())).await?;
        *budget = budget.saturating_sub(recomputed.computed);
        if let Some(since) = recomputed.left_since {
            tx.mark_stale_since(stale.client, since).await?;
            *budget = 0;
        }
        let (latest, complete) = (recomputed.latest, recomputed.left_since.is_none());
        let mut by_day: BTreeMap<Date, Vec<(ClientId, Score)>> = BTreeMap::new();
        for (day, score) in recomputed.changed {
            by_day.entry(day).or_default().push((stale.client, score));
        }
        let changed = by_day.len() as u64;
        for (day, scores) in by_day {
            tx.save_corrected_scores(day, &scores, self.now()).await?;
        }
        Ok(MendOutcome { changed, latest, complete })
    }
}

fn chunk_of(stale: &StaleClient) -> ClientChunk {
    let resolved = ResolvedClient { id: stale.client, created_at: stale.created_at };
    ClientChunk::from_selection(vec![(resolved, stale.external_id.clone())])
}

/// Recomputes a client's stored scores after `stale.since`, up to a maximum, from its history,
/// which is read once. Changes nothing.
pub(super) async fn recompute_scores(
    tx: &mut Tx,
    context: &Context,
    stale: &StaleClient,
    (max, now): (usize, Timestamp),
) -> Result<RecomputedScores> {
    let today = local_day(now, &context.zone);
    let last = add_days(today, DAYS_AHEAD);
    let rows = tx.list_client_scores(stale.client, Date::MIN, last).await?;
    let mut all: Vec<EarlierScore> = rows
        .iter()
        .map(|row| EarlierScore {
            as_of: row.score.inputs.as_of,
            overall: row.score.overall,
            model: row.score.inputs.model,
            inputs: Some(row.score.inputs.clone()),
        })
        .collect();
    // Activity is rolled up by the days of the present zone: a score of another one stays what it was.
    let late: Vec<usize> = (0..rows.len())
        .filter(|index| {
            let inputs = &rows[*index].score.inputs;
            inputs.as_of.max(inputs.known_until()) > stale.since
                && inputs.zone == context.organization.time_zone
        })
        .collect();
    let (recomputed_now, left) = late.split_at(late.len().min(max));
    let mut result = RecomputedScores {
        changed: Vec::new(),
        all: Vec::new(),
        computed: recomputed_now.len(),
        latest: rows.iter().rev().find(|row| row.day <= today).map(|row| {
            let inputs = &row.score.inputs;
            (inputs.as_of, inputs.known_until())
        }),
        left_since: left.first().and(recomputed_now.last()).map(|last| all[*last].as_of),
    };
    let days = recomputed_now.first().zip(recomputed_now.last()).map(|(first, last)| {
        let day = |index: usize| local_day(all[index].as_of, &context.zone);
        (add_days(day(*first), -LOOKBACK_DAYS), day(*last))
    });
    if let Some(days) = days {
        for history in tx.list_client_histories(&chunk_of(stale), days).await? {
            // Oldest first: a later one may be compared with an earlier one.
            for index in recomputed_now {
                let row = &rows[*index];
                let inputs = &row.score.inputs;
                let windows = Windows::at(inputs.as_of, context.zone.clone());
                let model = context.model_ref(inputs.model);
                let mut facts = history.facts(&windows, inputs.known_at, model.satisfaction.days);
                facts.previous = previous_score(&all[..*index], inputs.as_of, context);
                let score = context.score(&facts, inputs.model);
                all[*index].overall = score.overall;
                all[*index].inputs = Some(score.inputs.clone());
                if score != row.score {
                    result.changed.push((row.day, score));
                }
            }
        }
    }
    result.all = all;
    Ok(result)
}

/// The score that a score at an instant is compared with, from a client's scores, oldest first.
pub(super) fn previous_score(
    scores: &[EarlierScore],
    as_of: Timestamp,
    context: &Context,
) -> Option<EarlierScore> {
    let cutoffs = PreviousCutoffs::at(as_of, &context.zone);
    let found = cutoffs.choose(scores.iter().map(|score| score.as_of))?;
    scores.get(found).cloned()
}
