use std::{io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::{
    insight::{InsightType, Priority},
    text::count_noun,
};
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{FiguresContext, load_context, local, local_day, print_dry_run_note},
    output::Output,
    table::{cell, sentence},
};
use crate::{Mainstay, insight::WrittenInsight};

const COLUMNS: [&str; 6] = ["client_id", "type", "priority", "title", "message", "valid_until"];

#[derive(Clone, Serialize)]
struct Row {
    client_id: String,
    r#type: InsightType,
    priority: Priority,
    title: String,
    message: String,
    valid_until: Timestamp,
}

impl From<WrittenInsight> for Row {
    fn from(written: WrittenInsight) -> Self {
        let insight = written.insight;
        Self {
            client_id: written.client_id,
            r#type: insight.kind,
            priority: insight.priority,
            title: insight.title,
            message: insight.message,
            valid_until: insight.valid_until,
        }
    }
}

pub(super) async fn run(mainstay: &Mainstay, args: &Figures, out: &mut Output) -> Result<ExitCode> {
    let context = load_context(mainstay, args).await?;
    let mut rows: Vec<Row> = Vec::new();
    let (client, dry_run) = (args.client.as_deref(), args.dry_run);
    mainstay
        .generate_organization_insights(
            context.organization.id,
            context.as_of,
            client,
            dry_run,
            |written| rows.extend(written.into_iter().map(Row::from)),
        )
        .await?;
    // Stable: a client's own stay in the order in which they are shown to it.
    rows.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    if !out.records(args.format, &COLUMNS, || rows.clone(), || rows.clone())? {
        print_report(&context, &rows, out)?;
    }
    print_dry_run_note(args);
    Ok(ExitCode::SUCCESS)
}

/// Not in columns: sentences do not fit into them.
fn print_report(context: &FiguresContext, rows: &[Row], out: &mut Output) -> Result<()> {
    let (bold, dim) = (out.style().bold(), out.style().dim());
    for (index, row) in rows.iter().enumerate() {
        if index == 0 || rows[index - 1].client_id != row.client_id {
            writeln!(out, "{}", bold.apply_to(cell(&row.client_id)))?;
        }
        let about = format!(
            "{}, {} priority, until {}",
            row.r#type.as_str().replace('_', " "),
            row.priority,
            local_day(row.valid_until, &context.organization)
        );
        writeln!(out, "  {}  {}", sentence(&row.title), dim.apply_to(format!("({about})")))?;
        writeln!(out, "    {}", sentence(&row.message))?;
    }
    if rows.is_empty() {
        writeln!(
            out,
            "no new insights: this period already has its insights, or there are no clients"
        )?;
        return Ok(());
    }
    let insights = count_noun(i64::try_from(rows.len()).unwrap_or(i64::MAX), "new insight");
    writeln!(out, "\n{insights} as of {}", local(context.as_of, &context.organization))?;
    Ok(())
}
