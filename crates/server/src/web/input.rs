//! Reading what a browser sends: forms, queries and paths, with a page for what cannot be read.

use std::str::FromStr;

use axum::{
    extract::{
        self, FromRequest, FromRequestParts, RawPathParams, Request, rejection::FormRejection,
    },
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{MAX_FORM_BYTES, PageError, Web, page::sentence};
use crate::{
    Error,
    http::{BodyTooSlow, is_caused_by},
};

/// A form that was sent.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Web> for Form<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, web: &Web) -> Result<Self, PageError> {
        axum::Form::from_request(request, web).await.map(|axum::Form(form)| Self(form)).map_err(
            |rejection: FormRejection| {
                if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                    return PageError::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "Form too large",
                        format!("A form can have at most {MAX_FORM_BYTES} bytes. Shorten it."),
                    );
                }
                if is_caused_by::<BodyTooSlow>(&rejection) {
                    return PageError::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "Request timed out",
                        "The connection is slow or was interrupted. Go back and send the form again.",
                    );
                }
                PageError::new(
                    StatusCode::BAD_REQUEST,
                    "Invalid form",
                    "A field is missing or is not text. Reload the page and use its form.",
                )
            },
        )
    }
}

/// The query of an address. What is unknown in it is ignored: links are shortened, copied and added
/// to by others.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Query<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, PageError> {
        extract::Query::try_from_uri(&parts.uri).map(|extract::Query(query)| Self(query)).map_err(
            |_| {
                PageError::new(
                    StatusCode::BAD_REQUEST,
                    "Invalid address",
                    "A query parameter is invalid. Remove the part after the question mark.",
                )
            },
        )
    }
}

/// The only parameter of a path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: FromStr> FromRequestParts<Web> for Path<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let params = RawPathParams::from_request_parts(parts, web).await.ok();
        let text = params.as_ref().and_then(|params| params.iter().next()).map(|(_, text)| text);
        text.and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| PageError::not_found("There is no page at this address."))
    }
}

/// Why a form is shown again instead of being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormError {
    /// The field at fault.
    pub(crate) field: String,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl FormError {
    pub(crate) fn new(field: &str, message: &str) -> Self {
        Self { field: field.to_owned(), message: sentence(message) }
    }

    /// What can be mended in the form; any other error is told on a page of its own.
    pub(crate) fn of(error: Error) -> Result<Self, PageError> {
        match error {
            Error::Invalid { field, reason } => Ok(Self::new(&field, &reason)),
            Error::Conflict { field, reason } => Ok(Self::new(field.unwrap_or_default(), &reason)),
            other => Err(other.into()),
        }
    }

    /// The message about a field, if it is at fault.
    #[expect(clippy::ref_option, reason = "templates pass what they have by reference")]
    pub(crate) fn about(error: &Option<Self>, field: &str) -> Option<String> {
        error.as_ref().filter(|error| error.field == field).map(|error| error.message.clone())
    }
}
