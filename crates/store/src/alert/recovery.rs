//! Whether clients recovered after what went wrong, and how often that and anything else came of it.

use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::AlertType,
    id::{AlertId, ClientId, PlaybookId, PlaybookRunId},
    playbook::{Setback, Tally},
};
use uuid::Uuid;

use crate::{
    ClientChunk, Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all},
        name,
    },
    playbook::band_change,
};

/// Returns the setbacks that the clients of a chunk have not recovered from.
type Setbacks<Id> = HashMap<ClientId, Vec<(Id, Setback)>>;

#[derive(sqlx_macros::FromRow)]
struct AlertRow {
    id: Uuid,
    client_id: Uuid,
    alert_type: String,
    opened_at: Instant,
    score_then: Option<i64>,
    score_before: Option<i64>,
}

#[derive(sqlx_macros::FromRow)]
struct TallyRow {
    opened: i64,
    acted_on: i64,
    recovered: i64,
    undecided: i64,
}

impl From<TallyRow> for Tally {
    fn from(row: TallyRow) -> Self {
        Self {
            opened: row.opened,
            acted_on: row.acted_on,
            recovered: row.recovered,
            undecided: row.undecided,
        }
    }
}

impl Tx {
    /// The alerts of a chunk's clients that opened since an instant, are told, and from which the
    /// client has not recovered.
    pub async fn list_unrecovered_alerts(
        &mut self,
        chunk: &ClientChunk,
        since: Timestamp,
    ) -> Result<Setbacks<AlertId>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            AlertRow,
            "SELECT id, client_id, alert_type, opened_at, score_then, score_before \
             FROM client_momentum_alerts WHERE organization_id = $1 \
             AND client_id BETWEEN $2 AND $3 AND recovered_at IS NULL AND opened_at >= $4 \
             AND held_at IS NULL",
            self.scope.organization_uuid(),
            low,
            high,
            Instant(since)
        )?;
        let mut setbacks: Setbacks<AlertId> = HashMap::new();
        for row in rows {
            let setback = Setback::Alert {
                kind: name::ALERT_TYPE.read(&row.alert_type)?,
                at: row.opened_at.0,
                score: row.score_then.map(|then| (then, row.score_before)),
            };
            setbacks.entry(row.client_id.into()).or_default().push((row.id.into(), setback));
        }
        Ok(setbacks)
    }

    /// The falls into another band, of a chunk's clients, that started a playbook since an instant and
    /// from which the client has not recovered.
    pub async fn list_unrecovered_falls(
        &mut self,
        chunk: &ClientChunk,
        since: Timestamp,
    ) -> Result<Setbacks<PlaybookRunId>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            (Uuid, Uuid, Option<String>, Option<String>, Instant),
            "SELECT id, client_id, band_from, band_to, started_at FROM playbook_runs \
             WHERE organization_id = $1 AND client_id BETWEEN $2 AND $3 AND day IS NOT NULL \
             AND recovered_at IS NULL AND started_at >= $4",
            self.scope.organization_uuid(),
            low,
            high,
            Instant(since)
        )?;
        let mut setbacks: Setbacks<PlaybookRunId> = HashMap::new();
        for (id, client, from, to, at) in rows {
            let change = band_change(from.as_deref(), to.as_deref())?;
            if change.to < change.from {
                let setback = Setback::Fall { into: change.to, at: at.0 };
                setbacks.entry(client.into()).or_default().push((id.into(), setback));
            }
        }
        Ok(setbacks)
    }

    /// Keeps that a client has recovered from what an alert told.
    pub async fn set_alert_recovered(&mut self, alert: AlertId, at: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE client_momentum_alerts SET recovered_at = $3 \
             WHERE organization_id = $1 AND id = $2 AND recovered_at IS NULL",
            self.scope.organization_uuid(),
            alert.uuid(),
            Instant(at)
        )?;
        Ok(())
    }

    /// Keeps that a client has recovered from the fall that started a playbook.
    pub async fn set_run_recovered(&mut self, run: PlaybookRunId, at: Timestamp) -> Result<()> {
        execute!(
            self,
            "UPDATE playbook_runs SET recovered_at = $3 \
             WHERE organization_id = $1 AND id = $2 AND recovered_at IS NULL",
            self.scope.organization_uuid(),
            run.uuid(),
            Instant(at)
        )?;
        Ok(())
    }

    /// What came of the alerts of each type that opened since an instant and were told; of those that
    /// opened after `undecided_after`, it cannot be told yet whether the client recovers in time.
    pub async fn list_alert_tallies(
        &mut self,
        since: Timestamp,
        undecided_after: Timestamp,
    ) -> Result<Vec<(AlertType, Tally)>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            alert_type: String,
            #[sqlx(flatten)]
            tally: TallyRow,
        }
        let rows = fetch_all!(
            self,
            Row,
            "SELECT a.alert_type, COUNT(*) AS opened, \
             CAST(SUM(CASE WHEN EXISTS (SELECT 1 FROM alert_actions x \
             WHERE x.organization_id = a.organization_id AND x.alert_id = a.id \
             AND x.action IN ('acknowledge', 'resolve')) OR EXISTS (SELECT 1 FROM staff_tasks t \
             WHERE t.organization_id = a.organization_id AND t.alert_id = a.id \
             AND t.state = 'done') THEN 1 ELSE 0 END) AS BIGINT) AS acted_on, \
             COUNT(a.recovered_at) AS recovered, \
             CAST(SUM(CASE WHEN a.recovered_at IS NULL AND a.opened_at > $3 THEN 1 ELSE 0 END) \
             AS BIGINT) AS undecided FROM client_momentum_alerts a \
             WHERE a.organization_id = $1 AND a.opened_at >= $2 AND a.held_at IS NULL \
             AND (a.released_at IS NULL OR a.ended_at IS NULL OR a.ended_at > a.released_at) \
             GROUP BY a.alert_type",
            self.scope.organization_uuid(),
            Instant(since),
            Instant(undecided_after)
        )?;
        rows.into_iter()
            .map(|row| Ok((name::ALERT_TYPE.read(&row.alert_type)?, row.tally.into())))
            .collect()
    }

    /// The same of the playbooks that started since an instant.
    pub async fn list_playbook_tallies(
        &mut self,
        since: Timestamp,
        undecided_after: Timestamp,
    ) -> Result<HashMap<PlaybookId, Tally>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            playbook_id: Uuid,
            #[sqlx(flatten)]
            tally: TallyRow,
        }
        let rows = fetch_all!(
            self,
            Row,
            "SELECT r.playbook_id, COUNT(*) AS opened, \
             CAST(SUM(CASE WHEN EXISTS (SELECT 1 FROM alert_actions x \
             WHERE x.organization_id = r.organization_id AND x.alert_id = r.alert_id \
             AND x.action IN ('acknowledge', 'resolve')) OR EXISTS (SELECT 1 FROM staff_tasks t \
             WHERE t.organization_id = r.organization_id AND t.playbook_run_id = r.id \
             AND t.state = 'done') THEN 1 ELSE 0 END) AS BIGINT) AS acted_on, \
             COUNT(COALESCE(a.recovered_at, r.recovered_at)) AS recovered, \
             CAST(SUM(CASE WHEN COALESCE(a.recovered_at, r.recovered_at) IS NULL \
             AND COALESCE(a.opened_at, r.started_at) > $3 THEN 1 ELSE 0 END) \
             AS BIGINT) AS undecided FROM playbook_runs r LEFT JOIN client_momentum_alerts a \
             ON a.organization_id = r.organization_id AND a.id = r.alert_id \
             WHERE r.organization_id = $1 AND r.started_at >= $2 GROUP BY r.playbook_id",
            self.scope.organization_uuid(),
            Instant(since),
            Instant(undecided_after)
        )?;
        Ok(rows.into_iter().map(|row| (row.playbook_id.into(), row.tally.into())).collect())
    }
}
