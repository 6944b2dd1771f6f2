//! The listener: accepts connections within limits, and closes timed-out ones.

use std::{
    convert::Infallible,
    io::{self, IoSlice, Write as _},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::ConnectInfo,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    Limits, Startup,
    body::{ResponseBody, TimedBody},
    connections::{Connection, ConnectionPermit, Connections},
};

/// How often to check for timed-out connections.
const TICK: Duration = Duration::from_secs(1);
/// Maximum size of a request head.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The response for a connection that cannot be admitted.
const SERVICE_UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
                         Content-Length: 0\r\n\r\n";

/// Serves a listener until `stop` completes, and then finishes open requests.
pub(super) async fn serve(
    listener: TcpListener,
    startup: Arc<Startup>,
    limits: Limits,
    behind_proxy: bool,
    stop: impl Future<Output = ()>,
) {
    let connections = Connections::new(limits, behind_proxy);
    let stopping = watch::Sender::new(false);
    let mut running = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => match connections.admit(address.ip()) {
                    Some(permit) => {
                        let connection = handle(stream, address, permit, Arc::clone(&startup), stopping.subscribe());
                        running.spawn(connection);
                    }
                    None => refuse(stream),
                },
                Err(error) if is_per_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "failed to accept a connection");
                    connections.evict_one();
                    ticks.tick().await;
                }
            },
            _ = ticks.tick() => connections.close_overdue(),
            // So that what has ended is not kept.
            Some(_) = running.join_next() => {}
            () = &mut stop => break,
        }
    }
    drop(listener);
    stopping.send_replace(true);
    while !running.is_empty() {
        tokio::select! {
            _ = ticks.tick() => connections.close_overdue(),
            _ = running.join_next() => {}
        }
    }
}

/// Whether the error of an accept concerns a single connection.
fn is_per_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn refuse(stream: TcpStream) {
    // Not waited for: whoever has filled all places would have us wait too.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(SERVICE_UNAVAILABLE);
    }
}

async fn handle(
    stream: TcpStream,
    address: SocketAddr,
    permit: ConnectionPermit,
    startup: Arc<Startup>,
    mut stopping: watch::Receiver<bool>,
) {
    // Returns and news are short, and whoever waits for them waits for all of each.
    let _ = stream.set_nodelay(true);
    let connection = Arc::clone(&permit.connection);
    let limits = permit.limits().clone();
    let own = Arc::clone(&connection);
    let service = service_fn(move |request: Request<Incoming>| {
        let (startup, connection) = (Arc::clone(&startup), Arc::clone(&own));
        let with_body = !request.body().is_end_stream();
        connection.request_started(with_body);
        let mut request = request.map(|body| {
            if with_body {
                Body::new(TimedBody::new(body, Arc::clone(&connection), &limits))
            } else {
                Body::empty()
            }
        });
        request.extensions_mut().insert(ConnectInfo(address));
        async move {
            let answer = startup.respond(request).await;
            Ok::<_, Infallible>(answer.map(|body| ResponseBody::new(body, connection)))
        }
    });
    let io = TokioIo::new(ObservedIo { stream, connection: Arc::clone(&connection) });
    // Limits of time are ours: hyper has one for a head and for waiting for it.
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_header_size(MAX_HEAD_BYTES);
    let mut serving = pin!(builder.serve_connection(io, service));
    loop {
        tokio::select! {
            served = serving.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(%error, "connection ended");
                }
                break;
            }
            () = connection.closing.notified() => break,
            Ok(()) = stopping.changed() => serving.as_mut().graceful_shutdown(),
        }
    }
    drop(permit);
}

/// A stream that reports its progress.
struct ObservedIo {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl AsyncRead for ObservedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.connection.bytes_received();
        }
        polled
    }
}

impl AsyncWrite for ObservedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.connection.record_write(polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.connection.record_write(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
