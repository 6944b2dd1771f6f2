//! Errors of services. They do not depend on HTTP; [`crate::api`] turns them into problem details.

use mainstay_core::{
    alert::ActionError, engagement::EventError, playbook::PlaybookError, score::FeedbackError,
};
use mainstay_store::StoreError;

use crate::supervise::Panicked;

/// An error of a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input is invalid.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field, by its name in the API.
        field: String,
        /// What is wrong, the limit and the remedy.
        reason: String,
    },
    /// It does not exist, or belongs to another organization.
    #[error("there is no {what} {id:?}; {remedy}")]
    NotFound {
        /// The kind of resource.
        what: &'static str,
        /// The requested id.
        id: String,
        /// Where to find existing ones.
        remedy: &'static str,
    },
    /// The caller is not allowed; the message names who is.
    #[error("{0}")]
    Forbidden(String),
    /// It already exists, or its state does not allow this.
    #[error("{}{reason}", field.map(|field| format!("{field}: ")).unwrap_or_default())]
    Conflict {
        /// The field that it is about, by its name in the API, if it is about one.
        field: Option<&'static str>,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// The queue of events is full.
    #[error("too many events are waiting to be stored; send this again in {retry_after_seconds} s")]
    Busy {
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// A rate limit is exceeded.
    #[error(
        "this {sender} is over its rate limit; retry in {retry_after_seconds} s, or ask the operator of \
         this server for a higher quota"
    )]
    TooFast {
        /// The sender over the limit: a key, a client's token, a client or an organization.
        sender: &'static str,
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// The database failed; nothing was stored.
    #[error(
        "the events could not be stored, and none of them was; send them again in {retry_after_seconds} s"
    )]
    Unavailable {
        /// How long to wait.
        retry_after_seconds: u64,
    },
    /// An internal error.
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

    /// The error for an unknown client.
    pub fn no_client(external_id: &str) -> Self {
        Self::NotFound {
            what: "client",
            id: external_id.to_owned(),
            remedy: "a client is created by its first event or by POST /api/v1/clients",
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

/// The result of services.
pub type Result<T> = std::result::Result<T, Error>;
