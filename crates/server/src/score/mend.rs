use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::Windows,
    id::{ClientId, OrganizationId},
    score::{EarlierScore, PreviousCutoffs, Score},
    time::{add_days, local_day},
};
use mainstay_store::{ClientChunk, ResolvedClient, Scope, StaleClient, Tx};

use super::shown::{DAYS, days_before};
use crate::{Mainstay, Result, organization::Context};

/// Clients that are looked at in one transaction.
const CLIENTS: i64 = 100;
/// Scores that are computed again in one transaction, however few clients they are of: what bounds the
/// time for which nobody else can write.
const MAX_SCORES: usize = 200;
/// Days ahead that a score may be for.
const DAYS_AHEAD: i32 = 2;

/// What mending one client comes to.
pub(super) struct Mended {
    /// Scores that are to be stored instead of others.
    pub(super) changed: Vec<(Date, Score)>,
    /// All of the client's scores as they will be, the oldest first.
    pub(super) all: Vec<EarlierScore>,
    /// How many scores were computed again.
    pub(super) computed: usize,
    /// What the latest score counts: events before the one instant, everything else before the other.
    latest: Option<(Timestamp, Timestamp)>,
    /// Where to go on, when these were not all.
    pub(super) left_since: Option<Timestamp>,
}

/// What mending one client did.
pub(super) struct Mending {
    /// How many scores changed.
    changed: u64,
    /// See [`Mended::latest`].
    latest: Option<(Timestamp, Timestamp)>,
    /// Whether nothing is left to mend.
    complete: bool,
}

impl Mainstay {
    /// Computes stored scores again that something late has made out of date, each for its own
    /// instant with its own model. Returns how many scores changed.
    pub async fn mend_scores(&self, organization: OrganizationId) -> Result<u64> {
        let mut mended = 0;
        let mut done: Option<ClientId> = None;
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            let stale = tx.stale_clients(done, CLIENTS).await?;
            if stale.is_empty() {
                return Ok(mended);
            }
            let context = Context::load(&mut tx).await?;
            let mut budget = MAX_SCORES;
            for client in &stale {
                if budget == 0 {
                    break;
                }
                let (changed, complete) =
                    self.mend_stored(&mut tx, &context, client, &mut budget).await?;
                mended += changed;
                if complete {
                    done = Some(client.client);
                }
            }
            tx.commit().await?;
        }
    }

    /// The same before the scores that are shown are computed of everybody.
    pub(super) async fn mend_before_scoring(&self, organization: OrganizationId) -> Result<()> {
        loop {
            let mut tx = self.begin_writing(Scope::Service(organization)).await?;
            let stale = tx.stale_clients(None, CLIENTS).await?;
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

    /// Mends one client's scores, and leaves it on the list when something happened that not even the
    /// latest of them counts: the score that is shown is another then. Returns how many changed, and
    /// whether all are mended.
    pub(super) async fn mend_stored(
        &self,
        tx: &mut Tx,
        context: &Context,
        stale: &StaleClient,
        budget: &mut usize,
    ) -> Result<(u64, bool)> {
        let Mending { changed, latest, complete } =
            self.mend_client(tx, context, stale, budget).await?;
        let Some((as_of, known_until)) = latest.filter(|_| complete) else {
            return Ok((changed, complete));
        };
        let days = days_before(context, self.now());
        for history in tx.client_histories(&chunk_of(stale), days).await? {
            if let Some(first) = history.first_from(as_of, known_until) {
                tx.mark_stale_since(stale.client, first).await?;
            }
        }
        Ok((changed, complete))
    }

    /// Mends one client's scores, as many as the budget has left, and counts it down. What is left stays
    /// on the list; the caller stores the score that is shown then.
    pub(super) async fn mend_client(
        &self,
        tx: &mut Tx,
        context: &Context,
        stale: &StaleClient,
        budget: &mut usize,
    ) -> Result<Mending> {
        // Before anything is read, so that what comes meanwhile puts the client on the list again.
        let Some(since) = tx.take_stale(&[stale.client]).await?.remove(&stale.client) else {
            return Ok(Mending { changed: 0, latest: None, complete: true });
        };
        let stale = StaleClient { since, ..stale.clone() };
        let mended = mended(tx, context, &stale, (*budget, self.now())).await?;
        *budget = budget.saturating_sub(mended.computed);
        if let Some(since) = mended.left_since {
            tx.mark_stale_since(stale.client, since).await?;
            *budget = 0;
        }
        let (latest, complete) = (mended.latest, mended.left_since.is_none());
        let mut by_day: BTreeMap<Date, Vec<(ClientId, Score)>> = BTreeMap::new();
        for (day, score) in mended.changed {
            by_day.entry(day).or_default().push((stale.client, score));
        }
        let changed = by_day.len() as u64;
        for (day, scores) in by_day {
            tx.save_mended_scores(day, &scores, self.now()).await?;
        }
        Ok(Mending { changed, latest, complete })
    }
}

fn chunk_of(stale: &StaleClient) -> ClientChunk {
    let resolved = ResolvedClient { id: stale.client, created_at: stale.created_at };
    ClientChunk::picked(vec![(resolved, stale.external_id.clone())])
}

/// Computes a client's stored scores after `stale.since` again, at most so many, from what the client
/// did, which is read once. Changes nothing.
pub(super) async fn mended(
    tx: &mut Tx,
    context: &Context,
    stale: &StaleClient,
    (most, now): (usize, Timestamp),
) -> Result<Mended> {
    let today = local_day(now, &context.zone);
    let last = add_days(today, DAYS_AHEAD);
    let rows = tx.client_scores(stale.client, Date::MIN, last).await?;
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
    let (now_mended, left) = late.split_at(late.len().min(most));
    let mut result = Mended {
        changed: Vec::new(),
        all: Vec::new(),
        computed: now_mended.len(),
        latest: rows.iter().rev().find(|row| row.day <= today).map(|row| {
            let inputs = &row.score.inputs;
            (inputs.as_of, inputs.known_until())
        }),
        left_since: left.first().and(now_mended.last()).map(|last| all[*last].as_of),
    };
    let days = now_mended.first().zip(now_mended.last()).map(|(first, last)| {
        let day = |index: usize| local_day(all[index].as_of, &context.zone);
        (add_days(day(*first), -DAYS), day(*last))
    });
    if let Some(days) = days {
        for history in tx.client_histories(&chunk_of(stale), days).await? {
            // Oldest first: a later one may be compared with an earlier one.
            for index in now_mended {
                let row = &rows[*index];
                let inputs = &row.score.inputs;
                let windows = Windows::at(inputs.as_of, context.zone.clone());
                let model = context.model_ref(inputs.model);
                let mut facts = history.facts(&windows, inputs.known_at, model.satisfaction.days);
                facts.previous = earlier(&all[..*index], inputs.as_of, context);
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

/// The score that one of an instant is compared with, among a client's scores from the oldest on.
pub(super) fn earlier(
    scores: &[EarlierScore],
    as_of: Timestamp,
    context: &Context,
) -> Option<EarlierScore> {
    let cutoffs = PreviousCutoffs::at(as_of, &context.zone);
    let found = cutoffs.choose(scores.iter().map(|score| score.as_of))?;
    scores.get(found).cloned()
}
