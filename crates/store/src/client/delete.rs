//! Deleting a client, with everything that is known of it.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    id::ClientId,
    time::{add_days, local_day},
};

use crate::{
    ClientRange, Result, Tx,
    db::{
        dialect::{
            Connection, Day, Instant, delete_keys, delete_wanted, execute, fetch_for_rows,
            fetch_optional, insert_rows,
        },
        lock::Lock,
    },
};

impl Tx {
    /// Deletes a client and everything known of it, for good.
    ///
    /// Costs as many look-ups as the client is days old, and the client's own rows: no index leads from a
    /// client to its events, and reading all of the organization's would hold up everybody who stores
    /// some.
    pub async fn delete_client(&mut self, client: ClientId, now: Timestamp) -> Result<()> {
        self.lock_organization(Lock::DeleteClients).await?;
        self.lock_organization(Lock::SettleEvents).await?;
        // With what is kept of the clients that were merged into it.
        execute!(
            self,
            "WITH RECURSIVE gone (id) AS (SELECT id FROM clients \
             WHERE organization_id = $1 AND id = $2 UNION SELECT m.previous_client \
             FROM client_merges m JOIN gone ON m.client_id = gone.id \
             WHERE m.organization_id = $1 AND m.previous_client IS NOT NULL) \
             DELETE FROM client_merges WHERE organization_id = $1 \
             AND (client_id IN (SELECT id FROM gone) OR previous_client = $2)",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        self.remove_client(client, now).await
    }

    /// Deletes a client, but not how it came to be merged into another one.
    pub(crate) async fn remove_client(&mut self, client: ClientId, now: Timestamp) -> Result<()> {
        self.delete_activity(client, now).await?;
        self.delete_people_of(client).await?;
        for day in self.list_score_days().await? {
            execute!(
                self,
                "DELETE FROM client_success_scores \
                 WHERE organization_id = $1 AND day = $2 AND client_id = $3",
                self.scope.organization_uuid(),
                Day(day),
                client.uuid()
            )?;
        }
        for sql in [
            // What was told of it outside names it.
            "DELETE FROM webhook_messages WHERE organization_id = $1 AND id IN \
             (SELECT t.message_id FROM webhook_message_alerts t JOIN client_momentum_alerts a \
             ON a.organization_id = t.organization_id AND a.id = t.alert_id \
             WHERE t.organization_id = $1 AND a.client_id = $2)",
            "DELETE FROM webhook_messages WHERE organization_id = $1 AND about_client IN \
             (SELECT external_id FROM clients WHERE organization_id = $1 AND id = $2 UNION ALL \
             SELECT external_id FROM client_aliases WHERE organization_id = $1 AND client_id = $2)",
            "DELETE FROM stale_scores WHERE organization_id = $1 AND client_id = $2",
            "DELETE FROM clients WHERE organization_id = $1 AND id = $2",
        ] {
            execute!(self, sql, self.scope.organization_uuid(), client.uuid())?;
        }
        self.mark_changed(ClientRange::of(client));
        self.invalidate_known_clients().await
    }

    /// Deletes a client's events with all that is rolled up from them.
    async fn delete_activity(&mut self, client: ClientId, now: Timestamp) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let created = fetch_optional!(
            self,
            (Instant,),
            "SELECT created_at FROM clients WHERE organization_id = $1 AND id = $2",
            organization,
            client.uuid()
        )?;
        if let Some((created_at,)) = created {
            // No event is earlier than its client, and none a day ahead; a zone's day is one off at most.
            let day = |at| local_day(at, &TimeZone::UTC);
            let (first, last) = (add_days(day(created_at.0), -1), add_days(day(now), 3));
            let instants = self.list_client_instants(client, first, last).await?;
            self.delete_untimed_messages(client, &instants).await?;
            self.delete_events(client, &instants).await?;
            for active in self.list_day_activity(client, first, last).await? {
                self.delete_day(client, active.day).await?;
            }
        }
        for sql in [
            "DELETE FROM pending_activity WHERE organization_id = $1 AND client_id = $2",
            "DELETE FROM client_activity_totals WHERE organization_id = $1 AND client_id = $2",
        ] {
            execute!(self, sql, organization, client.uuid())?;
        }
        Ok(())
    }

    /// Deletes the events that a client had at these instants, and under which other times they are
    /// known; the ids of those without a timestamp stay known.
    pub(crate) async fn delete_events(
        &mut self,
        client: ClientId,
        instants: &BTreeSet<Timestamp>,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let instants: Vec<Timestamp> = instants.iter().copied().collect();
        let moved: Vec<(Instant,)> = fetch_for_rows!(
            self,
            (Instant,),
            "WITH wanted (organization_id, client_id, at) AS (",
            &instants,
            ") SELECT e.client_timestamp FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.at \
             AND e.client_id = w.client_id AND e.client_timestamp <> e.occurred_at]",
            |at| [organization, client.uuid(), Instant(*at)]
        );
        let moved: Vec<Timestamp> = moved.into_iter().map(|(at,)| at.0).collect();
        for (table, column, instants) in [
            ("event_moves", "client_timestamp", &moved),
            ("client_engagement_events", "occurred_at", &instants),
        ] {
            insert_rows!(
                self,
                "WITH wanted (organization_id, client_id, at) AS (",
                instants,
                &delete_wanted(table, column, postgres),
                |at| [organization, client.uuid(), Instant(*at)]
            );
        }
        Ok(())
    }

    /// Forgets the ids of messages without a timestamp that a client's events at these instants are known
    /// by; called before the events are deleted, which tell the ids.
    async fn delete_untimed_messages(
        &mut self,
        client: ClientId,
        instants: &BTreeSet<Timestamp>,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let postgres = matches!(self.connection, Connection::Postgres(_));
        let instants: Vec<Timestamp> = instants.iter().copied().collect();
        let received: Vec<(String, Instant)> = fetch_for_rows!(
            self,
            (String, Instant),
            "WITH wanted (organization_id, client_id, at) AS (",
            &instants,
            ") SELECT e.message_id, e.received_at FROM wanted w \
             CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.at \
             AND e.client_id = w.client_id AND e.received_at = e.occurred_at \
             AND e.client_timestamp = e.occurred_at]",
            |at| [organization, client.uuid(), Instant(*at)]
        );
        let known: Vec<(Date, String)> = received
            .into_iter()
            .map(|(message_id, at)| (local_day(at.0, &TimeZone::UTC), message_id))
            .collect();
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_id, day, message_id) AS (",
            &known,
            &delete_keys("untimed_messages", &["client_id", "day", "message_id"], postgres),
            |row| [organization, client.uuid(), Day(row.0), &row.1]
        );
        Ok(())
    }

    /// Deletes what is rolled up of one local day of a client.
    pub(crate) async fn delete_day(&mut self, client: ClientId, day: Date) -> Result<()> {
        execute!(
            self,
            "DELETE FROM daily_activity WHERE organization_id = $1 AND day = $2 \
             AND part IN (SELECT part FROM activity_parts \
             WHERE organization_id = $1 AND day = $2 UNION SELECT 0) AND client_id = $3",
            self.scope.organization_uuid(),
            Day(day),
            client.uuid()
        )?;
        Ok(())
    }

    /// Makes worthless what is kept in mind of the organization's clients, here and elsewhere.
    pub(crate) async fn invalidate_known_clients(&mut self) -> Result<()> {
        execute!(
            self,
            "UPDATE organizations SET client_deletions = client_deletions + 1 WHERE id = $1",
            self.scope.organization_uuid()
        )?;
        Ok(())
    }
}
