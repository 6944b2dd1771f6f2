use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    id::ClientId,
    score::{Previous, PreviousCutoffs, ScoreInputs},
    time::local_day,
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ClientFacts, LatestScore};
use crate::{
    ActivityRange, ClientChunk, Result, Tx,
    client::ClientIds,
    dialect::{Connection, Day, Instant, fetch_all, fetch_packed},
};

impl Tx {
    /// The latest score that is stored of each client on the days `[first, last]`.
    pub async fn latest_scores(
        &mut self,
        chunk: &ClientChunk,
        (first, last): (Date, Date),
    ) -> Result<HashMap<ClientId, LatestScore>> {
        let mut latest = HashMap::new();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let Some(ids) = chunk.named(postgres) else { return Ok(latest) };
        let days = self.score_days().await?;
        for day in days.into_iter().rev().filter(|day| (first..=last).contains(day)) {
            let rows = fetch_packed!(
                self,
                (Uuid, Instant, i64, i64),
                "hex(client_id), as_of, overall, model_version",
                &ids.named_in(
                    "SELECT client_id, as_of, overall, model_version FROM client_success_scores \
                     WHERE organization_id = $1 AND day = $4 AND {client_id}"
                ),
                self.scope.organization_uuid(),
                ids.low,
                ids.high,
                Day(day)
            )?;
            for (client, as_of, overall, model) in rows {
                let score = LatestScore { as_of: as_of.0, overall, model };
                latest.entry(client.into()).or_insert(score);
            }
            if latest.len() >= chunk.clients.len() {
                break;
            }
        }
        Ok(latest)
    }

    /// Finds each client's previous score. Scores are keyed by day, so this steps from day to day:
    /// with daily scores the first step finds nearly every client.
    pub(super) async fn add_previous(
        &mut self,
        cutoffs: PreviousCutoffs,
        (ids, range): (&ClientIds, &ActivityRange),
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let zone = &range.windows.zone;
        let last_day = local_day(cutoffs.day, zone);
        let days: Vec<Date> = fetch_all!(
            self,
            (Day,),
            "SELECT day FROM score_days WHERE organization_id = $1 AND day <= $2 ORDER BY day",
            self.scope.organization_uuid(),
            Day(last_day)
        )?
        .into_iter()
        .map(|(day,)| day.0)
        .collect();
        // First choice, from the newest day down. A client that did not exist then has no score.
        let week_day = local_day(cutoffs.week, zone);
        let mut open: HashSet<ClientId> = facts
            .values()
            .filter(|facts| facts.created_at < cutoffs.week)
            .map(|facts| facts.client)
            .collect();
        for day in days.iter().rev().filter(|day| **day <= week_day) {
            self.take_previous((*day, cutoffs.week), (ids, range.detailed), &mut open, facts)
                .await?;
        }
        // Second choice, from the oldest day up: all of these are later than the first choice's.
        let mut open: HashSet<ClientId> = facts
            .values()
            .filter(|facts| facts.previous.is_none() && facts.created_at < cutoffs.day)
            .map(|facts| facts.client)
            .collect();
        for day in days.iter().filter(|day| **day >= week_day) {
            self.take_previous((*day, cutoffs.day), (ids, range.detailed), &mut open, facts)
                .await?;
        }
        Ok(())
    }

    async fn take_previous(
        &mut self,
        (day, until): (Date, Timestamp),
        (ids, detailed): (&ClientIds, bool),
        open: &mut HashSet<ClientId>,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let (Some(low), Some(high)) = (open.iter().min(), open.iter().max()) else {
            return Ok(());
        };
        let rows = fetch_packed!(
            self,
            (Uuid, Instant, i64, Option<Json<ScoreInputs>>),
            "hex(client_id), as_of, overall, json(inputs)",
            &ids.named_in(
                "SELECT client_id, as_of, overall, CASE WHEN $6 THEN inputs END AS inputs \
                 FROM client_success_scores WHERE organization_id = $1 \
                 AND day = $4 AND {client_id} AND as_of <= $5"
            ),
            self.scope.organization_uuid(),
            low.uuid(),
            high.uuid(),
            Day(day),
            Instant(until),
            detailed
        )?;
        for (client, as_of, overall, inputs) in rows {
            let client = client.into();
            if !open.remove(&client) {
                continue;
            }
            let Some(facts) = facts.get_mut(&client) else { continue };
            facts.previous = Some(Previous { as_of: as_of.0, overall });
            facts.previous_inputs = inputs.map(|Json(inputs)| inputs);
        }
        Ok(())
    }
}
