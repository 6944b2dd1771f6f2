use std::io;

use jiff::Timestamp;
use mainstay_core::engagement::{
    EventError, EventType,
    segment::{ClientIdentity, Draft, IncomingMessage, MessageContext, SegmentMessage},
};
use serde_json::value::RawValue;

use super::{
    MAX_ROW_BYTES, RowContent, derived_message_id,
    lines::{Line, Lines},
    row::{ParsedRow, raw_text},
    values::missing_timestamp,
};

/// The next message of a file of Segment messages, one per line.
pub(super) fn next(lines: &mut Lines) -> io::Result<Option<ParsedRow>> {
    if !lines.skip_blank_lines()? {
        return Ok(None);
    }
    let line = lines.taken() + 1;
    match lines.line_from(0)? {
        Line::None => Ok(None),
        Line::TooLong => {
            let raw = raw_text(lines.bytes());
            lines.skip_line()?;
            Ok(Some(ParsedRow { line, raw, content: Err(too_long()) }))
        }
        Line::Until(end) => {
            let bytes = &lines.bytes()[..end];
            let found = ParsedRow { line, raw: raw_text(bytes), content: content(bytes) };
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
    let json: &RawValue =
        serde_json::from_str(text.trim_end()).map_err(|error| malformed(&error))?;
    match json.get().as_bytes().first() {
        Some(b'{') => Ok(RowContent::Message(json.get().to_owned())),
        Some(b'[') => {
            Err("is a JSON array, not an object; write one message per line: jq -c '.[]' \
                           makes lines of an array"
                .to_owned())
        }
        _ => Err("is not a JSON object; write one message per line".to_owned()),
    }
}

/// Parses a message of a file: as over HTTP, but as history. It counts as received when it
/// happened, so it needs a time, and its `sentAt` is ignored.
///
/// `of_file` maps event names to types by the import's options. They take precedence, and also
/// apply to pages, which otherwise are page views whatever their name.
///
/// # Errors
/// The first invalid field.
pub(in crate::engagement) fn said(
    json: &str,
    clients_are: ClientIdentity,
    now: Timestamp,
    of_file: impl Fn(&str) -> Option<EventType>,
    of_organization: impl Fn(&str) -> Option<EventType>,
) -> Result<IncomingMessage, EventError> {
    let message = SegmentMessage::read(json)?.without_sent_at();
    let happened = message.client_timestamp()?.ok_or_else(missing_timestamp)?;
    // Nothing was received in the future, so that a broken clock is still found out.
    let received_at = happened.min(now);
    let reading = MessageContext { clients_are, received_at, sent_at: None, fallback_id: "" };
    let draft = match message.draft(&reading, of_organization)? {
        Draft::Event(mut event, by_person) => {
            event.event_type = of_file(&event.name).or(event.event_type);
            if event.message_id.is_empty() {
                event.message_id = derived_message_id(&event);
            }
            Draft::Event(event, by_person)
        }
        said @ Draft::Message(_) => said,
    };
    draft.checked(received_at)
}

fn malformed(error: &serde_json::Error) -> String {
    // serde_json counts lines within what it was given, which is a single line of the file.
    let what = error.to_string();
    let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
    let what = match what {
        "key must be a string" => {
            "expected a key in double quotes; remove a comma before a closing brace"
        }
        other => other,
    };
    format!(
        "is not valid JSON at column {}: {what}; write one complete JSON object per line",
        error.column()
    )
}
