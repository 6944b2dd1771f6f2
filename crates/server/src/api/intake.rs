//! Bodies that bring events: let in before they are read, unpacked where they are packed.

use std::io::Read as _;

use axum::{
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;

use super::{body::MAX_BODY_BYTES, problem::Problem};
use crate::engagement::{Admission, EventWriter};

/// What every gzip stream begins with. Told by that and not by its headers: one SDK sends what it
/// packed as a form, and proxies unpack without taking the header away.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A body, and its share of the memory that may be taken.
pub(crate) struct Sent {
    /// What was sent, unpacked.
    pub(crate) bytes: Bytes,
    /// Held until what it brings is stored.
    pub(crate) admission: Admission,
}

/// Reads a body of at most 500 KiB, unpacked or not. `too_large` is the status of a larger one.
pub(crate) async fn read(
    request: Request,
    writer: &EventWriter,
    too_large: StatusCode,
) -> Result<Sent, Problem> {
    let told = length_of(request.headers());
    let too_large = || {
        Problem::new(
            too_large,
            format!("the body is larger than {MAX_BODY_BYTES} bytes (500 KiB); send it in parts"),
        )
        .field("body")
        .limit(MAX_BODY_BYTES as u64)
    };
    if told.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    // A body that does not tell its length may have any that is allowed.
    let mut admission = writer.admit(told.unwrap_or(MAX_BODY_BYTES))?;
    let bytes = match to_bytes(request.into_body(), MAX_BODY_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) if is_length(&error) => return Err(too_large()),
        Err(_) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off; send it again"));
        }
    };
    if !bytes.starts_with(&GZIP) {
        return Ok(Sent { bytes, admission });
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&bytes[..])
        .take(MAX_BODY_BYTES as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the body begins like gzip and cannot be unpacked: {error}; send it again"),
            )
            .field("body")
        })?;
    if unpacked.len() > MAX_BODY_BYTES {
        return Err(too_large());
    }
    admission.grow(unpacked.len().saturating_sub(told.unwrap_or(MAX_BODY_BYTES)))?;
    Ok(Sent { bytes: unpacked.into(), admission })
}

fn length_of(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_length(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
