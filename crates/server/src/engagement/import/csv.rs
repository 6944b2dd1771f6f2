use std::{io, path::Path};

use mainstay_core::engagement::{EventError, IncomingEvent, parse_timestamp};
use serde_json::{Map, Number, Value};

use super::{
    ColumnMapping, Field, ImportError, ImportProblem, MAX_ROW_BYTES,
    fields::{Fields, Progress},
    header::{Column, columns, header_names},
    lines::{Line, Lines},
    row::{Found, RowContent, raw_text},
    values::{clipped, missing_timestamp, parse_duration},
};

const NEVER_CLOSED: &str = "opens a quote (\") that is not closed within 1 MiB or before the file \
                            ends; close it, or double the quotes inside a field (\"\")";

/// The rows of a CSV file behind its header.
pub(super) struct CsvRows {
    columns: Vec<Column>,
    fields: Fields,
}

impl CsvRows {
    /// Takes the header.
    pub(super) fn open(
        path: &Path,
        lines: &mut Lines,
        mappings: &[ColumnMapping],
    ) -> Result<Self, ImportError> {
        let mut fields = Fields::default();
        let row = match take_row(lines, &mut fields) {
            Ok(Some(row)) => row,
            Ok(None) => return Err(ImportError::new(path, ImportProblem::Empty)),
            Err(error) => {
                let gzip = lines.input().is_gzip();
                return Err(ImportError::reading(path, gzip, lines.taken(), error));
            }
        };
        let line = row.line;
        row.sound
            .and_then(|()| header_names(&fields))
            .map_err(|reason| ImportProblem::Header { line, reason })
            .and_then(|names| columns(names, mappings))
            .map(|columns| Self { columns, fields })
            .map_err(|problem| {
                // JSON taken for CSV fails at its first quote, which would be a misleading reason.
                let json = row.raw.trim_start().starts_with(['{', '[']);
                ImportError::new(path, if json { ImportProblem::JsonAsCsv } else { problem })
            })
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

    fn content(&self) -> Result<RowContent, String> {
        if self.fields.len() != self.columns.len() {
            return Err(format!(
                "has {} where the header has {}; put fields with commas in quotes, and leave \
                 unknown fields empty",
                counted_fields(self.fields.len()),
                self.columns.len()
            ));
        }
        let mut event = IncomingEvent::default();
        for (column, cell) in self.columns.iter().zip(self.fields.iter()) {
            let Ok(cell) = str::from_utf8(cell) else {
                return Err(format!(
                    "{}: is not UTF-8; convert the file: iconv -f LATIN1 -t UTF-8 FILE > NEW",
                    clipped(&column.name)
                ));
            };
            if column.fields.is_empty() {
                add_data(&mut event.data, &column.name, cell);
            }
            for field in &column.fields {
                set_field(&mut event, *field, cell).map_err(|error| error.to_string())?;
            }
        }
        Ok(RowContent::Event(event))
    }
}

/// A row that was taken from the file; its fields are in the `Fields` that it was read with.
struct TakenRow {
    line: u64,
    raw: String,
    /// Why it is no row, if so.
    sound: Result<(), String>,
}

/// Takes the next row with all its lines. Of one that is not sound, only the first line is taken:
/// where a quote was forgotten, the next line is most likely the next row.
fn take_row(lines: &mut Lines, fields: &mut Fields) -> io::Result<Option<TakenRow>> {
    if !lines.skip_blank_lines()? {
        return Ok(None);
    }
    let line = lines.taken() + 1;
    let first = match lines.line_from(0)? {
        Line::None => return Ok(None),
        Line::TooLong => {
            let raw = raw_text(lines.bytes());
            lines.skip_line()?;
            let reason = format!(
                "is longer than {MAX_ROW_BYTES} bytes (1 MiB); an event's data has at most 32 KiB, \
                 shorten it"
            );
            return Ok(Some(TakenRow { line, raw, sound: Err(reason) }));
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
    lines.take(until, count);
    Ok(Some(TakenRow { line, raw, sound }))
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
        Field::Timestamp if cell.trim().is_empty() => return Err(missing_timestamp()),
        Field::Timestamp => event.timestamp = Some(parse_timestamp("timestamp", cell)?),
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
