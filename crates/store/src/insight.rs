use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::{ClientId, InsightId},
    insight::{Insight, InsightEvidence, InsightStatus, InsightType, Priority, Rule},
};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    ClientChunk, Result, StoreError, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_for_rows, fetch_optional, fetch_packed},
        name,
    },
};

/// An insight to be kept.
#[derive(Clone, Debug)]
pub struct NewInsight {
    /// Its id.
    pub id: InsightId,
    /// Owner.
    pub client: ClientId,
    /// Text.
    pub insight: Insight,
}

/// An insight as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredInsight {
    /// Its id.
    pub id: InsightId,
    /// Owner.
    pub client: ClientId,
    /// Last local day of the email's period.
    pub period: Date,
    /// The rule that wrote it.
    pub rule: String,
    /// Kind.
    pub kind: InsightType,
    /// Priority in lists.
    pub priority: Priority,
    /// Status that the client set.
    pub status: InsightStatus,
    /// A few words.
    pub title: String,
    /// One to three sentences.
    pub message: String,
    /// The numbers in it.
    pub figures: Map<String, Value>,
    /// Data behind the insight.
    pub evidence: InsightEvidence,
    /// The instant it was written for.
    pub created_at: Timestamp,
    /// When the insight expires.
    pub valid_until: Timestamp,
    /// Events of its period that came after it was written. Zero as it is read; whoever shows it counts
    /// them.
    pub later_events: i64,
}

/// An insight as a mail tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodInsight {
    /// Kind.
    pub kind: InsightType,
    /// How prominently it is told.
    pub priority: Priority,
    /// The rule that wrote it.
    pub rule: Rule,
    /// A few words.
    pub title: String,
    /// One to three sentences.
    pub message: String,
}

#[derive(sqlx_macros::FromRow)]
struct Row {
    id: Uuid,
    client_id: Uuid,
    period: Day,
    rule: String,
    insight_type: String,
    priority: String,
    status: String,
    title: String,
    message: String,
    figures: Json<Map<String, Value>>,
    evidence: Json<InsightEvidence>,
    created_at: Instant,
    valid_until: Instant,
}

impl TryFrom<Row> for StoredInsight {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            client: row.client_id.into(),
            period: row.period.0,
            rule: row.rule,
            kind: name::INSIGHT_TYPE.read(&row.insight_type)?,
            priority: name::INSIGHT_PRIORITY.read(&row.priority)?,
            status: name::INSIGHT_STATUS.read(&row.status)?,
            title: row.title,
            message: row.message,
            figures: row.figures.0,
            evidence: row.evidence.0,
            created_at: row.created_at.0,
            valid_until: row.valid_until.0,
            later_events: 0,
        })
    }
}

impl Tx {
    /// Keeps the insights of a period; those that a client has already for it stay as they are.
    /// Answers the ids of the new ones.
    pub async fn save_insights(
        &mut self,
        period: Date,
        insights: &[NewInsight],
        as_of: Timestamp,
    ) -> Result<Vec<InsightId>> {
        let organization = self.scope.organization_uuid();
        let created: Vec<(Uuid,)> = fetch_for_rows!(
            self,
            (Uuid,),
            "INSERT INTO client_insights (organization_id, client_id, period, rule, id, \
             insight_type, priority, status, title, message, figures, evidence, created_at, valid_until)",
            insights,
            "ON CONFLICT (organization_id, client_id, period, rule) DO NOTHING RETURNING id",
            |row| [
                organization,
                row.client.uuid(),
                Day(period),
                row.insight.rule.as_str(),
                row.id.uuid(),
                row.insight.kind.as_str(),
                row.insight.priority.as_str(),
                InsightStatus::Unread.as_str(),
                &row.insight.title,
                &row.insight.message,
                Json(&row.insight.figures),
                Json(&row.insight.evidence),
                Instant(as_of),
                Instant(row.insight.valid_until)
            ]
        );
        Ok(created.into_iter().map(|(id,)| id.into()).collect())
    }

    /// The clients of a chunk that have insights of a period already.
    pub async fn list_clients_with_insights(
        &mut self,
        chunk: &ClientChunk,
        period: Date,
    ) -> Result<HashSet<ClientId>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashSet::new()) };
        let rows = fetch_all!(
            self,
            (Uuid,),
            "SELECT DISTINCT client_id FROM client_insights WHERE organization_id = $1 \
             AND client_id BETWEEN $2 AND $3 AND period = $4",
            self.scope.organization_uuid(),
            low,
            high,
            Day(period)
        )?;
        Ok(rows.into_iter().map(|(client,)| client.into()).collect())
    }

    /// A client's insights that are valid at `now`, newest first, within a period the more important
    /// ones first and then in the order of the rules. Dismissed ones only on request.
    pub async fn list_client_insights(
        &mut self,
        client: ClientId,
        now: Timestamp,
        with_dismissed: bool,
    ) -> Result<Vec<StoredInsight>> {
        let rows = fetch_all!(
            self,
            Row,
            "SELECT id, client_id, period, rule, insight_type, priority, status, title, message, \
             figures, evidence, created_at, valid_until FROM client_insights \
             WHERE organization_id = $1 AND client_id = $2 AND created_at <= $3 \
             AND valid_until > $3 AND (status <> 'dismissed' OR $4)",
            self.scope.organization_uuid(),
            client.uuid(),
            Instant(now),
            with_dismissed
        )?;
        let mut insights = Vec::with_capacity(rows.len());
        for row in rows {
            let rule: Rule = name::INSIGHT_RULE.read(&row.rule)?;
            insights.push((rule, StoredInsight::try_from(row)?));
        }
        // Here, because only the code knows the order of priorities and rules.
        insights
            .sort_by_key(|(rule, insight)| (Reverse((insight.period, insight.priority)), *rule));
        Ok(insights.into_iter().map(|(_, insight)| insight).collect())
    }

    /// The insights of a period that clients of a chunk have not dismissed, the more important ones
    /// first and then in the order of the rules.
    pub async fn list_period_insights(
        &mut self,
        chunk: &ClientChunk,
        period: Date,
    ) -> Result<HashMap<ClientId, Vec<PeriodInsight>>> {
        let Some((low, high)) = chunk.range() else { return Ok(HashMap::new()) };
        let rows = fetch_packed!(
            self,
            (Uuid, String, String, String, String, String),
            "hex(client_id), rule, insight_type, priority, title, message",
            "SELECT client_id, rule, insight_type, priority, title, message FROM client_insights \
             WHERE organization_id = $1 AND client_id BETWEEN $2 AND $3 AND period = $4 \
             AND status <> 'dismissed'",
            self.scope.organization_uuid(),
            low,
            high,
            Day(period)
        )?;
        let mut insights: HashMap<ClientId, Vec<PeriodInsight>> = HashMap::new();
        for (client, rule, kind, priority, title, message) in rows {
            let kind = name::INSIGHT_TYPE.read(&kind)?;
            let priority = name::INSIGHT_PRIORITY.read(&priority)?;
            let rule = name::INSIGHT_RULE.read(&rule)?;
            let insight = PeriodInsight { kind, priority, rule, title, message };
            insights.entry(client.into()).or_default().push(insight);
        }
        for insights in insights.values_mut() {
            insights.sort_by_key(|insight| (Reverse(insight.priority), insight.rule));
        }
        Ok(insights)
    }

    /// One insight.
    pub async fn find_insight(&mut self, id: InsightId) -> Result<Option<StoredInsight>> {
        let row = fetch_optional!(
            self,
            Row,
            "SELECT id, client_id, period, rule, insight_type, priority, status, title, message, \
             figures, evidence, created_at, valid_until FROM client_insights \
             WHERE organization_id = $1 AND id = $2",
            self.scope.organization_uuid(),
            id.uuid()
        )?;
        row.map(TryInto::try_into).transpose()
    }

    /// Records what became of an insight, if it still is what it was thought to be.
    pub async fn set_insight_status(
        &mut self,
        id: InsightId,
        from: InsightStatus,
        to: InsightStatus,
    ) -> Result<bool> {
        let changed = execute!(
            self,
            "UPDATE client_insights SET status = $4 \
             WHERE organization_id = $1 AND id = $2 AND status = $3",
            self.scope.organization_uuid(),
            id.uuid(),
            from.as_str(),
            to.as_str()
        )?;
        Ok(changed == 1)
    }

    /// Deletes the insights that are no longer valid; answers how many.
    pub async fn delete_expired_insights(&mut self, now: Timestamp) -> Result<u64> {
        execute!(
            self,
            "DELETE FROM client_insights WHERE organization_id = $1 AND valid_until <= $2",
            self.scope.organization_uuid(),
            Instant(now)
        )
    }
}
