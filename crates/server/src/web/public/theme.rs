//! `/theme`: choosing how pages look.

use axum::{
    http::{HeaderMap, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use crate::web::{
    Form, Pages, Theme,
    session::cookie::set_plain,
    ui::{shell::COOKIE, text::local_path},
};

pub(in crate::web) fn pages() -> Pages {
    Pages::new().post("/theme", choose)
}

#[derive(Deserialize)]
struct Choice {
    theme: Theme,
}

/// Remembers how pages are to look, in this browser, and goes back to where that was chosen.
async fn choose(headers: HeaderMap, Form(choice): Form<Choice>) -> Response {
    let came_from = headers.get(header::REFERER).and_then(|url| url.to_str().ok());
    let came_from = came_from
        .and_then(|url| url::Url::parse(url).ok())
        .and_then(|url| local_path(&url[url::Position::BeforePath..url::Position::AfterQuery]));
    let back = Redirect::to(came_from.as_deref().unwrap_or("/"));
    ([(header::SET_COOKIE, set_plain(COOKIE, choice.theme.as_str()))], back).into_response()
}
