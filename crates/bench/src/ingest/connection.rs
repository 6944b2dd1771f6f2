use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::http1::{SendRequest, handshake},
    header,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use crate::Result;

/// What a server answered.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Whether it says when to come again.
    pub(crate) retry_after: bool,
    pub(crate) body: Bytes,
}

/// One connection that is kept alive. A whole HTTP client costs more than the server does.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    authorization: String,
}

impl Connection {
    pub(crate) async fn open(target: &super::Target) -> Result<Self> {
        let url = Url::parse(&target.url)?;
        let host = url.host_str().ok_or("the URL has no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("the URL has no port")?;
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self {
            sender,
            host: format!("{host}:{port}"),
            authorization: format!("Bearer {}", target.key),
        })
    }

    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<Response> {
        let request = Request::post(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, &self.authorization)
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().contains_key(header::RETRY_AFTER);
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Response { status, retry_after, body })
    }
}
