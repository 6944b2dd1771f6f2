use std::{io::Write as _, process::ExitCode};

use mainstay_core::{
    alert::{AlertType, Change, Severity},
    text::count_noun,
};
use mainstay_store::Scope;
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{FiguresContext, load_context, local, print_dry_run_note},
    output::Output,
    table::{Table, cell, sentence},
};
use crate::{
    Error, Mainstay,
    alert::{HealthChange, MissingData},
};

const COLUMNS: [&str; 6] = ["client_id", "type", "severity", "change", "held", "message"];
/// How often a check without `--as-of` is retried after a faster, later one.
const MAX_TRIES: u32 = 100;

#[derive(Clone, Serialize)]
struct Row {
    client_id: String,
    r#type: AlertType,
    severity: Severity,
    change: Change,
    /// Whether it is held because its data is missing.
    held: bool,
    message: String,
}

impl From<HealthChange> for Row {
    fn from(change: HealthChange) -> Self {
        Self {
            client_id: change.client_id,
            r#type: change.kind,
            severity: change.severity,
            change: change.change,
            held: change.held,
            message: change.message,
        }
    }
}

pub(super) async fn run(mainstay: &Mainstay, args: &Figures, out: &mut Output) -> Result<ExitCode> {
    let mut context = load_context(mainstay, args).await?;
    let changes = check(mainstay, args, &mut context).await?;
    let missing = mainstay.missing_data(Scope::Service(context.organization.id)).await?;
    let mut rows: Vec<Row> = changes.into_iter().map(Row::from).collect();
    rows.sort_by(|a, b| (&a.client_id, a.r#type).cmp(&(&b.client_id, b.r#type)));
    if !out.records(args.format, &COLUMNS, || rows.clone(), || rows.clone())? {
        // Those that are held are told when the data are back, should they still be true then.
        rows.retain(|row| !row.held);
        print_report(&context, &rows, out)?;
        print_missing_data(&context, &missing, out)?;
    }
    print_dry_run_note(args);
    Ok(ExitCode::SUCCESS)
}

/// Checks as of the given instant, or now. If several checks run concurrently, "now" may already be
/// outdated: it is then retried with the new time.
async fn check(
    mainstay: &Mainstay,
    args: &Figures,
    context: &mut FiguresContext,
) -> Result<Vec<HealthChange>> {
    let mut tries = 1;
    loop {
        let (id, client) = (context.organization.id, args.client.as_deref());
        match mainstay.check_organization_health(id, context.as_of, client, args.dry_run).await {
            Err(Error::Invalid { field, .. })
                if field == "as_of" && args.as_of.is_none() && tries < MAX_TRIES =>
            {
                context.as_of = mainstay.now();
                tries += 1;
            }
            result => return Ok(result?),
        }
    }
}

fn print_report(context: &FiguresContext, rows: &[Row], out: &mut Output) -> Result<()> {
    let as_of = local(context.as_of, &context.organization);
    if rows.is_empty() {
        writeln!(out, "no alert changed as of {as_of}")?;
        return Ok(());
    }
    let mut table = Table::new(&["CLIENT", "CHANGE", "ALERT", "SEVERITY", "WHY"]);
    for row in rows {
        let style = match row.severity {
            Severity::Info => out.style(),
            Severity::Warning => out.style().yellow(),
            Severity::Critical => out.style().red(),
        };
        table.row([
            cell(&row.client_id),
            row.change.to_string(),
            row.r#type.as_str().replace('_', " "),
            style.apply_to(row.severity).to_string(),
            sentence(&row.message),
        ]);
    }
    table.write(out)?;
    let counts: Vec<String> = Change::ALL
        .iter()
        .map(|change| (rows.iter().filter(|row| row.change == *change).count(), change))
        .filter(|(count, _)| *count > 0)
        .map(|(count, change)| format!("{count} {change}"))
        .collect();
    let alerts = count_noun(i64::try_from(rows.len()).unwrap_or(i64::MAX), "change");
    writeln!(out, "\n{alerts} as of {as_of}: {}", counts.join(", "))?;
    Ok(())
}

fn print_missing_data(
    context: &FiguresContext,
    missing: &MissingData,
    out: &mut Output,
) -> Result<()> {
    let held = count_noun(missing.held_alerts, "alert");
    let are_held = format!(
        "{held} that {} on recent activity {} held until events arrive again at half their usual \
         rate; check that your app still sends them",
        if missing.held_alerts == 1 { "rests" } else { "rest" },
        if missing.held_alerts == 1 { "is" } else { "are" },
    );
    let local = |at| local(at, &context.organization);
    if let Some(silence) = &missing.silence {
        let since = local(silence.since);
        let what = match silence.clients {
            None => format!("no client has sent an event since {since}"),
            Some((clients, usual)) => format!(
                "only {} sent events on the day of {since}; usually at least {usual} do",
                count_noun(clients, "client")
            ),
        };
        writeln!(out, "\n{what}: {are_held}")?;
    }
    for silence in &missing.keys {
        let since = local(silence.since);
        let prefix = &silence.prefix;
        writeln!(out, "\nno event was sent with the key {prefix}… since {since}: {are_held}")?;
    }
    Ok(())
}
