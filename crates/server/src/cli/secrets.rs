use std::{io::Write as _, process::ExitCode};

use mainstay_core::text::count_noun;
use mainstay_store::{PLAIN, SecretKey};
use serde::Serialize;

use super::{Result, args::SecretsCommand, output::Output};
use crate::{Mainstay, config::Settings};

#[derive(Serialize)]
struct Status {
    /// The source of the keys.
    source: String,
    /// The key for new secrets.
    current: String,
    /// The keys of stored secrets.
    used: Vec<String>,
    /// The available keys.
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
        PLAIN => writeln!(out, "new secrets are stored in plain text, as set by secrets_at_rest")?,
        key => writeln!(out, "new secrets are encrypted with key {key} of {}", status.source)?,
    }
    for key in &status.used {
        match key.as_str() {
            PLAIN => writeln!(out, "some secrets are stored in plain text")?,
            key if key == status.current => writeln!(out, "secrets are encrypted with key {key}")?,
            key => writeln!(
                out,
                "some secrets are encrypted with key {key}; run: mainstay secrets rotate"
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
        format!("{} of {}", count_noun(count, "secret"), count_noun(organizations, "organization"));
    if rotated.key == PLAIN {
        writeln!(out, "stored {what} in plain text, as set by secrets_at_rest")?;
        return Ok(());
    }
    writeln!(out, "encrypted {what} with key {}", rotated.key)?;
    if file.is_some() {
        writeln!(
            out,
            "earlier keys stay in {}, for existing backups; remove their lines once those backups \
             are no longer needed",
            secrets.source.describe(mainstay.store())
        )?;
    }
    Ok(())
}
