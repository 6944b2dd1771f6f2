//! Segment's messages: what each says, and why one is refused.

use mainstay_core::engagement::{
    EventError, EventType, ProfileField,
    segment::{Call, ClientIdentity, IncomingMessage, MessageContext, SegmentMessage},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::score::at;

const RECEIVED: &str = "2026-05-20T12:00:00Z";

fn reading(clients_are: ClientIdentity) -> MessageContext<'static> {
    MessageContext {
        clients_are,
        received_at: at(RECEIVED),
        sent_at: None,
        fallback_id: "fallback",
    }
}

fn said_of(text: &str, clients_are: ClientIdentity) -> Result<IncomingMessage, EventError> {
    let mapped = |name: &str| (name == "Report Exported").then_some(EventType::ExportDownloaded);
    SegmentMessage::read(text)?.said(&reading(clients_are), mapped)
}

fn said(message: &Value) -> IncomingMessage {
    said_of(&message.to_string(), ClientIdentity::User).expect("a message nothing is wrong with")
}

fn said_of_accounts(message: &Value) -> IncomingMessage {
    said_of(&message.to_string(), ClientIdentity::Account).expect("a message nothing is wrong with")
}

fn refusal(message: &Value) -> String {
    said_of(&message.to_string(), ClientIdentity::User).expect_err("must be refused").to_string()
}

#[test]
fn a_track_call_is_an_event_of_its_user() {
    let IncomingMessage::Event(event) = said(&json!({
        "type": "track", "userId": "ada", "anonymousId": "x", "messageId": "m-1",
        "event": "Report Exported", "properties": {"format": "pdf"},
        "context": {"sessionId": 1_758_000, "page": {"path": "/reports"}, "ip": "192.0.2.1"},
        "originalTimestamp": "2026-05-20T11:00:00.5Z", "timestamp": "2026-05-20T11:30:00Z",
        "integrations": {}, "writeKey": "mwk_1",
    })) else {
        panic!("an event")
    };
    assert_eq!((&*event.client_id, &*event.message_id), ("ada", "m-1"));
    assert_eq!((&*event.name, event.event_type), ("Report Exported", EventType::ExportDownloaded));
    assert_eq!(event.occurred_at, at("2026-05-20T11:00:00.5Z"), "what the SDK saw");
    assert_eq!(event.session_id.as_deref(), Some("1758000"));
    assert_eq!(event.page_path.as_deref(), Some("/reports"));
    assert_eq!(Value::Object(event.data), json!({"format": "pdf"}));
}

#[test]
fn what_the_app_says_itself_counts_where_a_servers_sdk_adds_the_time_of_the_call() {
    let mut message = json!({
        "type": "track", "userId": "ada", "event": "login", "channel": "server",
        "originalTimestamp": "2026-05-20T11:59:00Z", "timestamp": "2026-05-01T09:00:00Z",
    });
    let IncomingMessage::Event(event) = said(&message) else { panic!("an event") };
    assert_eq!(event.occurred_at, at("2026-05-01T09:00:00Z"));
    message["timestamp"] = Value::Null;
    let IncomingMessage::Event(event) = said(&message) else { panic!("an event") };
    assert_eq!(event.occurred_at, at("2026-05-20T11:59:00Z"));
}

#[test]
fn a_clock_that_is_off_is_corrected_by_when_the_batch_was_sent() {
    let message = json!({
        "type": "track", "userId": "ada", "event": "login", "timestamp": "2026-05-20T09:00:00Z",
    })
    .to_string();
    let reading = MessageContext {
        sent_at: Some(at("2026-05-20T10:00:00Z")),
        ..reading(ClientIdentity::User)
    };
    let said = SegmentMessage::read(&message).and_then(|it| it.said(&reading, |_| None));
    let Ok(IncomingMessage::Event(event)) = said else { panic!("an event") };
    assert_eq!(event.occurred_at, at("2026-05-20T11:00:00Z"));
    assert_eq!(event.client_timestamp, Some(at("2026-05-20T09:00:00Z")));
    assert_eq!(event.message_id, "fallback");
}

#[test]
fn pages_and_screens_are_looked_at_whatever_they_are_called() {
    for (message, name, path) in [
        (json!({"type": "page", "userId": "a", "name": "Docs"}), "Docs", None),
        (
            json!({"type": "page", "userId": "a", "properties": {"path": "/docs", "name": "D"}}),
            "D",
            Some("/docs"),
        ),
        (json!({"type": "screen", "userId": "a", "name": "login"}), "login", None),
        (json!({"type": "page", "userId": "a", "properties": []}), "page_view", None),
    ] {
        let IncomingMessage::Event(event) = said(&message) else { panic!("an event") };
        assert_eq!((&*event.name, event.event_type), (name, EventType::PageView));
        assert_eq!(event.page_path.as_deref(), path);
    }
}

#[test]
fn identify_tells_name_address_plan_and_the_rest() {
    for (traits, name) in [
        (json!({"name": "Ada L.", "firstName": "Ada"}), "Ada L."),
        (json!({"firstName": "Ada", "lastName": "Lovelace"}), "Ada Lovelace"),
        (json!({"name": "", "last_name": "Lovelace"}), "Lovelace"),
        (json!({"name": null, "first_name": "Ada"}), "Ada"),
        (json!({"name": 42}), "42"),
    ] {
        let mut traits = traits;
        traits["email"] = json!("ada@example.com");
        traits["seats"] = json!(3);
        for message in [
            json!({"type": "identify", "userId": 42, "traits": traits}),
            json!({"type": "identify", "userId": 42, "context": {"traits": traits}}),
        ] {
            let IncomingMessage::Profile(told) = said(&message) else { panic!("a profile") };
            assert_eq!((&*told.client_id, told.at), ("42", at(RECEIVED)));
            assert_eq!(told.patch.set(ProfileField::Name), Some(name));
            assert_eq!(told.patch.set(ProfileField::Email), Some("ada@example.com"));
            assert_eq!(told.patch.traits.get("seats"), Some(&json!(3)));
            assert_eq!(told.patch.traits.get("email"), None);
        }
    }
}

#[test]
fn a_group_is_a_users_account_or_the_client_itself() {
    let group = json!({
        "type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme"},
    });
    let IncomingMessage::GroupProfile { client, group: told } = said(&group) else {
        panic!("a group")
    };
    let of_client = client.patch.set(ProfileField::Group);
    assert_eq!((&*client.client_id, of_client), ("ada", Some("acme")));
    assert_eq!(client.patch.set(ProfileField::Name), None, "the name is the account's");
    assert_eq!((&*told.client_id, told.patch.set(ProfileField::Name)), ("acme", Some("Acme")));
    let IncomingMessage::Membership { person, client } = said_of_accounts(&group) else {
        panic!("an account")
    };
    assert_eq!((&*person, &*client.client_id), ("ada", "acme"));
    assert_eq!(client.patch.set(ProfileField::Name), Some("Acme"));
    let bare = json!({"type": "group", "userId": "ada", "groupId": "acme"});
    assert!(matches!(said(&bare), IncomingMessage::Profile(_)));
}

#[test]
fn where_clients_are_accounts_an_event_is_of_the_account() {
    let mut track = json!({"type": "track", "userId": "ada", "event": "login"});
    let IncomingMessage::PersonEvent(event) = said_of_accounts(&track) else { panic!("a user's") };
    assert_eq!(event.client_id, "ada");
    track["context"] = json!({"groupId": "acme"});
    let IncomingMessage::Event(event) = said_of_accounts(&track) else { panic!("an account's") };
    assert_eq!((&*event.client_id, event.person.as_deref()), ("acme", Some("ada")));
    let identify = json!({"type": "identify", "userId": "ada", "traits": {"name": "Ada"}});
    let IncomingMessage::PersonProfile(told) = said_of_accounts(&identify) else {
        panic!("a person")
    };
    assert_eq!((&*told.client_id, told.patch.set(ProfileField::Name)), ("ada", Some("Ada")));
}

#[test]
fn an_alias_names_both_ids() {
    let alias = json!({"type": "alias", "previousId": "lead", "userId": "ada"});
    let expected = IncomingMessage::Alias {
        previous: "lead".to_owned(),
        client_id: "ada".to_owned(),
        at: at(RECEIVED),
        message_id: "ada".to_owned(),
    };
    assert_eq!(said(&alias), expected);
    let refused = said_of(&alias.to_string(), ClientIdentity::Account).unwrap_err().to_string();
    assert!(refused.contains("call group"), "people are no clients: {refused}");
    let same = json!({"type": "alias", "previousId": "ada", "userId": "ada"});
    assert_eq!(said(&same), IncomingMessage::Ignored);
}

#[test]
fn each_refusal_names_the_field_by_segments_name() {
    let long = "x".repeat(256);
    let refusals: Vec<String> = [
        json!({"userId": "ada", "event": "x"}),
        json!({"type": "purchase", "userId": "ada"}),
        json!({"type": "track", "userId": "ada"}),
        json!({"type": "track", "event": "x"}),
        json!({"type": "identify", "anonymousId": "a-1"}),
        json!({"type": "group", "anonymousId": "a-1", "groupId": "acme"}),
        json!({"type": "track", "event": "x", "userId": long}),
        json!({"type": "track", "event": "x", "userId": {"id": 1}}),
        json!({"type": "track", "event": "x", "userId": "ada", "messageId": long}),
        json!({"type": "track", "event": "x", "userId": "ada", "timestamp": "yesterday"}),
        json!({"type": "track", "event": "x", "userId": "ada", "timestamp": "2026-05-22T12:00:00Z"}),
        json!({"type": "track", "event": "x", "userId": "ada", "properties": [1]}),
        json!({"type": "track", "event": "x", "userId": "ada", "context": "none"}),
        json!({"type": "identify", "userId": "ada", "traits": {"name": long}}),
        json!({"type": "group", "userId": "ada", "groupId": " "}),
        json!({"type": "alias", "userId": "ada"}),
        json!([]),
    ]
    .iter()
    .map(refusal)
    .collect();
    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_visitors_event_is_of_whom_the_visitor_turns_out_to_be() {
    let track = json!({"type": "track", "anonymousId": "v-1", "event": "login"});
    let IncomingMessage::PersonEvent(event) = said(&track) else { panic!("a visitor's") };
    assert_eq!((&*event.client_id, event.person.as_deref()), ("v-1", Some("v-1")));
    let identify = json!({"type": "identify", "userId": "ada", "anonymousId": "v-1"});
    let IncomingMessage::Membership { person, client } = said(&identify) else {
        panic!("both ids")
    };
    assert_eq!((&*person, &*client.client_id), ("v-1", "ada"));
    let refused = said_of(&track.to_string(), ClientIdentity::Account).unwrap_err().to_string();
    assert!(refused.contains("send the user's id too"), "{refused}");
}

#[test]
fn a_null_clears_and_other_fields_are_left_alone() {
    let identify = json!({
        "type": "identify", "userId": "ada", "traits": {"email": null, "phone": null, "plan": "pro"},
    });
    let IncomingMessage::Profile(told) = said(&identify) else { panic!("a profile") };
    assert_eq!(told.patch.fields.get(&ProfileField::Email), Some(&None));
    assert_eq!(told.patch.fields.get(&ProfileField::Name), None);
    assert_eq!(told.patch.traits.get("phone"), Some(&Value::Null));
}

#[test]
fn ids_that_look_alike_are_one_and_whole_numbers_are_ids() {
    for (user, id) in [
        (json!("Zo\u{eb}"), "Zo\u{eb}"),
        (json!("Zoe\u{308}"), "Zo\u{eb}"),
        (json!("  Zo\u{eb}\u{a0}"), "Zo\u{eb}"),
        (json!(42), "42"),
        (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
    ] {
        let track = json!({"type": "track", "userId": user, "event": "x"});
        let IncomingMessage::Event(event) = said(&track) else { panic!("an event") };
        assert_eq!(event.client_id, id, "{track}");
    }
}

#[test]
fn a_sent_at_that_is_no_time_is_ignored() {
    for sent_at in [
        json!(""),
        json!("yesterday"),
        json!(1_779_278_400_000_u64),
        json!(null),
        json!({"a": [1]}),
        json!(1.5),
        json!(true),
        json!([]),
        json!("9999-12-31T23:59:59Z"),
    ] {
        let track = json!({
            "type": "track", "userId": "ada", "event": "x", "timestamp": "2026-05-20T11:00:00Z",
            "sentAt": sent_at,
        });
        let IncomingMessage::Event(event) = said(&track) else { panic!("an event: {track}") };
        assert_eq!(event.occurred_at, at("2026-05-20T11:00:00Z"), "{track}");
    }
}

#[test]
fn what_is_told_of_a_profile_is_never_later_than_its_receipt() {
    for (timestamp, sent_at, expected) in [
        ("2026-05-20T12:00:30Z", None, RECEIVED),
        ("2026-05-21T08:00:00Z", None, "2026-05-20T11:59:00Z"),
        ("2026-05-20T11:59:55Z", Some("2026-05-20T11:00:00Z"), "2026-05-20T11:59:55Z"),
        ("2026-05-20T13:59:50Z", Some("2026-05-20T14:00:00Z"), "2026-05-20T11:59:50Z"),
    ] {
        let message = json!({
            "type": "identify", "userId": "ada", "timestamp": timestamp, "sentAt": sent_at,
        });
        let IncomingMessage::Profile(told) = said(&message) else { panic!("a profile") };
        assert_eq!(told.at, at(expected), "{message}");
    }
}

#[test]
fn a_message_that_no_parser_could_keep_is_refused_by_the_field_at_fault() {
    for (json, field, words) in [
        (r#"{"type":"track","userId":"a","event":"b","event":"c"}"#, "event", "is sent twice"),
        (r#"{"type":"track","type":"track","userId":"a","event":"c"}"#, "type", "is sent twice"),
        (
            r#"{"type":"track","userId":"a","event":"b","properties":{"t":"\ud83d"}}"#,
            "properties",
            "surrogate",
        ),
        (r#"{"type":"track","userId":"\udc00","event":"b"}"#, "userId", "surrogate"),
        (
            r#"{"type":"track","userId":"a","event":"b","properties":{"n":1e400}}"#,
            "properties",
            "number out of range",
        ),
    ] {
        let error = said_of(json, ClientIdentity::User).unwrap_err();
        assert_eq!(error.field, field, "{json}: {error}");
        assert!(error.reason.contains(words), "{json}: {error}");
    }
    let twice = r#"{"type":"track","userId":"a","event":"b","properties":{"a":1,"a":2}}"#;
    let Ok(IncomingMessage::Event(event)) = said_of(twice, ClientIdentity::User) else {
        panic!("an event")
    };
    assert_eq!(Value::Object(event.data), json!({"a": 2}), "of a property, the last one counts");
}

#[test]
fn a_message_says_which_call_it_is_or_the_path_does() {
    let unnamed = json!({"userId": "ada", "event": "login"}).to_string();
    let read = SegmentMessage::read(&unnamed).map(|message| message.with_call(Call::Track));
    let said = read.and_then(|message| message.said(&reading(ClientIdentity::User), |_| None));
    assert!(matches!(said, Ok(IncomingMessage::Event(_))), "{said:?}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:a-zA-Z0-9\\\\ ]{0,200}") {
        let _ = said_of(&text, ClientIdentity::User);
    }

    #[test]
    fn no_value_in_a_known_field_makes_the_reader_panic(
        field in proptest::sample::select(vec![
            "userId", "messageId", "event", "timestamp", "context", "properties", "traits", "sentAt",
        ]),
        value in proptest::sample::select(vec![
            json!(null), json!(true), json!(-1.5e300), json!(u64::MAX), json!("\u{0}"), json!([]),
            json!({}), json!({"page": []}), json!("2026-05-20T12:00:00Z"), json!([[[]]]),
        ]),
        call in proptest::sample::select(Call::ALL.to_vec()),
    ) {
        let mut message = json!({
            "type": call.as_str(), "userId": "ada", "event": "login", "groupId": "g",
            "previousId": "p",
        });
        message[field] = value;
        for clients_are in ClientIdentity::ALL {
            let _ = said_of(&message.to_string(), clients_are);
        }
    }
}
