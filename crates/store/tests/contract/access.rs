//! Members and keys.

use mainstay_core::id::{ApiKeyId, MemberId, OrganizationId};
use mainstay_store::{
    FoundKey, KeyKind, KeySource, NewApiKey, NewMember, Role, Scope, Store, StoreError,
};

use crate::fixtures::{at, fresh, now, organization};

fn member(email: &str, role: Role) -> NewMember {
    NewMember { id: fresh(), email: email.to_owned(), name: format!("Name of {email}"), role }
}

fn key(kind: KeyKind, text: u8, member: Option<MemberId>) -> NewApiKey {
    let prefix = format!("msk_{text}");
    NewApiKey {
        id: fresh(),
        kind,
        hash: [text; 32],
        prefix,
        member,
        source: None,
        expires_at: None,
    }
}

async fn add_member(store: &Store, organization: OrganizationId, new: &NewMember) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_member(new, now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn find(store: &Store, text: u8) -> Option<FoundKey> {
    let mut tx = store.read(Scope::System).await.unwrap();
    tx.find_api_key([text; 32]).await.unwrap()
}

on_both_databases!(members_are_listed_by_address_with_all_that_is_known, async |store| {
    let ours = organization(store, "UTC").await;
    let zoe = member("zoe@example.com", Role::Owner);
    let ada = member("Ada@example.com", Role::Admin);
    let bob = member("bob@example.com", Role::Staff);
    for new in [&zoe, &ada, &bob] {
        add_member(store, ours, new).await;
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let members = tx.list_members().await.unwrap();
    // By bytes, whatever the database's language would make of capitals.
    let emails: Vec<&str> = members.iter().map(|member| member.email.as_str()).collect();
    assert_eq!(emails, ["Ada@example.com", "bob@example.com", "zoe@example.com"]);
    assert_eq!(
        members.iter().map(|member| member.role).collect::<Vec<_>>(),
        [Role::Admin, Role::Staff, Role::Owner]
    );
    assert_eq!(members[2].id, zoe.id);
    assert_eq!(members[2].name, "Name of zoe@example.com");
    assert_eq!(members[2].created_at, now());
});

on_both_databases!(an_address_is_a_members_only_once_in_an_organization, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    add_member(store, ours, &member("ada@example.com", Role::Owner)).await;
    add_member(store, theirs, &member("ada@example.com", Role::Owner)).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let again = tx.create_member(&member("ada@example.com", Role::Staff), now()).await;
    assert!(matches!(again, Err(StoreError::Taken("email"))), "{again:?}");
});

on_both_databases!(a_key_says_when_it_expires_and_a_members_are_revoked_together, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) = (member("ada@x.org", Role::Staff), member("bob@x.org", Role::Staff));
    for new in [&ada, &bob] {
        add_member(store, ours, new).await;
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let until = Some(at("2026-09-01"));
    let expiring = NewApiKey { expires_at: until, ..key(KeyKind::Member, 41, Some(ada.id)) };
    tx.create_api_key(&expiring, now()).await.unwrap();
    for (text, kind, whose) in [
        (42, KeyKind::Member, Some(ada.id)),
        (43, KeyKind::Member, Some(bob.id)),
        (44, KeyKind::Secret, None),
    ] {
        tx.create_api_key(&key(kind, text, whose), now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(find(store, 41).await.unwrap().expires_at, until);
    assert_eq!(find(store, 42).await.unwrap().expires_at, None);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let keys = tx.list_api_keys().await.unwrap();
    assert_eq!(keys.iter().find(|key| key.id == expiring.id).unwrap().expires_at, until);
    assert_eq!(tx.revoke_member_keys(ada.id, now()).await.unwrap(), 2);
    assert_eq!(tx.revoke_member_keys(ada.id, now()).await.unwrap(), 0);
    tx.commit().await.unwrap();
    for (text, open) in [(41, false), (42, false), (43, true), (44, true)] {
        assert_eq!(find(store, text).await.is_some(), open, "{text}");
    }
});

on_both_databases!(a_removed_member_takes_its_keys_with_it, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) = (member("ada@x.org", Role::Staff), member("bob@x.org", Role::Staff));
    add_member(store, ours, &ada).await;
    add_member(store, ours, &bob).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_api_key(&key(KeyKind::Member, 1, Some(ada.id)), now()).await.unwrap();
    tx.create_api_key(&key(KeyKind::Member, 2, Some(bob.id)), now()).await.unwrap();
    assert!(tx.delete_member(ada.id).await.unwrap());
    assert!(!tx.delete_member(ada.id).await.unwrap(), "it is gone already");
    tx.commit().await.unwrap();

    assert_eq!(find(store, 1).await, None);
    let whose = Some((bob.id, Role::Staff));
    let kind = KeyKind::Member;
    let source = KeySource::Server;
    let bobs = FoundKey { organization: ours, kind, member: whose, source, expires_at: None };
    assert_eq!(find(store, 2).await, Some(bobs));
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_members().await.unwrap().len(), 1);
    assert_eq!(tx.list_api_keys().await.unwrap().len(), 1);
});

on_both_databases!(a_key_is_found_by_its_hash_until_it_is_revoked, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let (secret, write) = (key(KeyKind::Secret, 1, None), key(KeyKind::Write, 2, None));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_api_key(&secret, now()).await.unwrap();
    tx.create_api_key(&write, now()).await.unwrap();
    tx.commit().await.unwrap();

    let found = FoundKey {
        organization: ours,
        kind: KeyKind::Secret,
        member: None,
        source: KeySource::Server,
        expires_at: None,
    };
    assert_eq!(find(store, 1).await, Some(found));
    assert_eq!(find(store, 2).await, Some(FoundKey { kind: KeyKind::Write, ..found }));
    assert_eq!(find(store, 3).await, None);

    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert!(!tx.revoke_api_key(secret.id, now()).await.unwrap(), "another organization's");
    tx.commit().await.unwrap();
    assert!(find(store, 1).await.is_some());

    let later = at("2026-06-01T00:00:00Z");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.revoke_api_key(secret.id, later).await.unwrap());
    assert!(!tx.revoke_api_key(secret.id, later).await.unwrap(), "it is revoked already");
    assert!(!tx.revoke_api_key(fresh::<ApiKeyId>(), later).await.unwrap(), "there is none");
    tx.commit().await.unwrap();
    assert_eq!(find(store, 1).await, None);
    assert!(find(store, 2).await.is_some());
});

on_both_databases!(keys_are_listed_newest_first_without_their_text, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = member("ada@x.org", Role::Owner);
    add_member(store, ours, &ada).await;
    let mut older = key(KeyKind::Secret, 1, None);
    older.id = mainstay_store::new_id(at("2026-01-01T00:00:00Z"));
    let mut newer = key(KeyKind::Member, 2, Some(ada.id));
    newer.id = mainstay_store::new_id(at("2026-02-01T00:00:00Z"));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_api_key(&older, at("2026-01-01T00:00:00Z")).await.unwrap();
    tx.create_api_key(&newer, at("2026-02-01T00:00:00Z")).await.unwrap();
    tx.revoke_api_key(older.id, now()).await.unwrap();
    let keys = tx.list_api_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [newer.id, older.id]);
    assert_eq!(keys[0].kind, KeyKind::Member);
    assert_eq!(keys[0].member, Some(ada.id));
    assert_eq!(keys[0].prefix, "msk_2");
    assert_eq!(keys[0].created_at, at("2026-02-01T00:00:00Z"));
    assert_eq!(keys[0].revoked_at, None);
    assert_eq!(keys[1].kind, KeyKind::Secret);
    assert_eq!(keys[1].member, None);
    assert_eq!(keys[1].revoked_at, Some(now()));
});

on_both_databases!(only_a_members_key_names_a_member_and_it_must_exist, async |store| {
    let ours = organization(store, "UTC").await;
    for wrong in [
        key(KeyKind::Member, 1, None),
        key(KeyKind::Member, 2, Some(fresh())),
        key(KeyKind::Secret, 3, Some(fresh())),
    ] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.create_api_key(&wrong, now()).await.is_err(), "{wrong:?}");
    }
});
