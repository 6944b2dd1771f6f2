//! Silences of the data: stretches in which the events of an organization, or of one key, are missing.

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::id::{AlertId, ApiKeyId, ClientId};
use uuid::Uuid;

use crate::{
    ClientChunk, ClientRange, Result, Tx,
    db::dialect::{Day, Instant, execute, fetch_all, fetch_one, fetch_optional},
};

/// A stretch without events, or with those of few clients only, where there used to be more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSilence {
    /// When it began: the last event before it, or the day on which few clients came.
    pub since: Timestamp,
    /// When the silence was detected.
    pub noticed_at: Timestamp,
    /// How many clients came when it was noticed, and how many usually do at least; `None` where no
    /// event came at all.
    pub clients: Option<(i64, i64)>,
    /// Open alerts that are held back, of this silence or of any key's.
    pub held_alerts: i64,
}

/// A stretch without events that came with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySilence {
    /// The key.
    pub key: ApiKeyId,
    /// How it begins, to tell keys apart.
    pub prefix: String,
    /// The end of the last hour with an event.
    pub since: Timestamp,
    /// When the silence was detected.
    pub noticed_at: Timestamp,
}

impl Tx {
    /// Whether any client did something in `[from, to)`.
    pub async fn has_event(&mut self, from: Timestamp, to: Timestamp) -> Result<bool> {
        let row = fetch_optional!(
            self,
            (i64,),
            "SELECT CAST(1 AS BIGINT) FROM client_engagement_events WHERE organization_id = $1 \
             AND occurred_at >= $2 AND occurred_at < $3 LIMIT 1",
            self.scope.organization_uuid(),
            Instant(from),
            Instant(to)
        )?;
        Ok(row.is_some())
    }

    /// How many events all clients together have in `[from, to)`.
    pub async fn count_events(&mut self, from: Timestamp, to: Timestamp) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM client_engagement_events WHERE organization_id = $1 \
             AND occurred_at >= $2 AND occurred_at < $3",
            self.scope.organization_uuid(),
            Instant(from),
            Instant(to)
        )?;
        Ok(count)
    }

    /// How many clients have an event on a local day.
    pub async fn count_active_clients(&mut self, day: Date) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(DISTINCT a.client_id) FROM (SELECT client_id FROM daily_activity \
             WHERE organization_id = $1 AND day = $2 UNION ALL SELECT client_id \
             FROM pending_activity WHERE organization_id = $1 AND day = $2) AS a",
            self.scope.organization_uuid(),
            Day(day)
        )?;
        Ok(count)
    }

    /// When the last event before an instant happened.
    pub async fn find_last_event_before(&mut self, at: Timestamp) -> Result<Option<Timestamp>> {
        let (last,) = fetch_one!(
            self,
            (Option<Instant>,),
            "SELECT MAX(occurred_at) FROM client_engagement_events WHERE organization_id = $1 \
             AND occurred_at < $2",
            self.scope.organization_uuid(),
            Instant(at)
        )?;
        Ok(last.map(|at| at.0))
    }

    /// The silence that lasts, with what is held back.
    pub async fn find_data_silence(&mut self) -> Result<Option<DataSilence>> {
        let row = fetch_optional!(
            self,
            (Instant, Instant, Option<i64>, Option<i64>),
            "SELECT since, noticed_at, clients, usual_clients FROM data_silences \
             WHERE organization_id = $1 AND ended_at IS NULL",
            self.scope.organization_uuid()
        )?;
        let Some((since, noticed_at, clients, usual)) = row else { return Ok(None) };
        Ok(Some(DataSilence {
            since: since.0,
            noticed_at: noticed_at.0,
            clients: clients.zip(usual),
            held_alerts: self.count_held_alerts().await?,
        }))
    }

    /// How many open alerts are held back.
    pub async fn count_held_alerts(&mut self) -> Result<i64> {
        let (count,) = fetch_one!(
            self,
            (i64,),
            "SELECT COUNT(*) FROM client_momentum_alerts WHERE organization_id = $1 \
             AND held_at IS NOT NULL AND status IN ('active', 'acknowledged', 'snoozed')",
            self.scope.organization_uuid()
        )?;
        Ok(count)
    }

    /// When the latest silence that is over ended.
    pub async fn find_last_data_silence_end(&mut self) -> Result<Option<Timestamp>> {
        let (ended,) = fetch_one!(
            self,
            (Option<Instant>,),
            "SELECT MAX(ended_at) FROM data_silences WHERE organization_id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(ended.map(|at| at.0))
    }

    /// The silences that touch `[from, to)`: when each began, and ended if it has.
    pub async fn list_data_silences_within(
        &mut self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, Option<Timestamp>)>> {
        let rows = fetch_all!(
            self,
            (Instant, Option<Instant>),
            "SELECT since, ended_at FROM data_silences WHERE organization_id = $1 \
             AND since < $3 AND (ended_at IS NULL OR ended_at > $2) ORDER BY since",
            self.scope.organization_uuid(),
            Instant(from),
            Instant(to)
        )?;
        Ok(rows.into_iter().map(|(since, ended)| (since.0, ended.map(|at| at.0))).collect())
    }

    /// Notices a silence. Its `held_alerts` do not matter.
    pub async fn begin_data_silence(&mut self, silence: &DataSilence) -> Result<()> {
        execute!(
            self,
            "INSERT INTO data_silences (organization_id, since, noticed_at, clients, usual_clients) \
             VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (organization_id, since) DO UPDATE SET ended_at = NULL",
            self.scope.organization_uuid(),
            Instant(silence.since),
            Instant(silence.noticed_at),
            silence.clients.map(|(clients, _)| clients),
            silence.clients.map(|(_, usual)| usual)
        )?;
        Ok(())
    }

    /// Ends the silence that lasts. What it held back is released client by client, when the
    /// alerts of each are checked again.
    pub async fn end_data_silence(&mut self, at: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE data_silences SET ended_at = $2 \
             WHERE organization_id = $1 AND ended_at IS NULL",
            self.scope.organization_uuid(),
            Instant(at)
        )?;
        Ok(())
    }

    /// The alerts of a chunk's clients that are open and held back.
    pub async fn list_held_alerts(&mut self, chunk: &ClientChunk) -> Result<HashSet<AlertId>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashSet::new()) };
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT id FROM client_momentum_alerts WHERE organization_id = $1 \
             AND held_at IS NOT NULL AND client_id BETWEEN $2 AND $3 \
             AND status IN ('active', 'acknowledged', 'snoozed')",
            self.scope.organization_uuid(),
            low,
            high
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Holds an alert of a client back no longer, and what is to be told of it.
    pub async fn release_alert(
        &mut self,
        client: ClientId,
        alert: AlertId,
        at: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "UPDATE client_momentum_alerts SET held_at = NULL, released_at = $3 \
             WHERE organization_id = $1 AND id = $2",
            organization,
            alert.uuid(),
            Instant(at)
        )?;
        execute!(
            self,
            "UPDATE alert_news SET held = FALSE WHERE organization_id = $1 AND alert_id = $2",
            organization,
            alert.uuid()
        )?;
        self.mark_changed(ClientRange::of(client));
        Ok(())
    }

    /// Forgets what was to be told of an alert that ended while it was held back.
    pub async fn delete_held_news(&mut self, alert: AlertId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM alert_news WHERE organization_id = $1 AND alert_id = $2 AND held",
            self.scope.organization_uuid(),
            alert.uuid()
        )?;
        Ok(())
    }

    /// The silences of single keys that last, of keys that still count.
    pub async fn list_key_silences(&mut self) -> Result<Vec<KeySilence>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, Instant, Instant),
            "SELECT s.key_id, k.prefix, s.since, s.noticed_at FROM key_silences s \
             JOIN api_keys k ON k.organization_id = s.organization_id AND k.id = s.key_id \
             WHERE s.organization_id = $1 AND s.ended_at IS NULL AND k.revoked_at IS NULL \
             ORDER BY s.key_id",
            self.scope.organization_uuid()
        )?;
        Ok(rows
            .into_iter()
            .map(|(key, prefix, since, noticed_at)| KeySilence {
                key: key.into(),
                prefix,
                since: since.0,
                noticed_at: noticed_at.0,
            })
            .collect())
    }

    /// When the latest silence of each key ended that was over after an instant.
    pub async fn list_key_silence_ends(
        &mut self,
        after: Timestamp,
    ) -> Result<HashMap<ApiKeyId, Timestamp>> {
        let rows = fetch_all!(
            self,
            (Uuid, Instant),
            "SELECT key_id, MAX(ended_at) FROM key_silences \
             WHERE organization_id = $1 AND ended_at > $2 GROUP BY key_id",
            self.scope.organization_uuid(),
            Instant(after)
        )?;
        Ok(rows.into_iter().map(|(key, at)| (key.into(), at.0)).collect())
    }

    /// Notices the silence of a key.
    pub async fn begin_key_silence(
        &mut self,
        key: ApiKeyId,
        since: Timestamp,
        noticed_at: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO key_silences (organization_id, key_id, since, noticed_at) \
             VALUES ($1, $2, $3, $4) \
             ON CONFLICT (organization_id, key_id, since) DO UPDATE SET ended_at = NULL",
            self.scope.organization_uuid(),
            key.uuid(),
            Instant(since),
            Instant(noticed_at)
        )?;
        Ok(())
    }

    /// Ends the silence of a key.
    pub async fn end_key_silence(&mut self, key: ApiKeyId, at: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE key_silences SET ended_at = $3 \
             WHERE organization_id = $1 AND key_id = $2 AND ended_at IS NULL",
            self.scope.organization_uuid(),
            key.uuid(),
            Instant(at)
        )?;
        Ok(())
    }
}
