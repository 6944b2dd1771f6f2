use std::{
    io,
    path::{Path, PathBuf},
};

use super::options::{Field, list};

/// Why a file cannot be imported, or not any further.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct ImportError {
    /// The file at fault.
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

    /// An error while reading, after `line` lines that were read well.
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

/// What can be wrong with a whole file. Each message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportProblem {
    /// There is no such file.
    #[error("there is no such file; check the path")]
    Missing,
    /// The path is a directory.
    #[error("is a directory; name one file, and import several files one after the other")]
    Directory,
    /// The file's permissions keep us out.
    #[error("may not be read by this user; change its permissions (chmod u+r)")]
    NotReadable,
    /// The file holds nothing, or nothing but blank lines.
    #[error("is empty; a CSV file needs at least its header line, NDJSON one message")]
    Empty,
    /// The file unpacks to nothing, or to nothing but blank lines.
    #[error("is a gzip file with nothing in it; pack the export again")]
    EmptyGzip,
    /// The file is some other kind of file.
    #[error("is {0}")]
    NotText(&'static str),
    /// The gzip data ends too early.
    #[error(
        "is cut off: the gzip data ends after line {line} before it is complete; copy or export \
         the file again (importing twice adds nothing)"
    )]
    CutOff {
        /// The last line that was read well.
        line: u64,
    },
    /// The gzip data is not what was packed.
    #[error(
        "is damaged after line {line} ({error}); copy or export the file again (importing twice \
         adds nothing)"
    )]
    Damaged {
        /// The last line that was read well.
        line: u64,
        /// What the decoder says.
        error: io::Error,
    },
    /// The operating system could not read the file.
    #[error("cannot be read after line {line}: {error}; try again (importing twice adds nothing)")]
    Io {
        /// The last line that was read well.
        line: u64,
        /// What the operating system says.
        error: io::Error,
    },
    /// The CSV header is not CSV.
    #[error("the header (line {line}) {reason}")]
    Header {
        /// Where the header is.
        line: u64,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The file is read as CSV and starts like JSON.
    #[error("is read as CSV and looks like JSON; add --format ndjson")]
    JsonAsCsv,
    /// The CSV header lacks columns that every event needs.
    #[error(
        "the header has no column {missing}; it has {found}. {remedy}",
        missing = list(missing.iter().map(|field| field.as_str()), " and no column "),
    )]
    MissingColumns {
        /// The fields without a column.
        missing: Vec<Field>,
        /// The columns that there are, for the message.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Two CSV columns have the same name.
    #[error("the header names the column {0:?} twice; rename or remove one of them")]
    DuplicateColumn(String),
    /// `--column` names a column that is not in the header.
    #[error("--column {field}={column}: the header has no column {column:?}; it has {found}")]
    NoSuchColumn {
        /// Our field.
        field: Field,
        /// The column that was asked for.
        column: String,
        /// The columns that there are, for the message.
        found: String,
    },
    /// `--column` names one field twice.
    #[error("--column {0}=… is given twice; keep one of them")]
    FieldMappedTwice(Field),
    /// `--event-type` names one event twice.
    #[error("--event-type {0}=… is given twice; keep one of them")]
    EventMappedTwice(String),
    /// `--column` with a file that has no columns.
    #[error(
        "--column is for CSV files and this is read as NDJSON; leave it out, or add --format csv"
    )]
    ColumnsInNdjson,
    /// `--date-format` with a file whose times are always RFC 3339.
    #[error(
        "--date-format is for CSV files and this is read as NDJSON; leave it out, or \
         add --format csv"
    )]
    DatesInNdjson,
    /// The file for refused rows exists and is something else.
    #[error(
        "exists and is not a list of refused rows; move it away, refused rows would be written there"
    )]
    RejectsNotOurs,
    /// The file for refused rows cannot be written.
    #[error("refused rows cannot be written there: {0}; make the directory writable or copy FILE")]
    Rejects(io::Error),
}
