//! A fresh database for each test, of either kind.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::Deref,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::{Timestamp, civil::Date};
use mainstay_core::time::epoch_day;
use mainstay_store::Store;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Runs one test on both databases: `on_both_databases!(a_sentence, async |store| { … })`. The
/// PostgreSQL half is ignored unless it is asked for, so that plain `cargo test` needs no server and
/// says what it left out.
macro_rules! on_both_databases {
    ($sentence:ident, async |$store:ident| $body:block) => {
        async fn $sentence($store: &crate::harness::Database) $body

        mod $sentence {
            #[tokio::test]
            async fn sqlite() {
                let database = crate::harness::Database::sqlite().await;
                super::$sentence(&database).await;
                database.close().await;
            }

            #[tokio::test]
            #[ignore = "needs PostgreSQL: ./check starts one"]
            async fn postgres() {
                let database = crate::harness::Database::postgres().await;
                super::$sentence(&database).await;
                database.close().await;
            }
        }
    };
}

/// A migrated database of its own, with the store on it.
pub(crate) struct Database {
    store: Store,
    url: String,
    place: Place,
}

enum Place {
    Sqlite { _folder: TempDir },
    Postgres { name: String },
}

impl Deref for Database {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Database {
    /// A migrated SQLite file.
    pub(crate) async fn sqlite() -> Self {
        static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
        let template = TEMPLATE
            .get_or_init(async || {
                let folder = folder();
                let file = folder.path().join("template.db");
                let store = Store::open(&sqlite_url(&file)).await.unwrap();
                store.migrate().await.unwrap();
                store.close().await;
                fs::read(file).unwrap()
            })
            .await;
        let folder = folder();
        let file = folder.path().join("mainstay.db");
        fs::write(&file, template).unwrap();
        Self::in_folder(folder, &file).await
    }

    /// A SQLite file without any migration.
    pub(crate) async fn empty_sqlite() -> Self {
        let folder = folder();
        let file = folder.path().join("mainstay.db");
        Self::in_folder(folder, &file).await
    }

    async fn in_folder(folder: TempDir, file: &Path) -> Self {
        let url = sqlite_url(file);
        let store = Store::open(&url).await.unwrap();
        Self { store, url, place: Place::Sqlite { _folder: folder } }
    }

    /// A migrated PostgreSQL database, copied from a template.
    pub(crate) async fn postgres() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(postgres_template).await;
        Self::created(&format!("TEMPLATE {template}")).await
    }

    /// A PostgreSQL database without any migration.
    pub(crate) async fn empty_postgres() -> Self {
        Self::created("").await
    }

    async fn created(options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay_test_{}_{number}", std::process::id());
        administer(&format!("CREATE DATABASE {name} {options}")).await;
        let url = postgres_url(&name);
        let store = Store::open(&url).await.unwrap();
        Self { store, url, place: Place::Postgres { name } }
    }

    /// Another store on the same database.
    pub(crate) async fn reopened(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Closes the store and removes the database.
    pub(crate) async fn close(self) {
        self.store.close().await;
        if let Place::Postgres { name } = &self.place {
            // Not WITH (FORCE): that may meet the server's own vacuum, which it has no right to end.
            let ours = "usename = current_user AND pid <> pg_backend_pid()";
            administer(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = '{name}' AND {ours}"
            ))
            .await;
            administer(&format!("DROP DATABASE {name}")).await;
        }
    }

    /// Runs SQL past the store, as nothing in the program can: to tamper, or to look.
    pub(crate) async fn raw(&self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.place {
            Place::Sqlite { .. } => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let done = connection.execute(sqlx::raw_sql(sql)).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
            Place::Postgres { .. } => {
                let mut connection = self.owner_connection().await;
                let done = connection.execute(sqlx::raw_sql(sql)).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
        }
    }

    /// The first column of a query's rows, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        let rows: Vec<(String,)> = match &self.place {
            Place::Sqlite { .. } => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
            Place::Postgres { .. } => {
                let mut connection = self.owner_connection().await;
                let rows = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows
            }
        };
        rows.into_iter().map(|(text,)| text).collect()
    }

    /// A query's one number.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let texts = self.texts(&format!("SELECT CAST(({sql}) AS TEXT)")).await;
        texts[0].parse().unwrap()
    }

    /// A connection as the login role, which row-level security binds too: in the system scope.
    pub(crate) async fn owner_connection(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        connection.execute("SET mainstay.role = 'system'").await.unwrap();
        connection
    }

    /// A connection as the role of the application, in no scope.
    pub(crate) async fn application_connection(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        connection.execute("SET ROLE mainstay_app").await.unwrap();
        connection
    }

    /// An id as it is written in this database's SQL.
    pub(crate) fn id(&self, id: Uuid) -> String {
        if self.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
    }

    /// A day as it is written in this database's SQL.
    pub(crate) fn day(&self, day: Date) -> String {
        if self.is_postgres() { format!("DATE '{day}'") } else { epoch_day(day).to_string() }
    }

    /// An instant as it is written in this database's SQL.
    pub(crate) fn instant(&self, at: Timestamp) -> String {
        if self.is_postgres() {
            format!("TIMESTAMPTZ '{at}'")
        } else {
            at.as_microsecond().to_string()
        }
    }

    /// Every row of a table that belongs to an organization, as text, in order.
    pub(crate) async fn rows_of(&self, table: &str, organization: Uuid) -> Vec<String> {
        let organization = self.id(organization);
        let key = if table == "organizations" { "id" } else { "organization_id" };
        if self.is_postgres() {
            let rows = format!(
                "SELECT CAST(to_jsonb(t) AS TEXT) FROM {table} t WHERE {key} = {organization} ORDER BY 1"
            );
            return self.texts(&rows).await;
        }
        let columns = format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')");
        let columns = self.texts(&columns).await.join(" || ' ' || ");
        let rows = format!("SELECT {columns} FROM {table} WHERE {key} = {organization} ORDER BY 1");
        self.texts(&rows).await
    }
}

/// A folder in memory where there is one: these tests are not about the disk's speed.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::Builder::new().prefix("mainstay-store-").tempdir_in(parent).unwrap()
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// The URL of a database on the server of the tests.
pub(crate) fn postgres_url(name: &str) -> String {
    let url = std::env::var("MAINSTAY_TEST_POSTGRES_URL").expect(
        "no MAINSTAY_TEST_POSTGRES_URL: run `scripts/with-postgres cargo test -p mainstay-store -- \
         --include-ignored`",
    );
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

/// Runs a statement beside all databases.
async fn administer(sql: &str) {
    let mut connection = PgConnection::connect(&postgres_url("postgres")).await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// The name of a migrated database to copy. It stays for later runs on the same server, and is named
/// after the migrations, so that it is never an old one.
async fn postgres_template() -> String {
    let mut hasher = DefaultHasher::new();
    for file in migration_files() {
        fs::read(file).unwrap().hash(&mut hasher);
    }
    let name = format!("mainstay_template_{:016x}", hasher.finish());
    let mut connection = PgConnection::connect(&postgres_url("postgres")).await.unwrap();
    // Other test processes may want the same one. The lock goes with the connection.
    connection.execute("SELECT pg_advisory_lock(7016)").await.unwrap();
    let found: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut connection)
        .await
        .unwrap();
    if found.is_none() {
        // Under another name until it is done, should this be stopped half-way.
        let unfinished = format!("{name}_unfinished");
        for sql in [
            format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
            format!("CREATE DATABASE {unfinished}"),
        ] {
            connection.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        let store = Store::open(&postgres_url(&unfinished)).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        let finish = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
        connection.execute(AssertSqlSafe(finish)).await.unwrap();
    }
    connection.close().await.unwrap();
    name
}

/// PostgreSQL's migrations, in order.
fn migration_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
