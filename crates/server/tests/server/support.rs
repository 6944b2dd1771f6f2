//! A server on a real socket with two organizations, on either database, at a clock that stands.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use jiff::{Timestamp, ToSpan as _};
use mainstay::{
    Mainstay, ManualClock,
    access::{ClientClaims, sign_client_token},
    engagement::{EventWriter, Rates},
    http::{self, Limits},
    organization::CreateOrganization,
    site::Site,
};
use mainstay_core::id::{MemberId, OrganizationId};
use mainstay_store::{KeyKind, Role, Store, TENANT_TABLES};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

/// When every test begins: a Friday noon.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_777_636_800, 0);

/// Runs one test on both databases: `on_both_databases!(a_sentence, async |world| { … })`. The
/// PostgreSQL half is ignored unless it is asked for.
macro_rules! on_both_databases {
    ($sentence:ident, async |$world:ident| $body:block) => {
        async fn $sentence($world: &crate::support::World) $body

        mod $sentence {
            #[tokio::test]
            async fn sqlite() {
                let world = crate::support::World::sqlite().await;
                super::$sentence(&world).await;
                world.close().await;
            }

            #[tokio::test]
            #[ignore = "needs PostgreSQL: ./check starts one"]
            async fn postgres() {
                let world = crate::support::World::postgres().await;
                super::$sentence(&world).await;
                world.close().await;
            }
        }
    };
}

/// An organization with everything that opens a door to it.
pub(crate) struct Tenant {
    pub(crate) id: OrganizationId,
    pub(crate) slug: String,
    pub(crate) secret_key: String,
    pub(crate) write_key: String,
    pub(crate) token_secret: String,
    pub(crate) owner: String,
    pub(crate) admin: String,
    pub(crate) staff: String,
    /// The member whose token `staff` is.
    pub(crate) staff_id: MemberId,
}

impl Tenant {
    /// The token of one of its clients.
    fn client_until(&self, client_id: &str, exp: i64) -> String {
        let claims = ClientClaims { sub: client_id.to_owned(), aud: self.slug.clone(), exp };
        sign_client_token(&claims, &self.token_secret)
    }
}

/// A running server.
pub(crate) struct World {
    pub(crate) mainstay: Mainstay,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) writer: EventWriter,
    pub(crate) acme: Tenant,
    pub(crate) rival: Tenant,
    http: reqwest::Client,
    url: String,
    server: JoinHandle<()>,
    pub(crate) store: Store,
    place: Place,
}

enum Place {
    Sqlite { _folder: TempDir },
    Postgres { server: String, name: String },
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl TestResponse {
    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// The problem of an answer that must have this status; checks what every problem has.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        let problem = self.json(status);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:#?}");
        assert_eq!(problem["status"], status, "{self:#?}");
        let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        assert!(text("type").starts_with("urn:mainstay:problem:"), "{self:#?}");
        assert!(!text("title").is_empty() && !text("detail").is_empty(), "{self:#?}");
        problem
    }
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_at(|site| site).await
    }

    /// On SQLite, reached in some other way than where it listens.
    pub(crate) async fn sqlite_at(reached: impl FnOnce(Site) -> Site) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
        let store = Store::open(&url).await.unwrap();
        Self::on(store, Place::Sqlite { _folder: folder }, reached, Rates::default()).await
    }

    /// On SQLite, taking so many events a second.
    pub(crate) async fn sqlite_taking(rates: Rates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
        let store = Store::open(&url).await.unwrap();
        Self::on(store, Place::Sqlite { _folder: folder }, |site| site, rates).await
    }

    /// On SQLite, with limits of connections and streams.
    pub(crate) async fn sqlite_within(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
        let store = Store::open(&url).await.unwrap();
        let place = Place::Sqlite { _folder: folder };
        Self::serving(store, place, |site| site, Rates::default(), limits).await
    }

    /// On a new database of the server that `./check` starts.
    pub(crate) async fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("MAINSTAY_TEST_POSTGRES_URL")
            .expect("MAINSTAY_TEST_POSTGRES_URL is set: run scripts/with-postgres cargo test …");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay_api_{}_{number}", std::process::id());
        administer(&server, &format!("CREATE DATABASE {name}")).await;
        let (host, _) = server.rsplit_once('/').unwrap();
        let store = Store::open(&format!("{host}/{name}")).await.unwrap();
        Self::on(store, Place::Postgres { server, name }, |site| site, Rates::default()).await
    }

    async fn on(
        store: Store,
        place: Place,
        reached: impl FnOnce(Site) -> Site,
        rates: Rates,
    ) -> Self {
        Self::serving(store, place, reached, rates, Limits::default()).await
    }

    async fn serving(
        store: Store,
        place: Place,
        reached: impl FnOnce(Site) -> Site,
        rates: Rates,
        limits: Limits,
    ) -> Self {
        store.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::new(NOW));
        let mainstay = Mainstay::new(store.clone(), clock.clone());
        let acme = tenant(&mainstay, "acme").await;
        let rival = tenant(&mainstay, "rival").await;
        let (writer, _) = EventWriter::start(&mainstay, rates);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let site = reached(Site::local(address));
        let server =
            tokio::spawn(http::serve(listener, mainstay.clone(), writer.clone(), site, limits));
        let http = reqwest::Client::new();
        Self { mainstay, clock, writer, acme, rival, http, url, server, store, place }
    }

    /// Stops the server and removes the database.
    pub(crate) async fn close(self) {
        self.server.abort();
        self.store.close().await;
        if let Place::Postgres { server, name } = &self.place {
            drop_database(server, name).await;
        }
    }

    /// Closes the database below the running server, as when it fails.
    pub(crate) async fn lose_database(&self) {
        self.store.close().await;
    }

    /// Opens the database once more, as another process does.
    pub(crate) async fn reopened(&self) -> Store {
        let url = match &self.place {
            Place::Postgres { server, name } => {
                let (host, _) = server.rsplit_once('/').unwrap();
                format!("{host}/{name}")
            }
            Place::Sqlite { .. } => format!("sqlite:{}", self.store.file().unwrap().display()),
        };
        Store::open(&url).await.unwrap()
    }

    /// How many wait for a lock on the world's PostgreSQL.
    pub(crate) async fn waiting_for_locks(&self) -> i64 {
        let Place::Postgres { server, name } = &self.place else { panic!("only on PostgreSQL") };
        let mut connection = PgConnection::connect(server).await.unwrap();
        let count = "SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                     WHERE NOT l.granted AND a.datname = $1";
        let count = sqlx::query_scalar(count).bind(name).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count
    }

    /// Runs statements on the world's PostgreSQL as the owner of its tables.
    pub(crate) async fn run_as_owner(&self, sql: &str) {
        let Place::Postgres { server, name } = &self.place else { panic!("only on PostgreSQL") };
        let (host, _) = server.rsplit_once('/').unwrap();
        administer(&format!("{host}/{name}"), sql).await;
    }

    /// Adds a viewer to Acme. Returns its token.
    pub(crate) async fn viewer(&self) -> String {
        let acme = self.acme.id;
        let email = format!("{}@of-{}.example", Role::Viewer, self.acme.slug);
        self.mainstay.add_member(acme, &email, None, Role::Viewer).await.unwrap();
        self.mainstay.create_key(acme, KeyKind::Member, Some(&email)).await.unwrap().key
    }

    /// All rows that are stored, but for those that the server writes by itself.
    pub(crate) async fn everything(&self) -> Vec<String> {
        const BY_ITSELF: [&str; 8] = [
            "pending_activity",
            "daily_activity",
            "activity_parts",
            "client_activity_totals",
            "key_activity",
            "client_keys",
            "refused_events",
            "sessions",
        ];
        let tables = std::iter::once("organizations").chain(TENANT_TABLES);
        let tables = tables.filter(|table| !BY_ITSELF.contains(table));
        if let Place::Postgres { server, name } = &self.place {
            let (host, _) = server.rsplit_once('/').unwrap();
            let mut connection = PgConnection::connect(&format!("{host}/{name}")).await.unwrap();
            connection.execute("SET mainstay.role = 'system'").await.unwrap();
            let all = tables.map(|table| {
                format!("SELECT '{table} ' || CAST(to_jsonb(t) AS TEXT) AS line FROM {table} t")
            });
            let all = format!("{} ORDER BY line", all.collect::<Vec<_>>().join(" UNION ALL "));
            let rows = sqlx::query_scalar(AssertSqlSafe(all)).fetch_all(&mut connection).await;
            connection.close().await.unwrap();
            return rows.unwrap();
        }
        let url = format!("sqlite:{}", self.store.file().unwrap().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let mut rows: Vec<String> = Vec::new();
        for table in tables {
            let columns = format!(
                "SELECT group_concat('quote(' || name || ')', ' || '' '' || ') \
                 FROM pragma_table_info('{table}')"
            );
            let columns: String = sqlx::query_scalar(AssertSqlSafe(columns))
                .fetch_one(&mut connection)
                .await
                .unwrap();
            let lines =
                format!("SELECT '{table} ' || {columns} AS line FROM {table} ORDER BY line");
            let lines = sqlx::query_scalar(AssertSqlSafe(lines)).fetch_all(&mut connection).await;
            rows.extend::<Vec<String>>(lines.unwrap());
        }
        connection.close().await.unwrap();
        rows
    }

    /// Moves the clock by a second: what is made in the same millisecond has no order.
    pub(crate) fn tick(&self) {
        self.clock.set(self.mainstay.now().saturating_add(1.seconds()).unwrap());
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The token of a client of Acme's, good for an hour from now.
    pub(crate) fn client_token(&self, client_id: &str) -> String {
        self.acme.client_until(client_id, self.mainstay.now().as_second() + 3_600)
    }

    /// A request that is yet to be sent, for what the others cannot say.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Waits until it is kept with which keys the events came that were sent.
    pub(crate) async fn until_keys_are_kept(&self) {
        self.mainstay.flush_key_activity().await;
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> TestResponse {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        TestResponse { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> TestResponse {
        self.send(self.request("GET", path).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> TestResponse {
        self.send(self.request("POST", path).bearer_auth(token).json(&body)).await
    }

    pub(crate) async fn patch(&self, token: &str, path: &str, body: Value) -> TestResponse {
        self.send(self.request("PATCH", path).bearer_auth(token).json(&body)).await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> TestResponse {
        self.send(self.request("PUT", path).bearer_auth(token).json(&body)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> TestResponse {
        self.send(self.request("DELETE", path).bearer_auth(token)).await
    }

    /// Sends a body as it is, said to be JSON.
    pub(crate) async fn send_raw(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: impl Into<reqwest::Body>,
    ) -> TestResponse {
        let request = self.request(method, path).bearer_auth(token);
        self.send(request.header("content-type", "application/json").body(body)).await
    }

    /// Sends so many events of a client, one an hour, the last one an hour ago.
    pub(crate) async fn be_active(&self, client_id: &str, name: &str, events: i64) {
        let now = self.mainstay.now().as_second();
        let events: Vec<Value> = (1..=events)
            .map(|hours| {
                let at = Timestamp::from_second(now - hours * 3_600).unwrap();
                json!({
                    "client_id": client_id, "event": name, "timestamp": at,
                    "message_id": format!("{client_id}-{name}-{now}-{hours}"),
                })
            })
            .collect();
        let count = events.len();
        let taken =
            self.post(&self.acme.write_key, "/api/v1/events", events.into()).await.json(200);
        assert_eq!(taken, json!({"stored": count, "duplicates": 0, "refused": []}));
    }
}

async fn tenant(mainstay: &Mainstay, slug: &str) -> Tenant {
    let created = mainstay
        .create_organization(CreateOrganization {
            slug: slug.to_owned(),
            name: Some(format!("Studio of-{slug}")),
            time_zone: Some("Europe/Berlin".to_owned()),
            sample: false,
        })
        .await
        .unwrap();
    let id = created.organization.id;
    let mut tokens = Vec::new();
    let mut staff_id = None;
    for role in [Role::Owner, Role::Admin, Role::Staff] {
        let email = format!("{role}@of-{slug}.example");
        let member = mainstay.add_member(id, &email, None, role).await.unwrap();
        tokens.push(mainstay.create_key(id, KeyKind::Member, Some(&email)).await.unwrap().key);
        staff_id = Some(member.id);
    }
    let [owner, admin, staff] = tokens.try_into().unwrap();
    Tenant {
        id,
        slug: slug.to_owned(),
        secret_key: created.keys.secret_key,
        write_key: created.keys.write_key,
        token_secret: created.token_secret,
        owner,
        admin,
        staff,
        staff_id: staff_id.unwrap(),
    }
}

/// Removes a database, whoever of us is still connected to it.
pub(crate) async fn drop_database(server: &str, name: &str) {
    // Not WITH (FORCE): that may meet the server's own vacuum, which it has no right to end.
    let ours = "usename = current_user AND pid <> pg_backend_pid()";
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND {ours}"
    );
    administer(server, &end).await;
    administer(server, &format!("DROP DATABASE {name}")).await;
}

async fn administer(server: &str, sql: &str) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    connection.close().await.unwrap();
}
