//! Playbooks, and what started them: once for an episode of an alert, once for a client and day whose
//! band changed.

pub(super) mod task;

use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{AlertId, ClientId, PlaybookId, PlaybookRunId},
    playbook::{ActionOutcome, BandChange, Playbook},
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    ClientChunk, ResolvedClient, Result, StoreError, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_for_rows, fetch_optional},
        name,
    },
};

/// A playbook as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPlaybook {
    /// Its id.
    pub id: PlaybookId,
    /// Whether anything starts it.
    pub enabled: bool,
    /// Text.
    pub playbook: Playbook,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// Event that starts one run of a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerSource {
    /// An episode of an alert.
    Alert(AlertId),
    /// The score of a client's local day stands in another band than the one before it.
    Band {
        /// The day.
        day: Date,
        /// From which band to which.
        change: BandChange,
    },
}

/// A playbook that is about to start, or to wait until the data are there again.
#[derive(Clone, Debug)]
pub struct NewPlaybookRun {
    /// Its id.
    pub id: PlaybookRunId,
    /// ID of the playbook.
    pub playbook: PlaybookId,
    /// Name.
    pub name: String,
    /// For which client.
    pub client: ClientId,
    /// Trigger of the run.
    pub trigger_source: TriggerSource,
    /// When the trigger was detected.
    pub found_at: Timestamp,
    /// Whether it waits, and for what.
    pub waits: Option<WaitReason>,
}

/// What a playbook waits for before it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// Data that are missing: what it answers may be their fault.
    Data,
    /// A person: it would act for many clients at once.
    Approval,
}

/// One time that a playbook started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybookRun {
    /// Its id.
    pub id: PlaybookRunId,
    /// ID of the playbook, which may have been deleted since.
    pub playbook: PlaybookId,
    /// Name at that time.
    pub name: String,
    /// For which client.
    pub client: ClientId,
    /// Trigger of the run.
    pub trigger_source: TriggerSource,
    /// When the trigger was detected.
    pub found_at: Timestamp,
    /// Start of the run. `None` while it waits for data or for approval.
    pub started_at: Option<Timestamp>,
    /// Whether it waits for a person, or did: it would have acted for many clients at once.
    pub needs_approval: bool,
    /// What became of its actions besides tasks.
    pub deeds: Vec<ActionOutcome>,
    /// When the client had recovered from a fall into a band, if it did in time. Of an alert, that is
    /// told by the alert.
    pub recovered_at: Option<Timestamp>,
}

#[derive(sqlx_macros::FromRow)]
struct PlaybookRow {
    id: Uuid,
    enabled: bool,
    playbook: Json<Playbook>,
    created_at: Instant,
    changed_at: Instant,
}

#[derive(sqlx_macros::FromRow)]
struct RunRow {
    id: Uuid,
    playbook_id: Uuid,
    name: String,
    client_id: Uuid,
    alert_id: Option<Uuid>,
    day: Option<Day>,
    band_from: Option<String>,
    band_to: Option<String>,
    found_at: Instant,
    started_at: Option<Instant>,
    needs_approval: bool,
    deeds: Json<Vec<ActionOutcome>>,
    recovered_at: Option<Instant>,
}

impl From<PlaybookRow> for StoredPlaybook {
    fn from(row: PlaybookRow) -> Self {
        Self {
            id: row.id.into(),
            enabled: row.enabled,
            playbook: row.playbook.0,
            created_at: row.created_at.0,
            changed_at: row.changed_at.0,
        }
    }
}

/// A change of the band, as a run stores it.
pub(crate) fn band_change(from: Option<&str>, to: Option<&str>) -> Result<BandChange> {
    Ok(BandChange {
        from: name::BAND_FROM.read(from.unwrap_or_default())?,
        to: name::BAND_TO.read(to.unwrap_or_default())?,
    })
}

impl TryFrom<RunRow> for PlaybookRun {
    type Error = StoreError;
    fn try_from(row: RunRow) -> Result<Self> {
        let trigger_source = match (row.alert_id, row.day) {
            (None, Some(day)) => TriggerSource::Band {
                day: day.0,
                change: band_change(row.band_from.as_deref(), row.band_to.as_deref())?,
            },
            // A CHECK constraint has let in nothing else than one of both.
            (alert, _) => TriggerSource::Alert(alert.unwrap_or_default().into()),
        };
        Ok(Self {
            id: row.id.into(),
            playbook: row.playbook_id.into(),
            name: row.name,
            client: row.client_id.into(),
            trigger_source,
            found_at: row.found_at.0,
            started_at: row.started_at.map(|at| at.0),
            needs_approval: row.needs_approval,
            deeds: row.deeds.0,
            recovered_at: row.recovered_at.map(|at| at.0),
        })
    }
}

impl Tx {
    /// The organization's playbooks, oldest first.
    pub async fn list_playbooks(&mut self) -> Result<Vec<StoredPlaybook>> {
        let rows = fetch_all!(
            self,
            PlaybookRow,
            "SELECT id, enabled, playbook, created_at, changed_at FROM playbooks \
             WHERE organization_id = $1 ORDER BY id",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One playbook.
    pub async fn find_playbook(&mut self, id: PlaybookId) -> Result<Option<StoredPlaybook>> {
        let row = fetch_optional!(
            self,
            PlaybookRow,
            "SELECT id, enabled, playbook, created_at, changed_at FROM playbooks \
             WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(row.map(Into::into))
    }

    /// Keeps a new playbook, or a known one as it is now. What waits for one that is switched off is
    /// forgotten.
    pub async fn save_playbook(&mut self, stored: &StoredPlaybook) -> Result<()> {
        execute!(
            self,
            "INSERT INTO playbooks \
             (organization_id, id, enabled, playbook, created_at, changed_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization_id, id) \
             DO UPDATE SET enabled = excluded.enabled, playbook = excluded.playbook, \
             changed_at = excluded.changed_at",
            self.scope.organization_uuid(),
            stored.id.uuid(),
            stored.enabled,
            Json(&stored.playbook),
            Instant(stored.created_at),
            Instant(stored.changed_at)
        )?;
        if stored.enabled { Ok(()) } else { self.delete_waiting_runs(stored.id).await }
    }

    /// Deletes a playbook; what it did stays. False when there is none.
    pub async fn delete_playbook(&mut self, id: PlaybookId) -> Result<bool> {
        self.delete_waiting_runs(id).await?;
        let deleted = execute!(
            self,
            "DELETE FROM playbooks WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(deleted > 0)
    }

    async fn delete_waiting_runs(&mut self, playbook: PlaybookId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM playbook_runs \
             WHERE organization_id = $1 AND playbook_id = $2 AND started_at IS NULL",
            self.scope.organization_uuid(),
            playbook.uuid()
        )?;
        Ok(())
    }

    /// Keeps that playbooks start; answers which of these start for the first time. The others have
    /// answered their occasion already.
    pub async fn create_playbook_runs(
        &mut self,
        runs: &[NewPlaybookRun],
    ) -> Result<HashSet<PlaybookRunId>> {
        let organization = self.scope.organization_uuid();
        let bands = |run: &NewPlaybookRun| match run.trigger_source {
            TriggerSource::Band { change, .. } => Some((change.from.as_str(), change.to.as_str())),
            TriggerSource::Alert(_) => None,
        };
        let new: Vec<(Uuid,)> = fetch_for_rows!(
            self,
            (Uuid,),
            "INSERT INTO playbook_runs (organization_id, id, playbook_id, name, client_id, \
             alert_id, day, band_from, band_to, found_at, started_at, needs_approval, deeds)",
            runs,
            "ON CONFLICT DO NOTHING RETURNING id",
            |run| [
                organization,
                run.id.uuid(),
                run.playbook.uuid(),
                &run.name,
                run.client.uuid(),
                match run.trigger_source {
                    TriggerSource::Alert(alert) => Some(alert.uuid()),
                    TriggerSource::Band { .. } => None,
                },
                match run.trigger_source {
                    TriggerSource::Band { day, .. } => Some(Day(day)),
                    TriggerSource::Alert(_) => None,
                },
                bands(run).map(|(from, _)| from),
                bands(run).map(|(_, to)| to),
                Instant(run.found_at),
                run.waits.is_none().then_some(Instant(run.found_at)),
                run.waits == Some(WaitReason::Approval),
                Json(Vec::<ActionOutcome>::new())
            ]
        );
        Ok(new.into_iter().map(|(id,)| id.into()).collect())
    }

    /// What waits until the data are there again, of a chunk's clients.
    pub async fn list_waiting_playbook_runs(
        &mut self,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, Vec<PlaybookRun>>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            RunRow,
            "SELECT id, playbook_id, name, client_id, alert_id, day, band_from, band_to, found_at, \
             started_at, needs_approval, deeds, recovered_at FROM playbook_runs WHERE organization_id = $1 \
             AND client_id BETWEEN $2 AND $3 AND started_at IS NULL AND NOT needs_approval \
             ORDER BY id",
            self.scope.organization_uuid(),
            low,
            high
        )?;
        let mut waiting: HashMap<ClientId, Vec<PlaybookRun>> = HashMap::new();
        for row in rows {
            let run = PlaybookRun::try_from(row)?;
            waiting.entry(run.client).or_default().push(run);
        }
        Ok(waiting)
    }

    /// For how many occasions that were found since an instant each playbook started or waits.
    pub async fn count_playbook_runs(
        &mut self,
        since: Timestamp,
    ) -> Result<HashMap<PlaybookId, i64>> {
        let rows = fetch_all!(
            self,
            (Uuid, i64),
            "SELECT playbook_id, COUNT(*) FROM playbook_runs \
             WHERE organization_id = $1 AND found_at > $2 GROUP BY playbook_id",
            self.scope.organization_uuid(),
            Instant(since)
        )?;
        Ok(rows.into_iter().map(|(playbook, count)| (playbook.into(), count)).collect())
    }

    /// How many runs of each playbook wait for a person.
    pub async fn count_runs_to_approve(&mut self) -> Result<HashMap<PlaybookId, i64>> {
        let rows = fetch_all!(
            self,
            (Uuid, i64),
            "SELECT playbook_id, COUNT(*) FROM playbook_runs \
             WHERE organization_id = $1 AND started_at IS NULL AND needs_approval \
             GROUP BY playbook_id",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(playbook, count)| (playbook.into(), count)).collect())
    }

    /// The runs of a playbook that wait for a person, the oldest first, with their clients' ids at the
    /// host app and since when these exist.
    pub async fn list_runs_to_approve(
        &mut self,
        playbook: PlaybookId,
        limit: i64,
    ) -> Result<Vec<(PlaybookRun, ResolvedClient, String)>> {
        #[derive(sqlx_macros::FromRow)]
        struct Row {
            external_id: String,
            created_at: Instant,
            #[sqlx(flatten)]
            run: RunRow,
        }
        let rows = fetch_all!(
            self,
            Row,
            "SELECT c.external_id, c.created_at, r.id, r.playbook_id, r.name, r.client_id, \
             r.alert_id, r.day, r.band_from, r.band_to, r.found_at, r.started_at, \
             r.needs_approval, r.deeds, r.recovered_at FROM playbook_runs r \
             JOIN clients c ON c.organization_id = r.organization_id AND c.id = r.client_id \
             WHERE r.organization_id = $1 AND r.playbook_id = $2 AND r.started_at IS NULL \
             AND r.needs_approval ORDER BY r.id LIMIT $3",
            self.scope.organization_uuid(),
            playbook.uuid(),
            limit
        )?;
        rows.into_iter()
            .map(|row| {
                let run = PlaybookRun::try_from(row.run)?;
                let client = ResolvedClient { id: run.client, created_at: row.created_at.0 };
                Ok((run, client, row.external_id))
            })
            .collect()
    }

    /// Forgets the runs of a playbook that wait for a person; answers how many.
    pub async fn delete_runs_to_approve(&mut self, playbook: PlaybookId) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM playbook_runs WHERE organization_id = $1 AND playbook_id = $2 \
             AND started_at IS NULL AND needs_approval",
            self.scope.organization_uuid(),
            playbook.uuid()
        )
    }

    /// Has a run that waits for data wait for a person instead.
    pub async fn await_approval(&mut self, id: PlaybookRunId) -> Result<()> {
        execute!(
            self,
            "UPDATE playbook_runs SET needs_approval = TRUE \
             WHERE organization_id = $1 AND id = $2 AND started_at IS NULL",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(())
    }

    /// Starts what has waited; false when it does not wait.
    pub async fn start_waiting_run(&mut self, id: PlaybookRunId, at: Timestamp) -> Result<bool> {
        let started = execute!(
            self,
            "UPDATE playbook_runs SET started_at = $3 \
             WHERE organization_id = $1 AND id = $2 AND started_at IS NULL",
            self.scope.organization_uuid(),
            id.uuid(),
            Instant(at)
        )?;
        Ok(started > 0)
    }

    /// Forgets what has waited for nothing: its alert has ended meanwhile.
    pub async fn delete_waiting_run(&mut self, id: PlaybookRunId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM playbook_runs \
             WHERE organization_id = $1 AND id = $2 AND started_at IS NULL",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        Ok(())
    }

    /// Keeps what became of a run's actions besides tasks.
    pub async fn set_action_outcomes(
        &mut self,
        id: PlaybookRunId,
        deeds: &[ActionOutcome],
    ) -> Result<()> {
        execute!(
            self,
            "UPDATE playbook_runs SET deeds = $3 WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid(),
            Json(deeds)
        )?;
        Ok(())
    }

    /// The playbooks that some alerts started, in that order.
    pub async fn list_playbook_runs_of(
        &mut self,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<PlaybookRun>>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<RunRow> = fetch_for_rows!(
            self,
            RunRow,
            "WITH wanted (organization_id, alert_id) AS (",
            alerts,
            ") SELECT r.id, r.playbook_id, r.name, r.client_id, r.alert_id, r.day, r.band_from, \
             r.band_to, r.found_at, r.started_at, r.needs_approval, r.deeds, r.recovered_at \
             FROM wanted w CROSS JOIN playbook_runs r \
             WHERE r.organization_id = w.organization_id AND r.alert_id = w.alert_id",
            |alert| [organization, alert.uuid()]
        );
        let mut rows = rows;
        rows.sort_unstable_by_key(|row| row.id);
        let mut runs: HashMap<AlertId, Vec<PlaybookRun>> = HashMap::new();
        for row in rows {
            if let Some(alert) = row.alert_id {
                runs.entry(alert.into()).or_default().push(row.try_into()?);
            }
        }
        Ok(runs)
    }

    /// The playbooks that a client's alerts and bands started, the latest first.
    pub async fn list_client_playbook_runs(
        &mut self,
        client: ClientId,
        limit: i64,
    ) -> Result<Vec<PlaybookRun>> {
        let rows = fetch_all!(
            self,
            RunRow,
            "SELECT id, playbook_id, name, client_id, alert_id, day, band_from, band_to, found_at, \
             started_at, needs_approval, deeds, recovered_at FROM playbook_runs \
             WHERE organization_id = $1 AND client_id = $2 ORDER BY id DESC LIMIT $3",
            self.scope.organization_uuid(),
            client.uuid(),
            limit
        )?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
