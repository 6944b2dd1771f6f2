//! Passwords, sessions, one-time links, and what members and sites may be changed to.

use mainstay_core::{
    engagement::EventType,
    id::{MemberId, OrganizationId},
};
use mainstay_store::{
    ClientLockout, FoundPassword, LinkKind, MemberAccess, MemberSession, NewMember, NewSignInLink,
    RecordedFailures, Role, Scope, SeenName, SignInFailures, Store,
};

use crate::fixtures::{at, day, event, fresh, now, organization, send};

const LATER: &str = "2026-06-01T00:00:00Z";

async fn member(store: &Store, organization: OrganizationId, email: &str) -> MemberId {
    let id = fresh();
    let new = NewMember { id, email: email.to_owned(), name: "Ada".to_owned(), role: Role::Staff };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_member(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn link(hash: u8, kind: LinkKind, member: Option<MemberId>, expires_at: &str) -> NewSignInLink {
    NewSignInLink { hash: [hash; 32], kind, member, expires_at: at(expires_at) }
}

on_both_databases!(a_password_is_found_by_address_in_every_organization, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let mut expected = Vec::new();
    for (organization, hash) in [(ours, "one"), (theirs, "two")] {
        let member = member(store, organization, "ada@x.org").await;
        let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
        assert_eq!(tx.find_password_hash(member).await.unwrap(), None);
        tx.set_password(member, "before", now()).await.unwrap();
        tx.set_password(member, hash, now()).await.unwrap();
        assert_eq!(tx.find_password_hash(member).await.unwrap().as_deref(), Some(hash));
        tx.commit().await.unwrap();
        expected.push(FoundPassword { organization, member, hash: hash.to_owned() });
    }
    expected.sort_by_key(|found| found.organization);
    member(store, ours, "bob@x.org").await;
    let mut tx = store.read(Scope::System).await.unwrap();
    assert_eq!(tx.list_passwords_of("ada@x.org").await.unwrap(), expected);
    assert_eq!(tx.list_passwords_of("bob@x.org").await.unwrap(), []);
    assert_eq!(tx.list_members_with("ada@x.org").await.unwrap().len(), 2);
    assert_eq!(tx.list_members_with("eve@x.org").await.unwrap(), []);
});

on_both_databases!(a_member_sees_its_sessions_and_ends_one, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) =
        (member(store, ours, "ada@x.org").await, member(store, ours, "bob@x.org").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_session([51; 32], ada, now()).await.unwrap();
    tx.create_session([52; 32], ada, at(LATER)).await.unwrap();
    tx.create_session([53; 32], bob, now()).await.unwrap();
    let listed = tx.list_sessions_of(ada).await.unwrap();
    let one = |hash, at| MemberSession { hash: [hash; 32], created_at: at, used_at: at };
    assert_eq!(listed, [one(52, at(LATER)), one(51, now())]);
    assert!(!tx.delete_session_of(ada, [53; 32]).await.unwrap(), "it is bob's");
    assert!(tx.delete_session_of(ada, [51; 32]).await.unwrap());
    assert!(!tx.delete_session_of(ada, [51; 32]).await.unwrap());
    assert_eq!(tx.list_sessions_of(ada).await.unwrap(), [one(52, at(LATER))]);
    assert_eq!(tx.list_sessions_of(bob).await.unwrap(), [one(53, now())]);
});

on_both_databases!(wrong_passwords_are_counted_until_the_member_knows_of_them, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = member(store, ours, "ada@x.org").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_session([61; 32], ada, now()).await.unwrap();
    let first = tx.record_sign_in_failure(ada, "192.0.2.1", now()).await.unwrap();
    let failures = SignInFailures { count: 1, since: now(), last_at: now() };
    assert_eq!(first, RecordedFailures { failures, places: vec!["192.0.2.1".to_owned()] });
    let second = tx.record_sign_in_failure(ada, "2001:db8::1", at(LATER)).await.unwrap();
    assert_eq!(second.failures.count, 2);
    assert_eq!(second.places, ["2001:db8::1", "192.0.2.1"]);
    tx.commit().await.unwrap();
    let failures = async || {
        let mut tx = store.read(Scope::System).await.unwrap();
        tx.find_session([61; 32]).await.unwrap().unwrap().failures
    };
    let expected = SignInFailures { count: 2, since: now(), last_at: at(LATER) };
    assert_eq!(failures().await, Some(expected));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_sign_in_failures(ada).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(failures().await, None);
});

on_both_databases!(the_latest_places_of_wrong_passwords_are_remembered, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) =
        (member(store, ours, "ada@x.org").await, member(store, ours, "bob@x.org").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.record_sign_in_failure(bob, "203.0.113.1", now()).await.unwrap();
    for place in [1, 2, 3, 1, 4, 5, 6] {
        let place = format!("192.0.2.{place}");
        tx.record_sign_in_failure(ada, &place, now()).await.unwrap();
    }
    let last = tx.record_sign_in_failure(ada, "192.0.2.5", now()).await.unwrap();
    assert_eq!(last.failures.count, 8);
    assert_eq!(last.places, ["192.0.2.5", "192.0.2.6", "192.0.2.4", "192.0.2.1", "192.0.2.3"]);
    tx.commit().await.unwrap();
});

on_both_databases!(a_session_is_confirmed_when_it_begins_and_again_later, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let ada = member(store, ours, "ada@x.org").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_session([71; 32], ada, now()).await.unwrap();
    tx.create_session([72; 32], ada, now()).await.unwrap();
    tx.commit().await.unwrap();
    let confirmed_at = async |hash| {
        let mut tx = store.read(Scope::System).await.unwrap();
        tx.find_session(hash).await.unwrap().unwrap().confirmed_at
    };
    assert_eq!(confirmed_at([71; 32]).await, now());
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    tx.confirm_session([71; 32], at(LATER)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(confirmed_at([71; 32]).await, now(), "another organization confirmed it");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.confirm_session([71; 32], at(LATER)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(confirmed_at([71; 32]).await, at(LATER));
    assert_eq!(confirmed_at([72; 32]).await, now(), "only the session that was confirmed");
});

on_both_databases!(what_let_a_client_in_ends_from_an_instant_on, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_client_lockout("ada").await.unwrap(), ClientLockout::default());
    tx.lock_out_client("ada", true, now()).await.unwrap();
    let both = ClientLockout { sessions_from: Some(now()), tokens_from: Some(now()) };
    assert_eq!(tx.get_client_lockout("ada").await.unwrap(), both);
    // Signing out later ends sessions, and leaves tokens as they were.
    tx.lock_out_client("ada", false, at(LATER)).await.unwrap();
    let later = ClientLockout { sessions_from: Some(at(LATER)), ..both };
    assert_eq!(tx.get_client_lockout("ada").await.unwrap(), later);
    tx.lock_out_client("bob", false, now()).await.unwrap();
    let bob = ClientLockout { sessions_from: Some(now()), tokens_from: None };
    assert_eq!(tx.get_client_lockout("bob").await.unwrap(), bob);
    tx.commit().await.unwrap();
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert_eq!(tx.get_client_lockout("ada").await.unwrap(), ClientLockout::default());
    drop(tx);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.delete_client_lockouts(at(LATER)).await.unwrap(), 1, "bob's");
    assert_eq!(tx.get_client_lockout("ada").await.unwrap(), later);
});

on_both_databases!(a_session_is_found_until_it_is_ended, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) =
        (member(store, ours, "ada@x.org").await, member(store, ours, "bob@x.org").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for (hash, member) in [(1, ada), (2, ada), (3, ada), (4, bob)] {
        tx.create_session([hash; 32], member, now()).await.unwrap();
    }
    tx.touch_session([1; 32], at(LATER)).await.unwrap();
    tx.commit().await.unwrap();
    let find = async |hash: u8| {
        let mut tx = store.read(Scope::System).await.unwrap();
        tx.find_session([hash; 32]).await.unwrap()
    };
    let found = find(1).await.unwrap();
    assert_eq!((found.organization, found.member.id), (ours, ada));
    assert_eq!((found.created_at, found.used_at), (now(), at(LATER)));
    assert_eq!(found.member.email, "ada@x.org");
    assert_eq!(find(9).await, None);

    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_session([2; 32]).await.unwrap();
    assert_eq!(tx.delete_sessions_of(ada, Some([1; 32])).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(find(1).await.is_some() && find(4).await.is_some());
    assert!(find(2).await.is_none() && find(3).await.is_none());

    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let long_ago = at("2020-01-01");
    assert_eq!(
        tx.delete_expired_sessions(at(LATER), long_ago).await.unwrap(),
        1,
        "bob's was not used"
    );
    assert_eq!(tx.delete_expired_sessions(long_ago, at(LATER)).await.unwrap(), 1, "ada's is old");
    tx.create_session([5; 32], ada, now()).await.unwrap();
    tx.delete_member(ada).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(find(5).await, None);
});

on_both_databases!(a_link_is_used_once_before_it_expires, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let ada = member(store, ours, "ada@x.org").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for new in [
        link(1, LinkKind::Setup, None, LATER),
        link(2, LinkKind::Invitation, Some(ada), LATER),
        link(3, LinkKind::Reset, Some(ada), "2026-05-01"),
        link(4, LinkKind::Choice, Some(ada), LATER),
    ] {
        tx.create_sign_in_link(&new, now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let find = async |hash: u8| {
        let mut tx = store.read(Scope::System).await.unwrap();
        tx.find_sign_in_link([hash; 32]).await.unwrap()
    };
    let setup = find(1).await.unwrap();
    assert_eq!((setup.organization, setup.kind, setup.member), (ours, LinkKind::Setup, None));
    let invitation = find(2).await.unwrap();
    assert_eq!((invitation.kind, invitation.member), (LinkKind::Invitation, Some(ada)));
    assert_eq!((invitation.expires_at, invitation.used_at), (at(LATER), None));
    assert_eq!(find(4).await.unwrap().kind, LinkKind::Choice);
    assert_eq!(find(9).await, None);

    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert!(!tx.use_sign_in_link([2; 32], now()).await.unwrap(), "another organization's");
    tx.commit().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.use_sign_in_link([2; 32], now()).await.unwrap());
    assert!(!tx.use_sign_in_link([2; 32], now()).await.unwrap(), "it was used");
    assert!(!tx.use_sign_in_link([3; 32], now()).await.unwrap(), "it has expired");
    tx.commit().await.unwrap();
    assert_eq!(find(2).await.unwrap().used_at, Some(now()));

    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.delete_expired_sign_in_links(at("2026-05-15")).await.unwrap(), 1);
    assert_eq!(tx.delete_sign_in_links_of(ada, LinkKind::Choice).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(find(3).await.is_none() && find(4).await.is_none());
    assert!(find(1).await.is_some() && find(2).await.is_some());
});

on_both_databases!(only_the_link_of_a_first_owner_names_no_member, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = member(store, ours, "ada@x.org").await;
    for wrong in [
        link(1, LinkKind::Setup, Some(ada), LATER),
        link(2, LinkKind::Reset, None, LATER),
        link(3, LinkKind::Reset, Some(fresh()), LATER),
    ] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.create_sign_in_link(&wrong, now()).await.is_err(), "{wrong:?}");
    }
});

on_both_databases!(how_members_get_in_is_told, async |store| {
    let ours = organization(store, "UTC").await;
    let (ada, bob) =
        (member(store, ours, "ada@x.org").await, member(store, ours, "bob@x.org").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_password(ada, "hash", now()).await.unwrap();
    for (hash, expires_at) in [(1, "2026-06-02"), (2, "2026-06-03"), (3, "2026-05-01")] {
        let new = link(hash, LinkKind::Invitation, Some(bob), expires_at);
        tx.create_sign_in_link(&new, now()).await.unwrap();
    }
    let access = |member, password, until: Option<&str>| MemberAccess {
        member,
        password,
        invited_until: until.map(at),
    };
    let mut expected = [access(ada, true, None), access(bob, false, Some("2026-06-03"))];
    expected.sort_by_key(|access| access.member);
    assert_eq!(tx.list_member_access(now()).await.unwrap(), expected);
    tx.use_sign_in_link([2; 32], now()).await.unwrap();
    let left = tx.list_member_access(now()).await.unwrap();
    assert_eq!(left.iter().find_map(|one| one.invited_until), Some(at("2026-06-02")));
});

on_both_databases!(a_member_gets_another_role_and_name, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = member(store, ours, "ada@x.org").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.lock_roles().await.unwrap();
    assert!(tx.set_member_role(ada, Role::Owner).await.unwrap());
    assert!(tx.set_member_name(ada, "Ada L.").await.unwrap());
    assert!(!tx.set_member_role(fresh(), Role::Owner).await.unwrap());
    assert!(!tx.set_member_name(fresh(), "x").await.unwrap());
    let members = tx.list_members().await.unwrap();
    assert_eq!((members[0].role, members[0].name.as_str()), (Role::Owner, "Ada L."));
});

on_both_databases!(the_secret_of_client_tokens_is_replaced, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_client_token_secret("another one", now()).await.unwrap();
    assert_eq!(tx.get_client_token_secret().await.unwrap(), "another one");
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
    assert_ne!(tx.get_client_token_secret().await.unwrap(), "another one");
});

on_both_databases!(sites_are_listed_once_each, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for site in ["https://b.example", "https://a.example", "https://b.example"] {
        tx.add_allowed_site(site, now()).await.unwrap();
    }
    assert_eq!(tx.list_allowed_sites().await.unwrap(), ["https://a.example", "https://b.example"]);
    assert!(tx.remove_allowed_site("https://a.example").await.unwrap());
    assert!(!tx.remove_allowed_site("https://a.example").await.unwrap());
    assert_eq!(tx.list_allowed_sites().await.unwrap(), ["https://b.example"]);
    tx.commit().await.unwrap();
    let theirs = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    tx.add_allowed_site("https://c.example", now()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::System).await.unwrap();
    let mut all = tx.list_all_allowed_sites().await.unwrap();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    let expected = [(ours, "https://b.example"), (theirs, "https://c.example")];
    assert_eq!(all, expected.map(|(whose, site)| (whose, site.to_owned())));
});

on_both_databases!(custom_names_are_counted_the_most_frequent_first, async |store| {
    let ours = organization(store, "UTC").await;
    let mut events = Vec::new();
    for (id, name, kind, when) in [
        ("1", "Drawn", EventType::Custom, "2026-05-18"),
        ("2", "Sung", EventType::Custom, "2026-05-18"),
        ("3", "Sung", EventType::Custom, "2026-05-19"),
        ("4", "Old", EventType::Custom, "2026-05-01"),
        ("5", "login", EventType::Login, "2026-05-18"),
    ] {
        let mut event = event("ada", id, kind, when);
        name.clone_into(&mut event.name);
        events.push(event);
    }
    send(store, ours, &events).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let seen = |name: &str, events| SeenName { name: name.to_owned(), events };
    let since = day("2026-05-17");
    assert_eq!(tx.list_custom_names(since, 10).await.unwrap(), [seen("Sung", 2), seen("Drawn", 1)]);
    assert_eq!(tx.list_custom_names(since, 1).await.unwrap(), [seen("Sung", 2)]);
});
