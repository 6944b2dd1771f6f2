//! What staff keep of a client for themselves.

use mainstay_core::id::{ClientId, MemberId, OrganizationId};
use mainstay_store::{ClientNote, NewMember, Role, Scope, Store, new_id};

use crate::fixtures::{at, client, found, fresh, now, organization};

async fn member(store: &Store, organization: OrganizationId, email: &str) -> MemberId {
    let id = fresh();
    let new =
        NewMember { id, email: email.to_owned(), name: "A member".to_owned(), role: Role::Staff };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_member(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn note(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    member: MemberId,
    text: &str,
    when: &str,
) -> ClientNote {
    let note =
        ClientNote { id: new_id(at(when)), member, text: text.to_owned(), created_at: at(when) };
    let mut tx = store.begin(Scope::Member(organization, Role::Staff)).await.unwrap();
    tx.create_note(client, &note).await.unwrap();
    tx.commit().await.unwrap();
    note
}

on_both_databases!(notes_are_listed_newest_first, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) = (
        client(store, ours, "ada", "2026-05-01").await.id,
        client(store, ours, "bob", "2026-05-01").await.id,
    );
    let ines = member(store, ours, "ines@example.com").await;
    let first = note(store, ours, ada, ines, "Ünïcode '\"\\", "2026-05-02").await;
    let second = note(store, ours, ada, ines, "Second", "2026-05-03").await;
    let bobs = note(store, ours, bob, ines, "Bob's", "2026-05-03").await;
    let mut tx = store.read(Scope::Member(ours, Role::Staff)).await.unwrap();
    assert_eq!(tx.list_notes(ada, 10).await.unwrap(), [second.clone(), first]);
    assert_eq!(tx.list_notes(ada, 1).await.unwrap(), [second]);
    assert_eq!(tx.list_notes(bob, 10).await.unwrap(), [bobs]);
});

on_both_databases!(a_note_is_deleted_only_by_who_wrote_it, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let bob = client(store, ours, "bob", "2026-05-01").await.id;
    let ines = member(store, ours, "ines@example.com").await;
    let ola = member(store, ours, "ola@example.com").await;
    let written = note(store, ours, ada, ines, "Mine", "2026-05-02").await;
    let mut tx = store.begin(Scope::Member(ours, Role::Staff)).await.unwrap();
    assert!(!tx.delete_note(ada, written.id, ola).await.unwrap());
    assert!(!tx.delete_note(bob, written.id, ines).await.unwrap());
    assert!(tx.delete_note(ada, written.id, ines).await.unwrap());
    assert!(!tx.delete_note(ada, written.id, ines).await.unwrap());
    assert_eq!(tx.list_notes(ada, 10).await.unwrap(), []);
});

on_both_databases!(notes_outlive_their_writer_but_not_their_client, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    let ines = member(store, ours, "ines@example.com").await;
    let written = note(store, ours, ada, ines, "Stays", "2026-05-02").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.delete_member(ines).await.unwrap());
    assert_eq!(tx.list_notes(ada, 10).await.unwrap(), [written]);
    tx.delete_client(ada, now()).await.unwrap();
    assert_eq!(tx.list_notes(ada, 10).await.unwrap(), []);
});

on_both_databases!(a_clients_owner_goes_with_the_member, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await.id;
    client(store, ours, "bob", "2026-05-01").await;
    let ines = member(store, ours, "ines@example.com").await;
    let mut tx = store.begin(Scope::Member(ours, Role::Staff)).await.unwrap();
    tx.set_client_owner(ada, Some(ines)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(store, ours, "ada").await.owner, Some(ines));
    assert_eq!(found(store, ours, "bob").await.owner, None);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_client_owner(ada, None).await.unwrap();
    assert_eq!(tx.find_client("ada").await.unwrap().unwrap().owner, None);
    tx.set_client_owner(ada, Some(ines)).await.unwrap();
    assert!(tx.delete_member(ines).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(found(store, ours, "ada").await.owner, None);
});
