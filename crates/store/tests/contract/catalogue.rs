//! What PostgreSQL's catalogue says of the tenants' tables.

use std::collections::BTreeSet;

use mainstay_store::{Scope, Store, StoreError, TENANT_TABLES};

use crate::harness::Database;

/// Tables with a column `organization_id`, of any schema but the system's.
const TABLES: &str = "SELECT table_name::text FROM information_schema.columns \
     WHERE column_name = 'organization_id' AND table_schema = 'public' ORDER BY 1";

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn every_table_of_tenants_is_known_and_has_row_level_security_forced() {
    let database = Database::postgres().await;
    let tables: BTreeSet<String> = database.texts(TABLES).await.into_iter().collect();
    let known: BTreeSet<String> = TENANT_TABLES.iter().map(|&table| table.to_owned()).collect();
    assert_eq!(tables, known);
    let forced: BTreeSet<String> = database
        .texts(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
             AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity",
        )
        .await
        .into_iter()
        .collect();
    let mut expected = known;
    expected.insert("organizations".to_owned());
    assert_eq!(forced, expected);
    // And nothing else is there that the application could read.
    let granted = database
        .texts(
            "SELECT DISTINCT table_name::text FROM information_schema.role_table_grants \
             WHERE grantee = 'mainstay_app' AND table_schema = 'public' ORDER BY 1",
        )
        .await;
    assert_eq!(granted.into_iter().collect::<BTreeSet<_>>(), expected);
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn every_key_of_a_tenants_table_starts_with_the_organization() {
    let database = Database::postgres().await;
    let others = database
        .texts(
            "SELECT i.indexrelid::regclass::text FROM pg_index i \
             JOIN pg_class t ON t.oid = i.indrelid \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
             WHERE t.relnamespace = 'public'::regnamespace AND (i.indisunique OR i.indisprimary) \
             AND t.relname NOT IN ('organizations', '_sqlx_migrations') \
             AND a.attname <> 'organization_id'",
        )
        .await;
    assert_eq!(others, Vec::<String>::new());
    let without_key = database
        .texts(
            "SELECT relname::text FROM pg_class t WHERE relnamespace = 'public'::regnamespace \
             AND relkind = 'r' AND NOT EXISTS (SELECT FROM pg_index i \
             WHERE i.indrelid = t.oid AND i.indisprimary)",
        )
        .await;
    assert_eq!(without_key, Vec::<String>::new());
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn every_foreign_key_carries_the_organization() {
    let database = Database::postgres().await;
    let keys =
        "FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace";
    assert!(database.number(&format!("SELECT COUNT(*) {keys}")).await > 10);
    let others = database
        .texts(&format!(
            "SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid) {keys} \
             AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.conrelid \
             AND a.attnum = c.conkey[1] AND a.attname = 'organization_id')"
        ))
        .await;
    assert_eq!(others, Vec::<String>::new());
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn the_applications_role_is_bound_and_owns_nothing() {
    let database = Database::postgres().await;
    let role = "SELECT rolsuper::text || rolbypassrls || rolcreaterole || rolcreatedb || rolcanlogin \
                FROM pg_roles WHERE rolname = 'mainstay_app'";
    assert_eq!(database.texts(role).await, ["falsefalsefalsefalsefalse"]);
    for owned in [
        "pg_class WHERE relowner",
        "pg_namespace WHERE nspowner",
        "pg_proc WHERE proowner",
        "pg_database WHERE datdba",
    ] {
        let count = format!("SELECT COUNT(*) FROM {owned} = 'mainstay_app'::regrole");
        assert_eq!(database.number(&count).await, 0, "{owned}");
    }
    // The store's own connections have that role: they may not do what the owner may.
    let mut connection = database.application_connection().await;
    for sql in [
        "ALTER TABLE members DISABLE ROW LEVEL SECURITY",
        "DROP POLICY system ON members",
        "TRUNCATE members",
        "CREATE TABLE mine (id int)",
        "SELECT * FROM _sqlx_migrations",
    ] {
        let done = sqlx::Executor::execute(&mut connection, sql).await;
        let error = done.expect_err(sql);
        assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}");
    }
    database.check_ready().await.unwrap();
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn the_store_works_as_the_role_of_the_application() {
    let database = Database::postgres().await;
    // Held open, so that the server's list of who does what shows them.
    let tx = database.begin(Scope::System).await.unwrap();
    let reader = database.read(Scope::System).await.unwrap();
    let mut connection = database.owner_connection().await;
    // pg_locks names nobody, but a lock that only this role's session can want does.
    let (sessions,): (i64,) = sqlx::query_as(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'idle in transaction' AND application_name = 'mainstay'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(sessions, 2);
    tx.rollback().await.unwrap();
    reader.rollback().await.unwrap();
    // Without the privileges of the application's role, the store's queries fail: they run as it.
    sqlx::Executor::execute(&mut connection, "REVOKE SELECT ON organizations FROM mainstay_app")
        .await
        .unwrap();
    let mut tx = database.read(Scope::System).await.unwrap();
    let refused = tx.list_organizations().await;
    assert!(matches!(refused, Err(StoreError::Database(_))), "{refused:?}");
    drop(tx);
    database.close().await;
}

/// The URL of a database as the superuser that `scripts/with-postgres` makes.
fn as_superuser(database: &Database) -> String {
    let superuser = std::env::var("MAINSTAY_TEST_POSTGRES_SUPERUSER_URL").expect(
        "MAINSTAY_TEST_POSTGRES_SUPERUSER_URL is set: run scripts/with-postgres cargo test …",
    );
    let (server, _) = superuser.rsplit_once('/').unwrap();
    let name = database.url().rsplit_once('/').unwrap().1;
    format!("{server}/{name}")
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_login_that_row_level_security_does_not_bind_is_refused_migrated_or_not() {
    for database in [Database::postgres().await, Database::empty_postgres().await] {
        let migrated = database.migrations().await.unwrap().iter().any(|state| state.applied);
        let store = Store::open(&as_superuser(&database)).await.unwrap();
        let refused = if migrated { store.check_ready().await } else { store.migrate().await };
        assert!(
            matches!(&refused, Err(StoreError::UnsafeRole(role)) if role == "mainstay_superuser"),
            "{refused:?}"
        );
        let told = refused.unwrap_err().to_string();
        assert!(
            told.contains("is a superuser or has BYPASSRLS") && told.contains("ordinary"),
            "{told}"
        );
        let applied = database.migrations().await.unwrap().iter().any(|state| state.applied);
        assert_eq!(applied, migrated, "nothing is migrated as such a role");
        store.close().await;
        database.close().await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_login_that_lacks_rights_is_told_the_statements_before_anything_is_made() {
    // Roles belong to the cluster: from here on the application's is there.
    Database::postgres().await.close().await;
    let database = Database::empty_postgres().await;
    let mut superuser =
        <sqlx::PgConnection as sqlx::Connection>::connect(&as_superuser(&database)).await.unwrap();
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    let role = format!("Limited {name}");
    let mut run = async |sql: String| {
        sqlx::Executor::execute(&mut superuser, sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    run(format!("CREATE ROLE \"{role}\" LOGIN PASSWORD 'limited'")).await;
    let (_, server) = database.url().split_once('@').unwrap();
    let url = format!("postgres://{}:limited@{server}", role.replace(' ', "%20"));
    let tried = async || {
        let store = Store::open(&url).await?;
        let refused = store.migrate().await;
        store.close().await;
        refused
    };
    let refused = tried().await.unwrap_err();
    let StoreError::Privileges { role: named, statements } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(*named, role);
    let tables = "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(database.number(tables).await, 0);
    assert!(refused.to_string().contains("nothing was changed"));
    // What it says is what it takes.
    assert!(statements.contains(&format!("CREATE ON SCHEMA public TO \"{role}\"")), "{statements}");
    run(statements.clone()).await;
    tried().await.unwrap();
    drop(superuser);
    let mut superuser =
        <sqlx::PgConnection as sqlx::Connection>::connect(&as_superuser(&database)).await.unwrap();
    for sql in [format!("DROP OWNED BY \"{role}\" CASCADE"), format!("DROP ROLE \"{role}\"")] {
        sqlx::Executor::execute(&mut superuser, sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
    drop(superuser);
    database.close().await;
}
