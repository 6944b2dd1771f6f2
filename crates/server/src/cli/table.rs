//! Aligned columns for people.

use std::io::{self, Write as _};

use console::{Alignment, measure_text_width, pad_str};
use jiff::{Timestamp, tz::TimeZone};

use super::output::Output;

/// Maximum length of a text in a column. An id of 255 characters would push all other columns off
/// the screen; CSV and JSON contain it in full.
const MAX_CHARS: usize = 48;

/// The placeholder for a missing value.
pub(super) const NONE: &str = "\u{2013}";

/// Rows under a header. Cells may be styled.
pub(super) struct Table {
    columns: Vec<(&'static str, Alignment)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by their names; one that starts with `>` is aligned to the right.
    pub(super) fn new(columns: &[&'static str]) -> Self {
        let column = |name: &&'static str| match name.strip_prefix('>') {
            Some(name) => (name, Alignment::Right),
            None => (*name, Alignment::Left),
        };
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(super) fn write(&self, out: &mut Output) -> io::Result<()> {
        let mut widths: Vec<usize> =
            self.columns.iter().map(|(name, _)| measure_text_width(name)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        let head = out.style().dim();
        self.line(out, &widths, |column| head.apply_to(self.columns[column].0).to_string())?;
        for row in &self.rows {
            self.line(out, &widths, |column| row.get(column).cloned().unwrap_or_default())?;
        }
        Ok(())
    }

    fn line(
        &self,
        out: &mut Output,
        widths: &[usize],
        cell: impl Fn(usize) -> String,
    ) -> io::Result<()> {
        let padded =
            self.columns.iter().zip(widths).enumerate().map(|(index, ((_, side), width))| {
                pad_str(&cell(index), *width, *side, None).into_owned()
            });
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())
    }
}

/// External text for a table cell: truncated, and without control characters, with which a client's
/// id could manipulate the terminal.
pub(super) fn cell(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    if text.chars().nth(MAX_CHARS).is_none() {
        return text.chars().map(clean).collect();
    }
    let mut cut: String = text.chars().take(MAX_CHARS - 1).map(clean).collect();
    cut.push('\u{2026}');
    cut
}

/// External sentences: complete, but without control characters.
pub(super) fn sentence(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// An instant to the minute, in UTC: lists are of several organizations and their zones.
pub(super) fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A change with its sign, with a real minus, as wide as the plus.
pub(super) fn signed(change: Option<i64>) -> String {
    match change {
        None => NONE.to_owned(),
        Some(0) => "0".to_owned(),
        Some(change) if change > 0 => format!("+{change}"),
        Some(change) => format!("\u{2212}{}", change.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_rewrite_the_terminal() {
        assert_eq!(cell("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(sentence("one\ntwo\u{1b}"), "one two ");
        assert_eq!(cell(&"x".repeat(255)).chars().count(), MAX_CHARS);
    }

    #[test]
    fn a_change_has_its_sign() {
        assert_eq!(signed(Some(5)), "+5");
        assert_eq!(signed(Some(-12)), "\u{2212}12");
        assert_eq!(signed(Some(0)), "0");
        assert_eq!(signed(None), NONE);
        assert_eq!(signed(Some(i64::MIN)), "\u{2212}9223372036854775808");
    }
}
