use askama::Template;
use mainstay_core::{
    email::{EmailContent, EmailLinks, EmailType, PartLine, ScoreLine, plain_text},
    insight::words::format_signed,
    score::{Band, Trend},
};

use super::frame::{Frame, Piece};
use crate::{Error, Result};

/// An email as HTML and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
}

/// The content for the slots of a frame.
#[derive(Template)]
#[template(
    path = "mail.html",
    blocks = [
        "heading", "preview", "organization", "about", "lead", "overall", "standing", "change", "parts",
        "stats", "items", "action", "button", "foot",
    ]
)]
struct Mail<'a> {
    content: &'a EmailContent,
    links: &'a EmailLinks,
    postal_address: Option<&'a str>,
}

/// Links of a preview: they lead nowhere, and opens are not tracked.
pub fn preview_links(kind: EmailType) -> EmailLinks {
    let nowhere = || "#".to_owned();
    let regular = kind != EmailType::SubscriptionRequest;
    EmailLinks { button: nowhere(), unsubscribe: regular.then(nowhere), pixel: None }
}

/// Renders an email.
///
/// # Errors
/// If the template is invalid: a bug.
pub fn render(
    content: &EmailContent,
    postal_address: Option<&str>,
    links: &EmailLinks,
) -> Result<Rendered> {
    let frame = Frame::for_content(content)?;
    let mail = Mail { content, links, postal_address };
    let mut html = String::with_capacity(frame.len() + 8 * 1024);
    for piece in frame.pieces() {
        match piece {
            Piece::Html(as_it_is) => html.push_str(as_it_is),
            Piece::Slot(name) => mail.fill(name, &mut html).map_err(|error| {
                Error::invalid("email", format!("cannot be made: {name}: {error}"))
            })?,
        }
    }
    Ok(Rendered { html, text: plain_text(content, postal_address, links) })
}

impl Mail<'_> {
    fn fill(&self, slot: &str, html: &mut String) -> askama::Result<()> {
        match slot {
            "heading" => self.as_heading().render_into(html),
            "preview" => self.as_preview().render_into(html),
            "organization" => self.as_organization().render_into(html),
            "about" => self.as_about().render_into(html),
            "lead" => self.as_lead().render_into(html),
            "overall" => self.as_overall().render_into(html),
            "standing" => self.as_standing().render_into(html),
            "change" => self.as_change().render_into(html),
            "parts" => self.as_parts().render_into(html),
            "stats" => self.as_stats().render_into(html),
            "items" => self.as_items().render_into(html),
            "action" => self.as_action().render_into(html),
            "button" => self.as_button().render_into(html),
            "foot" => self.as_foot().render_into(html),
            _ => Err(askama::Error::Fmt),
        }
    }

    fn width_of_a_stat(&self) -> usize {
        100 / self.content.stats.len().max(1)
    }
}

/// The CSS class of a band's colours.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn class(band: &Band) -> &'static str {
    match band {
        Band::Excellent => "e-excellent",
        Band::Good => "e-good",
        Band::NeedsAttention => "e-attention",
        Band::AtRisk => "e-risk",
    }
}

/// A band's colours for graphics and for text, on white.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn colours(band: &Band) -> (&'static str, &'static str) {
    match band {
        Band::Excellent => ("#1c985a", "#057743"),
        Band::Good => ("#0689d7", "#016baa"),
        Band::NeedsAttention => ("#b37303", "#8f5d04"),
        Band::AtRisk => ("#e24947", "#c2272d"),
    }
}

/// The bars of a band's icon: the height and whether it is filled.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn bars(band: &Band) -> [(u8, bool); 4] {
    let level = match band {
        Band::AtRisk => 1,
        Band::NeedsAttention => 2,
        Band::Good => 3,
        Band::Excellent => 4,
    };
    [(5, level >= 1), (9, level >= 2), (13, level >= 3), (17, level >= 4)]
}

fn band_words(score: &ScoreLine) -> String {
    let words = score.band.client_words();
    let mut chars = words.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

/// The arrow of a trend, with its class and colour; none if there is no change.
fn arrow(score: &ScoreLine) -> (&'static str, &'static str, &'static str) {
    match score.trend {
        Trend::Rising => ("\u{25b2}\u{fe0e} ", "e-up", "#057743"),
        Trend::Declining => ("\u{25bc}\u{fe0e} ", "e-down", "#c2272d"),
        Trend::Stable => ("", "e-2", "#4f535c"),
    }
}

/// The filled and the empty share of a bar.
fn shares(part: &PartLine) -> (i64, i64) {
    let filled = part.points.clamp(0, 100);
    (filled, 100 - filled)
}

#[cfg(test)]
mod tests {
    use mainstay_core::email::{Change, Item, Stat};

    use super::*;

    /// An email with all optional parts, each with a distinct hostile text.
    fn full() -> EmailContent {
        let text = |name: &str| format!("<{name}> [[foot]]");
        let part = |name: &str, measured| PartLine {
            name: text(name),
            points: if measured { 61 } else { 50 },
            band: Band::Good,
            measured,
        };
        EmailContent {
            organization: text("organization"),
            about: text("about"),
            preview: text("preview"),
            heading: text("heading"),
            lead: text("lead"),
            score: Some(ScoreLine {
                overall: 73,
                band: Band::Good,
                trend: Trend::Rising,
                change: Some(Change { points: 12, since: text("since"), before: 61 }),
                parts: vec![part("measured", true), part("assumed", false)],
            }),
            stats: vec![Stat { figure: text("figure"), label: text("label") }],
            items: vec![Item {
                label: text("item-label"),
                title: text("item-title"),
                message: text("message"),
            }],
            button: text("button"),
            notes: vec![text("note")],
        }
    }

    #[test]
    fn all_that_a_mail_says_stands_in_its_html_and_none_of_it_is_markup() {
        let links = EmailLinks {
            button: "https://a.test/button".to_owned(),
            unsubscribe: Some("https://a.test/unsubscribe".to_owned()),
            pixel: Some("https://a.test/pixel".to_owned()),
        };
        let html = render(&full(), Some("<postal>"), &links).unwrap().html;
        for name in [
            "organization",
            "about",
            "preview",
            "heading",
            "lead",
            "since",
            "measured",
            "assumed",
            "figure",
            "label",
            "item-label",
            "item-title",
            "message",
            "button",
            "note",
        ] {
            let escaped = format!("&#60;{name}&#62; [[foot]]");
            assert!(html.contains(&escaped), "{name}: {html}");
            assert!(!html.contains(&format!("<{name}>")), "{name}: {html}");
        }
        for said in [
            "&#60;postal&#62;",
            "73<span",
            ">Good</td>",
            "\u{25b2}\u{fe0e} +12</span> since",
            "(61)",
            "(assumed)</span>",
            "<td width=\"61%\"",
            "href=\"https://a.test/button\"",
            "href=\"https://a.test/unsubscribe\"",
            "src=\"https://a.test/pixel\"",
        ] {
            assert!(html.contains(said), "{said}: {html}");
        }
        // What is left of holes is what the texts say themselves.
        assert_eq!(html.matches("[[").count(), html.matches("&#62; [[foot]]").count());
    }

    #[test]
    fn a_mail_without_sections_has_none_of_them() {
        let bare = EmailContent { score: None, stats: Vec::new(), items: Vec::new(), ..full() };
        let html =
            render(&bare, None, &preview_links(EmailType::SubscriptionRequest)).unwrap().html;
        for gone in ["of 100", "(assumed)", "figure", "item-label", "Unsubscribe", "<img"] {
            assert!(!html.contains(gone), "{gone}: {html}");
        }
        assert!(html.contains("&#60;lead&#62;"), "{html}");
    }
}
