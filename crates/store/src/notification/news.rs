//! Changes of alerts that are not told outside yet.

use jiff::Timestamp;
use mainstay_core::{
    alert::{AlertStatus, AlertType, Change, Severity},
    id::{AlertId, MemberId, OrganizationId},
    notification::News,
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    Result, Tx,
    db::{
        dialect::{Instant, execute, fetch_all, fetch_for_rows, insert_rows},
        id::new_id,
        name::{self, NameColumn},
    },
};

/// A change of an alert, as it is kept until it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertNews {
    /// Of which alert.
    pub alert: AlertId,
    /// State.
    pub change: Change,
    /// What it warns of by that.
    pub kind: AlertType,
    /// How bad it is by that.
    pub severity: Severity,
    /// Message, or the reason why the alert ended.
    pub message: String,
    /// Whether it is told to nobody until the alert is released.
    pub held: bool,
    /// Time.
    pub at: Timestamp,
}

/// An alert with all that a notice says of it besides its change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticedAlert {
    /// ID.
    pub id: AlertId,
    /// The host app's id of its client.
    pub client_id: String,
    /// Display name of the client.
    pub client_name: Option<String>,
    /// Owner of the client, with the name.
    pub owner: Option<(MemberId, String)>,
    /// Current state.
    pub status: AlertStatus,
    /// The numbers in what it says.
    pub figures: Map<String, Value>,
    /// When the alert opened.
    pub opened_at: Timestamp,
}

#[derive(sqlx_macros::FromRow)]
struct NewsRow {
    alert_id: Uuid,
    client_id: Uuid,
    owner_member_id: Option<Uuid>,
    change: String,
    alert_type: String,
    severity: String,
    message: String,
    at: Instant,
}

impl NewsRow {
    /// The news, whose type and severity come from these columns.
    fn news(self, kind: NameColumn, severity: NameColumn) -> Result<(News, String)> {
        let news = News {
            alert: self.alert_id.into(),
            client: self.client_id.into(),
            owner: self.owner_member_id.map(Into::into),
            change: name::NEWS_CHANGE.read(&self.change)?,
            kind: kind.read(&self.alert_type)?,
            severity: severity.read(&self.severity)?,
            at: self.at.0,
        };
        Ok((news, self.message))
    }
}

#[derive(sqlx_macros::FromRow)]
struct NoticedRow {
    id: Uuid,
    external_id: String,
    client_name: Option<String>,
    owner_id: Option<Uuid>,
    owner_name: Option<String>,
    status: String,
    figures: Json<Map<String, Value>>,
    opened_at: Instant,
}

impl Tx {
    /// Keeps changes of alerts to be told, in the transaction that makes them.
    pub async fn insert_alert_news(&mut self, news: &[AlertNews]) -> Result<()> {
        let organization = self.scope.organization_uuid();
        insert_rows!(
            self,
            "INSERT INTO alert_news (organization_id, id, alert_id, change, alert_type, severity, \
             message, held, at)",
            news,
            "",
            |row| [
                organization,
                new_id::<Uuid>(row.at),
                row.alert.uuid(),
                row.change.as_str(),
                row.kind.as_str(),
                row.severity.as_str(),
                &row.message,
                row.held,
                Instant(row.at)
            ]
        );
        Ok(())
    }

    /// Takes the news that can be told, oldest first: whoever takes it tells it in this transaction,
    /// which has to hold [`Tx::lock_health_check`]. What is held back stays.
    pub async fn claim_alert_news(&mut self) -> Result<Vec<(News, String)>> {
        let organization = self.scope.organization_uuid();
        let rows = fetch_all!(
            self,
            NewsRow,
            "SELECT n.alert_id, a.client_id, c.owner_member_id, n.change, n.alert_type, \
             n.severity, n.message, n.at FROM alert_news n \
             JOIN client_momentum_alerts a \
             ON a.organization_id = n.organization_id AND a.id = n.alert_id \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE n.organization_id = $1 AND NOT n.held ORDER BY n.at, n.id",
            organization
        )?;
        if !rows.is_empty() {
            execute!(
                self,
                "DELETE FROM alert_news WHERE organization_id = $1 AND NOT held",
                organization
            )?;
        }
        rows.into_iter().map(|row| row.news(name::NEWS_TYPE, name::NEWS_SEVERITY)).collect()
    }

    /// The organizations with news that could be told and that nobody has taken, all of it from before
    /// an instant: whoever made it is gone. System scope.
    pub async fn list_organizations_with_old_news(
        &mut self,
        before: Timestamp,
    ) -> Result<Vec<OrganizationId>> {
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT organization_id FROM alert_news WHERE NOT held \
             GROUP BY organization_id HAVING MAX(at) < $1",
            Instant(before)
        )?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    /// What a notice says of some alerts, in no particular order.
    pub async fn list_noticed_alerts(&mut self, alerts: &[AlertId]) -> Result<Vec<NoticedAlert>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<NoticedRow> = fetch_for_rows!(
            self,
            NoticedRow,
            "WITH wanted (organization_id, alert_id) AS (",
            alerts,
            ") SELECT a.id, c.external_id, c.name AS client_name, m.id AS owner_id, \
             m.name AS owner_name, a.status, a.figures, a.opened_at \
             FROM wanted w CROSS JOIN client_momentum_alerts a \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             LEFT JOIN members m ON m.organization_id = c.organization_id \
             AND m.id = c.owner_member_id \
             WHERE a.organization_id = w.organization_id AND a.id = w.alert_id",
            |alert| [organization, alert.uuid()]
        );
        rows.into_iter()
            .map(|row| {
                Ok(NoticedAlert {
                    id: row.id.into(),
                    client_id: row.external_id,
                    client_name: row.client_name,
                    owner: row.owner_id.map(MemberId::from).zip(row.owner_name),
                    status: name::ALERT_STATUS.read(&row.status)?,
                    figures: row.figures.0,
                    opened_at: row.opened_at.0,
                })
            })
            .collect()
    }

    /// What became of alerts in `[from, to)`, oldest first, without those that are held: what a
    /// digest of that time tells.
    pub async fn list_alert_changes(
        &mut self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(News, String)>> {
        let rows = fetch_all!(
            self,
            NewsRow,
            "SELECT n.alert_id, a.client_id, c.owner_member_id, \
             CASE WHEN n.action IN ('opened', 'worsened') THEN n.action ELSE 'resolved' END AS change, \
             a.alert_type, a.severity, \
             CASE WHEN n.action IN ('resolve', 'dismiss') THEN a.message ELSE n.note END AS message, \
             n.at FROM alert_actions n \
             JOIN client_momentum_alerts a \
             ON a.organization_id = n.organization_id AND a.id = n.alert_id \
             JOIN clients c ON c.organization_id = a.organization_id AND c.id = a.client_id \
             WHERE n.organization_id = $1 AND n.at >= $2 AND n.at < $3 AND a.held_at IS NULL \
             AND n.action IN ('opened', 'worsened', 'resolved', 'resolve', 'dismiss') \
             ORDER BY n.at, n.id",
            self.scope.organization_uuid(),
            Instant(from),
            Instant(to)
        )?;
        rows.into_iter().map(|row| row.news(name::ALERT_TYPE, name::ALERT_SEVERITY)).collect()
    }
}
