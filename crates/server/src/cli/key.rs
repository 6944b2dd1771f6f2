use std::{collections::HashMap, io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::id::{ApiKeyId, MemberId};
use mainstay_store::{ApiKey, KeyKind, KeySource, Organization};
use serde::Serialize;

use super::{
    CliError, Result,
    args::KeyCommand,
    organization,
    output::Output,
    table::{NONE, Table, cell, minute},
};
use crate::{Error, Mainstay};

#[derive(Serialize)]
struct CreatedKeyOutput<'a> {
    id: ApiKeyId,
    kind: KeyKind,
    source: Option<KeySource>,
    member: Option<&'a str>,
    key: &'a str,
}

#[derive(Serialize)]
struct KeyOutput {
    id: ApiKeyId,
    kind: KeyKind,
    source: Option<KeySource>,
    prefix: String,
    member: Option<String>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

pub(super) async fn run(
    mainstay: &Mainstay,
    command: KeyCommand,
    out: &mut Output,
) -> Result<ExitCode> {
    match command {
        KeyCommand::Create { org, kind, member, source, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let created =
                mainstay.create_key_for(organization.id, kind, member.as_deref(), source).await?;
            if json.json {
                let (id, key) = (created.id, created.key.as_str());
                out.json(&CreatedKeyOutput {
                    id,
                    kind,
                    source: created.source,
                    member: member.as_deref(),
                    key,
                })?;
            } else {
                let bold = out.style().bold();
                writeln!(
                    out,
                    "{}\n\nStore it now: it is shown only once. To revoke it:\n  mainstay key revoke \
                     {} --org {}",
                    bold.apply_to(&created.key),
                    created.id,
                    organization.slug
                )?;
            }
        }
        KeyCommand::List { org, json } => {
            let organization = organization(mainstay, &org.org).await?;
            let keys = key_outputs(mainstay, &organization).await?;
            if json.json {
                out.json_array(&keys)?;
            } else {
                list(&keys, out)?;
            }
        }
        KeyCommand::Revoke { id, org } => {
            let organization = organization(mainstay, &org.org).await?;
            mainstay.revoke_key(organization.id, id).await.map_err(|error| match error {
                Error::NotFound { .. } => CliError::Message(format!(
                    "there is no active key {id}; see: mainstay key list --org {}",
                    organization.slug
                )),
                other => other.into(),
            })?;
            writeln!(out, "revoked {id}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn key_outputs(mainstay: &Mainstay, organization: &Organization) -> Result<Vec<KeyOutput>> {
    let members: HashMap<MemberId, String> = mainstay
        .members(organization.id)
        .await?
        .into_iter()
        .map(|member| (member.id, member.email))
        .collect();
    let output = |key: ApiKey| KeyOutput {
        id: key.id,
        kind: key.kind,
        source: key.source,
        prefix: key.prefix,
        member: key.member.and_then(|member| members.get(&member).cloned()),
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    };
    Ok(mainstay.keys(organization.id).await?.into_iter().map(output).collect())
}

fn list(keys: &[KeyOutput], out: &mut Output) -> Result<()> {
    let mut table = Table::new(&["ID", "KIND", "KEY", "MEMBER", "CREATED", "REVOKED"]);
    for key in keys {
        table.row([
            key.id.to_string(),
            match key.source {
                Some(KeySource::Browser) => "write (browser)".to_owned(),
                _ => key.kind.to_string(),
            },
            format!("{}\u{2026}", cell(&key.prefix)),
            key.member.as_deref().map_or_else(|| NONE.to_owned(), cell),
            minute(key.created_at),
            key.revoked_at.map_or_else(|| NONE.to_owned(), minute),
        ]);
    }
    Ok(table.write(out)?)
}
