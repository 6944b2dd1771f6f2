//! What a parser says, in words for people: which field, what is wrong, what to send.

use mainstay_core::insight::words::listed;

/// Names of a list that are told at most.
const MAX_NAMED: usize = 40;

/// A message of serde's about a value, as a sentence goes on after the field's name: without the place in
/// the text, which the field says better, and without the names of our types.
pub(crate) fn in_words(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(what, _)| what);
    // The library's own words for an id that is none.
    if message.contains("UUID parsing failed") {
        return "is not an id; send a UUID, as this API gives them".to_owned();
    }
    // A query's parser puts the field before it, which is named anyway.
    let start =
        ["missing field", "unknown field", "duplicate field", "invalid ", "unknown variant"]
            .into_iter()
            .filter_map(|start| message.find(start))
            .min()
            .unwrap_or(0);
    let message = &message[start..];
    if message.starts_with("missing field") {
        return "is missing; send it".to_owned();
    }
    if message.starts_with("duplicate field") {
        return "is given twice; send it once".to_owned();
    }
    if message.starts_with("unknown field") {
        let names = expected_names(message);
        return if names.is_empty() {
            "is not known here; leave it out".to_owned()
        } else {
            format!("is not known here; use {}", one_of(&names))
        };
    }
    if message.starts_with("unknown variant") {
        let sent = message.split('`').nth(1).unwrap_or_default();
        return format!("{sent:?} cannot be used; use {}", one_of(&expected_names(message)));
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((sent, expected)) =
            message.strip_prefix(start).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let expected = match (start, expected) {
                ("invalid value: ", "i64") => "a whole number that 64 bits hold".to_owned(),
                _ => expected_words(expected),
            };
            return format!("is {}; send {expected}", sent_words(sent));
        }
    }
    message.to_owned()
}

/// The names in backquotes after "expected".
fn expected_names(message: &str) -> Vec<&str> {
    let expected = message.rsplit_once(", expected ").map_or("", |(_, expected)| expected);
    expected.split('`').skip(1).step_by(2).collect()
}

fn one_of(names: &[&str]) -> String {
    let mut names: Vec<String> =
        names.iter().take(MAX_NAMED).map(|name| (*name).to_owned()).collect();
    match names.as_slice() {
        [] => "another value".to_owned(),
        [only] => only.clone(),
        [_, _, ..] => {
            let last = names.pop().unwrap_or_default();
            format!("one of {} or {last}", names.join(", "))
        }
    }
}

fn sent_words(sent: &str) -> String {
    let kind = |what: &str| {
        let value = sent[what.len()..].trim().trim_matches('`');
        (!value.is_empty()).then(|| value.to_owned())
    };
    for (name, words) in [
        ("string", "the text"),
        ("integer", "the number"),
        ("floating point", "the number"),
        ("boolean", "the truth value"),
    ] {
        if sent.starts_with(name) {
            return kind(name).map_or_else(|| words.to_owned(), |value| format!("{words} {value}"));
        }
    }
    match sent {
        "null" | "unit value" | "Option value" => "null".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn expected_words(expected: &str) -> String {
    match expected {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" => "a whole number from 0 to 4294967295".to_owned(),
        "u64" | "u128" | "usize" => "a whole number, 0 or more".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "a borrowed string" | "string" | "a character" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" | "map" => "an object".to_owned(),
        "unit" => "null".to_owned(),
        other if other.starts_with("struct ") || other.contains("tagged enum") => {
            "an object".to_owned()
        }
        other if other.starts_with("a string or") => "text".to_owned(),
        other if other.contains('`') => {
            let names: Vec<String> =
                other.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            format!("one of {}", listed(&names))
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn what_a_parser_says_is_told_in_words() {
        let said = |message: &str| in_words(message);
        assert_eq!(said("missing field `until` at line 1 column 2"), "is missing; send it");
        let no_id = serde_json::from_str::<uuid::Uuid>("\"me\"").unwrap_err().to_string();
        assert_eq!(said(&no_id), "is not an id; send a UUID, as this API gives them");
        assert_eq!(said("duplicate field `a` at line 1 column 9"), "is given twice; send it once");
        assert_eq!(
            said("owner: unknown field `owner`, expected one of `status`, `open`, `limit`"),
            "is not known here; use one of status, open or limit"
        );
        assert_eq!(
            said("unknown field `x`, expected `until` or `note` at line 1 column 4"),
            "is not known here; use one of until or note"
        );
        assert_eq!(
            said("unknown field `x`, there are no fields"),
            "is not known here; leave it out"
        );
        assert_eq!(
            said("invalid type: string \"x, expected\", expected i64 at line 1 column 9"),
            "is the text \"x, expected\"; send a whole number"
        );
        assert_eq!(
            said("invalid type: floating point `1.5`, expected i64"),
            "is the number 1.5; send a whole number"
        );
        assert_eq!(said("invalid type: null, expected a string"), "is null; send text");
        assert_eq!(said("invalid type: map, expected a sequence"), "is an object; send a list");
        assert_eq!(
            said("invalid value: integer `-1`, expected u32"),
            "is the number -1; send a whole number from 0 to 4294967295"
        );
        assert_eq!(
            said("invalid type: sequence, expected struct ActionNote"),
            "is a list; send an object"
        );
        assert_eq!(
            said("unknown variant `boss`, expected one of `owner`, `admin`, `staff`, `viewer`"),
            "\"boss\" cannot be used; use one of owner, admin, staff or viewer"
        );
        assert_eq!(said("something else"), "something else");
    }
}
