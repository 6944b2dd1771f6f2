//! What every answer has in common, whichever handler gave it.

use std::any::Any;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::{MEDIA_TYPE, Problem};

/// JSON is data: a browser that is led to an answer must not run, frame or load anything.
const DATA_ONLY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Sets a header where a handler has not set its own.
pub(super) fn header_unless_set(
    name: HeaderName,
    value: HeaderValue,
) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, value)
}

/// The headers of every answer.
pub(super) const fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Clients' data must not stay behind in a proxy or on a shared computer.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, DATA_ONLY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

/// Nothing is served at this path.
pub(super) async fn no_route() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "nothing is served at this path; GET /api/openapi.json lists what is, and /api/docs shows it",
    )
}

/// A handler panicked: a mistake in the code, which must not take others' requests down with it.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http calls")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "this should not have happened; the server's log says more, please report it",
    )
    .into_response()
}

/// Turns failures that never reached a handler, such as a method that a path does not have, into
/// problems like all others.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_problem(response.headers()) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path does not have this method; the header Allow lists those it has"
        }
        StatusCode::NOT_FOUND => "there is no such file",
        _ => "the request could not be read",
    };
    let problem = Problem::new(status, detail).into_response();
    let (made, body) = problem.into_parts();
    let mut response = Response::from_parts(parts, Body::new(body));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.extend(made.headers);
    response
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes() == MEDIA_TYPE.as_bytes())
}
