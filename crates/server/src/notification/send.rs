use std::{io, sync::Arc, time::Duration};

use axum::http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mainstay_core::notification::{EndpointKind, Notice, Outgoing, slack_message};
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

/// What an endpoint has for its whole answer, from the first look for its address.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read at most, and characters of it that are kept.
const MOST_READ: usize = 16_384;
const MOST_KEPT: usize = 500;
const AGENT: &str = concat!("Mainstay/", env!("CARGO_PKG_VERSION"));

/// Sends messages to where they may go. It follows no redirect and uses no proxy: the address that was
/// checked is the one that is connected to.
#[derive(Clone)]
pub struct Outbound {
    outgoing: Outgoing,
    tls: TlsConnector,
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
    /// When it asks for the next message, as it says it (RFC 9110, `Retry-After`).
    pub retry_after: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The address is none.
    #[error("{0:?} is no address that messages can be sent to")]
    Url(String),
    /// There is no connection.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The endpoint does not prove who it is.
    #[error("no TLS connection: {0}")]
    Tls(io::Error),
    /// The connection was lost, or the answer is no HTTP.
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    /// A fault in Mainstay itself.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// It took too long.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TooSlow,
}

/// The body of a notice as an endpoint of a kind understands it. The same notice makes the same bytes.
pub fn body_of(kind: EndpointKind, notice: &Notice, site: &Site) -> String {
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
    /// Sends to public addresses and those that the operator allows besides.
    ///
    /// # Errors
    /// When TLS cannot be had: a mistake in the code.
    pub fn new(outgoing: Outgoing) -> io::Result<Self> {
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

    /// Sends a message to a webhook, signed as at an instant.
    ///
    /// # Errors
    /// When there is no answer; an answer of any status is none.
    pub async fn send(
        &self,
        webhook: &Webhook,
        id: &str,
        body: String,
        now: Timestamp,
    ) -> Result<Answer, SendError> {
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
        timeout(PATIENCE, self.post(&webhook.url, headers, body))
            .await
            .unwrap_or(Err(SendError::TooSlow))
    }

    async fn post(
        &self,
        address: &str,
        headers: HeaderMap,
        body: String,
    ) -> Result<Answer, SendError> {
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
            .header(header::USER_AGENT, AGENT)
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

/// Sends a request over a connection of its own and reads as much of the answer as is kept.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, SendError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let mut response = sender.send_request(request).await?;
        let mut body = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            // The status is the answer; a body that breaks off changes nothing about it.
            let Ok(frame) = frame else { break };
            body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            if body.len() >= MOST_READ {
                break;
            }
        }
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status: response.status().as_u16(), body: beginning(&body), retry_after })
    };
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        // What has arrived by then is still to be read.
        _ = connection => answer.await,
    }
}

fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_KEPT).collect()
}
