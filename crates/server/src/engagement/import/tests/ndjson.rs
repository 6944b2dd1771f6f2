use serde_json::{Value, json};

use super::super::MAX_ROW_BYTES;
use super::*;

fn message(mut message: Value) -> Result<Row, RejectedRow> {
    let fields = message.as_object_mut().unwrap();
    fields.entry("timestamp").or_insert_with(|| json!(TIME));
    fields.entry("userId").or_insert_with(|| json!("ada"));
    let mut rows = ndjson_rows(message.to_string());
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn reason(value: Value) -> String {
    message(value).unwrap_err().reason
}

#[test]
fn a_track_message_becomes_an_event() {
    let event = event(message(json!({
        "type": "track",
        "event": "Report Exported",
        "messageId": "m-1",
        "userId": "ada",
        "anonymousId": "visitor",
        "originalTimestamp": "2026-05-01T09:00:00Z",
        "sentAt": "2026-05-01T11:00:00Z",
        "receivedAt": "2026-05-01T10:00:00Z",
        "context": {"sessionId": 1_714_555_000, "page": {"path": "/reports"}},
        "properties": {"pages": 3, "duration_seconds": 90, "session_id": "kept", "deep": {"a": [1]}},
    })));
    assert_eq!(event.client_id, "ada");
    assert_eq!(event.name, "Report Exported");
    assert_eq!(event.event_type, None);
    assert_eq!(event.timestamp.unwrap().to_string(), "2026-05-01T09:00:00Z");
    assert_eq!(event.sent_at, None, "the clock of history is not corrected");
    assert_eq!(event.message_id, "m-1");
    assert_eq!(event.session_id.as_deref(), Some("1714555000"));
    assert_eq!(event.page_path.as_deref(), Some("/reports"));
    assert_eq!(event.duration_seconds, Some(90));
    assert_eq!(
        Value::Object(event.data),
        json!({"pages": 3, "session_id": "kept", "deep": {"a": [1]}})
    );
}

#[test]
fn a_session_in_the_properties_is_moved_to_its_field() {
    let event = event(message(
        json!({"type": "track", "event": "x", "properties": {"session_id": 7, "a": 1}}),
    ));
    assert_eq!(event.session_id.as_deref(), Some("7"));
    assert_eq!(Value::Object(event.data), json!({"a": 1}));
}

#[test]
fn pages_and_screens_are_page_views_with_their_name_in_data() {
    for kind in ["page", "screen"] {
        let event = event(message(json!({
            "type": kind, "name": "Pricing", "category": "Docs", "properties": {"path": "/pricing"},
        })));
        assert_eq!(event.name, "page_view");
        assert_eq!(event.page_path.as_deref(), Some("/pricing"));
        assert_eq!(Value::Object(event.data), json!({"name": "Pricing", "category": "Docs"}));
    }
}

#[test]
fn the_path_of_a_page_is_found_wherever_it_was_sent() {
    let url = |url: &str| json!({"url": url});
    for (properties, page, path) in [
        (json!({"path": "/a", "url": "https://x/b"}), json!({"path": "/c"}), Some("/a")),
        (json!({"path": ""}), json!({"path": "/c"}), Some("/c")),
        (json!({"path": 7}), json!({"path": "/c"}), Some("/c")),
        (url("https://x.org/b/c?d=/e#f"), json!({}), Some("/b/c")),
        (url("https://x.org?d=/e"), json!({}), Some("/")),
        (url("https://x.org"), json!({}), Some("/")),
        (url("app://screen/home#x"), json!({}), Some("/home")),
        (url("not a url"), json!({}), None),
        (json!({}), json!({"path": "", "url": "https://x.org/g"}), Some("/g")),
        (json!({}), json!("nothing"), None),
        (json!(null), json!(null), None),
    ] {
        let row = json!({"type": "page", "properties": properties, "context": {"page": page}});
        assert_eq!(event(message(row.clone())).page_path.as_deref(), path, "{row}");
    }
}

#[test]
fn an_identify_message_says_who_a_client_is() {
    let identify = identify(message(json!({
        "type": "identify", "traits": {"name": "Ada", "email": "ada@example.org", "plan": 3,
        "company": {"name": "Engines"}, "firstName": "A."},
    })));
    assert_eq!(identify.client_id, "ada");
    assert_eq!(identify.name.as_deref(), Some("Ada"));
    assert_eq!(identify.email.as_deref(), Some("ada@example.org"));
    assert_eq!(identify.plan.as_deref(), Some("3"));
    assert_eq!(
        Value::Object(identify.traits),
        json!({"company": {"name": "Engines"}, "firstName": "A."})
    );
    assert_eq!(identify.timestamp.to_string(), "2026-05-01T07:30:00Z");
}

#[test]
fn a_name_is_put_together_from_its_parts_and_odd_traits_stay() {
    let identify = identify(message(json!({
        "type": "identify", "traits": {"firstName": "Ada", "lastName": " Lovelace ", "email": null,
        "plan": {"id": 1}},
    })));
    assert_eq!(identify.name.as_deref(), Some("Ada Lovelace"));
    assert_eq!((identify.email, identify.plan), (None, None));
    assert_eq!(identify.traits["plan"], json!({"id": 1}));
}

#[test]
fn a_group_message_says_where_a_client_belongs() {
    let group = group(message(json!({"type": "group", "groupId": 12, "traits": {"name": "E"}})));
    assert_eq!((group.client_id.as_str(), group.group_id.as_str()), ("ada", "12"));
    assert_eq!(Value::Object(group.traits), json!({"name": "E"}));
    assert_says(&reason(json!({"type": "group"})), &["groupId: is missing"]);
}

#[test]
fn the_client_is_the_user_else_the_visitor_and_whole_numbers_are_ids() {
    for (user, visitor, client) in [
        (json!("ada"), json!("v"), "ada"),
        (json!(42), json!("v"), "42"),
        (json!(18_446_744_073_709_551_615_u64), json!("v"), "18446744073709551615"),
        (json!(null), json!("v"), "v"),
        (json!(""), json!("v"), "v"),
        (json!(" "), json!(7), "7"),
    ] {
        let row = json!({"type": "track", "event": "x", "userId": user, "anonymousId": visitor});
        assert_eq!(event(message(row)).client_id, client);
    }
    let track = |user: Value| reason(json!({"type": "track", "event": "x", "userId": user}));
    assert_says(&track(json!(null)), &["userId: is missing", "anonymousId", "255"]);
    for odd in [json!(1.5), json!(true), json!({"id": 1}), json!([])] {
        assert_says(&track(odd), &["userId: is neither text nor a whole number", "as text"]);
    }
}

#[test]
fn messages_that_cannot_be_used_are_refused_with_field_and_remedy() {
    for (value, words) in [
        (json!({"event": "x"}), ["type: is missing", "track, page"]),
        (json!({"type": null}), ["type: is missing", "track, page"]),
        (json!({"type": 7}), ["type: is not text", "track, page"]),
        (json!({"type": "Track"}), ["type: \"Track\" is unknown", "track, page"]),
        (json!({"type": "alias", "previousId": "b"}), ["type: alias", "replace"]),
        (json!({"type": "track"}), ["event: is missing", "send"]),
        (json!({"type": "track", "event": 7}), ["event: is not text", "send"]),
        (json!({"type": "page", "properties": []}), ["properties: is not an object", "send"]),
        (json!({"type": "identify", "traits": "x"}), ["traits: is not an object", "send"]),
        (json!({"type": "page", "timestamp": null}), ["timestamp: is missing", "RFC 3339"]),
        (json!({"type": "identify", "timestamp": ""}), ["timestamp: is missing", "RFC 3339"]),
        (json!({"type": "page", "timestamp": 1_714_555_000}), ["timestamp: \"1714555", "RFC"]),
        (json!({"type": "page", "originalTimestamp": "soon"}), ["originalTimestamp: ", "RFC"]),
        (
            json!({"type": "page", "properties": {"duration_seconds": 1.5}}),
            ["duration_seconds: \"1.5\"", "whole"],
        ),
        (json!({"type": "page", "messageId": {}}), ["messageId: ", "as text"]),
        (json!({"type": "identify", "userId": "x".repeat(256)}), ["userId: ", "limit is 255"]),
        (json!({"type": "identify", "traits": {"name": "a\0"}}), ["traits.name: ", "NUL"]),
        (json!({"type": "identify", "traits": {"x": "y".repeat(33_000)}}), ["traits: ", "32 KiB"]),
    ] {
        assert_says(&reason(value), &words);
    }
}

#[test]
fn lines_that_are_no_messages_are_refused_one_by_one() {
    let good = format!(r#"{{"type":"page","userId":"ada","timestamp":"{TIME}"}}"#);
    let long = format!(r#"{{"type":"page","x":"{}"}}"#, "x".repeat(MAX_ROW_BYTES));
    let deep = "[".repeat(100_000);
    let lines: Vec<(&[u8], &str)> = vec![
        (b"[1]", "jq -c"),
        (b"\"text\"", "not a JSON object"),
        (b"{", "at column 1"),
        (b"{\"type\": \"page\",}", "trailing comma"),
        (b"{} {}", "trailing characters"),
        (br#"{"a": "\ud800"}"#, "both halves of a surrogate pair"),
        (br#"{"a": "\ud800\u0041"}"#, "both halves of a surrogate pair"),
        (br#"{"a": "\udc00"}"#, "both halves of a surrogate pair"),
        (br#"{"a": 1e999}"#, "number out of range"),
        (b"{\"a\": \"\xff\"}", "not UTF-8 from byte 8 on"),
        (deep.as_bytes(), "recursion limit"),
        (long.as_bytes(), "1 MiB"),
        (b"\0", "not valid JSON"),
    ];
    let mut content = good.clone().into_bytes();
    for (line, _) in &lines {
        content.extend_from_slice(b"\r\n\n");
        content.extend_from_slice(line);
    }
    content.extend_from_slice(format!("\n{good}").as_bytes());
    let rows = ndjson_rows(content);
    let numbers: Vec<u64> = (1..).step_by(2).take(lines.len() + 1).collect();
    let last = numbers[lines.len()] + 1;
    let expected: Vec<_> =
        numbers.iter().map(|line| (*line, *line == 1)).chain([(last, true)]).collect();
    assert_eq!(fates(&rows), expected);
    for (row, (_, word)) in rows.into_iter().filter_map(Result::err).zip(lines) {
        assert_says(&row.reason, &[word]);
        assert!(!row.reason.contains(" at line "), "{}", row.reason);
    }
}
