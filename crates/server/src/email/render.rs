use std::collections::HashMap;

use askama::Template;
use mainstay_core::{
    email::{EmailContent, EmailLinks, EmailType, PartLine, ScoreLine, plain_text},
    insight::words::signed,
    score::{Band, Trend},
};
use mainstay_store::EmailToken;
use mrml::prelude::render::RenderOptions;

use super::track::written;
use crate::{Error, Result, http::Site};

/// A mail in both its forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// For those who see HTML.
    pub html: String,
    /// For those who read text.
    pub text: String,
}

/// The mail as MJML, the language of mails that look alike everywhere.
#[derive(Template)]
#[template(path = "mail.mjml", escape = "html")]
struct Mail<'a> {
    content: &'a EmailContent,
    links: &'a EmailLinks,
    postal_address: Option<&'a str>,
    font: &'static str,
}

/// The links of a mail.
pub fn links(kind: EmailType, token: EmailToken, site: &Site) -> EmailLinks {
    let token = written(token);
    if kind == EmailType::SubscriptionRequest {
        let button = site.link(&format!("/email/confirm/{token}"));
        return EmailLinks { button, unsubscribe: None, pixel: None };
    }
    EmailLinks {
        button: site.link(&format!("/email/click/{token}")),
        unsubscribe: Some(site.link(&format!("/email/unsubscribe/{token}"))),
        pixel: Some(site.link(&format!("/email/open/{token}"))),
    }
}

/// Links of a mail that is only looked at: they stay where they are, and nothing tells that it was
/// opened.
pub fn preview_links(kind: EmailType) -> EmailLinks {
    let nowhere = || "#".to_owned();
    let regular = kind != EmailType::SubscriptionRequest;
    EmailLinks { button: nowhere(), unsubscribe: regular.then(nowhere), pixel: None }
}

/// Makes a mail of what it says.
///
/// # Errors
/// When the template does not make one: a mistake in the code.
pub fn render(
    content: &EmailContent,
    postal_address: Option<&str>,
    links: &EmailLinks,
) -> Result<Rendered> {
    const FONT: &str = "system-ui,-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif";
    let broken = |error: String| Error::invalid("email", format!("cannot be made: {error}"));
    let mjml = Mail { content, links, postal_address, font: FONT }
        .render()
        .map_err(|error| broken(error.to_string()))?;
    let parsed = mrml::parse(&mjml).map_err(|error| broken(error.to_string()))?;
    // No fonts: it would load those that it knows from others, which then learn who reads.
    let options =
        RenderOptions { disable_comments: true, fonts: HashMap::new(), ..RenderOptions::default() };
    let html = parsed.element.render(&options).map_err(|error| broken(error.to_string()))?;
    Ok(Rendered { html, text: plain_text(content, postal_address, links) })
}

impl Mail<'_> {
    fn width_of_a_stat(&self) -> usize {
        100 / self.content.stats.len().max(1)
    }
}

/// The class of a band's colours, in the style of the mail.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn class(band: &Band) -> &'static str {
    match band {
        Band::Excellent => "e-excellent",
        Band::Good => "e-good",
        Band::NeedsAttention => "e-attention",
        Band::AtRisk => "e-risk",
    }
}

/// A band's colours for what is drawn and for words, on white.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass by reference")]
fn colours(band: &Band) -> (&'static str, &'static str) {
    match band {
        Band::Excellent => ("#1c985a", "#057743"),
        Band::Good => ("#0689d7", "#016baa"),
        Band::NeedsAttention => ("#b37303", "#8f5d04"),
        Band::AtRisk => ("#e24947", "#c2272d"),
    }
}

/// The bars of a band's icon: height and whether each is filled.
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
    let words = score.band.words();
    let mut chars = words.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}

/// The arrow of a trend, with its class and colour; a change that is none has none.
fn arrow(score: &ScoreLine) -> (&'static str, &'static str, &'static str) {
    match score.trend {
        Trend::Rising => ("\u{25b2}\u{fe0e} ", "e-up", "#057743"),
        Trend::Declining => ("\u{25bc}\u{fe0e} ", "e-down", "#c2272d"),
        Trend::Stable => ("", "e-2", "#4f535c"),
    }
}

/// The share of a bar that is filled, and what is left of it.
fn shares(part: &PartLine) -> (i64, i64) {
    let filled = part.points.clamp(0, 100);
    (filled, 100 - filled)
}
