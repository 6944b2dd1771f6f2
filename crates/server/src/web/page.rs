//! Showing a page, and showing that there is none.

use std::{any::Any, sync::Arc};

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use mainstay_store::StoreError;
use url::form_urlencoded;

use super::{BareShell, Theme, ui::icons};
use crate::Error;

/// What a handler of a page answers.
pub(crate) type PageResult = Result<Response, PageError>;

/// Where a shell leaves room for the icons of its page.
const ICONS: &str = "<!--icons-->";

/// Shows a page.
pub(crate) fn show(template: &impl Template) -> PageResult {
    show_with(StatusCode::OK, template)
}

/// Shows a page with another status than 200.
pub(crate) fn show_with(status: StatusCode, template: &impl Template) -> PageResult {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        PageError::internal()
    })?;
    let icons = icons::definitions(&html);
    Ok((status, Html(html.replacen(ICONS, &icons, 1))).into_response())
}

/// Why there is no page to show. Boxed, because it travels in every handler's `Result`.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Nobody is signed in.
    SignIn {
        /// Where to go on afterwards.
        next: Option<String>,
        /// Whether somebody was.
        ended: bool,
    },
    /// Anything that is told on a page of its own.
    Message(Box<ErrorMessage>),
}

/// A failure as a page tells it.
#[derive(Debug)]
pub(crate) struct ErrorMessage {
    status: StatusCode,
    title: String,
    detail: String,
    back: Option<(&'static str, &'static str)>,
    retry_after_seconds: Option<u64>,
}

impl ErrorMessage {
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// What a link back says and where it leads, where there is a better place than where one begins.
    pub(super) const fn back(&self) -> Option<(&'static str, &'static str)> {
        self.back
    }
}

#[derive(Template)]
#[template(path = "shell/error.html")]
struct ErrorPage<'a> {
    shell: BareShell,
    message: &'a ErrorMessage,
}

impl PageError {
    /// A failure: what is so, and what to do.
    pub(crate) fn new(
        status: StatusCode,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::Message(Box::new(ErrorMessage {
            status,
            title: title.into(),
            detail: detail.into(),
            back: None,
            retry_after_seconds: None,
        }))
    }

    /// Page not found or thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Page not found", detail)
    }

    /// Whoever is asking may not.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Not allowed", detail)
    }

    /// Something that was sent cannot be used, and no form is there to say so.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Check this value", detail)
    }

    /// Too often; the page says when to try again.
    pub(crate) fn too_many_requests(detail: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", detail)
            .retry_after(retry_after_seconds)
    }

    /// A mistake in the code or a database that fails; the log says more.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal server error",
            "Try again. If it keeps happening, see the server's log.",
        )
    }

    /// Another way back than to the start page.
    pub(crate) fn back(mut self, label: &'static str, path: &'static str) -> Self {
        if let Self::Message(message) = &mut self {
            message.back = Some((label, path));
        }
        self
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        if let Self::Message(message) = &mut self {
            message.retry_after_seconds = Some(seconds);
        }
        self
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        let message = sentence(&error.to_string());
        match error {
            Error::Invalid { .. } => Self::invalid(message),
            Error::NotFound { .. } => Self::not_found(message),
            Error::Forbidden(_) | Error::Store(StoreError::MayNotWrite) => Self::forbidden(message),
            Error::Conflict { .. } => {
                Self::new(StatusCode::CONFLICT, "It has changed in the meantime", message)
            }
            Error::Busy { retry_after_seconds } | Error::TooFast { retry_after_seconds, .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "The server is busy", message)
                    .retry_after(retry_after_seconds)
            }
            Error::Unavailable { retry_after_seconds } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", message)
                    .retry_after(retry_after_seconds)
            }
            Error::Store(StoreError::Conflict) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Conflicting change",
                "Somebody else changed this at the same moment, and your change was not saved. Try again.",
            )
            .retry_after(1),
            Error::Store(error @ (StoreError::Unavailable(_) | StoreError::FileGone(_))) => {
                tracing::error!(%error, "a page found the database unavailable");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Service unavailable",
                    "The database does not respond. Try again in a moment. If it keeps happening, see the server's \
                     log.",
                )
                .retry_after(1)
            }
            Error::Panicked(_) => Self::internal(),
            Error::Store(error) => {
                tracing::error!(%error, "a page failed in the database");
                Self::internal()
            }
        }
    }
}

/// A service's message as a sentence of its own.
pub(super) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    let mut sentence: String = first.chain(chars).collect();
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let message = match self {
            Self::SignIn { next, ended } => {
                return Redirect::to(&sign_in(next, ended)).into_response();
            }
            Self::Message(message) => message,
        };
        let page = ErrorPage { shell: BareShell { theme: Theme::System }, message: &message };
        // An error page that cannot be written is still a truthful status.
        let mut response =
            show_with(message.status, &page).unwrap_or_else(|_| message.status.into_response());
        if let Some(seconds) = message.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::<ErrorMessage>::from(message));
        response
    }
}

fn sign_in(next: Option<String>, ended: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(next) = next {
        query.append_pair("next", &next);
    }
    if ended {
        query.append_pair("notice", "ended");
    }
    let query = query.finish();
    if query.is_empty() { "/sign-in".to_owned() } else { format!("/sign-in?{query}") }
}

/// A handler panicked: a mistake in the code, which must not take others' requests down with it.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http calls")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a page panicked");
    PageError::internal().into_response()
}
