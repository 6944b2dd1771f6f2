use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
};

use super::cookie::Transport;
use crate::web::{PageError, Web};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request comes from: that of the connection, or what our own proxy says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub(crate) IpAddr);

impl FromRequestParts<Web> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let connected = connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let forwarded = web.site.behind_proxy.then(|| forwarded_for(&parts.headers)).flatten();
        Ok(Self(forwarded.unwrap_or(connected)))
    }
}

/// The last address of the list is the one that our proxy saw; the others are what somebody claims.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back();
    let last = last.map(HeaderValue::to_str)?.ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// A connection on which a session may be kept: encrypted, or never off this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept(pub(crate) Transport);

impl FromRequestParts<Web> for Kept {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        match Transport::of(&web.site, &parts.headers) {
            Transport::Open => Err(PageError::new(
                axum::http::StatusCode::FORBIDDEN,
                "Signing in needs HTTPS here",
                "This address is not encrypted, so others on the network could read your password. \
                 Open it by https://, or from the machine that the server runs on. If you run the \
                 server: set MAINSTAY_PUBLIC_URL to the address that people use.",
            )),
            transport => Ok(Self(transport)),
        }
    }
}
