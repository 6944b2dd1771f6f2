use std::{io, path::Path};

use mainstay_core::engagement::{EventError, IncomingEvent};
use serde_json::{Map, Number, Value};

use super::{
    Field, ImportError, ImportOptions, ImportProblem, MAX_ROW_BYTES,
    fields::{Fields, Progress},
    header::{Column, columns, header_names},
    lines::{Line, Lines},
    row::{ParsedRow, RowContent, raw_text},
    times::Times,
    values::{excerpt, missing_timestamp, parse_duration},
};

const UNCLOSED_QUOTE: &str = "opens a quote (\") that is not closed within 1 MiB or before the file \
                            ends; close it, or double the quotes inside a field (\"\")";

/// Delimiters, in the order in which they are tried. This is not a guess: the header must contain
/// all required columns.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// The rows of a CSV file after its header.
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
            let row = match peek_row(lines, &mut fields) {
                Ok(Some(row)) => row,
                Ok(None) => return Err(ImportError::new(path, ImportProblem::Empty)),
                Err(error) => return Err(reading(lines, error)),
            };
            let line = row.line;
            let names = row.validity.clone().and_then(|()| header_names(&fields));
            let found = names
                .map_err(|reason| ImportProblem::Header { line, reason })
                .and_then(|names| columns(names, &options.columns));
            match found {
                Ok(columns) => {
                    row.take(lines).map_err(|error| reading(lines, error))?;
                    let times = Times::new(options);
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

    /// The number of rows whose time had no offset.
    pub(super) const fn local_times(&self) -> u64 {
        self.local_times
    }

    /// The next non-blank row.
    pub(super) fn next(&mut self, lines: &mut Lines) -> io::Result<Option<ParsedRow>> {
        loop {
            let Some(row) = take_row(lines, &mut self.fields)? else {
                return Ok(None);
            };
            let content = match row.validity {
                Ok(()) if self.fields.are_blank() => continue,
                Ok(()) => self.content(),
                Err(reason) => Err(reason),
            };
            return Ok(Some(ParsedRow { line: row.line, raw: row.raw, content }));
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
                    "{}: is not UTF-8; set the encoding: --encoding windows-1252 is Excel's",
                    excerpt(&column.name)
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

/// A row of the file; its fields are in the `Fields` buffer.
struct PeekedRow {
    line: u64,
    raw: String,
    /// Why it is invalid, if so.
    validity: Result<(), String>,
    /// Its bytes and lines; `None` if it is too long.
    extent: Option<(usize, u64)>,
}

impl PeekedRow {
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
fn take_row(lines: &mut Lines, fields: &mut Fields) -> io::Result<Option<PeekedRow>> {
    let row = peek_row(lines, fields)?;
    if let Some(row) = &row {
        row.take(lines)?;
    }
    Ok(row)
}

/// Peeks at the next row with all its lines. Of an invalid row, only the first line: if a quote is
/// missing, the next line is probably the next row.
fn peek_row(lines: &mut Lines, fields: &mut Fields) -> io::Result<Option<PeekedRow>> {
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
            return Ok(Some(PeekedRow { line, raw, validity: Err(reason), extent: None }));
        }
        Line::Until(end) => end,
    };
    fields.clear();
    let (mut from, mut until, mut count) = (0, first, 1);
    let validity = loop {
        match fields.feed(&lines.bytes()[from..until]) {
            Ok(Progress::Complete) => break Ok(()),
            Err(reason) => break Err(reason.to_owned()),
            Ok(Progress::Open) => {}
        }
        match lines.line_from(until)? {
            Line::Until(next) => (from, until, count) = (until, next, count + 1),
            Line::TooLong | Line::None => break Err(UNCLOSED_QUOTE.to_owned()),
        }
    };
    if validity.is_err() {
        (until, count) = (first, 1);
    }
    let raw = raw_text(&lines.bytes()[..until]);
    Ok(Some(PeekedRow { line, raw, validity, extent: Some((until, count)) }))
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

/// A cell's value: a number if every JSON parser would reproduce the same text, otherwise a string.
/// So `007`, `1.50`, `1e5` and ids too long for a double stay what they are.
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
