//! Every difference between SQLite and PostgreSQL, and nothing else.
//!
//! One SQL text serves both: `$1` parameters, upserts and `RETURNING` work on either. What differs
//! is how a value is kept (the types below) and how a transaction starts (see [`crate::Store`]).

mod rows;
mod types;

pub(crate) use rows::{
    COLUMN_ROWS, columns_query, columns_sql, fetch_for_rows, fetch_packed_for_rows, for_statements,
    insert_new_rows, insert_rows, is_constant, some_varying, statement_chunks, statement_rows,
    values_query, values_sql,
};
pub(crate) use types::{Day, EARLIEST, Instant};

use std::{io, time::Duration};

use sqlx::{Postgres, Sqlite};
use tokio::time::timeout;
use uuid::Uuid;

/// One transaction on either database.
pub(crate) enum Connection {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Expands one statement for both databases and awaits it with the given `sqlx` method.
macro_rules! run {
    ($tx:expr, $method:ident, $build:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::db::dialect::Connection::Sqlite(connection) => {
                $build$(.bind($bind))*.$method(&mut **connection).await
            }
            $crate::db::dialect::Connection::Postgres(connection) => {
                $crate::db::dialect::with_answer_timeout($build$(.bind($bind))*.$method(&mut **connection)).await
            }
        }
    };
}

/// Every row of a query, as `$row`.
macro_rules! fetch_all {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::dialect::run!($tx, fetch_all, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// Every row of a query that looks at a table day by day, written as
/// `days CROSS JOIN [table t WHERE … t.day = days.day …]`.
///
/// SQLite steps through the days as it is told to. PostgreSQL would rather read all of a client's
/// history and throw most of it away, until it has statistics; there the brackets become a subquery
/// that it can only run once for each day.
macro_rules! fetch_day_by_day {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::db::dialect::Connection::Sqlite(connection) => {
                let sql = sqlx::AssertSqlSafe($crate::db::dialect::day_by_day($sql, false));
                sqlx::query_as::<_, $row>(sql)$(.bind($bind))*.fetch_all(&mut **connection).await
            }
            $crate::db::dialect::Connection::Postgres(connection) => {
                let sql = sqlx::AssertSqlSafe($crate::db::dialect::day_by_day($sql, true));
                let query = sqlx::query_as::<_, $row>(sql)$(.bind($bind))*;
                $crate::db::dialect::with_answer_timeout(query.fetch_all(&mut **connection)).await
            }
        }
        .map_err($crate::StoreError::from)
    };
}

/// Every row of a query that has thousands, which may look at a table day by day as above.
///
/// SQLite hands them over as one: each row would wake a thread, which costs more than finding it.
/// `$columns` says what it packs of each, in the order of `$row`'s fields: `hex(id)` of an id,
/// `json(column)` of JSON, else the column. In no particular order.
macro_rules! fetch_packed {
    ($tx:expr, $row:ty, $columns:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $tx.connection {
            $crate::db::dialect::Connection::Sqlite(connection) => {
                let sql = format!(
                    concat!("SELECT json_group_array(json_array(", $columns, ")) FROM ({})"),
                    $crate::db::dialect::day_by_day($sql, false)
                );
                sqlx::query_as::<_, (sqlx::types::Json<Vec<$row>>,)>(sqlx::AssertSqlSafe(sql))
                    $(.bind($bind))*.fetch_one(&mut **connection).await.map(|(rows,)| rows.0)
            }
            $crate::db::dialect::Connection::Postgres(connection) => {
                let sql = sqlx::AssertSqlSafe($crate::db::dialect::day_by_day($sql, true));
                let query = sqlx::query_as::<_, $row>(sql)$(.bind($bind))*;
                $crate::db::dialect::with_answer_timeout(query.fetch_all(&mut **connection)).await
            }
        }
        .map_err($crate::StoreError::from)
    };
}

/// The row of a query that may have none.
macro_rules! fetch_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::dialect::run!($tx, fetch_optional, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// The row of a query that always has one.
macro_rules! fetch_one {
    ($tx:expr, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::dialect::run!($tx, fetch_one, sqlx::query_as::<_, $row>($sql) $(, $bind)*)
            .map_err($crate::StoreError::from)
    };
}

/// Runs a statement and tells how many rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        // It may be the organization that this changes.
        $tx.organization = None;
        match &mut $tx.connection {
            $crate::db::dialect::Connection::Sqlite(connection) => sqlx::query($sql)
                $(.bind($bind))*.execute(&mut **connection).await.map(|done| done.rows_affected()),
            $crate::db::dialect::Connection::Postgres(connection) => {
                let query = sqlx::query($sql)$(.bind($bind))*;
                $crate::db::dialect::with_answer_timeout(query.execute(&mut **connection))
                    .await
                    .map(|done| done.rows_affected())
            }
        }
        .map_err($crate::StoreError::from)
    }};
}

/// Moves an organization's rows of a table into what they come to: `$sql` is an `INSERT` that sums
/// `{rows}` up.
///
/// PostgreSQL takes the rows out and sums the very same ones up in one statement, so that rows which
/// others add meanwhile stay for the next time. SQLite has no such statement, and nobody who could add
/// any between two.
macro_rules! move_rows {
    ($tx:expr, $table:literal, $sql:expr, $organization:expr $(,)?) => {{
        const DELETE: &str = concat!("DELETE FROM ", $table, " WHERE organization_id = $1");
        match &mut $tx.connection {
            $crate::db::dialect::Connection::Sqlite(connection) => {
                let sql = sqlx::AssertSqlSafe($sql.replace("{rows}", $table));
                sqlx::query(sql).bind($organization).execute(&mut **connection).await?;
                sqlx::query(DELETE).bind($organization).execute(&mut **connection).await?;
            }
            $crate::db::dialect::Connection::Postgres(connection) => {
                let sql = format!(
                    "WITH taken AS ({DELETE} RETURNING *) {}",
                    $sql.replace("{rows}", "taken")
                );
                let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind($organization);
                $crate::db::dialect::with_answer_timeout(query.execute(&mut **connection)).await?;
            }
        }
    }};
}

pub(crate) use {
    execute, fetch_all, fetch_day_by_day, fetch_one, fetch_optional, fetch_packed, move_rows, run,
};

/// What PostgreSQL may take for an answer: a little more than what it allows itself for a statement. A server
/// that is gone without a word answers never, and the operating system notices after hours.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(330);

/// Waits for PostgreSQL's answer, and not for ever. The connection is not used again after that.
///
/// # Errors
/// When none came, or the statement failed.
pub(crate) async fn with_answer_timeout<T>(
    statement: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    // Boxed: whoever waits would hold it twice.
    timeout(ANSWER_TIMEOUT, Box::pin(statement)).await.unwrap_or_else(|_| Err(timeout_error()))
}

/// PostgreSQL is silent.
pub(crate) fn timeout_error() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database did not answer in time"))
}

/// The text of a query that looks at a table day by day, for one of the databases.
pub(crate) fn day_by_day(sql: &str, postgres: bool) -> String {
    let mut whole = String::with_capacity(sql.len() + 100);
    let mut rest = sql;
    while let Some((before, (table, after))) =
        rest.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    {
        whole.push_str(before);
        if postgres {
            let name = table.split_whitespace().nth(1).unwrap_or_default();
            // OFFSET 0 keeps the planner from taking the subquery apart again.
            whole.extend(["LATERAL (SELECT * FROM ", table, " OFFSET 0) ", name]);
        } else {
            whole.push_str(table);
        }
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// Ids as a list of literals. Of ids only: they have no text that could end the literal.
pub(crate) fn id_list(ids: impl Iterator<Item = Uuid>, postgres: bool) -> String {
    let literal = |id: Uuid| {
        if postgres { format!("'{id}'::uuid") } else { format!("x'{}'", id.simple()) }
    };
    ids.map(literal).collect::<Vec<_>>().join(",")
}

/// An expression that writes a column as an SQL literal, which can stand in a statement again.
pub(crate) fn literal_of(column: &str, postgres: bool) -> String {
    if postgres {
        format!("quote_nullable(CAST({column} AS TEXT))")
    } else {
        format!("quote({column})")
    }
}

/// The names of a table's columns, in their order.
pub(crate) const fn columns_of(postgres: bool) -> &'static str {
    if postgres {
        "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
    } else {
        "SELECT name FROM pragma_table_info($1) ORDER BY cid"
    }
}

/// An expression that writes some columns of `t` as a JSON object of SQL literals.
pub(crate) fn row_of_literals(columns: &[String], postgres: bool) -> String {
    let pairs: Vec<String> = columns
        .iter()
        .map(|column| format!("'{column}', {}", literal_of(&format!("t.{column}"), postgres)))
        .collect();
    let pairs = pairs.join(", ");
    if postgres {
        format!("CAST(jsonb_build_object({pairs}) AS TEXT)")
    } else {
        format!("json_object({pairs})")
    }
}

/// The end of a statement that begins with `WITH wanted (organization_id, …) AS (`, whose columns are
/// called as those of the table: deletes the rows that have these values, each looked up by itself.
pub(crate) fn delete_keyed(table: &str, columns: &[&str], postgres: bool) -> String {
    if postgres {
        let equal: Vec<String> =
            columns.iter().map(|column| format!("t.{column} = w.{column}")).collect();
        format!(
            ") DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM wanted w \
             CROSS JOIN LATERAL (SELECT t.ctid FROM {table} t \
             WHERE t.organization_id = w.organization_id AND {} OFFSET 0) found))",
            equal.join(" AND ")
        )
    } else {
        let columns = columns.join(", ");
        format!(
            ") DELETE FROM {table} WHERE (organization_id, {columns}) IN \
             (SELECT organization_id, {columns} FROM wanted)"
        )
    }
}

/// The end of a statement that begins with `WITH wanted (organization_id, client_id, at) AS (`: deletes
/// what clients have of a table at these instants, by the column that tells the instant.
///
/// SQLite looks each of them up. PostgreSQL may rather read all of the organization's rows; so there the
/// rows are looked up one by one first, and deleted by where they lie.
pub(crate) fn delete_wanted(table: &str, column: &str, postgres: bool) -> String {
    if postgres {
        format!(
            ") DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM wanted w \
             CROSS JOIN LATERAL (SELECT t.ctid FROM {table} t \
             WHERE t.organization_id = w.organization_id AND t.{column} = w.at \
             AND t.client_id = w.client_id OFFSET 0) found))"
        )
    } else {
        format!(
            ") DELETE FROM {table} WHERE (organization_id, {column}, client_id) IN \
             (SELECT organization_id, at, client_id FROM wanted)"
        )
    }
}

/// The end of a statement that begins with `WITH wanted (organization_id, columns…) AS (`: deletes rows of a
/// table by their keys, of which these are the columns after the organization's.
///
/// As with [`delete_wanted`], PostgreSQL is made to look them up one by one.
pub(crate) fn delete_keys(table: &str, columns: &[&str], postgres: bool) -> String {
    let same = |column: &&str| format!("t.{column} = w.{column}");
    let same = columns.iter().map(same).collect::<Vec<_>>().join(" AND ");
    let columns = columns.join(", ");
    if postgres {
        format!(
            ") DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM wanted w \
             CROSS JOIN LATERAL (SELECT t.ctid FROM {table} t \
             WHERE t.organization_id = w.organization_id AND {same} OFFSET 0) found))"
        )
    } else {
        format!(
            ") DELETE FROM {table} WHERE (organization_id, {columns}) IN \
             (SELECT organization_id, {columns} FROM wanted)"
        )
    }
}

/// The name of every table that belongs to an organization: what row-level security must cover.
pub const TENANT_TABLES: [&str; 67] = [
    "organization_secrets",
    "members",
    "api_keys",
    "event_names",
    "score_models",
    "clients",
    "onboarding_tasks",
    "onboarding_task_changes",
    "launch_kits",
    "client_feedback",
    "client_engagement_events",
    "event_moves",
    "untimed_messages",
    "daily_activity",
    "activity_parts",
    "pending_activity",
    "client_activity_totals",
    "client_success_scores",
    "score_days",
    "stale_scores",
    "client_insights",
    "client_momentum_alerts",
    "alert_actions",
    "client_success_emails",
    "member_passwords",
    "sessions",
    "sign_in_links",
    "sign_in_failures",
    "client_lockouts",
    "allowed_sites",
    "client_notes",
    "portfolio_changes",
    "refused_events",
    "client_aliases",
    "related_profiles",
    "memberships",
    "person_events",
    "waiting_events",
    "anonymous_ids",
    "client_merges",
    "client_merge_events",
    "client_merge_rows",
    "data_silences",
    "key_activity",
    "client_keys",
    "key_silences",
    "job_schedules",
    "job_runs",
    "email_settings",
    "email_subscriptions",
    "email_consents",
    "email_suppressions",
    "email_events",
    "webhook_endpoints",
    "alert_news",
    "webhook_messages",
    "webhook_message_alerts",
    "webhook_attempts",
    "notification_settings",
    "staff_emails",
    "transactional_emails",
    "playbooks",
    "playbook_runs",
    "staff_tasks",
    "secret_keys",
    "erased_clients",
    "erasure_keys",
];
