//! Cookies: what a browser keeps for us, and how safely.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite, time::Duration};
use url::Host;

use super::forwarded;
use crate::site::Site;

/// A member's session.
pub(crate) const MEMBER: &str = "mainstay";
/// A client's session.
pub(crate) const CLIENT: &str = "mainstay-client";
/// What the next page shows once.
pub(crate) const ONE_TIME: &str = "mainstay-once";
/// How long that is waited for, in seconds.
const ONE_TIME_SECONDS: i64 = 60;

/// How a request came here, as far as cookies are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Encrypted: cookies are bound to this host and to HTTPS (`__Host-`).
    Https,
    /// Not encrypted, but never off this machine, or by somebody's own choice.
    Http,
    /// Not encrypted: whoever listens on the way could use the session. There is none here.
    Open,
}

impl Transport {
    /// How this request came.
    pub(crate) fn of(site: &Site, headers: &HeaderMap) -> Self {
        // HTTPS is what people use when the operator says so, whatever the proxies in between speak
        // among themselves.
        let chosen_https = site.is_public_url_configured && site.public_url.scheme() == "https";
        let forwarded_https = || {
            let scheme = forwarded::first_scheme(headers).filter(|_| site.behind_proxy);
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
        };
        if chosen_https || forwarded_https() {
            return Self::Https;
        }
        let chosen_plain = site.is_public_url_configured && site.public_url.scheme() == "http";
        if chosen_plain || is_loopback(headers) { Self::Http } else { Self::Open }
    }

    fn name(self, name: &str) -> String {
        match self {
            Self::Https => format!("__Host-{name}"),
            Self::Http | Self::Open => name.to_owned(),
        }
    }
}

fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let url = host.and_then(|host| url::Url::parse(&format!("http://{host}")).ok());
    match url.as_ref().and_then(url::Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The value of a cookie.
pub(crate) fn read(headers: &HeaderMap, transport: Transport, name: &str) -> Option<String> {
    read_plain(headers, &transport.name(name))
}

/// The value of a cookie that is no secret.
pub(crate) fn read_plain(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| Cookie::split_parse(header.to_owned()).flatten().collect::<Vec<_>>())
        .find(|cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

/// Keeps a member's session in the browser for so many seconds.
pub(crate) fn set_member(transport: Transport, token: &str, seconds: i64) -> HeaderValue {
    header_value(secret(transport, MEMBER, token, seconds).same_site(SameSite::Lax))
}

/// Keeps a client's session in the browser. Over HTTPS also inside a frame of the organization's own
/// site, apart from what other sites keep there: the check of where a request comes from does not
/// need the cookie's help.
pub(crate) fn set_client(transport: Transport, token: &str, seconds: i64) -> HeaderValue {
    let cookie = secret(transport, CLIENT, token, seconds);
    header_value(match transport {
        Transport::Https => cookie.same_site(SameSite::None).partitioned(true),
        Transport::Http | Transport::Open => cookie.same_site(SameSite::Lax),
    })
}

/// Takes a member's session out of the browser.
pub(crate) fn clear_member(transport: Transport) -> HeaderValue {
    set_member(transport, "", 0)
}

/// Takes a client's session out of the browser.
pub(crate) fn clear_client(transport: Transport) -> HeaderValue {
    set_client(transport, "", 0)
}

/// Keeps something that the next page shows, once: a page that came by a form could be loaded again, and
/// would do again what the form did.
pub(crate) fn set_one_time(transport: Transport, value: &str) -> HeaderValue {
    header_value(secret(transport, ONE_TIME, value, ONE_TIME_SECONDS).same_site(SameSite::Strict))
}

/// Takes it out of the browser, now that it is shown.
pub(crate) fn clear_one_time(transport: Transport) -> HeaderValue {
    header_value(secret(transport, ONE_TIME, "", 0).same_site(SameSite::Strict))
}

/// Keeps something that is no secret for a year.
pub(crate) fn set_plain(name: &str, value: &str) -> HeaderValue {
    let cookie = Cookie::build((name.to_owned(), value.to_owned()));
    header_value(cookie.path("/").same_site(SameSite::Lax).max_age(Duration::days(365)))
}

fn secret(
    transport: Transport,
    name: &str,
    token: &str,
    seconds: i64,
) -> cookie::CookieBuilder<'static> {
    Cookie::build((transport.name(name), token.to_owned()))
        .path("/")
        .http_only(true)
        .secure(transport == Transport::Https)
        .max_age(Duration::seconds(seconds))
}

fn header_value(cookie: cookie::CookieBuilder<'static>) -> HeaderValue {
    // Names and values are our own: letters, digits and a few signs.
    HeaderValue::try_from(cookie.build().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}
