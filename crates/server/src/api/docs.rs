//! The OpenAPI document and its interactive page.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{Api, response::header_unless_set};

const DOCUMENT_PATH: &str = "/api/openapi.json";

/// Everything is served from this host, so that no other host learns about readers. Swagger UI uses
/// inline styles, and its icons are data URLs.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The document, serialized once.
#[derive(Clone, Debug)]
pub(crate) struct Document(Arc<str>);

impl Document {
    /// # Panics
    /// If the document cannot be serialized, a bug that the first start reveals.
    pub(super) fn new(document: &OpenApi) -> Self {
        Self(document.to_json().expect("an OpenAPI document is JSON").into())
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(openapi))
}

/// This document.
///
/// The OpenAPI 3.1 description of every route, for people at `/api/docs` and for programs here.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "Operation", security(()),
    responses((status = 200, description = "The OpenAPI document.", body = Object)),
)]
async fn openapi(State(api): State<Api>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], api.document.0.to_string())
}

/// The page, with its own policy: unlike data, it runs scripts.
pub(super) fn pages() -> Router {
    let config = Config::from(DOCUMENT_PATH)
        // Otherwise the page shows the document to validator.swagger.io.
        .validator_url("none")
        .persist_authorization(false)
        .try_it_out_enabled(true);
    Router::from(SwaggerUi::new("/api/docs").config(config))
        .layer(header_unless_set(header::CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .layer(header_unless_set(header::CACHE_CONTROL, HeaderValue::from_static("no-cache")))
}
