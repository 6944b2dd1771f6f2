//! The span of a request, for the log.

use std::time::Duration;

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::StatusCode,
    response::Response,
};
use tower_http::trace::TraceLayer;
use tracing::{Span, field};

/// Errors are logged where they are handled; this span only names the request. It has the route,
/// not the path, which may contain a client's e-mail address or the secret of a link.
pub(crate) fn with_tracing(router: Router) -> Router {
    let traces = TraceLayer::new_for_http().make_span_with(span_of).on_failure(());
    router.layer(traces.on_response(log_refusal))
}

fn span_of(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route, by = field::Empty)
}

/// Logs rejected requests, for security monitoring. The span has the route and, if known, the
/// caller.
fn log_refusal(response: &Response, _: Duration, _: &Span) {
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        tracing::warn!(status = response.status().as_u16(), "refused");
    }
}
