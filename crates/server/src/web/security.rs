//! What holds for every page: where a request may come from, and what a browser may do with the
//! answer.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{PageError, public::mail_links::allows_cross_site};
use crate::site::Site;

/// What a browser says of where a request comes from.
pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Everything comes from here, nothing is inline: what somebody smuggles into a page as text cannot
/// run, load or send anything.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors ";

/// The sites that may show the page of a request in a frame: nobody, until an extractor says so.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameAncestors(Arc<OnceLock<Vec<String>>>);

impl FrameAncestors {
    /// Lets sites show this page in a frame.
    pub(super) fn allow(&self, origins: Vec<String>) {
        // Whoever came first knew whose page it is.
        let _ = self.0.set(origins);
    }

    fn policy(&self) -> HeaderValue {
        let origins = self.0.get().filter(|origins| !origins.is_empty());
        let allowed = origins.map_or_else(|| "'none'".to_owned(), |origins| origins.join(" "));
        // Origins are checked before they are stored; should one be odd all the same, then none.
        HeaderValue::try_from(format!("{POLICY}{allowed}"))
            .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    }
}

/// Lets a page show others of ours in a frame; nobody may show the page itself in one.
pub(super) fn with_own_frames(mut response: Response) -> Response {
    let policy = format!("{POLICY}'none'; frame-src 'self'");
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Adds the headers of every page where it has not set its own.
pub(super) async fn add_headers(mut request: Request, next: Next) -> Response {
    let ancestors = FrameAncestors::default();
    request.extensions_mut().insert(ancestors.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, ancestors.policy()),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Not no-referrer: with that, browsers that do not send Sec-Fetch-Site say "Origin: null" of
        // our own forms too.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
        // Clients' data must not stay behind in a proxy or on a shared computer.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store, private")),
    ] {
        headers.entry(name).or_insert(value);
    }
    response
}

/// Refuses what another site makes a browser do here, with the cookies that the browser adds by
/// itself. No page changes anything on GET.
pub(super) async fn refuse_cross_site(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        || is_same_site(&site, request.headers())
        || allows_cross_site(request.uri().path())
    {
        return next.run(request).await;
    }
    PageError::forbidden(
        "This was sent from another site, so it was not done. Open the page here and use its button.",
    )
    .into_response()
}

fn is_same_site(site: &Site, headers: &HeaderMap) -> bool {
    // A browser adds no token by itself: whoever sends one knows it.
    let bearer = |value: &HeaderValue| {
        value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    };
    if headers.get(header::AUTHORIZATION).is_some_and(bearer) {
        return true;
    }
    match (headers.get(SEC_FETCH_SITE), headers.get(header::ORIGIN)) {
        // "none" is a person: an address typed, a bookmark.
        (Some(site), _) => matches!(site.as_bytes(), b"same-origin" | b"none"),
        (None, Some(origin)) => is_own(origin, headers) || is_public(site, origin),
        // No browser: they send at least the latter with every form.
        (None, None) => true,
    }
}

/// Whether an origin has our own host and port. The scheme is not compared, because a proxy may take
/// HTTPS off.
pub(super) fn is_own(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host_of = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_owned());
    let origin = origin.to_str().ok().and_then(host_of);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// Whether an origin is the address that people use: a proxy may call the server by another name.
fn is_public(site: &Site, origin: &HeaderValue) -> bool {
    site.is_public_url_configured
        && origin.as_bytes() == site.public_url.origin().ascii_serialization().as_bytes()
}
