//! What can go wrong in a service. It knows no HTTP; [`crate::api`] turns it into problem details.

use mainstay_core::{
    alert::ActionError, engagement::EventError, playbook::PlaybookError, score::FeedbackError,
};
use mainstay_store::StoreError;

use crate::supervise::Panicked;

/// Why a service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that was sent cannot be used.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field at fault, by its name in the API.
        field: String,
        /// What is wrong with it, its limit and what to do.
        reason: String,
    },
    /// There is no such thing, or it is somebody else's.
    #[error("there is no {what} {id:?}; {remedy}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which name.
        id: String,
        /// Where to find the ones there are.
        remedy: &'static str,
    },
    /// Whoever asks may not, and who may.
    #[error("{0}")]
    Forbidden(String),
    /// It is there already, or no longer in a state for this.
    #[error("{}{reason}", field.map(|field| format!("{field}: ")).unwrap_or_default())]
    Conflict {
        /// The field that it is about, by its name in the API, if it is about one.
        field: Option<&'static str>,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// More is waiting to be stored than memory should hold.
    #[error("too many events are waiting to be stored; send this again in {retry_after_seconds} s")]
    Busy {
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// More comes in a second or a day than is allowed.
    #[error(
        "this {of} sends more than it may; send this again in {retry_after_seconds} s, or ask whoever \
         runs this server for a higher quota"
    )]
    TooFast {
        /// What sends too fast: a key, a client's token, a client or an organization.
        of: &'static str,
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// The database did not take it; nothing of it is stored.
    #[error(
        "the events could not be stored, and none of them is; send them again in {retry_after_seconds} s"
    )]
    Unavailable {
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// A fault in Mainstay itself.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// An error in one field.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    /// Something in the way that is about no one field.
    pub fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict { field: None, reason: reason.into() }
    }

    /// Something in the way of one field.
    pub fn conflict_in(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Conflict { field: Some(field), reason: reason.into() }
    }

    /// There is no such client.
    pub fn no_client(external_id: &str) -> Self {
        Self::NotFound {
            what: "client",
            id: external_id.to_owned(),
            remedy: "a client comes to be with its first event, or by POST /api/v1/clients",
        }
    }
}

impl From<EventError> for Error {
    fn from(error: EventError) -> Self {
        Self::invalid(error.field, error.reason)
    }
}

impl From<PlaybookError> for Error {
    fn from(error: PlaybookError) -> Self {
        Self::invalid(error.field, error.reason)
    }
}

impl From<FeedbackError> for Error {
    fn from(error: FeedbackError) -> Self {
        Self::invalid(error.field(), error.to_string())
    }
}

impl From<ActionError> for Error {
    fn from(error: ActionError) -> Self {
        match error.field() {
            Some(field) => Self::invalid(field, error.to_string()),
            None => Self::conflict(error.to_string()),
        }
    }
}

/// What every service answers.
pub type Result<T> = std::result::Result<T, Error>;
