//! Freeing SQLite's file of copies of what was deleted.

use sqlx::SqliteConnection;

use crate::{
    Result,
    db::pool::{Pools, SQLITE_BUSY_TIMEOUT, Store},
};

/// The largest SQLite file that is written anew, in bytes.
const MAX_VACUUM_BYTES: i64 = 64 * 1024 * 1024;
/// Free pages that are overwritten at a time: 16 MiB of the usual 4 KiB.
const SCRUBBED_PAGES: i64 = 4_096;

impl Store {
    /// Leaves no copy of what was deleted in SQLite's file and its log; false when readers were in the way
    /// and it has to be tried again. On PostgreSQL, dead rows go with its own VACUUM.
    ///
    /// A file of up to 64 MiB is written anew, in a fraction of a second. In a larger one every free page is
    /// overwritten; what was deleted in pages that are in use is overwritten with zeros at once, but
    /// where pages were split before that, an old copy may stay until `VACUUM`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn scrub(&self) -> Result<bool> {
        let Pools::Sqlite { writer, .. } = &self.pools else { return Ok(true) };
        let mut connection = writer.acquire().await?;
        let number = async |connection: &mut SqliteConnection, pragma: &'static str| {
            sqlx::query_as::<_, (i64,)>(pragma).fetch_one(connection).await.map(|(number,)| number)
        };
        let page_size = number(&mut connection, "PRAGMA page_size").await?;
        let pages = number(&mut connection, "PRAGMA page_count").await?;
        if pages * page_size <= MAX_VACUUM_BYTES {
            sqlx::query("VACUUM").execute(&mut *connection).await?;
        } else {
            let mut free = number(&mut connection, "PRAGMA freelist_count").await?;
            // Some are left when this was cut short.
            sqlx::raw_sql("DROP TABLE IF EXISTS free_pages; CREATE TABLE free_pages (zeros BLOB)")
                .execute(&mut *connection)
                .await?;
            while free > 0 {
                // Each a transaction, so that others write in between.
                let bytes = free.min(SCRUBBED_PAGES) * page_size;
                sqlx::query("INSERT INTO free_pages (zeros) VALUES (zeroblob($1))")
                    .bind(bytes)
                    .execute(&mut *connection)
                    .await?;
                drop(connection);
                connection = writer.acquire().await?;
                free -= SCRUBBED_PAGES;
            }
            sqlx::query("DROP TABLE free_pages").execute(&mut *connection).await?;
        }
        // Nobody who writes waits for a reader longer than this.
        sqlx::query("PRAGMA busy_timeout = 500").execute(&mut *connection).await?;
        let truncated: sqlx::Result<(i64, i64, i64)> =
            sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
        let busy_timeout = i64::try_from(SQLITE_BUSY_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        let busy_timeout = sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {busy_timeout}"));
        sqlx::query(busy_timeout).execute(&mut *connection).await?;
        Ok(truncated?.0 == 0)
    }
}
