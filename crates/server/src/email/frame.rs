//! The HTML frame of emails. MJML is compiled once for each set of sections, not for each email,
//! which took twenty times as long; and clients' data never passes through its parser.

use std::{collections::HashMap, sync::OnceLock};

use askama::Template;
use mainstay_core::email::EmailContent;
use mrml::prelude::render::RenderOptions;

use crate::{Error, Result};

/// The sections of an email, as an MJML template.
#[derive(Clone, Copy, Debug, Template)]
#[template(path = "mail.mjml", escape = "none")]
#[expect(clippy::struct_excessive_bools, reason = "each section is there or not")]
struct Sections {
    score: bool,
    change: bool,
    stats: bool,
    items: bool,
}

/// A piece of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// HTML as it is.
    Html(&'a str),
    /// A named slot for content of the email.
    Slot(&'a str),
}

/// The HTML of a set of sections, with slots for the content.
#[derive(Debug)]
pub(super) struct Frame(String);

/// The markers at the start and end of a slot.
const SLOT_MARKERS: (&str, &str) = ("[[", "]]");

impl Frame {
    /// The frame of an email.
    ///
    /// # Errors
    /// If the template is invalid: a bug.
    pub(super) fn for_content(content: &EmailContent) -> Result<&'static Self> {
        let score = content.score.as_ref();
        Sections {
            score: score.is_some(),
            change: score.is_some_and(|score| score.change.is_some()),
            stats: !content.stats.is_empty(),
            items: !content.items.is_empty(),
        }
        .frame()
    }

    /// The frame with every section.
    ///
    /// # Errors
    /// As [`Frame::of`].
    pub(super) fn full() -> Result<&'static Self> {
        Sections { score: true, change: true, stats: true, items: true }.frame()
    }

    /// The pieces, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.0.split(SLOT_MARKERS.0).enumerate().flat_map(|(index, part)| {
            match part.split_once(SLOT_MARKERS.1).filter(|_| index > 0) {
                Some((name, html)) => [Some(Piece::Slot(name)), Some(Piece::Html(html))],
                None => [Some(Piece::Html(part)), None],
            }
            .into_iter()
            .flatten()
        })
    }

    /// The length in bytes, including slots.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The HTML as text, including slots.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sections {
    fn frame(self) -> Result<&'static Frame> {
        static FRAMES: [OnceLock<Frame>; 16] = [const { OnceLock::new() }; 16];
        let Self { score, change, stats, items } = self;
        let bits = [score, change, stats, items];
        let cell = &FRAMES[bits.iter().fold(0, |index, bit| index * 2 + usize::from(*bit))];
        if let Some(frame) = cell.get() {
            return Ok(frame);
        }
        let frame = self.build()?;
        Ok(cell.get_or_init(|| frame))
    }

    fn build(self) -> Result<Frame> {
        let template_error =
            |error: String| Error::invalid("email", format!("cannot be made: {error}"));
        let mjml = self.render().map_err(|error| template_error(error.to_string()))?;
        let parsed = mrml::parse(&mjml).map_err(|error| template_error(error.to_string()))?;
        // No fonts: it would load those that it knows from others, which then learn who reads.
        let options = RenderOptions {
            disable_comments: true,
            fonts: HashMap::new(),
            ..RenderOptions::default()
        };
        parsed
            .element
            .render(&options)
            .map(Frame)
            .map_err(|error| template_error(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_of_sections_makes_a_frame_with_the_holes_of_those_sections() {
        for bits in 0..16_u8 {
            let bit = |place: u8| bits >> place & 1 == 1;
            let sections = Sections { score: bit(0), change: bit(1), stats: bit(2), items: bit(3) };
            let frame = sections.frame().unwrap();
            let holes: Vec<&str> = frame
                .pieces()
                .filter_map(|piece| match piece {
                    Piece::Slot(name) => Some(name),
                    Piece::Html(_) => None,
                })
                .collect();
            let has = |name: &str| holes.contains(&name);
            assert_eq!((has("parts"), has("stats"), has("items")), (bit(0), bit(2), bit(3)));
            assert_eq!(has("change"), bit(0) && bit(1));
            for name in ["heading", "preview", "organization", "about", "lead", "action", "foot"] {
                assert!(has(name), "{name} of {sections:?}");
            }
        }
    }

    #[test]
    fn a_frame_falls_into_its_pieces() {
        let frame = Frame("<p>[[lead]]</p>[[foot]]".to_owned());
        let pieces: Vec<Piece<'_>> = frame.pieces().collect();
        let (html, slot) = (Piece::Html, Piece::Slot);
        let expected = [html("<p>"), slot("lead"), html("</p>"), slot("foot"), html("")];
        assert_eq!(pieces, expected);
    }
}
