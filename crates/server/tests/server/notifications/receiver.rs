use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// A request as a receiver got it.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl ReceivedRequest {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Default)]
struct ReceiverState {
    got: Vec<ReceivedRequest>,
    answers: VecDeque<u16>,
    retry_after: Option<&'static str>,
}

#[derive(Clone, Default)]
struct Place {
    kept: Arc<Mutex<ReceiverState>>,
    /// While there is one, answers wait for it.
    gate: Arc<Mutex<Option<Arc<Notify>>>>,
}

/// Somebody else's server, which keeps what it gets and answers as it is told: 200 otherwise.
pub(crate) struct Receiver {
    place: Place,
    port: u16,
    server: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let place = Place::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(take).with_state(place.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { place, port, server }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the next requests with these statuses.
    pub(crate) fn answers(&self, statuses: &[u16]) {
        self.with_state(|kept| kept.answers.extend(statuses));
    }

    /// Asks with every answer to wait for so long.
    pub(crate) fn retry_after(&self, value: Option<&'static str>) {
        self.with_state(|kept| kept.retry_after = value);
    }

    /// Takes requests and does not answer them until it is let go.
    pub(crate) fn hang(&self) {
        let mut gate = self.place.gate.lock().unwrap_or_else(PoisonError::into_inner);
        *gate = Some(Arc::default());
    }

    /// Returns those that hang, and whatever comes.
    pub(crate) fn let_go(&self) {
        let gate = self.place.gate.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(gate) = gate {
            gate.notify_waiters();
        }
    }

    pub(crate) fn got(&self) -> Vec<ReceivedRequest> {
        self.with_state(|kept| kept.got.clone())
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.got().iter().map(ReceivedRequest::json).collect()
    }

    #[track_caller]
    pub(crate) fn only(&self) -> ReceivedRequest {
        let mut got = self.got();
        assert_eq!(got.len(), 1, "{:?}", self.bodies());
        got.remove(0)
    }

    fn with_state<T>(&self, with: impl FnOnce(&mut ReceiverState) -> T) -> T {
        with(&mut self.place.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(place): State<Place>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (status, retry_after) = {
        let mut kept = place.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.got.push(ReceivedRequest {
            path: uri.path().to_owned(),
            headers,
            body: body.to_vec(),
        });
        (kept.answers.pop_front().unwrap_or(200), kept.retry_after)
    };
    let gate = place.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(gate) = gate {
        gate.notified().await;
    }
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")], "elsewhere").into_response();
    }
    let mut response = (status, format!("answered {status}\0")).into_response();
    if let Some(value) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(value));
    }
    response
}
