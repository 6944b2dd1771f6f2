//! What makes an event acceptable: every limit, and the first value beyond it.
//!
//! A refusal is the only thing a developer sees of us at first: its text is part of the contract.

use jiff::{Timestamp, ToSpan};
use mainstay_core::engagement::{
    Event, EventError, EventType, IncomingEvent, check_json, check_text, parse_timestamp, validate,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::score::at;

const RECEIVED: &str = "2026-05-20T12:00:00Z";

/// An event that nothing is wrong with.
fn fine() -> IncomingEvent {
    IncomingEvent {
        client_id: "client-7".to_owned(),
        name: "content_generated".to_owned(),
        timestamp: Some(at("2026-05-20T11:00:00Z")),
        message_id: "m-1".to_owned(),
        ..IncomingEvent::default()
    }
}

fn accepted(change: impl FnOnce(&mut IncomingEvent)) -> Event {
    let mut incoming = fine();
    change(&mut incoming);
    validate(incoming, at(RECEIVED)).expect("an event that nothing is wrong with")
}

fn refusal(change: impl FnOnce(&mut IncomingEvent)) -> String {
    let mut incoming = fine();
    change(&mut incoming);
    validate(incoming, at(RECEIVED)).expect_err("an event that must be refused").to_string()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(entries) = value else { panic!("an object of the test") };
    entries
}

/// `{"text":"…"}` of exactly so many bytes.
fn data_of(bytes: usize) -> Map<String, Value> {
    let data = object(json!({ "text": "x".repeat(bytes - r#"{"text":""}"#.len()) }));
    assert_eq!(serde_json::to_string(&data).expect("plain JSON").len(), bytes);
    data
}

#[test]
fn an_event_is_kept_as_it_was_sent() {
    let event = accepted(|event| {
        event.sent_at = Some(at("2026-05-20T11:59:59Z"));
        event.session_id = Some("s-1".to_owned());
        event.page_path = Some("/reports?q=ü".to_owned());
        event.duration_seconds = Some(12);
        event.data = object(json!({ "nested": { "list": [1, 2.5, null, true, "x"] } }));
    });
    let expected = Event {
        client_id: "client-7".to_owned(),
        person: None,
        event_type: EventType::ContentGenerated,
        name: "content_generated".to_owned(),
        occurred_at: at("2026-05-20T11:00:00Z"),
        client_timestamp: Some(at("2026-05-20T11:00:00Z")),
        received_at: at(RECEIVED),
        message_id: "m-1".to_owned(),
        session_id: Some("s-1".to_owned()),
        page_path: Some("/reports?q=ü".to_owned()),
        duration_seconds: Some(12),
        data: object(json!({ "nested": { "list": [1, 2.5, null, true, "x"] } })),
        self_told: false,
    };
    assert_eq!(event, expected);
}

#[test]
fn a_name_is_its_own_type_unless_the_organization_maps_it() {
    for kind in EventType::ALL {
        assert_eq!(accepted(|event| event.name = kind.as_str().to_owned()).event_type, kind);
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for name in ["Report Exported", "Login", "login ", "x"] {
        let event = accepted(|event| event.name = name.to_owned());
        assert_eq!((event.event_type, event.name.as_str()), (EventType::Custom, name));
    }
    let mapped = accepted(|event| {
        event.name = "Report Exported".to_owned();
        event.event_type = Some(EventType::ExportDownloaded);
    });
    assert_eq!(mapped.event_type, EventType::ExportDownloaded);
    assert_eq!(mapped.name, "Report Exported");
    // The mapping also decides over a name that is a type.
    let mapped = accepted(|event| event.event_type = Some(EventType::Custom));
    assert_eq!(mapped.event_type, EventType::Custom);
}

#[test]
fn content_visuals_and_tasks_are_of_high_value_and_nothing_else_is() {
    let high: Vec<_> = EventType::ALL.into_iter().filter(|kind| kind.is_high_value()).collect();
    assert_eq!(
        high,
        [EventType::TaskCompleted, EventType::ContentGenerated, EventType::VisualCreated]
    );
}

#[test]
fn an_unknown_type_is_refused_with_the_known_ones() {
    let refused = "sign_in".parse::<EventType>().expect_err("not a type");
    assert_eq!(
        refused.to_string(),
        "unknown event type \"sign_in\": use one of login, page_view, task_completed, \
         content_generated, visual_created, voice_interaction, insight_reviewed, \
         export_downloaded, settings_updated, feedback_given, custom"
    );
}

type Text = fn(&mut IncomingEvent, String);

const REQUIRED: [(&str, usize, Text); 3] = [
    ("client_id", 255, |event, text| event.client_id = text),
    ("event", 255, |event, text| event.name = text),
    ("message_id", 100, |event, text| event.message_id = text),
];
const OPTIONAL: [(&str, usize, Text); 2] = [
    ("session_id", 255, |event, text| {
        event.session_id = Some(text);
    }),
    ("page_path", 2_048, |event, text| {
        event.page_path = Some(text);
    }),
];

#[test]
fn a_text_may_have_so_many_characters_whatever_their_bytes() {
    for (field, limit, set) in REQUIRED.into_iter().chain(OPTIONAL) {
        for character in ["x", "ü", "語", "🎉"] {
            accepted(|event| set(event, character.repeat(limit)));
            assert_eq!(
                refusal(|event| set(event, character.repeat(limit + 1))),
                format!("{field}: has {} characters; the limit is {limit}, shorten it", limit + 1)
            );
        }
        accepted(|event| set(event, "x".to_owned()));
    }
}

#[test]
fn ids_and_names_must_say_something() {
    for (field, limit, set) in REQUIRED {
        for blank in ["", " ", "\t\n", "\u{a0}", "\u{3000}"] {
            assert_eq!(
                refusal(|event| set(event, blank.to_owned())),
                format!("{field}: is empty; send 1 to {limit} characters"),
                "{blank:?}"
            );
        }
    }
    // What is optional and empty was not sent.
    let event = accepted(|event| {
        event.session_id = Some(String::new());
        event.page_path = Some(String::new());
    });
    assert_eq!((event.session_id, event.page_path), (None, None));
    // Spaces around an id are not part of it: two spellings of one id would be two clients.
    assert_eq!(accepted(|event| event.client_id = "7".to_owned()).client_id, "7");
}

#[test]
fn a_nul_is_refused_wherever_it_hides() {
    for (field, _, set) in REQUIRED.into_iter().chain(OPTIONAL) {
        for text in ["\0", "a\0", "\0a", "a\0b"] {
            assert_eq!(
                refusal(|event| set(event, text.to_owned())),
                format!("{field}: contains a NUL character; remove it")
            );
        }
    }
    let places = [
        json!({ "a": "x\0y" }),
        json!({ "a\0": 1 }),
        json!({ "a": { "b": { "c\0": null } } }),
        json!({ "a": { "b": ["x", ["\0"]] } }),
        json!({ "a": [{ "b": [{ "\0": "x" }] }] }),
    ];
    for data in places {
        assert_eq!(
            refusal(|event| event.data = object(data.clone())),
            "data: contains a NUL character (\\u0000); remove it",
            "{data}"
        );
    }
    accepted(|event| event.data = object(json!({ "a": "\\u0000", "\u{1}": "\u{7f}" })));
}

#[test]
fn data_may_have_32_kib_of_json() {
    let limit = 32 * 1024;
    accepted(|event| event.data = data_of(limit));
    assert_eq!(
        refusal(|event| event.data = data_of(limit + 1)),
        "data: is 32769 bytes of JSON; the limit is 32768 (32 KiB), send less with each event"
    );
    // Bytes as written, not characters: a quote takes two, an umlaut too.
    for text in ["\"", "ü"] {
        let overhead = r#"{"text":""}"#.len();
        let data = |count: usize| object(json!({ "text": text.repeat(count) }));
        accepted(|event| event.data = data((limit - overhead) / 2));
        assert!(
            refusal(|event| event.data = data((limit - overhead) / 2 + 1))
                .starts_with("data: is 32769 bytes")
        );
    }
    accepted(|event| event.data = Map::new());
}

#[test]
fn data_may_be_nested_64_deep() {
    let nested = |depth: usize| {
        let inner = (1..depth).fold(json!(1), |value, _| Value::Array(vec![value]));
        // Not json!, which copies what it is given, level by level, on the stack.
        Map::from_iter([("a".to_owned(), inner)])
    };
    accepted(|event| event.data = nested(64));
    let message = "data: is nested more than 64 levels deep; flatten it";
    assert_eq!(refusal(|event| event.data = nested(65)), message);
    // Built in memory, deeper than any parser would let through: refused, and the stack holds.
    assert_eq!(refusal(|event| event.data = nested(2_000)), message);
    let objects = (1..65).fold(json!({}), |value, _| json!({ "a": value }));
    accepted(|event| event.data = object(objects.clone()));
    assert_eq!(refusal(|event| event.data = object(json!({ "a": objects }))), message);
}

#[test]
fn a_duration_is_0_to_86400_seconds() {
    for seconds in [0, 1, 86_400] {
        assert_eq!(
            accepted(|event| event.duration_seconds = Some(seconds)).duration_seconds,
            Some(seconds)
        );
    }
    for seconds in [-1, 86_401, i64::MIN, i64::MAX] {
        assert_eq!(
            refusal(|event| event.duration_seconds = Some(seconds)),
            format!(
                "duration_seconds: {seconds} is outside 0 to 86400 (one day); send whole seconds"
            )
        );
    }
}

#[test]
fn an_event_happened_in_2000_or_later() {
    for timestamp in ["2000-01-01T00:00:00Z", "2000-01-01T00:00:00.000001Z", "2026-05-20T12:00:00Z"]
    {
        let event = accepted(|event| event.timestamp = Some(at(timestamp)));
        assert_eq!(event.occurred_at, at(timestamp), "late events count where they belong");
    }
    for timestamp in [
        "1999-12-31T23:59:59Z",
        "1999-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "-009999-01-02T01:59:59Z",
    ] {
        assert_eq!(
            refusal(|event| event.timestamp = Some(at(timestamp))),
            format!(
                "timestamp: {timestamp} is before 2000-01-01; check the sender's clock and unit, \
                 and send the time of the event as RFC 3339, for example 2026-05-01T09:30:00Z"
            )
        );
    }
}

#[test]
fn an_event_may_lie_24_hours_ahead_of_its_receipt() {
    for timestamp in ["2026-05-20T12:00:00.000001Z", "2026-05-21T12:00:00Z"] {
        let event = accepted(|event| event.timestamp = Some(at(timestamp)));
        assert_eq!(event.occurred_at, at(timestamp));
    }
    // Below the microsecond nothing is kept, so nothing is judged.
    accepted(|event| event.timestamp = Some(at("2026-05-21T12:00:00.000000999Z")));
    for timestamp in [
        "2026-05-21T12:00:00.000001Z",
        "2026-05-21T12:00:01Z",
        "2027-01-01T00:00:00Z",
        "9999-12-30T22:00:00.999999Z",
    ] {
        assert_eq!(
            refusal(|event| event.timestamp = Some(at(timestamp))),
            format!(
                "timestamp: {timestamp} is more than 24 hours after it was received ({RECEIVED}); \
                 check the sender's clock, or send sentAt so that it can be corrected"
            )
        );
    }
}

#[test]
fn an_event_without_a_timestamp_happened_when_it_was_received() {
    for sent_at in [None, Some(at("2026-05-20T11:00:00Z")), Some(at("1999-01-01T00:00:00Z"))] {
        let event = accepted(|event| (event.timestamp, event.sent_at) = (None, sent_at));
        assert_eq!(event.occurred_at, at(RECEIVED));
        assert_eq!(event.client_timestamp, None);
    }
}

#[test]
fn a_clock_that_is_off_by_more_than_a_minute_is_corrected() {
    // (timestamp, sent at, occurred at); received at 12:00:00.
    let table = [
        ("2026-05-20T11:00:00Z", "2026-05-20T12:00:00Z", "2026-05-20T11:00:00Z"),
        // Slow by exactly a minute; then more.
        ("2026-05-20T11:00:00Z", "2026-05-20T11:59:00Z", "2026-05-20T11:00:00Z"),
        ("2026-05-20T11:00:00Z", "2026-05-20T11:58:59.999999Z", "2026-05-20T11:01:00.000001Z"),
        ("2026-05-20T11:00:00Z", "2026-05-20T11:58:59Z", "2026-05-20T11:01:01Z"),
        ("2026-05-20T11:00:00Z", "2026-05-20T11:30:00Z", "2026-05-20T11:30:00Z"),
        // Fast by exactly a minute; then more.
        ("2026-05-20T11:00:00Z", "2026-05-20T12:01:00Z", "2026-05-20T11:00:00Z"),
        ("2026-05-20T11:00:00Z", "2026-05-20T12:01:00.000001Z", "2026-05-20T10:58:59.999999Z"),
        ("2026-05-20T11:00:00Z", "2026-05-20T12:01:01Z", "2026-05-20T10:58:59Z"),
        // A clock years off, right about how long ago it was.
        ("1970-01-01T00:00:00Z", "1970-01-01T00:10:00Z", "2026-05-20T11:50:00Z"),
        ("2090-01-01T00:00:00Z", "2090-01-01T01:00:00Z", "2026-05-20T11:00:00Z"),
        // Kept for weeks before it was sent.
        ("2026-04-01T00:00:00Z", "2026-05-20T12:00:01Z", "2026-04-01T00:00:00Z"),
    ];
    for (timestamp, sent_at, occurred_at) in table {
        let event = accepted(|event| {
            (event.timestamp, event.sent_at) = (Some(at(timestamp)), Some(at(sent_at)));
        });
        assert_eq!(event.occurred_at, at(occurred_at), "{timestamp} sent {sent_at}");
        // What deduplicates stays what the client said.
        assert_eq!(event.client_timestamp, Some(at(timestamp)));
    }
}

#[test]
fn a_sent_at_before_its_own_timestamp_corrects_nothing() {
    for (timestamp, sent_at) in [
        ("2026-05-20T11:59:00Z", "2026-05-06T12:00:00Z"),
        ("2026-05-20T11:59:55Z", "2026-05-20T11:50:00Z"),
        ("2026-05-20T11:59:30Z", "1970-01-01T00:00:00Z"),
        ("2026-05-20T11:00:00.000001Z", "2026-05-20T11:00:00Z"),
        ("2026-05-21T11:00:00Z", "2026-05-20T11:00:00Z"),
    ] {
        let event = accepted(|event| {
            (event.timestamp, event.sent_at) = (Some(at(timestamp)), Some(at(sent_at)));
        });
        assert_eq!(event.occurred_at, at(timestamp), "{timestamp} sent {sent_at}");
    }
}

#[test]
fn a_correction_to_before_2000_is_none() {
    let event = accepted(|event| event.sent_at = Some(at("9999-12-30T00:00:00Z")));
    assert_eq!(event.occurred_at, at("2026-05-20T11:00:00Z"));
    // What is out of range by itself is refused all the same.
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    for (timestamp, sent_at, why) in
        [(first, last, "is before 2000-01-01"), (last, first, "is more than 24 hours after")]
    {
        let refused =
            refusal(|event| (event.timestamp, event.sent_at) = (Some(timestamp), Some(sent_at)));
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn ids_are_kept_in_one_spelling() {
    let event = accepted(|event| event.client_id = " Zoe\u{308}\n".to_owned());
    assert_eq!(event.client_id, "Zo\u{eb}");
    let refused = refusal(|event| event.client_id = " \u{a0} ".to_owned());
    assert!(refused.starts_with("client_id: is empty"), "{refused}");
}

#[test]
fn instants_are_kept_to_the_microsecond() {
    let mut incoming = fine();
    incoming.timestamp = Some(at("2026-05-20T11:00:00.123456789Z"));
    let event = validate(incoming, at("2026-05-20T12:00:00.987654321Z")).unwrap();
    assert_eq!(event.occurred_at, at("2026-05-20T11:00:00.123456Z"));
    assert_eq!(event.client_timestamp, Some(at("2026-05-20T11:00:00.123456Z")));
    assert_eq!(event.received_at, at("2026-05-20T12:00:00.987654Z"));
}

#[test]
fn a_timestamp_is_rfc_3339_with_an_offset() {
    let table = [
        ("2026-05-01T09:30:00Z", "2026-05-01T09:30:00Z"),
        (" 2026-05-01T09:30:00Z\n", "2026-05-01T09:30:00Z"),
        ("2026-05-01t09:30:00z", "2026-05-01T09:30:00Z"),
        ("2026-05-01 09:30:00Z", "2026-05-01T09:30:00Z"),
        ("2026-05-01T09:30:00.5+02:00", "2026-05-01T07:30:00.5Z"),
        ("2026-05-01T09:30:00-00:00", "2026-05-01T09:30:00Z"),
        ("2026-05-01T09:30:00+05:45", "2026-05-01T03:45:00Z"),
        // A leap second is the last second of its minute: no figure can tell them apart.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
    ];
    for (text, expected) in table {
        assert_eq!(parse_timestamp("timestamp", text), Ok(at(expected)), "{text}");
    }
}

#[test]
fn a_malformed_timestamp_is_refused_with_an_example() {
    for text in [
        "",
        " ",
        "yesterday",
        "1777627800",
        "1777627800000",
        "Z",
        "+02:00",
        "T09:30:00Z",
        "09:30:00Z",
        "2026-05-01",
        "2026-05-01Z",
        "2026-05-01T09:30:00",
        "2026-05-01T09:30:00 Europe/Berlin",
        "2026-05-01T09:30:00+",
        "2026-05-01T09:30:00+99:00",
        "2026-05-01T24:00:00Z",
        "2026-05-01T09:60:00Z",
        "2026-05-01T09:30:61Z",
        "2026-02-29T09:30:00Z",
        "2026-13-01T09:30:00Z",
        "2026-00-01T09:30:00Z",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "01.05.2026 09:30",
        "Fri, 01 May 2026 09:30:00 GMT",
        "2026-05-01T09:30:00Z\0",
        "２０２６-05-01T09:30:00Z",
    ] {
        assert_eq!(
            parse_timestamp("originalTimestamp", text).expect_err(text).to_string(),
            format!(
                "originalTimestamp: {text:?} is not a time that can be used; send RFC 3339 with an \
                 offset, from the year 2000 on, for example 2026-05-01T09:30:00Z"
            )
        );
    }
    // A whole document in the field is not repeated.
    let refused = parse_timestamp("sentAt", &"é".repeat(10_000)).expect_err("not a time");
    assert!(refused.reason.len() < 250, "{refused}");
}

#[test]
fn the_checks_serve_other_fields_too() {
    assert_eq!(check_text("name", "", 3), Ok(()));
    assert_eq!(check_text("name", "äöü", 3), Ok(()));
    assert_eq!(
        check_text("name", "äöüß", 3),
        Err(EventError::new("name", "has 4 characters; the limit is 3, shorten it"))
    );
    for value in [json!(null), json!(1.5), json!("x"), json!([]), json!({})] {
        assert_eq!(check_json("traits", &value), Ok(()));
    }
    assert_eq!(
        check_json("traits", &json!(["\0"])).expect_err("a NUL").to_string(),
        "traits: contains a NUL character (\\u0000); remove it"
    );
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn any_instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), 0..1_000_000_000_i32)
            .prop_map(|(second, nanos)| Timestamp::new(second, nanos).unwrap_or(Timestamp::MAX)),
        // Around the receipt, where the interesting edges are.
        (-200_000_i64..200_000).prop_map(|seconds| at(RECEIVED) + seconds.seconds()),
        proptest::sample::select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH]),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9 ]{1,20}",
        1 => any::<String>(),
        1 => (0..300_usize).prop_map(|length| "ß".repeat(length)),
        1 => Just("a\0b".to_owned()),
    ]
}

prop_compose! {
    fn any_event()(
        client_id in any_text(),
        name in any_text(),
        event_type in proptest::option::of(proptest::sample::select(EventType::ALL.as_slice())),
        timestamp in proptest::option::of(any_instant()),
        sent_at in proptest::option::of(any_instant()),
        message_id in any_text(),
        session_id in proptest::option::of(any_text()),
        page_path in proptest::option::of(any_text()),
        duration_seconds in proptest::option::of(prop_oneof![3 => 0..86_401_i64, 1 => any::<i64>()]),
        data in proptest::collection::hash_map(any::<String>(), json_value(), 0..4),
    ) -> IncomingEvent {
        IncomingEvent {
            client_id,
            person: None,
            name,
            event_type,
            timestamp,
            sent_at,
            message_id,
            session_id,
            page_path,
            duration_seconds,
            data: data.into_iter().collect(),
        }
    }
}

/// The fields of an accepted event as a sender with a right clock would send them.
fn sent_again(event: &Event) -> IncomingEvent {
    IncomingEvent {
        client_id: event.client_id.clone(),
        person: event.person.clone(),
        name: event.name.clone(),
        event_type: Some(event.event_type),
        timestamp: Some(event.occurred_at),
        sent_at: None,
        message_id: event.message_id.clone(),
        session_id: event.session_id.clone(),
        page_path: event.page_path.clone(),
        duration_seconds: event.duration_seconds,
        data: event.data.clone(),
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(entries) => {
            entries.iter().any(|(key, item)| key.contains('\0') || holds_nul(item))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn anything_is_accepted_or_refused_and_never_breaks_us(
        incoming in any_event(),
        received_at in any_instant(),
    ) {
        match validate(incoming.clone(), received_at) {
            Ok(event) => {
                prop_assert!(event.occurred_at >= at("2000-01-01T00:00:00Z"));
                prop_assert!((1..=255).contains(&event.client_id.chars().count()));
                prop_assert!((1..=100).contains(&event.message_id.chars().count()));
                prop_assert!(serde_json::to_string(&event.data).unwrap().len() <= 32 * 1024);
                let texts = [Some(&event.client_id), Some(&event.name), Some(&event.message_id)];
                for text in texts.into_iter().chain([event.session_id.as_ref(), event.page_path.as_ref()]) {
                    prop_assert!(!text.is_some_and(|text| text.contains('\0')));
                }
                prop_assert!(!holds_nul(&Value::Object(event.data)));
            }
            Err(error) => {
                prop_assert!(!error.field.is_empty() && !error.reason.is_empty());
                prop_assert!(error.reason.contains([';', ',']), "no remedy: {}", error);
            }
        }
    }

    #[test]
    fn an_accepted_event_is_accepted_again_as_itself(
        incoming in any_event(),
        received_at in any_instant(),
    ) {
        if let Ok(event) = validate(incoming, received_at) {
            let moved = event.client_timestamp != Some(event.occurred_at);
            prop_assert!(!moved || event.occurred_at <= event.received_at, "moved past its receipt");
            let again = validate(sent_again(&event), event.received_at).expect("accepted before");
            prop_assert_eq!(again.client_timestamp, Some(event.occurred_at));
            let again = Event { client_timestamp: event.client_timestamp, ..again };
            prop_assert_eq!(again, event);
        }
    }

    /// An import of history: each event is received when it happened.
    #[test]
    fn history_since_2000_is_never_refused_for_its_time(
        micros in 946_684_800_000_000_i64..2_524_608_000_000_000,
    ) {
        let then = Timestamp::from_microsecond(micros).expect("between 2000 and 2050");
        let incoming = IncomingEvent { timestamp: Some(then), ..fine() };
        prop_assert_eq!(validate(incoming, then).expect("history").occurred_at, then);
    }

    #[test]
    fn any_text_is_a_timestamp_or_not_and_never_breaks_us(text in any::<String>()) {
        if let Err(error) = parse_timestamp("timestamp", &text) {
            prop_assert_eq!(error.field, "timestamp");
        }
    }
}
