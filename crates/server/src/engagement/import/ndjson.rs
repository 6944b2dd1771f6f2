use std::io;

use jiff::Timestamp;
use mainstay_core::engagement::{
    EventError, EventType, IncomingEvent, MAX_CLIENT_ID_CHARS, MAX_NAME_CHARS, check_json,
    check_text, parse_timestamp,
};
use serde_json::{Map, Value};

use super::{
    Group, Identify, MAX_ROW_BYTES, RowContent,
    lines::{Line, Lines},
    row::{Found, raw_text},
    values::{clipped, missing_timestamp, parse_duration},
};

type Object = Map<String, Value>;

/// The next message of a file of Segment messages, one per line.
pub(super) fn next(lines: &mut Lines) -> io::Result<Option<Found>> {
    if !lines.skip_blank_lines()? {
        return Ok(None);
    }
    let line = lines.taken() + 1;
    match lines.line_from(0)? {
        Line::None => Ok(None),
        Line::TooLong => {
            let raw = raw_text(lines.bytes());
            lines.skip_line()?;
            Ok(Some(Found { line, raw, content: Err(too_long()) }))
        }
        Line::Until(end) => {
            let bytes = &lines.bytes()[..end];
            let found = Found { line, raw: raw_text(bytes), content: content(bytes) };
            lines.take(end, 1);
            Ok(Some(found))
        }
    }
}

fn too_long() -> String {
    format!(
        "is longer than {MAX_ROW_BYTES} bytes (1 MiB); write one message per line: jq -c '.[]' \
         makes lines of a JSON array"
    )
}

fn content(line: &[u8]) -> Result<RowContent, String> {
    let text = str::from_utf8(line).map_err(|error| {
        format!("is not UTF-8 from byte {} on; convert the file to UTF-8", error.valid_up_to() + 1)
    })?;
    let message = match serde_json::from_str(text.trim_end()) {
        Ok(Value::Object(message)) => message,
        Ok(Value::Array(_)) => {
            return Err("is a JSON array, not an object; write one message per line: jq -c '.[]' \
                        makes lines of an array"
                .to_owned());
        }
        Ok(_) => return Err("is not a JSON object; write one message per line".to_owned()),
        Err(error) => return Err(malformed(&error)),
    };
    Message(message).content().map_err(|error| error.to_string())
}

fn malformed(error: &serde_json::Error) -> String {
    // serde_json counts lines within what it was given, which is a single line of the file.
    let what = error.to_string();
    let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
    // A half of a surrogate pair is what a text cut in the middle of an emoji leaves.
    let remedy = if what.contains("hex escape") || what.contains("surrogate") {
        "write both halves of a surrogate pair (\\ud83d\\ude00), or the character itself"
    } else {
        "write one complete JSON object per line"
    };
    format!("is not valid JSON at column {}: {what}; {remedy}", error.column())
}

/// A message as Segment's libraries and exports write it.
struct Message(Object);

impl Message {
    fn content(mut self) -> Result<RowContent, EventError> {
        const TYPES: &str = "send track, page, screen, identify or group";
        let kind = match self.0.remove("type") {
            Some(Value::String(kind)) => kind,
            None | Some(Value::Null) => {
                return Err(EventError::new("type", format!("is missing; {TYPES}")));
            }
            Some(_) => return Err(EventError::new("type", format!("is not text; {TYPES}"))),
        };
        match kind.as_str() {
            "track" => self.track().map(RowContent::Event),
            "page" | "screen" => self.page().map(RowContent::Event),
            "identify" => self.identify().map(RowContent::Identify),
            "group" => self.group().map(RowContent::Group),
            "alias" => Err(EventError::new(
                "type",
                "alias is not supported yet; replace the previous id by the userId in the file",
            )),
            _ => {
                let shown = clipped(&kind);
                Err(EventError::new("type", format!("{shown:?} is unknown; {TYPES}")))
            }
        }
    }

    fn track(mut self) -> Result<IncomingEvent, EventError> {
        let name = match self.0.remove("event") {
            Some(Value::String(name)) => name,
            None | Some(Value::Null) => {
                return Err(EventError::new("event", "is missing; send the event's name"));
            }
            Some(_) => {
                return Err(EventError::new("event", "is not text; send the event's name"));
            }
        };
        let data = self.object("properties")?;
        let page_path = self.context_path();
        self.event(name, page_path, data)
    }

    /// A page or screen: its name is what was looked at, not what was done, so it goes into `data`
    /// and all of them are `page_view`.
    fn page(mut self) -> Result<IncomingEvent, EventError> {
        let mut data = self.object("properties")?;
        for key in ["name", "category"] {
            if let Some(value @ Value::String(_)) = self.0.remove(key) {
                data.entry(key).or_insert(value);
            }
        }
        let page_path = take_string(&mut data, "path")
            .or_else(|| self.context_path())
            .or_else(|| data.get("url").and_then(Value::as_str).and_then(path_of_url));
        self.event(EventType::PageView.as_str().to_owned(), page_path, data)
    }

    fn event(
        mut self,
        name: String,
        page_path: Option<String>,
        mut data: Object,
    ) -> Result<IncomingEvent, EventError> {
        let session_id = self
            .context()
            .and_then(|context| context.get("sessionId"))
            .and_then(id_text)
            .or_else(|| take_id_text(&mut data, "session_id"));
        let duration_seconds = match data.remove("duration_seconds") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(parse_duration(&text)?),
            Some(other) => Some(parse_duration(&other.to_string())?),
        };
        Ok(IncomingEvent {
            client_id: self.client_id()?,
            name,
            event_type: None,
            timestamp: Some(self.timestamp()?),
            // The file was not sent through the client's clock, so sentAt says nothing about it.
            sent_at: None,
            message_id: self.optional_id("messageId")?.unwrap_or_default(),
            session_id,
            page_path,
            duration_seconds,
            data,
        })
    }

    fn identify(mut self) -> Result<Identify, EventError> {
        let mut traits = self.object("traits")?;
        let name = take_id_text(&mut traits, "name").or_else(|| full_name(&traits));
        let identify = Identify {
            client_id: self.client_id()?,
            name,
            email: take_id_text(&mut traits, "email"),
            plan: take_id_text(&mut traits, "plan"),
            traits,
            timestamp: self.timestamp()?,
        };
        check_text("userId", &identify.client_id, MAX_CLIENT_ID_CHARS)?;
        for (field, text) in [
            ("traits.name", &identify.name),
            ("traits.email", &identify.email),
            ("traits.plan", &identify.plan),
        ] {
            check_text(field, text.as_deref().unwrap_or_default(), MAX_NAME_CHARS)?;
        }
        Ok(Identify { traits: checked_traits(identify.traits)?, ..identify })
    }

    fn group(mut self) -> Result<Group, EventError> {
        let group_id = self.optional_id("groupId")?.ok_or_else(|| {
            EventError::new("groupId", "is missing; send your own id of the group")
        })?;
        let client_id = self.client_id()?;
        check_text("groupId", &group_id, MAX_CLIENT_ID_CHARS)?;
        check_text("userId", &client_id, MAX_CLIENT_ID_CHARS)?;
        let traits = checked_traits(self.object("traits")?)?;
        Ok(Group { client_id, group_id, traits, timestamp: self.timestamp()? })
    }

    /// The user, else the visitor who has not signed in yet.
    fn client_id(&mut self) -> Result<String, EventError> {
        let user = self.optional_id("userId")?;
        let client = match user {
            Some(user) => Some(user),
            None => self.optional_id("anonymousId")?,
        };
        client.ok_or_else(|| {
            EventError::new(
                "userId",
                format!(
                    "is missing, and so is anonymousId; send your own id of the client, 1 to \
                     {MAX_CLIENT_ID_CHARS} characters"
                ),
            )
        })
    }

    /// An id: text, or a whole number, which many databases have for one.
    fn optional_id(&mut self, field: &'static str) -> Result<Option<String>, EventError> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) if id_text(&value).is_some() => Ok(id_text(&value)),
            Some(Value::String(_)) => Ok(None),
            Some(_) => Err(EventError::new(
                field,
                "is neither text nor a whole number of up to 19 digits; send it as text",
            )),
        }
    }

    fn timestamp(&self) -> Result<Timestamp, EventError> {
        for field in ["originalTimestamp", "timestamp"] {
            match self.0.get(field) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(Value::String(text)) => return parse_timestamp(field, text),
                Some(other) => return parse_timestamp(field, &other.to_string()),
            }
        }
        Err(missing_timestamp())
    }

    /// An object that may be left out.
    fn object(&mut self, field: &'static str) -> Result<Object, EventError> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(Object::new()),
            Some(Value::Object(object)) => Ok(object),
            Some(_) => Err(EventError::new(field, "is not an object; send {\"key\": value, …}")),
        }
    }

    fn context(&self) -> Option<&Object> {
        self.0.get("context")?.as_object()
    }

    /// The page that the browser showed, as Segment's libraries tell it with every message.
    fn context_path(&self) -> Option<String> {
        let page = self.context()?.get("page")?.as_object()?;
        let text = |key| page.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text("path").map(str::to_owned).or_else(|| text("url").and_then(path_of_url))
    }
}

fn checked_traits(traits: Object) -> Result<Object, EventError> {
    let traits = Value::Object(traits);
    check_json("traits", &traits)?;
    let Value::Object(traits) = traits else { unreachable!("built as an object above") };
    Ok(traits)
}

/// Segment fills in the name where only its parts were sent.
fn full_name(traits: &Object) -> Option<String> {
    let parts: Vec<&str> = ["firstName", "lastName"]
        .into_iter()
        .filter_map(|key| traits.get(key)?.as_str())
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// A text or whole number as text; `None` for anything else and for blank text.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Moves a value out of an object if it is what is looked for, so that it is not stored twice; what
/// is not stays where it is, so that it is not lost.
fn take_id_text(object: &mut Object, key: &str) -> Option<String> {
    let text = id_text(object.get(key)?)?;
    object.remove(key);
    Some(text)
}

fn take_string(object: &mut Object, key: &str) -> Option<String> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())?;
    take_id_text(object, key)
}

/// The path of an absolute URL. No library: a page path is a label, it is never requested.
fn path_of_url(url: &str) -> Option<String> {
    let (_scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    Some(rest.find('/').map_or_else(|| "/".to_owned(), |path| rest[path..].to_owned()))
}
