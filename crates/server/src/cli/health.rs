use std::{io::Write as _, process::ExitCode};

use mainstay_core::{
    health::{AlertType, Change, Severity},
    text::counted,
};
use mainstay_store::{DataSilence, Scope};
use serde::Serialize;

use super::{
    Result,
    args::Figures,
    figures::{Asked, asked, local, note_dry_run},
    output::Output,
    table::{Table, sentence, shown},
};
use crate::{Error, Mainstay, health::HealthChange};

const COLUMNS: [&str; 5] = ["client_id", "type", "severity", "change", "message"];
/// How often a check without `--as-of` is put off behind one that began later and was faster.
const MOST_TRIES: u32 = 100;

#[derive(Clone, Serialize)]
struct Row {
    client_id: String,
    r#type: AlertType,
    severity: Severity,
    change: Change,
    message: String,
}

impl From<HealthChange> for Row {
    fn from(change: HealthChange) -> Self {
        Self {
            client_id: change.client_id,
            r#type: change.kind,
            severity: change.severity,
            change: change.change,
            message: change.message,
        }
    }
}

pub(super) async fn run(mainstay: &Mainstay, args: &Figures, out: &mut Output) -> Result<ExitCode> {
    let mut asked = asked(mainstay, args).await?;
    let changes = check(mainstay, args, &mut asked).await?;
    let silence = mainstay.data_silence(Scope::Service(asked.organization.id)).await?;
    // Those that are held are told when the silence ends, should they still be true then.
    let mut rows: Vec<Row> =
        changes.into_iter().filter(|change| !change.held).map(Row::from).collect();
    rows.sort_by(|a, b| (&a.client_id, a.r#type).cmp(&(&b.client_id, b.r#type)));
    if !out.records(args.format, &COLUMNS, || rows.clone(), || rows.clone())? {
        tell(&asked, &rows, out)?;
        if let Some(silence) = silence {
            tell_silence(&asked, &silence, out)?;
        }
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

fn tell_silence(asked: &Asked, silence: &DataSilence, out: &mut Output) -> Result<()> {
    let since = local(silence.since, &asked.organization);
    let held = counted(silence.held_alerts, "alert");
    writeln!(
        out,
        "\nno client at all has sent an event since {since}: {held} about it are held until events \
         come again; check that your app still sends"
    )?;
    Ok(())
}
