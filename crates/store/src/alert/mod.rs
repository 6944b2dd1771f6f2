pub(super) mod list;
pub(super) mod recovery;

use std::collections::HashMap;

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Ending, Episode, Severity},
    id::{AlertId, ClientId, MemberId},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    ClientChunk, ClientRange, ResolvedClient, Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_for_rows, fetch_optional},
        id::new_id,
        lock::Lock,
        name,
    },
};

/// An alert as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The client's `external_id`.
    pub client_id: String,
    /// The client's name.
    pub client_name: Option<String>,
    /// The episode itself.
    pub episode: Episode,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// End.
    pub ended_at: Option<Timestamp>,
    /// When the client had recovered, if it did within 14 days.
    pub recovered_at: Option<Timestamp>,
}

/// Filter for a list of alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Only of this client.
    pub client: Option<ClientId>,
    /// Only open ones (`Some(true)`) or ended ones (`Some(false)`).
    pub open: Option<bool>,
    /// Only of this status.
    pub status: Option<AlertStatus>,
    /// Only of this type.
    pub kind: Option<AlertType>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Only those opened before this one was, to go on from it.
    pub before: Option<AlertId>,
}

/// Action on an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertAction {
    /// Time.
    pub at: Timestamp,
    /// `opened`, `worsened`, `woken`, `resolved`, `condition_ended` by the health check;
    /// `acknowledge`, `snooze`, `resolve`, `dismiss`, `reopen` by people.
    pub action: String,
    /// By whom; `None` for the health check and for secret keys.
    pub member: Option<MemberId>,
    /// What it said.
    pub note: String,
}

/// A change to record in an alert's history.
#[derive(Clone, Debug)]
pub struct AlertChange<'a> {
    /// What happened, see [`AlertAction::action`].
    pub action: &'a str,
    /// By whom.
    pub member: Option<MemberId>,
    /// What to say of it; empty when there is nothing to add.
    pub note: &'a str,
}

/// An episode whose condition has not ended, with its client.
pub type LiveEpisode = (ClientId, Episode);

#[derive(sqlx_macros::FromRow)]
pub(crate) struct Row {
    id: Uuid,
    pub(crate) client_id: Uuid,
    alert_type: String,
    severity: String,
    status: String,
    message: String,
    figures: Json<Map<String, Value>>,
    opened_at: Instant,
    changed_at: Instant,
    snoozed_until: Option<Instant>,
    ended_at: Option<Instant>,
    condition_ended_at: Option<Instant>,
    ending: Option<String>,
}

#[derive(sqlx_macros::FromRow)]
pub(crate) struct AlertRow {
    external_id: String,
    client_name: Option<String>,
    recovered_at: Option<Instant>,
    #[sqlx(flatten)]
    pub(crate) row: Row,
}

impl Row {
    fn episode(self) -> Result<LiveEpisode> {
        let episode = Episode {
            id: self.id.into(),
            kind: name::ALERT_TYPE.read(&self.alert_type)?,
            severity: name::ALERT_SEVERITY.read(&self.severity)?,
            status: name::ALERT_STATUS.read(&self.status)?,
            opened_at: self.opened_at.0,
            snoozed_until: self.snoozed_until.map(|at| at.0),
            condition_ended_at: self.condition_ended_at.map(|at| at.0),
            ending: self.ending.map(|ending| name::ALERT_ENDING.read(&ending)).transpose()?,
            message: self.message,
            figures: self.figures.0,
        };
        Ok((self.client_id.into(), episode))
    }
}

impl AlertRow {
    pub(crate) fn alert(self) -> Result<Alert> {
        Ok(Alert {
            client_id: self.external_id,
            client_name: self.client_name,
            changed_at: self.row.changed_at.0,
            ended_at: self.row.ended_at.map(|at| at.0),
            recovered_at: self.recovered_at.map(|at| at.0),
            episode: self.row.episode()?.1,
        })
    }
}

impl Tx {
    /// Waits until no other health check of the organization is under way, and keeps others waiting
    /// until this transaction ends: each transition happens once.
    pub async fn lock_health_check(&mut self) -> Result<()> {
        self.lock_organization(Lock::CheckHealth).await
    }

    /// The live episodes of a chunk's clients.
    pub async fn list_live_episodes(
        &mut self,
        chunk: &ClientChunk,
    ) -> Result<HashMap<ClientId, Vec<Episode>>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_all!(
            self,
            Row,
            "SELECT id, client_id, alert_type, severity, status, message, figures, opened_at, \
             changed_at, snoozed_until, ended_at, condition_ended_at, ending FROM client_momentum_alerts \
             WHERE organization_id = $1 AND client_id BETWEEN $2 AND $3 \
             AND condition_ended_at IS NULL ORDER BY id",
            self.scope.organization_uuid(),
            low,
            high
        )?;
        let mut episodes: HashMap<ClientId, Vec<Episode>> = HashMap::new();
        for row in rows {
            let (client, episode) = row.episode()?;
            episodes.entry(client).or_default().push(episode);
        }
        Ok(episodes)
    }

    /// Those of some clients, by the host app's ids or other names of theirs, that an open alert says are
    /// silent.
    pub async fn list_clients_in_silence(
        &mut self,
        names: &[&str],
    ) -> Result<Vec<(ResolvedClient, String)>> {
        let organization = self.scope.organization_uuid();
        let any = fetch_optional!(
            self,
            (i64,),
            "SELECT CAST(1 AS BIGINT) FROM client_momentum_alerts WHERE organization_id = $1 \
             AND condition_ended_at IS NULL \
             AND alert_type IN ('inactivity', 'zero_activity', 'churn_risk') LIMIT 1",
            organization
        )?;
        if any.is_none() {
            return Ok(Vec::new());
        }
        let rows: Vec<(Uuid, String, Instant)> = fetch_for_rows!(
            self,
            (Uuid, String, Instant),
            "WITH wanted (organization_id, name) AS (",
            names,
            ") SELECT c.id, c.external_id, c.created_at FROM wanted w JOIN clients c \
             ON c.organization_id = w.organization_id AND c.id = COALESCE( \
             (SELECT n.id FROM clients n WHERE n.organization_id = w.organization_id \
             AND n.external_id = w.name), \
             (SELECT o.client_id FROM client_aliases o WHERE o.organization_id = w.organization_id \
             AND o.external_id = w.name)) \
             WHERE EXISTS (SELECT 1 FROM client_momentum_alerts a \
             WHERE a.organization_id = c.organization_id AND a.client_id = c.id \
             AND a.condition_ended_at IS NULL \
             AND a.alert_type IN ('inactivity', 'zero_activity', 'churn_risk'))",
            |name| [organization, *name]
        );
        let mut clients: Vec<(ResolvedClient, String)> = rows
            .into_iter()
            .map(|(id, external_id, created_at)| {
                (ResolvedClient { id: id.into(), created_at: created_at.0 }, external_id)
            })
            .collect();
        // Two names may be one client's.
        clients.sort_unstable_by_key(|(client, _)| client.id);
        clients.dedup_by_key(|(client, _)| client.id);
        Ok(clients)
    }

    /// How many alerts of each severity are open and not held; a severity without any is left out.
    pub async fn count_open_alerts(&mut self) -> Result<Vec<(Severity, i64)>> {
        let rows = fetch_all!(
            self,
            (String, i64),
            "SELECT severity, COUNT(*) FROM client_momentum_alerts WHERE organization_id = $1 \
             AND status IN ('active', 'acknowledged', 'snoozed') AND held_at IS NULL \
             GROUP BY severity",
            self.scope.organization_uuid()
        )?;
        rows.into_iter()
            .map(|(severity, count)| Ok((name::ALERT_SEVERITY.read(&severity)?, count)))
            .collect()
    }

    /// Keeps a new episode; one that is `held` is told to nobody until the silence of the data ends.
    ///
    /// # Errors
    /// [`crate::StoreError::Taken`] when the client has an open one of the type.
    pub async fn open_alert(
        &mut self,
        client: ClientId,
        episode: &Episode,
        note: &str,
        held: bool,
    ) -> Result<()> {
        let figure = |name| episode.figures.get(name).and_then(Value::as_i64);
        execute!(
            self,
            "INSERT INTO client_momentum_alerts (organization_id, id, client_id, alert_type, \
             severity, status, message, figures, opened_at, changed_at, held_at, score_then, \
             score_before) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12)",
            self.scope.organization_uuid(),
            episode.id.uuid(),
            client.uuid(),
            episode.kind.as_str(),
            episode.severity.as_str(),
            episode.status.as_str(),
            &episode.message,
            Json(&episode.figures),
            Instant(episode.opened_at),
            held.then_some(Instant(episode.opened_at)),
            figure("overall"),
            figure("previous")
        )
        .map_err(|error| error.or_taken("open alert of this type"))?;
        self.mark_changed(ClientRange::of(client));
        let change = AlertChange { action: "opened", member: None, note };
        self.record_alert_action(episode.id, &change, episode.opened_at).await
    }

    /// Replaces what is kept of an episode. `change` is recorded in its history; `None` is for new
    /// numbers only.
    ///
    /// # Errors
    /// [`crate::StoreError::Taken`] when it would become a second open one of its client and type.
    pub async fn update_alert(
        &mut self,
        episode: &Episode,
        change: Option<&AlertChange<'_>>,
        at: Timestamp,
    ) -> Result<()> {
        let updated = fetch_optional!(
            self,
            (Uuid,),
            "UPDATE client_momentum_alerts SET alert_type = $3, severity = $4, status = $5, \
             message = $6, figures = $7, changed_at = CASE WHEN $8 THEN $9 ELSE changed_at END, \
             snoozed_until = $10, condition_ended_at = $11, \
             ended_at = CASE WHEN $12 THEN NULL ELSE COALESCE(ended_at, $9) END, ending = $13 \
             WHERE organization_id = $1 AND id = $2 RETURNING client_id",
            self.scope.organization_uuid(),
            episode.id.uuid(),
            episode.kind.as_str(),
            episode.severity.as_str(),
            episode.status.as_str(),
            &episode.message,
            Json(&episode.figures),
            change.is_some(),
            Instant(at),
            episode.snoozed_until.map(Instant),
            episode.condition_ended_at.map(Instant),
            episode.status.is_open(),
            episode.ending.map(Ending::as_str)
        )
        .map_err(|error| error.or_taken("open alert of this type"))?;
        if let Some((client,)) = updated {
            self.mark_changed(ClientRange::of(client.into()));
        }
        match change {
            Some(change) => self.record_alert_action(episode.id, change, at).await,
            None => Ok(()),
        }
    }

    async fn record_alert_action(
        &mut self,
        alert: AlertId,
        change: &AlertChange<'_>,
        at: Timestamp,
    ) -> Result<()> {
        execute!(
            self,
            "INSERT INTO alert_actions (organization_id, alert_id, id, at, action, member_id, note) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            self.scope.organization_uuid(),
            alert.uuid(),
            new_id::<Uuid>(at),
            Instant(at),
            change.action,
            change.member.map(MemberId::uuid),
            change.note
        )?;
        Ok(())
    }

    /// Alerts, the newest first, without those that are held.
    pub async fn list_alerts(&mut self, filter: &AlertFilter, limit: i64) -> Result<Vec<Alert>> {
        let rows = fetch_all!(
            self,
            AlertRow,
            "SELECT c.external_id, c.name AS client_name, a.recovered_at, a.id, a.client_id, a.alert_type, \
             a.severity, a.status, a.message, a.figures, a.opened_at, a.changed_at, \
             a.snoozed_until, a.ended_at, a.condition_ended_at, a.ending FROM client_momentum_alerts a \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE a.organization_id = $1 AND a.held_at IS NULL AND ($2 IS NULL OR a.client_id = $2) \
             AND ($3 IS NULL OR (a.status IN ('active', 'acknowledged', 'snoozed')) = $3) \
             AND ($4 IS NULL OR a.status = $4) AND ($5 IS NULL OR a.alert_type = $5) \
             AND ($6 IS NULL OR a.severity = $6) AND ($7 IS NULL OR a.id < $7) \
             ORDER BY a.id DESC LIMIT $8",
            self.scope.organization_uuid(),
            filter.client.map(ClientId::uuid),
            filter.open,
            filter.status.map(AlertStatus::as_str),
            filter.kind.map(AlertType::as_str),
            filter.severity.map(Severity::as_str),
            filter.before.map(AlertId::uuid),
            limit
        )?;
        rows.into_iter().map(AlertRow::alert).collect()
    }

    /// One alert, with its client's id.
    pub async fn find_alert(&mut self, id: AlertId) -> Result<Option<Alert>> {
        let row = fetch_optional!(
            self,
            AlertRow,
            "SELECT c.external_id, c.name AS client_name, a.recovered_at, a.id, a.client_id, a.alert_type, \
             a.severity, a.status, a.message, a.figures, a.opened_at, a.changed_at, \
             a.snoozed_until, a.ended_at, a.condition_ended_at, a.ending FROM client_momentum_alerts a \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE a.organization_id = $1 AND a.id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(AlertRow::alert).transpose()
    }

    /// The alerts with which a member did something at an instant.
    pub async fn list_alerts_acted_on(
        &mut self,
        member: MemberId,
        at: Timestamp,
    ) -> Result<Vec<AlertId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT alert_id FROM alert_actions WHERE organization_id = $1 AND at = $2 \
             AND member_id = $3 ORDER BY alert_id",
            self.scope.organization_uuid(),
            Instant(at),
            member.uuid()
        )?;
        Ok(rows.into_iter().map(|(alert,)| alert.into()).collect())
    }

    /// Returns the actions on an alert, oldest first.
    pub async fn list_alert_actions(&mut self, alert: AlertId) -> Result<Vec<AlertAction>> {
        let rows = fetch_all!(
            self,
            (Instant, String, Option<Uuid>, String),
            "SELECT at, action, member_id, note FROM alert_actions \
             WHERE organization_id = $1 AND alert_id = $2 ORDER BY at, id",
            self.scope.organization_uuid(),
            alert.uuid()
        )?;
        Ok(rows
            .into_iter()
            .map(|(at, action, member, note)| AlertAction {
                at: at.0,
                action,
                member: member.map(Into::into),
                note,
            })
            .collect())
    }
}
