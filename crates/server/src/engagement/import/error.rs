use std::{
    io,
    path::{Path, PathBuf},
};

use super::options::{Field, list};

/// Why a file cannot be imported, or not completely.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ImportError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: ImportProblem,
}

impl ImportError {
    pub(super) fn new(path: &Path, problem: ImportProblem) -> Self {
        Self { path: path.to_owned(), problem }
    }

    /// An error while opening the file.
    pub(super) fn opening(path: &Path, error: io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::NotFound => ImportProblem::Missing,
            io::ErrorKind::IsADirectory => ImportProblem::Directory,
            io::ErrorKind::PermissionDenied => ImportProblem::NotReadable,
            _ => ImportProblem::Io { line: 0, error },
        };
        Self::new(path, problem)
    }

    /// An error while reading, after `line` valid lines.
    pub(super) fn reading(path: &Path, gzip: bool, line: u64, error: io::Error) -> Self {
        let problem = match error.kind() {
            io::ErrorKind::IsADirectory => ImportProblem::Directory,
            io::ErrorKind::UnexpectedEof if gzip => ImportProblem::CutOff { line },
            // What flate2 says of a wrong checksum, a broken block or bytes behind the last member.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if gzip => {
                ImportProblem::Damaged { line, error }
            }
            _ => ImportProblem::Io { line, error },
        };
        Self::new(path, problem)
    }
}

/// Errors of a whole file. Each message ends with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ImportProblem {
    /// The file does not exist.
    #[error("the file does not exist; check the path")]
    Missing,
    /// The path is a directory.
    #[error("is a directory; give one file, and import several files one by one")]
    Directory,
    /// The file is not readable.
    #[error("is not readable by this user; change its permissions (chmod u+r)")]
    NotReadable,
    /// The file is empty or contains only blank lines.
    #[error("is empty; a CSV file needs at least its header line, NDJSON one message")]
    Empty,
    /// The decompressed file is empty or contains only blank lines.
    #[error("is an empty gzip file; compress the export again")]
    EmptyGzip,
    /// The file has an unsupported format.
    #[error("is {0}")]
    NotText(&'static str),
    /// The gzip data is truncated.
    #[error(
        "is cut off: the gzip data ends after line {line} before it is complete; copy or export \
         the file again (importing twice adds nothing)"
    )]
    CutOff {
        /// The last valid line.
        line: u64,
    },
    /// The gzip data is corrupt.
    #[error(
        "is damaged after line {line} ({error}); copy or export the file again (importing twice \
         adds nothing)"
    )]
    Damaged {
        /// The last valid line.
        line: u64,
        /// The decoder's message.
        error: io::Error,
    },
    /// The operating system could not read the file.
    #[error("cannot be read after line {line}: {error}; try again (importing twice adds nothing)")]
    Io {
        /// The last valid line.
        line: u64,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The CSV header is invalid.
    #[error("the header (line {line}) {reason}")]
    Header {
        /// Where the header is.
        line: u64,
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The file was read as CSV but starts like JSON.
    #[error("was read as CSV but looks like JSON; add --format ndjson")]
    JsonAsCsv,
    /// The CSV header lacks required columns.
    #[error(
        "the header has no column {missing}; it has {found}. {remedy}",
        missing = list(missing.iter().map(|field| field.as_str()), " and no column "),
    )]
    MissingColumns {
        /// The fields without a column.
        missing: Vec<Field>,
        /// The existing columns, for the message.
        found: String,
        /// The remedy.
        remedy: String,
    },
    /// Two CSV columns have the same name.
    #[error("the header names the column {0:?} twice; rename or remove one of them")]
    DuplicateColumn(String),
    /// `--column` names a column that is not in the header.
    #[error("--column {field}={column}: the header has no column {column:?}; it has {found}")]
    NoSuchColumn {
        /// The field.
        field: Field,
        /// The column.
        column: String,
        /// The existing columns, for the message.
        found: String,
    },
    /// `--column` maps one field twice.
    #[error("--column {0}=… is set twice; keep one of them")]
    FieldMappedTwice(Field),
    /// `--event-type` maps one event twice.
    #[error("--event-type {0}=… is set twice; keep one of them")]
    EventMappedTwice(String),
    /// `--column` with a file that has no columns.
    #[error(
        "--column is for CSV files, and this file is read as NDJSON; omit it, or add --format csv"
    )]
    ColumnsInNdjson,
    /// `--date-format` with a file whose times are always RFC 3339.
    #[error(
        "--date-format is for CSV files, and this file is read as NDJSON; omit it, or add --format \
         csv"
    )]
    DatesInNdjson,
    /// The file for rejected rows exists and has other content.
    #[error(
        "exists and is not a list of rejected rows; move it, because rejected rows are written there"
    )]
    RejectsNotOurs,
    /// The file for rejected rows cannot be written.
    #[error("rejected rows cannot be written there: {0}; make the directory writable or copy FILE")]
    Rejects(io::Error),
}
