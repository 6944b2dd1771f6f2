//! Erasing a client: nothing names it any more, and it stays away as long as it is to.

use mainstay_core::{
    email::{EmailContent, EmailState, Item, SubscriptionState},
    engagement::EventType,
    id::OrganizationId,
    time::time_zone,
};
use mainstay_store::{
    Client, ClientNote, ClientPatch, ClientSighting, IdBlock, Membership, NewMember, NewRefusal,
    NewStaffEmail, Role, Scope, StoreError, Subscription, TENANT_TABLES,
};

use crate::{
    fixtures::{at, client, day, event, found, fresh, now, organization, send},
    harness::Database,
    jobs::new_run,
    webhooks::{message, new_webhook},
};

/// In every text of the client, and in nothing else.
const MARK: &str = "hedwig";
const ID: &str = "client-hedwig-7";
const ADDRESS: &str = "Hedwig.Unique@private.example";

fn refusal(body: &str, reason: &str) -> NewRefusal {
    NewRefusal {
        at: now(),
        field: "timestamp".to_owned(),
        reason: reason.to_owned(),
        body: body.to_owned(),
        more: 0,
    }
}

/// A client that is named wherever one can be.
async fn known_everywhere(store: &Database) -> (OrganizationId, Client) {
    let ours = organization(store, "UTC").await;
    send(store, ours, &[event(ID, "m-hedwig", EventType::Login, "2026-05-18T09:00:00Z")]).await;
    client(store, ours, "bob", "2026-05-01").await;
    let hedwig = found(store, ours, ID).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let patch = ClientPatch {
        name: Some("Hedwig Unique".to_owned()),
        email: Some(ADDRESS.to_owned()),
        ..ClientPatch::default()
    };
    tx.update_client(hedwig.id, &patch, now()).await.unwrap();
    let zone = time_zone("UTC").unwrap();
    tx.merge_client("visitor-hedwig", ID, &zone, now()).await.unwrap();
    let person = "user-hedwig";
    let joined = Membership { person, since: now(), message_id: "m", client: hedwig.id };
    tx.lock_events(true).await.unwrap();
    tx.insert_memberships(&[joined], &zone, now()).await.unwrap();
    let consent = Subscription {
        state: SubscriptionState::Subscribed,
        address: "news-hedwig@private.example".to_owned(),
        source: mainstay_core::email::ConsentSource::Api,
        changed_at: now(),
    };
    tx.set_subscription(hedwig.id, &consent).await.unwrap();
    tx.suppress_address(ADDRESS, "550 no such user", now()).await.unwrap();
    tx.suppress_address("news-hedwig@private.example", "550 no such user", now()).await.unwrap();
    tx.suppress_address("bob@private.example", "550 no such user", now()).await.unwrap();
    let owner = NewMember {
        id: fresh(),
        email: "owner@example.com".to_owned(),
        name: "Owner".to_owned(),
        role: Role::Owner,
    };
    tx.create_member(&owner, now()).await.unwrap();
    let note = ClientNote {
        id: fresh(),
        member: owner.id,
        text: "Hedwig likes calls.".to_owned(),
        created_at: now(),
    };
    tx.create_note(hedwig.id, &note).await.unwrap();
    tx.record_refusals(&[
        refusal(&format!("{{\"userId\":\"{ID}\"}}"), "is too old"),
        refusal(&format!("{{\"traits\":{{\"email\":\"{}\"}}}}", ADDRESS.to_lowercase()), "no"),
        refusal("{\"userId\":\"user-hedwig\"}", "no"),
        refusal("{\"userId\":\"client-hed…", "no"),
        refusal("", "visitor-hedwig cannot be used"),
        refusal("{\"userId\":\"bob\"}", "is too old"),
    ])
    .await
    .unwrap();
    let item = |title: &str| Item {
        label: "Critical".to_owned(),
        title: title.to_owned(),
        message: "No event for 3 days.".to_owned(),
    };
    let digest = NewStaffEmail {
        id: fresh(),
        member: owner.id,
        day: day("2026-05-19"),
        told_until: now(),
        subject: format!("Organization: {ID} fell silent"),
        content: EmailContent {
            heading: "2 alerts opened.".to_owned(),
            lead: "Hedwig Unique and one more.".to_owned(),
            items: vec![item("Hedwig Unique, no activity"), item("bob, no activity")],
            ..EmailContent::default()
        },
        due_at: now(),
    };
    tx.enqueue_staff_emails(&[digest], now()).await.unwrap();
    let webhook = new_webhook();
    tx.create_webhook(&webhook, now()).await.unwrap();
    tx.enqueue_webhook_messages(&[message(webhook.id, &[])], now()).await.unwrap();
    tx.commit().await.unwrap();
    fail_a_job(store, ours).await;
    // A message that names it without being about one of its alerts.
    let organization = store.id(ours.uuid());
    let notice = format!("'{{\"clients\": [\"{ID}\"]}}'");
    let notice = if store.is_postgres() { format!("{notice}::jsonb") } else { notice };
    let changed = store
        .raw(&format!(
            "UPDATE webhook_messages SET notice = {notice} WHERE organization_id = {organization}"
        ))
        .await;
    assert_eq!(changed, 1);
    (ours, hedwig)
}

async fn fail_a_job(store: &Database, ours: OrganizationId) {
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_job_run(&new_run("daily", "2026-05-20"), now()).await.unwrap();
    tx.commit().await.unwrap();
    let organization = store.id(ours.uuid());
    store
        .raw(&format!(
            "UPDATE job_runs SET error = 'scores of {ID} failed' WHERE organization_id = {organization}"
        ))
        .await;
}

/// Tables that still name the client.
async fn named_in(store: &Database, ours: OrganizationId) -> Vec<String> {
    let mut named = Vec::new();
    for table in TENANT_TABLES {
        for row in store.rows_of(table, ours.uuid()).await {
            if row.to_lowercase().contains(MARK) {
                named.push(format!("{table}: {row}"));
            }
        }
    }
    named
}

on_both_databases!(an_erased_client_is_named_in_no_table, async |store| {
    let (ours, hedwig) = known_everywhere(store).await;
    let before = named_in(store, ours).await;
    for table in ["clients", "refused_events", "staff_emails", "job_runs", "email_suppressions"] {
        assert!(before.iter().any(|row| row.starts_with(table)), "{table} is no part of the test");
    }
    assert!(before.iter().any(|row| row.starts_with("webhook_messages")), "{before:?}");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let names = tx.erase_client(&hedwig, IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(names.ids, [ID, "visitor-hedwig"]);
    assert_eq!(named_in(store, ours).await, Vec::<String>::new());
    // And nothing of anybody else went with it.
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let refused = tx.list_refused_events(None, 10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].refusal.body.contains("bob"));
    assert_eq!(tx.list_suppressions(10).await.unwrap().len(), 1);
    let letters = tx.list_due_staff_emails(at("2026-06-01"), 10).await.unwrap();
    let letter = tx.find_staff_email(letters[0]).await.unwrap().unwrap();
    assert_eq!(letter.state, EmailState::Queued);
    assert_eq!(letter.subject, "Organization: (deleted client) fell silent");
    assert_eq!(letter.content.lead, "(deleted client) and one more.");
    let titles: Vec<&str> = letter.content.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["bob, no activity"]);
});

#[tokio::test]
async fn the_files_of_sqlite_hold_no_byte_of_an_erased_client() {
    let database = Database::sqlite().await;
    let (ours, hedwig) = known_everywhere(&database).await;
    // Grown and shrunk texts leave copies behind: in free pages and in the log.
    for size in [10, 3_000, 20] {
        let mut tx = database.begin(Scope::Service(ours)).await.unwrap();
        let traits = serde_json::json!({"about": "hedwig ".repeat(size)});
        let traits = traits.as_object().unwrap().clone();
        let patch = ClientPatch { traits, ..ClientPatch::default() };
        tx.update_client(hedwig.id, &patch, now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let left = || {
        let file = database.file().unwrap();
        let mut left = Vec::new();
        for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
            let count = bytes.windows(MARK.len()).filter(|at| *at == MARK.as_bytes()).count();
            if count > 0 {
                left.push(format!("{}: {count}", path.display()));
            }
        }
        left
    };
    assert!(!left().is_empty());
    let mut tx = database.begin(Scope::Service(ours)).await.unwrap();
    tx.erase_client(&hedwig, IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    // While a reader looks at what was, the log cannot be emptied; nobody waits for it.
    let mut reader = database.read(Scope::Service(ours)).await.unwrap();
    reader.count_clients().await.unwrap();
    send(&database, ours, &[event("bob", "m2", EventType::Login, "2026-05-18T09:00:00Z")]).await;
    assert!(!database.scrub().await.unwrap());
    reader.rollback().await.unwrap();
    assert!(database.scrub().await.unwrap());
    assert_eq!(left(), Vec::<String>::new());
    database.close().await;
}

on_both_databases!(a_store_is_freed_of_what_was_deleted, async |store| {
    let ours = organization(store, "UTC").await;
    assert!(store.scrub().await.unwrap());
    assert_eq!(found_clients(store, ours).await, 0);
});

async fn found_clients(store: &Database, ours: OrganizationId) -> i64 {
    store.read(Scope::Service(ours)).await.unwrap().count_clients().await.unwrap()
}

on_both_databases!(
    what_is_sent_of_a_client_that_is_kept_out_is_refused_and_counted,
    async |store| {
        let (ours, hedwig) = known_everywhere(store).await;
        let until = at("2026-05-21T12:00:00Z");
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.erase_client(&hedwig, IdBlock::Until(until), now()).await.unwrap();
        tx.commit().await.unwrap();
        let seen = |external_id| ClientSighting { external_id, first_at: now() };
        let all = [seen(ID), seen("bob"), seen("visitor-hedwig"), seen(ID), seen("new")];
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let admitted = tx.admit_clients(&all, now()).await.unwrap();
        let admitted: Vec<bool> = admitted.iter().map(Option::is_some).collect();
        assert_eq!(admitted, [false, true, false, false, true]);
        let refused = tx.resolve_clients(&[seen(ID)], now()).await;
        assert!(matches!(refused, Err(StoreError::IdBlocked)), "{refused:?}");
        tx.commit().await.unwrap();
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        let erased = tx.find_erased_client(ID, now()).await.unwrap().unwrap();
        assert_eq!((erased.refused, erased.refused_at), (3, Some(now())));
        assert_eq!((erased.erased_at, erased.keep_out_until), (now(), Some(until)));
        assert!(!erased.id_hash.contains(MARK));
        assert_eq!(tx.find_erased_client("bob", now()).await.unwrap(), None);
        assert_eq!(tx.list_erased_clients(now(), 10).await.unwrap().len(), 2);
        // When the time is over, it may come back.
        assert_eq!(tx.list_erased_clients(until, 10).await.unwrap(), []);
        drop(tx);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        assert!(tx.admit_clients(&[seen(ID)], until).await.unwrap()[0].is_some());
    }
);

on_both_databases!(a_client_that_is_let_in_again_comes_back_with_its_next_event, async |store| {
    let (ours, hedwig) = known_everywhere(store).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(!tx.unblock_client_id(ID).await.unwrap());
    tx.erase_client(&hedwig, IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    let seen = [ClientSighting { external_id: ID, first_at: now() }];
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.admit_clients(&seen, at("2036-01-01")).await.unwrap(), [None]);
    assert!(tx.unblock_client_id(ID).await.unwrap());
    assert!(!tx.unblock_client_id(ID).await.unwrap());
    assert!(tx.admit_clients(&seen, now()).await.unwrap()[0].is_some());
    // Without the wish to keep it out, an erasure leaves no trace.
    tx.block_client_id(&["visitor-hedwig".to_owned()], IdBlock::Unblocked, now()).await.unwrap();
    assert_eq!(tx.list_erased_clients(now(), 10).await.unwrap(), []);
});

on_both_databases!(an_id_that_one_organization_keeps_out_is_welcome_in_another, async |store| {
    let (ours, hedwig) = known_everywhere(store).await;
    let theirs = organization(store, "UTC").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.erase_client(&hedwig, IdBlock::Forever, now()).await.unwrap();
    tx.commit().await.unwrap();
    let seen = [ClientSighting { external_id: ID, first_at: now() }];
    let mut tx = store.begin(Scope::Service(theirs)).await.unwrap();
    assert!(tx.admit_clients(&seen, now()).await.unwrap()[0].is_some());
    assert_eq!(tx.list_erased_clients(now(), 10).await.unwrap(), []);
    assert!(!tx.unblock_client_id(ID).await.unwrap());
});
