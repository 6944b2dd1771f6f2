//! Request bodies: JSON that is validated as a whole, with errors that name the field.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use mainstay_core::engagement::segment::Text;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Value, error::Category};

use super::{Api, json_errors::describe_json_error, problem::Problem};
use crate::http::{BodyTooSlow, is_caused_by};

/// Maximum size of a request body: 500 KiB, as in Segment's API.
pub(crate) const MAX_BODY_BYTES: usize = 500 * 1024;
/// Maximum size of a body with events, decompressed: 4 MiB. `RudderStack`'s SDKs send up to 4 000
/// KB, and Segment's discard rejected batches.
pub(crate) const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Maximum length of a parser's message in a response: it repeats parts of the request.
const MAX_MESSAGE_CHARS: usize = 300;

/// A JSON object. Whether unknown fields are allowed depends on the type.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A field of a change: unchanged if omitted; null clears it.
#[derive(Debug, Default)]
pub(crate) enum Change<T> {
    /// As it is.
    #[default]
    Keep,
    /// Emptied.
    Clear,
    /// Another value.
    Set(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

/// An optional JSON object.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

/// A JSON array.
#[derive(Debug)]
pub(crate) struct Items<T>(pub(crate) Vec<T>);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = json_bytes(request, api).await?;
        object(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Api> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let media_type = check_media_type(request.headers());
        let bytes = bytes_of(request, api).await?;
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self(T::default()));
        }
        media_type?;
        object(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Items<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = json_bytes(request, api).await?;
        parse(&bytes).map(Self)
    }
}

pub(crate) async fn json_bytes(request: Request, api: &Api) -> Result<Bytes, Problem> {
    check_media_type(request.headers())?;
    bytes_of(request, api).await
}

async fn bytes_of(request: Request, api: &Api) -> Result<Bytes, Problem> {
    Bytes::from_request(request, api).await.map_err(|rejection: BytesRejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::too_large(
                MAX_BODY_BYTES,
                format!(
                    "the body is larger than {MAX_BODY_BYTES} bytes (500 KiB); send it in parts"
                ),
            )
        } else {
            body_error(&rejection)
        }
    })
}

/// The error for a body that did not arrive.
pub(super) fn body_error(error: &(dyn std::error::Error + 'static)) -> Problem {
    if is_caused_by::<BodyTooSlow>(error) {
        return Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body took too long to arrive; send it again, in smaller parts over a slow connection",
        );
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "the connection closed before the body was complete; send it again",
    )
}

/// Rejects media types other than JSON; a missing one counts as JSON.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        Ok(())
    } else {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body's media type is not JSON; send it with Content-Type: application/json",
        )
        .field("Content-Type"))
    }
}

/// Parses an object: serde would also accept an array, by position.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match bytes.trim_ascii_start().first() {
        None => Err(Problem::new(StatusCode::BAD_REQUEST, "the body is empty; send a JSON object")),
        Some(b'{') => parse(bytes),
        Some(_) => {
            // Malformed JSON is said to be that first.
            parse::<Value>(bytes)?;
            Err(Problem::invalid("body", "is not a JSON object; send one, in braces"))
        }
    }
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        problem_of(&path, error.inner())
    })?;
    json.end().map_err(|error| problem_of(".", &error))?;
    Ok(value)
}

fn problem_of(path: &str, error: &serde_json::Error) -> Problem {
    let message: String = error.to_string().chars().take(MAX_MESSAGE_CHARS).collect();
    if error.classify() != Category::Data {
        return Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not valid JSON: {message}; check it with a JSON parser"),
        )
        .field("body");
    }
    let field_name = field_of(&message);
    let words = describe_json_error(&message);
    match (path, field_name) {
        (".", Some(field)) => Problem::invalid(field, &words),
        (".", None) => Problem::invalid("body", &words),
        // A missing field is told of by where it is missing, an unknown one by where it is.
        (path, Some(field)) if path.rsplit('.').next() != Some(field) => {
            Problem::invalid(&format!("{path}.{field}"), &words)
        }
        (path, _) => Problem::invalid(path, &words),
    }
}

/// The field named in serde's message, if any.
pub(crate) fn field_of(message: &str) -> Option<&str> {
    let at = ["missing field `", "unknown field `", "duplicate field `"]
        .into_iter()
        .find_map(|start| message.find(start).map(|at| at + start.len()))?;
    message[at..].split('`').next()
}

/// An id of the host app: a string, or a whole number, as many databases use.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Text::deserialize(deserializer).map(|text| text.to_string())
}

/// A field that may be omitted but not null: null would suggest clearing it.
pub(crate) fn non_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
