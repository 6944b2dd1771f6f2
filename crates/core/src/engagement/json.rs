//! Why a piece of JSON cannot be read, in words that help its sender.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::EventError;

/// Says what is wrong with a message that is JSON by its grammar and cannot be used all the same. The
/// field is one of `fields` where the parser names it, else `field`.
pub fn parse_error(
    error: &serde_json::Error,
    field: &'static str,
    fields: &[&'static str],
) -> EventError {
    let message = error.to_string();
    let (what, _place) = message.split_once(" at line").unwrap_or((&message, ""));
    if let Some(name) =
        what.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next())
    {
        let known = fields.iter().find(|known| **known == name).copied();
        return EventError::new(known.unwrap_or(field), "is sent twice; send it once");
    }
    let reason = if what.contains("surrogate") || what.contains("hex escape") {
        "contains half of a surrogate pair, or bytes that are not valid UTF-8; send both halves \
         (\\ud83d\\ude00) or the character itself, in UTF-8"
            .to_owned()
    } else if what.contains("number out of range") {
        "contains a number out of range, beyond 1.8e308; send it as a text".to_owned()
    } else if what.contains("recursion limit") {
        "is nested more than 64 levels deep; flatten it".to_owned()
    } else {
        let what: String = what.chars().take(200).collect();
        format!("{what}; send it as the API describes it")
    };
    EventError::new(field, reason)
}

/// The first field that cannot be read even by itself, told of by what is wrong with it. `None` when
/// each of them can, such as when one is sent twice.
///
/// Only for a message that was not read the quick way: to keep track of where one is costs a tenth.
pub(super) fn find_invalid_field(
    json: &str,
    fields: &[&'static str],
    read_alone: impl Fn(&str) -> Option<serde_json::Error>,
) -> Option<EventError> {
    let sent: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    fields.iter().find_map(|field| {
        let alone = format!("{{\"{field}\":{}}}", sent.get(*field)?.get());
        Some(parse_error(&read_alone(&alone)?, field, fields))
    })
}
