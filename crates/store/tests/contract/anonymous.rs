//! Anonymous ids and the clients that they were joined to.

use mainstay_core::engagement::EventType;
use mainstay_store::{
    JoinOutcome::{BelongsToOther, IdIsClient, Joined},
    KeyKind, KeySource, NewApiKey, OrganizationPatch, Scope,
};

use crate::fixtures::{event, found, fresh, now, organization, send};

on_both_databases!(an_anonymous_id_is_joined_once_and_names_no_client, async |store| {
    let ours = organization(store, "UTC").await;
    let theirs = organization(store, "UTC").await;
    let login = |client| event(client, "1", EventType::Login, "2026-05-18T09:00:00Z");
    send(store, ours, &[login("ada"), login("bob")]).await;
    let join = async |organization, pairs: &[(&str, &str)]| {
        let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
        let joined = tx.join_anonymous_ids(pairs, now()).await.unwrap();
        tx.commit().await.unwrap();
        joined
    };
    let pairs =
        [("anon", "ada"), ("bob", "ada"), ("anon", "bob"), ("other", "carol"), ("anon", "ada")];
    assert_eq!(join(ours, &pairs).await, [Joined, IdIsClient, BelongsToOther, Joined, Joined]);
    assert_eq!(join(ours, &[("anon", "bob"), ("other", "carol")]).await, [BelongsToOther, Joined]);
    assert_eq!(join(theirs, &[("anon", "bob")]).await, [Joined], "another organization's");
    assert_eq!(join(ours, &[]).await, []);
    crate::merging::merge(store, ours, "lead", "ada").await;
    assert_eq!(join(ours, &[("lead", "bob")]).await, [IdIsClient], "another name of a client");

    let (ada, carol) = (found(store, ours, "ada").await, found(store, ours, "carol").await);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_client("anon").await.unwrap(), None);
    let of = tx.find_client_by_anonymous_id("anon").await.unwrap();
    assert_eq!(of.map(|client| client.id), Some(ada.id));
    assert_eq!(tx.find_client_by_anonymous_id("nobody").await.unwrap(), None);
    assert_eq!(tx.list_anonymous_ids(ada.id, 10).await.unwrap(), ["anon"]);
    tx.rollback().await.unwrap();
    // Whoever is called so from here on is a client of its own.
    send(store, ours, &[login("other")]).await;
    let other = found(store, ours, "other").await;
    assert_ne!(other.id, carol.id);
    // It goes with its client, and to the one that its client becomes.
    crate::merging::merge(store, ours, "ada", "bob").await;
    let bob = found(store, ours, "bob").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let mut names = tx.list_other_ids(bob.id, 10).await.unwrap();
    names.sort();
    assert_eq!(names, ["ada", "lead"]);
    tx.rollback().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_anonymous_ids(bob.id, 10).await.unwrap(), ["anon"]);
    tx.delete_client(bob.id, now()).await.unwrap();
    assert_eq!(tx.find_client_by_anonymous_id("anon").await.unwrap(), None);
});

on_both_databases!(a_write_key_says_where_it_is_used, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for (number, kind, source) in [
        (1, KeyKind::Write, Some(KeySource::Browser)),
        (2, KeyKind::Write, Some(KeySource::Server)),
        // As those that are older than the choice.
        (3, KeyKind::Write, None),
        (4, KeyKind::Secret, None),
    ] {
        let key = NewApiKey {
            id: fresh(),
            kind,
            hash: [number; 32],
            prefix: number.to_string(),
            member: None,
            source,
            expires_at: None,
        };
        tx.create_api_key(&key, now()).await.unwrap();
    }
    let keys = tx.list_api_keys().await.unwrap();
    let source = |prefix: &str| keys.iter().find(|key| key.prefix == prefix).unwrap().source;
    assert_eq!(source("1"), Some(KeySource::Browser));
    assert_eq!((source("2"), source("3")), (Some(KeySource::Server), Some(KeySource::Server)));
    assert_eq!(source("4"), None);
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::System).await.unwrap();
    assert_eq!(tx.find_api_key([1; 32]).await.unwrap().unwrap().source, KeySource::Browser);
    assert_eq!(tx.find_api_key([3; 32]).await.unwrap().unwrap().source, KeySource::Server);
});

on_both_databases!(an_organization_decides_whether_self_told_events_count, async |store| {
    let ours = organization(store, "UTC").await;
    for count in [true, false] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let patch =
            OrganizationPatch { count_self_told: Some(count), ..OrganizationPatch::default() };
        tx.update_organization(&patch).await.unwrap();
        tx.update_organization(&OrganizationPatch::default()).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().count_self_told, count);
        tx.commit().await.unwrap();
    }
});
