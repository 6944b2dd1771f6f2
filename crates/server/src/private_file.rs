//! Files that only their owner may read, whatever the umask.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates a file, or empties the one that is there and closes it to others.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = options().create(true).truncate(true).open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Writes a new file as a whole; false when there is one, which is left alone. Whoever reads it meanwhile
/// finds none, never a part.
pub(crate) fn write_new(path: &Path, content: &str) -> io::Result<bool> {
    let written = written_beside(path, content)?;
    // A link fails where renaming would replace what another process has just written.
    let linked = fs::hard_link(&written, path);
    fs::remove_file(&written)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces a file as a whole.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let written = written_beside(path, content)?;
    fs::rename(&written, path)
}

fn written_beside(path: &Path, content: &str) -> io::Result<PathBuf> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = create(&beside)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(beside)
}

/// Whether others than the owner may read or write a file: its mode, if so.
#[cfg(unix)]
pub(crate) fn open_to_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Other systems have no such mode.
#[cfg(not(unix))]
pub(crate) fn open_to_others(_path: &Path) -> Option<u32> {
    None
}
