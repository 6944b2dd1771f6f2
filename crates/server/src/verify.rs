//! Proving that every stored figure follows from the events.

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
    score::{DAYS, Moment},
};

/// Scores that are compared at a time.
const PAGE: i64 = 5_000;
/// Clients whose histories are read at a time.
const OWN: usize = 1_000;

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows of daily activity that agree with the events.
    pub activity_rows: u64,
    /// Folded totals that agree with the daily activity.
    pub totals: u64,
    /// Stored scores that agree with what is computed from the events again.
    pub scores: u64,
    /// Stored scores that something late has made out of date; the next score run mends them.
    pub awaiting: u64,
    /// Stored scores of an earlier time zone, which agree with their own inputs; the days they
    /// counted are no longer kept.
    pub other_zone: u64,
    /// Everything that does not agree.
    pub differences: Vec<Difference>,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
    /// What is being looked at.
    pub what: &'static str,
}

impl Mainstay {
    /// Counts every day's events again, folds them again, and computes every stored score again;
    /// reports all that differs from what is stored. Changes nothing.
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
                "activity is being moved to the days of another time zone; verify again when \
                 that is done (a running server does it)",
            ));
        }
        let mut report = VerifyReport::default();

        let days = tx.days_to_verify().await?;
        let count = days.map_or(0, |(first, last)| days_between(first, last) + 1);
        let score_days = tx.score_days().await?;
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

        let known = Known::load(&mut tx, &context, self.now()).await?;
        for day in score_days {
            step("scores");
            let mut after = None;
            loop {
                let rows = tx.scores_of_day(day, after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.client);
                verify_scores(&mut tx, &context, &known, rows, &mut report).await?;
            }
        }
        Ok(report)
    }
}

/// What a verification looks scores up in.
struct Known {
    /// Since when clients' scores are out of date.
    stale: BTreeMap<ClientId, Timestamp>,
    /// When something last came of clients for the time after which late events are not on that list yet.
    arrivals: HashMap<ClientId, Timestamp>,
    scored_until: Option<Timestamp>,
}

impl Known {
    async fn load(tx: &mut Tx, context: &Context, now: Timestamp) -> Result<Self> {
        let stale = tx.stale_clients(None, i64::MAX).await?;
        let scored_until = context.organization.scored_until;
        let arrivals = match scored_until {
            Some(since) if since < now => tx.arrivals((since, now)).await?,
            _ => HashMap::new(),
        };
        let stale = stale.into_iter().map(|stale| (stale.client, stale.since)).collect();
        Ok(Self { stale, arrivals, scored_until })
    }

    /// Whether a score is known to be out of date.
    fn awaits(&self, row: &ScoreRow) -> bool {
        let inputs = &row.score.inputs;
        let until = inputs.as_of.max(inputs.known_until());
        self.stale.get(&row.client).is_some_and(|since| *since < until)
            || (Some(inputs.as_of) > self.scored_until
                && self.arrivals.get(&row.client).is_some_and(|at| *at >= row.computed_at))
    }
}

/// Compares stored scores, all of one day and in the order of their clients' ids.
async fn verify_scores(
    tx: &mut Tx,
    context: &Context,
    known: &Known,
    rows: Vec<ScoreRow>,
    report: &mut VerifyReport,
) -> Result<()> {
    // Most scores of a day are for the same instant, and are summed up together.
    let mut together: BTreeMap<(Timestamp, i64), Vec<ScoreRow>> = BTreeMap::new();
    let mut own: Vec<ScoreRow> = Vec::new();
    for row in rows {
        let inputs = &row.score.inputs;
        if known.awaits(&row) {
            report.awaiting += 1;
        } else if let Some(difference) = recorded_otherwise(context, &row) {
            tell(tx, &row, difference, report).await?;
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
            own.push(row);
        }
    }
    for ((as_of, version), rows) in together {
        let moment = Moment::with_model(context, as_of, false, version);
        let chunk = ClientChunk::stretch(rows.iter().map(client_of).collect());
        let model = (version, &moment.model);
        let facts = tx.client_facts(&chunk, &moment.range, model).await?;
        for (row, facts) in rows.iter().zip(&facts) {
            if compare(tx, row, &moment.score(facts), report).await? {
                report.scores += 1;
            }
        }
    }
    for rows in own.chunks(OWN) {
        verify_single_scores(tx, context, rows, report).await?;
    }
    Ok(())
}

/// Compares scores of one day that are each for an instant of its own.
async fn verify_single_scores(
    tx: &mut Tx,
    context: &Context,
    rows: &[ScoreRow],
    report: &mut VerifyReport,
) -> Result<()> {
    let days = rows.iter().map(|row| row.day);
    let Some((first, last)) = days.clone().min().zip(days.max()) else { return Ok(()) };
    let chunk = ClientChunk::picked(rows.iter().map(client_of).collect());
    // An instant that somebody moved to another day is found by the day that it is stored for.
    let days = (add_days(first, -DAYS), add_days(last, 1));
    let histories = tx.client_histories(&chunk, days).await?;
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

/// Created before anything, so that whichever earlier score is stored is found.
fn client_of(row: &ScoreRow) -> (ResolvedClient, String) {
    (ResolvedClient { id: row.client, created_at: Timestamp::UNIX_EPOCH }, String::new())
}

fn is_start_of_day(at: Timestamp, context: &Context) -> bool {
    start_of_day(local_day(at, &context.zone), &context.zone) == at
}

/// What the columns of a score say otherwise than the inputs that are stored with it, or than can be.
fn recorded_otherwise(context: &Context, row: &ScoreRow) -> Option<(&'static str, String, String)> {
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

/// Whether a stored score is what was computed; a difference goes into the report.
async fn compare(
    tx: &mut Tx,
    row: &ScoreRow,
    computed: &Score,
    report: &mut VerifyReport,
) -> Result<bool> {
    match first_difference(&row.score, computed) {
        None => Ok(true),
        Some(difference) => {
            tell(tx, row, difference, report).await?;
            Ok(false)
        }
    }
}

/// Puts a difference into the report: the column, what is stored and what it should be.
async fn tell(
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
    let shown = |value: Option<i64>| value.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let numbers = number(stored)
        .into_iter()
        .zip(number(computed))
        .find(|((_, stored), (_, computed))| stored != computed)
        .map(|((column, stored), (_, computed))| (column, shown(stored), shown(computed)));
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

/// The name of a client, for people; only looked up when there is something to say.
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
