//! Common parts of `score`, `insights` and `health`.

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::score::Band;
use mainstay_store::Organization;

use super::{
    Result,
    args::Figures,
    organization,
    output::{Output, print_note},
};
use crate::Mainstay;

/// The organization and instant of the figures.
pub(super) struct FiguresContext {
    pub(super) organization: Organization,
    pub(super) as_of: Timestamp,
}

/// Resolves the options.
pub(super) async fn load_context(mainstay: &Mainstay, args: &Figures) -> Result<FiguresContext> {
    let organization = organization(mainstay, &args.org.org).await?;
    Ok(FiguresContext { organization, as_of: args.as_of.unwrap_or_else(|| mainstay.now()) })
}

/// Prints that nothing was stored, on standard error, so that programs can parse the output.
pub(super) fn print_dry_run_note(args: &Figures) {
    if args.dry_run {
        print_note("dry run: nothing was stored");
    }
}

/// An instant in the organization's time zone.
pub(super) fn local(at: Timestamp, organization: &Organization) -> String {
    at.to_zoned(zone(organization)).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// Its day.
pub(super) fn local_day(at: Timestamp, organization: &Organization) -> String {
    mainstay_core::time::local_day(at, &zone(organization)).to_string()
}

fn zone(organization: &Organization) -> TimeZone {
    // A stored zone is one that was known.
    mainstay_core::time::time_zone(&organization.time_zone).unwrap_or(TimeZone::UTC)
}

/// A word in the colour of its band. The word is always present: colour alone is not accessible.
pub(super) fn band(out: &Output, band: Band, text: &str) -> String {
    let style = out.style();
    let style = match band {
        Band::Excellent => style.green(),
        Band::Good => style.blue(),
        Band::NeedsAttention => style.yellow(),
        Band::AtRisk => style.red(),
    };
    style.apply_to(text).to_string()
}
