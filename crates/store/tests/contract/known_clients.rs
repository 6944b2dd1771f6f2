//! Which clients are known by more than what a write key said, and the names that a write key gave.

use mainstay_core::{
    engagement::EventType,
    id::{ClientId, MergeId, OrganizationId},
    time::time_zone,
};
use mainstay_store::{
    ClientSighting, JoinOutcome, Membership, MergeRequest, MergeState, NewMerge, Scope, Store,
    WAITING_TTL,
};

use crate::{
    fixtures::{at, client, event, found, fresh, now, organization, send},
    merging::step,
    verify::assert_honest,
};

const FIRST: &str = "2026-05-18T09:00:00Z";

/// Names clients, as a write key or as anything else does.
async fn admit(store: &Store, organization: OrganizationId, names: &[&str], known: bool) {
    let seen: Vec<ClientSighting<'_>> = names
        .iter()
        .map(|name| ClientSighting { external_id: name, first_at: at(FIRST) })
        .collect();
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let admitted = if known {
        tx.admit_known_clients(&seen, now()).await.unwrap()
    } else {
        tx.admit_clients(&seen, now()).await.unwrap()
    };
    assert!(admitted.iter().all(Option::is_some));
    tx.commit().await.unwrap();
}

async fn is_known(store: &Store, organization: OrganizationId, client: ClientId) -> bool {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.is_known(client).await.unwrap()
}

/// Asks for a visitor's merge into a client that said who it is.
async fn request(store: &Store, organization: OrganizationId, visitor: &str) -> MergeRequest {
    let new = NewMerge {
        id: fresh(),
        previous_id: visitor,
        into_id: "ada",
        of_visitor: true,
        requested_by: None,
    };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let request = tx.request_merge(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    request
}

async fn state_of(store: &Store, organization: OrganizationId, merge: MergeId) -> MergeState {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.find_merge(merge).await.unwrap().unwrap().state
}

on_both_databases!(a_client_is_known_once_anything_but_a_write_key_names_it, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", FIRST).await;
    assert!(is_known(store, ours, ada.id).await, "whoever is created is known");
    admit(store, ours, &["bob", "carol", "dora"], false).await;
    admit(store, ours, &["eve", "bob"], true).await;
    for (name, known) in [("bob", true), ("carol", false), ("eve", true)] {
        let id = found(store, ours, name).await.id;
        assert_eq!(is_known(store, ours, id).await, known, "{name}");
    }
    // What is in mind of it is as of before.
    admit(store, ours, &["carol", "carol", "bob"], true).await;
    admit(store, ours, &["carol"], false).await;
    let carol = found(store, ours, "carol").await.id;
    assert!(is_known(store, ours, carol).await);
    let dora = found(store, ours, "dora").await.id;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.mark_known(&[dora, dora]).await.unwrap();
    assert!(tx.is_known(dora).await.unwrap());
    tx.rollback().await.unwrap();
    assert!(!is_known(store, ours, dora).await);
    assert!(!is_known(store, ours, fresh()).await, "nor one that is not there");
    // Who merges clients speaks of both.
    crate::merging::merge(store, ours, "eve", "dora").await;
    assert!(is_known(store, ours, dora).await);
});

on_both_databases!(a_visitor_who_becomes_known_is_not_merged_any_more, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", FIRST).await;
    for visitor in ["early", "late"] {
        let visits: Vec<_> = (0..3)
            .map(|number| {
                let when = format!("2026-05-{:02}T09:00:00Z", number + 10);
                event(visitor, &format!("{visitor}-{number}"), EventType::Login, &when)
            })
            .collect();
        send(store, ours, &visits).await;
        let MergeRequest::Queued(merge) = request(store, ours, visitor).await else {
            panic!("{visitor} is a visitor")
        };
        let ends = if visitor == "late" {
            assert_eq!(step(store, ours, 1).await, Some(MergeState::Merging));
            MergeState::Undone
        } else {
            MergeState::Failed
        };
        admit(store, ours, &[visitor], true).await;
        while step(store, ours, 1).await.is_some() {}
        assert_eq!(state_of(store, ours, merge).await, ends);
        let own = found(store, ours, visitor).await;
        let range = (at("2026-05-01"), now());
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.list_client_events(own.id, range, None, 10).await.unwrap().len(), 3);
        tx.rollback().await.unwrap();
        assert_honest(store, ours).await;
        assert_eq!(request(store, ours, visitor).await, MergeRequest::PreviousIdKnown);
    }
});

on_both_databases!(a_name_that_a_write_key_gave_ends_when_another_says_it, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", FIRST).await;
    let mut merges = Vec::new();
    for visitor in ["named", "freed", "settled"] {
        let visit = event(visitor, visitor, EventType::Login, "2026-05-12T09:00:00Z");
        send(store, ours, &[visit]).await;
        let was = found(store, ours, visitor).await.id;
        let MergeRequest::Queued(merge) = request(store, ours, visitor).await else {
            panic!("{visitor} is a visitor")
        };
        merges.push((visitor, was, merge));
        while step(store, ours, 10).await.is_some() {}
        admit(store, ours, &[visitor], false).await;
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        assert_eq!(tx.find_client(visitor).await.unwrap(), None, "it is no name to read by");
        let of = tx.find_client_by_anonymous_id(visitor).await.unwrap();
        assert_eq!(of.map(|client| client.id), Some(ada.id));
        let (names, _) = tx.find_clients(&[visitor, "ada"], now()).await.unwrap();
        assert_eq!(names.keys().collect::<Vec<_>>(), ["ada"]);
        tx.rollback().await.unwrap();
    }
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.free_name("nobody").await.unwrap(), None);
    assert_eq!(tx.free_name("freed").await.unwrap(), Some(merges[1].1));
    assert_eq!(tx.free_name("freed").await.unwrap(), None, "once");
    tx.rollback().await.unwrap();
    admit(store, ours, &["named", "freed"], true).await;
    while step(store, ours, 10).await.is_some() {}
    for (visitor, was, merge) in &merges[..2] {
        let client = found(store, ours, visitor).await;
        assert_eq!((client.id, client.created_at), (*was, at("2026-05-12T09:00:00Z")));
        assert!(is_known(store, ours, client.id).await);
        assert_eq!(state_of(store, ours, *merge).await, MergeState::Undone);
        assert_eq!(request(store, ours, visitor).await, MergeRequest::PreviousIdKnown);
    }
    // After a month the events stay, and the name ends all the same.
    let (visitor, was, merge) = merges[2];
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let later = now().checked_add(WAITING_TTL).unwrap();
    tx.settle_merges(later).await.unwrap();
    tx.commit().await.unwrap();
    admit(store, ours, &[visitor], true).await;
    assert_eq!(found(store, ours, visitor).await.id, was);
    assert_eq!(state_of(store, ours, merge).await, MergeState::Settled);
    assert_eq!(step(store, ours, 10).await, None);
    assert_honest(store, ours).await;
});

on_both_databases!(the_organization_makes_a_name_of_a_write_key_its_own, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", FIRST).await;
    send(store, ours, &[event("visitor", "1", EventType::Login, FIRST)]).await;
    request(store, ours, "visitor").await;
    while step(store, ours, 10).await.is_some() {}
    crate::merging::merge(store, ours, "visitor", "ada").await;
    admit(store, ours, &["visitor"], true).await;
    assert_eq!(found(store, ours, "visitor").await.id, ada.id);
});

on_both_databases!(a_visitor_who_belongs_to_a_client_stays_there, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) =
        (client(store, ours, "ada", FIRST).await, client(store, ours, "bob", FIRST).await);
    let zone = time_zone("UTC").unwrap();
    let of = |person, client: ClientId, since: &str, message_id| Membership {
        person,
        since: at(since),
        message_id,
        client,
    };
    let join = async |joined: &[Membership<'_>]| {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.lock_events(true).await.unwrap();
        let new = tx.join_visitors(joined, &zone, now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut new: Vec<String> = new.into_iter().collect();
        new.sort();
        new
    };
    let day = "2026-05-10";
    let joined =
        [of("v", ada.id, day, "1"), of("v", bob.id, "2026-05-09", "2"), of("w", bob.id, day, "3")];
    assert_eq!(join(&joined).await, ["v", "w"]);
    assert_eq!(join(&[of("v", bob.id, "2026-05-01", "4")]).await, [""; 0]);
    assert_eq!(join(&[of("v", ada.id, "2026-05-01", "5")]).await, ["v"]);
    assert_eq!(join(&[]).await, [""; 0]);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let people = [("v", at("2026-05-09")), ("v", now()), ("w", now())];
    let clients = tx.find_clients_of_people(&people).await.unwrap();
    let mut clients: Vec<_> = clients.into_values().map(|(_, name)| name).collect();
    clients.sort();
    assert_eq!(clients, ["ada", "ada", "bob"]);
    let joins = tx.join_anonymous_ids(&[("v", "bob"), ("v", "ada")], now()).await.unwrap();
    assert_eq!(joins, [JoinOutcome::BelongsToOther, JoinOutcome::Joined]);
});
