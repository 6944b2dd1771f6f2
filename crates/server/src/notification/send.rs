use std::{io, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mainstay_core::notification::{EndpointKind, Notification, OutgoingPolicy, slack_message};
use mainstay_store::Webhook;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use url::Url;

use super::{Unreachable, address::connect, signatures};
use crate::{paths::client_path, site::Site, supervise::Panicked};

/// Timeout of a request, including name resolution.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum bytes read of a response, and characters kept.
const MAX_RESPONSE_BYTES: usize = 16_384;
const MAX_KEPT_CHARS: usize = 500;
const USER_AGENT: &str = concat!("Mainstay/", env!("CARGO_PKG_VERSION"));

/// Sends messages to allowed addresses. It follows no redirects and uses no proxy, so that it
/// connects to the checked address.
#[derive(Clone)]
pub struct Outbound {
    outgoing: OutgoingPolicy,
    tls: TlsConnector,
}

/// The response of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointResponse {
    /// The status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
    /// The value of `Retry-After` (RFC 9110).
    pub retry_after: Option<String>,
}

/// The error if there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The URL is invalid.
    #[error("{0:?} is not a URL that messages can be sent to")]
    Url(String),
    /// The connection failed.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The TLS handshake failed.
    #[error("TLS connection failed: {0}")]
    Tls(io::Error),
    /// The connection was lost, or the response is not HTTP.
    #[error("no response: {0}")]
    Http(#[from] hyper::Error),
    /// An internal error.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// The request timed out.
    #[error("no response within {} s", REQUEST_TIMEOUT.as_secs())]
    TooSlow,
}

/// The body of a notification in the format of an endpoint. The same notification gives the same bytes.
pub fn body_of(kind: EndpointKind, notice: &Notification, site: &Site) -> String {
    match kind {
        EndpointKind::Webhook => {
            let mut body = serde_json::json!(notice);
            if let Some(id) = notice.event.client_id() {
                body["data"]["client_url"] = site.link(&client_path(id)).into();
            }
            body.to_string()
        }
        EndpointKind::Slack => {
            let client_page = |id: &str| site.link(&client_path(id));
            slack_message(notice, &client_page, &site.link("/alerts")).to_string()
        }
    }
}

impl Outbound {
    /// Creates a client that sends to public addresses and those allowed by the operator.
    ///
    /// # Errors
    /// If TLS cannot be initialized: a bug.
    pub fn new(outgoing: OutgoingPolicy) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        // Where the system has none, endpoints by https are refused, each with the reason.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { outgoing, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Sends a message to a webhook, signed with a timestamp.
    ///
    /// # Errors
    /// If there is no response; a response with any status is not an error.
    pub async fn send(
        &self,
        webhook: &Webhook,
        id: &str,
        body: String,
        now: Timestamp,
    ) -> Result<EndpointResponse, SendError> {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            // Ids, numbers and base64 have no other characters.
            headers.extend(
                HeaderValue::from_str(value)
                    .map(|value| (header::HeaderName::from_static(name), value)),
            );
        };
        set("webhook-id", id);
        set("webhook-timestamp", &now.as_second().to_string());
        set("webhook-signature", &signatures(webhook, id, now, &body));
        timeout(REQUEST_TIMEOUT, self.post(&webhook.url, headers, body))
            .await
            .unwrap_or(Err(SendError::TooSlow))
    }

    async fn post(
        &self,
        address: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<EndpointResponse, SendError> {
        let wrong = || SendError::Url(address.to_owned());
        let url = Url::parse(address).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut request = Request::post(target)
            .header(header::HOST, authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| wrong())?;
        request.headers_mut().extend(headers);
        let stream = connect(&url, &self.outgoing).await?;
        if url.scheme() == "https" {
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                .map_err(|_| wrong())?;
            let stream = self.tls.connect(name, stream).await.map_err(SendError::Tls)?;
            exchange(stream, request).await
        } else {
            exchange(stream, request).await
        }
    }
}

/// Sends a request over its own connection and reads the start of the response.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<EndpointResponse, SendError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let response = async {
        let mut response = sender.send_request(request).await?;
        let mut body = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            // The status is the answer; a body that breaks off changes nothing about it.
            let Ok(frame) = frame else { break };
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if body.len() >= MAX_RESPONSE_BYTES {
                break;
            }
        }
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(EndpointResponse {
            status: response.status().as_u16(),
            body: excerpt(&body),
            retry_after,
        })
    };
    tokio::pin!(response);
    tokio::select! {
        response = &mut response => response,
        // What has arrived by then is still to be read.
        _ = connection => response.await,
    }
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_KEPT_CHARS).collect()
}
