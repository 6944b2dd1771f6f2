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

/// Failures are logged where they are handled, once: here only the request is named. Its route and
/// not its path, in which a client's id may be an e-mail address and a link a secret.
pub(crate) fn traced(router: Router) -> Router {
    let traces = TraceLayer::new_for_http().make_span_with(span_of).on_failure(());
    router.layer(traces.on_response(log_refusal))
}

fn span_of(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route, by = field::Empty)
}

/// Whoever watches over a server looks for those who try doors that are not theirs. The span says which
/// door, and who it was where that is known.
fn log_refusal(response: &Response, _: Duration, _: &Span) {
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        tracing::warn!(status = response.status().as_u16(), "refused");
    }
}
