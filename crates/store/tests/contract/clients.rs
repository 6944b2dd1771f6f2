//! Clients: found, created, changed, deleted.

use jiff::SignedDuration;
use mainstay_core::{engagement::EventType, id::ClientId};
use mainstay_store::{
    Client, ClientChunk, ClientPatch, ClientSighting, Profile, ProfileField, ResolvedClient,
    RollUp, Scope, StoreError, new_id,
};
use serde_json::{Map, Value, json};

use crate::fixtures::{
    at, client, event, event_at, everybody, found, fresh, now, organization, send, send_to_roll_up,
};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

on_both_databases!(a_client_is_kept_as_it_was_told, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = Client {
        id: fresh(),
        external_id: "Ünïcode 👋 '\"\\".to_owned(),
        profile: Profile {
            name: Some("Ada".to_owned()),
            email: Some("ada@example.com".to_owned()),
            unconfirmed_email: Some("grace@example.com".to_owned()),
            plan: Some("pro".to_owned()),
            group_id: Some("acme".to_owned()),
            traits: object(json!({"seats": 3, "tags": ["a", null], "rate": 0.1, "big": i64::MAX})),
        },
        created_at: at("2026-05-01T09:30:00.123456Z"),
        owner: None,
    };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_client(&ada).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(store, ours, &ada.external_id).await, ada);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_client("nobody").await.unwrap(), None);
    assert_eq!(tx.find_client(&ada.external_id.to_lowercase()).await.unwrap(), None);
    assert_eq!(tx.count_clients().await.unwrap(), 1);
});

on_both_databases!(an_external_id_is_one_clients_in_an_organization, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    let ada = client(store, ours, "ada", "2026-05-01").await;
    client(store, theirs, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let again = tx.create_client(&Client { id: fresh(), ..ada }).await;
    assert!(matches!(again, Err(StoreError::Taken("client_id"))), "{again:?}");
});

on_both_databases!(clients_are_paged_in_the_order_of_their_names, async |store| {
    let ours = organization(store, "UTC").await;
    // By bytes: a language's order would put "b" before "B" and skip the hyphen.
    let names = ["-1", "A", "B", "a", "a-1", "a1", "b", "é"];
    for name in names.iter().rev() {
        client(store, ours, name, "2026-05-01").await;
    }
    client(store, organization(store, "UTC").await, "a2", "2026-05-01").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = tx.list_clients(seen.last().map(String::as_str), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        seen.extend(page.into_iter().map(|client| client.external_id));
    }
    assert_eq!(seen, names);
    assert_eq!(tx.count_clients().await.unwrap(), 8);
});

on_both_databases!(chunks_cover_every_client_that_existed_before_the_instant_once, async |store| {
    let ours = organization(store, "UTC").await;
    let mut expected = Vec::new();
    for number in 0..7 {
        // Ids that do not follow the names.
        let id: ClientId = new_id(at(&format!("2026-05-{:02}", 20 - number)));
        let client = Client {
            id,
            external_id: format!("client-{number}"),
            profile: Profile::default(),
            created_at: at(&format!("2026-04-{:02}", number + 1)),
            owner: None,
        };
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.create_client(&client).await.unwrap();
        tx.commit().await.unwrap();
        expected.push((
            ResolvedClient { id, created_at: client.created_at },
            client.external_id.clone(),
        ));
    }
    // The seventh is created at the instant itself, so not before it.
    expected.truncate(6);
    expected.sort_by_key(|(client, _)| client.id);
    let as_of = at("2026-04-07");
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let chunk = tx.client_chunk(last, as_of, 4).await.unwrap();
        if chunk.last().is_none() {
            break;
        }
        last = chunk.last();
        seen.extend(chunk.clients);
    }
    assert_eq!(seen, expected);
});

on_both_databases!(a_chunk_of_one_client_is_that_client, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let chunk = ClientChunk::of(&ada);
    assert_eq!(chunk.last(), Some(ada.id));
    assert_eq!(chunk.clients, everybody(store, ours, now()).await.clients);
});

on_both_databases!(
    new_clients_are_created_when_first_seen_and_known_ones_left_alone,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-05-10").await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let seen = |external_id, first_at| ClientSighting { external_id, first_at: at(first_at) };
        let resolved = tx
            .resolve_clients(
                &[
                    seen("bob", "2026-05-03"),
                    seen("ada", "2026-05-01"),
                    seen("bob", "2026-05-02"),
                    seen("bob", "2026-05-04"),
                    seen("cleo", "2026-05-05"),
                ],
                now(),
            )
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(resolved.len(), 5);
        assert_eq!(resolved[1], ResolvedClient { id: ada.id, created_at: ada.created_at });
        assert_eq!(resolved[0].created_at, at("2026-05-02"));
        assert_eq!([resolved[2], resolved[3]], [resolved[0]; 2]);
        assert_eq!(resolved[4].created_at, at("2026-05-05"));
        assert_eq!(found(store, ours, "ada").await.created_at, at("2026-05-10"));
        let bob = found(store, ours, "bob").await;
        assert_eq!(bob.id, resolved[0].id);
        assert_eq!(bob.profile, Profile::default());

        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let again = tx.resolve_clients(&[seen("bob", "2026-04-01")], now()).await.unwrap();
        assert_eq!(again, [resolved[0]]);
        assert_eq!(tx.resolve_clients(&[], now()).await.unwrap(), []);
    }
);

on_both_databases!(a_client_that_was_never_committed_is_not_kept_in_mind, async |store| {
    let ours = organization(store, "UTC").await;
    let seen = [ClientSighting { external_id: "ada", first_at: now() }];
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let undone = tx.resolve_clients(&seen, now()).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let made = tx.resolve_clients(&seen, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_ne!(made, undone);
    assert_eq!(found(store, ours, "ada").await.id, made[0].id);
});

on_both_databases!(a_client_that_another_process_deleted_is_not_kept_in_mind, async |store| {
    let ours = organization(store, "UTC").await;
    let seen = [ClientSighting { external_id: "ada", first_at: now() }];
    let resolve = async || {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let resolved = tx.resolve_clients(&seen, now()).await.unwrap();
        tx.commit().await.unwrap();
        resolved[0]
    };
    let first = resolve().await;
    assert_eq!(resolve().await, first);
    let other = store.reopened().await;
    let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(first.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    other.close().await;
    let again = resolve().await;
    assert_ne!(again.id, first.id);
    assert_eq!(found(store, ours, "ada").await.id, again.id);
});

on_both_databases!(a_client_moved_back_is_known_as_it_is_now, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |id: &str, when: &str| event("ada", id, EventType::Login, when);
    send(store, ours, &[login("m1", "2026-05-18")]).await;
    send(store, ours, &[login("m2", "2026-05-10")]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let seen = [ClientSighting { external_id: "ada", first_at: now() }];
    assert_eq!(tx.resolve_clients(&seen, now()).await.unwrap()[0].created_at, at("2026-05-10"));
});

on_both_databases!(a_thousand_clients_are_resolved_at_once, async |store| {
    let ours = organization(store, "UTC").await;
    let names: Vec<String> = (0..1_003).map(|number| format!("client {number}")).collect();
    let seen: Vec<ClientSighting<'_>> =
        names.iter().map(|name| ClientSighting { external_id: name, first_at: now() }).collect();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let first = tx.resolve_clients(&seen, now()).await.unwrap();
    assert_eq!(first.len(), names.len());
    assert_eq!(tx.resolve_clients(&seen, now()).await.unwrap(), first);
    assert_eq!(tx.count_clients().await.unwrap(), 1_003);
});

on_both_databases!(a_patch_adds_traits_and_leaves_the_rest_alone, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let patches = [
        ClientPatch {
            name: Some("Ada".to_owned()),
            traits: object(json!({"seats": 3, "colour": "red"})),
            ..ClientPatch::default()
        },
        ClientPatch {
            email: Some("ada@example.com".to_owned()),
            plan: Some("pro".to_owned()),
            group_id: Some("acme".to_owned()),
            ..ClientPatch::default()
        },
        ClientPatch {
            plan: Some("free".to_owned()),
            traits: object(json!({"seats": 4, "colour": null, "nothing": null})),
            clear: vec![ProfileField::Email],
            ..ClientPatch::default()
        },
        ClientPatch::default(),
    ];
    for patch in &patches {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.update_client(ada.id, patch, now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let expected = Profile {
        name: Some("Ada".to_owned()),
        email: None,
        unconfirmed_email: None,
        plan: Some("free".to_owned()),
        group_id: Some("acme".to_owned()),
        traits: object(json!({"seats": 4})),
    };
    assert_eq!(found(store, ours, "ada").await, Client { profile: expected, ..ada });
    assert_eq!(found(store, ours, "bob").await, bob);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(
        tx.update_client(fresh(), &patches[0], now()).await.is_err(),
        "there is no such client"
    );
});

on_both_databases!(a_client_exists_since_its_earliest_stored_event, async |store| {
    let ours = organization(store, "UTC").await;
    client(store, ours, "ada", "2026-05-10").await;
    let login = |client, id, when| event(client, id, EventType::Login, when);
    let created = async |name: &str| found(store, ours, name).await.created_at;

    send(store, ours, &[login("ada", "m1", "2026-05-12"), login("bob", "m1", "2026-05-12")]).await;
    assert_eq!(created("ada").await, at("2026-05-10"), "it existed before it did anything");
    assert_eq!(created("bob").await, at("2026-05-12"));

    send(store, ours, &[login("bob", "m2", "2026-05-08"), login("bob", "m3", "2026-05-09")]).await;
    send(store, ours, &[login("ada", "m2", "2026-05-09")]).await;
    assert_eq!(created("ada").await, at("2026-05-09"));
    assert_eq!(created("bob").await, at("2026-05-08"));

    send(store, ours, &[login("bob", "m4", "2026-05-15")]).await;
    assert_eq!(created("bob").await, at("2026-05-08"));
});

on_both_databases!(
    a_deleted_client_leaves_nothing_of_the_first_day_there_is_nor_of_tomorrow,
    async |store| {
        for zone in ["America/New_York", "Pacific/Kiritimati"] {
            let ours = organization(store, zone).await;
            let tomorrow = now() + SignedDuration::from_hours(24);
            for (roll_up, id) in [(RollUp::Immediately, "m1"), (RollUp::Later, "m2")] {
                let happened = [at("2000-01-01T00:00:00Z"), now(), tomorrow];
                let events = happened.map(|when| event_at("ada", id, EventType::Login, when));
                send_to_roll_up(store, ours, &events, roll_up).await;
            }
            let ada = found(store, ours, "ada").await;
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            tx.delete_client(ada.id, now()).await.unwrap();
            tx.commit().await.unwrap();
            for table in
                ["client_engagement_events", "daily_activity", "pending_activity", "clients"]
            {
                let left = store.rows_of(table, ours.uuid()).await;
                assert_eq!(left, Vec::<String>::new(), "{zone}: {table}");
            }
        }
    }
);

on_both_databases!(a_deleted_client_leaves_no_row_and_takes_nobody_elses, async |store| {
    let ours = crate::isolation::filled(store, "UTC").await;
    let (ada, bob) = (found(store, ours, "ada").await, found(store, ours, "bob").await);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(ada.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    for (table, rows) in crate::organizations::everything(store, ours).await {
        let mentions = |id: ClientId| {
            let (hyphens, bare) = (id.to_string(), id.uuid().simple().to_string().to_uppercase());
            rows.iter().any(|row| row.contains(&hyphens) || row.contains(&bare))
        };
        if table == "portfolio_changes" {
            // Says that somebody is gone, to those who keep the portfolio in memory.
            assert!(mentions(ada.id), "{rows:?}");
            continue;
        }
        assert!(!mentions(ada.id), "{table}: {rows:?}");
        let of_clients = !matches!(
            table,
            "organizations"
                | "organization_secrets"
                | "members"
                | "api_keys"
                | "event_names"
                | "score_models"
                | "score_days"
                | "alert_actions"
                | "member_passwords"
                | "sessions"
                | "sign_in_links"
                | "sign_in_failures"
                | "client_lockouts"
                | "allowed_sites"
                | "refused_events"
                | "data_silences"
                | "key_activity"
                | "key_silences"
                | "job_schedules"
                | "job_runs"
                | "related_profiles"
                | "waiting_events"
                | "email_settings"
                | "email_suppressions"
                | "email_events"
                | "activity_parts"
                | "webhook_endpoints"
                | "alert_news"
                | "webhook_messages"
                | "webhook_message_alerts"
                | "webhook_attempts"
                | "notification_settings"
                | "playbooks"
                | "secret_keys"
                | "erased_clients"
                | "erasure_keys"
                | "staff_emails"
                | "client_merge_events"
        );
        assert_eq!(mentions(bob.id), of_clients, "{table}: {rows:?}");
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_client("ada").await.unwrap(), None);
    assert_eq!(
        tx.list_alerts(&mainstay_store::AlertFilter::default(), 100).await.unwrap().len(),
        1
    );
    tx.rollback().await.unwrap();
    crate::verify::assert_honest(store, ours).await;

    // The same name is somebody new from here on.
    send(store, ours, &[event("ada", "ada-1", EventType::Login, "2026-05-18T10:00:00Z")]).await;
    let again = found(store, ours, "ada").await;
    assert_ne!(again.id, ada.id);
    assert_eq!(again.created_at, at("2026-05-18T10:00:00Z"));
});
