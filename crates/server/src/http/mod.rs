//! Everything that one listener serves: the pages and the API, each with its own errors, headers and
//! limits.

mod body;
mod connections;
mod gate;
mod limits;
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
pub(crate) use trace::traced;

use crate::{Mainstay, api, engagement::EventWriter, site::Site, web};

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
