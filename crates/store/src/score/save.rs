use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::ClientId,
    score::{Components, Previous, Score, ScoreInputs, ScoreModel},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{Recorded, ScoreRow};
use crate::{
    ClientRange, Result, Tx,
    db::{
        dialect::{Day, Instant, execute, fetch_all, fetch_day_by_day, insert_rows},
        lock::Lock,
        name,
    },
};

#[derive(sqlx_macros::FromRow)]
struct Row {
    client_id: Uuid,
    day: Day,
    overall: i64,
    engagement: i64,
    activation: i64,
    progress: i64,
    satisfaction: i64,
    momentum: i64,
    coverage: i64,
    previous: Option<i64>,
    previous_as_of: Option<Instant>,
    change: Option<i64>,
    trend: String,
    as_of: Instant,
    model_version: i64,
    inputs: Json<ScoreInputs>,
    computed_at: Instant,
}

impl Row {
    /// The stored figures as they are: only the band, which is not stored, comes from the model.
    fn into_score(self, models: &[crate::StoredModel]) -> Result<ScoreRow> {
        let model = models
            .iter()
            .find(|model| model.version == self.model_version)
            .map_or_else(ScoreModel::standard, |stored| stored.model.clone());
        let Json(mut inputs) = self.inputs;
        // The columns are what queries filter by; the inputs must not be able to say otherwise.
        let recorded = Recorded { as_of: inputs.as_of, model: inputs.model };
        inputs.as_of = self.as_of.0;
        inputs.model = self.model_version;
        Ok(ScoreRow {
            client: self.client_id.into(),
            day: self.day.0,
            computed_at: self.computed_at.0,
            recorded,
            score: Score {
                inputs,
                overall: self.overall,
                components: Components {
                    engagement: self.engagement,
                    activation: self.activation,
                    progress: self.progress,
                    satisfaction: self.satisfaction,
                    momentum: self.momentum,
                },
                coverage: self.coverage,
                // Without its instant, which only tampering leaves out, it is one that no check agrees to.
                previous: self.previous.map(|overall| {
                    let as_of = self.previous_as_of.map_or(Timestamp::UNIX_EPOCH, |as_of| as_of.0);
                    Previous { as_of, overall }
                }),
                incomparable: self
                    .previous_as_of
                    .filter(|_| self.previous.is_none())
                    .map(|as_of| as_of.0),
                change: self.change,
                trend: name::TREND.read(&self.trend)?,
                band: model.band(self.overall),
            },
        })
    }
}

impl Tx {
    /// Stores scores, replacing those of the same client and day unless they were computed after
    /// `computed_at`, when these scores' facts were read. Those of clients that were deleted meanwhile
    /// are left out. Scores of later days, which may have to be compared with these, become stale.
    pub async fn save_scores(
        &mut self,
        day: Date,
        scores: &[(ClientId, Score)],
        computed_at: Timestamp,
    ) -> Result<()> {
        self.save_corrected_scores(day, scores, computed_at).await?;
        let later = fetch_all!(
            self,
            (Day,),
            "SELECT day FROM score_days WHERE organization_id = $1 AND day > $2 LIMIT 1",
            self.scope.organization_uuid(),
            Day(day)
        )?;
        if !later.is_empty() {
            let stale: Vec<(ClientId, Timestamp)> =
                scores.iter().map(|(client, score)| (*client, score.inputs.as_of)).collect();
            self.mark_stale(&stale).await?;
        }
        Ok(())
    }

    /// The same for scores that are mended from the oldest to the newest, so that those of later days
    /// are seen to anyway.
    pub async fn save_corrected_scores(
        &mut self,
        day: Date,
        scores: &[(ClientId, Score)],
        computed_at: Timestamp,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let ids = || scores.iter().map(|(client, _)| client.uuid());
        let Some((low, high)) = ids().min().zip(ids().max()) else { return Ok(()) };
        self.lock_organization(Lock::StoreEvents).await?;
        let latest = scores.iter().map(|(_, score)| score.inputs.as_of).max();
        execute!(
            self,
            "INSERT INTO score_days (organization_id, day, latest_as_of) VALUES ($1, $2, $3) \
             ON CONFLICT (organization_id, day) DO UPDATE SET latest_as_of = excluded.latest_as_of \
             WHERE score_days.latest_as_of < excluded.latest_as_of",
            organization,
            Day(day),
            latest.map(Instant)
        )?;
        insert_rows!(
            self,
            "INSERT INTO client_success_scores (organization_id, day, client_id, as_of, overall, \
             engagement, activation, progress, satisfaction, momentum, coverage, previous, \
             previous_as_of, change, trend, model_version, inputs, computed_at)",
            scores,
            "ON CONFLICT (organization_id, day, client_id) DO UPDATE SET as_of = excluded.as_of, \
             overall = excluded.overall, engagement = excluded.engagement, \
             activation = excluded.activation, progress = excluded.progress, \
             satisfaction = excluded.satisfaction, momentum = excluded.momentum, \
             coverage = excluded.coverage, previous = excluded.previous, \
             previous_as_of = excluded.previous_as_of, change = excluded.change, \
             trend = excluded.trend, model_version = excluded.model_version, \
             inputs = excluded.inputs, computed_at = excluded.computed_at \
             WHERE client_success_scores.computed_at <= excluded.computed_at",
            |row| [
                organization,
                Day(day),
                row.0.uuid(),
                Instant(row.1.inputs.as_of),
                row.1.overall,
                row.1.components.engagement,
                row.1.components.activation,
                row.1.components.progress,
                row.1.components.satisfaction,
                row.1.components.momentum,
                row.1.coverage,
                row.1.previous.map(|previous| previous.overall),
                row.1.previous.map(|previous| previous.as_of).or(row.1.incomparable).map(Instant),
                row.1.change,
                row.1.trend.as_str(),
                row.1.inputs.model,
                Json(&row.1.inputs),
                Instant(computed_at)
            ]
        );
        // A client may be gone since its score was computed. A foreign key would notice too, at the
        // price of a look-up and, on PostgreSQL, a lock for each row.
        execute!(
            self,
            "DELETE FROM client_success_scores WHERE organization_id = $1 AND day = $2 \
             AND client_id BETWEEN $3 AND $4 AND NOT EXISTS (SELECT 1 FROM clients c \
             WHERE c.organization_id = $1 AND c.id BETWEEN $3 AND $4 \
             AND c.id = client_success_scores.client_id)",
            organization,
            Day(day),
            low,
            high
        )?;
        self.mark_changed(ClientRange { low: low.into(), high: high.into() });
        Ok(())
    }

    /// A client's stored scores on the days `[first, last]`, oldest first.
    pub async fn list_client_scores(
        &mut self,
        client: ClientId,
        first: Date,
        last: Date,
    ) -> Result<Vec<ScoreRow>> {
        let models = self.list_score_models().await?;
        let rows = fetch_day_by_day!(
            self,
            Row,
            "WITH days (day) AS (SELECT day FROM score_days \
             WHERE organization_id = $1 AND day BETWEEN $3 AND $4) SELECT s.client_id, s.day, s.as_of, s.overall, s.engagement, s.activation, s.progress, \
             s.satisfaction, s.momentum, s.coverage, s.previous, s.previous_as_of, s.change, \
             s.trend, s.model_version, s.inputs, s.computed_at \
             FROM days CROSS JOIN [client_success_scores s \
             WHERE s.organization_id = $1 AND s.day = days.day AND s.client_id = $2] ORDER BY s.day",
            self.scope.organization_uuid(),
            client.uuid(),
            Day(first),
            Day(last)
        )?;
        rows.into_iter().map(|row| row.into_score(&models)).collect()
    }

    /// Days that have stored scores, oldest first.
    pub async fn list_score_days(&mut self) -> Result<Vec<Date>> {
        let rows = fetch_all!(
            self,
            (Day,),
            "SELECT day FROM score_days WHERE organization_id = $1 ORDER BY day",
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(day,)| day.0).collect())
    }

    /// Stored scores of one day in the order of clients' ids, from the one after `after`.
    pub async fn list_scores_of_day(
        &mut self,
        day: Date,
        after: Option<ClientId>,
        limit: i64,
    ) -> Result<Vec<ScoreRow>> {
        let models = self.list_score_models().await?;
        let rows = fetch_all!(
            self,
            Row,
            "SELECT client_id, day, as_of, overall, engagement, activation, progress, \
             satisfaction, momentum, coverage, previous, previous_as_of, change, trend, \
             model_version, inputs, computed_at FROM client_success_scores \
             WHERE organization_id = $1 AND day = $2 AND client_id > $3 ORDER BY client_id LIMIT $4",
            self.scope.organization_uuid(),
            Day(day),
            after.map_or(Uuid::nil(), ClientId::uuid),
            limit
        )?;
        rows.into_iter().map(|row| row.into_score(&models)).collect()
    }
}
