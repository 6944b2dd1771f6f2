//! Which clients' scores are out of date.

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    id::ClientId,
    time::{local_day, start_of_day},
};
use uuid::Uuid;

use super::StaleClient;
use crate::{
    ClientChunk, Result, Tx,
    db::{
        dialect::{Connection, Day, Instant, execute, fetch_all, id_list},
        lock::Lock,
    },
};

/// Events that are looked through one by one for whose they are; of more, the days' activity tells.
const MAX_EVENTS: i64 = 20_000;

impl Tx {
    /// Whether something came that no stored score counts: late, or since `scored_until` and before
    /// `now`.
    pub async fn scores_are_outdated(&mut self, now: Timestamp) -> Result<bool> {
        let organization = self.get_organization().await?;
        let stale = fetch_all!(
            self,
            (Uuid,),
            "SELECT client_id FROM stale_scores WHERE organization_id = $1 AND since < $2 LIMIT 1",
            organization.id.uuid(),
            Instant(now)
        )?;
        let Some(scored_until) = organization.scored_until.filter(|_| stale.is_empty()) else {
            return Ok(!stale.is_empty());
        };
        let arrived = fetch_all!(
            self,
            (Uuid,),
            "SELECT client_id FROM client_engagement_events \
             WHERE organization_id = $1 AND occurred_at >= $2 AND occurred_at < $3 LIMIT 1",
            organization.id.uuid(),
            Instant(scored_until),
            Instant(now)
        )?;
        Ok(!arrived.is_empty())
    }

    /// Makes the scores stale of all clients that have events since `scored_until`, and moves that on to
    /// `now`: from here on, whatever happened before `now` and comes later makes them stale by itself.
    /// Waits until events under way are stored.
    pub async fn settle_arrivals(&mut self, now: Timestamp) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        let organization = self.get_organization().await?;
        if let Some(since) = organization.scored_until.filter(|since| *since < now) {
            let many = fetch_all!(
                self,
                (Instant,),
                "SELECT occurred_at FROM client_engagement_events WHERE organization_id = $1 \
                 AND occurred_at >= $2 AND occurred_at < $3 ORDER BY occurred_at LIMIT 1 OFFSET $4",
                organization.id.uuid(),
                Instant(since),
                Instant(now),
                MAX_EVENTS
            )?;
            if many.is_empty() {
                execute!(
                    self,
                    "INSERT INTO stale_scores (organization_id, client_id, since) \
                     SELECT organization_id, client_id, MIN(occurred_at) \
                     FROM client_engagement_events WHERE organization_id = $1 \
                     AND occurred_at >= $2 AND occurred_at < $3 GROUP BY organization_id, client_id \
                     ON CONFLICT (organization_id, client_id) DO UPDATE SET since = CASE \
                     WHEN excluded.since < stale_scores.since THEN excluded.since \
                     ELSE stale_scores.since END",
                    organization.id.uuid(),
                    Instant(since),
                    Instant(now)
                )?;
            } else {
                let zone = organization.zone()?;
                // From `since`, though each client's first event may be later: none of its scores in
                // between counts anything else.
                execute!(
                    self,
                    "INSERT INTO stale_scores (organization_id, client_id, since) \
                     SELECT $1, client_id, $2 FROM (SELECT client_id FROM daily_activity \
                     WHERE organization_id = $1 AND day >= $3 AND last_at >= $2 \
                     UNION SELECT client_id FROM pending_activity \
                     WHERE organization_id = $1 AND day >= $3 AND last_at >= $2) AS active \
                     WHERE TRUE \
                     ON CONFLICT (organization_id, client_id) DO UPDATE SET since = CASE \
                     WHEN excluded.since < stale_scores.since THEN excluded.since \
                     ELSE stale_scores.since END",
                    organization.id.uuid(),
                    Instant(since),
                    Day(local_day(since, &zone))
                )?;
            }
        }
        self.advance_scored_until(now).await
    }

    /// The same before everybody's score is computed anyway, for `as_of`: only those become stale that
    /// have a score after `scored_until`, which something may have come for since.
    pub async fn settle_later_scores(&mut self, as_of: Timestamp) -> Result<()> {
        self.lock_organization(Lock::SettleEvents).await?;
        let organization = self.get_organization().await?;
        if let Some(since) = organization.scored_until.filter(|since| *since < as_of) {
            let zone = organization.zone()?;
            execute!(
                self,
                "INSERT INTO stale_scores (organization_id, client_id, since) \
                 SELECT DISTINCT s.organization_id, s.client_id, $2 FROM score_days d \
                 JOIN client_success_scores s \
                 ON s.organization_id = d.organization_id AND s.day = d.day \
                 WHERE d.organization_id = $1 AND d.day >= $3 AND d.latest_as_of > $2 \
                 AND s.as_of > $2 \
                 ON CONFLICT (organization_id, client_id) DO UPDATE SET since = CASE \
                 WHEN excluded.since < stale_scores.since THEN excluded.since \
                 ELSE stale_scores.since END",
                organization.id.uuid(),
                Instant(since),
                Day(local_day(since, &zone))
            )?;
        }
        self.advance_scored_until(as_of).await
    }

    /// Clients with events in `[from, to)`, with the latest time that one of these was received: what a
    /// score computed before that cannot count.
    pub async fn list_arrivals(
        &mut self,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<HashMap<ClientId, Timestamp>> {
        let rows = fetch_all!(
            self,
            (Uuid, Instant),
            "SELECT client_id, MAX(received_at) FROM client_engagement_events \
             WHERE organization_id = $1 AND occurred_at >= $2 AND occurred_at < $3 \
             GROUP BY client_id",
            self.scope.organization_uuid(),
            Instant(from),
            Instant(to)
        )?;
        Ok(rows.into_iter().map(|(client, at)| (client.into(), at.0)).collect())
    }

    /// Which clients of a chunk have events on a local day before `until`, or had their onboarding,
    /// launch kit or feedback changed from the day's beginning on.
    pub async fn list_changed_clients(
        &mut self,
        chunk: &ClientChunk,
        (day, zone): (Date, &TimeZone),
        until: Timestamp,
    ) -> Result<Vec<ClientId>> {
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let Some(ids) = chunk.id_condition(postgres) else { return Ok(Vec::new()) };
        let rows = fetch_all!(
            self,
            (Uuid,),
            sqlx::AssertSqlSafe(ids.apply_to(
                "SELECT client_id FROM daily_activity \
                 WHERE organization_id = $1 AND day = $4 AND {client_id} \
                 UNION SELECT client_id FROM pending_activity \
                 WHERE organization_id = $1 AND day = $4 AND {client_id} \
                 UNION SELECT client_id FROM onboarding_tasks WHERE organization_id = $1 \
                 AND {client_id} AND updated_at >= $5 AND created_at < $6 \
                 UNION SELECT client_id FROM launch_kits WHERE organization_id = $1 \
                 AND {client_id} AND (viewed_at >= $5 OR completed_at >= $5) \
                 UNION SELECT client_id FROM client_feedback WHERE organization_id = $1 \
                 AND {client_id} AND given_at >= $5 AND given_at < $6"
            )),
            self.scope.organization_uuid(),
            ids.low,
            ids.high,
            Day(day),
            Instant(start_of_day(day, zone)),
            Instant(until)
        )?;
        Ok(rows.into_iter().map(|(client,)| client.into()).collect())
    }

    /// Clients of whom something late arrived, in the order of their ids.
    pub async fn list_stale_clients(
        &mut self,
        after: Option<ClientId>,
        limit: i64,
    ) -> Result<Vec<StaleClient>> {
        let rows = fetch_all!(
            self,
            (Uuid, String, Instant, Instant),
            "SELECT c.id, c.external_id, c.created_at, s.since FROM stale_scores s \
             JOIN clients c ON c.organization_id = s.organization_id AND c.id = s.client_id \
             WHERE s.organization_id = $1 AND s.client_id > $2 ORDER BY s.client_id LIMIT $3",
            self.scope.organization_uuid(),
            after.map_or(Uuid::nil(), ClientId::uuid),
            limit
        )?;
        Ok(rows
            .into_iter()
            .map(|(client, external_id, created_at, since)| StaleClient {
                client: client.into(),
                external_id,
                created_at: created_at.0,
                since: since.0,
            })
            .collect())
    }

    /// Takes clients off the list of those whose scores are out of date, to see to them in the same
    /// transaction: what comes from here on puts them there again. Returns since when each was on it.
    pub async fn claim_stale(
        &mut self,
        clients: &[ClientId],
    ) -> Result<HashMap<ClientId, Timestamp>> {
        if clients.is_empty() {
            return Ok(HashMap::new());
        }
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let ids = id_list(clients.iter().map(|client| client.uuid()), postgres);
        let rows = fetch_all!(
            self,
            (Uuid, Instant),
            sqlx::AssertSqlSafe(format!(
                "DELETE FROM stale_scores WHERE organization_id = $1 AND client_id IN ({ids}) \
                 RETURNING client_id, since"
            )),
            self.scope.organization_uuid()
        )?;
        Ok(rows.into_iter().map(|(client, since)| (client.into(), since.0)).collect())
    }

    /// Puts a client on the list of those whose scores are out of date: those after `since`.
    pub async fn mark_stale_since(&mut self, client: ClientId, since: Timestamp) -> Result<()> {
        self.mark_stale(&[(client, since)]).await
    }

    /// Whether a client's scores are out of date.
    pub async fn is_stale(&mut self, client: ClientId) -> Result<bool> {
        Ok(self.find_stale_since(client).await?.is_some())
    }

    /// Since when a client's scores are out of date, if they are. That may be yet to come, of what
    /// happens after the last one.
    pub async fn find_stale_since(&mut self, client: ClientId) -> Result<Option<Timestamp>> {
        let rows = fetch_all!(
            self,
            (Instant,),
            "SELECT since FROM stale_scores WHERE organization_id = $1 AND client_id = $2",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        Ok(rows.first().map(|(since,)| since.0))
    }
}
