//! Where the server is reached from outside, which links and signatures depend on.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};
use url::Url;

/// How the server is reached from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where links lead: scheme, host and port.
    pub public_url: Url,
    /// Whether somebody chose that address, rather than that it is the one listened on.
    pub chosen: bool,
    /// Whether every request comes through a proxy whose `X-Forwarded-*` headers say who asks.
    pub behind_proxy: bool,
    /// Whether this is the demo, with all that is only there to be looked at.
    pub demo: bool,
}

impl Site {
    /// A server on this machine, reached where it listens.
    ///
    /// # Panics
    /// Never: a socket address makes a URL.
    pub fn local(address: SocketAddr) -> Self {
        let public_url = Url::parse(&format!("http://{address}")).expect("an address makes a URL");
        Self { public_url, chosen: false, behind_proxy: false, demo: false }
    }

    /// The address by which a request has reached us, for what is copied from its page: what somebody
    /// chose, or else the host that the browser asked for.
    pub(crate) fn reached(&self, headers: &HeaderMap) -> Url {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let asked = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
        asked.filter(|_| !self.chosen).unwrap_or_else(|| self.public_url.clone())
    }

    /// The address of a path, for somebody who is not on a page yet.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.as_str().trim_end_matches('/'))
    }
}
