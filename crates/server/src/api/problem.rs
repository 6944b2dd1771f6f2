//! Error responses: problem details (RFC 9457) that name the field, the limit and the remedy.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use mainstay_core::engagement::EventError;
use mainstay_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use super::refused::RefusedEvent;
use crate::Error;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// The `Retry-After` for database failures, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An error response. Boxed, because every handler's `Result` contains it.
#[derive(Debug)]
pub(crate) struct Problem(Box<ProblemDetails>);

/// An error response: RFC 9457 problem details.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails {
    /// The kind of problem, for programs.
    #[serde(rename = "type")]
    #[schema(example = "urn:mainstay:problem:invalid")]
    kind: &'static str,
    /// The kind of problem, for people; the same for every problem of a kind.
    #[schema(example = "Invalid value")]
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, example = 422)]
    status: StatusCode,
    /// What is wrong, and the remedy.
    #[schema(example = "limit: \"many\" is not a whole number; send one from 1 to 500")]
    detail: String,
    /// The field, parameter or header at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    field: Option<String>,
    /// The limit that was exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 500)]
    limit: Option<u64>,
    /// The reason for each event, if every event of the request was rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    refused: Vec<RefusedEvent>,
    /// What is wrong with the field: `detail` without its name.
    #[serde(skip)]
    reason: Option<String>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
    #[serde(skip)]
    challenge: Option<HeaderValue>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// Name for programs and title for people, one pair a status.
const fn kind_of(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => {
            ("urn:mainstay:problem:unauthenticated", "Authentication required")
        }
        StatusCode::FORBIDDEN => ("urn:mainstay:problem:forbidden", "Forbidden"),
        StatusCode::NOT_FOUND => ("urn:mainstay:problem:not-found", "Not found"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("urn:mainstay:problem:method-not-allowed", "This page can’t be opened directly")
        }
        StatusCode::REQUEST_TIMEOUT => ("urn:mainstay:problem:too-slow", "Request timeout"),
        StatusCode::CONFLICT => ("urn:mainstay:problem:conflict", "Conflict"),
        StatusCode::PAYLOAD_TOO_LARGE => ("urn:mainstay:problem:too-large", "Payload too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("urn:mainstay:problem:unsupported-media-type", "Unsupported media type")
        }
        StatusCode::UNPROCESSABLE_ENTITY => ("urn:mainstay:problem:invalid", "Invalid value"),
        StatusCode::TOO_MANY_REQUESTS => ("urn:mainstay:problem:busy", "Too many requests"),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("urn:mainstay:problem:unavailable", "Service unavailable")
        }
        StatusCode::INTERNAL_SERVER_ERROR => {
            ("urn:mainstay:problem:internal", "Internal server error")
        }
        _ => ("urn:mainstay:problem:malformed", "Malformed request"),
    }
}

impl Problem {
    /// A problem of the kind that goes with a status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let (kind, title) = kind_of(status);
        Self(Box::new(ProblemDetails {
            kind,
            title,
            status,
            detail: detail.into(),
            field: None,
            limit: None,
            refused: Vec::new(),
            reason: None,
            retry_after_seconds: None,
            challenge: None,
        }))
    }

    /// The field at fault, if one is, and what is wrong with it and what to do.
    pub(crate) fn fault(&self) -> (Option<&str>, &str) {
        (self.0.field.as_deref(), self.0.reason.as_deref().unwrap_or(&self.0.detail))
    }

    /// An invalid value.
    pub(crate) fn invalid(field: &str, reason: impl AsRef<str>) -> Self {
        let reason = reason.as_ref();
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{field}: {reason}")).field(field);
        problem.0.reason = Some(reason.to_owned());
        problem
    }

    /// An action that the caller is not allowed to perform.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// No valid credential was presented; `presented` distinguishes a missing credential from an
    /// invalid one, as RFC 6750 requires.
    pub(crate) fn unauthenticated(detail: impl Into<String>, presented: bool) -> Self {
        let challenge = if presented {
            HeaderValue::from_static(r#"Bearer realm="Mainstay", error="invalid_token""#)
        } else {
            HeaderValue::from_static(r#"Bearer realm="Mainstay""#)
        };
        let mut problem = Self::new(StatusCode::UNAUTHORIZED, detail).field("Authorization");
        problem.0.challenge = Some(challenge);
        problem
    }

    /// A request that exceeds a size limit.
    pub(crate) fn too_large(limit: usize, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail).limit(limit as u64)
    }

    /// A request without a valid event.
    pub(crate) fn refused(refused: Vec<RefusedEvent>) -> Self {
        let first = refused.first();
        let mut problem = match (first, refused.len()) {
            (Some(only), 1) => Self::invalid(&only.field, &only.reason),
            (Some(first), count) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "all {count} events were rejected, the first because of {}: {}; `refused` \
                     lists the reason for each",
                    first.field, first.reason
                ),
            )
            .field(&first.field),
            (None, _) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no event was sent"),
        };
        problem.0.refused = refused;
        problem
    }

    /// A temporary failure.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER_SECONDS)
    }

    /// Sets the field.
    pub(crate) fn field(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    /// Sets the limit.
    pub(crate) fn limit(mut self, limit: u64) -> Self {
        self.0.limit = Some(limit);
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::unavailable(
                "another request changed the same data at the same time; try again",
            ),
            StoreError::MayNotWrite => Self::forbidden(error.to_string()),
            StoreError::Taken(what) => {
                Self::new(StatusCode::CONFLICT, format!("{what} is already taken")).field(what)
            }
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "a request found the database unavailable");
                Self::unavailable(
                    "the database is unavailable; retry in a moment, and see the server's log if \
                     this persists",
                )
            }
            StoreError::Database(_) | StoreError::Corrupt { .. } => {
                tracing::error!(%error, "a request failed in the database");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the database query failed and nothing was changed; see the server's log",
                )
            }
            error => {
                tracing::error!(%error, "the database cannot be used");
                Self::unavailable("the database is unavailable; see the server's log")
            }
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid { field, reason } => Self::invalid(&field, reason),
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, message),
            Error::Forbidden(_) => Self::forbidden(message),
            Error::Conflict { field, .. } => {
                let problem = Self::new(StatusCode::CONFLICT, message);
                match field {
                    Some(field) => problem.field(field),
                    None => problem,
                }
            }
            Error::Busy { retry_after_seconds } | Error::TooFast { retry_after_seconds, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(retry_after_seconds)
            }
            Error::Unavailable { retry_after_seconds } => {
                Self::unavailable(message).retry_after(retry_after_seconds)
            }
            Error::Panicked(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message),
            Error::Store(error) => Self::of_store(&error),
        }
    }
}

impl From<EventError> for Problem {
    fn from(error: EventError) -> Self {
        Self::invalid(error.field, error.reason)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Texts and numbers always serialize; an empty body is still a truthful status.
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(challenge) = self.0.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.0.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
