use std::{io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::{
    insight::{InsightType, Priority},
    text::counted,
};
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{Asked, asked, local, local_day, note_dry_run},
    output::Output,
    table::{sentence, shown},
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
    let asked = asked(mainstay, args).await?;
    let mut rows: Vec<Row> = Vec::new();
    let (client, dry_run) = (args.client.as_deref(), args.dry_run);
    mainstay
        .generate_organization_insights(
            asked.organization.id,
            asked.as_of,
            client,
            dry_run,
            |written| rows.extend(written.into_iter().map(Row::from)),
        )
        .await?;
    // Stable: a client's own stay in the order in which they are shown to it.
    rows.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    if !out.records(args.format, &COLUMNS, || rows.clone(), || rows.clone())? {
        tell(&asked, &rows, out)?;
    }
    note_dry_run(args);
    Ok(ExitCode::SUCCESS)
}

/// Not in columns: sentences do not fit into them.
fn tell(asked: &Asked, rows: &[Row], out: &mut Output) -> Result<()> {
    let (bold, dim) = (out.style().bold(), out.style().dim());
    for (index, row) in rows.iter().enumerate() {
        if index == 0 || rows[index - 1].client_id != row.client_id {
            writeln!(out, "{}", bold.apply_to(shown(&row.client_id)))?;
        }
        let about = format!(
            "{}, {} priority, until {}",
            row.r#type.as_str().replace('_', " "),
            row.priority,
            local_day(row.valid_until, &asked.organization)
        );
        writeln!(out, "  {}  {}", sentence(&row.title), dim.apply_to(format!("({about})")))?;
        writeln!(out, "    {}", sentence(&row.message))?;
    }
    if rows.is_empty() {
        writeln!(
            out,
            "no new insight: those of this period are written already, or there is no client"
        )?;
        return Ok(());
    }
    let insights = counted(i64::try_from(rows.len()).unwrap_or(i64::MAX), "new insight");
    writeln!(out, "\n{insights} as of {}", local(asked.as_of, &asked.organization))?;
    Ok(())
}
