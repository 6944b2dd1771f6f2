//! With which key events come: hour by hour, and of which clients.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::id::{ApiKeyId, ClientId};
use uuid::Uuid;

use crate::{
    ClientChunk, Result, Tx,
    db::dialect::{Day, execute, fetch_all, insert_rows},
};

/// Events of an hour that came with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHour {
    /// The key.
    pub key: ApiKeyId,
    /// Hours since 1970, UTC, of when the events happened.
    pub hour: i64,
    /// Count.
    pub events: i64,
}

/// A client that something came of, and the key that it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// The host app's id of the client.
    pub client_id: String,
    /// The key.
    pub key: ApiKeyId,
}

/// The hour of an instant, as in [`KeyHour::hour`].
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3_600)
}

impl Tx {
    /// The organization's keys that still count, by the hash that they are known by.
    pub async fn list_keys_by_hash(&mut self) -> Result<HashMap<Vec<u8>, ApiKeyId>> {
        let rows = fetch_all!(
            self,
            (Vec<u8>, Uuid),
            "SELECT hash, id FROM api_keys WHERE organization_id = $1 AND revoked_at IS NULL",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(hash, id)| (hash, id.into())).collect())
    }

    /// Adds to the events that came with keys. A key and hour may be named once only.
    pub async fn add_key_activity(&mut self, hours: &[KeyHour]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO key_activity (organization_id, key_id, hour, events)",
            hours,
            "ON CONFLICT (organization_id, key_id, hour) \
             DO UPDATE SET events = key_activity.events + excluded.events",
            |row| [organization, row.key.uuid(), row.hour, row.events]
        );
        Ok(())
    }

    /// Keeps that something came of clients with keys on a UTC day; once a day is enough. Clients that
    /// there are not, any more, are left out.
    pub async fn add_client_keys(&mut self, day: Date, seen: &[ClientKey]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "WITH seen (organization_id, external_id, key_id, day) AS (",
            seen,
            ") INSERT INTO client_keys (organization_id, client_id, key_id, days, last_day) \
             SELECT c.organization_id, c.id, s.key_id, 1, s.day FROM seen s JOIN clients c \
             ON c.organization_id = s.organization_id AND c.external_id = s.external_id WHERE TRUE \
             ON CONFLICT (organization_id, client_id, key_id) DO UPDATE \
             SET days = client_keys.days + 1, last_day = excluded.last_day \
             WHERE client_keys.last_day < excluded.last_day",
            |row| [organization, &row.client_id, row.key.uuid(), Day(day)]
        );
        Ok(())
    }

    /// Events that came with each key in the hours `[from, to)`; keys without any are left out.
    pub async fn count_key_events(&mut self, from: i64, to: i64) -> Result<HashMap<ApiKeyId, i64>> {
        let rows = fetch_all!(
            self,
            (Uuid, i64),
            "SELECT key_id, CAST(SUM(events) AS BIGINT) FROM key_activity \
             WHERE organization_id = $1 AND hour >= $2 AND hour < $3 GROUP BY key_id",
            self.scope.organization_uuid(),
            from,
            to
        )?;
        Ok(rows.into_iter().map(|(key, events)| (key.into(), events)).collect())
    }

    /// The last hour before another one with an event of each key.
    pub async fn list_last_key_hours(&mut self, before: i64) -> Result<HashMap<ApiKeyId, i64>> {
        let rows = fetch_all!(
            self,
            (Uuid, i64),
            "SELECT key_id, MAX(hour) FROM key_activity \
             WHERE organization_id = $1 AND hour < $2 GROUP BY key_id",
            self.scope.organization_uuid(),
            before
        )?;
        Ok(rows.into_iter().map(|(key, hour)| (key.into(), hour)).collect())
    }

    /// Forgets which hours before one brought events.
    pub async fn delete_key_activity(&mut self, before: i64) -> Result<()> {
        execute!(
            self,
            "DELETE FROM key_activity WHERE organization_id = $1 AND hour < $2",
            self.scope.organization_uuid(),
            before
        )?;
        Ok(())
    }

    /// The key that each client of a chunk usually comes with: on most days, and lately when there are
    /// two such.
    pub async fn find_usual_keys(
        &mut self,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, ApiKeyId>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            (Uuid, Uuid),
            "SELECT client_id, key_id FROM client_keys WHERE organization_id = $1 \
             AND client_id BETWEEN $2 AND $3 ORDER BY client_id, days, last_day, key_id",
            self.scope.organization_uuid(),
            low,
            high
        )?;
        // The last one of a client is the one that counts.
        Ok(rows.into_iter().map(|(client, key)| (client.into(), key.into())).collect())
    }
}
