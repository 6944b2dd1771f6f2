use std::fmt::Write as _;

use super::{EmailContent, ScoreLine};
use crate::insight::words::format_signed;

/// Where a mail leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailLinks {
    /// The button.
    pub button: String,
    /// The way out; the mail that only asks has none.
    pub unsubscribe: Option<String>,
    /// The picture that tells that the mail was opened.
    pub pixel: Option<String>,
}

impl EmailLinks {
    /// The links of a mail that leads to one place and is not subscribed to.
    pub const fn button_only(button: String) -> Self {
        Self { button, unsubscribe: None, pixel: None }
    }
}

/// A mail for those who read text.
pub fn plain_text(
    content: &EmailContent,
    postal_address: Option<&str>,
    links: &EmailLinks,
) -> String {
    let mut text = format!(
        "{}\n{}\n\n{}\n\n{}\n",
        content.organization, content.about, content.heading, content.lead
    );
    // Writing to a String cannot fail.
    if let Some(score) = &content.score {
        let _ = write!(text, "\n{}", score_text(score));
    }
    if !content.stats.is_empty() {
        text.push('\n');
    }
    for stat in &content.stats {
        let _ = writeln!(text, "{} {}", stat.figure, stat.label);
    }
    for item in &content.items {
        let _ = write!(text, "\n{}: {}\n{}\n", item.label, item.title, item.message);
    }
    let _ = write!(text, "\n{}:\n{}\n", content.button, links.button);
    text.push_str("\n--\n");
    for note in &content.notes {
        let _ = writeln!(text, "{note}");
    }
    if let Some(unsubscribe) = &links.unsubscribe {
        let _ = writeln!(text, "Unsubscribe: {unsubscribe}");
    }
    if let Some(address) = postal_address {
        let _ = writeln!(text, "{address}");
    }
    text
}

fn score_text(score: &ScoreLine) -> String {
    let mut text = format!("{} of 100, {}", score.overall, score.band.client_words());
    if let Some(change) = &score.change {
        let _ = write!(
            text,
            ", {} since {} ({})",
            format_signed(change.points),
            change.since,
            change.before
        );
    }
    text.push('\n');
    for part in &score.parts {
        let assumed = if part.measured { "" } else { " (assumed)" };
        let _ = writeln!(text, "  {}: {}{assumed}", part.name, part.points);
    }
    text
}
