//! The SQLite file that is open, and whether it still is the one at its path.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Result, StoreError};

/// A file as it was when it was opened.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    identity: Option<Identity>,
}

/// Identity of a file, which differs from that of another file with the same name.
type Identity = (u64, u64);

impl OpenFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity_of(path).ok().flatten() }
    }

    /// Checks that whatever is written is still found under its name. A deleted file can be written, and
    /// is gone when the process ends; whoever has it replaced expects the new one to be written.
    ///
    /// # Errors
    /// [`StoreError::FileGone`].
    pub(crate) fn check(&self) -> Result<()> {
        match identity_of(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            // What cannot be looked at now was there when it was opened; SQLite says what is wrong with it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => Ok(()),
            _ => Err(StoreError::FileGone(self.path.display().to_string())),
        }
    }
}

#[cfg(unix)]
fn identity_of(path: &Path) -> io::Result<Option<Identity>> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path)?;
    Ok(Some((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn identity_of(path: &Path) -> io::Result<Option<Identity>> {
    fs::metadata(path).map(|_| None)
}
