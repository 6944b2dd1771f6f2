//! The schema: bringing it to this version's and back, and refusing one that is not.

use sqlx::{
    Connection as _, PgConnection, PgPool,
    migrate::{MigrateError, Migration, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    Result, StoreError,
    db::{
        pool::{Pools, Store},
        privileges::check_privileges,
    },
};

static SQLITE_MIGRATIONS: Migrator = sqlx_macros::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx_macros::migrate!("migrations/postgres");

/// The table in which sqlx keeps which migrations ran.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// A migration that ran, as the database remembers it.
#[derive(sqlx_macros::FromRow)]
struct AppliedMigration {
    version: i64,
    description: String,
    checksum: Vec<u8>,
}

const LIST_APPLIED: &str =
    "SELECT version, description, checksum FROM _sqlx_migrations ORDER BY version";

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
    /// Brings the schema to this version's.
    ///
    /// # Errors
    /// When the database is newer than this version, or was edited.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_with_progress(|_, _, _| {}).await
    }

    /// The same, telling of each migration before it runs: how many were done before it, which it is, and how
    /// many there are in all. Each is a transaction of its own, so that one that is interrupted is repeated
    /// and those before it are not.
    ///
    /// # Errors
    /// See [`Store::migrate`].
    pub async fn migrate_with_progress(
        &self,
        tell: impl Fn(usize, &MigrationState, usize),
    ) -> Result<()> {
        let migrations = self.migrations().await?;
        let owner = match &self.pools {
            Pools::Sqlite { .. } => None,
            Pools::Postgres { application } => {
                if migrations.iter().any(|migration| !migration.applied) {
                    check_privileges(&application.connect_options()).await?;
                }
                Some(owner_pool(application))
            }
        };
        for (done, migration) in migrations.iter().enumerate() {
            if migration.applied {
                continue;
            }
            tell(done, migration, migrations.len());
            match (&self.pools, &owner) {
                (Pools::Sqlite { writer, .. }, _) => {
                    // Nothing keeps two processes from migrating one file at the same time. Each
                    // migration is a transaction, so the slower one fails where the other one was
                    // first, and goes on from there.
                    let mut applied = self.applied_versions().await?.len();
                    while let Err(error) = SQLITE_MIGRATIONS.run_to(migration.version, writer).await
                    {
                        let now_applied = self.applied_versions().await?.len();
                        if now_applied == applied {
                            return Err(migration_error(error));
                        }
                        applied = now_applied;
                    }
                }
                (Pools::Postgres { .. }, Some(owner)) => {
                    let run = POSTGRES_MIGRATIONS.run_to(migration.version, owner).await;
                    run.map_err(migration_error)?;
                }
                (Pools::Postgres { .. }, None) => {}
            }
        }
        if let (Pools::Postgres { application }, Some(owner)) = (&self.pools, owner) {
            owner.close().await;
            // Connections from before the first migration do not have the application's role.
            while let Some(idle) = application.try_acquire() {
                idle.detach().close().await?;
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
        let applied: Vec<i64> = self.applied_versions().await?;
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
        let applied = self.applied_versions().await?;
        Ok(self
            .known_migrations()
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
        let applied = self.applied_versions().await?;
        if self.known_migrations().any(|migration| !applied.contains(&migration.version)) {
            return Err(StoreError::Older {
                have: applied.last().copied().unwrap_or(0),
                need: self.known_migrations().map(|migration| migration.version).max().unwrap_or(0),
            });
        }
        self.check_role().await
    }

    fn known_migrations(&self) -> impl Iterator<Item = &'static Migration> {
        let migrator = match self.pools {
            Pools::Sqlite { .. } => &SQLITE_MIGRATIONS,
            Pools::Postgres { .. } => &POSTGRES_MIGRATIONS,
        };
        migrator.iter().filter(|migration| migration.migration_type.is_up_migration())
    }

    /// Numbers of the migrations that ran, ascending, once each is known to be one of this version's;
    /// none when the database is new.
    async fn applied_versions(&self) -> Result<Vec<i64>> {
        let applied = self.list_applied().await?;
        let known =
            |version| self.known_migrations().find(|migration| migration.version == version);
        // Before the first release the schema was made in many steps, whose first had another name.
        let is_of_development = |first: &AppliedMigration| {
            known(first.version).is_some_and(|known| known.description != first.description)
        };
        if let (Some(first), Some(newest)) = (applied.first(), applied.last())
            && is_of_development(first)
        {
            return Err(StoreError::Development(newest.version));
        }
        if let Some(unknown) = applied.iter().find(|ran| known(ran.version).is_none()) {
            return Err(StoreError::Newer(unknown.version));
        }
        let edited = |ran: &&AppliedMigration| {
            known(ran.version).is_none_or(|known| *known.checksum != ran.checksum[..])
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
                Ok(sqlx::query_as(LIST_APPLIED).fetch_all(&mut *connection).await?)
            }
            Pools::Postgres { application } => {
                let mut connection =
                    PgConnection::connect_with(&application.connect_options()).await?;
                let (known,): (bool,) = sqlx::query_as("SELECT to_regclass($1) IS NOT NULL")
                    .bind(MIGRATIONS_TABLE)
                    .fetch_one(&mut connection)
                    .await?;
                let applied = if known {
                    sqlx::query_as(LIST_APPLIED).fetch_all(&mut connection).await?
                } else {
                    Vec::new()
                };
                connection.close().await?;
                Ok(applied)
            }
        }
    }

    /// Checks that row-level security binds whoever logs in, and whom queries run as. The former could
    /// take its own role back at any moment.
    async fn check_role(&self) -> Result<()> {
        let Pools::Postgres { application } = &self.pools else { return Ok(()) };
        let unbound: Option<(String,)> = sqlx::query_as(
            "SELECT rolname::text FROM pg_catalog.pg_roles WHERE (rolsuper OR rolbypassrls) \
             AND rolname IN (session_user, current_user) ORDER BY rolname = session_user DESC LIMIT 1",
        )
        .fetch_optional(application)
        .await?;
        unbound.map_or(Ok(()), |(role,)| Err(StoreError::UnsafeRole(role)))
    }
}

/// One connection as the owner. A pool, because a future that lends a connection to the migrator
/// could not be sent to another thread.
fn owner_pool(application: &PgPool) -> PgPool {
    let owner = PgConnectOptions::clone(&application.connect_options());
    PgPoolOptions::new().max_connections(1).connect_lazy_with(owner)
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::VersionMismatch(version) => StoreError::Edited(version),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
    }
}
