use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use mainstay_core::text::count_noun;
use mainstay_store::{MigrationState, Store};
use serde::Serialize;

use super::{CliError, Result, args::DbCommand, open, output::Output, table::Table};
use crate::config::Settings;

#[derive(Serialize)]
struct MigrationOutput<'a> {
    version: i64,
    description: &'a str,
    applied: bool,
}

pub(super) async fn run(
    command: &DbCommand,
    settings: &Settings,
    out: &mut Output,
) -> Result<ExitCode> {
    let store = Store::open(&settings.database).await?;
    let result = match command {
        DbCommand::Migrate => migrate(&store, out).await,
        DbCommand::Rollback { to, yes } => rollback(&store, *to, *yes, out).await,
        DbCommand::Status { json } => status(&store, json.json, out).await,
    };
    store.close().await;
    result.map(|()| ExitCode::SUCCESS)
}

async fn migrate(store: &Store, out: &mut Output) -> Result<()> {
    let before = store.migrations().await?;
    open::migrate(store).await?;
    let newest = before.last().map_or(0, |migration| migration.version);
    let new: Vec<&MigrationState> = before.iter().filter(|migration| !migration.applied).collect();
    for migration in &new {
        writeln!(out, "applied {}", label(migration))?;
    }
    if new.is_empty() {
        writeln!(out, "nothing to do: the database is at migration {newest}, the latest")?;
    }
    Ok(())
}

async fn rollback(store: &Store, to: Option<i64>, yes: bool, out: &mut Output) -> Result<()> {
    let migrations = store.migrations().await?;
    let applied: Vec<&MigrationState> =
        migrations.iter().filter(|migration| migration.applied).collect();
    let Some(newest) = applied.last() else {
        writeln!(out, "nothing to undo: the database has no migrations")?;
        return Ok(());
    };
    let before = applied.iter().rev().nth(1).map_or(0, |migration| migration.version);
    let target = to.unwrap_or(before);
    if target != 0 && !applied.iter().any(|migration| migration.version == target) {
        let up_to = if before == 0 { String::new() } else { format!(" to {before}") };
        return Err(CliError::Message(format!(
            "--to {target}: the database is at migration {}; use 0 (undo all){up_to}, see: \
             mainstay db status",
            newest.version
        )));
    }
    let undone: Vec<&MigrationState> =
        applied.iter().rev().filter(|migration| migration.version > target).copied().collect();
    if undone.is_empty() {
        writeln!(out, "nothing to undo: the database is at migration {}", newest.version)?;
        return Ok(());
    }
    if !yes {
        confirm(&undone)?;
    }
    store.rollback(Some(target)).await?;
    for migration in undone {
        writeln!(out, "undid {}", label(migration))?;
    }
    Ok(())
}

/// Asks for the number of migrations to undo: unlike `y`, nobody types it by habit.
fn confirm(undone: &[&MigrationState]) -> Result<()> {
    let names: Vec<String> = undone.iter().map(|migration| label(migration)).collect();
    let migrations = count_noun(i64::try_from(undone.len()).unwrap_or(i64::MAX), "migration");
    let what = format!("this undoes {migrations} with all data in them ({})", names.join(", "));
    if !io::stdin().is_terminal() {
        return Err(CliError::Message(format!(
            "{what}; standard input is not a terminal, so add --yes to confirm"
        )));
    }
    let mut stderr = io::stderr();
    let number = undone.len();
    write!(stderr, "{what}. Make a backup first.\ntype {number} to continue: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == number.to_string() {
        return Ok(());
    }
    Err(CliError::Message(format!("not {number}, so nothing was changed")))
}

async fn status(store: &Store, json: bool, out: &mut Output) -> Result<()> {
    let migrations = store.migrations().await?;
    if json {
        let migrations = migrations.iter().map(|migration| MigrationOutput {
            version: migration.version,
            description: &migration.description,
            applied: migration.applied,
        });
        out.json_array(&migrations.collect::<Vec<_>>())?;
        return Ok(());
    }
    let mut table = Table::new(&[">MIGRATION", "ABOUT", "STATE"]);
    for migration in &migrations {
        table.row([
            migration.version.to_string(),
            migration.description.clone(),
            if migration.applied { "applied" } else { "pending" }.to_owned(),
        ]);
    }
    table.write(out)?;
    let pending = migrations.iter().filter(|migration| !migration.applied).count();
    if pending > 0 {
        let pending = count_noun(i64::try_from(pending).unwrap_or(i64::MAX), "migration");
        writeln!(
            out,
            "\n{pending} pending; any other command, or mainstay db migrate, applies them"
        )?;
    }
    Ok(())
}

fn label(migration: &MigrationState) -> String {
    format!("{} {}", migration.version, migration.description)
}
