use std::{io::Write as _, process::ExitCode};

use mainstay_core::text::count_noun;
use mainstay_store::Organization;

use super::{
    FAILED, Result, args::Verify, organization, output::Output, progress, table::sentence,
};
use crate::{Mainstay, verify::VerifyReport};

pub(super) async fn run(mainstay: &Mainstay, args: &Verify, out: &mut Output) -> Result<ExitCode> {
    let organizations = match &args.org {
        Some(slug) => vec![organization(mainstay, slug).await?],
        None => mainstay.organizations().await?,
    };
    if organizations.is_empty() {
        writeln!(out, "there are no organizations yet, so there is nothing to verify")?;
    }
    let mut differences = 0;
    for organization in &organizations {
        let bar = progress::steps();
        let verified = mainstay
            .verify(organization.id, |at| {
                bar.set_length(at.total);
                bar.set_position(at.done);
                bar.set_message(at.what);
            })
            .await;
        bar.finish_and_clear();
        let report = verified?;
        differences += report.differences.len();
        print_report(organization, &report, out)?;
    }
    Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn print_report(
    organization: &Organization,
    report: &VerifyReport,
    out: &mut Output,
) -> Result<()> {
    let count = |count: u64, what: &str| count_noun(i64::try_from(count).unwrap_or(i64::MAX), what);
    let slug = &organization.slug;
    for difference in &report.differences {
        writeln!(out, "{slug}: {}", sentence(&difference.to_string()))?;
    }
    let checked = [
        count(report.activity_rows, "row of daily activity"),
        count(report.totals, "folded total"),
        count(report.scores, "score"),
    ]
    .join(", ");
    if report.differences.is_empty() {
        let green = out.style().green();
        let right = green.apply_to("all stored data matches the events");
        writeln!(out, "{slug}: {right} ({checked})")?;
    } else {
        let red = out.style().red();
        let wrong = count(report.differences.len() as u64, "difference");
        writeln!(
            out,
            "{slug}: {}; all other data matches the events ({checked})",
            red.apply_to(wrong)
        )?;
    }
    if report.awaiting > 0 {
        writeln!(
            out,
            "{slug}: {} outdated because of late events; recompute with: mainstay score --org \
             {slug}",
            count(report.awaiting, "more score")
        )?;
    }
    if report.other_zone > 0 {
        writeln!(
            out,
            "{slug}: {} from an earlier time zone match the counts of that time",
            count(report.other_zone, "more score")
        )?;
    }
    Ok(())
}
