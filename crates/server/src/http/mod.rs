//! The HTTP service: pages and API, each with its own errors, headers and limits.

mod body;
mod connections;
mod limits;
mod request_checks;
mod server;
mod startup;
mod trace;

use std::{future::pending, sync::Arc};

use axum::{Router, extract::Request, http::Uri, response::Response};
use tokio::net::TcpListener;
use tower::{ServiceExt as _, service_fn};

pub(crate) use body::{BodyTooSlow, is_caused_by};
pub use limits::{Limits, raise_open_files};
pub use startup::Startup;
pub(crate) use trace::with_tracing;

use crate::{Mainstay, api, engagement::EventWriter, site::Site, web};

/// Serves a listener until `stop` completes, and then finishes open requests. Until `startup` is
/// ready, only its state is served. Handlers find the peer address in [`axum::extract::ConnectInfo`].
pub async fn serve_from_startup(
    listener: TcpListener,
    startup: Arc<Startup>,
    limits: Limits,
    behind_proxy: bool,
    stop: impl Future<Output = ()>,
) {
    server::serve(listener, startup, limits, behind_proxy, stop).await;
}

/// Serves a listener without startup and shutdown, until it is dropped.
pub async fn serve(
    listener: TcpListener,
    mainstay: Mainstay,
    writer: EventWriter,
    site: Site,
    limits: Limits,
) {
    let (startup, behind_proxy) = (Arc::<Startup>::default(), site.behind_proxy);
    startup.set_ready(mainstay, writer, site, &limits);
    serve_from_startup(listener, startup, limits, behind_proxy, pending()).await;
}

/// Pages and API, separated by the path, so that each has its own fallback for unknown paths.
fn router(mainstay: Mainstay, writer: EventWriter, site: Site, limits: &Limits) -> Router {
    let api = api::router(mainstay.clone(), writer.clone(), site.clone());
    let pages = web::router(mainstay, writer, site.clone(), limits);
    let site = Arc::new(site);
    Router::new().fallback_service(service_fn(move |request: Request| {
        let router = if is_api(request.uri()) { api.clone() } else { pages.clone() };
        let (site, path) = (site.clone(), request.uri().path().to_owned());
        async move {
            let answer: Result<Response, std::convert::Infallible> =
                match request_checks::refuse(&request) {
                    Some(refused) => Ok(refused),
                    None => router.oneshot(request).await,
                };
            answer.map(|mut answer| {
                request_checks::add_headers(&site, &path, &mut answer);
                answer
            })
        }
    }))
}

fn is_api(uri: &Uri) -> bool {
    let first = uri.path().split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "v1" | "beacon" | "sourceConfig" | "healthz" | "readyz")
}
