//! What every door for events does with them: keep what can be kept, and say why the rest is not.

use mainstay_core::{
    engagement::{Authority, EventError, segment::IncomingMessage},
    id::OrganizationId,
};
use serde_json::Value;

use super::{Api, problem::Problem, refused::RefusedEvent};
use crate::{
    client::Alias,
    engagement::{Admission, MessageOutcome, Source},
    limit::Charges,
    live::RefusedMessage,
};

/// Most events in one request: with less it takes many requests, with more a sender that has to
/// repeat one repeats too much.
pub(crate) const MAX_EVENTS: usize = 2_500;
/// Refused events of a request of which is kept what was sent. Whoever wires up an app sends few;
/// copying what senders of many send would cost them time.
const MAX_SAMPLES: usize = 100;

/// The outcome of a request's events.
pub(crate) struct BatchOutcome {
    /// The number of events.
    pub(crate) count: usize,
    /// Those that are new, and on disk.
    pub(crate) stored: usize,
    /// Those that were there already.
    pub(crate) duplicates: usize,
    /// Those that are on disk and wait until it is known whose they are.
    pub(crate) waiting: usize,
    /// Those that were refused, in their order.
    pub(crate) refused: Vec<RefusedEvent>,
}

impl BatchOutcome {
    /// Whether there were some and not one could be used.
    pub(crate) fn all_refused(&self) -> bool {
        self.count > 0 && self.refused.len() == self.count
    }
}

/// For a count that is left out of an answer while there is nothing to count.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Stores what could be read of a request, as far as its sender may say it; when this returns it is on
/// disk. `charges` are the caller's, kept once every limit has admitted the request; `sample` returns the body of
/// one of its events, for the page of live events.
pub(crate) async fn record_messages(
    api: &Api,
    (organization, authority): (OrganizationId, Authority),
    read: Vec<Result<IncomingMessage, EventError>>,
    (admission, mut charges): (Admission, Charges),
    sample: impl Fn(usize) -> Option<Value>,
) -> Result<BatchOutcome, Problem> {
    let count = read.len();
    let settings = api.mainstay.ingest_settings(organization).await?;
    let limits = (settings.clients_are, settings.count_self_told);
    let received_at = api.mainstay.now();
    let (mut indexes, mut messages) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut aliases: Vec<(usize, Alias)> = Vec::new();
    let mut refused: Vec<(usize, EventError)> = Vec::new();
    for (index, message) in read.into_iter().enumerate() {
        let message = message.and_then(|message| authority.limit(message, limits, received_at));
        match message {
            Ok(IncomingMessage::Alias { previous, client_id, at, message_id }) => {
                aliases.push((index, Alias { previous, client_id, at, message_id }));
            }
            Ok(message) => {
                indexes.push(index);
                messages.push(message);
            }
            Err(error) => refused.push((index, error)),
        }
    }
    if authority.is_self() {
        let clients = messages.iter().filter_map(|message| match message {
            IncomingMessage::Event(event)
            | IncomingMessage::PersonEvent(event)
            | IncomingMessage::PersonOrClientEvent(event) => Some(event.client_id.as_str()),
            IncomingMessage::Profile(change) | IncomingMessage::PersonProfile(change) => {
                Some(change.client_id.as_str())
            }
            IncomingMessage::Membership { client, .. }
            | IncomingMessage::GroupProfile { client, .. } => Some(client.client_id.as_str()),
            IncomingMessage::Alias { .. } | IncomingMessage::Ignored => None,
        });
        charges.add(api.writer.count_self_told(organization, clients)?);
    }
    charges.keep();
    // First, so that what the same request says under another id arrives at the client.
    if !aliases.is_empty() {
        // In a box, so that what has none does not carry the memory for it.
        let join_ids = Box::pin(api.mainstay.join_ids(organization, authority, &aliases));
        refused.extend(join_ids.await?);
    }
    for (index, alias) in aliases {
        if refused.iter().all(|(refused_index, _)| *refused_index != index) {
            indexes.push(index);
            messages.push(alias.into_message(authority));
        }
    }
    let source = Source { organization, is_write_key: authority.is_write_key() };
    let (mut stored, mut duplicates, mut waiting) = (0, 0, 0);
    for (index, outcome) in
        indexes.into_iter().zip(api.writer.store(source, messages, admission).await?)
    {
        match outcome {
            MessageOutcome::Stored => stored += 1,
            MessageOutcome::Duplicate => duplicates += 1,
            MessageOutcome::Waiting => waiting += 1,
            MessageOutcome::Recorded => {}
            MessageOutcome::Refused(error) => refused.push((index, error)),
        }
    }
    refused.sort_by_key(|(index, _)| *index);
    record_refused_events(api, organization, &refused, sample);
    let refused = refused.into_iter().map(|(index, error)| RefusedEvent {
        index,
        field: error.field.to_owned(),
        reason: error.reason,
    });
    Ok(BatchOutcome { count, stored, duplicates, waiting, refused: refused.collect() })
}

/// Saves rejected events for the page of live events.
fn record_refused_events(
    api: &Api,
    organization: OrganizationId,
    refused: &[(usize, EventError)],
    sample: impl Fn(usize) -> Option<Value>,
) {
    let samples: Vec<Option<Value>> =
        refused.iter().take(MAX_SAMPLES).map(|(index, _)| sample(*index)).collect();
    let refused = refused.iter().enumerate().map(|(position, (_, error))| RefusedMessage {
        field: error.field,
        reason: &error.reason,
        sent: samples.get(position).and_then(Option::as_ref),
    });
    api.mainstay.record_refused(organization, refused);
}
