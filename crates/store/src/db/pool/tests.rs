use std::fs;

use sqlx::{Row as _, SqlitePool};
use tempfile::TempDir;

use super::{Pools, SQLITE_READERS, Store};
use crate::{Scope, StoreError, db::dialect::Connection};

/// A database with one table, and its writer.
async fn sqlite() -> (TempDir, Store, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("mainstay.db").display());
    let store = Store::open(&url).await.unwrap();
    let Pools::Sqlite { writer, .. } = &store.pools else { unreachable!() };
    let writer = writer.clone();
    sqlx::query("CREATE TABLE rows (text TEXT)").execute(&writer).await.unwrap();
    (folder, store, writer)
}

/// Writes a row of so many bytes in a transaction of its own.
async fn write(store: &Store, bytes: i64) -> crate::Result<()> {
    let mut tx = store.begin(Scope::System).await?;
    let Connection::Sqlite(connection) = &mut tx.connection else { unreachable!() };
    let insert = sqlx::query("INSERT INTO rows VALUES (hex(zeroblob($1)))").bind(bytes);
    insert.execute(&mut **connection).await?;
    tx.commit().await
}

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
        let mode = sqlx::query("PRAGMA journal_mode").fetch_one(&mut **connection).await.unwrap();
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

#[tokio::test]
async fn a_full_disk_stops_writes_until_there_is_room_and_no_longer() {
    let (_folder, store, writer) = sqlite().await;
    for statement in ["PRAGMA max_page_count = 20", "PRAGMA cache_size = 1"] {
        sqlx::query(statement).fetch_optional(&writer).await.unwrap();
    }
    write(&store, 100).await.unwrap();
    let full = write(&store, 1_000_000).await.unwrap_err();
    assert!(matches!(full, StoreError::Unavailable(_)), "{full:?}");
    // The limit belongs to the connection: where that was replaced, there is room again.
    write(&store, 100).await.unwrap();
    store.check_writable().await.unwrap();
    let count = sqlx::query("SELECT COUNT(*) FROM rows").fetch_one(&writer).await.unwrap();
    assert_eq!(count.get::<i64, _>(0), 2, "what failed left nothing behind");
    store.close().await;
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_costs_its_connection_only() {
    let (_folder, store, _writer) = sqlite().await;
    let mut tx = store.begin(Scope::System).await.unwrap();
    let Connection::Sqlite(connection) = &mut tx.connection else { unreachable!() };
    // As after an I/O error: there is nothing left to undo.
    sqlx::query("ROLLBACK").execute(&mut **connection).await.unwrap();
    drop(tx);
    for _ in 0..3 {
        write(&store, 100).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn nothing_is_written_into_a_file_that_is_not_there_any_more() {
    let (folder, store, _writer) = sqlite().await;
    let path = folder.path().join("mainstay.db");
    let aside = folder.path().join("aside.db");
    fs::rename(&path, &aside).unwrap();
    let gone = write(&store, 100).await.unwrap_err();
    assert!(matches!(gone, StoreError::FileGone(_)), "{gone:?}");
    assert!(gone.to_string().contains(path.to_str().unwrap()), "{gone}");
    assert!(store.check_writable().await.is_err());
    // More readers than were open: none of them makes a new file.
    let mut reading = Vec::new();
    for _ in 0..SQLITE_READERS {
        reading.push(store.read(Scope::System).await);
    }
    assert!(!path.exists());
    drop(reading);
    // Another file of the same name is not the one that readers and writer have open.
    fs::copy(&aside, &path).unwrap();
    assert!(matches!(write(&store, 100).await, Err(StoreError::FileGone(_))));
    fs::rename(&aside, &path).unwrap();
    write(&store, 100).await.unwrap();
    store.close().await;
}
