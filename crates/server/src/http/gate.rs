//! What holds for every request and every answer, whichever router it belongs to.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, Version, header, uri::Authority},
    response::{IntoResponse as _, Response},
};

use crate::{api::Problem, site::Site};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Whoever came by HTTPS once, comes by HTTPS for a year. Other names of the domain are not ours to
/// bind.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// No page needs any of these, and none that is smuggled into one gets them.
const NO_PERMISSIONS: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), \
     geolocation=(), gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), \
     serial=(), usb=()",
);

/// Why a request is refused before it is looked at: RFC 9112 section 3.2 wants 400 for one that names
/// no host, two, or what is none. Proxies and caches disagree on which of two counts, and links and
/// the check of where a form comes from rest on it.
pub(crate) fn refuse(request: &Request) -> Option<Response> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let reason = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => "Host: is sent twice; send it once",
        (None, _) if is_old_probe(request) => return None,
        (None, _) => "Host: is missing; send the name of the server that is asked",
        (Some(host), None) => match host.to_str().ok().and_then(authority) {
            None => "Host: is no host name or address, with a port if need be",
            // A target in the absolute form, as proxies are asked.
            Some(host) if request.uri().authority().is_some_and(|other| *other != host) => {
                "Host: differs from the host of the request's target; send the same"
            }
            Some(_) => return None,
        },
    };
    let mut refused = Problem::new(StatusCode::BAD_REQUEST, reason).field("Host").into_response();
    // What a connection goes on with after a request that two may read differently is not worth it.
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

/// Load balancers look whether a server is alive by HTTP/1.0, which knows no Host.
fn is_old_probe(request: &Request) -> bool {
    request.version() == Version::HTTP_10 && matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Adds what every answer says to browsers, where it does not say otherwise.
pub(crate) fn add_headers(site: &Site, path: &str, response: &mut Response) {
    let policy = if is_for_other_sites(path) { "cross-origin" } else { "same-origin" };
    let headers = response.headers_mut();
    headers.entry(RESOURCE_POLICY).or_insert(HeaderValue::from_static(policy));
    headers.entry(PERMISSIONS_POLICY).or_insert(NO_PERMISSIONS);
    if site.chosen && site.public_url.scheme() == "https" {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HSTS);
    }
}

/// What pages of other sites load: widgets, what browsers send events to, and the picture in mails,
/// which some mail programs show in a page of theirs.
fn is_for_other_sites(path: &str) -> bool {
    ["/widgets", "/v1/", "/email/open/"].iter().any(|prefix| path.starts_with(prefix))
}
