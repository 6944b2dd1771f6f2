//! Common parts of all responses.

use std::any::Any;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::{MEDIA_TYPE, Problem};

/// JSON is data: a browser that opens a response must not run, frame or load anything.
const DATA_ONLY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Sets a header unless a handler has set it.
pub(super) fn header_unless_set(
    name: HeaderName,
    value: HeaderValue,
) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, value)
}

/// The headers of every response.
pub(super) const fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Clients' data must not stay behind in a proxy or on a shared computer.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, DATA_ONLY),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

/// The response for an unknown path.
pub(super) async fn no_route() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "this path does not exist; see GET /api/openapi.json or /api/docs for all paths",
    )
}

/// The response after a panic in a handler: a bug, which must not affect other requests.
#[expect(clippy::needless_pass_by_value, reason = "the signature that tower-http calls")]
pub(super) fn panic_response(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "an unexpected error occurred; see the server's log, and please report it",
    )
    .into_response()
}

/// Turns failures that never reached a handler, such as a method that a path does not have, into
/// problems like all others.
pub(super) async fn into_problem(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_problem(response.headers()) {
        return response;
    }
    let (parts, _) = response.into_parts();
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            "this path does not support this method; the Allow header lists the supported methods"
        }
        StatusCode::NOT_FOUND => "the file does not exist",
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
