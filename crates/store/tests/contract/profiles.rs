//! What is told of clients in passing.

use mainstay_core::engagement::{Profile, ProfileChange};
use mainstay_store::{AccountUser, Scope};
use serde_json::json;

use crate::fixtures::{at, client, found, organization};

fn told(when: &str, told: Profile) -> ProfileChange {
    ProfileChange { client_id: "ada".to_owned(), at: at(when), told }
}

fn named(name: &str) -> Profile {
    let traits = [("seats".to_owned(), json!(name.len()))].into_iter().collect();
    Profile { name: Some(name.to_owned()), traits, ..Profile::default() }
}

fn grouped(group: &str) -> Profile {
    Profile { group_id: Some(group.to_owned()), ..Profile::default() }
}

on_both_databases!(what_was_told_last_stands_whichever_comes_first, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    for changes in [
        vec![told("2026-05-03", named("Ada L.")), told("2026-05-02", named("Ada"))],
        vec![
            told("2026-05-01", Profile { plan: Some("pro".to_owned()), ..named("A") }),
            told("2026-05-05", grouped("acme")),
            told("2026-05-04", grouped("other")),
        ],
    ] {
        let changes: Vec<_> = changes.iter().map(|change| (ada.id, change)).collect();
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.learn_profiles(&changes).await.unwrap();
        tx.commit().await.unwrap();
    }
    let profile = found(store, ours, "ada").await.profile;
    assert_eq!(profile.name.as_deref(), Some("Ada L."));
    assert_eq!(profile.traits.get("seats"), Some(&json!(6)));
    assert_eq!(profile.plan.as_deref(), Some("pro"), "an older message fills in what is not known");
    assert_eq!(profile.group_id.as_deref(), Some("acme"));
});

on_both_databases!(a_profile_that_is_known_is_no_change_of_the_portfolio, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let version = async || {
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        tx.portfolio_changes(None).await.unwrap().version
    };
    let mut versions = Vec::new();
    for when in ["2026-05-02", "2026-05-02", "2026-05-03"] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.learn_profiles(&[(ada.id, &told(when, named("Ada")))]).await.unwrap();
        tx.commit().await.unwrap();
        versions.push(version().await);
    }
    assert_eq!(versions[0], versions[2]);
});

on_both_databases!(a_user_belongs_to_the_account_that_was_told_last, async |store| {
    let ours = organization(store, "UTC").await;
    let acme = client(store, ours, "acme", "2026-05-01").await;
    let other = client(store, ours, "other", "2026-05-01").await;
    let told = |user_id, account, since| AccountUser { user_id, account, since: at(since) };
    for users in [
        vec![told("ada", acme.id, "2026-05-02"), told("bob", other.id, "2026-05-02")],
        vec![told("ada", other.id, "2026-05-01"), told("bob", acme.id, "2026-05-03")],
    ] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.set_accounts(&users).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let accounts = tx.accounts_of(&["ada", "bob", "eve"]).await.unwrap();
    assert_eq!(accounts.len(), 2);
    assert_eq!((&*accounts["ada"], &*accounts["bob"]), ("acme", "acme"));
    tx.rollback().await.unwrap();
    let theirs = organization(store, "UTC").await;
    let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
    assert!(tx.accounts_of(&["ada", "bob"]).await.unwrap().is_empty());
});
