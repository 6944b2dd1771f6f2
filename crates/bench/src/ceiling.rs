//! The ceiling: the database with the same driver, storing the same rows in transactions of the same
//! size into one bare table with the same key, and nothing else. No duplicates looked for, no
//! clients, no roll-up.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::{Result, figures::Stopwatch, generate::Events};

const ROWS: usize = 250;

fn insert(rows: usize, numbered: bool) -> String {
    let parameter = |number: usize| if numbered { format!("${number}") } else { "?".to_owned() };
    let row = |row: usize| {
        let parameters: Vec<String> = (row * 5 + 1..=row * 5 + 5).map(parameter).collect();
        format!("({})", parameters.join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO ceiling (at, client, message, kind, received_at) VALUES {}",
        rows.join(",")
    )
}

macro_rules! fill {
    ($connection:expr, $events:expr, $batch:expr, $numbered:expr) => {{
        let watch = Stopwatch::start();
        loop {
            let events = $events.batch($batch);
            if events.is_empty() {
                break;
            }
            let mut tx = $connection.begin().await?;
            let mut sorted: Vec<_> = events.iter().collect();
            sorted.sort_by(|a, b| {
                (a.occurred_at, &a.client_id, &a.message_id).cmp(&(
                    b.occurred_at,
                    &b.client_id,
                    &b.message_id,
                ))
            });
            for chunk in sorted.chunks(ROWS) {
                let mut query = sqlx::query(AssertSqlSafe(insert(chunk.len(), $numbered)));
                for event in chunk {
                    query = query
                        .bind(event.occurred_at.as_microsecond())
                        .bind(&event.client_id)
                        .bind(&event.message_id)
                        .bind(event.event_type.as_str())
                        .bind(event.received_at.as_microsecond());
                }
                query.execute(&mut *tx).await?;
            }
            tx.commit().await?;
        }
        watch.elapsed()
    }};
}

/// How long the bare table takes on SQLite.
pub(crate) async fn sqlite(
    path: &std::path::Path,
    mut events: Events,
    batch: usize,
) -> Result<Duration> {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .pragma("cache_size", "-65536");
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await?;
    sqlx::query(
        "CREATE TABLE ceiling (at INTEGER NOT NULL, client TEXT NOT NULL, message TEXT NOT NULL, \
         kind TEXT NOT NULL, received_at INTEGER NOT NULL, PRIMARY KEY (at, client, message)) \
         WITHOUT ROWID",
    )
    .execute(&mut connection)
    .await?;
    Ok(fill!(connection, events, batch, false))
}

/// How long the bare table takes on PostgreSQL, and whether its fsync is real.
pub(crate) async fn postgres(
    url: &str,
    mut events: Events,
    batch: usize,
) -> Result<(Duration, bool)> {
    let mut connection = sqlx::PgConnection::connect(url).await?;
    sqlx::query("DROP TABLE IF EXISTS ceiling").execute(&mut connection).await?;
    sqlx::query(
        "CREATE TABLE ceiling (at BIGINT NOT NULL, client TEXT NOT NULL, message TEXT NOT NULL, \
         kind TEXT NOT NULL, received_at BIGINT NOT NULL, PRIMARY KEY (at, client, message))",
    )
    .execute(&mut connection)
    .await?;
    let durable: String = sqlx::query("SHOW fsync").fetch_one(&mut connection).await?.get(0);
    let time = fill!(connection, events, batch, true);
    sqlx::query("DROP TABLE ceiling").execute(&mut connection).await?;
    Ok((time, durable == "on"))
}
