//! Segment's messages: what each says, and why one is refused.

use mainstay_core::engagement::{
    EventError, EventType,
    segment::{Call, ClientsAre, Reading, Said, SegmentMessage},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::score::at;

const RECEIVED: &str = "2026-05-20T12:00:00Z";

fn reading(clients_are: ClientsAre) -> Reading<'static> {
    Reading { clients_are, received_at: at(RECEIVED), sent_at: None, fallback_id: "fallback" }
}

fn said_of(text: &str, clients_are: ClientsAre) -> Result<Said, EventError> {
    let mapped = |name: &str| (name == "Report Exported").then_some(EventType::ExportDownloaded);
    SegmentMessage::read(text)?.said(&reading(clients_are), mapped)
}

fn said(message: &Value) -> Said {
    said_of(&message.to_string(), ClientsAre::Users).expect("a message nothing is wrong with")
}

fn said_of_accounts(message: &Value) -> Said {
    said_of(&message.to_string(), ClientsAre::Groups).expect("a message nothing is wrong with")
}

fn refusal(message: &Value) -> String {
    said_of(&message.to_string(), ClientsAre::Users).expect_err("must be refused").to_string()
}

#[test]
fn a_track_call_is_an_event_of_its_user() {
    let Said::Did(event) = said(&json!({
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
fn a_clock_that_is_off_is_corrected_by_when_the_batch_was_sent() {
    let message = json!({
        "type": "track", "userId": "ada", "event": "login", "timestamp": "2026-05-20T09:00:00Z",
    })
    .to_string();
    let reading = Reading { sent_at: Some("2026-05-20T10:00:00Z"), ..reading(ClientsAre::Users) };
    let said = SegmentMessage::read(&message).and_then(|it| it.said(&reading, |_| None));
    let Ok(Said::Did(event)) = said else { panic!("an event") };
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
        let Said::Did(event) = said(&message) else { panic!("an event") };
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
    ] {
        let mut traits = traits;
        traits["email"] = json!("ada@example.com");
        traits["seats"] = json!(3);
        for message in [
            json!({"type": "identify", "userId": 42, "traits": traits}),
            json!({"type": "identify", "userId": 42, "context": {"traits": traits}}),
        ] {
            let Said::Told(told) = said(&message) else { panic!("a profile") };
            assert_eq!((&*told.client_id, told.at), ("42", at(RECEIVED)));
            assert_eq!(told.told.name.as_deref(), Some(name));
            assert_eq!(told.told.email.as_deref(), Some("ada@example.com"));
            assert_eq!(told.told.traits.get("seats"), Some(&json!(3)));
            assert_eq!(told.told.traits.get("email"), None);
        }
    }
}

#[test]
fn a_group_is_a_users_account_or_the_client_itself() {
    let group = json!({
        "type": "group", "userId": "ada", "groupId": "acme", "traits": {"name": "Acme"},
    });
    let Said::Told(told) = said(&group) else { panic!("a profile") };
    assert_eq!((&*told.client_id, told.told.group_id.as_deref()), ("ada", Some("acme")));
    assert_eq!(told.told.name, None, "the name is the account's");
    let Said::Joined { user, account } = said_of_accounts(&group) else { panic!("an account") };
    assert_eq!((&*user, &*account.client_id), ("ada", "acme"));
    assert_eq!(account.told.name.as_deref(), Some("Acme"));
}

#[test]
fn where_clients_are_accounts_an_event_is_of_the_account() {
    let mut track = json!({"type": "track", "userId": "ada", "event": "login"});
    let Said::DidForAccount(event) = said_of_accounts(&track) else { panic!("a user's") };
    assert_eq!(event.client_id, "ada");
    track["context"] = json!({"groupId": "acme"});
    let Said::Did(event) = said_of_accounts(&track) else { panic!("an account's") };
    assert_eq!(event.client_id, "acme");
    let identify = json!({"type": "identify", "userId": "ada", "traits": {"name": "Ada"}});
    assert_eq!(said_of_accounts(&identify), Said::Nothing);
}

#[test]
fn an_alias_names_both_ids() {
    let alias = json!({"type": "alias", "previousId": "lead", "userId": "ada"});
    let expected = Said::Alias { previous: "lead".to_owned(), client_id: "ada".to_owned() };
    assert_eq!(said(&alias), expected);
    let same = json!({"type": "alias", "previousId": "ada", "userId": "ada"});
    assert_eq!(said(&same), Said::Nothing);
}

#[test]
fn each_refusal_names_the_field_by_segments_name() {
    let long = "x".repeat(256);
    let refusals: Vec<String> = [
        json!({"userId": "ada", "event": "x"}),
        json!({"type": "purchase", "userId": "ada"}),
        json!({"type": "track", "userId": "ada"}),
        json!({"type": "track", "event": "x"}),
        json!({"type": "track", "event": "x", "anonymousId": "a-1"}),
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
fn a_message_says_which_call_it_is_or_the_path_does() {
    let unnamed = json!({"userId": "ada", "event": "login"}).to_string();
    let read = SegmentMessage::read(&unnamed).map(|message| message.called(Call::Track));
    let said = read.and_then(|message| message.said(&reading(ClientsAre::Users), |_| None));
    assert!(matches!(said, Ok(Said::Did(_))), "{said:?}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}\",:a-zA-Z0-9\\\\ ]{0,200}") {
        let _ = said_of(&text, ClientsAre::Users);
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
        for clients_are in ClientsAre::ALL {
            let _ = said_of(&message.to_string(), clients_are);
        }
    }
}
