//! Proving that every stored figure follows from the events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::Score,
    time::{add_days, days_between},
};
use mainstay_store::{ClientChunk, Difference, ResolvedClient, Scope, ScoreRow, Tx};
use uuid::Uuid;

use crate::{Mainstay, Result, organization::Context, score::Moment};

/// Scores that are compared at a time.
const PAGE: i64 = 5_000;

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

        let stale: BTreeMap<ClientId, Timestamp> = tx
            .stale_clients(None, i64::MAX)
            .await?
            .into_iter()
            .map(|stale| (stale.client, stale.since))
            .collect();
        for day in score_days {
            step("scores");
            let mut after = None;
            loop {
                let rows = tx.scores_of_day(day, after, PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.client);
                verify_scores(&mut tx, &context, &stale, rows, &mut report).await?;
            }
        }
        Ok(report)
    }
}

/// Compares stored scores, all of one day and in the order of their clients' ids.
async fn verify_scores(
    tx: &mut Tx,
    context: &Context,
    stale: &BTreeMap<ClientId, Timestamp>,
    rows: Vec<ScoreRow>,
    report: &mut VerifyReport,
) -> Result<()> {
    let mut moments: BTreeMap<(Timestamp, i64), Vec<ScoreRow>> = BTreeMap::new();
    for row in rows {
        let inputs = &row.score.inputs;
        if stale.get(&row.client).is_some_and(|since| *since < inputs.as_of) {
            report.awaiting += 1;
        } else if inputs.zone == context.organization.time_zone {
            moments.entry((inputs.as_of, inputs.model)).or_default().push(row);
        } else {
            let model = context.model_of(inputs.model);
            let computed = Score::compute(inputs.clone(), &model, row.score.previous);
            if compare(tx, &row, &computed, report).await? {
                report.other_zone += 1;
            }
        }
    }
    for ((as_of, version), rows) in moments {
        let moment = Moment::with_model(context, as_of, false, version);
        // Created "now", so that no previous score is looked for: the one that a score was compared
        // with is part of what is stored, not something that events decide.
        let chunk = ClientChunk::stretch(
            rows.iter()
                .map(|row| (ResolvedClient { id: row.client, created_at: as_of }, String::new()))
                .collect(),
        );
        let facts = tx.client_facts(&chunk, &moment.range, &moment.model).await?;
        for (row, facts) in rows.iter().zip(&facts) {
            let computed = Score::compute(moment.inputs(facts), &moment.model, row.score.previous);
            if compare(tx, row, &computed, report).await? {
                report.scores += 1;
            }
        }
    }
    Ok(())
}

/// Whether a stored score is what was computed; a difference goes into the report.
async fn compare(
    tx: &mut Tx,
    row: &ScoreRow,
    computed: &Score,
    report: &mut VerifyReport,
) -> Result<bool> {
    let stored = &row.score;
    let Some((column, stored, computed)) = first_difference(stored, computed) else {
        return Ok(true);
    };
    report.differences.push(Difference {
        place: format!("client_success_scores.{column}"),
        client_id: external_id(tx, row.client).await?,
        day: Some(row.day),
        stored,
        computed,
    });
    Ok(false)
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
            ("change", score.change),
        ]
    };
    let shown = |value: Option<i64>| value.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let numbers = number(stored)
        .into_iter()
        .zip(number(computed))
        .find(|((_, stored), (_, computed))| stored != computed)
        .map(|((column, stored), (_, computed))| (column, shown(stored), shown(computed)));
    numbers.or_else(|| {
        if stored.trend != computed.trend {
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
