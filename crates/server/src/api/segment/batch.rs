use axum::http::StatusCode;
use jiff::Timestamp;
use mainstay_core::engagement::{
    EventError,
    segment::{MAX_MESSAGE_BYTES, MessageContext, SegmentMessage, Text, read_sent_at},
};
use mainstay_store::new_id;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{SegmentAnswer, Sender};
use crate::{
    api::{
        Api,
        problem::Problem,
        record::{MAX_EVENTS, record_messages},
    },
    engagement::Admission,
};

/// The body of a batch. Messages are parsed one by one, so that an invalid one does not affect the
/// others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    batch: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) write_key: Option<Text<'a>>,
    /// As it was sent: whatever it is, it must not keep the messages from being read.
    #[serde(borrow, default)]
    sent_at: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(json: &'a str) -> Result<Self, EventError> {
        let wrong = |reason: String| EventError::new("batch", reason);
        if !json.trim_ascii_start().starts_with('{') {
            return Err(wrong("is missing; send an object with the messages in batch".to_owned()));
        }
        let envelope: Self = serde_json::from_str(json).map_err(|error| {
            let message: String = error.to_string().chars().take(200).collect();
            wrong(format!("cannot be read: {message}; send the messages as an array in batch"))
        })?;
        match envelope.batch {
            Some(_) => Ok(envelope),
            None => Err(wrong("is missing; send the messages as an array in batch".to_owned())),
        }
    }

    /// The messages, unless they are too many.
    pub(super) fn messages(self) -> Result<Batch<'a>, Problem> {
        let messages = self.batch.unwrap_or_default();
        if messages.len() > MAX_EVENTS {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                format!(
                    "{} messages exceed the limit of {MAX_EVENTS} per batch; send fewer",
                    messages.len()
                ),
            )
            .field("batch")
            .limit(MAX_EVENTS as u64));
        }
        let messages =
            messages.into_iter().map(|json| Message { json: json.get(), read: None }).collect();
        Ok(Batch { sent_at: self.sent_at.and_then(read_sent_at), messages })
    }
}

/// One message, read already where that was needed to know who sends it.
pub(super) struct Message<'a> {
    pub(super) json: &'a str,
    pub(super) read: Option<Result<SegmentMessage<'a>, EventError>>,
}

impl<'a> Message<'a> {
    fn read(self) -> Result<SegmentMessage<'a>, EventError> {
        let bytes = self.json.len();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(EventError::new(
                "message",
                format!(
                    "is {bytes} bytes; the limit is {MAX_MESSAGE_BYTES} (32 KiB), send less with \
                     each message"
                ),
            ));
        }
        self.read.unwrap_or_else(|| SegmentMessage::read(self.json))
    }
}

/// The messages of a request.
pub(super) struct Batch<'a> {
    pub(super) sent_at: Option<Timestamp>,
    pub(super) messages: Vec<Message<'a>>,
}

impl Batch<'_> {
    /// Stores the messages; when this returns, all that are not rejected are on disk.
    pub(super) async fn store(
        self,
        api: &Api,
        sender: &Sender,
        admission: Admission,
    ) -> Result<SegmentAnswer, Problem> {
        let organization = sender.principal.organization();
        let charges = api.writer.count(&sender.principal, sender.key, self.messages.len())?;
        let admission = admission.with_key(sender.key);
        let settings = api.mainstay.ingest_settings(organization).await?;
        let received_at = api.mainstay.now();
        let texts: Vec<&str> = self.messages.iter().map(|message| message.json).collect();
        let type_of = |name: &str| settings.types.get(name).copied();
        let read = self.messages.into_iter().map(|message| {
            let message = message.read()?;
            // One costs a call of the system, and hardly any message needs it.
            let fallback_id = if message.has_id() {
                String::new()
            } else {
                new_id::<Uuid>(received_at).to_string()
            };
            let reading = MessageContext {
                clients_are: settings.clients_are,
                received_at,
                sent_at: self.sent_at,
                fallback_id: &fallback_id,
            };
            message.said(&reading, type_of)
        });
        let sample = |index: usize| {
            let text = texts.get(index).filter(|text| text.len() <= MAX_MESSAGE_BYTES)?;
            serde_json::from_str(text).ok()
        };
        let sender = (organization, sender.authority);
        let outcome =
            record_messages(api, sender, read.collect(), (admission, charges), sample).await?;
        Ok(SegmentAnswer {
            success: !outcome.all_refused(),
            waiting: outcome.waiting,
            refused: outcome.refused,
        })
    }
}
