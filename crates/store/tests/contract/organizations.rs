//! Organizations and their settings.

use mainstay_core::{
    engagement::{EventType, segment::ClientIdentity},
    id::OrganizationId,
    score::{MissingData, ScoreModel},
};
use mainstay_store::{
    EventName, NewOrganization, Organization, OrganizationPatch, Scope, Store, StoreError,
};

use crate::{
    fixtures::{at, client, day, end_zone_change, event, fresh, now, organization, send},
    harness::Database,
};

fn new(slug: &str) -> NewOrganization {
    NewOrganization {
        id: fresh(),
        slug: slug.to_owned(),
        name: "Acme Studio".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        sample: true,
        token_secret: "the secret".to_owned(),
        created_at: at("2026-05-01T09:30:00.123456Z"),
    }
}

async fn create(store: &Store, new: &NewOrganization) {
    let mut tx = store.begin(Scope::System).await.unwrap();
    tx.create_organization(new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn read(store: &Store, id: OrganizationId) -> Organization {
    store.read(Scope::Service(id)).await.unwrap().get_organization().await.unwrap()
}

on_both_databases!(a_new_organization_has_its_secret_and_the_standard_model, async |store| {
    let acme = new("acme");
    create(store, &acme).await;
    let expected = Organization {
        id: acme.id,
        slug: "acme".to_owned(),
        name: "Acme Studio".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        sample: true,
        created_at: acme.created_at,
        model_version: 1,
        scored_until: None,
        folded_until: None,
        health_checked_until: None,
        clients_are: ClientIdentity::User,
        count_self_told: false,
        zone_change_since: None,
    };
    assert_eq!(read(store, acme.id).await, expected);
    let mut tx = store.read(Scope::Service(acme.id)).await.unwrap();
    assert_eq!(tx.scope(), Scope::Service(acme.id));
    assert_eq!(tx.get_client_token_secret().await.unwrap(), "the secret");
    let models = tx.list_score_models().await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].version, ScoreModel::STANDARD_VERSION);
    assert_eq!(models[0].model, ScoreModel::standard());
    assert_eq!(models[0].created_at, acme.created_at);
    assert_eq!(tx.list_event_names().await.unwrap(), []);
});

on_both_databases!(organizations_are_found_by_slug_and_listed_in_its_order, async |store| {
    for slug in ["zebra", "a-b", "ab", "a1"] {
        create(store, &new(slug)).await;
    }
    let mut tx = store.read(Scope::System).await.unwrap();
    let slugs: Vec<String> =
        tx.list_organizations().await.unwrap().into_iter().map(|one| one.slug).collect();
    assert_eq!(slugs, ["a-b", "a1", "ab", "zebra"]);
    assert_eq!(tx.find_organization_by_slug("ab").await.unwrap().unwrap().slug, "ab");
    assert_eq!(tx.find_organization_by_slug("AB").await.unwrap(), None);
    assert_eq!(tx.scope(), Scope::System);
});

on_both_databases!(a_slug_belongs_to_one_organization, async |store| {
    create(store, &new("acme")).await;
    let mut tx = store.begin(Scope::System).await.unwrap();
    let again = tx.create_organization(&new("acme")).await;
    assert!(matches!(again, Err(StoreError::Taken("slug"))), "{again:?}");
});

on_both_databases!(a_patch_changes_what_it_names_and_nothing_else, async |store| {
    let ours = organization(store, "UTC").await;
    let before = read(store, ours).await;
    for (name, time_zone) in [(None, None), (Some("New"), None), (None, Some("Asia/Kathmandu"))] {
        let patch = OrganizationPatch {
            name: name.map(str::to_owned),
            time_zone: time_zone.map(str::to_owned),
            ..OrganizationPatch::default()
        };
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.update_organization(&patch).await.unwrap();
        tx.commit().await.unwrap();
    }
    let expected =
        Organization { name: "New".to_owned(), time_zone: "Asia/Kathmandu".to_owned(), ..before };
    assert_eq!(read(store, ours).await, expected);
});

on_both_databases!(a_transaction_sees_what_it_changed_of_its_organization, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().time_zone, "UTC");
    let patch = OrganizationPatch {
        time_zone: Some("Asia/Kathmandu".to_owned()),
        ..OrganizationPatch::default()
    };
    tx.update_organization(&patch).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().time_zone, "Asia/Kathmandu");
    tx.advance_scored_until(at("2026-05-01")).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().scored_until, Some(at("2026-05-01")));
    tx.publish_score_model(&ScoreModel::standard(), now()).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().model_version, 2);
});

on_both_databases!(marks_of_progress_only_move_forward, async |store| {
    let ours = organization(store, "UTC").await;
    let (early, late) = (at("2026-05-01T00:00:00Z"), at("2026-05-02T00:00:00Z"));
    for as_of in [late, early] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.advance_scored_until(as_of).await.unwrap();
        tx.advance_health_checked_until(as_of).await.unwrap();
        tx.commit().await.unwrap();
        let ours = read(store, ours).await;
        assert_eq!(ours.scored_until, Some(late));
        assert_eq!(ours.health_checked_until, Some(late));
    }
});

on_both_databases!(a_published_model_is_the_next_version_and_old_ones_stay, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let mut model = ScoreModel::standard();
    "ours".clone_into(&mut model.name);
    model.satisfaction.without_feedback = MissingData::Exclude;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.publish_score_model(&model, now()).await.unwrap(), 2);
    assert_eq!(tx.publish_score_model(&ScoreModel::standard(), now()).await.unwrap(), 3);
    tx.commit().await.unwrap();

    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let models = tx.list_score_models().await.unwrap();
    assert_eq!(models.iter().map(|model| model.version).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(models[1].model, model);
    assert_eq!(models[1].created_at, now());
    assert_eq!(tx.get_organization().await.unwrap().model_version, 3);
    assert_eq!(read(store, theirs).await.model_version, 1);
});

on_both_databases!(event_names_are_mapped_replaced_and_forgotten, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let name = |name: &str, event_type| EventName { name: name.to_owned(), event_type };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_event_names(&[
        name("Report Exported", EventType::ExportDownloaded),
        name("Éclair", EventType::Custom),
        name("report", EventType::Login),
    ])
    .await
    .unwrap();
    tx.set_event_names(&[name("report", EventType::PageView)]).await.unwrap();
    tx.set_event_names(&[]).await.unwrap();
    assert_eq!(
        tx.list_event_names().await.unwrap(),
        [
            name("Report Exported", EventType::ExportDownloaded),
            name("report", EventType::PageView),
            name("Éclair", EventType::Custom),
        ]
    );
    assert!(tx.delete_event_name("Éclair").await.unwrap());
    assert!(!tx.delete_event_name("Éclair").await.unwrap());
    tx.commit().await.unwrap();

    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert_eq!(tx.list_event_names().await.unwrap(), []);
    assert!(!tx.delete_event_name("report").await.unwrap(), "another organization's");
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_event_names().await.unwrap().len(), 2);
});

on_both_databases!(of_a_name_that_is_mapped_twice_at_once_the_last_mapping_counts, async |store| {
    let ours = organization(store, "UTC").await;
    let name = |event_type| EventName { name: "Made".to_owned(), event_type };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.set_event_names(&[name(EventType::Login), name(EventType::VisualCreated)]).await.unwrap();
    assert_eq!(tx.list_event_names().await.unwrap(), [name(EventType::VisualCreated)]);
});

on_both_databases!(a_deleted_organization_leaves_no_row_behind, async |store| {
    let (ours, theirs) = (
        crate::isolation::filled(store, "UTC").await,
        crate::isolation::filled(store, "UTC").await,
    );
    let kept = everything(store, theirs).await;
    assert!(kept.iter().all(|(_, rows)| !rows.is_empty()), "{kept:?}");
    let mut tx = store.begin(Scope::System).await.unwrap();
    tx.delete_organization(ours).await.unwrap();
    tx.commit().await.unwrap();
    for (table, rows) in everything(store, ours).await {
        assert!(rows.is_empty(), "{table}: {rows:?}");
    }
    assert_eq!(everything(store, theirs).await, kept);
});

/// All that is stored of an organization, table by table.
pub(crate) async fn everything(
    store: &Database,
    organization: OrganizationId,
) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    for table in std::iter::once("organizations").chain(mainstay_store::TENANT_TABLES) {
        all.push((table, store.rows_of(table, organization.uuid()).await));
    }
    all
}

on_both_databases!(a_new_zone_moves_every_event_to_its_day_there, async |store| {
    let ours = organization(store, "UTC").await;
    // 23:30 in UTC is tomorrow in Kathmandu (+05:45) and still today in New York.
    let evening = event("ada", "m1", EventType::ContentGenerated, "2026-05-01T23:30:00Z");
    let morning = event("ada", "m2", EventType::ContentGenerated, "2026-05-02T02:00:00Z");
    let other = event("bob", "m3", EventType::Login, "2026-05-01T23:30:00Z");
    send(store, ours, &[evening, morning, other]).await;
    let ada = crate::fixtures::found_id(store, ours, "ada").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-10")).await.unwrap();
    tx.commit().await.unwrap();

    for (zone, expected) in [
        ("Asia/Kathmandu", vec![("2026-05-02", 2)]),
        ("America/New_York", vec![("2026-05-01", 2)]),
        ("UTC", vec![("2026-05-01", 1), ("2026-05-02", 1)]),
    ] {
        let patch = OrganizationPatch {
            name: None,
            time_zone: Some(zone.to_owned()),
            ..OrganizationPatch::default()
        };
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.update_organization(&patch).await.unwrap();
        tx.begin_zone_change(now()).await.unwrap();
        tx.commit().await.unwrap();
        end_zone_change(store, ours).await;

        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let days = tx.list_day_activity(ada, day("2026-04-01"), day("2026-06-01")).await.unwrap();
        let days: Vec<_> = days.iter().map(|one| (one.day.to_string(), one.events)).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(day, events)| (day.to_owned(), events)).collect();
        assert_eq!(days, expected, "{zone}");
        let organization = tx.get_organization().await.unwrap();
        assert_eq!(organization.folded_until, Some(day("2026-05-10")), "{zone}");
        assert_eq!(organization.zone_change_since, None, "{zone}");
        tx.rollback().await.unwrap();
        crate::verify::assert_honest(store, ours).await;
    }
});

on_both_databases!(a_zone_of_an_organization_without_events_is_changed_at_once, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.begin_zone_change(now()).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().zone_change_since, None);
    assert_eq!(tx.find_days_to_verify().await.unwrap(), None);
});
