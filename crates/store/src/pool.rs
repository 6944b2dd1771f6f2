use std::{path::Path, str::FromStr as _, time::Duration};

use jiff::Timestamp;
use sqlx::{
    Connection as _, PgConnection, PgPool, SqlitePool,
    migrate::{AppliedMigration, Migrate as _, MigrateError, Migration, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::{NoContext, Uuid};

use crate::{Result, Scope, StoreError, Tx, dialect::Connection};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a transaction waits for its turn: for a connection, or for another process to finish
/// with the SQLite file.
const PATIENCE: Duration = Duration::from_mins(1);
/// The table in which sqlx keeps which migrations ran.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";
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
    pools: Pools,
}

#[derive(Clone, Debug)]
enum Pools {
    /// SQLite has one writer at a time: a pool of one queues writers here, in order, instead of
    /// letting them collide in the file. Readers run beside it (WAL).
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    /// Connections that run as `mainstay_app`. The login role's own rights are for migrations only.
    Postgres { application: PgPool },
}

/// One migration and whether it ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub description: String,
    /// Whether the database has it.
    pub applied: bool,
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
            // Pages, in KiB when negative: holds the region that a day's batches write to.
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory");
        check_file(url, options.get_filename())?;
        let pool = SqlitePoolOptions::new().acquire_timeout(PATIENCE);
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| cannot_open(url, error))?;
        let readers = pool
            .max_connections(SQLITE_READERS)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self { pools: Pools::Sqlite { writer, readers } })
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
        Ok(Self { pools: Pools::Postgres { application } })
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
        Ok(Tx { connection, scope, writes: true })
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
        Ok(Tx { connection, scope, writes: false })
    }

    /// Whether this is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.pools, Pools::Postgres { .. })
    }

    /// Brings the schema to this version's.
    ///
    /// # Errors
    /// When the database is newer than this version, or was edited.
    pub async fn migrate(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                // Nothing keeps two processes from migrating one file at the same time. Each
                // migration is a transaction, so the slower one fails where the other one was
                // first, and goes on from there.
                let mut applied = self.applied().await?.len();
                while let Err(error) = SQLITE_MIGRATIONS.run(writer).await {
                    let now_applied = self.applied().await?.len();
                    if now_applied == applied {
                        return Err(migration_error(error));
                    }
                    applied = now_applied;
                }
            }
            Pools::Postgres { application } => {
                self.applied().await?;
                let pool = owner_pool(application);
                POSTGRES_MIGRATIONS.run(&pool).await.map_err(migration_error)?;
                pool.close().await;
                // Connections from before the first migration do not have the application's role.
                while let Some(idle) = application.try_acquire() {
                    idle.detach().close().await?;
                }
            }
        }
        self.check_role().await
    }

    /// Undoes the newest migration, or everything down to (not including) `target`. Answers what
    /// was undone, newest first; nothing when there is nothing to undo.
    ///
    /// # Errors
    /// When the database is newer than this version, or was edited.
    pub async fn rollback(&self, target: Option<i64>) -> Result<Vec<i64>> {
        let applied: Vec<i64> = self.applied().await?;
        let target = target.unwrap_or_else(|| applied.iter().rev().nth(1).copied().unwrap_or(0));
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                SQLITE_MIGRATIONS.undo(writer, target).await.map_err(migration_error)?;
            }
            Pools::Postgres { application } => {
                let pool = owner_pool(application);
                POSTGRES_MIGRATIONS.undo(&pool, target).await.map_err(migration_error)?;
                pool.close().await;
            }
        }
        Ok(applied.into_iter().filter(|version| *version > target).rev().collect())
    }

    /// Every migration this version knows, and whether the database has it.
    ///
    /// # Errors
    /// When the database cannot be read, is newer than this version, or was edited.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>> {
        let applied = self.applied().await?;
        Ok(self
            .known()
            .map(|migration| MigrationState {
                version: migration.version,
                description: migration.description.to_string(),
                applied: applied.contains(&migration.version),
            })
            .collect())
    }

    /// Checks that the schema is this version's and that row-level security holds: what must be true
    /// before anything is served.
    ///
    /// # Errors
    /// Saying what to do when it is not.
    pub async fn check_ready(&self) -> Result<()> {
        let applied = self.applied().await?;
        if self.known().any(|migration| !applied.contains(&migration.version)) {
            return Err(StoreError::Older {
                have: applied.last().copied().unwrap_or(0),
                need: self.known().map(|migration| migration.version).max().unwrap_or(0),
            });
        }
        self.check_role().await
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

    fn known(&self) -> impl Iterator<Item = &'static Migration> {
        let migrator = match self.pools {
            Pools::Sqlite { .. } => &SQLITE_MIGRATIONS,
            Pools::Postgres { .. } => &POSTGRES_MIGRATIONS,
        };
        migrator.iter().filter(|migration| migration.migration_type.is_up_migration())
    }

    /// Numbers of the migrations that ran, ascending, once each is known to be one of this version's;
    /// none when the database is new.
    async fn applied(&self) -> Result<Vec<i64>> {
        let mut applied = self.list_applied().await?;
        applied.sort_unstable_by_key(|migration| migration.version);
        let known = |version| self.known().find(|migration| migration.version == version);
        if let Some(unknown) = applied.iter().find(|ran| known(ran.version).is_none()) {
            return Err(StoreError::Newer(unknown.version));
        }
        let edited = |ran: &&AppliedMigration| {
            known(ran.version).is_none_or(|known| known.checksum != ran.checksum)
        };
        if let Some(edited) = applied.iter().find(edited) {
            return Err(StoreError::Edited(edited.version));
        }
        Ok(applied.into_iter().map(|migration| migration.version).collect())
    }

    async fn list_applied(&self) -> Result<Vec<AppliedMigration>> {
        match &self.pools {
            // Not the writer: whether this version may serve is also asked during a long import.
            Pools::Sqlite { readers, .. } => {
                let mut connection = readers.acquire().await?;
                let known: Option<(i64,)> = sqlx::query_as(
                    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
                )
                .bind(MIGRATIONS_TABLE)
                .fetch_optional(&mut *connection)
                .await?;
                if known.is_none() {
                    return Ok(Vec::new());
                }
                connection.list_applied_migrations(MIGRATIONS_TABLE).await.map_err(migration_error)
            }
            Pools::Postgres { application } => {
                let mut connection =
                    PgConnection::connect_with(&application.connect_options()).await?;
                let (known,): (bool,) = sqlx::query_as("SELECT to_regclass($1) IS NOT NULL")
                    .bind(MIGRATIONS_TABLE)
                    .fetch_one(&mut connection)
                    .await?;
                let applied = if known {
                    connection
                        .list_applied_migrations(MIGRATIONS_TABLE)
                        .await
                        .map_err(migration_error)?
                } else {
                    Vec::new()
                };
                connection.close().await?;
                Ok(applied)
            }
        }
    }

    async fn check_role(&self) -> Result<()> {
        let Pools::Postgres { application } = &self.pools else { return Ok(()) };
        let (role, unsafe_role): (String, bool) = sqlx::query_as(
            "SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_catalog.pg_roles \
             WHERE rolname = current_user",
        )
        .fetch_one(application)
        .await?;
        if unsafe_role { Err(StoreError::UnsafeRole(role)) } else { Ok(()) }
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

/// One connection as the owner. A pool, because a future that lends a connection to the migrator
/// could not be sent to another thread.
fn owner_pool(application: &PgPool) -> PgPool {
    let owner = PgConnectOptions::clone(&application.connect_options());
    PgPoolOptions::new().max_connections(1).connect_lazy_with(owner)
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

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::VersionMismatch(version) => StoreError::Edited(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
    }
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
    pub async fn commit(self) -> Result<()> {
        match self.connection {
            Connection::Sqlite(transaction) => transaction.commit().await?,
            Connection::Postgres(mut transaction) => {
                // After a failed statement PostgreSQL answers COMMIT with ROLLBACK and no error.
                // Ask first: then nothing that was undone can pass for done.
                sqlx::raw_sql("SELECT 1").execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
        }
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

    /// Waits until no other transaction holds a lock that excludes this one; held until the end.
    /// SQLite has one writer anyway.
    pub(crate) async fn lock_organization(&mut self, lock: Lock) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let sql = match lock {
            Lock::StoreEvents | Lock::KnowClients => "SELECT pg_advisory_xact_lock_shared($1, $2)",
            Lock::SettleEvents | Lock::CheckHealth | Lock::DeleteClients => {
                "SELECT pg_advisory_xact_lock($1, $2)"
            }
        };
        let class = match lock {
            Lock::StoreEvents | Lock::SettleEvents => 1,
            Lock::CheckHealth => 2,
            Lock::KnowClients | Lock::DeleteClients => 3,
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
    /// Checking health: one at a time, so that each transition happens once.
    CheckHealth,
    /// Storing something of clients by ids that were looked up: many at a time.
    KnowClients,
    /// Deleting a client: nobody may be about to store something of it, since not every table has a
    /// foreign key that would notice.
    DeleteClients,
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
