use std::{io, path::Path};

use mainstay_core::engagement::{EventError, IncomingEvent};
use serde_json::{Map, Number, Value};

use super::{
    Field, ImportError, ImportOptions, ImportProblem, MAX_ROW_BYTES,
    fields::{Fields, Progress},
    header::{Column, columns, header_names},
    lines::{Line, Lines},
    row::{Found, RowContent, raw_text},
    times::Times,
    values::{clipped, missing_timestamp, parse_duration},
};

const NEVER_CLOSED: &str = "opens a quote (\") that is not closed within 1 MiB or before the file \
                            ends; close it, or double the quotes inside a field (\"\")";

/// What separates fields, in the order in which it is tried. Not a guess: the header must have all
/// columns that every event needs.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The rows of a CSV file behind its header.
pub(super) struct CsvRows {
    columns: Vec<Column>,
    fields: Fields,
    times: Times,
    local_times: u64,
}

impl CsvRows {
    /// Takes the header.
    pub(super) fn open(
        path: &Path,
        lines: &mut Lines,
        options: &ImportOptions,
    ) -> Result<Self, ImportError> {
        let gzip = lines.input().is_gzip();
        let reading = |lines: &Lines, error| ImportError::reading(path, gzip, lines.taken(), error);
        lines.recognise_line_ends().map_err(|error| reading(lines, error))?;
        let told = take_separator(lines).map_err(|error| reading(lines, error))?;
        let delimiters = told.map_or_else(|| DELIMITERS.to_vec(), |told| vec![told]);
        // Of headers that will not do, the one with the most columns is most likely meant.
        let mut nearest: Option<(usize, ImportProblem)> = None;
        for delimiter in delimiters {
            let mut fields = Fields::separated_by(delimiter);
            let row = match look_at_row(lines, &mut fields) {
                Ok(Some(row)) => row,
                Ok(None) => return Err(ImportError::new(path, ImportProblem::Empty)),
                Err(error) => return Err(reading(lines, error)),
            };
            let line = row.line;
            let names = row.sound.clone().and_then(|()| header_names(&fields));
            let found = names
                .map_err(|reason| ImportProblem::Header { line, reason })
                .and_then(|names| columns(names, &options.columns));
            match found {
                Ok(columns) => {
                    row.take(lines).map_err(|error| reading(lines, error))?;
                    let times = Times::of(options);
                    return Ok(Self { columns, fields, times, local_times: 0 });
                }
                Err(found) => {
                    // JSON taken for CSV fails at its first quote, which would be a misleading reason.
                    let json = row.raw.trim_start().starts_with(['{', '[']);
                    let problem = if json { ImportProblem::JsonAsCsv } else { found };
                    if nearest.as_ref().is_none_or(|(columns, _)| *columns < fields.len()) {
                        nearest = Some((fields.len(), problem));
                    }
                }
            }
        }
        let problem = nearest.map_or(ImportProblem::Empty, |(_, problem)| problem);
        Err(ImportError::new(path, problem))
    }

    /// How many rows had a time without an offset.
    pub(super) const fn local_times(&self) -> u64 {
        self.local_times
    }

    /// The next row that is not blank.
    pub(super) fn next(&mut self, lines: &mut Lines) -> io::Result<Option<Found>> {
        loop {
            let Some(row) = take_row(lines, &mut self.fields)? else {
                return Ok(None);
            };
            let content = match row.sound {
                Ok(()) if self.fields.are_blank() => continue,
                Ok(()) => self.content(),
                Err(reason) => Err(reason),
            };
            return Ok(Some(Found { line: row.line, raw: row.raw, content }));
        }
    }

    fn content(&mut self) -> Result<RowContent, String> {
        if self.fields.len() != self.columns.len() {
            return Err(format!(
                "has {} where the header has {}; put fields with {} in quotes, and leave \
                 unknown fields empty",
                counted_fields(self.fields.len()),
                self.columns.len(),
                self.fields.delimiters()
            ));
        }
        let mut local = false;
        let mut event = IncomingEvent::default();
        for (column, cell) in self.columns.iter().zip(self.fields.iter()) {
            let Ok(cell) = str::from_utf8(cell) else {
                return Err(format!(
                    "{}: is not UTF-8; say how the file is encoded: --encoding windows-1252 is what \
                     Excel writes",
                    clipped(&column.name)
                ));
            };
            if column.fields.is_empty() {
                add_data(&mut event.data, &column.name, cell);
            }
            for field in &column.fields {
                if *field == Field::Timestamp && !cell.trim().is_empty() {
                    let (at, without_offset) =
                        self.times.read(cell).map_err(|error| error.to_string())?;
                    event.timestamp = Some(at);
                    local |= without_offset;
                } else {
                    set_field(&mut event, *field, cell).map_err(|error| error.to_string())?;
                }
            }
        }
        self.local_times += u64::from(local);
        Ok(RowContent::Event(event.into()))
    }
}

/// Takes the line `sep=;`, which Excel reads and writes before the header; returns the delimiter.
fn take_separator(lines: &mut Lines) -> io::Result<Option<u8>> {
    if !lines.skip_blank_lines()? {
        return Ok(None);
    }
    let Line::Until(end) = lines.line_from(0)? else { return Ok(None) };
    let line = lines.bytes()[..end].trim_ascii_end();
    // A tab is white space, too.
    let delimiter = match line.to_ascii_lowercase().as_slice() {
        [b's', b'e', b'p', b'='] => b'\t',
        [b's', b'e', b'p', b'=', delimiter] => *delimiter,
        _ => return Ok(None),
    };
    lines.take(end, 1);
    Ok(Some(delimiter))
}

/// A row of the file; its fields are in the `Fields` that it was read with.
struct LookedAt {
    line: u64,
    raw: String,
    /// Why it is no row, if so.
    sound: Result<(), String>,
    /// Its bytes and lines; `None` when it is too long to be looked at as a whole.
    extent: Option<(usize, u64)>,
}

impl LookedAt {
    fn take(&self, lines: &mut Lines) -> io::Result<()> {
        match self.extent {
            Some((bytes, count)) => {
                lines.take(bytes, count);
                Ok(())
            }
            None => lines.skip_line(),
        }
    }
}

/// Takes the next row with all its lines.
fn take_row(lines: &mut Lines, fields: &mut Fields) -> io::Result<Option<LookedAt>> {
    let row = look_at_row(lines, fields)?;
    if let Some(row) = &row {
        row.take(lines)?;
    }
    Ok(row)
}

/// Looks at the next row with all its lines. Of one that is not sound, it is only the first line: where a
/// quote was forgotten, the next line is most likely the next row.
fn look_at_row(lines: &mut Lines, fields: &mut Fields) -> io::Result<Option<LookedAt>> {
    if !lines.skip_blank_lines()? {
        return Ok(None);
    }
    let line = lines.taken() + 1;
    let first = match lines.line_from(0)? {
        Line::None => return Ok(None),
        Line::TooLong => {
            let raw = raw_text(lines.bytes());
            let reason = format!(
                "is longer than {MAX_ROW_BYTES} bytes (1 MiB); an event's data has at most 32 KiB, \
                 shorten it"
            );
            return Ok(Some(LookedAt { line, raw, sound: Err(reason), extent: None }));
        }
        Line::Until(end) => end,
    };
    fields.clear();
    let (mut from, mut until, mut count) = (0, first, 1);
    let sound = loop {
        match fields.feed(&lines.bytes()[from..until]) {
            Ok(Progress::Complete) => break Ok(()),
            Err(reason) => break Err(reason.to_owned()),
            Ok(Progress::Open) => {}
        }
        match lines.line_from(until)? {
            Line::Until(next) => (from, until, count) = (until, next, count + 1),
            Line::TooLong | Line::None => break Err(NEVER_CLOSED.to_owned()),
        }
    };
    if sound.is_err() {
        (until, count) = (first, 1);
    }
    let raw = raw_text(&lines.bytes()[..until]);
    Ok(Some(LookedAt { line, raw, sound, extent: Some((until, count)) }))
}

fn counted_fields(count: usize) -> String {
    if count == 1 { "1 field".to_owned() } else { format!("{count} fields") }
}

fn set_field(event: &mut IncomingEvent, field: Field, cell: &str) -> Result<(), EventError> {
    let optional = || (!cell.trim().is_empty()).then(|| cell.to_owned());
    match field {
        Field::ClientId => cell.clone_into(&mut event.client_id),
        Field::Event => cell.clone_into(&mut event.name),
        Field::MessageId => event.message_id = optional().unwrap_or_default(),
        Field::SessionId => event.session_id = optional(),
        Field::PagePath => event.page_path = optional(),
        // Another one is read before this is called.
        Field::Timestamp => return Err(missing_timestamp()),
        Field::DurationSeconds if cell.trim().is_empty() => {}
        Field::DurationSeconds => event.duration_seconds = Some(parse_duration(cell)?),
    }
    Ok(())
}

fn add_data(data: &mut Map<String, Value>, name: &str, cell: &str) {
    if !cell.is_empty() {
        data.insert(name.to_owned(), data_value(cell));
    }
}

/// A cell's value: a number where every reader of JSON would give back the very same text, else
/// text. So `007`, `1.50`, `1e5` and ids too long for a double stay what they are.
fn data_value(cell: &str) -> Value {
    const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
    let may_be_number = cell.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    may_be_number
        .then(|| cell.parse::<Number>().ok())
        .flatten()
        .filter(|number| {
            number.as_i128().is_none_or(|whole| whole.unsigned_abs() <= MAX_SAFE_INTEGER.into())
        })
        .filter(|number| number.to_string() == cell)
        .map_or_else(|| Value::String(cell.to_owned()), Value::Number)
}
