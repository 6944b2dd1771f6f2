use mainstay_core::engagement::ProfileField;
use serde_json::{Value, json};

use super::{super::MAX_ROW_BYTES, *};

fn try_message(clients_are: ClientIdentity, mut message: Value) -> Result<IncomingMessage, String> {
    let fields = message.as_object_mut().unwrap();
    fields.entry("timestamp").or_insert_with(|| json!(TIME));
    fields.entry("userId").or_insert_with(|| json!("ada"));
    let mut rows = ndjson_rows(message.to_string());
    assert_eq!(rows.len(), 1);
    message_with(&message_of(rows.remove(0)), clients_are, |_| None)
}

fn event(message: Value) -> Event {
    event_in(try_message(ClientIdentity::User, message))
}

fn reason(message: Value) -> String {
    try_message(ClientIdentity::User, message).unwrap_err()
}

#[test]
fn a_track_message_becomes_an_event() {
    let event = event(json!({
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
    }));
    assert_eq!((&*event.client_id, &*event.name), ("ada", "Report Exported"));
    assert_eq!(event.occurred_at.to_string(), "2026-05-01T09:00:00Z", "history is not corrected");
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
fn what_cannot_be_a_field_stays_among_the_properties() {
    let event = event(json!({
        "type": "track", "event": "x",
        "properties": {"session_id": 7, "duration_seconds": 1.5, "a": 1},
    }));
    assert_eq!((event.session_id.as_deref(), event.duration_seconds), (Some("7"), None));
    assert_eq!(Value::Object(event.data), json!({"duration_seconds": 1.5, "a": 1}));
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
        (json!(null), json!(null), None),
    ] {
        let row = json!({"type": "page", "properties": properties, "context": {"page": page}});
        assert_eq!(event(row.clone()).page_path.as_deref(), path, "{row}");
    }
}

#[test]
fn accounts_are_what_they_are_over_http() {
    let accounts = |message| try_message(ClientIdentity::Account, message).unwrap();
    let track = json!({"type": "track", "event": "x"});
    assert!(
        matches!(accounts(track), IncomingMessage::PersonEvent(event) if event.client_id == "ada")
    );
    let identify = json!({"type": "identify", "traits": {"name": "Ada"}});
    assert!(
        matches!(accounts(identify), IncomingMessage::PersonProfile(told) if told.client_id == "ada")
    );
    let group = json!({"type": "group", "groupId": 12, "traits": {"name": "E"}});
    let IncomingMessage::Membership { person, client } = accounts(group.clone()) else {
        panic!("a membership")
    };
    assert_eq!((&*person, &*client.client_id), ("ada", "12"));
    assert_eq!(client.patch.set(ProfileField::Name), Some("E"));
    assert!(matches!(
        try_message(ClientIdentity::User, group),
        Ok(IncomingMessage::GroupProfile { .. })
    ));
    let alias = try_message(ClientIdentity::User, json!({"type": "alias", "previousId": "b"}));
    assert!(matches!(alias, Ok(IncomingMessage::Alias { previous, .. }) if previous == "b"));
}

#[test]
fn an_event_without_an_id_has_one_that_follows_from_it() {
    let track = json!({"type": "track", "event": "x", "properties": {"a": 1}});
    let (one, again) = (event(track.clone()), event(track));
    assert!(one.message_id.starts_with("row-"), "{}", one.message_id);
    assert_eq!(one.message_id, again.message_id);
    let other = event(json!({"type": "track", "event": "x", "properties": {"a": 2}}));
    assert_ne!(one.message_id, other.message_id);
}

#[test]
fn the_client_is_the_user_else_whom_the_visitor_turns_out_to_be() {
    for (user, visitor, client) in [
        (json!("ada"), json!("v"), "ada"),
        (json!(42), json!("v"), "42"),
        (json!(18_446_744_073_709_551_615_u64), json!("v"), "18446744073709551615"),
        (json!(null), json!("v"), "v"),
        (json!(""), json!("v"), "v"),
        (json!(" "), json!(7), "7"),
    ] {
        let row = json!({"type": "track", "event": "x", "userId": user, "anonymousId": visitor});
        let event = event(row);
        assert_eq!(event.client_id, client);
        assert_eq!(event.person.is_some(), ["v", "7"].contains(&client));
    }
}

#[test]
fn messages_that_cannot_be_used_are_refused_with_field_and_remedy() {
    for (value, words) in [
        (json!({"event": "x"}), ["type: ", "send one of identify"]),
        (json!({"type": "Track"}), ["type: \"Track\"", "send one of identify"]),
        (json!({"type": "track"}), ["event: is empty", "send"]),
        (json!({"type": "page", "properties": [1]}), ["properties: ", "object"]),
        (json!({"type": "identify", "traits": "x"}), ["traits: ", "object"]),
        (json!({"type": "page", "timestamp": null}), ["timestamp: is missing", "RFC 3339"]),
        (json!({"type": "page", "timestamp": 1_714_555_000}), ["timestamp: \"1714555", "RFC"]),
        (json!({"type": "page", "timestamp": "2026-05-22T12:00:00Z"}), ["timestamp: ", "24 hours"]),
        (json!({"type": "page", "originalTimestamp": "soon"}), ["originalTimestamp: ", "RFC"]),
        (json!({"type": "page", "messageId": {}}), ["messageId: ", "text"]),
        (json!({"type": "page", "userId": 1.5}), ["userId: ", "text"]),
        (json!({"type": "group"}), ["groupId: is empty", "send"]),
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
    let lines: Vec<(&[u8], &str)> = vec![
        (b"[1]", "jq -c"),
        (b"\"text\"", "not a JSON object"),
        (b"{", "at column 1"),
        (b"{\"type\": \"page\",}", "column 17: expected a key in double quotes"),
        (b"{} {}", "trailing characters"),
        (b"{\"a\": \"\xff\"}", "not UTF-8 from byte 8 on"),
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
    assert_eq!(outcomes(&rows), expected);
    for (row, (_, word)) in rows.into_iter().filter_map(Result::err).zip(lines) {
        assert_says(&row.reason, &[word]);
        assert!(!row.reason.contains(" at line "), "{}", row.reason);
    }
}
