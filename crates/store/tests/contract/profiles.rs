//! What is told of clients, people and groups in passing.

use mainstay_core::engagement::{ProfileChange, ProfileField, ProfilePatch};
use mainstay_store::{RelatedKind, Scope};
use serde_json::{Map, Value, json};

use crate::fixtures::{at, client, found, organization};

fn told(when: &str, fields: &[(ProfileField, Option<&str>)], traits: Value) -> ProfileChange {
    let Value::Object(traits) = traits else { panic!("traits are an object") };
    let fields = fields.iter().map(|(field, value)| (*field, value.map(str::to_owned))).collect();
    ProfileChange {
        client_id: "ada".to_owned(),
        at: at(when),
        message_id: when.to_owned(),
        patch: ProfilePatch { fields, traits },
    }
}

fn named(when: &str, name: &str) -> ProfileChange {
    told(when, &[(ProfileField::Name, Some(name))], json!({"seats": name.len()}))
}

on_both_databases!(the_newest_word_on_each_value_stands_whichever_comes_first, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let phone = |when, phone| told(when, &[], json!({"phone": phone}));
    for changes in [
        vec![named("2026-05-03", "Ada L."), named("2026-05-02", "Ada"), phone("2026-05-06", None)],
        vec![
            told("2026-05-01", &[(ProfileField::Plan, Some("pro"))], json!({"seats": 1})),
            told("2026-05-05", &[(ProfileField::Group, Some("acme"))], json!({})),
            told("2026-05-04", &[(ProfileField::Group, Some("other"))], json!({})),
            told("2026-05-02", &[(ProfileField::Plan, Some("free"))], json!({})),
            phone("2026-05-05", Some("1")),
        ],
    ] {
        let changes: Vec<_> = changes.iter().map(|change| (ada.id, change)).collect();
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let refusals = tx.apply_profile_changes(&changes).await.unwrap();
        assert!(refusals.iter().all(Option::is_none), "{refusals:?}");
        tx.commit().await.unwrap();
    }
    let profile = found(store, ours, "ada").await.profile;
    assert_eq!(profile.name.as_deref(), Some("Ada L."));
    assert_eq!(
        Value::Object(profile.traits),
        json!({"seats": 6}),
        "a late word brings nothing back"
    );
    assert_eq!(profile.plan.as_deref(), Some("free"), "the newest word on the plan");
    assert_eq!(profile.group_id.as_deref(), Some("acme"));
});

on_both_databases!(a_client_exists_since_it_was_first_told_of, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-10").await;
    for (when, since) in [("2026-05-12", "2026-05-10"), ("2026-05-03", "2026-05-03")] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.apply_profile_changes(&[(ada.id, &named(when, "Ada"))]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(store, ours, "ada").await.created_at, at(since));
    }
});

on_both_databases!(more_than_a_profile_may_hold_is_refused_by_itself, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let large = |name: &str| Map::from_iter([(name.to_owned(), json!("x".repeat(30_000)))]);
    let changes: Vec<ProfileChange> = ["a", "b", "c"]
        .iter()
        .map(|name| told("2026-05-02", &[], Value::Object(large(name))))
        .chain([named("2026-05-02", "Ada")])
        .collect();
    let told: Vec<_> = changes.iter().map(|change| (ada.id, change)).collect();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let refusals = tx.apply_profile_changes(&told).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        refusals.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, false, true, false]
    );
    let profile = found(store, ours, "ada").await.profile;
    assert_eq!(profile.traits.keys().collect::<Vec<_>>(), ["a", "b", "seats"]);
});

on_both_databases!(a_profile_that_is_known_is_no_change_of_the_portfolio, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let version = async || {
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        tx.list_portfolio_changes(None).await.unwrap().version
    };
    let mut versions = Vec::new();
    for when in ["2026-05-02", "2026-05-02", "2026-05-03"] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.apply_profile_changes(&[(ada.id, &named(when, "Ada"))]).await.unwrap();
        tx.commit().await.unwrap();
        versions.push(version().await);
    }
    assert_eq!(versions[0], versions[2]);
});

on_both_databases!(people_and_groups_keep_what_is_told_of_them, async |store| {
    let ours = organization(store, "UTC").await;
    for change in [named("2026-05-03", "Ada L."), named("2026-05-02", "Ada")] {
        for kind in [RelatedKind::Person, RelatedKind::Group] {
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            assert_eq!(tx.apply_related_profiles(kind, &[&change]).await.unwrap(), [None]);
            tx.commit().await.unwrap();
        }
    }
    for kind in [RelatedKind::Person, RelatedKind::Group] {
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        let profile = tx.find_related_profile(kind, "ada").await.unwrap().unwrap();
        assert_eq!(profile.name.as_deref(), Some("Ada L."));
        assert_eq!(tx.find_related_profile(kind, "bob").await.unwrap(), None);
        tx.rollback().await.unwrap();
        let theirs = organization(store, "UTC").await;
        let mut tx = store.read(Scope::Service(theirs)).await.unwrap();
        assert_eq!(tx.find_related_profile(kind, "ada").await.unwrap(), None);
    }
});
