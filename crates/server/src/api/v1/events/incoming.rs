use std::collections::BTreeMap;

use mainstay_core::engagement::{
    EventError, EventType, IncomingEvent, parse_error, parse_timestamp,
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use utoipa::ToSchema;

use super::kind_of;
use crate::api::{input::quote, names};

/// What a client did. Unknown fields are ignored; camel case names are also accepted.
// Every field is any JSON at first, so that one event of the wrong shape is refused by the field at
// fault and does not spoil the others of its request.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventBody {
    /// The host app's id of the client, 1–255 characters; also `clientId`. Optional with a client's
    /// token.
    #[serde(default, alias = "clientId")]
    #[schema(value_type = Option<names::HostId>)]
    client_id: Option<Value>,
    /// The host app's id of the user, also `userId`. If clients are users, the same as `client_id`;
    /// if they are accounts, the user who caused the event: without `client_id`, the event belongs
    /// to the user's account at that time.
    #[serde(default, alias = "userId")]
    #[schema(value_type = Option<names::HostId>)]
    user_id: Option<Value>,
    /// The event's name: one of the types, one that the organization maps to a type, or any other.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 255, example = "content_generated")]
    event: Option<Value>,
    /// The event type, if the name does not imply it; also `event_type`. Without `event`, it is
    /// also the name.
    #[serde(default, rename = "type", alias = "event_type", alias = "eventType")]
    #[schema(value_type = Option<names::EventType>)]
    event_type: Option<Value>,
    /// When it happened, by the client's clock: RFC 3339, from 2000 to 24 hours ahead. Defaults to
    /// the time of receipt.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime, example = "2026-05-01T09:30:00Z")]
    timestamp: Option<Value>,
    /// When it was sent, by the same clock: if the clock is more than a minute off, the timestamp
    /// is corrected. An invalid time, or one before the timestamp, is ignored. Also `sentAt`.
    #[serde(default, alias = "sentAt")]
    #[schema(value_type = Value, example = "2026-05-01T09:30:01Z")]
    sent_at: Option<Value>,
    /// The sender's unique id of this event, up to 100 characters, for deduplication. Also
    /// `messageId`.
    #[serde(default, alias = "messageId")]
    #[schema(value_type = Option<names::MessageId>)]
    message_id: Option<Value>,
    /// The session; also `sessionId`.
    #[serde(default, alias = "sessionId")]
    #[schema(value_type = Option<names::HostId>)]
    session_id: Option<Value>,
    /// The page; also `pagePath`.
    #[serde(default, alias = "pagePath")]
    #[schema(value_type = Option<String>, max_length = 2048, example = "/campaigns/spring")]
    page_path: Option<Value>,
    /// The duration, in whole seconds; also `durationSeconds`.
    #[serde(default, alias = "durationSeconds")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 86_400, example = 90)]
    duration_seconds: Option<Value>,
    /// Anything else, at most 32 KiB as JSON and 64 levels deep; also `event_data`.
    #[serde(default, alias = "event_data", alias = "eventData")]
    #[schema(value_type = Option<Object>, example = json!({"title": "Spring campaign"}))]
    data: Option<Value>,
}

/// Parses one event.
pub(super) fn read(json: &RawValue) -> Result<IncomingEvent, EventError> {
    let json = json.get();
    if !json.starts_with('{') {
        let kind = serde_json::from_str(json).map_or("no object", |value| kind_of(&value));
        let reason = format!("an event must be an object, not {kind}; send an object");
        return Err(EventError::new("event", reason));
    }
    let body: EventBody =
        serde_json::from_str(json).map_err(|error| field_at_fault(json, &error))?;
    body.into_incoming()
}

/// The API's names of an event's fields, with their aliases.
const FIELDS: [(&str, &[&str]); 11] = [
    ("client_id", &["client_id", "clientId"]),
    ("user_id", &["user_id", "userId"]),
    ("event", &["event"]),
    ("type", &["type", "event_type", "eventType"]),
    ("timestamp", &["timestamp"]),
    ("sent_at", &["sent_at", "sentAt"]),
    ("message_id", &["message_id", "messageId"]),
    ("session_id", &["session_id", "sessionId"]),
    ("page_path", &["page_path", "pagePath"]),
    ("duration_seconds", &["duration_seconds", "durationSeconds"]),
    ("data", &["data", "event_data", "eventData"]),
];

/// Why an event cannot be parsed: a duplicate field, possibly under an alias, or a value that is
/// not storable JSON.
fn field_at_fault(json: &str, error: &serde_json::Error) -> EventError {
    let fields = FIELDS.map(|(field, _)| field);
    let sent: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    for (field, names) in FIELDS {
        let values = names.iter().filter_map(|name| sent.get(*name));
        let mut errors =
            values.filter_map(|value| serde_json::from_str::<Value>(value.get()).err());
        if let Some(error) = errors.next() {
            return parse_error(&error, field, &fields);
        }
    }
    parse_error(error, "event", &fields)
}

impl EventBody {
    pub(crate) fn into_incoming(self) -> Result<IncomingEvent, EventError> {
        let name = text("event", self.event)?;
        let event_type = text("type", self.event_type)?;
        let (name, event_type) = match (name, event_type) {
            (Some(name), Some(event_type)) => {
                let event_type = event_type.parse::<EventType>().map_err(|_| {
                    EventError::new(
                        "type",
                        format!(
                            "{} is not an event type; use one of {}, or send it as event and omit type",
                            quote(&event_type),
                            EventType::ALL.map(EventType::as_str).join(", "),
                        ),
                    )
                })?;
                (name, Some(event_type))
            }
            (Some(name), None) | (None, Some(name)) => (name, None),
            (None, None) => {
                return Err(EventError::new("event", "is missing; send the event's name"));
            }
        };
        Ok(IncomingEvent {
            client_id: id("client_id", self.client_id)?.unwrap_or_default(),
            person: id("user_id", self.user_id)?,
            name,
            event_type,
            timestamp: instant("timestamp", self.timestamp)?,
            // A time that cannot be read says nothing of the sender's clock.
            sent_at: instant("sent_at", self.sent_at).unwrap_or_default(),
            message_id: id("message_id", self.message_id)?.unwrap_or_default(),
            session_id: id("session_id", self.session_id)?,
            page_path: text("page_path", self.page_path)?,
            duration_seconds: seconds(self.duration_seconds)?,
            data: object("data", self.data)?,
        })
    }
}

fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, EventError> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            Err(EventError::new(field, format!("is {}; send a string, in quotes", kind_of(&other))))
        }
    }
}

/// An id: a string, or a whole number, as many databases use.
fn id(field: &'static str, value: Option<Value>) -> Result<Option<String>, EventError> {
    match value {
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(Value::Number(number)) => Err(EventError::new(
            field,
            format!(
                "{number} is not a whole number of up to 19 digits; send it as a string, in quotes"
            ),
        )),
        value => text(field, value),
    }
}

fn instant(
    field: &'static str,
    value: Option<Value>,
) -> Result<Option<jiff::Timestamp>, EventError> {
    match value {
        Some(Value::Number(_)) => Err(EventError::new(
            field,
            "is a number; send an RFC 3339 string, for example \"2026-05-01T09:30:00Z\"",
        )),
        value => text(field, value)?.map(|text| parse_timestamp(field, &text)).transpose(),
    }
}

fn seconds(value: Option<Value>) -> Result<Option<i64>, EventError> {
    let Some(value) = value else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| {
        let found = match &value {
            Value::Number(number) => number.to_string(),
            other => kind_of(other).to_owned(),
        };
        EventError::new(
            "duration_seconds",
            format!("{found} is not a whole number from 0 to 86400 (one day); send whole seconds"),
        )
    })
}

fn object(field: &'static str, value: Option<Value>) -> Result<Map<String, Value>, EventError> {
    match value {
        None => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(other) => Err(EventError::new(
            field,
            format!("is {}; send an object, in braces", kind_of(&other)),
        )),
    }
}
