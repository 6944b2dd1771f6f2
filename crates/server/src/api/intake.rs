//! Bodies that bring events: let in as they arrive, unpacked where they are packed.

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
    body::{MAX_BATCH_BYTES, broken_off},
    problem::Problem,
};
use crate::{
    Error,
    access::CallerKey,
    engagement::{Admission, BodyOwner, EventWriter},
    http::{BodyTooSlow, is_caused_by},
};

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

/// Reads a body of at most 4 MiB, unpacked or not. Who may send nothing at all is refused before this: a key in
/// the header is looked up first.
pub(crate) async fn read(request: Request, writer: &EventWriter) -> Result<Sent, Problem> {
    let told = length_of(request.headers());
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BATCH_BYTES} bytes (4 MiB); send it in parts"),
        )
        .field("body")
        .limit(MAX_BATCH_BYTES as u64)
    };
    if told.is_some_and(|bytes| bytes > MAX_BATCH_BYTES) {
        return Err(too_large());
    }
    // What would be refused when it is there need not come.
    writer.check_room(told.unwrap_or(0))?;
    let owner = owner_of(&request);
    let bytes = receive(request.into_body(), owner, writer).await?.ok_or_else(too_large)?;
    let mut admission = writer.admit(bytes.len())?;
    if !bytes.starts_with(&GZIP) {
        let bytes = readable(bytes, &mut admission)?;
        return Ok(Sent { bytes, admission });
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(&bytes[..])
        .take(MAX_BATCH_BYTES as u64 + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                format!("the body begins like gzip and cannot be unpacked: {error}; send it again"),
            )
            .field("body")
        })?;
    if unpacked.len() > MAX_BATCH_BYTES {
        return Err(too_large());
    }
    admission.grow(unpacked.len().saturating_sub(bytes.len()))?;
    let bytes = readable(unpacked.into(), &mut admission)?;
    Ok(Sent { bytes, admission })
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

/// Receives a body; `None` for one that is too large. It takes memory as it arrives, and may have to give it
/// back to one that arrives faster.
async fn receive(
    mut body: Body,
    owner: BodyOwner,
    writer: &EventWriter,
) -> Result<Option<Bytes>, Problem> {
    let busy = || Problem::from(Error::Busy { retry_after_seconds: 1 });
    let mut arriving = None;
    let mut received = Received::default();
    loop {
        // Most bodies are there at once, and need not be counted beside others.
        let at_once = body.frame().now_or_never();
        let frame = if let Some(frame) = at_once {
            frame
        } else {
            let waiting = match &mut arriving {
                Some(waiting) => waiting,
                none => {
                    let mut begun = writer.arrivals().begin(owner);
                    if !begun.came(received.len()).await {
                        return Err(busy());
                    }
                    none.insert(begun)
                }
            };
            tokio::select! {
                frame = body.frame() => frame,
                () = waiting.gives_way() => return Err(busy()),
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
            Some(Err(error)) => return Err(broken_off(&error)),
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        if received.len() + data.len() > MAX_BATCH_BYTES {
            return Ok(None);
        }
        if let Some(arriving) = &mut arriving
            && !arriving.came(data.len()).await
        {
            return Err(busy());
        }
        received.add(data);
    }
}

/// What came of a body so far: not copied while it is one piece.
#[derive(Default)]
struct Received {
    piece: Bytes,
    pieces: Vec<u8>,
}

impl Received {
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

impl From<Received> for Bytes {
    fn from(received: Received) -> Self {
        if received.pieces.is_empty() { received.piece } else { received.pieces.into() }
    }
}

fn owner_of(request: &Request) -> BodyOwner {
    if let Some(Ok(credential)) = request.headers().get(header::AUTHORIZATION).map(|it| it.to_str())
    {
        return BodyOwner::Credential(CallerKey::of(credential));
    }
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    BodyOwner::Address(connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip()))
}

fn length_of(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
