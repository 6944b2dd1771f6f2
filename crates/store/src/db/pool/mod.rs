use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::time::timeout;

use crate::{
    Result, Scope, StoreError, Tx,
    db::{
        dialect::{Connection, timeout_error, with_answer_timeout},
        file::OpenFile,
        known_clients::{CacheUpdate, KnownClients},
        lock::LOCK_TIMEOUT,
        pooler::{POOLED_BY_TRANSACTION, changes_backends},
        privileges::check_privileges,
        secret::Keyring,
    },
};

/// How long a transaction waits for its turn on SQLite: for the one writer, or for another process to
/// finish with the file.
pub(crate) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long it waits for a connection to PostgreSQL. Whoever asks is better told to come again than kept
/// waiting for a server that is away.
const POSTGRES_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// What PostgreSQL may take to confirm that a connection is still there before the connection is closed.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough readers that a slow page does not hold up the others on a small machine.
const SQLITE_READERS: u32 = 8;
const POSTGRES_CONNECTIONS: u32 = 16;

/// An open database, either kind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pools: Pools,
    known: Arc<KnownClients>,
    /// The SQLite file that is open.
    file: Option<Arc<OpenFile>>,
    timeouts: Timeouts,
    pub(crate) keyring: Arc<Keyring>,
}

/// What a transaction may take before it is ended: a process that stopped, or a statement that nobody waits
/// for any more, must not keep others waiting. Whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// On PostgreSQL, a transaction that writes may do nothing for so long.
    pub idle_writing_seconds: u32,
    /// On PostgreSQL, one that only reads.
    pub idle_reading_seconds: u32,
    /// One statement on PostgreSQL.
    pub statement_seconds: u32,
    /// Storing a group of events on either database, its wait for whoever holds that included. Whoever
    /// stores them sees to it.
    pub storing_seconds: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle_writing_seconds: 30,
            idle_reading_seconds: 300,
            statement_seconds: 300,
            storing_seconds: 30,
        }
    }
}

impl Timeouts {
    fn postgres_settings(self, writes: bool) -> String {
        let Self { idle_writing_seconds, idle_reading_seconds, statement_seconds, .. } = self;
        let idle = if writes { idle_writing_seconds } else { idle_reading_seconds };
        let lock = if writes { LOCK_TIMEOUT } else { "0" };
        format!(
            "SET LOCAL idle_in_transaction_session_timeout = '{idle}s'; \
             SET LOCAL statement_timeout = '{statement_seconds}s'; SET LOCAL lock_timeout = '{lock}'"
        )
    }
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

    fn on(pools: Pools, file: Option<OpenFile>) -> Self {
        Self {
            pools,
            known: Arc::default(),
            file: file.map(Arc::new),
            timeouts: Timeouts::default(),
            keyring: Arc::default(),
        }
    }

    /// The same store with the keys that its secrets are encrypted with. Without this call they are
    /// stored as they are: [`Keyring::default`] holds no key.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring: Arc::new(keyring), ..self }
    }

    async fn open_sqlite(url: &str) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| bad_url(url, &error.to_string()))?
            // A mode in the URL says what to do about a missing file.
            .create_if_missing(!url.contains("mode="))
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            // A day's pages are written again with every batch: copying them from the log into the
            // file less often (every 64 MB instead of 4) copies each of them once for many batches.
            .pragma("wal_autocheckpoint", "16384")
            // In KiB when negative. Every commit walks through all of it, and every connection has one.
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "memory")
            // Overwrites what is deleted in a page with zeros, which costs no page more to write.
            .pragma("secure_delete", "fast")
            // Statements for many rows have a text for each number of rows and set of equal columns.
            .statement_cache_capacity(400);
        check_file(url, options.get_filename())?;
        if !url.contains("mode=") || url.contains("mode=rwc") {
            create_private(options.get_filename());
        }
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(SQLITE_BUSY_TIMEOUT)
            // A file does not hang up: to ask each time whether it is still there costs as long as a
            // statement.
            .test_before_acquire(false)
            // After "disk full", an I/O error or "out of memory" SQLite may have ended the transaction by
            // itself. The connection then believes to be in it for ever: it is replaced.
            .before_acquire(|connection, _| {
                let usable = !connection.is_in_transaction();
                if !usable {
                    tracing::warn!("a transaction could not be undone; its connection is replaced");
                }
                Box::pin(async move { Ok(usable) })
            });
        let writer = pool
            .clone()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|error| cannot_open(url, error))?;
        let file = OpenFile::new(options.get_filename());
        let readers = pool
            .max_connections(SQLITE_READERS)
            // A file that was deleted must not come back empty.
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "on"));
        Ok(Self::on(Pools::Sqlite { writer, readers }, Some(file)))
    }

    async fn open_postgres(url: &str, connections: u32) -> Result<Self> {
        let owner = PgConnectOptions::from_str(url)
            .map_err(|error| bad_url(url, &error.to_string()))?
            .application_name("mainstay");
        // One connection now, so that a wrong URL is told at once. Not by the pool: that tries again
        // for a minute, and forgets why.
        let mut connection =
            PgConnection::connect_with(&owner).await.map_err(|error| cannot_open(url, error))?;
        if changes_backends(&mut connection, &owner)
            .await
            .map_err(|error| cannot_open(url, error))?
        {
            return Err(bad_url(url, POOLED_BY_TRANSACTION));
        }
        if let Err(error) = become_application(&mut connection).await {
            // Whoever may not become it may lack more: all of it is said at once.
            check_privileges(&owner).await?;
            return Err(cannot_open(url, error));
        }
        connection.close().await?;
        let application = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(POSTGRES_ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(become_application(connection)))
            // The pool would wait for ever for a server that does not answer, and be one connection short.
            .after_release(|connection, _| {
                Box::pin(async move {
                    match timeout(RELEASE_TIMEOUT, connection.ping()).await {
                        Ok(answered) => answered.map(|()| true),
                        Err(_) => Err(timeout_error()),
                    }
                })
            })
            .connect_lazy_with(owner);
        Ok(Self::on(Pools::Postgres { application }, None))
    }

    /// The same store with other time limits for transactions.
    #[must_use]
    pub fn with_timeouts(&self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self.clone() }
    }

    /// The time limits of its transactions.
    pub const fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Starts a writing transaction.
    ///
    /// # Errors
    /// [`StoreError::MayNotWrite`] for a viewer; when the database cannot be reached, or its file is not
    /// the one that was opened.
    pub async fn begin(&self, scope: Scope) -> Result<Tx> {
        if !scope.may_write() {
            return Err(StoreError::MayNotWrite);
        }
        if let Some(file) = &self.file {
            file.check()?;
        }
        let connection = match &self.pools {
            // IMMEDIATE: take the write lock now rather than fail when a read turns into a write.
            Pools::Sqlite { writer, .. } => {
                Connection::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            // Whatever the server's default is: what is read after waiting for a lock must be what
            // its last holder left.
            Pools::Postgres { application } => Connection::Postgres(
                begin_postgres(
                    application,
                    "BEGIN ISOLATION LEVEL READ COMMITTED",
                    &[scope.postgres_settings(), self.timeouts.postgres_settings(true)],
                )
                .await?,
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
                    &[scope.postgres_settings(), self.timeouts.postgres_settings(false)],
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
            keyring: Arc::clone(&self.keyring),
            learned: CacheUpdate::default(),
            changed_standings: Vec::new(),
            organization: None,
        }
    }

    /// The file of a SQLite database.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                Some(writer.connect_options().get_filename().to_owned())
            }
            Pools::Postgres { .. } => None,
        }
    }

    /// The keys that secrets are encrypted with.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether this is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        matches!(self.pools, Pools::Postgres { .. })
    }

    /// Checks that the database can be written, without changing anything in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn check_writable(&self) -> Result<()> {
        let mut tx = self.begin(Scope::System).await?;
        let Connection::Sqlite(connection) = &mut tx.connection else {
            return tx.rollback().await;
        };
        // Whether the disk has room shows only where something is written: a number that nobody uses, as it
        // is.
        let number: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut **connection).await?;
        let same = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {number}"));
        sqlx::raw_sql(same).execute(&mut **connection).await?;
        tx.commit().await
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

/// Gives up the login role's rights for those of the role that owns nothing. Has the server notice within
/// a minute that this machine is gone, rather than after two hours: what it had locked is free then.
async fn become_application(connection: &mut PgConnection) -> sqlx::Result<()> {
    // Before the first migration there is no such role yet, and nothing to read.
    sqlx::raw_sql(
        "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; \
         DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'mainstay_app') \
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
    settings: &[String],
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
    let sql = format!("{begin}; {}", settings.join("; "));
    Ok(with_answer_timeout(pool.begin_with(sqlx::AssertSqlSafe(sql))).await?)
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

/// Creates a missing database file so that only its owner may read and write it, whatever the umask.
/// SQLite gives the mode of the file to its log and its index.
fn create_private(file: &Path) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whether it is there or cannot be created: opening it says so in better words.
    drop(options.open(file));
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
        StoreError::Database(error) | StoreError::Unavailable(error) => {
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
        self.flush_changes().await?;
        match self.connection {
            Connection::Sqlite(transaction) => transaction.commit().await?,
            Connection::Postgres(mut transaction) => {
                // After a failed statement PostgreSQL answers COMMIT with ROLLBACK and no error.
                // Ask first: then nothing that was undone can pass for done.
                with_answer_timeout(sqlx::raw_sql("SELECT 1").execute(&mut *transaction)).await?;
                with_answer_timeout(transaction.commit()).await?;
            }
        }
        self.known.insert(self.learned);
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
}

#[cfg(test)]
mod tests;
