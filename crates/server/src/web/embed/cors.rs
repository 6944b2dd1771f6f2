use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// How long a browser remembers what it may send, in seconds.
const PREFLIGHT_TTL: HeaderValue = HeaderValue::from_static("600");

/// Marks an answer that the asking site may not read, because the organization has not allowed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SiteRefused;

/// Lets other sites ask and, unless the answer says otherwise, read.
///
/// Whether a site may ask is only known once its token is: a browser's question before the request
/// carries none, so every site may ask. What is read without a good token says only that.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = next.run(request).await;
    let refused = response.extensions().get::<SiteRefused>().is_some();
    if let Some(origin) = origin.filter(|_| !refused) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// What a browser may send, which it asks before it sends it.
pub(super) async fn before_request() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_TTL);
    response
}
