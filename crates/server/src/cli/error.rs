use std::io;

use mainstay_store::StoreError;

use crate::{
    Error,
    config::ConfigError,
    engagement::{ImportFailure, import::ImportError},
    secrets::SecretsError,
};

/// Why a command failed. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service refused or failed.
    #[error("{}", explained(.0))]
    Service(Error),
    /// The keys of the database's secrets.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The imported file.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Standard output cannot be written, for a reason other than that its reader went away.
    #[error("standard output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The address is somebody else's.
    #[error("address {0} is in use; choose another with --listen")]
    AddressInUse(String),
    /// The address cannot be listened on.
    #[error(
        "address {address:?}: {error}; use HOST:PORT of this machine, for example 127.0.0.1:8080"
    )]
    Address {
        /// As it was given.
        address: String,
        /// What the operating system says.
        error: io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Serving(io::Error),
    /// A background loop ended that nothing can go on without.
    #[error("the server stopped: {0}; the log has its place, please report it")]
    Background(String),
    /// The operating system refused threads or the like.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Something that only this command line can say.
    #[error("{0}")]
    Said(String),
}

impl CliError {
    /// The message without line breaks, which a driver's own may have.
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

/// A service's message, with what to do where the database's own words leave it out. They are told
/// by the driver's text, because the store keeps no more of it.
fn explained(error: &Error) -> String {
    let text = error.to_string();
    let remedies = [
        ("database disk image is malformed", "the file is damaged; restore a backup"),
        ("disk is full", "make room and run this again"),
    ];
    match remedies.iter().find(|(symptom, _)| text.contains(symptom)) {
        Some((_, remedy)) => format!("{text}; {remedy}"),
        None => text,
    }
}
