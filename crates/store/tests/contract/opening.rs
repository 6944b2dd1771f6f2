//! Opening a database, and what is said when that does not work.

use mainstay_store::{Scope, Store, StoreError};

use crate::{
    fixtures::organization,
    harness::{Database, postgres_url},
};

/// What opening a URL answers, as people read it.
async fn refusal(url: &str) -> String {
    match Store::open(url).await {
        Err(error @ StoreError::Url { .. }) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_url_of_nothing_that_can_be_opened_says_what_to_write_instead() {
    for url in ["", "mainstay.db", "mysql://ada:secret@host/db", "sqlite", "/var/lib/mainstay.db"] {
        let told = refusal(url).await;
        assert!(told.contains("sqlite:PATH or postgres://"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_password_is_never_told() {
    for (url, shown) in [
        ("mysql://ada:secret@host/db", "mysql://ada:…@host/db"),
        ("mysql:ada:secret@host/db", "mysql:…@host/db"),
        ("ada:secret@host/db", "ada:…@host/db"),
        ("postgres://ada:s@secret@host:x/db", "postgres://ada:…@host:x/db"),
        ("postgres://ada:s/secret?@host:x/db", "postgres://ada:…@host:x/db"),
        ("postgres://host:x/db?user=ada&password=secret", "postgres://host:x/db?…"),
        ("postgres://ada@host:x/db?sslmode=require", "postgres://ada@host:x/db?sslmode=require"),
    ] {
        let told = refusal(url).await;
        assert!(!told.contains("secret"), "{told}");
        assert!(told.contains(shown), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_nobody_runs_is_told_at_once() {
    // Nothing listens on the port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let told = refusal(&format!("postgres://ada:secret@127.0.0.1:{port}/db")).await;
    assert!(told.contains("refused") && told.contains("check its host and port"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test]
async fn a_folder_is_no_database() {
    let folder = folder();
    let told = refusal(&format!("sqlite:{}", folder.path().display())).await;
    assert!(told.contains("is a directory; name a file in it"), "{told}");
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = folder();
    let missing = folder.path().join("no/such");
    let told = refusal(&format!("sqlite:{}/mainstay.db", missing.display())).await;
    assert!(told.contains(&format!("there is no folder {}", missing.display())), "{told}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = folder();
    let file = folder.path().join("letter.txt");
    let text = "Dear reader, ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let told = refusal(&format!("sqlite:{}", file.display())).await;
    assert!(told.contains("none of SQLite's"), "{told}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_database_that_would_be_forgotten_is_refused() {
    for url in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:x.db?mode=memory"] {
        let told = refusal(url).await;
        assert!(told.contains("would be forgotten"), "{told}");
    }
}

#[tokio::test]
async fn a_missing_file_is_created_unless_the_url_says_otherwise() {
    let folder = folder();
    let file = folder.path().join("mainstay.db");
    for mode in ["ro", "rw"] {
        let told = refusal(&format!("sqlite:{}?mode={mode}", file.display())).await;
        assert!(told.contains("unable to open database file"), "{told}");
        assert!(!file.exists());
    }
    for url in
        [format!("sqlite:{}", file.display()), format!("sqlite://{}?mode=rwc", file.display())]
    {
        let store = Store::open(&url).await.unwrap();
        assert!(!store.is_postgres());
        store.migrate().await.unwrap();
        store.close().await;
    }
    assert!(file.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_new_database_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = folder();
    let file = folder.path().join("mainstay.db");
    let store = Store::open(&format!("sqlite:{}", file.display())).await.unwrap();
    store.migrate().await.unwrap();
    assert_eq!(store.file().as_deref(), Some(file.as_path()));
    // With the log and its index, which are there while it is open.
    let mut modes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        modes.push((entry.file_name(), entry.metadata().unwrap().permissions().mode() & 0o777));
    }
    assert_eq!(modes.len(), 3, "{modes:?}");
    assert!(modes.iter().all(|(_, mode)| *mode == 0o600), "{modes:?}");
    store.close().await;
}

#[tokio::test]
async fn a_read_only_file_can_be_read_and_says_so_when_it_is_written() {
    let database = Database::sqlite().await;
    let ours = organization(&database, "UTC").await;
    let store = Store::open(&format!("{}?mode=ro", database.url())).await.unwrap();
    store.check_ready().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().id, ours);
    drop(tx);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let written = tx.advance_health_checked_until(crate::fixtures::now()).await;
    assert!(matches!(written, Err(StoreError::ReadOnly)), "{written:?}");
    drop(tx);
    store.close().await;
    database.close().await;
}

#[tokio::test]
async fn a_read_only_file_is_not_migrated() {
    let database = Database::empty_sqlite().await;
    let store = Store::open(&format!("{}?mode=ro", database.url())).await.unwrap();
    let migrated = store.migrate().await;
    assert!(matches!(migrated, Err(StoreError::ReadOnly)), "{migrated:?}");
    store.close().await;
    database.close().await;
}

#[tokio::test]
async fn an_unknown_parameter_is_named() {
    let told = refusal("sqlite:x.db?colour=red").await;
    assert!(told.contains("colour"), "{told}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_wrong_password_user_or_database_is_told_without_the_password() {
    let url = postgres_url("postgres");
    let (credentials, host) = url.rsplit_once('@').unwrap();
    let server = host.split('/').next().unwrap();
    let told = refusal(&format!("postgres://nobody:secret@{server}/postgres")).await;
    assert!(told.contains("nobody") && told.contains("check user and password"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    let told = refusal(&format!("{credentials}@{server}/no_such_database")).await;
    assert!(told.contains("createdb"), "{told}");
    let password = credentials.rsplit_once(':').unwrap().1;
    assert!(!told.contains(password), "{told}");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_read_only_server_says_so_when_it_is_written() {
    let database = Database::postgres().await;
    let ours = organization(&database, "UTC").await;
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url());
    let store = Store::open(&url).await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let written = tx.advance_health_checked_until(crate::fixtures::now()).await;
    assert!(matches!(written, Err(StoreError::ReadOnly)), "{written:?}");
    drop(tx);
    store.close().await;
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_user_that_may_not_become_the_application_is_told_what_to_grant() {
    let database = Database::postgres().await;
    let user = format!("stranger_{}", std::process::id());
    database.raw(&format!("CREATE ROLE {user} LOGIN PASSWORD 'secret'")).await;
    let server = database.url().rsplit_once('@').unwrap().1;
    let refused = Store::open(&format!("postgres://{user}:secret@{server}")).await.unwrap_err();
    let StoreError::Privileges { role, statements } = &refused else { panic!("{refused:?}") };
    assert_eq!((role, statements), (&user, &format!("GRANT mainstay_app TO {user}")));
    assert!(!refused.to_string().contains("secret"), "{refused}");
    database.raw(&format!("DROP ROLE {user}")).await;
    database.close().await;
}

/// A pooler before the server of the tests, in a folder of its own; ends with this.
struct Pooler {
    process: std::process::Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(mode: &str, url: &str) -> Self {
        use std::os::unix::fs::{PermissionsExt as _, chown};

        let (credentials, rest) =
            url.strip_prefix("postgres://").unwrap().rsplit_once('@').unwrap();
        let (user, password) = credentials.split_once(':').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let (host, server_port) = server.rsplit_once(':').unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let path = |file: &str| folder.path().join(file);
        std::fs::write(path("users"), format!("\"{user}\" \"{password}\"\n")).unwrap();
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n\
             auth_file = {}\npool_mode = {mode}\nignore_startup_parameters = extra_float_digits\n",
            path("users").display()
        );
        std::fs::write(path("settings"), settings).unwrap();
        let mut command = std::process::Command::new("pgbouncer");
        command.arg(path("settings")).stderr(std::process::Stdio::null());
        // It refuses to run as root.
        let nobody = 65_534;
        if std::fs::metadata("/proc/self")
            .is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0)
        {
            std::os::unix::process::CommandExt::uid(&mut command, nobody);
            for file in [folder.path().to_owned(), path("users"), path("settings")] {
                chown(&file, Some(nobody), None).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        let process =
            command.spawn().expect("pgbouncer is there; on Debian: apt-get install pgbouncer");
        let url = format!("postgres://{credentials}@127.0.0.1:{port}/{name}");
        Self { process, url, _folder: folder }
    }

    /// What opening a database through it answers, once it listens.
    async fn open(&self) -> Result<Store, StoreError> {
        loop {
            match Store::open(&self.url).await {
                Err(error) if error.to_string().contains("refused") => {
                    tokio::task::yield_now().await;
                }
                opened => return opened,
            }
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_pooler_that_lends_connections_for_a_transaction_is_refused_by_name() {
    let database = Database::postgres().await;
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::start(mode, database.url());
        let told = pooler.open().await.unwrap_err().to_string();
        for word in ["PgBouncer", "pool_mode=transaction", "pool_mode=session", "directly"] {
            assert!(told.contains(word), "{word} is not in {told}");
        }
    }
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_pooler_that_lends_connections_for_a_session_is_as_good_as_none() {
    let database = Database::postgres().await;
    let ours = organization(&database, "UTC").await;
    let pooler = Pooler::start("session", database.url());
    let store = pooler.open().await.unwrap();
    store.check_ready().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().id, ours);
    tx.rollback().await.unwrap();
    store.close().await;
    drop(pooler);
    database.close().await;
}
