//! The schema: up, down, and what is said of one that is not this version's.

use std::sync::Arc;

use mainstay_store::{MigrationState, Scope, Store, StoreError};

use crate::{harness::Database, isolation::filled, organizations::everything};

/// Every migration there is.
const VERSIONS: [i64; 1] = [1];
const NEWEST: i64 = VERSIONS[VERSIONS.len() - 1];

fn count() -> i64 {
    i64::try_from(VERSIONS.len()).unwrap()
}

/// Those above one, newest first.
fn above(version: i64) -> Vec<i64> {
    VERSIONS.into_iter().rev().filter(|one| *one > version).collect()
}

/// Everything there is in the schema besides the list of migrations, as text.
async fn schema(database: &Database) -> Vec<String> {
    if !database.is_postgres() {
        return database
            .texts(
                "SELECT type || ' ' || name || ': ' || COALESCE(sql, '') FROM sqlite_master \
                 WHERE tbl_name <> '_sqlx_migrations' ORDER BY 1",
            )
            .await;
    }
    let mut all = Vec::new();
    for query in [
        "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || \
         COALESCE(collation_name, '') FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations' ORDER BY 1",
        "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
         AND conrelid::regclass::text <> '_sqlx_migrations' ORDER BY 1",
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
         AND tablename <> '_sqlx_migrations' ORDER BY 1",
        "SELECT tablename || ' ' || policyname || ' ' || cmd || ' ' || COALESCE(qual, '') || ' ' || \
         COALESCE(with_check, '') FROM pg_policies WHERE schemaname = 'public' ORDER BY 1",
        "SELECT relname || ' ' || relrowsecurity || relforcerowsecurity || \
         COALESCE(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind = 'r' AND relname <> '_sqlx_migrations' ORDER BY 1",
    ] {
        all.extend(database.texts(query).await);
    }
    all
}

async fn down_and_up_again(database: Database) {
    database.migrate().await.unwrap();
    database.check_ready().await.unwrap();
    let migrated = schema(&database).await;
    assert!(migrated.len() > 30, "{migrated:?}");
    // With rows in every table, as it would be.
    filled(&database, "Europe/Berlin").await;
    let mut left: Vec<i64> = VERSIONS.to_vec();
    while let Some(newest) = left.pop() {
        assert_eq!(database.rollback(None).await.unwrap(), [newest]);
        let states = database.migrations().await.unwrap();
        let applied: Vec<i64> =
            states.iter().filter(|state| state.applied).map(|state| state.version).collect();
        assert_eq!(applied, left);
        let ready = database.check_ready().await;
        let have = left.last().copied().unwrap_or(0);
        assert!(
            matches!(ready, Err(StoreError::Older { have: found, need: NEWEST }) if found == have),
            "{ready:?}"
        );
    }
    assert_eq!(schema(&database).await, Vec::<String>::new());
    assert_eq!(database.rollback(None).await.unwrap(), Vec::<i64>::new());
    database.migrate().await.unwrap();
    assert_eq!(schema(&database).await, migrated);
    database.check_ready().await.unwrap();
    filled(&database, "Europe/Berlin").await;
    assert_eq!(database.rollback(Some(0)).await.unwrap(), above(0));
    database.close().await;
}

#[tokio::test]
async fn migrations_go_down_one_by_one_and_up_again() {
    down_and_up_again(Database::empty_sqlite().await).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn migrations_go_down_one_by_one_and_up_again_on_postgres() {
    down_and_up_again(Database::empty_postgres().await).await;
}

on_both_databases!(migrating_what_is_migrated_changes_nothing, async |store| {
    let ours = filled(store, "UTC").await;
    let before = everything(store, ours).await;
    let tell = |_, state: &MigrationState, _| panic!("{} was applied before", state.version);
    store.migrate_with_progress(tell).await.unwrap();
    assert_eq!(everything(store, ours).await, before);
    let states = store.migrations().await.unwrap();
    assert!(states.iter().all(|state| state.applied));
    assert_eq!(states.iter().map(|state| state.version).collect::<Vec<_>>(), VERSIONS.to_vec());
    assert_eq!(states[0].description, "baseline");
});

on_both_databases!(a_database_of_a_newer_version_is_left_alone, async |store| {
    store
        .raw(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             SELECT 9999, 'of the future', success, checksum, 1 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let refused = [
        store.check_ready().await.err(),
        store.migrate().await.err(),
        store.rollback(None).await.err(),
        store.migrations().await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::Newer(9999))), "{error:?}");
    }
    assert_eq!(store.number("SELECT COUNT(*) FROM _sqlx_migrations").await, count() + 1);
});

on_both_databases!(a_migration_that_was_edited_after_it_ran_is_noticed, async |store| {
    let zero = if store.is_postgres() { "'\\x00'" } else { "x'00'" };
    store.raw(&format!("UPDATE _sqlx_migrations SET checksum = {zero} WHERE version = 1")).await;
    let refused = [
        store.check_ready().await.err(),
        store.migrate().await.err(),
        store.rollback(None).await.err(),
        store.migrations().await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::Edited(1))), "{error:?}");
    }
    assert_eq!(store.number("SELECT COUNT(*) FROM _sqlx_migrations").await, count());
});

on_both_databases!(a_database_of_a_development_version_is_left_alone, async |store| {
    let ours = filled(store, "UTC").await;
    // As the steps left it that there were before the first release: the last of them, and all of them.
    let zero = if store.is_postgres() { "'\\x00'" } else { "x'00'" };
    store
        .raw(&format!(
            "UPDATE _sqlx_migrations SET description = 'organizations', checksum = {zero}"
        ))
        .await;
    for newest in [1, 47] {
        if newest > 1 {
            store
                .raw(&format!(
                    "INSERT INTO _sqlx_migrations \
                     (version, description, success, checksum, execution_time) \
                     SELECT {newest}, 'visitor merges', success, checksum, 1 FROM _sqlx_migrations"
                ))
                .await;
        }
        let before = (schema(store).await, everything(store, ours).await);
        let refused = [
            store.check_ready().await.err(),
            store.migrate().await.err(),
            store.rollback(Some(0)).await.err(),
            store.migrations().await.err(),
        ];
        for error in refused {
            assert!(
                matches!(error, Some(StoreError::Development(found)) if found == newest),
                "{error:?}"
            );
            let text = error.unwrap().to_string();
            for part in ["nothing was changed", "empty database", "mainstay import"] {
                assert!(text.contains(part), "{text}");
            }
        }
        assert_eq!((schema(store).await, everything(store, ours).await), before);
    }
    assert_eq!(store.number("SELECT COUNT(*) FROM _sqlx_migrations").await, 2);
});

async fn a_new_database(database: Database) {
    let ready = database.check_ready().await;
    assert!(matches!(ready, Err(StoreError::Older { have: 0, need: NEWEST })), "{ready:?}");
    assert!(ready.unwrap_err().to_string().contains("mainstay db migrate"));
    assert!(database.migrations().await.unwrap().iter().all(|state| !state.applied));
    assert_eq!(database.rollback(None).await.unwrap(), Vec::<i64>::new());
    database.check_writable().await.unwrap();
    database.close().await;
}

#[tokio::test]
async fn a_new_database_says_to_migrate_it() {
    a_new_database(Database::empty_sqlite().await).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_new_database_says_to_migrate_it_on_postgres() {
    a_new_database(Database::empty_postgres().await).await;
}

/// Several processes that start at once on a new database all find it migrated.
async fn migrated_at_the_same_time(database: Database) {
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(Arc::new(database.reopened().await));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for store in &stores {
        let store: Arc<Store> = store.clone();
        tasks.spawn(async move {
            store.migrate().await?;
            store.check_ready().await?;
            store.begin(Scope::System).await?.list_organizations().await.map(|all| all.len())
        });
    }
    for migrated in tasks.join_all().await {
        assert_eq!(migrated.unwrap(), 0);
    }
    for store in stores {
        store.close().await;
    }
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_may_migrate_at_the_same_time() {
    migrated_at_the_same_time(Database::empty_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn several_processes_may_migrate_at_the_same_time_on_postgres() {
    migrated_at_the_same_time(Database::empty_postgres().await).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn what_others_keep_in_the_same_database_is_left_alone() {
    let database = Database::postgres().await;
    database
        .raw(
            "CREATE TABLE theirs (id int); ALTER TABLE theirs ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY theirs ON theirs USING (true); \
             CREATE SCHEMA other; CREATE TABLE other._sqlx_migrations (version bigint)",
        )
        .await;
    database.check_ready().await.unwrap();
    database.rollback(Some(0)).await.unwrap();
    let policies = "SELECT COUNT(*) FROM pg_policies WHERE schemaname = 'public'";
    assert_eq!(database.number(policies).await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM other._sqlx_migrations").await, 0);
    database.close().await;
}
