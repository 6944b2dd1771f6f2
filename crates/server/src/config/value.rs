//! Reading the values of settings, with what is wrong with those that cannot be used.

use std::{num::NonZeroU32, path::PathBuf};

use mainstay_core::notification::{AddressRange, OutgoingPolicy};
use url::Url;

use super::{ConfigError, MailSettings};
use crate::{
    email::{SmtpServer, SmtpUrlError},
    secrets::{KeySource, SecretSettings},
};

pub(super) fn public_url_of(text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    url.ok_or_else(|| ConfigError::Value {
        name: "public_url",
        value: text.to_owned(),
        reason: "use only scheme, host and port, for example https://success.example.com",
    })
}

/// A mail server without a sender address is an error; a sender address alone enables nothing.
pub(super) fn mail_of(
    url: Option<String>,
    from: Option<String>,
) -> Result<Option<MailSettings>, ConfigError> {
    const EXAMPLE: &str = "set it to the sender address of emails, for example success@example.com";
    let Some(url) = url else { return Ok(None) };
    let malformed = |name, value: String, reason| ConfigError::Value { name, value, reason };
    // The URL itself is not shown: it holds a password.
    let server = SmtpServer::parse(&url)
        .map_err(|SmtpUrlError(reason)| malformed("smtp_url", "…".to_owned(), reason))?;
    let from = from.unwrap_or_default();
    let from = from.trim().parse().map_err(|_| malformed("mail_from", from, EXAMPLE))?;
    Ok(Some(MailSettings { server, from }))
}

pub(super) fn secrets_of(
    key: Option<String>,
    file: Option<PathBuf>,
    at_rest: Option<&str>,
) -> Result<SecretSettings, ConfigError> {
    let plain = match at_rest {
        None | Some("encrypted") => false,
        Some("plain") => true,
        Some(other) => {
            return Err(ConfigError::Value {
                name: "secrets_at_rest",
                value: other.to_owned(),
                reason: "use encrypted, or plain to store secrets in plain text",
            });
        }
    };
    let source = match (key, file) {
        (Some(key), _) => KeySource::Text(key),
        (None, Some(path)) => KeySource::File(path),
        (None, None) => KeySource::Default,
    };
    Ok(SecretSettings { source, plain })
}

pub(super) fn lease_of(text: &str) -> Result<i64, ConfigError> {
    text.parse().ok().filter(|seconds| (1..=3_600).contains(seconds)).ok_or_else(|| {
        ConfigError::Value {
            name: "job_lease_seconds",
            value: text.to_owned(),
            reason: "use whole seconds from 1 to 3600",
        }
    })
}

pub(super) fn outgoing_of(text: &str) -> Result<OutgoingPolicy, ConfigError> {
    let ranges = text.split(',').map(str::trim).filter(|range| !range.is_empty());
    ranges
        .map(str::parse)
        .collect::<Result<Vec<AddressRange>, _>>()
        .map(OutgoingPolicy::with_allowed)
        .map_err(|_| ConfigError::Value {
            name: "webhook_allow",
            value: text.to_owned(),
            reason: "use comma-separated address ranges, for example 10.0.0.0/8, fd00::/8",
        })
}

pub(super) fn flag(text: &str) -> Result<bool, ConfigError> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ConfigError::Value {
            name: "behind_proxy",
            value: text.to_owned(),
            reason: "use true or false",
        }),
    }
}

pub(super) fn rate_of(name: &'static str, text: &str) -> Result<NonZeroU32, ConfigError> {
    text.parse().map_err(|_| ConfigError::Value {
        name,
        value: text.to_owned(),
        reason: "use a whole number of events, at least 1, or omit it for no limit",
    })
}

pub(super) fn quota_of(name: &'static str, text: &str) -> Result<u32, ConfigError> {
    text.parse().map_err(|_| ConfigError::Value {
        name,
        value: text.to_owned(),
        reason: "use a whole number of events, or 0 for no quota",
    })
}
