use std::{io::Write as _, process::ExitCode};

use mainstay_core::text::counted;
use mainstay_store::{PLAIN, SecretKey};
use serde::Serialize;

use super::{Result, args::SecretsCommand, output::Output};
use crate::{Mainstay, config::Settings};

#[derive(Serialize)]
struct Status {
    /// Where keys come from.
    source: String,
    /// What new secrets are stored under.
    current: String,
    /// What stored ones are under.
    used: Vec<String>,
    /// The keys at hand.
    held: Vec<String>,
}

/// Prints a new key. Needs no database.
pub(super) fn new_key(out: &mut Output) -> Result<ExitCode> {
    writeln!(out, "{}", SecretKey::random()?.to_text())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(
    mainstay: &Mainstay,
    settings: &Settings,
    command: &SecretsCommand,
    out: &mut Output,
) -> Result<ExitCode> {
    match command {
        SecretsCommand::NewKey => return new_key(out),
        SecretsCommand::Status { json } => status(mainstay, settings, json.json, out).await?,
        SecretsCommand::Rotate { existing } => rotate(mainstay, settings, *existing, out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn status(
    mainstay: &Mainstay,
    settings: &Settings,
    json: bool,
    out: &mut Output,
) -> Result<()> {
    let keyring = mainstay.store().keyring();
    let status = Status {
        source: settings.secrets.source.describe(mainstay.store()),
        current: keyring.current(),
        used: mainstay.secret_keys().await?,
        held: keyring.ids(),
    };
    if json {
        out.json(&status)?;
        return Ok(());
    }
    match status.current.as_str() {
        PLAIN => writeln!(out, "new secrets are stored as they are, as the settings say")?,
        key => writeln!(out, "new secrets are encrypted with key {key} of {}", status.source)?,
    }
    for key in &status.used {
        match key.as_str() {
            PLAIN => writeln!(out, "some secrets are stored as they are")?,
            key if key == status.current => writeln!(out, "secrets are encrypted with key {key}")?,
            key => writeln!(
                out,
                "some secrets are encrypted with key {key}; mainstay secrets rotate changes that"
            )?,
        }
    }
    Ok(())
}

async fn rotate(
    mainstay: &Mainstay,
    settings: &Settings,
    existing: bool,
    out: &mut Output,
) -> Result<()> {
    let secrets = &settings.secrets;
    let file = secrets.source.file(mainstay.store()).filter(|_| !existing && !secrets.plain);
    if let Some(path) = &file {
        mainstay.add_secret_key(path)?;
    }
    let rotated = mainstay.rotate_secrets().await?;
    let count = i64::try_from(rotated.secrets).unwrap_or(i64::MAX);
    let organizations = i64::try_from(rotated.organizations).unwrap_or(i64::MAX);
    let what =
        format!("{} of {}", counted(count, "secret"), counted(organizations, "organization"));
    if rotated.key == PLAIN {
        writeln!(out, "stored {what} as they are, as the settings say")?;
        return Ok(());
    }
    writeln!(out, "encrypted {what} with key {}", rotated.key)?;
    if file.is_some() {
        writeln!(
            out,
            "earlier keys stay in {}, to read backups made before; remove their lines when no such \
             backup is needed any more",
            secrets.source.describe(mainstay.store())
        )?;
    }
    Ok(())
}
