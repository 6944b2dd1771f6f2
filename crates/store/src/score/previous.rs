use std::collections::{HashMap, HashSet};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    id::ClientId,
    score::{EarlierScore, PreviousCutoffs, ScoreInputs},
    time::{local_day, start_of_day},
};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ClientFacts, LatestScore};
use crate::{
    ClientChunk, ResolvedClient, Result, Tx,
    client::ClientIds,
    db::dialect::{Connection, Day, Instant, fetch_all, fetch_packed},
};

impl Tx {
    /// The latest score that is stored of each client on the days `[first, last]`.
    pub async fn list_latest_scores(
        &mut self,
        chunk: &ClientChunk,
        (first, last): (Date, Date),
    ) -> Result<HashMap<ClientId, LatestScore>> {
        let mut latest = HashMap::new();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let Some(ids) = chunk.id_condition(postgres) else { return Ok(latest) };
        let days = self.list_score_days().await?;
        for day in days.into_iter().rev().filter(|day| (first..=last).contains(day)) {
            let rows = fetch_packed!(
                self,
                (Uuid, Instant, i64, i64),
                "hex(client_id), as_of, overall, model_version",
                &ids.apply_to(
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

    /// Adds the stored score that each is compared with to facts of single clients, each of an instant
    /// of its own.
    pub async fn add_earlier_scores(
        &mut self,
        facts: &mut [ClientFacts],
        zone: &TimeZone,
    ) -> Result<()> {
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let clients = facts
            .iter()
            .map(|facts| {
                let resolved = ResolvedClient { id: facts.client, created_at: facts.created_at };
                (resolved, String::new())
            })
            .collect();
        let Some(ids) = ClientChunk::from_selection(clients).id_condition(postgres) else {
            return Ok(());
        };
        let mut by_client: HashMap<ClientId, ClientFacts> =
            facts.iter().map(|facts| (facts.client, facts.clone())).collect();
        let cutoffs = |facts: &ClientFacts| PreviousCutoffs::at(facts.as_of, zone);
        self.add_previous(cutoffs, (&ids, zone, None), &mut by_client).await?;
        for facts in facts {
            facts.previous = by_client.remove(&facts.client).and_then(|facts| facts.previous);
        }
        Ok(())
    }

    /// Finds each client's previous score. Scores are keyed by day, so this steps from day to day:
    /// with daily scores the first step finds nearly every client. `inputs_of` is the version of the
    /// model whose scores need no inputs to be compared.
    pub(super) async fn add_previous(
        &mut self,
        cutoffs_of: impl Fn(&ClientFacts) -> PreviousCutoffs,
        (ids, zone, inputs_of): (&ClientIds, &TimeZone, Option<i64>),
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let cutoffs: HashMap<ClientId, PreviousCutoffs> =
            facts.values().map(|facts| (facts.client, cutoffs_of(facts))).collect();
        let Some(last_day) = cutoffs.values().map(|cutoffs| cutoffs.day).max() else {
            return Ok(());
        };
        let days: Vec<Date> = fetch_all!(
            self,
            (Day,),
            "SELECT day FROM score_days WHERE organization_id = $1 AND day <= $2 ORDER BY day",
            self.scope.organization_uuid(),
            Day(local_day(last_day, zone))
        )?
        .into_iter()
        .map(|(day,)| day.0)
        .collect();
        let weeks = || cutoffs.values().map(|cutoffs| local_day(cutoffs.week, zone));
        let (first_week_day, last_week_day) = (weeks().min(), weeks().max());
        let until = |client: ClientId, week: bool| {
            let cutoffs = cutoffs.get(&client)?;
            Some(if week { cutoffs.week } else { cutoffs.day })
        };
        // A client has no score of a day before its first one.
        let began = |facts: &ClientFacts, at: Option<Timestamp>| {
            let first_day = local_day(facts.created_at, zone);
            at.is_some_and(|at| start_of_day(first_day, zone) <= at)
        };
        // First choice, from the newest day down.
        let mut open: HashSet<ClientId> = facts
            .values()
            .filter(|facts| began(facts, until(facts.client, true)))
            .map(|facts| facts.client)
            .collect();
        for day in days.iter().rev().filter(|day| Some(**day) <= last_week_day) {
            let until = |client| until(client, true);
            self.set_previous(*day, (ids, inputs_of), until, &mut open, facts).await?;
        }
        // Second choice, from the oldest day up: all of these are later than the first choice's.
        let mut open: HashSet<ClientId> = facts
            .values()
            .filter(|facts| facts.previous.is_none())
            .filter(|facts| began(facts, until(facts.client, false)))
            .map(|facts| facts.client)
            .collect();
        for day in days.iter().filter(|day| Some(**day) >= first_week_day) {
            let until = |client| until(client, false);
            self.set_previous(*day, (ids, inputs_of), until, &mut open, facts).await?;
        }
        Ok(())
    }

    async fn set_previous(
        &mut self,
        day: Date,
        (ids, inputs_of): (&ClientIds, Option<i64>),
        until: impl Fn(ClientId) -> Option<Timestamp>,
        open: &mut HashSet<ClientId>,
        facts: &mut HashMap<ClientId, ClientFacts>,
    ) -> Result<()> {
        let (Some(low), Some(high)) = (open.iter().min(), open.iter().max()) else {
            return Ok(());
        };
        let rows = fetch_packed!(
            self,
            (Uuid, Instant, i64, i64, Option<Json<ScoreInputs>>),
            "hex(client_id), as_of, overall, model_version, json(inputs)",
            &ids.apply_to(
                "SELECT client_id, as_of, overall, model_version, \
                 CASE WHEN model_version <> $5 THEN inputs END AS inputs \
                 FROM client_success_scores WHERE organization_id = $1 \
                 AND day = $4 AND {client_id}"
            ),
            self.scope.organization_uuid(),
            low.uuid(),
            high.uuid(),
            Day(day),
            // No model has this number.
            inputs_of.unwrap_or(-1)
        )?;
        for (client, as_of, overall, model, inputs) in rows {
            let client = client.into();
            let old_enough = until(client).is_some_and(|until| as_of.0 <= until);
            if !old_enough || !open.remove(&client) {
                continue;
            }
            let Some(facts) = facts.get_mut(&client) else { continue };
            let inputs = inputs.map(|Json(inputs)| inputs);
            facts.previous = Some(EarlierScore { as_of: as_of.0, overall, model, inputs });
        }
        Ok(())
    }
}
