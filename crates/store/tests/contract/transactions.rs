//! Transactions: all or nothing, and no false yes.

use mainstay_core::engagement::EventType;
use mainstay_store::{ClientPatch, NewMember, Role, Scope, StoreError, Timeouts};

use crate::{
    fixtures::{client, event, fresh, now, organization, store_in},
    harness::Database,
    organizations::everything,
};

fn member(email: &str) -> NewMember {
    NewMember { id: fresh(), email: email.to_owned(), name: "Name".to_owned(), role: Role::Staff }
}

on_both_databases!(what_is_committed_is_there_for_everybody, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_member(&member("ada@x.org"), now()).await.unwrap();
    tx.commit().await.unwrap();
    let other = store.reopened().await;
    let mut tx = other.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_members().await.unwrap().len(), 1);
    drop(tx);
    other.close().await;
});

on_both_databases!(what_is_rolled_back_or_dropped_never_happened, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", "2026-05-01").await;
    let before = everything(store, ours).await;
    for dropped in [false, true] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.create_member(&member("ada@x.org"), now()).await.unwrap();
        let login = event("ada", "m1", EventType::Login, "2026-04-01");
        store_in(&mut tx, &[login]).await.unwrap();
        tx.fold_activity(crate::fixtures::day("2026-05-01")).await.unwrap();
        if dropped {
            drop(tx);
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(everything(store, ours).await, before, "dropped: {dropped}");
    }
});

on_both_databases!(a_transaction_that_reads_cannot_write, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let refused = tx.create_member(&member("ada@x.org"), now()).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
});

on_both_databases!(a_reader_sees_one_state_while_others_write, async |store| {
    let ours = organization(store, "UTC").await;
    let mut reader = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(reader.count_clients().await.unwrap(), 0);
    let mut writer = store.begin(Scope::Service(ours)).await.unwrap();
    let login = event("ada", "m1", EventType::Login, "2026-04-01");
    store_in(&mut writer, &[login]).await.unwrap();
    assert_eq!(reader.count_clients().await.unwrap(), 0);
    writer.commit().await.unwrap();
    assert_eq!(reader.count_clients().await.unwrap(), 0);
    assert_eq!(reader.find_event_days().await.unwrap(), None);
    reader.rollback().await.unwrap();
    let mut reader = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(reader.count_clients().await.unwrap(), 1);
});

on_both_databases!(a_commit_after_an_error_is_no_false_yes, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_member(&member("ada@x.org"), now()).await.unwrap();
    let again = tx.create_member(&member("ada@x.org"), now()).await;
    assert!(matches!(again, Err(StoreError::Taken(_))));
    // SQLite undoes the statement, PostgreSQL the transaction. Either way the answer is true.
    let committed = tx.commit().await.is_ok();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_members().await.unwrap().len(), usize::from(committed));
    assert_eq!(committed, !store.is_postgres());
});

on_both_databases!(the_store_works_on_after_every_kind_of_error, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    for _ in 0..40 {
        // More often than there are connections: one that is spoilt or lost would show.
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.create_client(&ada).await.is_err());
        drop(tx);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.update_client(fresh(), &ClientPatch::default(), now()).await.is_err());
        let _ = tx.commit().await;
        drop(store.read(Scope::Service(ours)).await.unwrap());
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.count_clients().await.unwrap(), 1);
});

on_both_databases!(a_closed_store_answers_with_an_error, async |store| {
    let other = store.reopened().await;
    other.check_writable().await.unwrap();
    assert_eq!(other.is_postgres(), store.url().starts_with("postgres"));
    other.close().await;
    assert!(other.check_writable().await.is_err());
    assert!(other.begin(Scope::System).await.is_err());
    assert!(other.read(Scope::System).await.is_err());
    store.check_writable().await.unwrap();
});

on_both_databases!(a_store_has_the_time_limits_that_it_was_given, async |store| {
    let given = Timeouts { storing_seconds: 1, ..Timeouts::default() };
    assert_eq!(store.with_timeouts(given).timeouts(), given);
    assert_eq!(store.timeouts(), Timeouts::default());
});

on_both_databases!(a_tenant_query_without_a_tenant_is_a_mistake_in_the_code, async |store| {
    let store = store.reopened().await;
    let task = tokio::spawn(async move {
        let mut tx = store.read(Scope::System).await.unwrap();
        tx.list_members().await.map(|members| members.len())
    });
    assert!(task.await.unwrap_err().is_panic());
});

#[tokio::test]
async fn foreign_keys_hold_on_every_connection_of_sqlite() {
    let database = Database::sqlite().await;
    let ours = organization(&database, "UTC").await;
    for _ in 0..3 {
        let mut tx = database.begin(Scope::Service(ours)).await.unwrap();
        let times = mainstay_store::LaunchKitTimes::default();
        assert!(tx.record_launch_kit(fresh(), times).await.is_err());
    }
    database.close().await;
}
