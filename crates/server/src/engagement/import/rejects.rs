use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{ImportError, ImportProblem, RejectedRow};
use crate::private_file;
use crate::spreadsheet::safe_cell;

const HEADER: [&str; 3] = ["line", "reason", "row"];

/// The list of rejected rows, `FILE.rejects.csv` next to the imported file.
///
/// Created at the first rejection and written directly, not renamed into place at the end: an
/// interrupted import leaves a partial list. If nothing is rejected, the list of an earlier run is
/// removed, to avoid confusion. A foreign file of that name is never touched.
///
/// Rows are listed as they were read, except for an apostrophe before potential formulas. Fix rows
/// in the imported file, which has the original text.
#[derive(Debug)]
pub struct RejectsFile {
    path: PathBuf,
    writer: Option<::csv::Writer<File>>,
    count: u64,
}

impl RejectsFile {
    /// Creates the list for an imported file, without touching the file system.
    pub fn beside(file: &Path) -> Self {
        // Not `with_extension`, which would make one list of x.csv and x.ndjson.
        let mut path = file.as_os_str().to_owned();
        path.push(".rejects.csv");
        Self { path: path.into(), writer: None, count: 0 }
    }

    /// The path of the list.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rejected rows.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the file cannot be written, or is a foreign file.
    pub fn write(&mut self, row: &RejectedRow) -> Result<(), ImportError> {
        self.count += 1;
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.create()?,
        };
        let writer = self.writer.insert(writer);
        let (reason, raw) = (safe_cell(&row.reason), safe_cell(&row.raw));
        let written = writer.write_record([row.line.to_string().as_str(), &reason, &raw]);
        written.map_err(|error| self.failed(error.into()))
    }

    /// Completes the list and returns its path if rows were rejected; otherwise removes the list of
    /// an earlier run.
    ///
    /// # Errors
    /// When the file cannot be written or removed.
    pub fn finish(mut self) -> Result<Option<PathBuf>, ImportError> {
        match self.writer.take() {
            Some(mut writer) => {
                writer.flush().map_err(|error| self.failed(error))?;
                Ok(Some(self.path))
            }
            None if self.count > 0 => Ok(None),
            None => {
                if self.state().map_err(|error| self.failed(error))? == Existing::Ours {
                    fs::remove_file(&self.path).map_err(|error| self.failed(error))?;
                }
                Ok(None)
            }
        }
    }

    fn create(&self) -> Result<::csv::Writer<File>, ImportError> {
        if self.state().map_err(|error| self.failed(error))? == Existing::Foreign {
            return Err(ImportError::new(&self.path, ImportProblem::RejectsNotOurs));
        }
        let file = private_file::create(&self.path).map_err(|error| self.failed(error))?;
        let mut writer = ::csv::Writer::from_writer(file);
        writer.write_record(HEADER).map_err(|error| self.failed(error.into()))?;
        Ok(writer)
    }

    /// The file at the path.
    fn state(&self) -> io::Result<Existing> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(Existing::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
            Err(error) => return Err(error),
        }
        let header = HEADER.join(",") + "\n";
        let mut head = Vec::new();
        File::open(&self.path)?.take(header.len() as u64).read_to_end(&mut head)?;
        // Empty: an earlier run was killed before its first row was written.
        let ours = head.is_empty() || head == header.as_bytes();
        Ok(if ours { Existing::Ours } else { Existing::Foreign })
    }

    fn failed(&self, error: io::Error) -> ImportError {
        ImportError::new(&self.path, ImportProblem::Rejects(error))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Nothing,
    Ours,
    Foreign,
}
