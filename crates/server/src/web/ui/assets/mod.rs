//! Style sheets, script and icons: compiled in, named by their content, kept by browsers for ever.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    extract::{Path, RawQuery},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};

use crate::web::{PageError, PageResult};

/// Bytes of the hash that tell versions apart.
const VERSION_BYTES: usize = 8;
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
    version: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("tokens.css", CSS, include_str!("tokens.css")),
        ("app.css", CSS, include_str!("app.css")),
        ("components.css", CSS, include_str!("components.css")),
        ("forms.css", CSS, include_str!("forms.css")),
        #[cfg(feature = "gallery")]
        ("gallery.css", CSS, include_str!("../gallery/gallery.css")),
        ("staff.css", CSS, include_str!("staff.css")),
        ("app.js", SCRIPT, include_str!("app.js")),
        ("live.js", SCRIPT, include_str!("live.js")),
        ("mark.svg", SVG, include_str!("mark.svg")),
    ]
    .map(|(name, media_type, content)| Asset {
        name,
        media_type,
        content,
        version: version_of(content),
    })
    .into()
});

/// What tells one version of a content from another.
pub(in crate::web) fn version_of(content: &str) -> String {
    Sha256::digest(content.as_bytes())[..VERSION_BYTES].iter().fold(
        String::new(),
        |mut version, byte| {
            // Writing to a String cannot fail.
            let _ = write!(version, "{byte:02x}");
            version
        },
    )
}

fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Where a page finds an asset.
///
/// # Panics
/// When there is no such asset: a mistake in a template, found by the first test that shows it.
pub(crate) fn url(name: &str) -> String {
    let asset = find(name).unwrap_or_else(|| panic!("there is no asset {name:?}"));
    format!("/assets/{name}?v={}", asset.version)
}

/// An asset's content, to create another one of.
///
/// # Panics
/// When there is no such asset, as [`url`] does.
pub(in crate::web) fn source(name: &str) -> &'static str {
    find(name).map_or_else(|| panic!("there is no asset {name:?}"), |asset| asset.content)
}

pub(in crate::web) async fn serve(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> PageResult {
    let asset = find(&name).ok_or_else(|| PageError::not_found("There is no such file."))?;
    // Weak: compressed and plain are the same content in other bytes.
    let tag = format!("W/\"{}\"", asset.version);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|one| one.trim() == tag));
    let asked_by_version =
        query.is_some_and(|query| query.strip_prefix("v=") == Some(&asset.version));
    let mut response: Response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.media_type)], asset.content).into_response()
    };
    let kept = response.headers_mut();
    kept.insert(header::CACHE_CONTROL, if asked_by_version { IMMUTABLE } else { REVALIDATE });
    if let Ok(tag) = HeaderValue::try_from(tag) {
        kept.insert(header::ETAG, tag);
    }
    Ok(response)
}
