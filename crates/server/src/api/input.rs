//! Reading paths and queries. Values arrive as texts and are read here, so that an error names the
//! parameter, its limit and what to send.

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

use super::{Api, body::field_of, problem::Problem, words::in_words};

/// Nothing that can be asked for lies outside these years, and neither do both databases' calendars.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=9998;

/// The parameters of a query, all texts. One that is unknown or given twice is refused: a filter
/// that is quietly ignored would answer another question.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, why)| why);
            let field = field_of(reason).unwrap_or("query");
            Problem::invalid(field, format!("{} in the query", in_words(reason)))
        })
    }
}

/// A parameter of the path, decoded.
pub(crate) async fn path_text(parts: &mut Parts, name: &'static str) -> Result<String, Problem> {
    // No state: what the router matched is in the request.
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| {
        Problem::invalid(name, "is not UTF-8; percent-encode the bytes of its UTF-8 form")
    })?;
    let value = params.iter().find(|(param, _)| *param == name).map(|(_, value)| value.to_owned());
    value.ok_or_else(|| Problem::invalid(name, "is missing in the path"))
}

/// An id of ours in a path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub(crate) T);

/// Which parameter of a path an id is, and where ids of its kind are listed.
pub(crate) trait PathId: From<Uuid> {
    /// Its name in paths.
    const PARAM: &'static str;
    /// Where to look it up.
    const LISTED: &'static str;
}

macro_rules! path_ids {
    ($($id:ty = $param:literal, $listed:literal;)+) => {$(
        impl PathId for $id {
            const PARAM: &'static str = $param;
            const LISTED: &'static str = $listed;
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

/// The client's id in a path, for handlers that leave it to a service to look it up.
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

/// Reads an id of ours.
pub(crate) fn id<T: PathId>(field: &'static str, text: &str) -> Result<T, Problem> {
    Uuid::from_str(text).map(T::from).map_err(|_| {
        Problem::invalid(field, format!("{} is not an id; {} lists them", shown(text), T::LISTED))
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
            let reason = "is no version; GET /api/v1/score-models lists them";
            Problem::invalid("version", format!("{} {reason}", shown(&text)))
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
pub(crate) async fn client_named(
    api: &Api,
    scope: Scope,
    external_id: Option<&str>,
) -> Result<Option<ClientId>, Problem> {
    let Some(external_id) = external_id else { return Ok(None) };
    client_id("client_id", external_id)?;
    Ok(Some(api.mainstay.client(scope, external_id).await?.id))
}

/// Reads how many to list.
pub(crate) fn limit(text: Option<&str>, default: i64, most: i64) -> Result<i64, Problem> {
    let Some(text) = text else { return Ok(default) };
    text.parse().ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        Problem::invalid(
            "limit",
            format!("{} is not a whole number from 1 to {most}; send one", shown(text)),
        )
        .limit(most.unsigned_abs())
    })
}

/// Reads an instant.
pub(crate) fn instant(field: &'static str, text: &str) -> Result<Timestamp, Problem> {
    parse_timestamp(field, text).map_err(|error| {
        // The mistake that a query invites: there, a bare + is a space.
        let hint = if text.contains(' ') { "; in a query, write + as %2B" } else { "" };
        Problem::invalid(field, format!("{}{hint}", error.reason))
    })
}

/// Reads a calendar day.
pub(crate) fn day(field: &'static str, text: &str) -> Result<Date, Problem> {
    // jiff also reads a day out of a time, which would drop the half that was meant.
    let well_formed = text.len() == "2026-05-01".len();
    text.parse::<Date>().ok().filter(|day| well_formed && YEARS.contains(&day.year())).ok_or_else(
        || {
            Problem::invalid(
                field,
                format!(
                    "{} is not a day that can be used; send one like 2026-05-01, from the year {} \
                     to {}",
                    shown(text),
                    YEARS.start(),
                    YEARS.end()
                ),
            )
        },
    )
}

/// Reads one of a few names.
pub(crate) fn one_of<T>(field: &'static str, text: &str) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error.to_string()))
}

/// Reads true or false.
pub(crate) fn flag(field: &'static str, text: &str) -> Result<bool, Problem> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::invalid(field, format!("{} is neither true nor false", shown(text)))),
    }
}

/// What somebody sent, short enough to be repeated.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(MOST).collect();
    format!("{start:?}…")
}
