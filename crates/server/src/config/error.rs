use std::{io, path::PathBuf};

/// Why the settings cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was asked for is not there.
    #[error(
        "{}: there is no such file; check --config and MAINSTAY_CONFIG, or leave both out",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}{}: {reason}", path.display(), at_line(*.line))]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line at fault, from 1, when it can be told.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A value that cannot be used, whatever it comes from.
    #[error("{name} {value:?}: {reason}")]
    Value {
        /// The key of the file; the variable is called alike.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
    /// A file that holds a password cannot be read.
    #[error("{name} {}: {error}; check the path and its permissions", path.display())]
    PasswordFile {
        /// The setting.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// An environment variable that is not text.
    #[error("environment variable {0} is not UTF-8; set it again")]
    NotText(&'static str),
}

fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}
