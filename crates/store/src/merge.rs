//! Two ids of the same client: everything known under one moves to the other.

use std::collections::{BTreeSet, HashMap};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    id::ClientId,
    time::{add_days, local_day, start_of_day},
};
use uuid::Uuid;

use crate::{
    ClientRange, ResolvedClient, Result, Tx,
    dialect::{
        Day, Instant, execute, fetch_day_by_day, fetch_for_rows, fetch_optional, insert_rows,
    },
    engagement::{Additions, activity_on_days, rolled},
    pool::Lock,
};

impl Tx {
    /// Clients that these ids are another name of.
    pub(crate) async fn aliased(
        &mut self,
        external_ids: &[&str],
    ) -> Result<HashMap<String, ResolvedClient>> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String, Uuid, Instant)> = fetch_for_rows!(
            self,
            (String, Uuid, Instant),
            "WITH wanted (organization_id, external_id) AS (",
            external_ids,
            ") SELECT a.external_id, c.id, c.created_at FROM wanted w CROSS JOIN client_aliases a \
             CROSS JOIN clients c WHERE a.organization_id = w.organization_id \
             AND a.external_id = w.external_id AND c.organization_id = a.organization_id \
             AND c.id = a.client_id",
            |external_id| [organization, *external_id]
        );
        Ok(rows
            .into_iter()
            .map(|(external_id, id, created_at)| {
                (external_id, ResolvedClient { id: id.into(), created_at: created_at.0 })
            })
            .collect())
    }

    /// Makes an id another name of a client, and gives the client everything that was known under
    /// it: events, tasks, feedback, notes, insights, alerts and mails. Scores are computed again from
    /// the events of both; the other id's own are gone. Done again, it changes nothing.
    ///
    /// Costs as many look-ups as there are days since the older of the two came to be, and events of
    /// the days on which the other id did something.
    pub async fn merge_client(
        &mut self,
        previous: &str,
        into: &str,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<()> {
        self.lock_organization(Lock::DeleteClients).await?;
        self.lock_organization(Lock::SettleEvents).await?;
        let seen = [crate::Seen { external_id: into, first_at: now }];
        let resolved = self.resolve_clients(&seen, now).await?;
        let Some(kept) = resolved.first().copied() else { return Ok(()) };
        match self.aliased(&[previous]).await?.get(previous) {
            Some(known) if known.id == kept.id => return Ok(()),
            // What is kept in mind of the name is wrong from here on.
            Some(_) => self.forget_known_clients().await?,
            None => {}
        }
        let organization = self.scope.organization_uuid();
        let gone = fetch_optional!(
            self,
            (Uuid, Instant),
            "SELECT id, created_at FROM clients WHERE organization_id = $1 AND external_id = $2",
            organization,
            previous
        )?;
        if let Some((gone, created_at)) = gone {
            let gone = ResolvedClient { id: gone.into(), created_at: created_at.0 };
            if gone.id == kept.id {
                return Ok(());
            }
            self.move_to(gone, kept, zone, now).await?;
        }
        execute!(
            self,
            "INSERT INTO client_aliases (organization_id, external_id, client_id, created_at) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization_id, external_id) \
             DO UPDATE SET client_id = excluded.client_id",
            organization,
            previous,
            kept.id.uuid(),
            Instant(now)
        )?;
        Ok(())
    }

    async fn move_to(
        &mut self,
        gone: ResolvedClient,
        kept: ResolvedClient,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<()> {
        // No event is earlier than its client; events can lie a day ahead.
        let first = local_day(gone.created_at.min(kept.created_at), zone);
        let (first, last) = (add_days(first, -1), add_days(local_day(now, zone), 2));
        self.gather_activity().await?;
        let moved = self.client_instants(gone.id, first, last).await?;
        self.move_events(gone.id, kept.id, &moved).await?;
        // Now, while it is known when they were.
        self.delete_events(gone.id, &moved).await?;
        let days: BTreeSet<Date> = moved.iter().map(|at| local_day(*at, zone)).collect();
        for day in &days {
            self.roll_up_again((gone.id, kept.id), *day).await?;
        }
        self.total_again(kept.id, (first, last)).await?;
        self.move_records(gone.id, kept.id).await?;
        let earliest = days.first().map(|day| start_of_day(*day, zone));
        let organization = self.organization().await?;
        if let Some(earliest) = earliest {
            self.mark_stale(organization.scored_until, &[(kept.id, earliest)]).await?;
        }
        self.move_clients_back(&[(kept.id, gone.created_at)]).await?;
        self.delete_client(gone.id, now).await?;
        self.stands_otherwise(ClientRange::of(kept.id));
        Ok(())
    }

    /// Gives one client the events that another had at these instants; a message that both have counts
    /// once.
    async fn move_events(
        &mut self,
        gone: ClientId,
        kept: ClientId,
        instants: &BTreeSet<Timestamp>,
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let instants: Vec<Timestamp> = instants.iter().copied().collect();
        insert_rows!(
            self,
            "WITH wanted (organization_id, client_id, kept, occurred_at) AS (",
            &instants,
            ") INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
             message_id, client_timestamp, event_type, name, received_at, session_id, page_path, \
             duration_seconds, data) \
             SELECT e.organization_id, e.occurred_at, w.kept, e.message_id, e.client_timestamp, \
             e.event_type, e.name, e.received_at, e.session_id, e.page_path, e.duration_seconds, \
             e.data FROM wanted w CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id] ON CONFLICT DO NOTHING",
            |at| [organization, gone.uuid(), kept.uuid(), Instant(*at)]
        );
        for sql in [
            "INSERT INTO event_moves \
             (organization_id, client_timestamp, client_id, message_id) \
             SELECT organization_id, client_timestamp, $3, message_id \
             FROM event_moves WHERE organization_id = $1 AND client_id = $2 ON CONFLICT DO NOTHING",
            "INSERT INTO untimed_messages \
             (organization_id, day, client_id, message_id, received_at) \
             SELECT organization_id, day, $3, message_id, received_at \
             FROM untimed_messages WHERE organization_id = $1 AND client_id = $2 \
             ON CONFLICT DO NOTHING",
        ] {
            execute!(self, sql, organization, gone.uuid(), kept.uuid())?;
        }
        Ok(())
    }

    /// Counts the events of one local day again, of a client that was given another one's.
    async fn roll_up_again(&mut self, (gone, kept): (ClientId, ClientId), day: Date) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let mut instants = self.client_instants(gone, day, day).await?;
        instants.append(&mut self.client_instants(kept, day, day).await?);
        let instants: Vec<Timestamp> = instants.into_iter().collect();
        let events: Vec<(String, Instant)> = fetch_for_rows!(
            self,
            (String, Instant),
            "WITH wanted (organization_id, client_id, occurred_at) AS (",
            &instants,
            ") SELECT e.event_type, e.occurred_at FROM wanted w \
             CROSS JOIN [client_engagement_events e \
             WHERE e.organization_id = w.organization_id AND e.occurred_at = w.occurred_at \
             AND e.client_id = w.client_id]",
            |at| [organization, kept.uuid(), Instant(*at)]
        );
        for client in [gone, kept] {
            self.delete_day(client, day).await?;
        }
        let events = events
            .into_iter()
            .map(|(event_type, at)| ((day, kept, EventType::of_name(&event_type)), at.0));
        self.add_to_days(&rolled(events.collect())).await
    }

    /// Adds up a client's folded days again.
    async fn total_again(&mut self, client: ClientId, (first, _): (Date, Date)) -> Result<()> {
        let organization = self.organization().await?;
        let Some(folded_until) = organization.folded_until else { return Ok(()) };
        execute!(
            self,
            "DELETE FROM client_activity_totals WHERE organization_id = $1 AND client_id = $2",
            organization.id.uuid(),
            client.uuid()
        )?;
        let rows = fetch_day_by_day!(
            self,
            (Day, String, i64, Instant),
            concat!(
                "WITH RECURSIVE days (day) AS (SELECT CAST($3 AS DATE) WHERE $3 <= $4 UNION ALL \
                 SELECT day + 1 FROM days WHERE day < $4) \
                 SELECT a.day, a.event_type, a.event_count, a.last_at FROM ",
                activity_on_days!("a.client_id = $2")
            ),
            organization.id.uuid(),
            client.uuid(),
            Day(first),
            Day(folded_until)
        )?;
        let mut additions = Additions::default();
        for (day, event_type, count, last_at) in rows {
            additions.add(client, day.0, EventType::of_name(&event_type), count, last_at.0);
        }
        self.add_to_totals(&additions).await
    }

    /// Gives one client what was kept of another besides events and scores.
    async fn move_records(&mut self, gone: ClientId, kept: ClientId) -> Result<()> {
        for sql in [
            // Of what the other id told, only what is not known.
            "UPDATE clients SET \
             name = COALESCE(name, (SELECT g.name FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $2)), \
             email = COALESCE(email, (SELECT g.email FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $2)), \
             plan = COALESCE(plan, (SELECT g.plan FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $2)), \
             group_id = COALESCE(group_id, (SELECT g.group_id FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $2)), \
             owner_member_id = COALESCE(owner_member_id, (SELECT g.owner_member_id FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $2)) \
             WHERE organization_id = $1 AND id = $3",
            "INSERT INTO onboarding_tasks \
             (organization_id, client_id, id, title, status, created_at, updated_at) \
             SELECT organization_id, $3, id, title, status, created_at, updated_at \
             FROM onboarding_tasks WHERE organization_id = $1 AND client_id = $2",
            "INSERT INTO onboarding_task_changes \
             (organization_id, client_id, task_id, changed_at, status) \
             SELECT organization_id, $3, task_id, changed_at, status \
             FROM onboarding_task_changes WHERE organization_id = $1 AND client_id = $2",
            "INSERT INTO launch_kits (organization_id, client_id, viewed_at, completed_at) \
             SELECT organization_id, $3, viewed_at, completed_at \
             FROM launch_kits WHERE organization_id = $1 AND client_id = $2 \
             ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             viewed_at = COALESCE(launch_kits.viewed_at, excluded.viewed_at), \
             completed_at = COALESCE(launch_kits.completed_at, excluded.completed_at)",
            "INSERT INTO client_feedback \
             (organization_id, client_id, id, kind, rating, normalised, comment, given_at) \
             SELECT organization_id, $3, id, kind, rating, normalised, comment, given_at \
             FROM client_feedback WHERE organization_id = $1 AND client_id = $2",
            "INSERT INTO client_notes \
             (organization_id, client_id, id, member_id, text, created_at) \
             SELECT organization_id, $3, id, member_id, text, created_at \
             FROM client_notes WHERE organization_id = $1 AND client_id = $2",
            "UPDATE client_insights SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2 AND NOT EXISTS \
             (SELECT 1 FROM client_insights k WHERE k.organization_id = $1 AND k.client_id = $3 \
             AND k.period = client_insights.period AND k.rule = client_insights.rule)",
            // An open alert of a type of which the client has one already ends with the other id.
            "UPDATE client_momentum_alerts SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2 AND (ended_at IS NOT NULL OR NOT EXISTS \
             (SELECT 1 FROM client_momentum_alerts k WHERE k.organization_id = $1 \
             AND k.client_id = $3 AND k.alert_type = client_momentum_alerts.alert_type \
             AND k.ended_at IS NULL))",
            "UPDATE client_success_emails SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2 AND NOT EXISTS \
             (SELECT 1 FROM client_success_emails k WHERE k.organization_id = $1 \
             AND k.client_id = $3 AND k.email_type = client_success_emails.email_type \
             AND k.period = client_success_emails.period)",
            // Of whether it wants mails, what the client itself said counts.
            "INSERT INTO email_subscriptions \
             (organization_id, client_id, state, address, source, changed_at) \
             SELECT organization_id, $3, state, address, source, changed_at \
             FROM email_subscriptions WHERE organization_id = $1 AND client_id = $2 \
             ON CONFLICT (organization_id, client_id) DO NOTHING",
            "INSERT INTO email_consents \
             (organization_id, client_id, id, state, address, source, at) \
             SELECT organization_id, $3, id, state, address, source, at \
             FROM email_consents WHERE organization_id = $1 AND client_id = $2",
            "UPDATE staff_tasks SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE playbook_runs SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2 AND NOT EXISTS \
             (SELECT 1 FROM playbook_runs k WHERE k.organization_id = $1 AND k.client_id = $3 \
             AND k.playbook_id = playbook_runs.playbook_id AND k.day = playbook_runs.day)",
            "UPDATE client_aliases SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE account_users SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
        ] {
            execute!(self, sql, self.scope.organization_uuid(), gone.uuid(), kept.uuid())?;
        }
        Ok(())
    }
}
