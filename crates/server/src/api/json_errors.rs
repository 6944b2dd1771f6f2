//! What a parser says, in words for people: which field, what is wrong, what to send.

use mainstay_core::insight::words::join_with_and;

/// Names of a list that are told at most.
const MAX_NAMED: usize = 40;

/// A message of serde's about a value, as a sentence continues after the field's name: without the place in
/// the text, which the field says better, and without the names of our types.
pub(crate) fn describe_json_error(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(what, _)| what);
    // The library's own words for an id that is none.
    if message.contains("UUID parsing failed") {
        return "is not an id; send a UUID as returned by this API".to_owned();
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
        return "is present twice; send it once".to_owned();
    }
    if message.starts_with("unknown field") {
        let names = expected_names(message);
        return if names.is_empty() {
            "is not a known field; remove it".to_owned()
        } else {
            format!("is not a known field; use {}", one_of(&names))
        };
    }
    if message.starts_with("unknown variant") {
        let found = message.split('`').nth(1).unwrap_or_default();
        return format!("{found:?} is not valid; use {}", one_of(&expected_names(message)));
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) =
            message.strip_prefix(start).and_then(|rest| rest.rsplit_once(", expected "))
        {
            let expected = match (start, expected) {
                ("invalid value: ", "i64") => "a whole number that 64 bits hold".to_owned(),
                _ => describe_expected(expected),
            };
            return format!("is {}; send {expected}", describe_found(found));
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

fn describe_found(found: &str) -> String {
    let kind = |what: &str| {
        let value = found[what.len()..].trim().trim_matches('`');
        (!value.is_empty()).then(|| value.to_owned())
    };
    for (name, words) in [
        ("string", "the text"),
        ("integer", "the number"),
        ("floating point", "the number"),
        ("boolean", "the truth value"),
    ] {
        if found.starts_with(name) {
            return kind(name).map_or_else(|| words.to_owned(), |value| format!("{words} {value}"));
        }
    }
    match found {
        "null" | "unit value" | "Option value" => "null".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn describe_expected(expected: &str) -> String {
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
            format!("one of {}", join_with_and(&names))
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::describe_json_error;

    #[test]
    fn what_a_parser_says_is_told_in_words() {
        let describe = |message: &str| describe_json_error(message);
        assert_eq!(describe("missing field `until` at line 1 column 2"), "is missing; send it");
        let no_id = serde_json::from_str::<uuid::Uuid>("\"me\"").unwrap_err().to_string();
        assert_eq!(describe(&no_id), "is not an id; send a UUID as returned by this API");
        assert_eq!(
            describe("duplicate field `a` at line 1 column 9"),
            "is present twice; send it once"
        );
        assert_eq!(
            describe("owner: unknown field `owner`, expected one of `status`, `open`, `limit`"),
            "is not a known field; use one of status, open or limit"
        );
        assert_eq!(
            describe("unknown field `x`, expected `until` or `note` at line 1 column 4"),
            "is not a known field; use one of until or note"
        );
        assert_eq!(
            describe("unknown field `x`, there are no fields"),
            "is not a known field; remove it"
        );
        assert_eq!(
            describe("invalid type: string \"x, expected\", expected i64 at line 1 column 9"),
            "is the text \"x, expected\"; send a whole number"
        );
        assert_eq!(
            describe("invalid type: floating point `1.5`, expected i64"),
            "is the number 1.5; send a whole number"
        );
        assert_eq!(describe("invalid type: null, expected a string"), "is null; send text");
        assert_eq!(describe("invalid type: map, expected a sequence"), "is an object; send a list");
        assert_eq!(
            describe("invalid value: integer `-1`, expected u32"),
            "is the number -1; send a whole number from 0 to 4294967295"
        );
        assert_eq!(
            describe("invalid type: sequence, expected struct ActionNote"),
            "is a list; send an object"
        );
        assert_eq!(
            describe("unknown variant `boss`, expected one of `owner`, `admin`, `staff`, `viewer`"),
            "\"boss\" is not valid; use one of owner, admin, staff or viewer"
        );
        assert_eq!(describe("something else"), "something else");
    }
}
