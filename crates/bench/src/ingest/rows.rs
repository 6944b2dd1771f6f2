//! What is in the database, counted without Mainstay.

use std::collections::HashSet;

use sqlx::Row as _;

use crate::Result;

/// How many events there are, and how many different ids they have.
pub(crate) async fn count(database: &str) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(*), COUNT(DISTINCT message_id) FROM client_engagement_events";
    let (rows, ids): (i64, i64) = if database.starts_with("postgres") {
        let pool = sqlx::PgPool::connect(database).await?;
        sqlx::query_as(sql).fetch_one(&pool).await?
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
        let pool = sqlx::PgPool::connect(database).await?;
        sqlx::query(sql).fetch_all(&pool).await?.iter().map(|row| row.get(0)).collect()
    } else {
        let pool = sqlx::SqlitePool::connect(database).await?;
        sqlx::query(sql).fetch_all(&pool).await?.iter().map(|row| row.get(0)).collect()
    };
    Ok(ids.into_iter().collect())
}
