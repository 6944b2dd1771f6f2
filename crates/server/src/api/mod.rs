//! The HTTP API: JSON in and out; every error is a problem that names the field, the limit and the
//! remedy.
//!
//! Folders follow URLs: `GET /api/v1/clients/{client_id}/scores` is `v1/clients/scores.rs`. A
//! handler says who may call it by the extractor it takes (`caller`), reads its input (`input`,
//! `body`), asks a service and turns what comes back into JSON. Nothing is decided here that a
//! command could not ask for too.

mod body;
mod caller;
mod client;
mod docs;
mod document;
mod input;
mod intake;
mod json_errors;
mod names;
mod probes;
mod problem;
mod record;
mod refused;
mod response;
mod sample;
mod segment;
mod v1;

pub(crate) use problem::Problem;
pub(crate) use v1::clients::events::{event_range, read_cursor, write_cursor};

use std::{ops::Deref, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn_with_state, map_response},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::{Mainstay, engagement::EventWriter, http::with_tracing, site::Site};

/// The state of every handler. Cloned several times per request, so it is a single pointer.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

pub(crate) struct Shared {
    mainstay: Mainstay,
    writer: EventWriter,
    site: Site,
    document: docs::Document,
    readiness: probes::Readiness,
}

/// Every route of the API, for any listener.
pub(crate) fn router(mainstay: Mainstay, writer: EventWriter, site: Site) -> Router {
    let (handlers, document) = OpenApiRouter::with_openapi(document::base(&site))
        .merge(
            OpenApiRouter::new()
                .merge(client::success::routes())
                .merge(v1::routes())
                .merge(probes::routes())
                .merge(docs::routes())
                .layer(from_fn_with_state(mainstay.clone(), sample::mark)),
        )
        // What SDKs send is answered without anybody's data, and asking whose it is costs a boxed future.
        .merge(segment::routes())
        .split_for_parts();
    let api = Api(Arc::new(Shared {
        mainstay,
        writer,
        site,
        document: docs::Document::new(&document::complete(document)),
        readiness: probes::Readiness::default(),
    }));
    let mut router = handlers
        .with_state(api)
        .merge(docs::pages())
        .fallback(response::no_route)
        .layer(DefaultBodyLimit::max(body::MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(response::panic_response))
        .layer(map_response(response::into_problem));
    for (name, value) in response::headers() {
        router = router.layer(response::header_unless_set(name, value));
    }
    with_tracing(router)
}
