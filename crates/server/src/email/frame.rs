//! The HTML around what a mail says. MJML is made into HTML once for each choice of sections and not
//! for each mail, which took twenty times as long; and what clients are called never passes through its
//! parser.

use std::{collections::HashMap, sync::OnceLock};

use askama::Template;
use mainstay_core::email::EmailContent;
use mrml::prelude::render::RenderOptions;

use crate::{Error, Result};

/// Which sections a mail has, as MJML, the language of mails that look alike everywhere.
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
    /// Where something of the mail belongs, by its name.
    Hole(&'a str),
}

/// The HTML of a choice of sections, with holes for what a mail says.
#[derive(Debug)]
pub(super) struct Frame(String);

/// What holes begin and end with.
const HOLE: (&str, &str) = ("[[", "]]");

impl Frame {
    /// The frame of a mail.
    ///
    /// # Errors
    /// When the template makes none: a mistake in the code.
    pub(super) fn of(content: &EmailContent) -> Result<&'static Self> {
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
    pub(super) fn whole() -> Result<&'static Self> {
        Sections { score: true, change: true, stats: true, items: true }.frame()
    }

    /// Its pieces, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.0.split(HOLE.0).enumerate().flat_map(|(index, part)| {
            match part.split_once(HOLE.1).filter(|_| index > 0) {
                Some((name, html)) => [Some(Piece::Hole(name)), Some(Piece::Html(html))],
                None => [Some(Piece::Html(part)), None],
            }
            .into_iter()
            .flatten()
        })
    }

    /// How many bytes it has, holes included.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// It as text, holes included.
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
        let frame = self.make()?;
        Ok(cell.get_or_init(|| frame))
    }

    fn make(self) -> Result<Frame> {
        let broken = |error: String| Error::invalid("email", format!("cannot be made: {error}"));
        let mjml = self.render().map_err(|error| broken(error.to_string()))?;
        let parsed = mrml::parse(&mjml).map_err(|error| broken(error.to_string()))?;
        // No fonts: it would load those that it knows from others, which then learn who reads.
        let options = RenderOptions {
            disable_comments: true,
            fonts: HashMap::new(),
            ..RenderOptions::default()
        };
        parsed.element.render(&options).map(Frame).map_err(|error| broken(error.to_string()))
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
                    Piece::Hole(name) => Some(name),
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
        let (html, hole) = (Piece::Html, Piece::Hole);
        let expected = [html("<p>"), hole("lead"), html("</p>"), hole("foot"), html("")];
        assert_eq!(pieces, expected);
    }
}
