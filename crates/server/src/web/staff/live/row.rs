use askama::Template;
use jiff::Timestamp;
use mainstay_core::{engagement::EventType, text::count_noun};
use mainstay_store::{ArrivedEvent, RefusedEvent};
use serde_json::Map;

use crate::{
    live::LiveEvent,
    web::ui::components::{EventSentence, View, markup},
};

/// Something that arrived: an entry of the list of live events.
#[derive(Template)]
#[template(path = "live/row.html")]
pub(super) struct LiveRow {
    key: String,
    /// When it arrived.
    pub(super) at: Timestamp,
    time: String,
    what: What,
}

enum What {
    Event {
        sentence: EventSentence,
        client: String,
        href: String,
        message_id: String,
        /// When it happened, where that is not when it arrived.
        happened: Option<String>,
    },
    Refused {
        field: String,
        reason: String,
        body: String,
        more: Option<String>,
    },
}

/// Seconds between an event and its arrival that are not worth telling.
const SAME_SECONDS: i64 = 5;

impl LiveRow {
    /// An event that was just stored.
    pub(super) fn of_live(view: &View, event: &LiveEvent) -> Self {
        Self::of_event(
            view,
            (&event.client_id, &event.message_id),
            (event.event_type, &event.name),
            (event.occurred_at, event.received_at),
        )
    }

    /// An event that was stored before.
    pub(super) fn of_stored(view: &View, event: &ArrivedEvent) -> Self {
        Self::of_event(
            view,
            (&event.client_id, &event.message_id),
            (event.event_type, &event.name),
            (event.occurred_at, event.received_at),
        )
    }

    fn of_event(
        view: &View,
        (client, message_id): (&str, &str),
        (event_type, name): (EventType, &str),
        (occurred_at, received_at): (Timestamp, Timestamp),
    ) -> Self {
        let away = occurred_at.duration_since(received_at).abs().as_secs() > SAME_SECONDS;
        Self {
            key: format!("{client} {message_id} {}", occurred_at.as_microsecond()),
            at: received_at,
            time: view.moment_exact(received_at),
            what: What::Event {
                sentence: EventSentence::of(event_type, name, None, &Map::new()),
                client: client.to_owned(),
                href: View::of_staff(view.zone().clone(), view.now(), client).link(""),
                message_id: message_id.to_owned(),
                happened: away.then(|| view.moment(occurred_at)),
            },
        }
    }

    /// An event that was refused.
    pub(super) fn of_refused(view: &View, event: &RefusedEvent) -> Self {
        let refusal = &event.refusal;
        Self {
            key: event.id.to_string(),
            at: refusal.at,
            time: view.moment_exact(refusal.at),
            what: What::Refused {
                field: refusal.field.clone(),
                reason: refusal.reason.clone(),
                body: refusal.body.clone(),
                more: (refusal.more > 0).then(|| {
                    format!(
                        "{} more were refused in the same second",
                        count_noun(refusal.more, "event")
                    )
                }),
            },
        }
    }
}

markup!(LiveRow);
