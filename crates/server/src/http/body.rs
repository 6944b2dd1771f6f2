//! Request bodies with a timeout, and response bodies that report their end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Limits, connections::Connection};

/// The error for a request body that arrives too slowly.
#[derive(Debug, thiserror::Error)]
#[error(
    "the body did not arrive in time: within {} s, or at {bytes_per_second} bytes a second",
    within.as_secs()
)]
pub(crate) struct BodyTooSlow {
    within: Duration,
    bytes_per_second: u32,
}

/// A request body with a timeout.
pub(super) struct TimedBody {
    body: Incoming,
    connection: Arc<Connection>,
    within: Duration,
    bytes_per_second: u32,
    started_at: Instant,
    received: u64,
    /// Only while waiting: most bodies arrive immediately.
    deadline: Option<Pin<Box<Sleep>>>,
    failed: bool,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>, limits: &Limits) -> Self {
        Self {
            body,
            connection,
            within: limits.body_timeout,
            bytes_per_second: limits.body_bytes_per_second.max(1),
            started_at: Instant::now(),
            received: 0,
            deadline: None,
            failed: false,
        }
    }

    fn due_at(&self) -> Instant {
        let bytes = u32::try_from(self.received).unwrap_or(u32::MAX);
        self.started_at + self.within + Duration::from_secs(1) * bytes / self.bytes_per_second
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.deadline = None;
            let Some(Ok(frame)) = frame else {
                this.connection.body_ended();
                return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
            };
            this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
            if this.body.is_end_stream() {
                this.connection.body_ended();
            } else {
                this.connection.body_received();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        let due_at = this.due_at();
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep_until(due_at)));
        ready!(deadline.as_mut().poll(context));
        this.failed = true;
        let error = BodyTooSlow { within: this.within, bytes_per_second: this.bytes_per_second };
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.connection.body_ended();
    }
}

/// A response body. Once it is dropped, its connection waits for the next request.
pub(super) struct ResponseBody {
    body: Body,
    connection: Arc<Connection>,
}

impl ResponseBody {
    pub(super) const fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.connection.response_finished();
    }
}

/// Whether an error or one of its causes has a type.
pub(crate) fn is_caused_by<E: std::error::Error + 'static>(
    error: &(dyn std::error::Error + 'static),
) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}
