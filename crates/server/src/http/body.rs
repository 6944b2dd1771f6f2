//! Bodies with a limit of time, and answers that tell when they are written.

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

/// A sender that takes too long for a request's body.
#[derive(Debug, thiserror::Error)]
#[error(
    "the body did not arrive in time: within {} s, or at {bytes_per_second} bytes a second",
    within.as_secs()
)]
pub(crate) struct BodyTooSlow {
    within: Duration,
    bytes_per_second: u32,
}

/// A request's body, which has to arrive in time.
pub(super) struct TimedBody {
    body: Incoming,
    connection: Arc<Connection>,
    within: Duration,
    bytes_per_second: u32,
    began: Instant,
    received: u64,
    /// Only while bytes are waited for: most bodies are there at once.
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
            began: Instant::now(),
            received: 0,
            deadline: None,
            failed: false,
        }
    }

    fn due(&self) -> Instant {
        let bytes = u32::try_from(self.received).unwrap_or(u32::MAX);
        self.began + self.within + Duration::from_secs(1) * bytes / self.bytes_per_second
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
                this.connection.body_came();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        let due = this.due();
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep_until(due)));
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

/// An answer's body. Its connection waits for the next request once this is gone.
pub(super) struct AnswerBody {
    body: Body,
    connection: Arc<Connection>,
}

impl AnswerBody {
    pub(super) const fn new(body: Body, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl HttpBody for AnswerBody {
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.ends();
    }
}

/// Whether an error, or what caused it, is one of a type.
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
