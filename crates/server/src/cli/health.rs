use std::{io::Write as _, process::ExitCode};

use mainstay_core::{
    alert::{AlertType, Change, Severity},
    text::counted,
};
use mainstay_store::Scope;
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{Asked, asked, local, note_dry_run},
    output::Output,
    table::{Table, sentence, shown},
};
use crate::{
    Error, Mainstay,
    alert::{HealthChange, MissingData},
};

const COLUMNS: [&str; 6] = ["client_id", "type", "severity", "change", "held", "message"];
/// How often a check without `--as-of` is put off behind one that began later and was faster.
const MOST_TRIES: u32 = 100;

#[derive(Clone, Serialize)]
struct Row {
    client_id: String,
    r#type: AlertType,
    severity: Severity,
    change: Change,
    /// Whether it is told to nobody, because the data that it rests on are missing.
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
    let mut asked = asked(mainstay, args).await?;
    let changes = check(mainstay, args, &mut asked).await?;
    let missing = mainstay.missing_data(Scope::Service(asked.organization.id)).await?;
    let mut rows: Vec<Row> = changes.into_iter().map(Row::from).collect();
    rows.sort_by(|a, b| (&a.client_id, a.r#type).cmp(&(&b.client_id, b.r#type)));
    if !out.records(args.format, &COLUMNS, || rows.clone(), || rows.clone())? {
        // Those that are held are told when the data are back, should they still be true then.
        rows.retain(|row| !row.held);
        tell(&asked, &rows, out)?;
        tell_missing(&asked, &missing, out)?;
    }
    note_dry_run(args);
    Ok(ExitCode::SUCCESS)
}

/// Checks at the instant that was asked for, or now. Where several checks of now run at the same
/// time, "now" may be over before this one's turn: then it checks at the new one.
async fn check(
    mainstay: &Mainstay,
    args: &Figures,
    asked: &mut Asked,
) -> Result<Vec<HealthChange>> {
    let mut tries = 1;
    loop {
        let (id, client) = (asked.organization.id, args.client.as_deref());
        match mainstay.check_organization_health(id, asked.as_of, client, args.dry_run).await {
            Err(Error::Invalid { field, .. })
                if field == "as_of" && args.as_of.is_none() && tries < MOST_TRIES =>
            {
                asked.as_of = mainstay.now();
                tries += 1;
            }
            result => return Ok(result?),
        }
    }
}

fn tell(asked: &Asked, rows: &[Row], out: &mut Output) -> Result<()> {
    let as_of = local(asked.as_of, &asked.organization);
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
            shown(&row.client_id),
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
    let alerts = counted(i64::try_from(rows.len()).unwrap_or(i64::MAX), "change");
    writeln!(out, "\n{alerts} as of {as_of}: {}", counts.join(", "))?;
    Ok(())
}

fn tell_missing(asked: &Asked, missing: &MissingData, out: &mut Output) -> Result<()> {
    let held = counted(missing.held_alerts, "alert");
    let are_held = format!(
        "{held} that {} on recent activity {} held until events come again at half their usual rate; \
         check that your app still sends",
        if missing.held_alerts == 1 { "rests" } else { "rest" },
        if missing.held_alerts == 1 { "is" } else { "are" },
    );
    let local = |at| local(at, &asked.organization);
    if let Some(silence) = &missing.silence {
        let since = local(silence.since);
        let what = match silence.clients {
            None => format!("no client at all has sent an event since {since}"),
            Some((clients, usual)) => format!(
                "only {} came on the day of {since}, where at least {usual} usually do",
                counted(clients, "client")
            ),
        };
        writeln!(out, "\n{what}: {are_held}")?;
    }
    for silence in &missing.keys {
        let since = local(silence.since);
        let prefix = &silence.prefix;
        writeln!(out, "\nno event has come with the key {prefix}… since {since}: {are_held}")?;
    }
    Ok(())
}
