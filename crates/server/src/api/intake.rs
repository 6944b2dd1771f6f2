//! Bodies with events: received within limits, and decompressed.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{
    body::{Body, Bytes},
    extract::{ConnectInfo, Request},
    http::{HeaderMap, StatusCode, header},
};
use flate2::read::MultiGzDecoder;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;

use super::{
    body::{MAX_BATCH_BYTES, body_error},
    problem::Problem,
};
use crate::{
    Error,
    access::CallerKey,
    engagement::{Admission, BodyOwner, EventWriter},
    http::{BodyTooSlow, is_caused_by},
};

/// The magic bytes of gzip. Headers are not reliable: one SDK sends compressed data as a form, and
/// proxies decompress without removing the header.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A body, with its reserved memory.
pub(crate) struct ReceivedBody {
    /// The decompressed body.
    pub(crate) bytes: Bytes,
    /// Held until its events are stored.
    pub(crate) admission: Admission,
}

/// Reads a body of at most 4 MiB, before and after decompression. Callers that must not send
/// anything are rejected before: a key in the header is checked first.
pub(crate) async fn read(request: Request, writer: &EventWriter) -> Result<ReceivedBody, Problem> {
    let content_length = length_of(request.headers());
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BATCH_BYTES} bytes (4 MiB); send it in parts"),
        )
        .field("body")
        .limit(MAX_BATCH_BYTES as u64)
    };
    if content_length.is_some_and(|bytes| bytes > MAX_BATCH_BYTES) {
        return Err(too_large());
    }
    // What would be refused when it is there need not come.
    writer.check_room(content_length.unwrap_or(0))?;
    let owner = owner_of(&request);
    let bytes = receive(request.into_body(), owner, writer).await?.ok_or_else(too_large)?;
    let mut admission = writer.admit(bytes.len())?;
    if !bytes.starts_with(&GZIP) {
        let bytes = readable(bytes, &mut admission)?;
        return Ok(ReceivedBody { bytes, admission });
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&bytes[..])
        .take(MAX_BATCH_BYTES as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!(
                    "the body starts like gzip but cannot be decompressed: {error}; send it again"
                ),
            )
            .field("body")
        })?;
    if unpacked.len() > MAX_BATCH_BYTES {
        return Err(too_large());
    }
    admission.grow(unpacked.len().saturating_sub(bytes.len()))?;
    let bytes = readable(unpacked.into(), &mut admission)?;
    Ok(ReceivedBody { bytes, admission })
}

/// Replaces invalid UTF-8 with an escaped lone surrogate, so that only the message that contains it is
/// refused, by field, and the rest of the request is read.
fn readable(bytes: Bytes, admission: &mut Admission) -> Result<Bytes, Problem> {
    if std::str::from_utf8(&bytes).is_ok() {
        return Ok(bytes);
    }
    let mut read = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        read.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            read.extend_from_slice(br"\ud800");
        }
        if read.len() > 2 * MAX_BATCH_BYTES {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "the body is not UTF-8; send JSON as UTF-8".to_owned(),
            )
            .field("body"));
        }
    }
    admission.grow(read.len().saturating_sub(bytes.len()))?;
    Ok(read.into())
}

/// Receives a body; `None` if it is too large. It reserves memory as it arrives, and may be evicted
/// in favour of a faster one.
async fn receive(
    mut body: Body,
    owner: BodyOwner,
    writer: &EventWriter,
) -> Result<Option<Bytes>, Problem> {
    let busy = || Problem::from(Error::Busy { retry_after_seconds: 1 });
    let mut incoming = None;
    let mut received = BodyBuffer::default();
    loop {
        // Most bodies are there at once, and need not be counted beside others.
        let at_once = body.frame().now_or_never();
        let frame = if let Some(frame) = at_once {
            frame
        } else {
            let body_slot = match &mut incoming {
                Some(body_slot) => body_slot,
                none => {
                    let mut registered = writer.incoming_bodies().register(owner);
                    if !registered.reserve(received.len()).await {
                        return Err(busy());
                    }
                    none.insert(registered)
                }
            };
            tokio::select! {
                frame = body.frame() => frame,
                () = body_slot.wait_for_eviction() => return Err(busy()),
            }
        };
        let data = match frame {
            None => return Ok(Some(received.into())),
            // SDKs throw away what is answered with 408.
            Some(Err(error)) if is_caused_by::<BodyTooSlow>(&error) => {
                return Err(Problem::unavailable(
                    "the body took too long to arrive; send it again, in smaller parts over a slow \
                     connection",
                ));
            }
            Some(Err(error)) => return Err(body_error(&error)),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if received.len() + data.len() > MAX_BATCH_BYTES {
            return Ok(None);
        }
        if let Some(incoming) = &mut incoming
            && !incoming.reserve(data.len()).await
        {
            return Err(busy());
        }
        received.add(data);
    }
}

/// The part of a body received so far, not copied while it is one piece.
#[derive(Default)]
struct BodyBuffer {
    piece: Bytes,
    pieces: Vec<u8>,
}

impl BodyBuffer {
    fn len(&self) -> usize {
        self.piece.len() + self.pieces.len()
    }

    fn add(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.piece = data;
            return;
        }
        if self.pieces.is_empty() {
            self.pieces = std::mem::take(&mut self.piece).into();
        }
        self.pieces.extend_from_slice(&data);
    }
}

impl From<BodyBuffer> for Bytes {
    fn from(received: BodyBuffer) -> Self {
        if received.pieces.is_empty() { received.piece } else { received.pieces.into() }
    }
}

fn owner_of(request: &Request) -> BodyOwner {
    if let Some(Ok(credential)) = request.headers().get(header::AUTHORIZATION).map(|it| it.to_str())
    {
        return BodyOwner::Credential(CallerKey::from_credential(credential));
    }
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    BodyOwner::Address(connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip()))
}

fn length_of(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
