//! Files that are only readable by their owner, whatever the umask.

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

/// Creates a file, or truncates an existing one and restricts its permissions.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = options().create(true).truncate(true).open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Atomically writes a new file; returns false if it already exists. Concurrent readers never see a
/// partial file.
pub(crate) fn write_new(path: &Path, content: &str) -> io::Result<bool> {
    let written = write_temporary(path, content)?;
    // A link fails where renaming would replace what another process has just written.
    let linked = fs::hard_link(&written, path);
    fs::remove_file(&written)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Atomically replaces a file.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let written = write_temporary(path, content)?;
    fs::rename(&written, path)
}

fn write_temporary(path: &Path, content: &str) -> io::Result<PathBuf> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let mut file = create(&temporary)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(temporary)
}

/// The mode of a file, if others than the owner may read or write it.
#[cfg(unix)]
pub(crate) fn mode_open_to_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Other systems have no such mode.
#[cfg(not(unix))]
pub(crate) fn mode_open_to_others(_path: &Path) -> Option<u32> {
    None
}
