use std::{io, path::PathBuf};

/// An error in the settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An explicitly configured file does not exist.
    #[error(
        "{}: the file does not exist; check --config and MAINSTAY_CONFIG, or omit both",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The file is malformed.
    #[error("{}{}: {reason}", path.display(), at_line(*.line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line with the error, from 1, if known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// An invalid value, whatever its source.
    #[error("{name} {value:?}: {reason}")]
    Value {
        /// The key in the file; the environment variable has a matching name.
        name: &'static str,
        /// The value.
        value: String,
        /// What is wrong, and the remedy.
        reason: &'static str,
    },
    /// A password file cannot be read.
    #[error("{name} {}: {error}; check the path and its permissions", path.display())]
    PasswordFile {
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// An environment variable that is not UTF-8.
    #[error("environment variable {0} is not UTF-8; set it again")]
    NotText(&'static str),
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}
