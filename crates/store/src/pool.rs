use std::{str::FromStr as _, time::Duration};

use jiff::Timestamp;
use sqlx::{
    PgPool, SqlitePool,
    migrate::{Migrate as _, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::{NoContext, Uuid};

use crate::{Result, Scope, StoreError, Tx, dialect::Connection};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long a writer waits for another process to finish with the SQLite file.
const SQLITE_BUSY: Duration = Duration::from_mins(1);
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
    /// `application` runs as `mainstay_app`; `owner` is the login role, for migrations only.
    Postgres { application: PgPool, owner: Box<PgConnectOptions> },
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
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY)
            // Pages, in KiB when negative: holds the region that a day's batches write to.
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "memory");
        if options.get_filename().is_dir() {
            return Err(bad_url(url, "is a directory; name a file in it"));
        }
        let pool = SqlitePoolOptions::new().acquire_timeout(SQLITE_BUSY);
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
        let application = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(SQLITE_BUSY)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // Before the first migration there is no such role yet, and nothing to read.
                    sqlx::raw_sql(
                        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mainstay_app') \
                         THEN SET ROLE mainstay_app; END IF; END $$",
                    )
                    .execute(connection)
                    .await
                    .map(drop)
                })
            })
            .connect_lazy_with(owner.clone());
        // One connection now, so that a wrong URL is told at once.
        drop(application.acquire().await.map_err(|error| cannot_open(url, error))?);
        Ok(Self { pools: Pools::Postgres { application, owner: Box::new(owner) } })
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
            Pools::Postgres { application, .. } => {
                Connection::Postgres(begin_postgres(application, scope).await?)
            }
        };
        Ok(Tx { connection, scope })
    }

    /// Starts a transaction that only reads, beside any writer.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read(&self, scope: Scope) -> Result<Tx> {
        let connection = match &self.pools {
            Pools::Sqlite { readers, .. } => Connection::Sqlite(readers.begin().await?),
            Pools::Postgres { application, .. } => {
                let mut transaction = begin_postgres(application, scope).await?;
                // Several queries make one figure: they must see one state of the data.
                sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    .execute(&mut *transaction)
                    .await?;
                Connection::Postgres(transaction)
            }
        };
        Ok(Tx { connection, scope })
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
        self.check_known().await?;
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                SQLITE_MIGRATIONS.run(writer).await.map_err(migration_error)?;
            }
            Pools::Postgres { application, owner } => {
                let pool = owner_pool(owner).await?;
                POSTGRES_MIGRATIONS.run(&pool).await.map_err(migration_error)?;
                pool.close().await;
                // Connections from before the first migration do not have the application's role.
                while let Some(idle) = application.try_acquire() {
                    sqlx::Connection::close(idle.detach()).await?;
                }
            }
        }
        self.check_role().await
    }

    /// Undoes the newest migration, or everything down to (not including) `target`.
    ///
    /// # Errors
    /// When there is nothing to undo, or the database is newer than this version.
    pub async fn rollback(&self, target: Option<i64>) -> Result<Vec<i64>> {
        self.check_known().await?;
        let applied: Vec<i64> = self.applied().await?;
        let target = target.unwrap_or_else(|| applied.iter().rev().nth(1).copied().unwrap_or(0));
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                SQLITE_MIGRATIONS.undo(writer, target).await.map_err(migration_error)?;
            }
            Pools::Postgres { owner, .. } => {
                let pool = owner_pool(owner).await?;
                POSTGRES_MIGRATIONS.undo(&pool, target).await.map_err(migration_error)?;
                pool.close().await;
            }
        }
        Ok(applied.into_iter().filter(|version| *version > target).rev().collect())
    }

    /// Every migration this version knows, and whether the database has it.
    ///
    /// # Errors
    /// When the database cannot be read or is newer than this version.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>> {
        self.check_known().await?;
        let applied = self.applied().await?;
        Ok(self
            .known()
            .iter()
            .filter(|migration| migration.migration_type.is_up_migration())
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
        self.check_known().await?;
        let have = self.applied().await?.last().copied().unwrap_or(0);
        let need = self.known().iter().map(|migration| migration.version).max().unwrap_or(0);
        if have < need {
            return Err(StoreError::Older { have, need });
        }
        self.check_role().await
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When it gives none.
    pub async fn ping(&self) -> Result<()> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => sqlx::query("SELECT 1").execute(readers).await.map(drop)?,
            Pools::Postgres { application, .. } => {
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
            Pools::Postgres { application, .. } => application.close().await,
        }
    }

    const fn known(&self) -> &'static Migrator {
        match self.pools {
            Pools::Sqlite { .. } => &SQLITE_MIGRATIONS,
            Pools::Postgres { .. } => &POSTGRES_MIGRATIONS,
        }
    }

    /// Numbers of the migrations that ran, ascending; none when the database is new.
    async fn applied(&self) -> Result<Vec<i64>> {
        let table = "_sqlx_migrations";
        let applied = match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let mut connection = writer.acquire().await?;
                let known: Option<(i64,)> =
                    sqlx::query_as("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
                        .bind(table)
                        .fetch_optional(&mut *connection)
                        .await?;
                if known.is_none() {
                    return Ok(Vec::new());
                }
                connection.list_applied_migrations(table).await.map_err(migration_error)?
            }
            Pools::Postgres { owner, .. } => {
                let pool = owner_pool(owner).await?;
                let mut connection = pool.acquire().await?;
                let known: Option<(i32,)> =
                    sqlx::query_as("SELECT 1 FROM pg_tables WHERE tablename = $1")
                        .bind(table)
                        .fetch_optional(&mut *connection)
                        .await?;
                if known.is_none() {
                    return Ok(Vec::new());
                }
                connection.list_applied_migrations(table).await.map_err(migration_error)?
            }
        };
        let mut versions: Vec<i64> = applied.into_iter().map(|migration| migration.version).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    async fn check_known(&self) -> Result<()> {
        let unknown =
            self.applied().await?.into_iter().find(|version| !self.known().version_exists(*version));
        unknown.map_or(Ok(()), |version| Err(StoreError::Newer(version)))
    }

    async fn check_role(&self) -> Result<()> {
        let Pools::Postgres { application, .. } = &self.pools else { return Ok(()) };
        let (role, unsafe_role): (String, bool) = sqlx::query_as(
            "SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
        )
        .fetch_one(application)
        .await?;
        if unsafe_role { Err(StoreError::UnsafeRole(role)) } else { Ok(()) }
    }
}

async fn owner_pool(owner: &PgConnectOptions) -> Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(1).connect_with(owner.clone()).await?)
}

async fn begin_postgres(
    pool: &PgPool,
    scope: Scope,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(scope.postgres_settings())).execute(&mut *transaction).await?;
    Ok(transaction)
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::VersionMismatch(version) => StoreError::Edited(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
    }
}

fn bad_url(url: &str, reason: &str) -> StoreError {
    StoreError::Url { url: without_password(url), reason: reason.to_owned() }
}

fn cannot_open(url: &str, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::ReadOnly => StoreError::ReadOnly,
        other => bad_url(url, &format!("cannot be opened: {other}")),
    }
}

/// A URL that may be printed.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:…@{host}")
        }
        None => url.to_owned(),
    }
}

impl Tx {
    /// Makes everything the transaction did last. When this returns, it is on disk.
    ///
    /// # Errors
    /// When it could not be; then nothing of it happened.
    pub async fn commit(self) -> Result<()> {
        match self.connection {
            Connection::Sqlite(transaction) => transaction.commit().await?,
            Connection::Postgres(transaction) => transaction.commit().await?,
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

    /// Waits until no other transaction holds this lock of the organization; held until the end.
    /// SQLite has one writer anyway.
    pub(crate) async fn lock_organization(&mut self, lock: Lock) -> Result<()> {
        let organization = self.scope.organization_uuid();
        let Connection::Postgres(connection) = &mut self.connection else { return Ok(()) };
        let sql = match lock {
            Lock::StoreEvents => "SELECT pg_advisory_xact_lock_shared($1, $2)",
            Lock::SettleEvents | Lock::CheckHealth => "SELECT pg_advisory_xact_lock($1, $2)",
        };
        let class = if matches!(lock, Lock::CheckHealth) { 2 } else { 1 };
        // The random half of a UUIDv7. A collision makes two organizations wait for each other.
        let key = i32::from_be_bytes(organization.as_bytes()[12..].try_into().unwrap_or_default());
        sqlx::query(sql).bind(class).bind(key).execute(&mut **connection).await?;
        Ok(())
    }
}

/// What one transaction of an organization must not do while another one does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Storing events: many at a time.
    StoreEvents,
    /// Something that no event may be stored beside: filing a message whose duplicate may be under
    /// another day, folding, moving `scored_until`.
    SettleEvents,
    /// Checking health: one at a time, so that each transition happens once.
    CheckHealth,
}
