use std::{path::Path, str::FromStr as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Connection as _, PgConnection, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::{NoContext, Uuid};

use crate::{
    Result, Scope, StoreError, Tx,
    dialect::Connection,
    known_clients::{KnownClients, Learned},
};

/// How long a transaction waits for its turn: for a connection, or for another process to finish
/// with the SQLite file.
const PATIENCE: Duration = Duration::from_mins(1);
/// Enough readers that a slow page does not hold up the others on a small machine.
const SQLITE_READERS: u32 = 8;
const POSTGRES_CONNECTIONS: u32 = 16;

/// A `UUIDv7` of the given instant, with randomness from the operating system.
pub fn new_id<Id: From<Uuid>>(now: Timestamp) -> Id {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanoseconds)).into()
}

/// An open database, either kind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pools: Pools,
    known: Arc<KnownClients>,
}

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// SQLite has one writer at a time: a pool of one queues writers here, in order, instead of
    /// letting them collide in the file. Readers run beside it (WAL).
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// Connections that run as `mainstay_app`. The login role's own rights are for migrations only.
    Postgres { application: PgPool },
}

impl Store {
    /// Opens `sqlite:path` (created when missing) or `postgres://…` without touching its schema.
    ///
    /// # Errors
    /// When the URL is none of these or the database cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, POSTGRES_CONNECTIONS).await
    }

    /// Like [`Store::open`], with at most so many PostgreSQL connections.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub async fn open_with(url: &str, connections: u32) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::open_postgres(url, connections).await
        } else if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else {
            Err(bad_url(url, "use sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"))
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| bad_url(url, &error.to_string()))?
            // A mode in the URL says what to do about a missing file.
            .create_if_missing(!url.contains("mode="))
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            // A day's pages are written again with every batch: copying them from the log into the
            // file less often (every 64 MB instead of 4) copies each of them once for many batches.
            .pragma("wal_autocheckpoint", "16384")
            // In KiB when negative. Every commit walks through all of it, and every connection has one.
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "memory")
            // Statements for many rows have a text for each number of rows and set of equal columns.
            .statement_cache_capacity(400);
        check_file(url, options.get_filename())?;
        // A file does not hang up: to ask each time whether it is still there costs as long as a statement.
        let pool = SqlitePoolOptions::new().acquire_timeout(PATIENCE).test_before_acquire(false);
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| cannot_open(url, error))?;
        let readers = pool
            .max_connections(SQLITE_READERS)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self { pools: Pools::Sqlite { writer, readers }, known: Arc::default() })
    }

    async fn open_postgres(url: &str, connections: u32) -> Result<Self> {
        let owner = PgConnectOptions::from_str(url)
            .map_err(|error| bad_url(url, &error.to_string()))?
            .application_name("mainstay");
        // One connection now, so that a wrong URL is told at once. Not by the pool: that tries again
        // for a minute, and forgets why.
        let mut connection =
            PgConnection::connect_with(&owner).await.map_err(|error| cannot_open(url, error))?;
        become_application(&mut connection).await.map_err(|error| cannot_open(url, error))?;
        connection.close().await?;
        let application = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| Box::pin(become_application(connection)))
            .connect_lazy_with(owner);
        Ok(Self { pools: Pools::Postgres { application }, known: Arc::default() })
    }

    /// Starts a writing transaction.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self, scope: Scope) -> Result<Tx> {
        let connection = match &self.pools {
            // IMMEDIATE: take the write lock now rather than fail when a read turns into a write.
            Pools::Sqlite { writer, .. } => {
                Connection::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            // Whatever the server's default is: what is read after waiting for a lock must be what
            // its last holder left.
            Pools::Postgres { application } => Connection::Postgres(
                begin_postgres(application, "BEGIN ISOLATION LEVEL READ COMMITTED", scope).await?,
            ),
        };
        Ok(self.transaction(connection, scope, true))
    }

    /// Starts a transaction that only reads, beside any writer.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read(&self, scope: Scope) -> Result<Tx> {
        let connection = match &self.pools {
            Pools::Sqlite { readers, .. } => Connection::Sqlite(readers.begin().await?),
            // Several queries make one figure: they must see one state of the data.
            Pools::Postgres { application } => Connection::Postgres(
                begin_postgres(
                    application,
                    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                    scope,
                )
                .await?,
            ),
        };
        Ok(self.transaction(connection, scope, false))
    }

    fn transaction(&self, connection: Connection, scope: Scope, writes: bool) -> Tx {
        Tx {
            connection,
            scope,
            writes,
            known: Arc::clone(&self.known),
            learned: Learned::default(),
            changed_standings: Vec::new(),
            organization: None,
        }
    }

    /// Whether this is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.pools, Pools::Postgres { .. })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it gives none.
    pub async fn ping(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                sqlx::query("SELECT 1").execute(readers).await.map(drop)?;
            }
            Pools::Postgres { application } => {
                sqlx::query("SELECT 1").execute(application).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// Closes every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { application } => application.close().await,
        }
    }
}

/// Gives up the login role's rights for those of the role that owns nothing.
async fn become_application(connection: &mut PgConnection) -> sqlx::Result<()> {
    // Before the first migration there is no such role yet, and nothing to read.
    sqlx::raw_sql(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mainstay_app') \
         THEN SET ROLE mainstay_app; END IF; END $$",
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Begins a transaction and tells PostgreSQL its scope, in one round trip.
async fn begin_postgres(
    pool: &PgPool,
    begin: &str,
    scope: Scope,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let sql = format!("{begin}; {}", scope.postgres_settings());
    Ok(pool.begin_with(sqlx::AssertSqlSafe(sql)).await?)
}

/// Checks what can be told of a SQLite file's name without opening it.
fn check_file(url: &str, file: &Path) -> Result<()> {
    // Each of these is a database of its own for every connection, gone when that is closed.
    let passing =
        file.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory");
    if passing {
        return Err(bad_url(
            url,
            "would be forgotten at the end; name a file, as in sqlite:mainstay.db",
        ));
    }
    if file.is_dir() {
        return Err(bad_url(url, "is a directory; name a file in it"));
    }
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(bad_url(
            url,
            &format!("there is no folder {}; create it, or name another file", folder.display()),
        )),
        _ => Ok(()),
    }
}

fn bad_url(url: &str, reason: &str) -> StoreError {
    StoreError::Url { url: without_password(url), reason: reason.to_owned() }
}

fn cannot_open(url: &str, error: sqlx::Error) -> StoreError {
    let advice = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => {
            "check its host and port, and that it runs"
        }
        sqlx::Error::Tls(_) => "check its certificate, or the URL's sslmode",
        sqlx::Error::Database(database) => match database.code().as_deref() {
            // SQLite: cannot open, not a database.
            Some("14") => "check that its folder may be written",
            Some("26") => "that file is none of SQLite's; name another one",
            // PostgreSQL: wrong password, no such role, no such database, not allowed (SET ROLE).
            Some("28P01" | "28000") => "check user and password",
            Some("3D000") => "create the database first, as in createdb NAME",
            Some("42501") => "grant mainstay_app to the user of the URL",
            _ => "see there for what to do",
        },
        _ => "see there for what to do",
    };
    match StoreError::from(error) {
        StoreError::ReadOnly => StoreError::ReadOnly,
        StoreError::Database(error) => {
            bad_url(url, &format!("cannot be opened: {error}; {advice}"))
        }
        other => bad_url(url, &format!("cannot be opened: {other}")),
    }
}

/// A URL that may be printed.
fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |end| end + 3);
    let (scheme, rest) = url.split_at(start);
    // The last @ and the first colon, because people forget to encode those in a password.
    let (user, host) = match rest.rsplit_once('@') {
        Some((credentials, host)) => match credentials.split_once(':') {
            Some((user, _)) => (format!("{user}:…@"), host),
            None => (format!("{credentials}@"), host),
        },
        None => (String::new(), rest),
    };
    let host = match host.split_once('?') {
        Some((host, parameters)) if parameters.contains("password") => format!("{host}?…"),
        _ => host.to_owned(),
    };
    format!("{scheme}{user}{host}")
}

impl Tx {
    /// Makes everything the transaction did last. When this returns, it is on disk.
    ///
    /// # Errors
    /// When it could not be; then nothing of it happened.
    pub async fn commit(mut self) -> Result<()> {
        self.tell_standings().await?;
        match self.connection {
            Connection::Sqlite(transaction) => transaction.commit().await?,
            Connection::Postgres(mut transaction) => {
                // After a failed statement PostgreSQL answers COMMIT with ROLLBACK and no error.
                // Ask first: then nothing that was undone can pass for done.
                sqlx::raw_sql("SELECT 1").execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
        }
        self.known.keep(self.learned);
        Ok(())
    }

    /// Undoes everything the transaction did.
    ///
    /// # Errors
    /// When the connection is gone; then nothing of it happened either.
    pub async fn rollback(self) -> Result<()> {
        match self.connection {
            Connection::Sqlite(transaction) => transaction.rollback().await?,
            Connection::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }

    /// Whether nobody else can write before this transaction ends: SQLite has one writer.
    pub(crate) const fn writes_alone(&self) -> bool {
        self.writes && matches!(self.connection, Connection::Sqlite(_))
    }

    /// Waits until no other transaction holds a lock that excludes this one; held until the end.
    /// SQLite has one writer anyway.
    pub(crate) async fn lock_organization(&mut self, lock: Lock) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let sql = match lock {
            Lock::StoreEvents | Lock::KnowClients => "SELECT pg_advisory_xact_lock_shared($1, $2)",
            Lock::SettleEvents
            | Lock::GatherActivity
            | Lock::CheckHealth
            | Lock::DeleteClients
            | Lock::TellStandings
            | Lock::ClaimRuns => "SELECT pg_advisory_xact_lock($1, $2)",
        };
        let class = match lock {
            Lock::StoreEvents | Lock::SettleEvents => 1,
            Lock::CheckHealth => 2,
            Lock::KnowClients | Lock::DeleteClients => 3,
            Lock::TellStandings => 4,
            Lock::ClaimRuns => 5,
            Lock::GatherActivity => 6,
        };
        // The random half of a UUIDv7. A collision makes two organizations wait for each other.
        let key = i32::from_be_bytes(organization.as_bytes()[12..].try_into().unwrap_or_default());
        sqlx::query(sql).bind(class).bind(key).execute(&mut **connection).await?;
        Ok(())
    }
}

/// What one transaction of an organization must not do while another one does it. A transaction that
/// takes several takes [`Lock::CheckHealth`] and those of clients first, those of events after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Storing events, or anything else that makes stored scores stale: many at a time.
    StoreEvents,
    /// Something that no event may be stored beside: filing a message whose duplicate may be under
    /// another day, folding, moving `scored_until`.
    SettleEvents,
    /// Gathering what is rolled up: one at a time, so that nothing is counted into a day's parts twice.
    /// Taken after those of events.
    GatherActivity,
    /// Checking health: one at a time, so that each transition happens once.
    CheckHealth,
    /// Storing something of clients by ids that were looked up: many at a time.
    KnowClients,
    /// Deleting a client: nobody may be about to store something of it, since not every table has a
    /// foreign key that would notice.
    DeleteClients,
    /// Claiming a run of a job: one at a time, so that an organization has one that is being done.
    /// Nothing else is locked beside it.
    ClaimRuns,
    /// Numbering what changed in the portfolio: one at a time, so that whoever knows one number knows
    /// all before it. Taken last of all.
    TellStandings,
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::{Pools, SQLITE_READERS, Store};

    #[tokio::test]
    async fn every_connection_to_sqlite_is_durable_and_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
        let store = Store::open(&url).await.unwrap();
        let Pools::Sqlite { writer, readers } = &store.pools else { unreachable!() };
        // All of them at once, so that none is asked twice.
        let mut connections = vec![(writer.acquire().await.unwrap(), 0)];
        for _ in 0..SQLITE_READERS {
            connections.push((readers.acquire().await.unwrap(), 1));
        }
        assert_eq!((writer.size(), readers.size()), (1, SQLITE_READERS));
        for (connection, query_only) in &mut connections {
            let mode =
                sqlx::query("PRAGMA journal_mode").fetch_one(&mut **connection).await.unwrap();
            assert_eq!(mode.get::<String, _>(0), "wal");
            // 2 is FULL: a commit is on disk before it is told.
            for (pragma, expected) in [
                ("PRAGMA synchronous", 2),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA query_only", *query_only),
                ("PRAGMA busy_timeout", 60_000),
            ] {
                let row = sqlx::query(pragma).fetch_one(&mut **connection).await.unwrap();
                assert_eq!(row.get::<i64, _>(0), expected, "{pragma}");
            }
        }
        drop(connections);
        store.close().await;
    }

    #[tokio::test]
    async fn sqlite_is_new_enough_to_keep_every_commit() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
        let store = Store::open(&url).await.unwrap();
        let Pools::Sqlite { readers, .. } = &store.pools else { unreachable!() };
        let row = sqlx::query("SELECT sqlite_version()").fetch_one(readers).await.unwrap();
        let version: Vec<u32> =
            row.get::<String, _>(0).split('.').map(|part| part.parse().unwrap()).collect();
        // Older ones have a race in WAL mode that can lose commits.
        assert!(version >= vec![3, 51, 3], "{version:?}");
        store.close().await;
    }
}
