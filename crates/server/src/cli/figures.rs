//! What `score`, `insights` and `health` have in common.

use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::score::Band;
use mainstay_store::Organization;

use super::{
    Result,
    args::Figures,
    organization,
    output::{Output, note},
};
use crate::Mainstay;

/// Whose figures, and for when.
pub(super) struct Asked {
    pub(super) organization: Organization,
    pub(super) as_of: Timestamp,
}

/// Looks up what the options name.
pub(super) async fn asked(mainstay: &Mainstay, args: &Figures) -> Result<Asked> {
    let organization = organization(mainstay, &args.org.org).await?;
    Ok(Asked { organization, as_of: args.as_of.unwrap_or_else(|| mainstay.now()) })
}

/// Says that nothing was stored; beside the answer, which must stay readable by programs.
pub(super) fn note_dry_run(args: &Figures) {
    if args.dry_run {
        note("dry run: nothing was stored");
    }
}

/// An instant as the organization's people read it.
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

/// A word in the colour of its band. The word is always there: colour alone says nothing to many.
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
