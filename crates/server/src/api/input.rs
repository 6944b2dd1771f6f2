//! Path and query parameters. They are parsed here, so that an error names the parameter, the limit
//! and the remedy.

use std::{fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query, RawPathParams},
    http::request::Parts,
};
use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{MAX_CLIENT_ID_CHARS, check_required, parse_timestamp},
    id::{
        AlertId, ApiKeyId, ClientId, EmailId, InsightId, MemberId, MergeId, PlaybookId,
        StaffTaskId, TaskId, WebhookId, WebhookMessageId,
    },
    job::Job,
};
use mainstay_store::Scope;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{Api, body::field_of, json_errors::describe_json_error, problem::Problem};

/// The years that can be requested, and that both databases support.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=9998;

/// Query parameters, all strings. Unknown or duplicate ones are rejected: a silently ignored filter
/// would give wrong results.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, why)| why);
            let field = field_of(reason).unwrap_or("query");
            Problem::invalid(field, format!("{} in the query", describe_json_error(reason)))
        })
    }
}

/// A path parameter, decoded.
pub(crate) async fn path_text(parts: &mut Parts, name: &'static str) -> Result<String, Problem> {
    // No state: what the router matched is in the request.
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| {
        Problem::invalid(name, "is not UTF-8; percent-encode the bytes of its UTF-8 form")
    })?;
    let value = params.iter().find(|(param, _)| *param == name).map(|(_, value)| value.to_owned());
    value.ok_or_else(|| Problem::invalid(name, "is missing in the path"))
}

/// A Mainstay id in a path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

/// The path parameter of an id, and where such ids are listed.
pub(crate) trait PathId: From<Uuid> {
    /// Its name in paths.
    const PARAM: &'static str;
    /// The path that lists such ids.
    const LIST_PATH: &'static str;
}

macro_rules! path_ids {
    ($($id:ty = $param:literal, $listed:literal;)+) => {$(
        impl PathId for $id {
            const PARAM: &'static str = $param;
            const LIST_PATH: &'static str = $listed;
        }
    )+};
}

path_ids! {
    TaskId = "task_id", "GET /api/v1/clients/{client_id}/onboarding-tasks";
    InsightId = "insight_id", "GET /api/v1/clients/{client_id}/insights";
    AlertId = "alert_id", "GET /api/v1/alerts";
    EmailId = "email_id", "GET /api/v1/emails";
    MergeId = "merge_id", "GET /api/v1/merges";
    ApiKeyId = "key_id", "GET /api/v1/keys";
    MemberId = "member_id", "GET /api/v1/members";
    PlaybookId = "playbook_id", "GET /api/v1/playbooks";
    StaffTaskId = "staff_task_id", "GET /api/v1/staff-tasks";
    WebhookId = "webhook_id", "GET /api/v1/webhooks";
    WebhookMessageId = "message_id", "GET /api/v1/webhooks/{webhook_id}/deliveries";
}

impl<T: PathId> FromRequestParts<Api> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = path_text(parts, T::PARAM).await?;
        id::<T>(T::PARAM, &text).map(Self)
    }
}

/// The client's id in a path, for handlers whose service looks it up.
#[derive(Debug)]
pub(crate) struct PathClient(pub(crate) String);

impl FromRequestParts<Api> for PathClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = path_text(parts, "client_id").await?;
        client_id("client_id", &text)?;
        Ok(Self(text))
    }
}

/// Parses a Mainstay id.
pub(crate) fn id<T: PathId>(field: &'static str, text: &str) -> Result<T, Problem> {
    Uuid::from_str(text).map(T::from).map_err(|_| {
        Problem::invalid(field, format!("{} is not an id; see {}", quote(text), T::LIST_PATH))
    })
}

/// The calendar day in a path.
#[derive(Debug)]
pub(crate) struct PathDay(pub(crate) Date);

impl FromRequestParts<Api> for PathDay {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = path_text(parts, "day").await?;
        day("day", &text).map(Self)
    }
}

/// The version of a score model in a path.
#[derive(Debug)]
pub(crate) struct PathVersion(pub(crate) i64);

impl FromRequestParts<Api> for PathVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = path_text(parts, "version").await?;
        let version = text.parse().map_err(|_| {
            let reason = "is not a version; GET /api/v1/score-models lists all versions";
            Problem::invalid("version", format!("{} {reason}", quote(&text)))
        })?;
        Ok(Self(version))
    }
}

/// The job in a path.
#[derive(Debug)]
pub(crate) struct PathJob(pub(crate) Job);

impl FromRequestParts<Api> for PathJob {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let text = path_text(parts, "job").await?;
        one_of("job", &text).map(Self)
    }
}

/// Checks a client's id before it is looked up.
pub(crate) fn client_id(field: &'static str, text: &str) -> Result<(), Problem> {
    Ok(check_required(field, text, MAX_CLIENT_ID_CHARS)?)
}

/// The client that a list is about, if it is about one.
pub(crate) async fn find_resolved_client(
    api: &Api,
    scope: Scope,
    external_id: Option<&str>,
) -> Result<Option<ClientId>, Problem> {
    let Some(external_id) = external_id else { return Ok(None) };
    client_id("client_id", external_id)?;
    Ok(Some(api.mainstay.client(scope, external_id).await?.id))
}

/// Parses a page size.
pub(crate) fn limit(text: Option<&str>, default: i64, max: i64) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(default) };
    text.parse().ok().filter(|limit| (1..=max).contains(limit)).ok_or_else(|| {
        Problem::invalid(
            "limit",
            format!("{} is not a whole number from 1 to {max}; send one", quote(text)),
        )
        .limit(max.unsigned_abs())
    })
}

/// Parses an instant.
pub(crate) fn instant(field: &'static str, text: &str) -> Result<Timestamp, Problem> {
    parse_timestamp(field, text).map_err(|error| {
        // The mistake that a query invites: there, a bare + is a space.
        let hint = if text.contains(' ') { "; in a query, write + as %2B" } else { "" };
        Problem::invalid(field, format!("{}{hint}", error.reason))
    })
}

/// Parses a calendar day.
pub(crate) fn day(field: &'static str, text: &str) -> Result<Date, Problem> {
    // jiff also reads a day out of a time, which would drop the half that was meant.
    let well_formed = text.len() == "2026-05-01".len();
    text.parse::<Date>().ok().filter(|day| well_formed && YEARS.contains(&day.year())).ok_or_else(
        || {
            Problem::invalid(
                field,
                format!(
                    "{} is not a valid day; send one like 2026-05-01, from the year {} \
                     to {}",
                    quote(text),
                    YEARS.start(),
                    YEARS.end()
                ),
            )
        },
    )
}

/// Parses one of several names.
pub(crate) fn one_of<T>(field: &'static str, text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error.to_string()))
}

/// Parses a boolean.
pub(crate) fn flag(field: &'static str, text: &str) -> Result<bool, Problem> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::invalid(
            field,
            format!("{} is neither true nor false; send one of them", quote(text)),
        )),
    }
}

/// Quotes a value from a request, truncated.
pub(crate) fn quote(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    if text.chars().count() <= MAX_CHARS {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MAX_CHARS).collect();
    format!("{start:?}…")
}
