//! Checks of every request and headers of every response, for all routers.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, Version, header, uri::Authority},
    response::{IntoResponse as _, Response},
};

use crate::{api::Problem, site::Site};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Browsers that used HTTPS once must use it for a year. Subdomains are not included, because they
/// may not be Mainstay's.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// No page needs any of these permissions, and injected content must not get them.
const NO_PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), \
     geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     serial=(), usb=()",
);

/// Rejects requests without exactly one valid host, as RFC 9112 section 3.2 requires. Proxies and
/// caches disagree on which of two hosts counts, and links and origin checks depend on it.
pub(crate) fn refuse(request: &Request) -> Option<Response> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let reason = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => "Host: is sent twice; send it once",
        (None, _) if is_old_probe(request) => return None,
        (None, _) => "Host: is missing; send the server's name",
        (Some(host), None) => match host.to_str().ok().and_then(authority) {
            None => "Host: is not a host name or address with an optional port; send a valid one",
            // A target in the absolute form, as proxies are asked.
            Some(host) if request.uri().authority().is_some_and(|other| *other != host) => {
                "Host: differs from the host of the request target; send the same host"
            }
            Some(_) => return None,
        },
    };
    let mut refused = Problem::new(StatusCode::BAD_REQUEST, reason).field("Host").into_response();
    // What a connection continues with after a request that two may read differently is not worth it.
    refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(refused)
}

fn authority(host: &str) -> Option<Authority> {
    let authority: Authority = host.parse().ok()?;
    let port = authority.as_str().strip_prefix(authority.host())?;
    let port_is_fine = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok());
    (!authority.host().is_empty() && port_is_fine).then_some(authority)
}

/// Load balancers probe with HTTP/1.0, which has no Host header.
fn is_old_probe(request: &Request) -> bool {
    request.version() == Version::HTTP_10 && matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Adds the security headers that a response has not set itself.
pub(crate) fn add_headers(site: &Site, path: &str, response: &mut Response) {
    let policy = if is_for_other_sites(path) { "cross-origin" } else { "same-origin" };
    let headers = response.headers_mut();
    headers.entry(RESOURCE_POLICY).or_insert(HeaderValue::from_static(policy));
    headers.entry(PERMISSIONS_POLICY).or_insert(NO_PERMISSIONS);
    if site.is_public_url_configured && site.public_url.scheme() == "https" {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
}

/// Resources that other sites may load: widgets, event endpoints, and the pixel in emails, which
/// some mail programs show on their own pages.
fn is_for_other_sites(path: &str) -> bool {
    ["/widgets", "/v1/", "/email/open/"].iter().any(|prefix| path.starts_with(prefix))
}
