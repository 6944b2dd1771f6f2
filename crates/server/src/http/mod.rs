//! Everything that one listener serves: the pages and the API, each with its own errors, headers and
//! limits.

mod body;
mod connections;
mod limits;
mod server;
mod startup;

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::Response,
};
use mainstay_store::{Role, StoreError};
use tokio::net::TcpListener;
use tower::{ServiceExt as _, service_fn};
use tower_http::trace::TraceLayer;
use tracing::{Span, field};
use url::Url;

pub(crate) use body::{BodyTooSlow, is_caused_by};
pub use limits::{Limits, raise_open_files};
pub use startup::Startup;

use crate::{Mainstay, api, engagement::EventWriter, gate, web};

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

/// Refuses a viewer's request that may change something. Called where a member is recognized, by its token
/// or its session, so that no handler has to know the role.
pub(crate) fn check_method(role: Role, method: &Method) -> crate::Result<()> {
    if role.may_write() || method.is_safe() {
        return Ok(());
    }
    Err(StoreError::MayNotWrite.into())
}

/// Serves a listener until `stop` ends, and then the requests that are under way. Until `startup` is ready it
/// answers only that. Handlers find the address that asks in [`axum::extract::ConnectInfo`].
pub async fn serve_from_startup(
    listener: TcpListener,
    startup: Arc<Startup>,
    limits: Limits,
    behind_proxy: bool,
    stop: impl Future<Output = ()>,
) {
    server::serve(listener, startup, limits, behind_proxy, stop).await;
}

/// Serves a listener from the first moment on, and until it is dropped.
pub async fn serve(
    listener: TcpListener,
    mainstay: Mainstay,
    writer: EventWriter,
    site: Site,
    limits: Limits,
) {
    let (startup, behind_proxy) = (Arc::<Startup>::default(), site.behind_proxy);
    startup.is_ready(mainstay, writer, site, &limits);
    serve_from_startup(listener, startup, limits, behind_proxy, pending()).await;
}

/// Pages and API. They are told apart by the path alone, so that each also answers in its own way for
/// paths at which nothing is: one router could have only one fallback.
fn router(mainstay: Mainstay, writer: EventWriter, site: Site, limits: &Limits) -> Router {
    let api = api::router(mainstay.clone(), writer.clone(), site.clone());
    let pages = web::router(mainstay, writer, site.clone(), limits);
    let site = Arc::new(site);
    Router::new().fallback_service(service_fn(move |request: Request| {
        let router = if is_api(request.uri()) { api.clone() } else { pages.clone() };
        let (site, path) = (site.clone(), request.uri().path().to_owned());
        async move {
            let answer: Result<Response, std::convert::Infallible> = match gate::refuse(&request) {
                Some(refused) => Ok(refused),
                None => router.oneshot(request).await,
            };
            answer.map(|mut answer| {
                gate::add_headers(&site, &path, &mut answer);
                answer
            })
        }
    }))
}

fn is_api(uri: &Uri) -> bool {
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "v1" | "beacon" | "sourceConfig" | "healthz" | "readyz")
}

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
