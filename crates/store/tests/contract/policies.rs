//! Row-level security, asked with raw SQL as the role of the application: who may do what with which
//! rows, in one table.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{
    alert::{AlertType, Severity},
    id::OrganizationId,
    insight::{InsightStatus, Rule},
};
use mainstay_store::{
    AlertChange, AlertFilter, ClientPatch, EventName, LaunchKitTimes, NewMember, OnboardingTask,
    OrganizationPatch, Role, Scope, Store, StoreError, TENANT_TABLES, TaskStatus,
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{
    alerts::episode,
    fixtures::{at, client, day, event, found, fresh, now, organization, send},
    harness::Database,
    insights::insight,
    isolation::filled,
};

/// Of each table, what each of them may select, insert, update and delete: nothing (`-`), its own
/// rows (`o`), its organization's but for owners' (`n`), its organization's (`a`) or everybody's (`*`). This is section 9 of the specification.
const ALLOWED: &str = "
table                     service owner admin staff viewer client system
organizations             a-a-    a-a-  a-a-  a---  a---   a---   ****
organization_secrets      aaaa    aaaa  aaaa  ----  ----   ----   ****
members                   aaaa    aaaa  annn  a---  a---   ----   ****
api_keys                  aaaa    aaaa  annn  ----  ----   ----   ****
event_names               aaaa    aaaa  aaaa  a---  a---   ----   ****
score_models              aaaa    aaaa  aaaa  a---  a---   a---   ****
clients                   aaaa    aaa-  aaa-  aaa-  a---   o---   ****
onboarding_tasks          aaaa    aaa-  aaa-  aaa-  a---   o---   ****
onboarding_task_changes   aaaa    aaa-  aaa-  aaa-  a---   o---   ****
launch_kits               aaaa    aaa-  aaa-  aaa-  a---   o---   ****
client_feedback           aaaa    aaa-  aaa-  aaa-  a---   o---   ****
client_engagement_events  aaaa    a---  a---  a---  a---   o---   ****
event_moves               aaaa    a---  a---  a---  a---   ----   ****
untimed_messages          aaaa    a---  a---  a---  a---   ----   ****
daily_activity            aaaa    a---  a---  a---  a---   o---   ****
activity_parts            aaaa    a---  a---  a---  a---   a---   ****
pending_activity          aaaa    a---  a---  a---  a---   o---   ****
client_activity_totals    aaaa    a---  a---  a---  a---   o---   ****
client_success_scores     aaaa    a---  a---  a---  a---   o---   ****
score_days                aaaa    a---  a---  a---  a---   a---   ****
stale_scores              aaaa    aaa-  aaa-  aaa-  a---   o---   ****
client_insights           aaaa    aaa-  aaa-  aaa-  a---   o-o-   ****
client_momentum_alerts    aaaa    aaa-  aaa-  aaa-  a---   ----   ****
alert_actions             aaaa    aaa-  aaa-  aaa-  a---   ----   ****
client_success_emails     aaaa    a---  a---  a---  a---   o---   ****
member_passwords          aaaa    ----  ----  ----  ----   ----   ****
sessions                  aaaa    aaaa  annn  ----  ----   ----   ****
sign_in_links             aaaa    aaaa  annn  ----  ----   ----   ****
sign_in_failures          aaaa    ----  ----  ----  ----   ----   ****
client_lockouts           aaaa    ----  ----  ----  ----   ----   ****
allowed_sites             aaaa    aaaa  aaaa  a---  a---   ----   ****
portfolio_changes         aaaa    aa--  aa--  aa--  a---   ----   ****
refused_events            aaaa    a---  a---  a---  a---   ----   ****
client_notes              aaaa    aa-a  aa-a  aa-a  a---   ----   ****
client_aliases            aaaa    a---  a---  a---  a---   ----   ****
related_profiles          aaaa    a---  a---  a---  a---   ----   ****
memberships               aaaa    a---  a---  a---  a---   ----   ****
person_events             aaaa    a---  a---  a---  a---   ----   ****
waiting_events            aaaa    a---  a---  a---  a---   ----   ****
anonymous_ids             aaaa    a---  a---  a---  a---   ----   ****
client_merges             aaaa    a---  a---  a---  a---   ----   ****
client_merge_events       aaaa    ----  ----  ----  ----   ----   ****
client_merge_rows         aaaa    ----  ----  ----  ----   ----   ****
data_silences             aaaa    a---  a---  a---  a---   ----   ****
key_activity              aaaa    ----  ----  ----  ----   ----   ****
client_keys               aaaa    ----  ----  ----  ----   ----   ****
key_silences              aaaa    a---  a---  a---  a---   ----   ****
job_schedules             aaaa    aaaa  aaaa  a---  a---   ----   ****
job_runs                  aaaa    aaaa  aaaa  a---  a---   ----   ****
email_settings            aaaa    aaaa  aaaa  a---  a---   ----   ****
email_subscriptions       aaaa    a---  a---  a---  a---   o---   ****
email_consents            aaaa    a---  a---  a---  a---   ----   ****
email_suppressions        aaaa    aaaa  aaaa  a---  a---   ----   ****
email_events              aaaa    a---  a---  a---  a---   ----   ****
webhook_endpoints         aaaa    aaaa  aaaa  ----  ----   ----   ****
alert_news                aaaa    aa--  aa--  aa--  a---   ----   ****
webhook_messages          aaaa    aaaa  aaaa  a---  a---   ----   ****
webhook_message_alerts    aaaa    aaaa  aaaa  a---  a---   ----   ****
webhook_attempts          aaaa    aaaa  aaaa  a---  a---   ----   ****
notification_settings     aaaa    aaaa  aaaa  a---  a---   ----   ****
staff_emails              aaaa    ----  ----  ----  ----   ----   ****
transactional_emails      aaaa    ----  ----  ----  ----   ----   ****
playbooks                 aaaa    aaaa  aaaa  a---  a---   ----   ****
playbook_runs             aaaa    a---  a---  a---  a---   ----   ****
staff_tasks               aaaa    aaaa  aaaa  aaaa  a---   ----   ****
secret_keys               aaaa    aaaa  aaaa  ----  ----   ----   ****
erased_clients            aaaa    aaaa  aaaa  a---  a---   ----   ****
erasure_keys              aaaa    aaaa  aaaa  a---  ----   ----   ****
";

/// A row as JSON, with whose it is.
#[derive(Clone, Debug)]
struct Row {
    json: String,
    organization: String,
    client: Option<String>,
    /// Whether it is an owner, or an owner's.
    owners: bool,
}

/// Somebody who asks, by the settings of the transaction.
struct Asker {
    /// The column of the table above; `None` may do nothing.
    column: Option<&'static str>,
    settings: Vec<(&'static str, String)>,
    organization: String,
    client: Option<String>,
}

impl Asker {
    fn of(column: &'static str, organization: &str, client: Option<&str>) -> Self {
        let mut settings = vec![("role", column.to_owned())];
        if column != "system" {
            settings.push(("organization_id", organization.to_owned()));
        }
        settings.extend(client.map(|client| ("client_id", client.to_owned())));
        Self {
            column: Some(column),
            settings,
            organization: organization.to_owned(),
            client: client.map(str::to_owned),
        }
    }

    fn nobody(settings: Vec<(&'static str, String)>) -> Self {
        Self { column: None, settings, organization: String::new(), client: None }
    }

    fn may(&self, letter: char, row: &Row) -> bool {
        match letter {
            '*' => true,
            'a' => row.organization == self.organization,
            'n' => row.organization == self.organization && !row.owners,
            'o' => {
                row.organization == self.organization
                    && row.client.is_some()
                    && row.client == self.client
            }
            _ => false,
        }
    }

    async fn begin<'a>(
        &self,
        connection: &'a mut PgConnection,
    ) -> sqlx::Transaction<'a, sqlx::Postgres> {
        let mut tx = connection.begin().await.unwrap();
        for (key, value) in &self.settings {
            let sql = format!("SET LOCAL mainstay.{key} = '{value}'");
            tx.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        tx
    }
}

fn field(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Every row of every table.
async fn all_rows(database: &Database) -> BTreeMap<&'static str, Vec<Row>> {
    let sql = "SELECT id::text FROM members WHERE role = 'owner'";
    let owners: BTreeSet<String> = database.texts(sql).await.into_iter().collect();
    let mut tables = BTreeMap::new();
    for table in std::iter::once("organizations").chain(TENANT_TABLES) {
        let rows = database.texts(&format!("SELECT to_jsonb(t)::text FROM {table} t")).await;
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|text| {
                let json: Value = serde_json::from_str(&text).unwrap();
                let (organization, client) = match table {
                    "organizations" => (field(&json, "id"), None),
                    "clients" => (field(&json, "organization_id"), field(&json, "id")),
                    _ => (field(&json, "organization_id"), field(&json, "client_id")),
                };
                let member = field(&json, if table == "members" { "id" } else { "member_id" });
                let owners = member.is_some_and(|member| owners.contains(&member));
                Row { json: text, organization: organization.unwrap(), client, owners }
            })
            .collect();
        tables.insert(table, rows);
    }
    tables
}

/// The letters of a table and column.
fn allowed(table: &str, column: &str) -> Vec<char> {
    let mut lines = ALLOWED.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let heads = lines.next().unwrap();
    let place = heads.iter().position(|head| *head == column).unwrap();
    let line = lines.find(|line| line[0] == table);
    line.unwrap_or_else(|| panic!("{table} is missing")).get(place).unwrap().chars().collect()
}

/// What an asker gets of a table by a statement that returns the rows it touches.
async fn touched(connection: &mut PgConnection, asker: &Asker, sql: String) -> BTreeSet<String> {
    let mut tx = asker.begin(connection).await;
    let rows: Vec<(String,)> =
        sqlx::query_as(AssertSqlSafe(sql.clone())).fetch_all(&mut *tx).await.expect(&sql);
    tx.rollback().await.unwrap();
    rows.into_iter().map(|(json,)| json).collect()
}

/// Which of these rows an asker may insert. They are there already, so being allowed to shows as a
/// key that is taken: policies are asked first.
async fn insertable(
    connection: &mut PgConnection,
    asker: &Asker,
    table: &str,
    rows: &[Row],
) -> BTreeSet<String> {
    let sql = format!(
        "INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1::jsonb)"
    );
    let mut allowed = BTreeSet::new();
    for row in rows {
        let mut tx = asker.begin(connection).await;
        let inserted =
            sqlx::query(AssertSqlSafe(sql.clone())).bind(&row.json).execute(&mut *tx).await;
        let error = inserted.expect_err("its key is taken");
        match error.as_database_error().unwrap().code().as_deref() {
            Some("23505") => {
                allowed.insert(row.json.clone());
            }
            Some("42501") => {}
            code => panic!("{table}: {code:?} {error}"),
        }
        tx.rollback().await.unwrap();
    }
    allowed
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let database = Database::postgres().await;
    let (ours, theirs) = (filled(&database, "UTC").await, filled(&database, "UTC").await);
    let (ada, bob) =
        (found(&database, ours, "ada").await.id, found(&database, ours, "bob").await.id);
    let (ada, bob) = (ada.to_string(), bob.to_string());
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let stranger = fresh::<OrganizationId>().to_string();
    let setting = |key, value: &str| (key, value.to_owned());
    let mut askers = vec![
        Asker::nobody(vec![]),
        Asker::nobody(vec![setting("role", ""), setting("organization_id", "")]),
        Asker::nobody(vec![setting("organization_id", &ours)]),
        Asker::nobody(vec![setting("organization_id", &ours), setting("client_id", &ada)]),
        Asker::nobody(vec![setting("role", "service")]),
        Asker::nobody(vec![setting("role", "owner"), setting("organization_id", "")]),
        Asker::nobody(vec![setting("role", "client"), setting("client_id", &ada)]),
        Asker::nobody(vec![setting("role", "nonsense"), setting("organization_id", &ours)]),
        Asker::of("system", "", None),
    ];
    for column in ["service", "owner", "admin", "staff", "viewer"] {
        askers.push(Asker::of(column, &ours, None));
        askers.push(Asker::of(column, &stranger, None));
        // A client's id changes nothing for those who are none.
        let mut with_client = Asker::of(column, &theirs, None);
        with_client.settings.push(setting("client_id", &ada));
        askers.push(with_client);
    }
    for (organization, client) in [(&ours, &ada), (&ours, &bob), (&theirs, &ada), (&stranger, &ada)]
    {
        askers.push(Asker::of("client", organization, Some(client)));
    }
    let mut unnamed = Asker::of("client", &ours, None);
    unnamed.settings.push(setting("client_id", ""));
    askers.push(unnamed);

    let tables = all_rows(&database).await;
    let mut connection = database.application_connection().await;
    for (table, rows) in &tables {
        assert!(rows.iter().any(|row| row.organization == ours), "{table} has no row of ours");
        assert!(rows.iter().any(|row| row.organization == theirs), "{table} has no row of theirs");
        let key = if *table == "organizations" { "id" } else { "organization_id" };
        for asker in &askers {
            let letters =
                asker.column.map_or_else(|| vec!['-'; 4], |column| allowed(table, column));
            let found = [
                touched(&mut connection, asker, format!("SELECT to_jsonb(t)::text FROM {table} t"))
                    .await,
                insertable(&mut connection, asker, table, rows).await,
                touched(
                    &mut connection,
                    asker,
                    format!("UPDATE {table} t SET {key} = t.{key} RETURNING to_jsonb(t)::text"),
                )
                .await,
                touched(
                    &mut connection,
                    asker,
                    format!("DELETE FROM {table} t RETURNING to_jsonb(t)::text"),
                )
                .await,
            ];
            for ((verb, letter), found) in
                ["select", "insert", "update", "delete"].into_iter().zip(letters).zip(found)
            {
                let expected: BTreeSet<String> = rows
                    .iter()
                    .filter(|row| asker.may(letter, row))
                    .map(|row| row.json.clone())
                    .collect();
                assert_eq!(found, expected, "{verb} {table} with {:?}", asker.settings);
            }
        }
    }
    database.close().await;
}

#[test]
fn every_table_of_tenants_is_in_the_table_of_permissions() {
    for table in std::iter::once("organizations").chain(TENANT_TABLES) {
        for column in ["service", "owner", "admin", "staff", "viewer", "client", "system"] {
            assert_eq!(allowed(table, column).len(), 4);
        }
    }
    assert_eq!(ALLOWED.trim().lines().count(), TENANT_TABLES.len() + 2);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn no_row_can_be_handed_to_another_organization_or_client() {
    let database = Database::postgres().await;
    let (ours, theirs) = (filled(&database, "UTC").await, filled(&database, "UTC").await);
    let (ada, bob) =
        (found(&database, ours, "ada").await.id, found(&database, ours, "bob").await.id);
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let mut connection = database.application_connection().await;
    let mut refused = async |asker: &Asker, sql: String| {
        let mut tx = asker.begin(&mut connection).await;
        let error = tx.execute(AssertSqlSafe(sql.clone())).await.expect_err(&sql);
        let code = error.as_database_error().unwrap().code().unwrap().into_owned();
        assert_eq!(code, "42501", "{sql}: {error}");
        tx.rollback().await.unwrap();
    };
    for table in TENANT_TABLES {
        for column in ["service", "owner", "staff"] {
            if allowed(table, column)[2] == 'a' {
                let sql = format!("UPDATE {table} SET organization_id = '{theirs}'");
                refused(&Asker::of(column, &ours, None), sql).await;
            }
        }
    }
    let client = Asker::of("client", &ours, Some(&ada.to_string()));
    refused(&client, format!("UPDATE client_insights SET client_id = '{bob}'")).await;
    database.close().await;
}

fn task() -> OnboardingTask {
    OnboardingTask {
        id: fresh(),
        title: "Connect".to_owned(),
        status: TaskStatus::Pending,
        created_at: at("2026-05-02"),
        updated_at: at("2026-05-02"),
    }
}

/// Checks that a statement was refused by a policy, not by chance.
fn assert_denied<T: std::fmt::Debug>(result: &mainstay_store::Result<T>) {
    match result {
        Err(StoreError::Database(sqlx::Error::Database(error)))
            if error.code().as_deref() == Some("42501") => {}
        _ => panic!("{result:?}"),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn every_member_keeps_records_and_acts_on_alerts_through_the_store() {
    let database = Database::postgres().await;
    let ours = filled(&database, "UTC").await;
    for role in [Role::Owner, Role::Admin, Role::Staff] {
        let ada = found(&database, ours, "ada").await;
        let mut tx = database.begin(Scope::Member(ours, role)).await.unwrap();
        // Of a time for which scores are stored, so that these become stale.
        tx.create_task(ada.id, &task()).await.unwrap();
        let times = LaunchKitTimes { viewed_at: Some(at("2026-05-03")), completed_at: None };
        tx.record_launch_kit(ada.id, times).await.unwrap();
        let patch = ClientPatch { plan: Some("pro".to_owned()), ..ClientPatch::default() };
        tx.update_client(ada.id, &patch, now()).await.unwrap();
        let filter = AlertFilter { client: Some(ada.id), ..AlertFilter::default() };
        let alert = tx.list_alerts(&filter, 1).await.unwrap().remove(0);
        tx.lock_health_check().await.unwrap();
        let change = AlertChange { action: "acknowledge", member: None, note: "" };
        tx.update_alert(&alert.episode, Some(&change), now()).await.unwrap();
        let insight = tx.list_client_insights(ada.id, now(), true).await.unwrap().remove(0);
        let (from, to) = (insight.status, InsightStatus::Read);
        assert!(tx.set_insight_status(insight.id, from, to).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = database.read(Scope::Member(ours, role)).await.unwrap();
        assert!(
            tx.list_stale_clients(None, 10)
                .await
                .unwrap()
                .iter()
                .any(|one| one.since == at("2026-05-02"))
        );
    }
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn settings_keys_and_members_are_the_owners_and_admins_business() {
    let database = Database::postgres().await;
    let ours = filled(&database, "UTC").await;
    let new = |email: &str| NewMember {
        id: fresh(),
        email: email.to_owned(),
        name: "New".to_owned(),
        role: Role::Staff,
    };
    let patch = OrganizationPatch {
        name: Some("Renamed".to_owned()),
        time_zone: None,
        ..OrganizationPatch::default()
    };
    let standard = mainstay_core::score::ScoreModel::standard();
    for role in [Role::Owner, Role::Admin] {
        let mut tx = database.begin(Scope::Member(ours, role)).await.unwrap();
        tx.create_member(&new(&format!("{role}@x.org")), now()).await.unwrap();
        tx.update_organization(&patch).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().name, "Renamed");
        tx.publish_score_model(&standard, now()).await.unwrap();
        tx.set_event_names(&[]).await.unwrap();
        assert_eq!(tx.list_api_keys().await.unwrap().len(), 3);
        assert_eq!(tx.get_client_token_secret().await.unwrap(), "secret");
        tx.commit().await.unwrap();
    }
    let staff = Scope::Member(ours, Role::Staff);
    let mut tx = database.begin(staff).await.unwrap();
    assert_eq!(tx.list_members().await.unwrap().len(), 4);
    assert_eq!(tx.list_api_keys().await.unwrap(), []);
    assert!(tx.get_client_token_secret().await.is_err());
    tx.update_organization(&OrganizationPatch {
        name: Some("Mine".to_owned()),
        time_zone: None,
        ..OrganizationPatch::default()
    })
    .await
    .unwrap();
    assert_eq!(tx.get_organization().await.unwrap().name, "Renamed");
    let member = tx.list_members().await.unwrap()[0].id;
    assert!(!tx.delete_member(member).await.unwrap());
    assert!(!tx.delete_event_name("Made").await.unwrap());
    assert_denied(&tx.create_member(&new("mine@x.org"), now()).await);
    drop(tx);
    let mut tx = database.begin(staff).await.unwrap();
    assert_denied(&tx.publish_score_model(&standard, now()).await);
    drop(tx);
    let mut tx = database.begin(staff).await.unwrap();
    let name = EventName {
        name: "Mine".to_owned(),
        event_type: mainstay_core::engagement::EventType::Login,
    };
    assert_denied(&tx.set_event_names(&[name]).await);
    drop(tx);
    // Only the service deletes clients, for good.
    let ada = found(&database, ours, "ada").await;
    let mut tx = database.begin(Scope::Member(ours, Role::Owner)).await.unwrap();
    tx.delete_client(ada.id, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(&database, ours, "ada").await.id, ada.id);
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_client_sees_and_changes_only_its_own_through_the_store() {
    let database = Database::postgres().await;
    let ours = filled(&database, "UTC").await;
    let (ada, bob) = (found(&database, ours, "ada").await, found(&database, ours, "bob").await);
    let (first, last) = (day("2026-01-01"), day("2026-12-31"));
    let always = (at("2000-01-01"), at("2030-01-01"));
    let mut tx = database.begin(Scope::Client(ours, ada.id)).await.unwrap();
    assert_eq!(tx.get_organization().await.unwrap().id, ours);
    assert_eq!(tx.find_client("ada").await.unwrap(), Some(ada.clone()));
    assert_eq!(tx.find_client("bob").await.unwrap(), None);
    assert_eq!(tx.count_clients().await.unwrap(), 1);
    for (client, expected) in [(&ada, true), (&bob, false)] {
        let id = client.id;
        assert_eq!(!tx.list_tasks(id).await.unwrap().is_empty(), expected);
        assert_eq!(!tx.list_feedback(id, 10).await.unwrap().is_empty(), expected);
        assert_eq!(tx.get_launch_kit(id).await.unwrap() != LaunchKitTimes::default(), expected);
        assert_eq!(
            !tx.list_client_events(id, always, None, 10).await.unwrap().is_empty(),
            expected
        );
        assert_eq!(!tx.list_day_activity(id, first, last).await.unwrap().is_empty(), expected);
        assert_eq!(!tx.list_client_scores(id, first, last).await.unwrap().is_empty(), expected);
        assert_eq!(!tx.list_client_insights(id, now(), true).await.unwrap().is_empty(), expected);
    }
    assert_eq!(tx.list_alerts(&AlertFilter::default(), 10).await.unwrap(), []);
    assert_eq!(tx.list_members().await.unwrap(), []);
    let own = tx.list_client_insights(ada.id, now(), true).await.unwrap().remove(0);
    assert!(tx.set_insight_status(own.id, own.status, InsightStatus::Dismissed).await.unwrap());
    tx.commit().await.unwrap();

    let mut service = database.read(Scope::Service(ours)).await.unwrap();
    let bobs = service.list_client_insights(bob.id, now(), true).await.unwrap().remove(0);
    drop(service);
    let mut tx = database.begin(Scope::Client(ours, ada.id)).await.unwrap();
    assert_eq!(tx.find_insight(bobs.id).await.unwrap(), None);
    assert!(!tx.set_insight_status(bobs.id, bobs.status, InsightStatus::Dismissed).await.unwrap());
    assert_denied(&tx.create_task(ada.id, &task()).await);
    drop(tx);
    let mut tx = database.begin(Scope::Client(ours, ada.id)).await.unwrap();
    let written = tx.save_insights(last, &[insight(ada.id, Rule::NoActivity)], now()).await;
    assert_denied(&written);
    drop(tx);
    let mut tx = database.begin(Scope::Client(ours, ada.id)).await.unwrap();
    let alert = episode(AlertType::ScoreDrop, Severity::Info, "2026-05-20");
    assert_denied(&tx.open_alert(ada.id, &alert, "", false).await);
    drop(tx);
    database.close().await;
}

/// Names of the clients that a transaction of an organization shows.
async fn names(store: &Store, scope: Scope) -> Vec<String> {
    let mut tx = store.read(scope).await.unwrap();
    tx.list_clients(None, 100).await.unwrap().into_iter().map(|client| client.external_id).collect()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn one_connection_that_serves_tenants_in_turn_never_mixes_them_up() {
    let database = Database::postgres().await;
    let tenants =
        [organization(&database, "UTC").await, organization(&database, "Asia/Kathmandu").await];
    let store = Store::open_with(database.url(), 1).await.unwrap();
    for (tenant, name) in tenants.iter().zip(["ada", "bob"]) {
        client(&store, *tenant, name, "2026-05-01").await;
    }
    for round in 0..12 {
        let (tenant, name) = if round % 2 == 0 { (tenants[0], "ada") } else { (tenants[1], "bob") };
        assert_eq!(names(&store, Scope::Service(tenant)).await, [name]);
        assert_eq!(names(&store, Scope::Member(tenant, Role::Staff)).await, [name]);
        let mut tx = store.begin(Scope::Service(tenant)).await.unwrap();
        match round % 6 {
            // A rollback, a drop, a drop after an error, an error and a failed commit, a panic.
            0 => tx.rollback().await.unwrap(),
            1 => drop(tx),
            2 => {
                let twice = found_in(&mut tx, name).await;
                assert!(tx.create_client(&twice).await.is_err());
                drop(tx);
            }
            3 => {
                let twice = found_in(&mut tx, name).await;
                assert!(tx.create_client(&twice).await.is_err());
                assert!(tx.commit().await.is_err());
            }
            4 => {
                drop(tx);
                let system = store.clone();
                let task = tokio::spawn(async move {
                    let mut tx = system.begin(Scope::System).await.unwrap();
                    tx.list_organizations().await.unwrap();
                    tx.list_members().await.map(drop)
                });
                assert!(task.await.unwrap_err().is_panic());
            }
            _ => {
                // A query that is given up half-way.
                let waiting = tx.get_organization();
                drop(waiting);
                drop(tx);
            }
        }
        let other = if round % 2 == 0 { (tenants[1], "bob") } else { (tenants[0], "ada") };
        assert_eq!(names(&store, Scope::Service(other.0)).await, [other.1]);
        let me = found(&database, tenant, name).await;
        assert_eq!(names(&store, Scope::Client(other.0, me.id)).await, Vec::<String>::new());
    }
    store.close().await;
    database.close().await;
}

async fn found_in(tx: &mut mainstay_store::Tx, name: &str) -> mainstay_store::Client {
    tx.find_client(name).await.unwrap().unwrap()
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_transaction_without_a_scope_sees_nothing_whatever_ran_on_its_connection_before() {
    let database = Database::postgres().await;
    let ours = filled(&database, "UTC").await;
    send(
        &database,
        ours,
        &[event("ada", "m1", mainstay_core::engagement::EventType::Login, "2026-05-18")],
    )
    .await;
    let mut connection = database.application_connection().await;
    let service = Asker::of("service", &ours.to_string(), None);
    let count = "SELECT (SELECT COUNT(*) FROM organizations) + (SELECT COUNT(*) FROM clients) + \
                 (SELECT COUNT(*) FROM client_engagement_events)";
    for ending in ["COMMIT", "ROLLBACK", "an error"] {
        let mut tx = service.begin(&mut connection).await;
        let (seen,): (i64,) = sqlx::query_as(count).fetch_one(&mut *tx).await.unwrap();
        assert!(seen > 3);
        match ending {
            "COMMIT" => tx.commit().await.unwrap(),
            "ROLLBACK" => tx.rollback().await.unwrap(),
            _ => {
                assert!(tx.execute("SELECT 1 / 0").await.is_err());
                drop(tx);
            }
        }
        // The setting is now empty rather than unknown, which must not be an error either.
        let (seen,): (i64,) = sqlx::query_as(count).fetch_one(&mut connection).await.unwrap();
        assert_eq!(seen, 0, "after {ending}");
        let mut tx = connection.begin().await.unwrap();
        let (seen,): (i64,) = sqlx::query_as(count).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(seen, 0, "after {ending}");
        tx.rollback().await.unwrap();
    }
    connection.close().await.unwrap();
    database.close().await;
}
