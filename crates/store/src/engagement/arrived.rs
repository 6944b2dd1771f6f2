use jiff::Timestamp;
use mainstay_core::engagement::EventType;

use crate::{
    Result, Tx,
    db::{
        dialect::{Instant, fetch_all},
        name,
    },
};

/// Events of the latest hours that are looked through: a page must not take as long as there are
/// events.
const MAX_ROWS_SCANNED: i64 = 20_000;

/// An event as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedEvent {
    /// The host app's id of its client.
    pub client_id: String,
    /// The sender's id of the message.
    pub message_id: String,
    /// Event type.
    pub event_type: EventType,
    /// The name as it was sent.
    pub name: String,
    /// Time of the event.
    pub occurred_at: Timestamp,
    /// When Mainstay received it.
    pub received_at: Timestamp,
}

impl Tx {
    /// The events that arrived last, the newest first, among the twenty thousand that happened last.
    pub async fn list_arrived_events(&mut self, limit: i64) -> Result<Vec<ArrivedEvent>> {
        let rows = fetch_all!(
            self,
            (String, String, String, String, Instant, Instant),
            "SELECT c.external_id, e.message_id, e.event_type, e.name, e.occurred_at, e.received_at \
             FROM (SELECT * FROM (SELECT client_id, message_id, event_type, name, occurred_at, \
             received_at FROM client_engagement_events WHERE organization_id = $1 \
             ORDER BY occurred_at DESC LIMIT $3) AS latest ORDER BY received_at DESC, message_id LIMIT $2) \
             AS e JOIN clients c ON c.organization_id = $1 AND c.id = e.client_id \
             ORDER BY e.received_at DESC, e.message_id",
            self.scope.organization_uuid(),
            limit,
            MAX_ROWS_SCANNED
        )?;
        rows.into_iter()
            .map(|(client_id, message_id, event_type, name, occurred_at, received_at)| {
                Ok(ArrivedEvent {
                    client_id,
                    message_id,
                    event_type: name::EVENT_TYPE.read(&event_type)?,
                    name,
                    occurred_at: occurred_at.0,
                    received_at: received_at.0,
                })
            })
            .collect()
    }
}
