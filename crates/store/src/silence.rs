//! Data silences: stretches without an event from any client.

use jiff::Timestamp;

use crate::{
    ClientRange, Result, Tx,
    dialect::{Instant, execute, fetch_one, fetch_optional},
};

/// A stretch without an event from any client, where there used to be some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSilence {
    /// The last event before it.
    pub since: Timestamp,
    /// When it was noticed.
    pub noticed_at: Timestamp,
    /// Alerts that are held until it ends.
    pub held_alerts: i64,
}

impl Tx {
    /// Whether any client did something in `[from, to)`.
    pub async fn any_event(&mut self, from: Timestamp, to: Timestamp) -> Result<bool> {
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

    /// When the last event before an instant happened.
    pub async fn last_event_before(&mut self, at: Timestamp) -> Result<Option<Timestamp>> {
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

    /// The silence that lasts, with what it holds back.
    pub async fn data_silence(&mut self) -> Result<Option<DataSilence>> {
        let row = fetch_optional!(
            self,
            (Instant, Instant, i64),
            "SELECT since, noticed_at, (SELECT COUNT(*) FROM client_momentum_alerts a \
             WHERE a.organization_id = $1 AND a.held_at IS NOT NULL \
             AND a.status IN ('active', 'acknowledged', 'snoozed')) \
             FROM data_silences WHERE organization_id = $1 AND ended_at IS NULL",
            self.scope.organization_uuid()
        )?;
        Ok(row.map(|(since, noticed_at, held_alerts)| DataSilence {
            since: since.0,
            noticed_at: noticed_at.0,
            held_alerts,
        }))
    }

    /// Notices a silence.
    pub async fn begin_data_silence(
        &mut self,
        since: Timestamp,
        noticed_at: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO data_silences (organization_id, since, noticed_at) VALUES ($1, $2, $3) \
             ON CONFLICT (organization_id, since) DO UPDATE SET ended_at = NULL",
            self.scope.organization_uuid(),
            Instant(since),
            Instant(noticed_at)
        )?;
        Ok(())
    }

    /// Ends the silence that lasts, and lets go of the alerts that it held.
    pub async fn end_data_silence(&mut self, at: Timestamp) -> Result<()> {
        let organization = self.scope.organization_uuid();
        execute!(
            self,
            "UPDATE data_silences SET ended_at = $2 \
             WHERE organization_id = $1 AND ended_at IS NULL",
            organization,
            Instant(at)
        )?;
        let released = execute!(
            self,
            "UPDATE client_momentum_alerts SET held_at = NULL, released_at = $2 \
             WHERE organization_id = $1 AND held_at IS NOT NULL",
            organization,
            Instant(at)
        )?;
        if released > 0 {
            self.stands_otherwise(ClientRange::ALL);
        }
        Ok(())
    }
}
