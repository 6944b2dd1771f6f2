use std::{io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::{
    score::{Band, Components, Trend},
    text::count_noun,
};
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{FiguresContext, band, load_context, local, print_dry_run_note},
    output::Output,
    table::{NONE, Table, cell, signed},
};
use crate::{
    Mainstay,
    score::{ClientScore, ScoreRun},
};

/// The columns of `--format csv`, which other tools rely on.
const COLUMNS: [&str; 12] = [
    "client_id",
    "overall",
    "engagement",
    "activation",
    "progress",
    "satisfaction",
    "momentum",
    "previous",
    "change",
    "trend",
    "band",
    "coverage",
];

/// A score to print, without its inputs, so that those of a large organization fit in memory.
#[derive(Clone, Serialize)]
struct Row {
    client_id: String,
    overall: i64,
    engagement: i64,
    activation: i64,
    progress: i64,
    satisfaction: i64,
    momentum: i64,
    previous: Option<i64>,
    change: Option<i64>,
    trend: Trend,
    band: Band,
    coverage: i64,
}

#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    row: Row,
    as_of: Timestamp,
}

impl From<ClientScore> for Row {
    fn from(client: ClientScore) -> Self {
        let score = client.score;
        let Components { engagement, activation, progress, satisfaction, momentum } =
            score.components;
        Self {
            client_id: client.client_id,
            overall: score.overall,
            engagement,
            activation,
            progress,
            satisfaction,
            momentum,
            previous: score.previous.map(|previous| previous.overall),
            change: score.change,
            trend: score.trend,
            band: score.band,
            coverage: score.coverage,
        }
    }
}

pub(super) async fn run(mainstay: &Mainstay, args: &Figures, out: &mut Output) -> Result<ExitCode> {
    let context = load_context(mainstay, args).await?;
    let mut rows: Vec<Row> = Vec::new();
    let each = |chunk: Vec<ClientScore>| rows.extend(chunk.into_iter().map(Row::from));
    let organization = context.organization.id;
    if args.as_of.is_some() {
        let (client, dry_run) = (args.client.clone(), args.dry_run);
        let run = ScoreRun { as_of: context.as_of, client, dry_run };
        mainstay.score_organization(organization, &run, each).await?;
    } else {
        // The same figures as pages and API show.
        let client = args.client.as_deref();
        mainstay.score_as_shown(organization, client, args.dry_run, each).await?;
    }
    // By bytes, not as a language sorts: the order must be the same everywhere.
    rows.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let timed =
        || rows.iter().map(|row| Timed { row: row.clone(), as_of: context.as_of }).collect();
    if !out.records(args.format, &COLUMNS, || rows.clone(), timed)? {
        print_report(&context, &rows, out)?;
    }
    print_dry_run_note(args);
    Ok(ExitCode::SUCCESS)
}

fn print_report(context: &FiguresContext, rows: &[Row], out: &mut Output) -> Result<()> {
    let as_of = local(context.as_of, &context.organization);
    if rows.is_empty() {
        writeln!(
            out,
            "no client existed before {as_of}; clients are created by their events: mainstay \
             import FILE --org {}",
            context.organization.slug
        )?;
        return Ok(());
    }
    let mut table = Table::new(&[
        "CLIENT",
        ">SCORE",
        "BAND",
        ">CHANGE",
        "TREND",
        ">ENGAGEMENT",
        ">ACTIVATION",
        ">PROGRESS",
        ">SATISFACTION",
        ">MOMENTUM",
        ">MEASURED",
    ]);
    for row in rows {
        let trend = match row.change {
            Some(_) => row.trend.as_str(),
            None => NONE,
        };
        table.row([
            cell(&row.client_id),
            row.overall.to_string(),
            band(out, row.band, row.band.words()),
            signed(row.change),
            trend.to_owned(),
            row.engagement.to_string(),
            row.activation.to_string(),
            row.progress.to_string(),
            row.satisfaction.to_string(),
            row.momentum.to_string(),
            format!("{} %", row.coverage),
        ]);
    }
    table.write(out)?;
    let bands = [Band::Excellent, Band::Good, Band::NeedsAttention, Band::AtRisk].map(|one| {
        let count = rows.iter().filter(|row| row.band == one).count();
        band(out, one, &format!("{count} {}", one.words()))
    });
    let clients = count_noun(i64::try_from(rows.len()).unwrap_or(i64::MAX), "client");
    writeln!(out, "\n{clients} as of {as_of}: {}", bands.join(", "))?;
    Ok(())
}
