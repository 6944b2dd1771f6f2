use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Once,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use super::{cookie::Transport, forwarded};
use crate::web::{PageError, Web};

/// Longest part of an address that cannot be read that the log shows, in characters.
const MAX_LOGGED_CHARS: usize = 60;

/// The address that a request comes from: that of the connection, or what our own proxy says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

impl FromRequestParts<Web> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let connected = connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let forwarded = web.site.behind_proxy.then(|| forwarded_for(&parts.headers)).flatten();
        Ok(Self(forwarded.unwrap_or(connected)))
    }
}

/// The address that our proxy saw. Where it cannot be read, everybody counts as the proxy and shares one
/// limit of tries: the operator has to know.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    static WARNED: Once = Once::new();
    let written = forwarded::last_address(headers);
    let address = written.as_deref().and_then(forwarded::parse_address);
    if address.is_none() {
        let written = written.map(|it| it.chars().take(MAX_LOGGED_CHARS).collect::<String>());
        WARNED.call_once(|| {
            tracing::warn!(
                ?written,
                "the proxy names no address that can be read, so that everybody shares one limit of \
                 tries to sign in; make it send X-Forwarded-For or Forwarded with the address of whoever \
                 asks. This is said once"
            );
        });
    }
    address
}

/// A connection on which a session may be kept: encrypted, or never off this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecureTransport(pub(crate) Transport);

impl FromRequestParts<Web> for SecureTransport {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        match Transport::of(&web.site, &parts.headers) {
            Transport::Open => Err(PageError::new(
                axum::http::StatusCode::FORBIDDEN,
                "Signing in needs HTTPS here",
                "This address is not encrypted, so others on the network could read your password. \
                 Use https://, or open it on the machine that runs the server. If you run the \
                 server: set MAINSTAY_PUBLIC_URL to the https:// address that people use.",
            )),
            transport => Ok(Self(transport)),
        }
    }
}
