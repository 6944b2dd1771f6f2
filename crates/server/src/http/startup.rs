//! Responses while the server is starting.

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

/// How long a request waits for a starting server: longer than opening a database, shorter than
/// some migrations.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(3);

/// A starting server.
#[derive(Debug, Default)]
pub struct Startup {
    router: OnceLock<Router>,
    ready: watch::Sender<bool>,
    step: Mutex<String>,
}

impl Startup {
    /// Sets the current step, for the readiness probe.
    pub fn set_step(&self, step: String) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// Starts serving all requests.
    pub fn set_ready(&self, mainstay: Mainstay, writer: EventWriter, site: Site, limits: &Limits) {
        // A second time would change nothing, and nobody does so.
        let _ = self.router.set(router(mainstay, writer, site, limits));
        self.ready.send_replace(true);
    }

    /// Responds to a request, which waits a moment for a starting server.
    pub(super) async fn respond(&self, request: Request) -> Response {
        if self.router.get().is_none() && !is_probe(&request) {
            let mut ready = self.ready.subscribe();
            // Whether it is ready by then is looked up below.
            let _ = timeout(STARTUP_TIMEOUT, ready.wait_for(|ready| *ready)).await;
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
            format!("Current step: {step}. Reload this page in a moment."),
        )
        .into_response()
    }
}

/// Whether the request is a probe, which must not wait.
fn is_probe(request: &Request) -> bool {
    matches!(request.uri().path(), "/healthz" | "/readyz")
}
