//! What is served while the server still starts: that it lives, and how far it is.

use std::{
    convert::Infallible,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use tokio::{sync::watch, time::timeout};
use tower::ServiceExt as _;

use super::{Limits, is_api, router};
use crate::{Mainstay, api::Problem, engagement::EventWriter, site::Site, web::PageError};

/// How long a request waits for a server that starts: opening a database takes less, a migration may take
/// longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server that starts. Once it is ready, everything is served.
#[derive(Debug, Default)]
pub struct Startup {
    router: OnceLock<Router>,
    ready: watch::Sender<bool>,
    step: Mutex<String>,
}

impl Startup {
    /// Says what is being done, for whoever asks whether the server is ready.
    pub fn tell(&self, step: String) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// From now on everything is served.
    pub fn is_ready(&self, mainstay: Mainstay, writer: EventWriter, site: Site, limits: &Limits) {
        // A second time would change nothing, and nobody does so.
        let _ = self.router.set(router(mainstay, writer, site, limits));
        self.ready.send_replace(true);
    }

    /// Answers a request, which waits a moment for a server that starts.
    pub(super) async fn answer(&self, request: Request) -> Response {
        if self.router.get().is_none() && !is_probe(&request) {
            let mut ready = self.ready.subscribe();
            // Whether it is ready by then is looked up below.
            let _ = timeout(PATIENCE, ready.wait_for(|ready| *ready)).await;
        }
        let Some(router) = self.router.get() else { return self.not_ready(&request) };
        let answer: Result<Response, Infallible> = router.clone().oneshot(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    fn not_ready(&self, request: &Request) -> Response {
        if request.uri().path() == "/healthz" {
            return Json(json!({"status": "ok"})).into_response();
        }
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let step = if step.is_empty() { "starting".to_owned() } else { step };
        if is_api(request.uri()) {
            return Problem::unavailable(step).into_response();
        }
        PageError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Mainstay is starting",
            format!("It is {step}. Load this page again in a moment."),
        )
        .into_response()
    }
}

/// Whether somebody asks for the state of the server, and wants to know it now.
fn is_probe(request: &Request) -> bool {
    matches!(request.uri().path(), "/healthz" | "/readyz")
}
