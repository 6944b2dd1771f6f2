//! What a merge does with everything that is kept of a client besides its events, and how it is given
//! back: what lives on with the client that stays is remembered by its key, what does not is kept as it
//! was, column by column as SQL literals, so that it is restored whatever columns a table has.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay_core::id::{ClientId, MergeId};

use crate::{
    Merge, Result, StoreError, Tx,
    db::dialect::{
        Connection, Instant, columns_of, execute, fetch_all, fetch_one, fetch_optional,
        insert_rows, literal_of, row_of_literals,
    },
};

/// Tables whose rows are copied to the client that stays and keep their own key.
const COPIED: [(&str, &str); 4] = [
    ("onboarding_tasks", "id"),
    ("client_feedback", "id"),
    ("client_notes", "id"),
    ("email_consents", "id"),
];
/// Tables whose rows only change their client, and what they are known by.
const MOVED: [(&str, &str); 10] = [
    ("client_insights", "id"),
    ("client_momentum_alerts", "id"),
    ("client_success_emails", "id"),
    ("transactional_emails", "id"),
    ("staff_tasks", "id"),
    ("playbook_runs", "id"),
    ("client_aliases", "external_id"),
    ("memberships", "(person_id || '/' || since || '/' || message_id)"),
    (
        "person_events",
        "(person_id || '/' || occurred_at || '/' || message_id || '/' || client_timestamp)",
    ),
    ("anonymous_ids", "anonymous_id"),
];
/// Tables with one row a client, by the column that names it.
const SINGLE: [(&str, &str); 3] =
    [("clients", "id"), ("launch_kits", "client_id"), ("email_subscriptions", "client_id")];
/// The ids of the webhook messages that go with a client: those of its alerts, and about itself.
macro_rules! messages_about {
    () => {
        "(SELECT m.message_id FROM webhook_message_alerts m JOIN client_momentum_alerts a \
         ON a.organization_id = m.organization_id AND a.id = m.alert_id \
         WHERE m.organization_id = $1 AND a.client_id = $2 \
         UNION SELECT m.id FROM webhook_messages m JOIN clients c \
         ON c.organization_id = m.organization_id AND c.external_id = m.about_client \
         WHERE m.organization_id = $1 AND c.id = $2)"
    };
}

/// What goes with the id that is given up, after the rest was moved: each table, and which of its rows
/// are the client's (`$2`). Those that others refer to come first.
const DELETED: [(&str, &str); 16] = [
    ("clients", "t.id = $2"),
    ("launch_kits", "t.client_id = $2"),
    ("email_subscriptions", "t.client_id = $2"),
    ("client_insights", "t.client_id = $2"),
    ("client_momentum_alerts", "t.client_id = $2"),
    ("client_success_emails", "t.client_id = $2"),
    ("playbook_runs", "t.client_id = $2"),
    (
        "alert_actions",
        "t.alert_id IN (SELECT id FROM client_momentum_alerts \
         WHERE organization_id = $1 AND client_id = $2)",
    ),
    (
        "email_events",
        "t.email_id IN (SELECT id FROM client_success_emails \
         WHERE organization_id = $1 AND client_id = $2)",
    ),
    (
        "alert_news",
        "t.alert_id IN (SELECT id FROM client_momentum_alerts \
         WHERE organization_id = $1 AND client_id = $2)",
    ),
    ("webhook_messages", concat!("t.id IN ", messages_about!())),
    ("webhook_message_alerts", concat!("t.message_id IN ", messages_about!())),
    ("webhook_attempts", concat!("t.message_id IN ", messages_about!())),
    ("client_keys", "t.client_id = $2"),
    ("stale_scores", "t.client_id = $2"),
    (
        "client_success_scores",
        "t.client_id = $2 AND t.day IN (SELECT day FROM score_days WHERE organization_id = $1)",
    ),
];
/// Tables of [`DELETED`] whose rows are restored only while what they belong to is there, which others can
/// delete meanwhile: each with its column, and the table that it names a row of.
const BELONGING: [(&str, &str, &str); 4] = [
    ("webhook_messages", "endpoint_id", "webhook_endpoints"),
    ("webhook_message_alerts", "message_id", "webhook_messages"),
    ("webhook_message_alerts", "alert_id", "client_momentum_alerts"),
    ("webhook_attempts", "message_id", "webhook_messages"),
];
/// Rows that one statement restores.
const ROWS_RESTORED: usize = 50;

/// A row, each column as an SQL literal.
type Literals = BTreeMap<String, String>;

/// Reads a row that the database wrote as literals. One that cannot be read must not be left out: an undo
/// would lose it.
fn literals_of(row: &str) -> Result<Literals> {
    serde_json::from_str(row).map_err(|_| StoreError::Corrupt {
        table: "client_merge_rows",
        column: "content",
        // Not what it holds: that may be somebody's address.
        value: "a row that cannot be read".to_owned(),
    })
}

impl Tx {
    /// Gives one client what is kept of another besides events, and remembers how it was.
    pub(crate) async fn move_records(
        &mut self,
        merge: MergeId,
        (source, target): (ClientId, ClientId),
    ) -> Result<()> {
        for (table, key) in COPIED.into_iter().chain(MOVED) {
            self.remember_keys(merge, (table, key), source).await?;
        }
        for (table, column) in SINGLE {
            let before = self.literals(table, &format!("t.{column} = $2"), target).await?;
            self.archive(merge, (table, "before"), &before).await?;
        }
        let first_fact = self.first_fact(source).await?;
        self.move_profile(source, target).await?;
        self.give_records(source, target).await?;
        if let Some(first) = first_fact {
            // Tasks, feedback and the launch kit enter scores too.
            self.mark_stale(&[(target, first)]).await?;
        }
        for (table, rows_of) in DELETED {
            let rows = self.literals(table, rows_of, source).await?;
            self.archive(merge, (table, "deleted"), &rows).await?;
        }
        for (table, column) in SINGLE {
            let after = self.literals(table, &format!("t.{column} = $2"), target).await?;
            self.archive(merge, (table, "after"), &after).await?;
        }
        Ok(())
    }

    /// Gives everything back that a merge moved besides events. What was changed meanwhile stays changed,
    /// what was deleted stays deleted.
    pub(crate) async fn move_records_back(
        &mut self,
        merge: &Merge,
        (source, target): (ClientId, ClientId),
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        for (table, _) in &DELETED[..1] {
            self.restore(merge.id, table).await?;
        }
        for (table, key) in COPIED {
            self.copy_back((table, key), merge.id, (source, target)).await?;
        }
        for (table, key) in MOVED {
            let sql = format!(
                "UPDATE {table} SET client_id = $3 WHERE organization_id = $1 AND client_id = $2 \
                 AND {} IN ({})",
                literal_of(key, self.is_postgres()),
                keys_of(table, "$4")
            );
            let sql = sqlx::AssertSqlSafe(sql);
            execute!(self, sql, organization, target.uuid(), source.uuid(), merge.id.uuid())?;
        }
        for (table, _) in &DELETED[1..] {
            self.restore(merge.id, table).await?;
        }
        for (table, column) in SINGLE {
            self.undo_changes(merge.id, (table, column), target).await?;
        }
        // Since when it had existed is no change of the last step alone.
        execute!(
            self,
            "UPDATE clients SET created_at = (SELECT client_since FROM client_merges \
             WHERE organization_id = $1 AND id = $4) WHERE organization_id = $1 AND id = $2 \
             AND created_at = (SELECT g.created_at FROM clients g \
             WHERE g.organization_id = $1 AND g.id = $3) AND created_at < \
             (SELECT client_since FROM client_merges WHERE organization_id = $1 AND id = $4)",
            organization,
            target.uuid(),
            source.uuid(),
            merge.id.uuid()
        )?;
        if let Some(first) = self.first_fact(source).await? {
            self.mark_stale(&[(target, first), (source, first)]).await?;
        }
        // Who said since that it wants no mails meant both.
        execute!(
            self,
            "UPDATE email_subscriptions SET state = 'unsubscribed' \
             WHERE organization_id = $1 AND client_id = $2 AND EXISTS \
             (SELECT 1 FROM email_subscriptions k WHERE k.organization_id = $1 AND k.client_id = $3 \
             AND k.state = 'unsubscribed' AND k.changed_at > $4)",
            organization,
            source.uuid(),
            target.uuid(),
            Instant(merge.finished_at.unwrap_or(merge.requested_at))
        )?;
        Ok(())
    }

    /// Whether what a merge moved besides events was not moved back.
    pub(crate) async fn has_moved_records(&mut self, merge: MergeId) -> Result<bool> {
        let row = fetch_optional!(
            self,
            (i32,),
            "SELECT 1 FROM client_merge_rows WHERE organization_id = $1 AND merge_id = $2 LIMIT 1",
            self.scope.organization_uuid(),
            merge.uuid()
        )?;
        Ok(row.is_some())
    }

    /// Forgets what a merge moved besides events.
    pub(crate) async fn forget_records(&mut self, merge: MergeId) -> Result<()> {
        execute!(
            self,
            "DELETE FROM client_merge_rows WHERE organization_id = $1 AND merge_id = $2",
            self.scope.organization_uuid(),
            merge.uuid()
        )?;
        Ok(())
    }

    const fn is_postgres(&self) -> bool {
        matches!(self.connection, Connection::Postgres(_))
    }

    async fn remember_keys(
        &mut self,
        merge: MergeId,
        (table, key): (&str, &str),
        client: ClientId,
    ) -> Result<()> {
        let sql = format!(
            "INSERT INTO client_merge_rows (organization_id, merge_id, table_name, kind, row_key) \
             SELECT organization_id, $3, '{table}', 'moved', {} FROM {table} \
             WHERE organization_id = $1 AND client_id = $2 ON CONFLICT DO NOTHING",
            literal_of(key, self.is_postgres())
        );
        let organization = self.scope.organization_uuid();
        execute!(self, sqlx::AssertSqlSafe(sql), organization, client.uuid(), merge.uuid())?;
        Ok(())
    }

    /// The rows of a client in a table.
    async fn literals(
        &mut self,
        table: &str,
        rows_of: &str,
        client: ClientId,
    ) -> Result<Vec<Literals>> {
        let columns = self.columns(table).await?;
        let sql = format!(
            "SELECT {} FROM {table} t WHERE t.organization_id = $1 AND {rows_of}",
            row_of_literals(&columns, self.is_postgres())
        );
        let organization = self.scope.organization_uuid();
        let rows =
            fetch_all!(self, (String,), sqlx::AssertSqlSafe(sql), organization, client.uuid())?;
        rows.iter().map(|(row,)| literals_of(row)).collect()
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>> {
        let sql = columns_of(self.is_postgres());
        let columns = fetch_all!(self, (String,), sql, table)?;
        Ok(columns.into_iter().map(|(column,)| column).collect())
    }

    async fn archive(
        &mut self,
        merge: MergeId,
        (table, kind): (&str, &str),
        rows: &[Literals],
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let rows: Vec<(String, String)> = rows
            .iter()
            .enumerate()
            .map(|(number, row)| {
                (format!("{number:06}"), serde_json::to_string(row).unwrap_or_default())
            })
            .collect();
        insert_rows!(
            self,
            "INSERT INTO client_merge_rows \
             (organization_id, merge_id, table_name, kind, row_key, content)",
            &rows,
            "ON CONFLICT DO NOTHING",
            |row| [organization, merge.uuid(), table, kind, &row.0, &row.1]
        );
        Ok(())
    }

    async fn archived(
        &mut self,
        merge: MergeId,
        (table, kind): (&str, &str),
    ) -> Result<Vec<Literals>> {
        let rows = fetch_all!(
            self,
            (String,),
            "SELECT content FROM client_merge_rows WHERE organization_id = $1 AND merge_id = $2 \
             AND table_name = $3 AND kind = $4 ORDER BY row_key",
            self.scope.organization_uuid(),
            merge.uuid(),
            table,
            kind
        )?;
        rows.iter().map(|(row,)| literals_of(row)).collect()
    }

    /// Puts rows of a table back that went with the id that was given up.
    async fn restore(&mut self, merge: MergeId, table: &str) -> Result<()> {
        if BELONGING.iter().any(|(belonging, ..)| *belonging == table) {
            return self.restore_belonging(merge, table).await;
        }
        for rows in self.archived(merge, (table, "deleted")).await?.chunks(ROWS_RESTORED) {
            let Some(first) = rows.first() else { continue };
            let columns: Vec<&str> = first.keys().map(String::as_str).collect();
            let values: Vec<String> = rows
                .iter()
                .map(|row| {
                    let row: Vec<&str> = row.values().map(String::as_str).collect();
                    format!("({})", row.join(", "))
                })
                .collect();
            let sql = format!(
                "INSERT INTO {table} ({}) VALUES {} ON CONFLICT DO NOTHING",
                columns.join(", "),
                values.join(", ")
            );
            // Literals that the database itself has written.
            execute!(self, sqlx::AssertSqlSafe(sql))?;
        }
        Ok(())
    }

    /// The same, row by row, for rows that belong to others which may be gone.
    async fn restore_belonging(&mut self, merge: MergeId, table: &str) -> Result<()> {
        let organization = self.scope.organization_uuid();
        for row in self.archived(merge, (table, "deleted")).await? {
            let columns: Vec<&str> = row.keys().map(String::as_str).collect();
            let values: Vec<&str> = row.values().map(String::as_str).collect();
            let there: Vec<String> = BELONGING
                .iter()
                .filter(|(belonging, ..)| *belonging == table)
                .filter_map(|(_, column, owner)| Some((owner, row.get(*column)?)))
                .map(|(owner, id)| {
                    format!(
                        "EXISTS (SELECT 1 FROM {owner} o WHERE o.organization_id = $1 AND o.id = {id})"
                    )
                })
                .collect();
            let sql = format!(
                "INSERT INTO {table} ({}) SELECT {} WHERE {} ON CONFLICT DO NOTHING",
                columns.join(", "),
                values.join(", "),
                there.join(" AND ")
            );
            execute!(self, sqlx::AssertSqlSafe(sql), organization)?;
        }
        Ok(())
    }

    /// Copies rows back as they are now, with those that depend on them, and takes them from the client
    /// that stayed.
    async fn copy_back(
        &mut self,
        (table, key): (&str, &str),
        merge: MergeId,
        (source, target): (ClientId, ClientId),
    ) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let postgres = self.is_postgres();
        let mut copies = vec![(table, key)];
        if table == "onboarding_tasks" {
            copies.push(("onboarding_task_changes", "task_id"));
        }
        for (copied, key) in copies {
            let columns = self.columns(copied).await?;
            let values: Vec<&str> = columns
                .iter()
                .map(|column| if column == "client_id" { "$3" } else { column.as_str() })
                .collect();
            let sql = format!(
                "INSERT INTO {copied} ({}) SELECT {} FROM {copied} WHERE organization_id = $1 \
                 AND client_id = $2 AND {} IN ({}) ON CONFLICT DO NOTHING",
                columns.join(", "),
                values.join(", "),
                literal_of(key, postgres),
                keys_of(table, "$4")
            );
            let sql = sqlx::AssertSqlSafe(sql);
            execute!(self, sql, organization, target.uuid(), source.uuid(), merge.uuid())?;
        }
        let sql = format!(
            "DELETE FROM {table} WHERE organization_id = $1 AND client_id = $2 \
             AND {} IN ({})",
            literal_of(key, postgres),
            keys_of(table, "$3")
        );
        let sql = sqlx::AssertSqlSafe(sql);
        execute!(self, sql, organization, target.uuid(), merge.uuid())?;
        Ok(())
    }

    /// Gives the row of the client that stayed its former values, where nobody has changed them since.
    async fn undo_changes(
        &mut self,
        merge: MergeId,
        (table, column): (&str, &str),
        target: ClientId,
    ) -> Result<()> {
        let now = self.literals(table, &format!("t.{column} = $2"), target).await?.pop();
        let before = self.archived(merge, (table, "before")).await?.pop();
        let after = self.archived(merge, (table, "after")).await?.pop();
        let (Some(now), Some(after)) = (now, after) else { return Ok(()) };
        let organization = self.scope.organization_uuid();
        let Some(before) = before else {
            if now == after {
                let sql =
                    format!("DELETE FROM {table} WHERE organization_id = $1 AND {column} = $2");
                execute!(self, sqlx::AssertSqlSafe(sql), organization, target.uuid())?;
            }
            return Ok(());
        };
        let changes: Vec<String> = before
            .iter()
            .filter(|(name, value)| after.get(*name) != Some(value))
            .filter(|(name, _)| now.get(*name) == after.get(*name))
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        if !changes.is_empty() {
            let sql = format!(
                "UPDATE {table} SET {} WHERE organization_id = $1 AND {column} = $2",
                changes.join(", ")
            );
            execute!(self, sqlx::AssertSqlSafe(sql), organization, target.uuid())?;
        }
        Ok(())
    }

    /// The earliest of what enters a client's scores beside its events.
    async fn first_fact(&mut self, client: ClientId) -> Result<Option<Timestamp>> {
        let (first,) = fetch_one!(
            self,
            (Option<Instant>,),
            "SELECT MIN(at) FROM (SELECT MIN(given_at) AS at FROM client_feedback \
             WHERE organization_id = $1 AND client_id = $2 \
             UNION ALL SELECT MIN(created_at) FROM onboarding_tasks \
             WHERE organization_id = $1 AND client_id = $2 \
             UNION ALL SELECT MIN(changed_at) FROM onboarding_task_changes \
             WHERE organization_id = $1 AND client_id = $2 \
             UNION ALL SELECT MIN(viewed_at) FROM launch_kits \
             WHERE organization_id = $1 AND client_id = $2 \
             UNION ALL SELECT MIN(completed_at) FROM launch_kits \
             WHERE organization_id = $1 AND client_id = $2) AS facts",
            self.scope.organization_uuid(),
            client.uuid()
        )?;
        Ok(first.map(|at| at.0))
    }

    /// Gives a client what was told of another, as if every message had told it of the one.
    async fn move_profile(&mut self, source: ClientId, target: ClientId) -> Result<()> {
        let (other, other_times) = self.locked_profile(source).await?.into_parts();
        let (mut profile, mut times) = self.locked_profile(target).await?.into_parts();
        profile.merge(&mut times, &other, &other_times);
        self.save_profile(target, &profile, &times).await?;
        execute!(
            self,
            "UPDATE clients SET told_at = CASE WHEN g.told_at < clients.told_at \
             OR clients.told_at IS NULL THEN g.told_at ELSE clients.told_at END, \
             owner_member_id = COALESCE(clients.owner_member_id, g.owner_member_id) \
             FROM clients g WHERE g.organization_id = $1 AND g.id = $2 \
             AND clients.organization_id = $1 AND clients.id = $3",
            self.scope.organization_uuid(),
            source.uuid(),
            target.uuid()
        )?;
        Ok(())
    }

    /// Gives one client what was kept of another besides events and scores.
    async fn give_records(&mut self, source: ClientId, target: ClientId) -> Result<()> {
        for sql in [
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
             viewed_at = CASE WHEN excluded.viewed_at < launch_kits.viewed_at \
             THEN excluded.viewed_at ELSE COALESCE(launch_kits.viewed_at, excluded.viewed_at) END, \
             completed_at = CASE WHEN excluded.completed_at < launch_kits.completed_at \
             THEN excluded.completed_at \
             ELSE COALESCE(launch_kits.completed_at, excluded.completed_at) END",
            "INSERT INTO client_feedback \
             (organization_id, client_id, id, kind, rating, normalised, comment, given_at, self_told) \
             SELECT organization_id, $3, id, kind, rating, normalised, comment, given_at, \
             self_told \
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
            // Both ids are one person, who has unsubscribed when either says so; else the latest word
            // counts.
            "INSERT INTO email_subscriptions \
             (organization_id, client_id, state, address, source, changed_at) \
             SELECT organization_id, $3, state, address, source, changed_at \
             FROM email_subscriptions WHERE organization_id = $1 AND client_id = $2 \
             ON CONFLICT (organization_id, client_id) DO UPDATE SET \
             state = excluded.state, address = excluded.address, source = excluded.source, \
             changed_at = excluded.changed_at \
             WHERE email_subscriptions.state <> 'unsubscribed' AND (excluded.state = 'unsubscribed' \
             OR excluded.changed_at > email_subscriptions.changed_at)",
            "INSERT INTO email_consents \
             (organization_id, client_id, id, state, address, source, at) \
             SELECT organization_id, $3, id, state, address, source, at \
             FROM email_consents WHERE organization_id = $1 AND client_id = $2",
            "UPDATE transactional_emails SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2",
            "UPDATE staff_tasks SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE playbook_runs SET client_id = $3 \
             WHERE organization_id = $1 AND client_id = $2 AND NOT EXISTS \
             (SELECT 1 FROM playbook_runs k WHERE k.organization_id = $1 AND k.client_id = $3 \
             AND k.playbook_id = playbook_runs.playbook_id AND k.day = playbook_runs.day)",
            "UPDATE client_aliases SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE memberships SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE person_events SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
            "UPDATE anonymous_ids SET client_id = $3 WHERE organization_id = $1 AND client_id = $2",
        ] {
            execute!(self, sql, self.scope.organization_uuid(), source.uuid(), target.uuid())?;
        }
        Ok(())
    }
}

/// A query for the keys of a table's rows that a merge, given as a parameter, moved.
fn keys_of(table: &str, merge: &str) -> String {
    format!(
        "SELECT row_key FROM client_merge_rows WHERE organization_id = $1 AND merge_id = {merge} \
         AND table_name = '{table}' AND kind = 'moved'"
    )
}
