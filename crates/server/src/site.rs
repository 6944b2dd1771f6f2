//! Where the server is reached from outside, which links and signatures depend on.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};
use url::Url;

/// The public addresses of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The base URL of links: scheme, host and port.
    pub public_url: Url,
    /// Whether the URL was configured, instead of the listen address.
    pub is_public_url_configured: bool,
    /// Whether every request comes through a proxy with trusted `X-Forwarded-*` headers.
    pub behind_proxy: bool,
    /// Whether this is the demo.
    pub demo: bool,
}

impl Site {
    /// A server on this machine, at its listen address.
    ///
    /// # Panics
    /// Never: a socket address makes a URL.
    pub fn local(address: SocketAddr) -> Self {
        let public_url = Url::parse(&format!("http://{address}")).expect("an address makes a URL");
        Self { public_url, is_public_url_configured: false, behind_proxy: false, demo: false }
    }

    /// The base URL for texts to copy from a page: the configured URL, or the host that the browser
    /// requested.
    pub(crate) fn url_for_request(&self, headers: &HeaderMap) -> Url {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let request_url = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
        request_url
            .filter(|_| !self.is_public_url_configured)
            .unwrap_or_else(|| self.public_url.clone())
    }

    /// The absolute URL of a path.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}
