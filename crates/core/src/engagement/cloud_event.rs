//! CloudEvents 1.0, in their JSON format: another way for events to come.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Event, EventError, EventType, IncomingEvent, MAX_MESSAGE_ID_CHARS, json::find_invalid_field,
    parse_error, parse_timestamp, segment::Text, validate,
};

/// A CloudEvent as it was sent; extensions that Mainstay has no use for are skipped.
///
/// `source` and `id` together tell it from every other event, `subject` is the client, `type` the
/// event's name, `time` when it happened, and `data` whatever else is told.
#[derive(Debug, Deserialize)]
pub struct CloudEvent<'a> {
    #[serde(borrow, default)]
    specversion: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    subject: Option<Text<'a>>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(default)]
    data: Option<Value>,
    #[serde(borrow, default)]
    data_base64: Option<Text<'a>>,
}

const FIELDS: [&str; 8] =
    ["specversion", "id", "source", "type", "subject", "time", "data", "data_base64"];

impl<'a> CloudEvent<'a> {
    /// Reads one from JSON.
    ///
    /// # Errors
    /// Problem with the format.
    pub fn read(json: &'a str) -> Result<Self, EventError> {
        if !json.trim_ascii_start().starts_with('{') {
            return Err(EventError::new("event", "is not an object; send a CloudEvent as one"));
        }
        serde_json::from_str(json).map_err(|error| {
            let alone = |json: &str| serde_json::from_str::<CloudEvent<'_>>(json).err();
            find_invalid_field(json, &FIELDS, alone)
                .unwrap_or_else(|| parse_error(&error, "event", &FIELDS))
        })
    }

    /// The event that it says, checked. `type_of` tells what the organization maps a name to.
    ///
    /// # Errors
    /// The first attribute at fault.
    pub fn event(
        self,
        received_at: Timestamp,
        type_of: impl Fn(&str) -> Option<EventType>,
    ) -> Result<Event, EventError> {
        let version = self.specversion.as_deref().unwrap_or_default();
        if version != "1.0" {
            let shown: String = version.chars().take(40).collect();
            return Err(EventError::new("specversion", format!("{shown:?} is not 1.0; send 1.0")));
        }
        let message_id = message_id(self.source.as_deref(), self.id.as_deref())?;
        let name = required("type", self.kind.as_deref())?;
        let incoming = IncomingEvent {
            client_id: required("subject", self.subject.as_deref())?,
            event_type: type_of(&name),
            name,
            timestamp: self.time.map(|time| parse_timestamp("time", &time)).transpose()?,
            message_id,
            data: data(self.data, self.data_base64.as_deref())?,
            ..IncomingEvent::default()
        };
        validate(incoming, received_at).map_err(|error| {
            let field = match error.field {
                "client_id" => "subject",
                "event" => "type",
                "message_id" => "id",
                "timestamp" => "time",
                other => other,
            };
            EventError { field, ..error }
        })
    }
}

fn required(field: &'static str, text: Option<&str>) -> Result<String, EventError> {
    text.filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| EventError::new(field, "is missing; send a text that is not empty"))
}

/// `source` and `id` in one text that no other pair makes: a source is a URI reference, so it has no
/// space in it.
fn message_id(source: Option<&str>, id: Option<&str>) -> Result<String, EventError> {
    let source = source.unwrap_or_default();
    if source.is_empty() || source.contains(char::is_whitespace) {
        return Err(EventError::new(
            "source",
            "is missing or has white space in it; send a URI reference, for example /app",
        ));
    }
    let id = id.unwrap_or_default();
    if id.trim().is_empty() {
        return Err(EventError::new("id", "is missing; send a text that is not empty"));
    }
    let both = format!("{source} {id}");
    let chars = both.chars().count();
    if chars > MAX_MESSAGE_ID_CHARS {
        return Err(EventError::new(
            "id",
            format!(
                "has {chars} characters together with source; the limit is {MAX_MESSAGE_ID_CHARS}, \
                 shorten one of them"
            ),
        ));
    }
    Ok(both)
}

/// What else is told, as an object: anything else is kept as its `value`.
fn data(data: Option<Value>, base64: Option<&str>) -> Result<Map<String, Value>, EventError> {
    if data.is_some() && base64.is_some() {
        return Err(EventError::new("data", "is sent beside data_base64; send one of them"));
    }
    let data = match (data, base64) {
        (_, Some(base64)) => return Ok(Map::from_iter([("base64".to_owned(), base64.into())])),
        (data, None) => data,
    };
    Ok(match data {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(data)) => data,
        Some(other) => Map::from_iter([("value".to_owned(), other)]),
    })
}
