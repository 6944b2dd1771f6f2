//! The pages: HTML that is made here, complete without script.
//!
//! Folders follow URLs, and files are named after what they show; templates lie beside the code that
//! fills them in. A handler says who may see a page by the extractor it takes (`session`), asks a
//! service and shows what comes back in one of the shells (`shell`). What all pages have in common
//! – headers, the check where a request comes from, compression – is in `security` and here.

mod alerts;
mod assets;
mod client;
mod clients;
pub(crate) mod components;
mod email;
mod emails;
mod error_page;
mod events;
mod gallery;
mod icons;
mod input;
mod jobs;
mod live;
mod overview;
mod page;
mod pages;
mod people;
mod portfolio;
mod security;
mod session;
mod settings;
mod shell;
mod sign_in;
mod tasks;
mod text;
mod widgets;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::{IntoResponse as _, Redirect, Response},
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    Mainstay,
    engagement::EventWriter,
    http::{self, traced},
    live::Streams,
    site::Site,
};

pub(crate) use assets::url as asset;
pub(crate) use icons::icon;
pub(crate) use input::{Asked, FormError, InPath, Sent};
pub(crate) use page::{Answer, PageError, show, show_with};
pub use pages::PageRoute;
pub(crate) use pages::Pages;
pub(crate) use session::{
    AccountSession, AdminSession, ClientSession, Confirmed, Sensitive, StaffSession,
};
pub(crate) use shell::{BareShell, ClientShell, Place, Preview, StaffShell, Theme, Undelivered};

/// Largest body of a form: a score model with all its steps is a tenth of it.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) mainstay: Mainstay,
    pub(crate) writer: EventWriter,
    pub(crate) site: Arc<Site>,
    limits: Arc<sign_in::Limits>,
    streams: Arc<Streams>,
}

/// Every page with what it does, in one list: what is not in it is not served, and a test holds each
/// of them to who may see it.
fn pages() -> Pages {
    Pages::new()
        .get("/", home)
        .get("/assets/{name}", assets::serve)
        .post("/theme", shell::theme::choose)
        .and(sign_in::pages())
        .and(settings::pages())
        .and(client::pages())
        .and(portfolio::pages())
        .and(alerts::pages())
        .and(tasks::pages())
        .and(live::pages())
        .and(clients::pages())
        .and(emails::pages())
        .and(jobs::pages())
        .and(email::pages())
        .and(gallery::pages())
        .and(widgets::pages())
}

/// Method and path of every page.
pub fn page_routes() -> Vec<PageRoute> {
    pages().listed
}

/// Every page, for any listener.
pub(crate) fn router(
    mainstay: Mainstay,
    writer: EventWriter,
    site: Site,
    limits: &http::Limits,
) -> Router {
    let streams = Arc::new(Streams::new(limits));
    let limits = Arc::new(sign_in::Limits::new(&mainstay));
    let web = Web { mainstay, writer, site: Arc::new(site), limits, streams };
    let refuse_cross_site =
        middleware::from_fn_with_state(web.site.clone(), security::refuse_cross_site);
    let router = pages()
        .router
        .fallback(no_page)
        .method_not_allowed_fallback(no_such_action)
        .with_state(web.clone())
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CatchPanicLayer::custom(page::panicked))
        .layer(refuse_cross_site)
        .layer(middleware::from_fn_with_state(web, error_page::in_frame))
        .layer(middleware::from_fn(security::add_headers))
        .layer(CompressionLayer::new());
    traced(router)
}

async fn home(_: StaffSession) -> Redirect {
    Redirect::to("/portfolio")
}

async fn no_page() -> Response {
    PageError::not_found("Nothing is at this address. Check it, or go on from the start page.")
        .into_response()
}

async fn no_such_action() -> Response {
    PageError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This cannot be done here",
        "The address is right, but it takes another kind of request. Go back and use its button.",
    )
    .into_response()
}
