use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::World;

const ADA: &str = "/api/v1/clients/ada";

/// What members do that is written in the service's name, and why: signing in, whose tables nobody but
/// the service reads, and events, which are stored for many senders at once.
const SERVICES: [&str; 12] = [
    "member_passwords",
    "sessions",
    "sign_in_links",
    "sign_in_failures",
    "client_lockouts",
    "client_engagement_events",
    "daily_activity",
    "pending_activity",
    "activity_parts",
    "client_activity_totals",
    "client_success_scores",
    "score_days",
];

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn the_database_sees_the_role_of_the_member_who_writes() {
    let world = World::postgres().await;
    world.be_active("ada", "login", 2).await;
    world.tick();
    // From here on, nothing but what is the service's may be written in its name.
    let mut policies = String::new();
    for table in mainstay_store::TENANT_TABLES.iter().filter(|table| !SERVICES.contains(table)) {
        for command in ["INSERT", "UPDATE", "DELETE"] {
            let check = if command == "INSERT" { "WITH CHECK" } else { "USING" };
            write!(
                policies,
                "CREATE POLICY no_service_{command} ON {table} AS RESTRICTIVE FOR {command} \
                 {check} (current_setting('mainstay.role', true) <> 'service');"
            )
            .unwrap();
        }
    }
    world.run_as_owner(&policies).await;
    let (owner, staff) = (world.acme.owner.clone(), world.acme.staff.clone());
    let send = async |token: &str, method: &str, path: &str, body: Value| {
        world.tick();
        let request = world.request(method, path).bearer_auth(token).json(&body);
        let answer = world.send(request).await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:#?}");
        serde_json::from_str::<Value>(&answer.text).unwrap_or(Value::Null)
    };
    // Staff keep clients' records.
    send(&staff, "PATCH", ADA, json!({"name": "Ada", "traits": {"seats": 3}})).await;
    let tasks = format!("{ADA}/onboarding-tasks");
    let task = send(&staff, "POST", &tasks, json!({"title": "Say hello"})).await;
    let task = format!("{tasks}/{}", task["id"].as_str().unwrap());
    send(&staff, "PATCH", &task, json!({"status": "completed"})).await;
    send(&staff, "DELETE", &task, Value::Null).await;
    send(&staff, "PUT", &format!("{ADA}/launch-kit"), json!({"state": "completed"})).await;
    let rating = json!({"kind": "nps", "rating": 9});
    send(&staff, "POST", &format!("{ADA}/feedback"), rating).await;
    // Owners and admins decide.
    let keys = "/api/v1/keys";
    let key = send(&owner, "POST", keys, json!({"kind": "write"})).await;
    send(&owner, "DELETE", &format!("{keys}/{}", key["id"].as_str().unwrap()), Value::Null).await;
    let member = json!({"email": "new@of-acme.example", "role": "staff"});
    let member = send(&owner, "POST", "/api/v1/members", member).await;
    let member = format!("/api/v1/members/{}", member["id"].as_str().unwrap());
    send(&owner, "DELETE", &member, Value::Null).await;
    send(&owner, "PATCH", "/api/v1/organization", json!({"name": "Acme"})).await;
    let names = json!([{"name": "Invoice Sent", "type": "export_downloaded"}]);
    send(&owner, "PUT", "/api/v1/event-names", names).await;
    send(&owner, "DELETE", "/api/v1/event-names?name=Invoice%20Sent", Value::Null).await;
    let model = json!(mainstay_core::score::ScoreModel::standard());
    send(&owner, "POST", "/api/v1/score-models", model).await;
    send(&owner, "PUT", "/api/v1/notifications/settings", json!({"digest_hour": 8})).await;
    send(&owner, "PUT", "/api/v1/jobs/hourly/schedule", json!({"cron": "5 * * * *"})).await;
    send(&owner, "POST", "/api/v1/jobs/hourly/run", Value::Null).await;
    world.close().await;
}
