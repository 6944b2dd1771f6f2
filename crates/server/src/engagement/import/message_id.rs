use std::fmt::Write;

use jiff::Timestamp;
use mainstay_core::engagement::{IncomingEvent, normalize_id};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The message id of an event without one: the same content gives the same id, in any file, format,
/// order of rows and order of columns, so that importing twice adds nothing.
///
/// The drawback: two rows that are identical to the microsecond are one event, unless they have
/// message ids.
///
/// The encoding must never change: files imported before would be imported again.
pub fn derived_message_id(event: &IncomingEvent) -> String {
    const HASH_BYTES: usize = 16;
    let mut content = Content(Sha256::new());
    // As it is stored: a CSV cell still has the white space that a Segment message has lost.
    let client_id = normalize_id(&event.client_id);
    content.text(&client_id);
    content.text(&event.name);
    content.number(event.timestamp.map(Timestamp::as_microsecond));
    content.optional(event.session_id.as_deref());
    content.optional(event.page_path.as_deref());
    content.number(event.duration_seconds);
    content.object(&event.data);
    // Last, and only where it says more than the client: events without a person keep their ids.
    let person = event.person.as_deref().map(normalize_id);
    if let Some(person) = person.filter(|person| !person.is_empty() && *person != client_id) {
        content.text(&person);
    }

    let mut id = String::from("row-");
    for byte in &content.0.finalize()[..HASH_BYTES] {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// A hash with an unambiguous encoding: every part is tagged with its type and length.
struct Content(Sha256);

impl Content {
    fn length(&mut self, length: usize) {
        self.0.update((length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.update(b"s");
        self.length(text.len());
        self.0.update(text);
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            // Stored as none, so it has to be the same here.
            None | Some("") => self.0.update(b"-"),
            Some(text) => self.text(text),
        }
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            None => self.0.update(b"-"),
            Some(number) => {
                self.0.update(b"i");
                self.0.update(number.to_le_bytes());
            }
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.update(b"n"),
            Value::Bool(false) => self.0.update(b"f"),
            Value::Bool(true) => self.0.update(b"t"),
            Value::Number(number) => {
                self.0.update(b"d");
                self.text(&number.to_string());
            }
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.0.update(b"a");
                self.length(items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(entries) => self.object(entries),
        }
    }

    fn object(&mut self, entries: &Map<String, Value>) {
        self.0.update(b"o");
        self.length(entries.len());
        // Sorted here: whether serde_json keeps the order of keys is a feature that any crate in
        // the build may switch on.
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        for (key, value) in entries {
            self.text(key);
            self.value(value);
        }
    }
}
