use std::io;

use mainstay_store::StoreError;

use crate::{
    Error,
    config::ConfigError,
    engagement::{ImportFailure, import::ImportError},
    secrets::SecretsError,
};

/// Why a command failed. Each message contains the remedy.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service refused or failed.
    #[error("{}", with_remedy(.0))]
    Service(Error),
    /// The keys of the database's secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The imported file.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Standard output cannot be written, other than because of a closed pipe.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The address is already in use.
    #[error("address {0} is in use; choose another with --listen")]
    AddressInUse(String),
    /// The address cannot be listened on.
    #[error(
        "address {address:?}: {error}; use HOST:PORT of this machine, for example 127.0.0.1:8080"
    )]
    Address {
        /// The configured address.
        address: String,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The server stopped unexpectedly.
    #[error("the server stopped: {0}")]
    Serving(io::Error),
    /// An essential background loop ended.
    #[error("the server stopped: {0}; see the log, and please report it")]
    Background(String),
    /// The operating system refused threads or the like.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// An error of the command line itself.
    #[error("{0}")]
    Message(String),
}

impl CliError {
    /// The message on one line; a database driver's message may have several.
    pub(super) fn one_line(&self) -> String {
        self.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<ImportFailure> for CliError {
    fn from(failure: ImportFailure) -> Self {
        match failure {
            ImportFailure::File(error) => Self::Import(error),
            ImportFailure::Service(error) => Self::Service(error),
        }
    }
}

/// A service's message, with a remedy for database errors that lack one. They are recognized by the
/// driver's text, because the store provides nothing else.
fn with_remedy(error: &Error) -> String {
    let text = error.to_string();
    let remedies = [
        ("database disk image is malformed", "the file is damaged; restore a backup"),
        ("disk is full", "free some space and run this again"),
    ];
    match remedies.iter().find(|(symptom, _)| text.contains(symptom)) {
        Some((_, remedy)) => format!("{text}; {remedy}"),
        None => text,
    }
}
