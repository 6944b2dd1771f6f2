use std::sync::LazyLock;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::web::ui::assets::{source, version_of};

/// Stands in the script for the version of the style sheet that goes with it.
const STYLE_VERSION: &str = "STYLE_VERSION";
/// A script's address is written into other people's pages, so it cannot name its version.
const SCRIPT_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
const STYLE_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The pages' own style sheets, for a tree whose root is the widget's element and not a document.
static STYLE: LazyLock<String> = LazyLock::new(|| {
    let tokens = source("tokens.css")
        .replace(":root {", ":host {")
        .replace("[data-theme=\"light\"] {", ":host([theme=\"light\"]) {")
        .replace("[data-theme=\"dark\"] {", ":host([theme=\"dark\"]) {");
    [&tokens, source("app.css"), source("components.css"), include_str!("widgets.css")].join("\n")
});

static SCRIPT: LazyLock<String> =
    LazyLock::new(|| include_str!("widgets.js").replace(STYLE_VERSION, &version_of(&STYLE)));

pub(super) async fn style() -> Response {
    sent("text/css; charset=utf-8", &STYLE, STYLE_CACHE)
}

pub(super) async fn script() -> Response {
    sent("text/javascript; charset=utf-8", &SCRIPT, SCRIPT_CACHE)
}

/// Neither holds anybody's data: any site may load them.
fn sent(media_type: &'static str, content: &'static str, kept: HeaderValue) -> Response {
    let mut response = ([(header::CONTENT_TYPE, media_type)], content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, kept);
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    response
}
