//! Everything that one listener serves: the pages and the API, each with its own errors, headers and
//! limits.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{MatchedPath, Request, connect_info::IntoMakeServiceWithConnectInfo},
    http::{HeaderMap, Uri, header},
    response::Response,
};
use tower::{ServiceExt as _, service_fn};
use tower_http::trace::TraceLayer;
use tracing::Span;
use url::Url;

use crate::{Mainstay, api, engagement::EventWriter, web};

/// How the server is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where links lead: scheme, host and port.
    pub public_url: Url,
    /// Whether somebody chose that address, rather than that it is the one listened on.
    pub chosen: bool,
    /// Whether every request comes through a proxy whose `X-Forwarded-*` headers say who asks.
    pub behind_proxy: bool,
    /// Whether this is the demo, with all that is only there to be looked at.
    pub demo: bool,
}

impl Site {
    /// A server on this machine, reached where it listens.
    ///
    /// # Panics
    /// Never: a socket address makes a URL.
    pub fn local(address: SocketAddr) -> Self {
        let public_url = Url::parse(&format!("http://{address}")).expect("an address makes a URL");
        Self { public_url, chosen: false, behind_proxy: false, demo: false }
    }

    /// The address by which a request has reached us, for what is copied from its page: what somebody
    /// chose, or else the host that the browser asked for.
    pub(crate) fn reached(&self, headers: &HeaderMap) -> Url {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let asked = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
        asked.filter(|_| !self.chosen).unwrap_or_else(|| self.public_url.clone())
    }

    /// The address of a path, for somebody who is not on a page yet.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}

/// What answers every request of a listener. Handlers find the address that asks in
/// [`axum::extract::ConnectInfo`].
pub fn service(
    mainstay: Mainstay,
    writer: EventWriter,
    site: Site,
) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    router(mainstay, writer, site).into_make_service_with_connect_info()
}

/// Pages and API. They are told apart by the path alone, so that each also answers in its own way for
/// paths at which nothing is: one router could have only one fallback.
fn router(mainstay: Mainstay, writer: EventWriter, site: Site) -> Router {
    let api = api::router(mainstay.clone(), writer.clone(), site.clone());
    let pages = web::router(mainstay, writer, site);
    Router::new().fallback_service(service_fn(move |request: Request| {
        let router = if is_api(request.uri()) { api.clone() } else { pages.clone() };
        async move {
            let answer: Result<Response, std::convert::Infallible> = router.oneshot(request).await;
            answer
        }
    }))
}

fn is_api(uri: &Uri) -> bool {
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "v1" | "healthz" | "readyz")
}

/// Failures are logged where they are handled, once: here only the request is named. Its route and
/// not its path, in which a client's id may be an e-mail address and a link a secret.
pub(crate) fn traced(router: Router) -> Router {
    router.layer(TraceLayer::new_for_http().make_span_with(span_of).on_failure(()))
}

fn span_of(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route)
}
