//! Verification that all stored data matches the events.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use mainstay_core::{
    engagement::Windows,
    id::{ClientId, OrganizationId},
    score::{Comparison, Score},
    time::{add_days, days_between, local_day, start_of_day, time_zone},
};
use mainstay_store::{ClientChunk, ClientFacts, Difference, ResolvedClient, Scope, ScoreRow, Tx};
use uuid::Uuid;

use crate::{
    Error, Mainstay, Result,
    organization::Context,
    score::{LOOKBACK_DAYS, ScoringContext},
};

/// Scores per query.
const PAGE: i64 = 5_000;
/// Clients per query of histories.
const HISTORY_BATCH: usize = 1_000;

/// The result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows of daily activity that agree with the events.
    pub activity_rows: u64,
    /// Folded totals that agree with the daily activity.
    pub totals: u64,
    /// Stored scores that match the recomputed ones.
    pub scores: u64,
    /// Stored scores that are outdated because of late data; the next score run recomputes them.
    pub awaiting: u64,
    /// Stored scores of an earlier time zone, which match their own inputs; the days of that zone
    /// are no longer stored.
    pub other_zone: u64,
    /// All differences.
    pub differences: Vec<Difference>,
}

/// The progress of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
    /// The current step.
    pub what: &'static str,
}

impl Mainstay {
    /// Recounts every day's events, folds them again, and recomputes every stored score; reports
    /// all differences. Changes nothing.
    pub async fn verify(
        &self,
        organization: OrganizationId,
        mut progress: impl FnMut(VerifyProgress) + Send,
    ) -> Result<VerifyReport> {
        // One transaction: every figure of the report is of the same moment.
        let mut tx = self.store().read(Scope::Service(organization)).await?;
        let context = Context::load(&mut tx).await?;
        if context.organization.zone_change_since.is_some() {
            return Err(Error::conflict_in(
                "time_zone",
                "a change of time zone is in progress; verify again when it is done (a \
                 running server completes it)",
            ));
        }
        let mut report = VerifyReport::default();

        let days = tx.find_days_to_verify().await?;
        let count = days.map_or(0, |(first, last)| days_between(first, last) + 1);
        let score_days = tx.list_score_days().await?;
        let total = u64::try_from(count).unwrap_or(0) + 1 + score_days.len() as u64;
        let mut done = 0;
        let mut step = |what| {
            progress(VerifyProgress { done, total, what });
            done += 1;
        };
        if let Some((first, _)) = days {
            for offset in 0..count {
                step("daily activity");
                let (differences, agreed) =
                    tx.verify_day(add_days(first, offset), &context.zone).await?;
                report.differences.extend(differences);
                report.activity_rows += agreed;
            }
        }
        step("totals");
        let (differences, agreed) = tx.verify_totals().await?;
        report.differences.extend(differences);
        report.totals = agreed;

        let staleness = Staleness::load(&mut tx, &context, self.now()).await?;
        for day in score_days {
            step("scores");
            let mut after = None;
            loop {
                let rows = tx.list_scores_of_day(day, after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.client);
                verify_scores(&mut tx, &context, &staleness, rows, &mut report).await?;
            }
        }
        Ok(report)
    }
}

/// The known outdated scores.
struct Staleness {
    /// Since when clients' scores are outdated.
    stale: BTreeMap<ClientId, Timestamp>,
    /// The latest data of clients that is not on that list yet.
    arrivals: HashMap<ClientId, Timestamp>,
    scored_until: Option<Timestamp>,
}

impl Staleness {
    async fn load(tx: &mut Tx, context: &Context, now: Timestamp) -> Result<Self> {
        let stale = tx.list_stale_clients(None, i64::MAX).await?;
        let scored_until = context.organization.scored_until;
        let arrivals = match scored_until {
            Some(since) if since < now => tx.list_arrivals((since, now)).await?,
            _ => HashMap::new(),
        };
        let stale = stale.into_iter().map(|stale| (stale.client, stale.since)).collect();
        Ok(Self { stale, arrivals, scored_until })
    }

    /// Whether a score is known to be outdated.
    fn is_outdated(&self, row: &ScoreRow) -> bool {
        let inputs = &row.score.inputs;
        let until = inputs.as_of.max(inputs.known_until());
        self.stale.get(&row.client).is_some_and(|since| *since < until)
            || (Some(inputs.as_of) > self.scored_until
                && self.arrivals.get(&row.client).is_some_and(|at| *at >= row.computed_at))
    }
}

/// Compares stored scores of one day, ordered by client id.
async fn verify_scores(
    tx: &mut Tx,
    context: &Context,
    staleness: &Staleness,
    rows: Vec<ScoreRow>,
    report: &mut VerifyReport,
) -> Result<()> {
    // Most scores of a day are for the same instant, and are summed up together.
    let mut together: BTreeMap<(Timestamp, i64), Vec<ScoreRow>> = BTreeMap::new();
    let mut individual: Vec<ScoreRow> = Vec::new();
    for row in rows {
        let inputs = &row.score.inputs;
        if staleness.is_outdated(&row) {
            report.awaiting += 1;
        } else if let Some(difference) = recorded_mismatch(context, &row) {
            report_difference(tx, &row, difference, report).await?;
        } else if inputs.zone != context.organization.time_zone {
            let model = context.model_ref(inputs.model);
            let compared = match (row.score.previous, row.score.incomparable) {
                (Some(previous), _) => Comparison::With(previous),
                (None, Some(as_of)) => Comparison::Impossible(as_of),
                (None, None) => Comparison::Nothing,
            };
            let computed = Score::compute(inputs.clone(), model, compared);
            if compare(tx, &row, &computed, report).await? {
                report.other_zone += 1;
            }
        } else if inputs.known_at.is_none() && is_start_of_day(inputs.as_of, context) {
            together.entry((inputs.as_of, inputs.model)).or_default().push(row);
        } else {
            individual.push(row);
        }
    }
    for ((as_of, version), rows) in together {
        let scoring = ScoringContext::with_model(context, as_of, false, version);
        let chunk = ClientChunk::from_range(rows.iter().map(client_of).collect());
        let model = (version, &scoring.model);
        let facts = tx.list_client_facts(&chunk, &scoring.range, model).await?;
        for (row, facts) in rows.iter().zip(&facts) {
            if compare(tx, row, &scoring.score(facts), report).await? {
                report.scores += 1;
            }
        }
    }
    for rows in individual.chunks(HISTORY_BATCH) {
        verify_single_scores(tx, context, rows, report).await?;
    }
    Ok(())
}

/// Compares scores of one day with individual instants.
async fn verify_single_scores(
    tx: &mut Tx,
    context: &Context,
    rows: &[ScoreRow],
    report: &mut VerifyReport,
) -> Result<()> {
    let days = rows.iter().map(|row| row.day);
    let Some((first, last)) = days.clone().min().zip(days.max()) else { return Ok(()) };
    let chunk = ClientChunk::from_selection(rows.iter().map(client_of).collect());
    // An instant that somebody moved to another day is found by the day that it is stored for.
    let days = (add_days(first, -LOOKBACK_DAYS), add_days(last, 1));
    let histories = tx.list_client_histories(&chunk, days).await?;
    let mut facts: Vec<ClientFacts> = histories
        .iter()
        .zip(rows)
        .map(|(history, row)| {
            let inputs = &row.score.inputs;
            let windows = Windows::at(inputs.as_of, context.zone.clone());
            let model = context.model_ref(inputs.model);
            history.facts(&windows, inputs.known_at, model.satisfaction.days)
        })
        .collect();
    tx.add_earlier_scores(&mut facts, &context.zone).await?;
    for (row, facts) in rows.iter().zip(&facts) {
        let computed = context.score(facts, row.score.inputs.model);
        if compare(tx, row, &computed, report).await? {
            report.scores += 1;
        }
    }
    Ok(())
}

/// Created at the minimum time, so that any previous score is found.
fn client_of(row: &ScoreRow) -> (ResolvedClient, String) {
    (ResolvedClient { id: row.client, created_at: Timestamp::UNIX_EPOCH }, String::new())
}

fn is_start_of_day(at: Timestamp, context: &Context) -> bool {
    start_of_day(local_day(at, &context.zone), &context.zone) == at
}

/// Differences between a score's columns and its stored inputs, or their limits.
fn recorded_mismatch(context: &Context, row: &ScoreRow) -> Option<(&'static str, String, String)> {
    let inputs = &row.score.inputs;
    if row.recorded.as_of != inputs.as_of {
        return Some(("as_of", inputs.as_of.to_string(), row.recorded.as_of.to_string()));
    }
    if row.recorded.model != inputs.model {
        let (stored, recorded) = (inputs.model.to_string(), row.recorded.model.to_string());
        return Some(("model_version", stored, recorded));
    }
    if !context.models.iter().any(|stored| stored.version == inputs.model) {
        return Some(("model_version", inputs.model.to_string(), "a published version".to_owned()));
    }
    let day = time_zone(&inputs.zone).ok().map(|zone| local_day(inputs.as_of, &zone));
    day.filter(|day| *day != row.day).map(|day| {
        ("as_of", inputs.as_of.to_string(), format!("an instant of {}, not {day}", row.day))
    })
}

/// Compares a stored score with the recomputed one; reports a difference.
async fn compare(
    tx: &mut Tx,
    row: &ScoreRow,
    computed: &Score,
    report: &mut VerifyReport,
) -> Result<bool> {
    match first_difference(&row.score, computed) {
        None => Ok(true),
        Some(difference) => {
            report_difference(tx, row, difference, report).await?;
            Ok(false)
        }
    }
}

/// Adds a difference to the report: the column, the stored and the expected value.
async fn report_difference(
    tx: &mut Tx,
    row: &ScoreRow,
    (column, stored, computed): (&'static str, String, String),
    report: &mut VerifyReport,
) -> Result<()> {
    report.differences.push(Difference {
        place: format!("client_success_scores.{column}"),
        client_id: external_id(tx, row.client).await?,
        day: Some(row.day),
        stored,
        computed,
    });
    Ok(())
}

/// The first column in which two scores differ, with both values.
fn first_difference(stored: &Score, computed: &Score) -> Option<(&'static str, String, String)> {
    let number = |score: &Score| {
        [
            ("overall", Some(score.overall)),
            ("engagement", Some(score.components.engagement)),
            ("activation", Some(score.components.activation)),
            ("progress", Some(score.components.progress)),
            ("satisfaction", Some(score.components.satisfaction)),
            ("momentum", Some(score.components.momentum)),
            ("coverage", Some(score.coverage)),
            ("previous", score.previous.map(|previous| previous.overall)),
            ("change", score.change),
        ]
    };
    let format_value =
        |value: Option<i64>| value.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let numbers = number(stored)
        .into_iter()
        .zip(number(computed))
        .find(|((_, stored), (_, computed))| stored != computed)
        .map(|((column, stored), (_, computed))| {
            (column, format_value(stored), format_value(computed))
        });
    let instant = |score: &Score| {
        let as_of = score.previous.map(|previous| previous.as_of).or(score.incomparable);
        as_of.map_or_else(|| "none".to_owned(), |as_of| as_of.to_string())
    };
    numbers.or_else(|| {
        if instant(stored) != instant(computed) {
            Some(("previous_as_of", instant(stored), instant(computed)))
        } else if stored.trend != computed.trend {
            Some(("trend", stored.trend.to_string(), computed.trend.to_string()))
        } else if stored.inputs == computed.inputs {
            None
        } else {
            Some(("inputs", format!("{:?}", stored.inputs), format!("{:?}", computed.inputs)))
        }
    })
}

/// A client's external id, for the report.
async fn external_id(tx: &mut Tx, client: ClientId) -> Result<String> {
    let just_before = ClientId::new(Uuid::from_u128(client.uuid().as_u128().saturating_sub(1)));
    let chunk = tx.client_chunk(Some(just_before), far_future(), 1).await?;
    Ok(chunk
        .clients
        .into_iter()
        .find(|(found, _)| found.id == client)
        .map_or_else(|| client.to_string(), |(_, name)| name))
}

/// Later than any client is created; `Timestamp::MAX` does not fit PostgreSQL's microseconds.
const fn far_future() -> Timestamp {
    Timestamp::constant(32_503_680_000, 0)
}
