//! What proxies write about a request: `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded`
//! (RFC 7239). Each may hold a list, and proxies write addresses in several forms.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The last address of the list, as it is written: the one that our own proxy saw. Those before it are
/// what somebody claims.
pub(super) fn last_address(headers: &HeaderMap) -> Option<String> {
    let listed = last_of(headers, &X_FORWARDED_FOR).and_then(|list| {
        let last = list.rsplit(',').next()?.trim();
        (!last.is_empty()).then(|| last.to_owned())
    });
    listed.or_else(|| {
        let element = elements(last_of(headers, &header::FORWARDED)?).pop()?;
        parameter(element, "for")
    })
}

/// The first scheme of the list: the one that the browser used. The others are between proxies.
pub(super) fn first_scheme(headers: &HeaderMap) -> Option<String> {
    let first = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let listed = first(&X_FORWARDED_PROTO).and_then(|list| list.split(',').next());
    listed.map(|scheme| unquoted(scheme.trim())).or_else(|| {
        let element = elements(first(&header::FORWARDED)?).into_iter().next()?;
        parameter(element, "proto")
    })
}

/// Reads an address with or without a port: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:443`, each also in quotes. `None` for anything else, such as the
/// `unknown` and the names that RFC 7239 allows.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = unquoted(text.trim());
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some((address, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port(port).then_some(address.into());
    }
    text.parse::<SocketAddr>().ok().map(|address| address.ip())
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

fn last_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get_all(name).iter().next_back().map(HeaderValue::to_str)?.ok()
}

/// The elements of a `Forwarded` header; a comma in quotes separates none.
fn elements(list: &str) -> Vec<&str> {
    split_unquoted(list, ',')
}

/// A parameter of an element by its name, without its quotes.
fn parameter(element: &str, name: &str) -> Option<String> {
    split_unquoted(element, ';').into_iter().find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| unquoted(value.trim()))
    })
}

fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        let separates = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        separates
    })
    .collect()
}

/// A value without the quotes around it and the backslashes that they need.
fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        list.iter().map(header).collect()
    }

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        for (text, address) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("203.0.113.9:51234", Some("203.0.113.9")),
            (" 203.0.113.9 ", Some("203.0.113.9")),
            ("\"203.0.113.9:51234\"", Some("203.0.113.9")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("\"[2001:db8::1]:443\"", Some("2001:db8::1")),
            ("::ffff:203.0.113.9", Some("::ffff:203.0.113.9")),
            ("", None),
            ("unknown", None),
            ("_hidden", None),
            ("203.0.113.9:99999", None),
            ("203.0.113", None),
            ("[2001:db8::1", None),
            ("[2001:db8::1]443", None),
            ("app.example.com", None),
        ] {
            assert_eq!(parse_address(text), address.map(|it| it.parse().unwrap()), "{text:?}");
        }
    }

    #[test]
    fn the_last_address_is_the_one_that_our_own_proxy_saw() {
        for (list, address) in [
            (&[("x-forwarded-for", "10.0.0.1, 203.0.113.9:4000")][..], Some("203.0.113.9:4000")),
            (
                &[("x-forwarded-for", "10.0.0.1"), ("x-forwarded-for", "10.0.0.2,203.0.113.9")],
                Some("203.0.113.9"),
            ),
            (
                &[("forwarded", "for=10.0.0.1;proto=http, for=\"[2001:db8::1]:443\";by=10.0.0.9")],
                Some("[2001:db8::1]:443"),
            ),
            (&[("forwarded", "For=\"a,for=b\";proto=https, FOR=203.0.113.9")], Some("203.0.113.9")),
            (&[("forwarded", "for=unknown")], Some("unknown")),
            // What most proxies write comes first.
            (
                &[("forwarded", "for=10.0.0.1"), ("x-forwarded-for", "203.0.113.9")],
                Some("203.0.113.9"),
            ),
            (&[("forwarded", "proto=https")], None),
            (&[("x-forwarded-for", " , ")], None),
            (&[], None),
        ] {
            assert_eq!(last_address(&headers(list)).as_deref(), address, "{list:?}");
        }
    }

    #[test]
    fn the_first_scheme_is_the_one_that_the_browser_used() {
        for (list, scheme) in [
            (&[("x-forwarded-proto", "https")][..], Some("https")),
            (&[("x-forwarded-proto", "https, http")], Some("https")),
            (&[("x-forwarded-proto", "https,https")], Some("https")),
            (&[("x-forwarded-proto", "http,https")], Some("http")),
            (&[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")], Some("https")),
            (&[("forwarded", "for=10.0.0.1;proto=https, for=10.0.0.2;proto=http")], Some("https")),
            (&[("forwarded", "for=10.0.0.1")], None),
            (&[], None),
        ] {
            assert_eq!(first_scheme(&headers(list)).as_deref(), scheme, "{list:?}");
        }
    }
}
