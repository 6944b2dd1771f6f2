//! The role that sees everything of its organization and changes nothing.

use mainstay_store::{AlertFilter, Role, Scope, StaffTaskFilter, StoreError, TENANT_TABLES};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::{
    fixtures::{found, now, organization},
    harness::Database,
    isolation::filled,
    organizations::everything,
};

on_both_databases!(a_viewer_reads_what_staff_read, async |store| {
    let ours = filled(store, "UTC").await;
    let ada = found(store, ours, "ada").await;
    let mut staff = store.read(Scope::Member(ours, Role::Staff)).await.unwrap();
    let mut viewer = store.read(Scope::Member(ours, Role::Viewer)).await.unwrap();
    macro_rules! same {
        ($($query:ident($($argument:expr),*)),+ $(,)?) => {$(
            let seen = viewer.$query($($argument),*).await.unwrap();
            assert!(!seen.is_empty(), stringify!($query));
            assert_eq!(seen, staff.$query($($argument),*).await.unwrap(), stringify!($query));
        )+};
    }
    same!(
        list_members(),
        list_clients(None, 100),
        list_tasks(ada.id),
        list_notes(ada.id, 100),
        list_feedback(ada.id, 100),
        list_client_insights(ada.id, now(), true),
        list_alerts(&AlertFilter::default(), 100),
        list_staff_tasks(&StaffTaskFilter::default(), 100),
        list_client_emails(ada.id, 100),
        list_playbooks(),
        list_job_runs(None, 100),
        list_event_names(),
    );
    assert_eq!(viewer.get_organization().await.unwrap().id, ours);
    assert_eq!(viewer.list_api_keys().await.unwrap(), staff.list_api_keys().await.unwrap());
});

on_both_databases!(nothing_is_written_on_behalf_of_a_viewer, async |store| {
    let ours = organization(store, "UTC").await;
    for role in Role::ALL {
        let begun = store.begin(Scope::Member(ours, role)).await;
        if role == Role::Viewer {
            assert!(matches!(begun, Err(StoreError::MayNotWrite)));
        } else {
            assert!(begun.is_ok(), "{role}");
        }
    }
});

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn postgres_refuses_what_a_viewer_writes_even_if_the_server_does_not() {
    let database = Database::postgres().await;
    let ours = filled(&database, "UTC").await;
    let before = everything(&database, ours).await;
    let mut connection = database.application_connection().await;
    let settings = format!(
        "SET LOCAL mainstay.role = 'viewer'; SET LOCAL mainstay.organization_id = '{ours}'"
    );
    for table in std::iter::once("organizations").chain(TENANT_TABLES) {
        let key = if table == "organizations" { "id" } else { "organization_id" };
        for sql in [
            format!("UPDATE {table} SET {key} = {key}"),
            format!("DELETE FROM {table}"),
            format!(
                "INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, \
                 jsonb_build_object('{key}', '{ours}'))"
            ),
        ] {
            let mut tx = connection.begin().await.unwrap();
            tx.execute(sqlx::raw_sql(AssertSqlSafe(settings.clone()))).await.unwrap();
            let inserts = sql.starts_with("INSERT");
            match tx.execute(AssertSqlSafe(sql.clone())).await {
                // A policy hides the rows from a statement that would change them.
                Ok(done) => assert!(!inserts && done.rows_affected() == 0, "{sql}"),
                Err(error) => {
                    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                    assert_eq!(code.as_deref(), Some("42501"), "{sql}: {error}");
                }
            }
            tx.rollback().await.unwrap();
        }
    }
    connection.close().await.unwrap();
    assert_eq!(everything(&database, ours).await, before);
    database.close().await;
}
