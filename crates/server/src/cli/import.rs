use std::{io::Write as _, path::PathBuf, process::ExitCode};

use mainstay_core::{
    text::{count_noun, format_thousands},
    time::time_zone,
};
use serde::Serialize;

use super::{REFUSED, Result, args::Import, organization, output::Output, progress};
use crate::{
    Error, Mainstay,
    engagement::{ImportSummary, import::ImportOptions},
};

#[derive(Serialize)]
struct ImportReport<'a> {
    read: u64,
    stored: u64,
    duplicate: u64,
    refused: u64,
    waiting: u64,
    profiles: u64,
    /// Rows whose time had no offset and was read in the organization's zone.
    local_times: u64,
    timezone: &'a str,
    rejects: Option<&'a PathBuf>,
    dry_run: bool,
}

pub(super) async fn run(mainstay: &Mainstay, args: Import, out: &mut Output) -> Result<ExitCode> {
    let organization = organization(mainstay, &args.org.org).await?;
    let zone = args.timezone.as_deref().unwrap_or(&organization.time_zone).to_owned();
    let options = ImportOptions {
        format: args.format,
        columns: args.column,
        event_types: args.event_type,
        encoding: args.encoding,
        time_zone: Some(time_zone(&zone).map_err(|reason| Error::invalid("timezone", reason))?),
        date_format: args.date_format,
    };
    let bar = progress::bytes();
    let imported = mainstay
        .import_file(organization.id, &args.file, &options, args.dry_run, |at| {
            if let Some(total) = at.total_bytes {
                bar.set_length(total);
            }
            bar.set_position(at.bytes);
            bar.set_message(format!(
                "{} rows",
                format_thousands(i64::try_from(at.rows).unwrap_or(i64::MAX))
            ));
        })
        .await;
    bar.finish_and_clear();
    let summary = imported?;
    if args.json.json {
        out.json(&ImportReport {
            read: summary.read,
            stored: summary.stored,
            duplicate: summary.duplicates,
            refused: summary.refused,
            waiting: summary.waiting,
            profiles: summary.profiles,
            local_times: summary.local_times,
            timezone: &zone,
            rejects: summary.rejects.as_ref(),
            dry_run: args.dry_run,
        })?;
    } else {
        let (file, slug) = (args.file.display().to_string(), &organization.slug);
        print_report(&summary, &file, slug, args.dry_run, out)?;
        if summary.local_times > 0 {
            let times = count_noun(i64::try_from(summary.local_times).unwrap_or(i64::MAX), "time");
            writeln!(out, "{times} without an offset, read as local time of {zone} (--timezone)")?;
        }
    }
    Ok(ExitCode::from(if summary.refused > 0 { REFUSED } else { 0 }))
}

/// The counts are plain digits, one a line, so that scripts can read them too.
fn print_report(
    summary: &ImportSummary,
    file: &str,
    slug: &str,
    dry_run: bool,
    out: &mut Output,
) -> Result<()> {
    if dry_run {
        writeln!(out, "dry run of {file} into {slug}: nothing was stored; an import would give")?;
    } else {
        writeln!(out, "imported {file} into {slug}")?;
    }
    let mut counts = vec![
        ("read", summary.read),
        ("stored", summary.stored),
        ("duplicate", summary.duplicates),
        ("refused", summary.refused),
    ];
    if summary.waiting > 0 {
        counts.push(("waiting", summary.waiting));
    }
    if summary.profiles > 0 {
        counts.push(("profiles", summary.profiles));
    }
    let width = counts.iter().map(|(_, count)| count.to_string().len()).max().unwrap_or(0);
    for (what, count) in counts {
        writeln!(out, "  {what:<9}  {count:>width$}")?;
    }
    if let Some(rejects) = &summary.rejects {
        let rows = count_noun(i64::try_from(summary.refused).unwrap_or(i64::MAX), "refused row");
        let red = out.style().red();
        writeln!(
            out,
            "{}",
            red.apply_to(format!("{rows}, with the reasons: {}", rejects.display()))
        )?;
    }
    Ok(())
}
