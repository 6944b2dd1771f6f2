use std::collections::BTreeSet;

use serde_json::json;

use super::super::derived_message_id;
use super::*;

fn sample() -> IncomingEvent {
    IncomingEvent {
        client_id: "ada".to_owned(),
        name: "login".to_owned(),
        timestamp: Some("2026-05-01T07:30:00.000001Z".parse().unwrap()),
        ..IncomingEvent::default()
    }
}

#[test]
fn the_derived_id_is_the_same_for_ever() {
    let mut event = sample();
    assert_eq!(derived_message_id(&event), "row-419e30de7341391a0f30fc45088713c4");
    event.session_id = Some("s".to_owned());
    event.page_path = Some("/p".to_owned());
    event.duration_seconds = Some(90);
    event.data =
        serde_json::from_value(json!({"b": [1, 2.5, "x", null, true, false], "a": {}})).unwrap();
    assert_eq!(derived_message_id(&event), "row-7ab6ed07ba691a61a0ba51201cdf4e1b");
}

/// The id with which a row is stored, in whatever format it is.
fn id_of(row: Result<Row, RejectedRow>) -> String {
    match row.unwrap().content {
        RowContent::Event(event) => event.message_id,
        RowContent::Message(json) => {
            event_in(message_with(&json, ClientIdentity::User, |_| None)).message_id
        }
    }
}

#[test]
fn rows_with_the_same_content_get_the_same_id_in_any_format_order_and_zone() {
    let rows = [
        csv_rows("client_id,event,timestamp,x,y\nada,login,2026-05-01T09:30:00+02:00,1,z\n"),
        csv_rows("y,x,timestamp,event,client_id,w\r\nz,1,2026-05-01T07:30:00Z,login,ada,\r\n"),
        ndjson_rows(
            r#"{"type":"track","userId":"ada","event":"login","sentAt":"2026-05-02T00:00:00Z",
            "properties":{"y":"z","x":1},"timestamp":"2026-05-01T07:30:00.000Z"}"#
                .replace('\n', ""),
        ),
        ndjson_rows(
            r#"{"timestamp":"2026-05-01T09:30:00+02:00","event":"login","messageId":"",
            "properties":{"x":1,"y":"z"},"userId":"ada","type":"track"}"#
                .replace('\n', ""),
        ),
    ];
    let ids: Vec<_> = rows.into_iter().flatten().map(id_of).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids.iter().all(|id| id.starts_with("row-") && *id == ids[0]), "{ids:?}");
}

#[test]
fn white_space_around_a_client_id_makes_no_other_id_in_any_format() {
    let rows = [
        csv_rows(format!("client_id,event,timestamp\nada,login,{TIME}\n")),
        csv_rows(format!("client_id,event,timestamp\n\"  ada \",login,{TIME}\n")),
        ndjson_rows(format!(
            r#"{{"type":"track","userId":" ada  ","event":"login","timestamp":"{TIME}"}}"#
        )),
    ];
    let ids: BTreeSet<_> = rows.into_iter().flatten().map(id_of).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn two_users_of_an_account_who_do_the_same_at_one_instant_are_two_events() {
    let id = |user: &str, context: &str| {
        let json = format!(
            r#"{{"type":"track","userId":"{user}","event":"login","timestamp":"{TIME}"{context}}}"#
        );
        event_in(message_with(&json, ClientIdentity::Account, |_| None)).message_id
    };
    let account = r#","context":{"groupId":"acme"}"#;
    assert_ne!(id("ada", account), id("bob", account));
    assert_eq!(id("ada", account), id(" ada ", account));
    // The account's own row in a table, and a user who is looked up by its own id.
    let mut rows = csv_rows(format!("client_id,event,timestamp\nada,login,{TIME}\n"));
    assert_eq!(id("ada", ""), event(rows.remove(0)).message_id);
}

#[test]
fn an_id_that_was_sent_is_kept() {
    let rows = csv_rows(format!("{HEADER}ada,login,{TIME},m-1,,,\nada,login,{TIME}, ,,,\n"));
    let ids: Vec<_> = rows.into_iter().map(|row| event(row).message_id).collect();
    assert_eq!(ids[0], "m-1");
    assert!(ids[1].starts_with("row-") && ids[1].len() == 36, "{}", ids[1]);
}

#[test]
fn every_part_of_a_row_makes_another_id() {
    let data = |value| serde_json::from_value(value).unwrap();
    let events = [
        sample(),
        IncomingEvent { client_id: "adal".to_owned(), name: "ogin".to_owned(), ..sample() },
        IncomingEvent { name: "logout".to_owned(), ..sample() },
        IncomingEvent { person: Some("bob".to_owned()), ..sample() },
        IncomingEvent { person: Some("eve".to_owned()), ..sample() },
        IncomingEvent { timestamp: Some("2026-05-01T07:30:00Z".parse().unwrap()), ..sample() },
        IncomingEvent { session_id: Some("x".to_owned()), ..sample() },
        IncomingEvent { page_path: Some("x".to_owned()), ..sample() },
        IncomingEvent { duration_seconds: Some(0), ..sample() },
        IncomingEvent { data: data(json!({"a": 1})), ..sample() },
        IncomingEvent { data: data(json!({"a": "1"})), ..sample() },
        IncomingEvent { data: data(json!({"a": null})), ..sample() },
        IncomingEvent { data: data(json!({"a": [1]})), ..sample() },
        IncomingEvent { data: data(json!({"a": [[], 1]})), ..sample() },
        IncomingEvent { data: data(json!({"a": [[1]]})), ..sample() },
        IncomingEvent { data: data(json!({"a": true})), ..sample() },
        IncomingEvent { data: data(json!({"a": {}, "b": 1})), ..sample() },
        IncomingEvent { data: data(json!({"a": {"b": 1}})), ..sample() },
    ];
    let ids: BTreeSet<_> = events.iter().map(derived_message_id).collect();
    assert_eq!(ids.len(), events.len());
}

#[test]
fn what_the_database_stores_alike_gets_the_same_id() {
    let precise = "2026-05-01T07:30:00.000001999Z".parse().unwrap();
    for event in [
        IncomingEvent { timestamp: Some(precise), ..sample() },
        IncomingEvent { session_id: Some(String::new()), ..sample() },
        IncomingEvent { client_id: " ada\t".to_owned(), ..sample() },
        IncomingEvent { person: Some(" ".to_owned()), ..sample() },
        IncomingEvent { person: Some(" ada ".to_owned()), ..sample() },
    ] {
        assert_eq!(derived_message_id(&event), derived_message_id(&sample()));
    }
}
