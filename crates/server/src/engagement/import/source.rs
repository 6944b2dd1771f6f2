use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
};

use encoding_rs::{Encoding, UTF_8};
use mainstay_core::engagement::EventType;

use super::{
    Field, FileEncoding, Format, ImportError, ImportOptions, ImportProblem, RejectedRow, Row,
    RowContent,
    csv::CsvRows,
    derived_message_id,
    input::{Input, not_text},
    lines::Lines,
    ndjson,
    row::ParsedRow,
};

/// Enough bytes to recognise a tar archive, whose magic bytes come late.
const HEAD_BYTES: usize = 512;
const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// An opened import file: an iterator over its rows.
///
/// Each item is a valid row, a rejected row, or (the outer error) a fatal error, after which the
/// iterator ends.
pub struct ImportSource {
    path: PathBuf,
    size: Option<u64>,
    lines: Lines,
    rows: Rows,
    event_types: HashMap<String, EventType>,
    ended: bool,
}

enum Rows {
    Csv(Box<CsvRows>),
    Ndjson,
}

impl ImportSource {
    /// Opens a file and validates everything before its first row.
    ///
    /// # Errors
    /// If it does not exist, is not readable, empty, not text, or lacks a required column; or if
    /// the options contradict the file or each other.
    pub fn open(path: &Path, options: &ImportOptions) -> Result<Self, ImportError> {
        let wrong = |problem| ImportError::new(path, problem);
        let event_types = event_types(options).map_err(wrong)?;
        check_columns(options).map_err(wrong)?;

        let (input, size) = Input::open(path)?;
        let gzip = input.is_gzip();
        let mut lines = Lines::new(input);
        let first = first_byte(&mut lines, options)
            .map_err(|error| ImportError::reading(path, gzip, lines.taken(), error))?
            .map_err(wrong)?;
        let format = options
            .format
            .or_else(|| Format::from_name(path))
            .unwrap_or_else(|| Format::from_first_byte(first));
        let rows = match format {
            Format::Csv => Rows::Csv(Box::new(CsvRows::open(path, &mut lines, options)?)),
            Format::Ndjson if !options.columns.is_empty() => {
                return Err(wrong(ImportProblem::ColumnsInNdjson));
            }
            Format::Ndjson if options.date_format.is_some() => {
                return Err(wrong(ImportProblem::DatesInNdjson));
            }
            Format::Ndjson => Rows::Ndjson,
        };
        Ok(Self { path: path.to_owned(), size, lines, rows, event_types, ended: false })
    }

    /// The format.
    pub const fn format(&self) -> Format {
        match self.rows {
            Rows::Csv(_) => Format::Csv,
            Rows::Ndjson => Format::Ndjson,
        }
    }

    /// The number of rows so far whose time had no offset and was read in the time zone.
    pub fn local_times(&self) -> u64 {
        match &self.rows {
            Rows::Csv(rows) => rows.local_times(),
            Rows::Ndjson => 0,
        }
    }

    /// The file's size in bytes on disk (compressed); `None` for a pipe.
    pub const fn total_bytes(&self) -> Option<u64> {
        self.size
    }

    /// The number of these bytes read so far, including buffered ones.
    pub fn bytes_read(&self) -> u64 {
        self.lines.input().bytes_read()
    }

    /// The type of an event name by the options.
    pub fn type_of(&self, name: &str) -> Option<EventType> {
        self.event_types.get(name).copied()
    }

    /// Lines read so far, including the header and blank lines.
    pub const fn lines_read(&self) -> u64 {
        self.lines.taken()
    }

    fn finish_row(&self, found: ParsedRow) -> Result<Row, RejectedRow> {
        let ParsedRow { line, raw, content } = found;
        let mut content = match content {
            Ok(content) => content,
            Err(reason) => return Err(RejectedRow { line, reason, raw }),
        };
        if let RowContent::Event(event) = &mut content {
            event.event_type = self.type_of(&event.name);
            if event.message_id.is_empty() {
                event.message_id = derived_message_id(event);
            }
        }
        Ok(Row { line, content, raw })
    }
}

impl Iterator for ImportSource {
    type Item = Result<Result<Row, RejectedRow>, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = match &mut self.rows {
            Rows::Csv(rows) => rows.next(&mut self.lines),
            Rows::Ndjson => ndjson::next(&mut self.lines),
        };
        self.ended = !matches!(found, Ok(Some(_)));
        match found {
            Ok(found) => Some(Ok(self.finish_row(found?))),
            Err(error) => {
                let gzip = self.lines.input().is_gzip();
                Some(Err(ImportError::reading(&self.path, gzip, self.lines.taken(), error)))
            }
        }
    }
}

impl fmt::Debug for ImportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportSource")
            .field("path", &self.path)
            .field("format", &self.format())
            .field("lines_read", &self.lines_read())
            .finish_non_exhaustive()
    }
}

/// Inspects the start of the content: returns the first non-blank byte, or why the format is
/// unsupported. Skips the byte order mark and blank lines.
fn first_byte(lines: &mut Lines, options: &ImportOptions) -> io::Result<Result<u8, ImportProblem>> {
    let gzip = lines.input().is_gzip();
    let head = lines.peek(HEAD_BYTES)?;
    if let Some(problem) = not_text(head) {
        return Ok(Err(problem));
    }
    // A mark at its beginning says more of a file than whoever imports it knows.
    let marked = Encoding::for_bom(head).map(|(encoding, _)| encoding);
    match marked.or(options.encoding.map(|FileEncoding(encoding)| encoding)) {
        Some(encoding) if encoding != UTF_8 => lines.decode(encoding)?,
        _ if marked.is_some() => lines.take(UTF8_BOM.len(), 0),
        _ => {}
    }
    lines.skip_blank_lines()?;
    let first = lines.bytes().iter().find(|byte| !byte.is_ascii_whitespace());
    let empty = || {
        if gzip { ImportProblem::EmptyGzip } else { ImportProblem::Empty }
    };
    Ok(first.copied().ok_or_else(empty))
}

fn event_types(options: &ImportOptions) -> Result<HashMap<String, EventType>, ImportProblem> {
    let mut types = HashMap::new();
    for mapping in &options.event_types {
        if types.insert(mapping.name.clone(), mapping.event_type).is_some() {
            return Err(ImportProblem::EventMappedTwice(mapping.name.clone()));
        }
    }
    Ok(types)
}

fn check_columns(options: &ImportOptions) -> Result<(), ImportProblem> {
    let times =
        |field: Field| options.columns.iter().filter(|mapping| mapping.field == field).count();
    Field::ALL
        .into_iter()
        .find(|field| times(*field) > 1)
        .map_or(Ok(()), |field| Err(ImportProblem::FieldMappedTwice(field)))
}
