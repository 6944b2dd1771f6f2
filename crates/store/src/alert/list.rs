//! Alerts of many clients at a time, for lists of them.

use std::{cmp::Reverse, collections::HashMap};

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Severity},
    id::{AlertId, ClientId, MemberId},
};
use uuid::Uuid;

use crate::{
    Alert, AlertAction, Result, Tx,
    alert::AlertRow,
    db::dialect::{Instant, fetch_all, fetch_for_rows},
};

/// Where a list of ended alerts goes on: when the last one shown ended, and which it was.
pub type EndedAlertCursor = (Timestamp, AlertId);

/// Filter for a list of ended alerts.
#[derive(Clone, Debug, Default)]
pub struct EndedAlertFilter {
    /// Only those that ended like this.
    pub status: Option<AlertStatus>,
    /// Only of this type.
    pub kind: Option<AlertType>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Only of this member's clients.
    pub owner: Option<MemberId>,
    /// Only of clients that nobody looks after.
    pub unowned: bool,
    /// Only those that ended at or after this instant.
    pub since: Option<Timestamp>,
    /// Only those that come after this place.
    pub after: Option<EndedAlertCursor>,
}

impl Tx {
    /// The open alerts of some clients that are not held, the worst of each client first.
    pub async fn list_open_alerts_of(
        &mut self,
        clients: &[ClientId],
    ) -> Result<HashMap<ClientId, Vec<Alert>>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<AlertRow> = fetch_for_rows!(
            self,
            AlertRow,
            "WITH wanted (organization_id, client_id) AS (",
            clients,
            ") SELECT c.external_id, c.name AS client_name, a.recovered_at, a.id, a.client_id, a.alert_type, \
             a.severity, a.status, a.message, a.figures, a.opened_at, a.changed_at, \
             a.snoozed_until, a.ended_at, a.condition_ended_at, a.ending \
             FROM wanted w CROSS JOIN client_momentum_alerts a \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE a.organization_id = w.organization_id AND a.client_id = w.client_id \
             AND a.status IN ('active', 'acknowledged', 'snoozed') AND a.held_at IS NULL",
            |client| [organization, client.uuid()]
        );
        let mut alerts: HashMap<ClientId, Vec<Alert>> = HashMap::new();
        for row in rows {
            alerts.entry(row.row.client_id.into()).or_default().push(row.alert()?);
        }
        for alerts in alerts.values_mut() {
            alerts
                .sort_unstable_by_key(|alert| (Reverse(alert.episode.severity), alert.episode.id));
        }
        Ok(alerts)
    }

    /// Ended alerts with their clients' ids, the latest end first.
    pub async fn list_ended_alerts(
        &mut self,
        filter: &EndedAlertFilter,
        limit: i64,
    ) -> Result<Vec<(ClientId, Alert)>> {
        let rows = fetch_all!(
            self,
            AlertRow,
            "SELECT c.external_id, c.name AS client_name, a.recovered_at, a.id, a.client_id, a.alert_type, \
             a.severity, a.status, a.message, a.figures, a.opened_at, a.changed_at, \
             a.snoozed_until, a.ended_at, a.condition_ended_at, a.ending FROM client_momentum_alerts a \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE a.organization_id = $1 AND a.ended_at IS NOT NULL AND a.held_at IS NULL \
             AND a.status IN ('resolved', 'dismissed') \
             AND ($2 IS NULL OR a.status = $2) AND ($3 IS NULL OR a.alert_type = $3) \
             AND ($4 IS NULL OR a.severity = $4) AND ($5 IS NULL OR c.owner_member_id = $5) \
             AND (NOT $6 OR c.owner_member_id IS NULL) AND ($7 IS NULL OR a.ended_at >= $7) \
             AND ($8 IS NULL OR a.ended_at < $8 OR (a.ended_at = $8 AND a.id < $9)) \
             ORDER BY a.ended_at DESC, a.id DESC LIMIT $10",
            self.scope.organization_uuid(),
            filter.status.map(AlertStatus::as_str),
            filter.kind.map(AlertType::as_str),
            filter.severity.map(Severity::as_str),
            filter.owner.map(MemberId::uuid),
            filter.unowned,
            filter.since.map(Instant),
            filter.after.map(|(at, _)| Instant(at)),
            filter.after.map(|(_, id)| id.uuid()),
            limit
        )?;
        rows.into_iter().map(|row| Ok((row.row.client_id.into(), row.alert()?))).collect()
    }

    /// Returns the actions on some alerts, oldest first.
    pub async fn list_actions_of(
        &mut self,
        alerts: &[AlertId],
    ) -> Result<HashMap<AlertId, Vec<AlertAction>>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(Uuid, Uuid, Instant, String, Option<Uuid>, String)> = fetch_for_rows!(
            self,
            (Uuid, Uuid, Instant, String, Option<Uuid>, String),
            "WITH wanted (organization_id, alert_id) AS (",
            alerts,
            ") SELECT a.alert_id, a.id, a.at, a.action, a.member_id, a.note \
             FROM wanted w CROSS JOIN alert_actions a \
             WHERE a.organization_id = w.organization_id AND a.alert_id = w.alert_id",
            |alert| [organization, alert.uuid()]
        );
        let mut rows = rows;
        rows.sort_unstable_by_key(|(_, id, at, ..)| (*at, *id));
        let mut actions: HashMap<AlertId, Vec<AlertAction>> = HashMap::new();
        for (alert, _, at, action, member, note) in rows {
            let action = AlertAction { at: at.0, action, member: member.map(Into::into), note };
            actions.entry(alert.into()).or_default().push(action);
        }
        Ok(actions)
    }
}
