//! Whatever a message says, it is read or refused; and what is read keeps every limit.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mainstay_core::engagement::{
    MAX_CLIENT_ID_CHARS, MAX_MESSAGE_ID_CHARS, MAX_NAME_CHARS,
    cloud_event::CloudEvent,
    segment::{ClientIdentity, Reading, Said, SegmentMessage},
};

const RECEIVED: Timestamp = Timestamp::constant(1_779_278_400, 0);

fn keeps_limits(said: &Said) {
    let (Said::Did(event) | Said::DidForAccount(event)) = said else { return };
    assert!((1..=MAX_CLIENT_ID_CHARS).contains(&event.client_id.chars().count()));
    assert!((1..=MAX_NAME_CHARS).contains(&event.name.chars().count()));
    assert!((1..=MAX_MESSAGE_ID_CHARS).contains(&event.message_id.chars().count()));
    assert!(!event.name.contains('\0') && !event.client_id.contains('\0'));
    assert!(event.duration_seconds.is_none_or(|seconds| (0..=86_400).contains(&seconds)));
}

fuzz_target!(|text: &str| {
    for clients_are in ClientIdentity::ALL {
        let reading = Reading {
            clients_are,
            received_at: RECEIVED,
            sent_at: None,
            fallback_id: "fallback",
        };
        if let Ok(message) = SegmentMessage::read(text)
            && let Ok(said) = message.said(&reading, |_| None)
        {
            keeps_limits(&said);
        }
    }
    if let Ok(event) = CloudEvent::read(text)
        && let Ok(event) = event.event(RECEIVED, |_| None)
    {
        keeps_limits(&Said::Did(event));
    }
});
