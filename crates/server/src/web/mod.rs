//! The pages: HTML that is made here, complete without script.
//!
//! Pages are sorted by who looks at them: `staff`, a client on its own page (`portal`), anybody (`public`), and
//! the users of other apps (`embed`). A page is a folder with its form and its templates. What they are made of
//! is in `ui`; what several of them show of a client is in `overview` and `events`. A handler says who may see
//! a page by the extractor it takes (`session`), asks a service and shows what comes back in one of the frames
//! (`ui::shell`). What all pages have in common – headers, the check where a request comes from, compression –
//! is in `security` and here.

mod embed;
mod error_page;
mod events;
mod input;
mod overview;
mod page;
mod pages;
mod portal;
mod public;
mod security;
mod session;
mod staff;
mod ui;

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
    http::{Limits, with_tracing},
    live::Streams,
    site::Site,
};

pub(crate) use input::{Form, FormError, Path, Query};
pub(crate) use page::{PageError, PageResult, show, show_with};
pub use pages::PageRoute;
pub(crate) use pages::Pages;
pub(crate) use session::{
    AccountSession, AdminSession, ClientSession, Confirmed, Preview, Sensitive, StaffSession,
};
pub(crate) use ui::assets::url as asset;
pub(crate) use ui::icons::icon;
pub(crate) use ui::shell::{BareShell, ClientShell, Place, StaffShell, Theme, Undelivered};
use ui::text;

/// Largest body of a form: a score model with all its steps is a tenth of it.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// What every page needs.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) mainstay: Mainstay,
    pub(crate) writer: EventWriter,
    pub(crate) site: Arc<Site>,
    limits: Arc<public::sign_in::Limits>,
    streams: Arc<Streams>,
}

/// Every page with what it does, in one list: what is not in it is not served, and a test holds each
/// of them to who may see it.
fn pages() -> Pages {
    let pages = Pages::new()
        .get("/", home)
        .get("/assets/{name}", ui::assets::serve)
        .and(public::theme::pages())
        .and(public::sign_in::pages())
        .and(staff::settings::pages())
        .and(portal::pages())
        .and(staff::portfolio::pages())
        .and(staff::alerts::pages())
        .and(staff::tasks::pages())
        .and(staff::live::pages())
        .and(staff::client::pages())
        .and(staff::emails::pages())
        .and(staff::jobs::pages())
        .and(public::mail_links::pages())
        .and(embed::pages());
    #[cfg(feature = "gallery")]
    let pages = pages.and(ui::gallery::pages());
    pages
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
    limits: &Limits,
) -> Router {
    let streams = Arc::new(Streams::new(limits));
    let limits = Arc::new(public::sign_in::Limits::new(&mainstay));
    let web = Web { mainstay, writer, site: Arc::new(site), limits, streams };
    let refuse_cross_site =
        middleware::from_fn_with_state(web.site.clone(), security::refuse_cross_site);
    let router = pages()
        .router
        .fallback(page_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(web.clone())
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .layer(CatchPanicLayer::custom(page::panicked))
        .layer(refuse_cross_site)
        .layer(middleware::from_fn_with_state(web, error_page::in_frame))
        .layer(middleware::from_fn(security::add_headers))
        .layer(CompressionLayer::new());
    with_tracing(router)
}

async fn home(_: StaffSession) -> Redirect {
    Redirect::to("/portfolio")
}

async fn page_not_found() -> Response {
    PageError::not_found("There is no page at this address. Check it, or go to the start page.")
        .into_response()
}

async fn method_not_allowed() -> Response {
    PageError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This page can’t be opened directly",
        "This address only accepts forms. Go back and use the button.",
    )
    .into_response()
}
