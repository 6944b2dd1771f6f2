use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{ImportError, ImportProblem, RejectedRow};
use crate::private_file;
use crate::spreadsheet::safe_cell;

const HEADER: [&str; 3] = ["line", "reason", "row"];

/// The list of refused rows, `FILE.rejects.csv` beside the imported file.
///
/// Created at the first refusal and written through, not renamed into place at the end: after an
/// import that was interrupted, what it refused until then is there. When nothing is refused, the
/// list of an earlier run is removed, since it would be taken for this one's. A file of that name
/// that we did not write is never touched.
///
/// Rows stand there as they were read, but for an apostrophe in front of what a spreadsheet would take
/// for a formula. The imported file is where rows are mended: it has them as they are.
#[derive(Debug)]
pub struct RejectsFile {
    path: PathBuf,
    writer: Option<::csv::Writer<File>>,
    count: u64,
}

impl RejectsFile {
    /// The list of an imported file's refused rows. Touches nothing yet.
    pub fn beside(file: &Path) -> Self {
        // Not `with_extension`, which would make one list of x.csv and x.ndjson.
        let mut path = file.as_os_str().to_owned();
        path.push(".rejects.csv");
        Self { path: path.into(), writer: None, count: 0 }
    }

    /// Where the list is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows were refused so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be written, or is somebody else's.
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

    /// Completes the list: its path if rows were refused; else removes an earlier run's.
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
        if self.state().map_err(|error| self.failed(error))? == Existing::SomebodyElses {
            return Err(ImportError::new(&self.path, ImportProblem::RejectsNotOurs));
        }
        let file = private_file::create(&self.path).map_err(|error| self.failed(error))?;
        let mut writer = ::csv::Writer::from_writer(file);
        writer.write_record(HEADER).map_err(|error| self.failed(error.into()))?;
        Ok(writer)
    }

    /// What is at the path now.
    fn state(&self) -> io::Result<Existing> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(Existing::SomebodyElses),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::Nothing),
            Err(error) => return Err(error),
        }
        let header = HEADER.join(",") + "\n";
        let mut head = Vec::new();
        File::open(&self.path)?.take(header.len() as u64).read_to_end(&mut head)?;
        // Empty: an earlier run was killed before its first row was written.
        let ours = head.is_empty() || head == header.as_bytes();
        Ok(if ours { Existing::Ours } else { Existing::SomebodyElses })
    }

    fn failed(&self, error: io::Error) -> ImportError {
        ImportError::new(&self.path, ImportProblem::Rejects(error))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Existing {
    Nothing,
    Ours,
    SomebodyElses,
}
