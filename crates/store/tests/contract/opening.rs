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

#[tokio::test]
async fn a_read_only_file_can_be_read_and_says_so_when_it_is_written() {
    let database = Database::sqlite().await;
    let ours = organization(&database, "UTC").await;
    let store = Store::open(&format!("{}?mode=ro", database.url())).await.unwrap();
    store.check_ready().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.organization().await.unwrap().id, ours);
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
    let told = refusal(&format!("postgres://{user}:secret@{server}")).await;
    assert!(told.contains("grant mainstay_app"), "{told}");
    assert!(!told.contains("secret"), "{told}");
    database.raw(&format!("DROP ROLE {user}")).await;
    database.close().await;
}
