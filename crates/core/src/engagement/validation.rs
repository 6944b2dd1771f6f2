use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::{Event, EventType, IncomingEvent, normalized_id};
use crate::time::to_micros;

/// Longest `external_id` of a client, in characters.
pub const MAX_CLIENT_ID_CHARS: usize = 255;
/// Longest `message_id`, in characters.
pub const MAX_MESSAGE_ID_CHARS: usize = 100;
/// Longest event name, session id or other short text, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// Longest page path, in characters: what browsers still take as a URL.
pub const MAX_PATH_CHARS: usize = 2_048;
/// Largest `data` object, in bytes of JSON: 32 KiB.
pub const MAX_DATA_BYTES: usize = 32 * 1024;
/// Longest duration of one event, in seconds: a day.
pub const MAX_DURATION_SECONDS: i64 = 86_400;

/// A clock that is off by no more than this is left alone: network and queueing look the same.
const CLOCK_TOLERANCE_SECONDS: i64 = 60;
/// 2000-01-01T00:00:00Z: anything earlier is a broken clock, not a late event.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// Half of what `serde_json` reads back (128): what is stored must stay readable inside an answer that
/// wraps it, also when it was built in memory and never parsed.
const MAX_DEPTH: usize = 64;

/// Why an event was refused. The message names the field, the limit and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct EventError {
    /// The field at fault, by its name in the API.
    pub field: &'static str,
    /// The problem and its remedy.
    pub reason: String,
}

impl EventError {
    /// An error in one field.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// Checks an incoming event and settles when it happened.
///
/// `received_at` is the server's clock, or the event's own time for an import of history.
///
/// # Errors
/// The first field at fault.
pub fn validate(incoming: IncomingEvent, received_at: Timestamp) -> Result<Event, EventError> {
    let client_id = normalized_id(incoming.client_id);
    check_id("client_id", &client_id)?;
    let person = incoming.person.map(normalized_id).filter(|person| !person.is_empty());
    check_optional("userId", person.as_deref(), MAX_CLIENT_ID_CHARS)?;
    check_required("event", &incoming.name, MAX_NAME_CHARS)?;
    check_required("message_id", &incoming.message_id, MAX_MESSAGE_ID_CHARS)?;
    check_optional("session_id", incoming.session_id.as_deref(), MAX_NAME_CHARS)?;
    check_optional("page_path", incoming.page_path.as_deref(), MAX_PATH_CHARS)?;
    if let Some(seconds) = incoming.duration_seconds
        && !(0..=MAX_DURATION_SECONDS).contains(&seconds)
    {
        return Err(EventError::new(
            "duration_seconds",
            format!(
                "{seconds} is outside 0 to {MAX_DURATION_SECONDS} (one day); send whole seconds"
            ),
        ));
    }
    let data = Value::Object(incoming.data);
    check_json("data", &data)?;
    let Value::Object(data) = data else { unreachable!("built as an object above") };

    let received_at = to_micros(received_at);
    let client_timestamp = incoming.timestamp.map(to_micros);
    let occurred_at = resolve_time(client_timestamp, incoming.sent_at, received_at)?;
    Ok(Event {
        event_type: incoming.event_type.unwrap_or_else(|| EventType::from_name(&incoming.name)),
        client_id,
        person,
        name: incoming.name,
        occurred_at,
        client_timestamp,
        received_at,
        message_id: incoming.message_id,
        session_id: incoming.session_id.filter(|text| !text.is_empty()),
        page_path: incoming.page_path.filter(|text| !text.is_empty()),
        duration_seconds: incoming.duration_seconds,
        data,
        self_told: false,
    })
}

/// Settles when something happened, and refuses what cannot be.
fn resolve_time(
    timestamp: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    received_at: Timestamp,
) -> Result<Timestamp, EventError> {
    let occurred_at =
        occurred_at(timestamp.map(to_micros), sent_at.map(to_micros), to_micros(received_at));
    check_plausible(occurred_at, received_at)?;
    Ok(occurred_at)
}

/// When something was told of a client: as [`resolve_time`], but never later than it was received, or one
/// message from a clock that is ahead would outdo all that are told until then.
///
/// Of a clock that is ahead by more than is left alone, only the receipt is known, and how far right
/// clocks may be behind it: what they tell next must count.
pub(super) fn changed_at(
    timestamp: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    received_at: Timestamp,
) -> Result<Timestamp, EventError> {
    let changed_at = resolve_time(timestamp, sent_at, received_at)?;
    let received_at = to_micros(received_at);
    let ahead = changed_at.duration_since(received_at).as_secs();
    if ahead > CLOCK_TOLERANCE_SECONDS {
        return Ok(received_at
            .checked_sub(CLOCK_TOLERANCE_SECONDS.seconds())
            .unwrap_or(received_at));
    }
    Ok(changed_at.min(received_at))
}

/// The client's timestamp; where `sentAt` shows that its clock is off by more than 60 s, Segment's
/// correction `received_at − (sentAt − timestamp)`.
///
/// Nothing is sent before it happens, so a `sentAt` before its own timestamp says nothing of the
/// clock; nor does one that would move the event before the earliest time there can be.
fn occurred_at(
    timestamp: Option<Timestamp>,
    sent_at: Option<Timestamp>,
    received_at: Timestamp,
) -> Timestamp {
    let Some(timestamp) = timestamp else { return received_at };
    let Some(sent_at) = sent_at.filter(|sent_at| *sent_at >= timestamp) else { return timestamp };
    let clock_off = received_at.as_microsecond() - sent_at.as_microsecond();
    if clock_off.abs() <= CLOCK_TOLERANCE_SECONDS * 1_000_000 {
        return timestamp;
    }
    let corrected = timestamp.checked_add(clock_off.microseconds()).ok();
    corrected.filter(|corrected| *corrected >= EARLIEST).unwrap_or(timestamp)
}

fn check_plausible(occurred_at: Timestamp, received_at: Timestamp) -> Result<(), EventError> {
    if occurred_at < EARLIEST {
        return Err(EventError::new(
            "timestamp",
            format!(
                "{occurred_at} is before 2000-01-01; check the sender's clock and unit, and send \
                 the time of the event as RFC 3339, for example 2026-05-01T09:30:00Z"
            ),
        ));
    }
    let latest = received_at.checked_add(24.hours()).unwrap_or(Timestamp::MAX);
    if occurred_at > latest {
        return Err(EventError::new(
            "timestamp",
            format!(
                "{occurred_at} is more than 24 hours after it was received ({received_at}); check \
                 the sender's clock, or send sentAt so that it can be corrected"
            ),
        ));
    }
    Ok(())
}

/// Reads an RFC 3339 timestamp.
///
/// # Errors
/// When it is not one, or lies outside the years that can be told (−9999 to 9999).
pub fn parse_timestamp(field: &'static str, text: &str) -> Result<Timestamp, EventError> {
    text.trim().parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        EventError::new(
            field,
            format!(
                "{shown:?} is not a time that can be used; send RFC 3339 with an offset, from the \
                 year 2000 on, for example 2026-05-01T09:30:00Z"
            ),
        )
    })
}

/// Checks a one-line text that must not be empty or blank.
///
/// # Errors
/// As [`check_line`], and when nothing but white space is left.
pub fn check_required(field: &'static str, text: &str, max_chars: usize) -> Result<(), EventError> {
    if text.trim().is_empty() {
        return Err(EventError::new(field, format!("is empty; send 1 to {max_chars} characters")));
    }
    check_line(field, text, max_chars)
}

/// Checks an id of the host app that becomes part of addresses.
///
/// # Errors
/// As [`check_required`], and when it is what an address means the folder itself or the one above it by,
/// however it is encoded: nobody could open its page.
pub fn check_id(field: &'static str, id: &str) -> Result<(), EventError> {
    check_required(field, id, MAX_CLIENT_ID_CHARS)?;
    if matches!(id, "." | "..") {
        let reason = format!("is {id:?}, which no address can end with; send another id");
        return Err(EventError::new(field, reason));
    }
    Ok(())
}

fn check_optional(
    field: &'static str,
    text: Option<&str>,
    max_chars: usize,
) -> Result<(), EventError> {
    text.map_or(Ok(()), |text| check_line(field, text, max_chars))
}

/// Checks a text's length and that both databases can keep it.
///
/// # Errors
/// When it is longer than `max_chars` characters or holds a NUL, which PostgreSQL cannot store.
pub fn check_text(field: &'static str, text: &str, max_chars: usize) -> Result<(), EventError> {
    if text.contains('\0') {
        return Err(EventError::new(field, "contains a NUL character; remove it"));
    }
    // Bytes bound characters from above, so most texts are never counted.
    if text.len() > max_chars {
        let chars = text.chars().count();
        if chars > max_chars {
            return Err(EventError::new(
                field,
                format!("has {chars} characters; the limit is {max_chars}, shorten it"),
            ));
        }
    }
    Ok(())
}

/// Checks a text of one line: of names and ids, which stand in headers, logs, tables and subjects.
///
/// # Errors
/// As [`check_text`], and when it holds a line break or another control character.
pub fn check_line(field: &'static str, text: &str, max_chars: usize) -> Result<(), EventError> {
    check_text(field, text, max_chars)?;
    if is_line(text) {
        return Ok(());
    }
    Err(EventError::new(
        field,
        "has a line break or another control character; use one line without any",
    ))
}

/// Whether a text is one line of characters that are no control characters.
pub fn is_line(text: &str) -> bool {
    // Most texts are plain ASCII, and need not be taken apart into characters.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return true;
    }
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Checks that a JSON value is at most 32 KiB, not nested too deep, and free of NUL characters.
///
/// # Errors
/// Naming the limit that it breaks.
pub fn check_json(field: &'static str, value: &Value) -> Result<(), EventError> {
    check_json_node(field, value, 0)?;
    let bytes = value.to_string().len();
    if bytes > MAX_DATA_BYTES {
        return Err(EventError::new(
            field,
            format!(
                "is {bytes} bytes of JSON; the limit is {MAX_DATA_BYTES} (32 KiB), send less with \
                 each event"
            ),
        ));
    }
    Ok(())
}

fn check_json_node(field: &'static str, value: &Value, depth: usize) -> Result<(), EventError> {
    if depth > MAX_DEPTH {
        return Err(EventError::new(
            field,
            format!("is nested more than {MAX_DEPTH} levels deep; flatten it"),
        ));
    }
    let nul = || EventError::new(field, "contains a NUL character (\\u0000); remove it");
    match value {
        Value::String(text) if text.contains('\0') => Err(nul()),
        Value::Array(items) => {
            items.iter().try_for_each(|item| check_json_node(field, item, depth + 1))
        }
        Value::Object(entries) => entries.iter().try_for_each(|(key, item)| {
            if key.contains('\0') { Err(nul()) } else { check_json_node(field, item, depth + 1) }
        }),
        _ => Ok(()),
    }
}
