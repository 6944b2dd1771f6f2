use std::{io::Write as _, process::ExitCode};

use jiff::Timestamp;
use mainstay_core::{id::OrganizationId, time::time_zone};
use mainstay_store::{Organization, OrganizationPatch};
use serde::Serialize;

use super::{
    CliError, Result,
    args::OrgCommand,
    output::Output,
    table::{Table, cell, minute},
};
use crate::{
    Mainstay,
    config::Settings,
    organization::{CreateOrganization, CreatedOrganization},
};

/// Zones that are named when one is unknown.
const MAX_SUGGESTIONS: usize = 3;
/// How alike two names are that may be typos of each other, of 1.
const MIN_SIMILARITY: f64 = 0.85;

#[derive(Serialize)]
struct CreatedOrganizationOutput<'a> {
    id: OrganizationId,
    slug: &'a str,
    secret_key: &'a str,
    write_key: &'a str,
    token_secret: &'a str,
    setup_link: &'a str,
}

#[derive(Serialize)]
struct OrganizationOutput {
    id: OrganizationId,
    slug: String,
    name: String,
    time_zone: String,
    sample: bool,
    created_at: Timestamp,
    /// Since when activity is being moved to the days of another zone.
    time_zone_change_since: Option<Timestamp>,
}

pub(super) async fn run(
    mainstay: &Mainstay,
    settings: &Settings,
    command: OrgCommand,
    out: &mut Output,
) -> Result<ExitCode> {
    match command {
        OrgCommand::Create { slug, name, timezone, json, address: _ } => {
            if let Some(zone) = &timezone {
                check_zone(zone)?;
            }
            let create = CreateOrganization { slug, name, time_zone: timezone, sample: false };
            let created = mainstay.create_organization(create).await?;
            let site = settings.site(None);
            let setup = mainstay.setup_link(created.organization.id, &site).await?.url;
            let setup = settings.printed_link(&setup);
            if json.json {
                out.json(&CreatedOrganizationOutput {
                    id: created.organization.id,
                    slug: &created.organization.slug,
                    secret_key: &created.keys.secret_key,
                    write_key: &created.keys.write_key,
                    token_secret: &created.token_secret,
                    setup_link: setup,
                })?;
            } else {
                print_created(&created, setup, out)?;
            }
        }
        OrgCommand::Set { slug, count_self_told } => {
            let organization = mainstay.organization_by_slug(&slug).await?;
            let patch = OrganizationPatch {
                count_self_told: Some(count_self_told),
                ..OrganizationPatch::default()
            };
            mainstay.update_organization(organization.id, patch).await?;
            let does = if count_self_told { "count" } else { "do not count" };
            writeln!(
                out,
                "{slug}: from now on, high-value events from browsers and clients' own tokens \
                 {does}"
            )?;
        }
        OrgCommand::List { json } => {
            let organizations = mainstay.organizations().await?;
            if json.json {
                out.json_array(
                    &organizations.into_iter().map(organization_output).collect::<Vec<_>>(),
                )?;
            } else if organizations.is_empty() {
                writeln!(
                    out,
                    "there are no organizations yet; create one: mainstay org create SLUG"
                )?;
            } else {
                list(&organizations, out)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_created(created: &CreatedOrganization, setup: &str, out: &mut Output) -> Result<()> {
    let organization = &created.organization;
    let (bold, dim) = (out.style().bold(), out.style().dim());
    writeln!(
        out,
        "created {} ({}, days in {})\n",
        bold.apply_to(&organization.slug),
        cell(&organization.name),
        organization.time_zone
    )?;
    for (what, secret, use_for) in [
        (
            "secret key",
            &created.keys.secret_key,
            "full access to this organization; for servers only",
        ),
        ("write key", &created.keys.write_key, "can only send events; may be part of an app"),
        (
            "token secret",
            &created.token_secret,
            "signs your clients' tokens (HS256); for servers only",
        ),
        ("set-up link", &setup.to_owned(), "creates the first owner; works once, for 7 days"),
    ] {
        writeln!(
            out,
            "  {what:<13} {}\n  {:<13} {}",
            bold.apply_to(secret),
            "",
            dim.apply_to(use_for)
        )?;
    }
    let slug = &organization.slug;
    writeln!(
        out,
        "\nStore these now: they are not shown again. Next:\n\n  mainstay import FILE --org {slug}\n  \
         mainstay serve\n\nand open the set-up link.{}",
        address_hint(setup)
    )?;
    Ok(())
}

/// What to do with a printed link that is only a path.
pub(super) const fn address_hint(link: &str) -> &'static str {
    // A whole link begins with its scheme.
    if matches!(link.as_bytes(), [b'/', ..]) {
        " It is only the path: put it behind the address that `mainstay serve` prints. For whole links, \
         give --public-url URL or --listen HOST:PORT, or set one of them in mainstay.toml."
    } else {
        ""
    }
}

fn list(organizations: &[Organization], out: &mut Output) -> Result<()> {
    let mut table = Table::new(&["SLUG", "NAME", "TIME ZONE", "CREATED", ""]);
    for organization in organizations {
        let mut remarks = Vec::new();
        if organization.sample {
            remarks.push("sample data");
        }
        if organization.zone_change_since.is_some() {
            remarks.push("time zone change under way");
        }
        table.row([
            cell(&organization.slug),
            cell(&organization.name),
            cell(&organization.time_zone),
            minute(organization.created_at),
            remarks.join(", "),
        ]);
    }
    Ok(table.write(out)?)
}

fn organization_output(organization: Organization) -> OrganizationOutput {
    OrganizationOutput {
        id: organization.id,
        slug: organization.slug,
        name: organization.name,
        time_zone: organization.time_zone,
        sample: organization.sample,
        created_at: organization.created_at,
        time_zone_change_since: organization.zone_change_since,
    }
}

/// Refuses a zone that there is not, naming those that may have been meant.
fn check_zone(name: &str) -> Result<()> {
    let Err(reason) = time_zone(name) else { return Ok(()) };
    let near = near_zones(name);
    Err(CliError::Message(if near.is_empty() {
        format!("timezone: {reason}")
    } else {
        format!("timezone: unknown time zone {name:?}; did you mean {}?", near.join(", "))
    }))
}

fn near_zones(name: &str) -> Vec<String> {
    let wanted = name.to_lowercase().replace(' ', "_");
    let city = |zone: &str| zone.rsplit_once('/').map_or(zone, |(_, city)| city).to_owned();
    // Mostly by the city: people leave the continent out, and all of Europe begins alike.
    let likeness = |zone: &str| {
        let zone = zone.to_lowercase();
        0.9 * strsim::jaro_winkler(&city(&wanted), &city(&zone))
            + 0.1 * strsim::jaro_winkler(&wanted, &zone)
    };
    let mut near: Vec<(f64, String)> = jiff::tz::db()
        .available()
        .map(|zone| (likeness(zone.as_str()), zone.as_str().to_owned()))
        .filter(|(likeness, zone)| *likeness >= MIN_SIMILARITY && time_zone(zone).is_ok())
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    near.truncate(MAX_SUGGESTIONS);
    near.into_iter().map(|(_, zone)| zone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_zone_finds_the_one_that_was_meant() {
        for (typed, meant) in [
            ("Europe/Belrin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("new york", "America/New_York"),
            ("Australia/Lord_How", "Australia/Lord_Howe"),
        ] {
            assert_eq!(near_zones(typed).first().map(String::as_str), Some(meant), "{typed}");
        }
        assert!(near_zones("qqqqqq").is_empty());
        assert!(near_zones("Europe/Berlln").len() <= MAX_SUGGESTIONS);
    }
}
