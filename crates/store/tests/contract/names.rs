//! Names that the code does not know: an error where they are read, never something else.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{
    id::{AlertId, ClientId, OrganizationId, StaffEmailId, TransactionalEmailId, WebhookId},
    time::time_zone,
};
use mainstay_store::{
    AlertFilter, ClientChunk, EmailFilter, KeyKind, KeySource, NAME_COLUMNS, NameColumn, NewApiKey,
    Result, Scope, StaffTaskFilter, StoreError,
};

use crate::{
    fixtures::{ZONE_STEP, at, day, found, fresh, now},
    harness::Database,
    isolation::filled,
};

/// What makes a known name an unknown one.
const SUFFIX: &str = "_of_the_future";

/// Columns of text that are not read as names: what people and programs wrote, documents, and names that
/// queries alone compare or that are shown as they are.
const OTHER_TEXT: &[(&str, &str)] = &[
    ("alert_actions", "action note"),
    ("alert_news", "message"),
    ("allowed_sites", "origin"),
    ("anonymous_ids", "anonymous_id"),
    ("api_keys", "prefix"),
    ("client_activity_totals", "active_days"),
    ("client_aliases", "external_id"),
    ("client_engagement_events", "data message_id name page_path session_id"),
    ("client_feedback", "comment"),
    ("client_insights", "evidence figures message title"),
    ("client_lockouts", "external_id"),
    ("client_merge_events", "message_id"),
    ("client_merge_rows", "content kind row_key table_name"),
    ("client_merges", "into_id previous_id"),
    ("client_momentum_alerts", "figures message"),
    ("client_notes", "text"),
    ("client_success_emails", "address content reason subject"),
    ("client_success_scores", "inputs"),
    ("clients", "email external_id group_id name plan profile_times traits unconfirmed_email"),
    ("daily_activity", "instants"),
    ("email_consents", "address"),
    ("email_events", "kind"),
    ("email_settings", "settings"),
    ("email_subscriptions", "address"),
    ("email_suppressions", "address reason"),
    ("erased_clients", "id_hash"),
    ("erasure_keys", "secret"),
    ("event_moves", "message_id"),
    ("event_names", "name"),
    // Jobs are read by the server: a run of one that it does not know is left to whoever does.
    ("job_runs", "counts error holder job step"),
    ("job_schedules", "cron job"),
    ("member_passwords", "hash"),
    ("members", "email name"),
    ("memberships", "message_id person_id"),
    ("notification_settings", "settings"),
    ("onboarding_tasks", "title"),
    ("organization_secrets", "kind secret"),
    ("organizations", "name slug"),
    // Its types are read together with those of daily_activity.
    ("pending_activity", "event_type instants"),
    ("person_events", "message_id person_id"),
    ("playbook_runs", "deeds name"),
    ("playbooks", "playbook"),
    ("refused_events", "body field reason"),
    ("related_profiles", "email external_id kind name plan profile_times traits"),
    ("score_models", "model"),
    ("secret_keys", "key_id"),
    ("sign_in_failures", "places"),
    ("staff_emails", "content reason subject"),
    ("staff_tasks", "text title"),
    ("transactional_emails", "address content dedup_key reason subject"),
    ("untimed_messages", "message_id"),
    ("waiting_events", "event message_id person_id"),
    ("webhook_attempts", "error response"),
    ("webhook_endpoints", "disabled_reason name previous_secret route secret url"),
    ("webhook_messages", "about_client notice reason"),
];

#[tokio::test]
async fn every_column_of_text_is_known_as_one_of_names_or_as_another() {
    let database = Database::sqlite().await;
    let columns = "SELECT t.name || '.' || c.name FROM sqlite_master t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND c.type = 'TEXT' AND t.name <> '_sqlx_migrations'";
    let there: BTreeSet<String> = database.texts(columns).await.into_iter().collect();
    let mut known = BTreeSet::new();
    for (table, others) in OTHER_TEXT {
        known.extend(others.split(' ').map(|column| format!("{table}.{column}")));
    }
    for NameColumn { table, column } in NAME_COLUMNS {
        assert!(known.insert(format!("{table}.{column}")), "{table}.{column} stands in both lists");
    }
    assert_eq!(there, known);
    database.close().await;
}

/// What the readers need that cannot be looked up once a name is unknown.
struct Ids {
    organization: OrganizationId,
    ada: ClientId,
    chunk: ClientChunk,
    alert: AlertId,
    webhook: WebhookId,
    staff_email: StaffEmailId,
    transactional: TransactionalEmailId,
    link: [u8; 32],
}

async fn ids_of(store: &Database, organization: OrganizationId) -> Ids {
    let ada = found(store, organization, "ada").await;
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let filter = AlertFilter { client: Some(ada.id), ..AlertFilter::default() };
    let later = at("2030-01-01");
    Ids {
        organization,
        ada: ada.id,
        chunk: ClientChunk::of(&ada),
        alert: tx.list_alerts(&filter, 1).await.unwrap()[0].episode.id,
        webhook: tx.list_webhooks().await.unwrap()[0].id,
        staff_email: tx.list_due_staff_emails(later, 1).await.unwrap()[0],
        transactional: tx.list_due_transactional_emails(later, 1).await.unwrap()[0],
        link: std::array::from_fn(|byte| organization.uuid().as_bytes()[byte % 16]),
    }
}

/// Reads a column as the program does.
async fn read(store: &Database, column: &NameColumn, ids: &Ids) -> Result<()> {
    let scope = Scope::Service(ids.organization);
    let always = (at("2000-01-01"), at("2030-01-01"));
    let days = (day("2026-01-01"), day("2026-12-31"));
    if column.column == "zone_change_phase" {
        let mut tx = store.begin(scope).await?;
        return tx.run_zone_step(ZONE_STEP).await.map(drop);
    }
    if column.table == "alert_news" {
        return store.begin(scope).await?.claim_alert_news().await.map(drop);
    }
    if column.table == "sign_in_links" {
        return store.read(Scope::System).await?.find_sign_in_link(ids.link).await.map(drop);
    }
    let mut tx = store.read(scope).await?;
    match (column.table, column.column) {
        ("organizations", "clients_are") => tx.get_organization().await.map(drop),
        ("members", "role") => tx.list_members().await.map(drop),
        ("api_keys", _) => tx.list_api_keys().await.map(drop),
        ("job_runs", "state") => tx.list_job_runs(None, 9).await.map(drop),
        ("client_merges", "state") => tx.list_merges(None, 9).await.map(drop),
        ("onboarding_tasks", "status") => tx.list_tasks(ids.ada).await.map(drop),
        ("onboarding_task_changes", "status") => {
            tx.list_client_histories(&ids.chunk, days).await.map(drop)
        }
        ("client_feedback", "kind") => tx.list_feedback(ids.ada, 9).await.map(drop),
        ("event_names", "event_type") => tx.list_event_names().await.map(drop),
        ("organizations", "time_zone") | ("client_engagement_events", "event_type") => {
            tx.list_client_events(ids.ada, always, None, 9).await.map(drop)
        }
        ("daily_activity", "event_type") => {
            tx.count_events_by_type(&ids.chunk, days.0, days.1).await.map(drop)
        }
        ("client_success_scores", "trend") => {
            tx.list_client_scores(ids.ada, days.0, days.1).await.map(drop)
        }
        ("client_insights", _) => tx.list_client_insights(ids.ada, now(), true).await.map(drop),
        ("client_momentum_alerts", _) => tx.list_alerts(&AlertFilter::default(), 9).await.map(drop),
        ("playbook_runs", _) => tx.list_client_playbook_runs(ids.ada, 9).await.map(drop),
        ("staff_tasks", "state") => {
            tx.list_staff_tasks(&StaffTaskFilter::default(), 9).await.map(drop)
        }
        ("client_success_emails", _) => tx.list_emails(&EmailFilter::default(), 9).await.map(drop),
        ("email_subscriptions", _) => tx.find_subscription(ids.ada).await.map(drop),
        ("email_consents", _) => tx.list_consents(ids.ada, 9).await.map(drop),
        ("transactional_emails", _) => {
            tx.find_transactional_email(ids.transactional).await.map(drop)
        }
        ("staff_emails", "state") => tx.find_staff_email(ids.staff_email).await.map(drop),
        ("webhook_endpoints", "kind") => tx.list_webhooks().await.map(drop),
        ("webhook_messages", "notice_type") => tx.list_deliveries_of(&[ids.alert]).await.map(drop),
        ("webhook_messages", "state") => {
            tx.list_webhook_messages(ids.webhook, None, 9).await.map(drop)
        }
        (table, column) => panic!("nothing reads {table}.{column} here: add it"),
    }
}

on_both_databases!(an_unknown_name_is_an_error_wherever_it_is_read, async |store| {
    let ours = filled(store, "Europe/Berlin").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let write_key = NewApiKey {
        id: fresh(),
        kind: KeyKind::Write,
        hash: [7; 32],
        prefix: "mwk_1".to_owned(),
        member: None,
        source: Some(KeySource::Browser),
        expires_at: None,
    };
    tx.create_api_key(&write_key, now()).await.unwrap();
    tx.commit().await.unwrap();
    let ids = ids_of(store, ours).await;
    for name in NAME_COLUMNS {
        let NameColumn { table, column } = *name;
        read(store, name, &ids).await.unwrap();
        // A constraint ties the kind of a member's key to its member.
        let rows =
            if (table, column) == ("api_keys", "kind") { "member_id IS NULL" } else { "1 = 1" };
        let changing_zone = (column == "zone_change_phase").then(|| store.instant(now()));
        if let Some(since) = &changing_zone {
            store.raw(&format!("UPDATE organizations SET zone_change_since = {since}")).await;
        }
        let changed = store
            .raw(&format!(
                "UPDATE {table} SET {column} = COALESCE({column}, '') || '{SUFFIX}' WHERE {rows}"
            ))
            .await;
        assert!(changed > 0, "{table}.{column} has no row");
        match read(store, name, &ids).await {
            Err(StoreError::Corrupt { table: in_table, column: in_column, value }) => {
                assert_eq!((in_table, in_column), (table, column));
                assert!(value.ends_with(SUFFIX), "{table}.{column}: {value}");
            }
            other => panic!("{table}.{column}: {other:?}"),
        }
        store
            .raw(&format!(
                "UPDATE {table} SET {column} = NULLIF(REPLACE({column}, '{SUFFIX}', ''), '')"
            ))
            .await;
        if changing_zone.is_some() {
            store.raw("UPDATE organizations SET zone_change_since = NULL").await;
        }
    }
});

on_both_databases!(what_the_error_of_an_unknown_name_says, async |store| {
    let ours = filled(store, "UTC").await;
    store.raw("UPDATE members SET role = 'auditor' WHERE role = 'owner'").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let error = tx.list_members().await.unwrap_err().to_string();
    for part in ["members.role", "\"auditor\"", "restore a backup"] {
        assert!(error.contains(part), "{error}");
    }
});

#[test]
fn nothing_but_the_columns_of_names_reads_a_name() {
    // A number, and a time in a test.
    let others = BTreeMap::from([("error.rs", 2), ("instants.rs", 1), ("tests.rs", 1)]);
    for (path, text) in crate::coverage::sources("src") {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        if file == "name.rs" {
            continue;
        }
        let parses = [".parse()", ".parse::<", "::of_name("];
        let found: usize = parses.iter().map(|parse| text.matches(parse).count()).sum();
        let expected = others.get(file.as_str()).copied().unwrap_or(0);
        assert_eq!(found, expected, "{}: read names by NameColumn::read", path.display());
    }
}

#[test]
fn no_check_constraint_lists_names() {
    for database in ["sqlite", "postgres"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        for entry in std::fs::read_dir(folder.join(database)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| line.contains("CHECK (")) {
                let check = line.split_once("CHECK (").unwrap().1;
                assert!(!check.contains("IN ('"), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn the_zone_that_the_test_makes_unknown_is_unknown() {
    assert!(time_zone(&format!("Europe/Berlin{SUFFIX}")).is_err());
}
