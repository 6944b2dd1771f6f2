//! What is in the database, counted without Mainstay.

use std::collections::HashSet;

use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use crate::Result;

/// How many events there are, and how many different ids they have.
pub(crate) async fn count(database: &str) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM client_engagement_events";
    let (rows, ids): (i64, i64) = if database.starts_with("postgres") {
        sqlx::query_as(sql).fetch_one(&mut connect_bypassing_rls(database).await?).await?
    } else {
        let pool = sqlx::SqlitePool::connect(database).await?;
        sqlx::query_as(sql).fetch_one(&pool).await?
    };
    Ok((u64::try_from(rows)?, u64::try_from(ids)?))
}

/// The ids of all events.
pub(crate) async fn message_ids(database: &str) -> Result<HashSet<String>> {
    let sql = "SELECT message_id FROM client_engagement_events";
    let ids: Vec<String> = if database.starts_with("postgres") {
        let mut connection = connect_bypassing_rls(database).await?;
        sqlx::query(sql).fetch_all(&mut connection).await?.iter().map(|row| row.get(0)).collect()
    } else {
        let pool = sqlx::SqlitePool::connect(database).await?;
        sqlx::query(sql).fetch_all(&pool).await?.iter().map(|row| row.get(0)).collect()
    };
    Ok(ids.into_iter().collect())
}

/// A connection that row-level security shows every organization's rows.
async fn connect_bypassing_rls(database: &str) -> Result<PgConnection> {
    let options: PgConnectOptions = database.parse()?;
    Ok(PgConnection::connect_with(&options.options([("mainstay.role", "system")])).await?)
}
