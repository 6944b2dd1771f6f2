//! Who may do what, route by route, in one table.

mod viewer;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::ToSpan as _;
use mainstay::{
    email::LinkPurpose,
    notification::CreateWebhook,
    playbook::{NewStaffTask, TaskOwner},
};
use mainstay_core::{
    email::EmailType,
    engagement::EventType,
    notification::{EndpointKind, Route},
    playbook::suggestions,
};
use mainstay_store::{AlertFilter, ClientPatch, EventName, KeyKind, Role, Scope, TaskStatus};
use serde_json::{Value, json};

use crate::{
    openapi::{document, operations, schemes},
    support::{TestResponse, World},
    web::roles::email_of,
};

/// The client that every route is asked about.
const ADA: &str = "ada-of-acme";
/// Another client of the same organization.
const BOB: &str = "bob-of-acme";
/// Whoever is asking, in the order of the table's columns.
const CALLERS: [&str; 9] =
    ["secret", "owner", "admin", "staff", "client", "other client", "write key", "rival", "nobody"];

/// A route and what each caller gets. `rival` is another organization's secret key: it gets its own
/// data where a route names none, and finds nothing where it names some.
struct Row {
    method: &'static str,
    path: &'static str,
    /// What follows the path: a query, in which `{name}` is an event name that is mapped.
    query: &'static str,
    body: fn() -> Value,
    expected: [u16; 9],
}

const fn row(
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
    expected: [u16; 9],
) -> Row {
    Row { method, path, query: "", body, expected }
}

const fn route(path: &'static str, query: &'static str, expected: [u16; 9]) -> Row {
    Row { method: "GET", path, query, body: nothing, expected }
}

fn nothing() -> Value {
    Value::Null
}

/// Tells apart what each case makes.
fn fresh() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a row for each route")]
fn table() -> Vec<Row> {
    const CLIENT: &str = "/api/v1/clients/{client_id}";
    const TASKS: &str = "/api/v1/clients/{client_id}/onboarding-tasks";
    const TASK: &str = "/api/v1/clients/{client_id}/onboarding-tasks/{task_id}";
    const KIT: &str = "/api/v1/clients/{client_id}/launch-kit";
    const FEEDBACK: &str = "/api/v1/clients/{client_id}/feedback";
    const INSIGHT: &str = "/api/v1/clients/{client_id}/insights/{insight_id}";
    const SUCCESS: &str = "/api/client/success";
    vec![
        //                                            secret owner admin staff client other write rival nobody
        route("/healthz", "",                           [200, 200, 200, 200, 200, 200, 200, 200, 200]),
        route("/readyz", "",                            [200, 200, 200, 200, 200, 200, 200, 200, 200]),
        route("/api/openapi.json", "",                  [200, 200, 200, 200, 200, 200, 200, 200, 200]),

        route(SUCCESS, "?clientId=ada-of-acme",         [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("POST", SUCCESS, || json!({"clientId": ADA}),
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("PATCH", SUCCESS, || json!({"action": "mark-read", "insightId": "{insight_id}", "clientId": ADA}),
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        // Without a client, "other client" asks for an insight that is not its own.
        row("PATCH", SUCCESS, || json!({"action": "mark-read", "insightId": "{insight_id}"}),
                                                        [200, 200, 200, 200, 200, 404, 403, 404, 401]),
        row("PATCH", SUCCESS, || json!({"action": "track-event", "clientId": ADA, "eventType": "login"}),
                                                        [200, 200, 200, 200, 200, 403, 200, 200, 401]),

        row("POST", "/api/v1/events", || json!({"client_id": ADA, "event": "login"}),
                                                        [200, 200, 200, 200, 200, 403, 200, 200, 401]),
        row("POST", "/api/v1/events", || json!([{"event": "login", "client_id": ADA}, {"client_id": BOB, "event": "login"}]),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),

        row("POST", "/api/v1/cloudevents", || json!({"specversion": "1.0", "source": "/app", "id": format!("{}", fresh()),
                                                    "type": "login", "subject": ADA}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/identify", || json!({"userId": ADA, "traits": {"seats": 3}}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/track", || json!({"userId": ADA, "event": "login"}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/page", || json!({"userId": ADA}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/screen", || json!({"userId": ADA}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/group", || json!({"userId": ADA, "groupId": "acme"}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/alias", || json!({"userId": ADA, "previousId": format!("lead-{}", fresh())}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),
        row("POST", "/v1/batch", || json!({"batch": [{"type": "track", "userId": ADA, "event": "login"}]}),
                                                        [200, 200, 200, 200, 403, 403, 200, 200, 401]),

        row("POST", "/api/v1/clients/{client_id}/merge", || json!({"previous_id": "{lead}"}),
                                                        [202, 202, 202, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/merges", "",                     [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/merges/{merge_id}", "",          [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/merges/{merge_id}/undo", nothing,
                                                        [202, 202, 202, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/organization", "",               [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("PATCH", "/api/v1/organization", || json!({"time_zone": "Europe/Paris"}),
                                                        [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        route("/api/v1/members", "",                    [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/members", || json!({"email": format!("m{}@new.example", fresh()), "role": "staff"}),
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),
        row("DELETE", "/api/v1/members/{member_id}", nothing,
                                                        [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/keys", "",                       [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/keys", || json!({"kind": "write"}),
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),
        row("DELETE", "/api/v1/keys/{key_id}", nothing, [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/event-names", "",                [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("PUT", "/api/v1/event-names", || json!([{"name": "Exported", "type": "export_downloaded"}]),
                                                        [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        Row { method: "DELETE", path: "/api/v1/event-names", query: "?name={name}", body: nothing,
              expected:                                 [204, 204, 204, 403, 403, 403, 403, 404, 401] },
        route("/api/v1/score-models", "",               [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/score-models", || json!(mainstay_core::score::ScoreModel::standard()),
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),
        row("POST", "/api/v1/score-models/{version}/use", nothing,
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),

        route("/api/v1/clients", "?limit=500",          [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/clients", || json!({"client_id": format!("c{}", fresh())}),
                                                        [201, 201, 201, 201, 403, 403, 403, 201, 401]),
        route(CLIENT, "",                               [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("PATCH", CLIENT, || json!({"name": "Ada of-acme"}),
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("DELETE", CLIENT, nothing,                  [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/erased-clients", "",             [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("DELETE", "/api/v1/erased-clients/{client_id}", nothing,
                                                        [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route(TASKS, "",                                [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("POST", TASKS, || json!({"title": "Say hello"}),
                                                        [201, 201, 201, 201, 403, 403, 403, 404, 401]),
        row("PATCH", TASK, || json!({"status": "completed"}),
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("DELETE", TASK, nothing,                    [204, 204, 204, 204, 403, 403, 403, 404, 401]),
        route(KIT, "",                                  [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("PUT", KIT, || json!({"state": "viewed"}),  [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        route(FEEDBACK, "",                             [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("POST", FEEDBACK, || json!({"kind": "nps", "rating": 9}),
                                                        [201, 201, 201, 201, 201, 403, 403, 404, 401]),
        row("POST", "/api/v1/clients/{client_id}/links", nothing,
                                                        [201, 201, 201, 201, 403, 403, 403, 404, 401]),
        // The rival's own client of that id: it need not be known.
        row("POST", "/api/v1/clients/{client_id}/sign-out", nothing,
                                                        [204, 204, 204, 204, 403, 403, 403, 204, 401]),
        route("/api/v1/clients/{client_id}/score", "",  [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/clients/{client_id}/scores", "", [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/clients/{client_id}/scores/{day}/evidence", "",
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/clients/{client_id}/events", "", [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/clients/{client_id}/activity", "",
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/clients/{client_id}/insights", "?all=true",
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("PATCH", INSIGHT, || json!({"status": "read"}),
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),

        route("/api/v1/clients/{client_id}/email-subscription", "",
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        row("PUT", "/api/v1/clients/{client_id}/email-subscription", || json!({"state": "subscribed", "address": "ada@of-acme.example"}),
                                                        [200, 200, 200, 200, 200, 403, 403, 404, 401]),
        route("/api/v1/jobs", "",                       [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/jobs/runs", "?job=weekly",       [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("PUT", "/api/v1/jobs/{job}/schedule", || json!({"cron": "0 5 * * *"}),
                                                        [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/jobs/{job}/run", nothing,  [202, 202, 202, 403, 403, 403, 403, 202, 401]),
        route("/api/v1/emails", "?type=weekly_insights",
                                                        [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/emails/{email_id}", "",          [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        route("/api/v1/email/settings", "",             [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("PUT", "/api/v1/email/settings", || json!({"off": ["momentum_nudge"]}),
                                                        [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        route("/api/v1/email/suppressions", "",         [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        Row { method: "DELETE", path: "/api/v1/email/suppressions", query: "?address={address}", body: nothing,
              expected:                                 [204, 204, 204, 403, 403, 403, 403, 404, 401] },
        route("/api/v1/playbooks", "",                  [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/playbooks", || json!({"name": "Call", "enabled": false, "trigger": {"on": "band", "to": "at_risk"}, "actions": [{"do": "nudge"}]}),
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),
        route("/api/v1/playbooks/{playbook_id}", "",    [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("PUT", "/api/v1/playbooks/{playbook_id}", || json!({"name": "Call", "enabled": false, "trigger": {"on": "band", "to": "at_risk"}, "actions": [{"do": "nudge"}]}),
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("DELETE", "/api/v1/playbooks/{playbook_id}", nothing,
                                                        [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/outcomes", "",                   [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/staff-tasks", "?state=open",     [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/staff-tasks", "?client_id=ada-of-acme",
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/staff-tasks", || json!({"client_id": ADA, "title": "Call", "due_on": "2026-05-04"}),
                                                        [201, 201, 201, 201, 403, 403, 403, 404, 401]),
        route("/api/v1/staff-tasks/{staff_task_id}", "",
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("PATCH", "/api/v1/staff-tasks/{staff_task_id}", || json!({"state": "done"}),
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("DELETE", "/api/v1/staff-tasks/{staff_task_id}", nothing,
                                                        [204, 204, 204, 204, 403, 403, 403, 404, 401]),
        route("/api/v1/webhooks", "",                   [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/webhooks", || json!({"name": "Hook", "url": "https://example.com/hooks"}),
                                                        [201, 201, 201, 403, 403, 403, 403, 201, 401]),
        route("/api/v1/webhooks/{webhook_id}", "",      [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("PATCH", "/api/v1/webhooks/{webhook_id}", || json!({"name": "Other"}),
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("DELETE", "/api/v1/webhooks/{webhook_id}", nothing,
                                                        [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/webhooks/{webhook_id}/rotate-secret", || json!({}),
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/webhooks/{webhook_id}/test", nothing,
                                                        [202, 202, 202, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/webhooks/{webhook_id}/deliveries", "?limit=5",
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/webhooks/{webhook_id}/deliveries/{message_id}/resend", nothing,
                                                        [202, 202, 202, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/notifications/settings", "",     [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("PUT", "/api/v1/notifications/settings", || json!({"digest_hour": 8}),
                                                        [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("PUT", "/api/v1/members/{member_id}/daily-digest", || json!({"wanted": true}),
                                                        [204, 204, 204, 403, 403, 403, 403, 404, 401]),
        route("/api/v1/alerts", "?open=true",           [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        route("/api/v1/alerts", "?client_id=ada-of-acme",
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        route("/api/v1/alerts/{alert_id}", "",          [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/alerts/{alert_id}/acknowledge", nothing,
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/alerts/{alert_id}/snooze", || json!({"until": "2026-05-08T09:00:00Z"}),
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/alerts/{alert_id}/resolve", || json!({"note": "Called."}),
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/alerts/{alert_id}/dismiss", nothing,
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/alerts/{alert_id}/reopen", nothing,
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        route("/api/v1/alerts/summary", "",             [200, 200, 200, 200, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/health-check", nothing,    [200, 200, 200, 403, 403, 403, 403, 200, 401]),
        row("POST", "/api/v1/clients/{client_id}/health-check", nothing,
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/clients/{client_id}/insights", nothing,
                                                        [200, 200, 200, 200, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/members/{member_id}/badge-token", nothing,
                                                        [201, 403, 403, 403, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/playbooks/{playbook_id}/approve", nothing,
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
        row("POST", "/api/v1/playbooks/{playbook_id}/reject", nothing,
                                                        [200, 200, 200, 403, 403, 403, 403, 404, 401]),
    ]
}

on_both_databases!(every_route_answers_each_caller_as_the_table_says, async |world| {
    world.be_active(ADA, "content_generated", 12).await;
    world.be_active(BOB, "login", 2).await;
    let mainstay = &world.mainstay;
    world.clock.advance_hours(36);
    let now = mainstay.now();
    let acme = Scope::Service(world.acme.id);
    let ada = mainstay.client(acme, ADA).await.unwrap();
    mainstay.calculate_success_score(acme, &ada).await.unwrap();
    mainstay.generate_weekly_insights(world.acme.id, ADA, now).await.unwrap();
    let mut wrong = Vec::new();
    for row in table() {
        for (caller, expected) in CALLERS.into_iter().zip(row.expected) {
            let answer = ask(world, &row, caller).await;
            let body = (row.body)();
            if answer.status != expected {
                let TestResponse { status, text, .. } = &answer;
                wrong.push(format!(
                    "{} {}{} {body} by {caller}: {expected} expected, got {status} {text}",
                    row.method, row.path, row.query
                ));
            } else if expected >= 400 {
                answer.problem(expected);
            }
            if caller == "rival" && expected < 400 {
                assert!(!answer.text.contains("of-acme"), "{} leaks {}", row.path, answer.text);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

/// Makes what the row needs, fresh for this case, and sends the request.
async fn ask(world: &World, row: &Row, caller: &str) -> TestResponse {
    let ready = ready(world, row, caller).await;
    let token = token(world, caller, &ready.client_id);
    ready.send(world, row.method, token.as_deref()).await
}

/// A row's request, with what it needs.
struct PreparedRequest {
    path: String,
    body: Value,
    client_id: String,
}

impl PreparedRequest {
    async fn send(&self, world: &World, method: &str, token: Option<&str>) -> TestResponse {
        let request = world.request(method, &self.path);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        world.send(with_body(request, &self.body)).await
    }
}

async fn ready(world: &World, row: &Row, caller: &str) -> PreparedRequest {
    let mainstay = &world.mainstay;
    let acme = world.acme.id;
    // What is deleted or signed out is a client of its own, so that the other rows find theirs.
    let deletes_client = (row.method == "DELETE" && row.path.ends_with("{client_id}"))
        || row.path.ends_with("/sign-out");
    let client_id = if deletes_client {
        let client_id = format!("gone-{}-of-acme", fresh());
        mainstay.create_client(acme, &client_id, ClientPatch::default()).await.unwrap();
        if row.path.contains("/erased-clients/") {
            mainstay.delete_client(acme, &client_id, Some(true)).await.unwrap();
        }
        client_id
    } else {
        ADA.to_owned()
    };
    let scope = Scope::Service(acme);
    let mut path = format!("{}{}", row.path, row.query).replace("{client_id}", &client_id);
    let mut body = (row.body)();
    world.tick();
    path = path.replace("{job}", "hourly").replace("{version}", "1");
    if path.contains("{address}") {
        let address = format!("gone{}@example.com", fresh());
        let mut tx = mainstay.store().begin(scope).await.unwrap();
        tx.suppress_address(&address, "550", mainstay.now()).await.unwrap();
        tx.commit().await.unwrap();
        path = path.replace("{address}", &address);
    }
    if path.contains("{email_id}") {
        let (id, _) =
            email_of(world, EmailType::WeeklyInsights, LinkPurpose::Click, fresh() as usize).await;
        path = path.replace("{email_id}", &id);
    }
    if path.contains("{task_id}") {
        let task = mainstay.create_task(acme, ADA, "Try", TaskStatus::Pending).await.unwrap();
        path = path.replace("{task_id}", &task.id.to_string());
    }
    if path.contains("{insight_id}") || body.to_string().contains("{insight_id}") {
        let ada = mainstay.client(scope, ADA).await.unwrap();
        let insights = mainstay.client_insights(scope, ada.id, true).await.unwrap();
        let id = insights[0].id.to_string();
        path = path.replace("{insight_id}", &id);
        body = serde_json::from_str(&body.to_string().replace("{insight_id}", &id)).unwrap();
    }
    if path.contains("{alert_id}") {
        path = path.replace("{alert_id}", &fresh_alert(world).await);
    }
    if path.contains("{playbook_id}") {
        path = path.replace("{playbook_id}", &fresh_playbook(world).await);
    }
    if path.contains("{staff_task_id}") {
        path = path.replace("{staff_task_id}", &fresh_staff_task(world, ADA).await);
    }
    if path.contains("{webhook_id}") {
        let (webhook, message) = fresh_webhook(world).await;
        path = path.replace("{webhook_id}", &webhook).replace("{message_id}", &message);
    }
    if path.contains("{merge_id}") {
        path = path.replace("{merge_id}", &fresh_merge(world).await);
    }
    if body.to_string().contains("{lead}") {
        let lead = format!("lead-{}-of-acme", fresh());
        mainstay.create_client(acme, &lead, ClientPatch::default()).await.unwrap();
        body = serde_json::from_str(&body.to_string().replace("{lead}", &lead)).unwrap();
    }
    if path.contains("{key_id}") {
        let key = mainstay.create_key(acme, KeyKind::Write, None).await.unwrap();
        path = path.replace("{key_id}", &key.id.to_string());
    }
    if path.contains("{member_id}") {
        let email = format!("m{}@of-acme.example", fresh());
        let member = mainstay.add_member(acme, &email, None, Role::Staff).await.unwrap();
        path = path.replace("{member_id}", &member.id.to_string());
    }
    if path.contains("{name}") {
        let name = format!("name-{}", fresh());
        let names = [EventName { name: name.clone(), event_type: EventType::Login }];
        mainstay.set_event_names(acme, &names).await.unwrap();
        path = path.replace("{name}", &name);
    }
    let path = path.replace("{day}", "2026-05-03");
    if caller == "rival" && row.expected[7] == 200 {
        // Its events make clients of its own; they must not be called like those it cannot find.
        body = serde_json::from_str(&body.to_string().replace("-of-acme", "-of-rival")).unwrap();
    }
    PreparedRequest { path, body, client_id }
}

fn token(world: &World, caller: &str, client_id: &str) -> Option<String> {
    let acme = &world.acme;
    Some(match caller {
        "secret" => acme.secret_key.clone(),
        "owner" => acme.owner.clone(),
        "admin" => acme.admin.clone(),
        "staff" => acme.staff.clone(),
        "client" => world.client_token(client_id),
        "other client" => world.client_token(BOB),
        "write key" => acme.write_key.clone(),
        "rival" => world.rival.secret_key.clone(),
        _ => return None,
    })
}

fn with_body(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    if body.is_null() { request } else { request.json(body) }
}

/// An open alert of a client that fell silent.
async fn fresh_alert(world: &World) -> String {
    let mainstay = &world.mainstay;
    let acme = world.acme.id;
    let client_id = format!("quiet-{}-of-acme", fresh());
    let at = mainstay.now().checked_sub(120.hours()).unwrap();
    let event = json!({"client_id": client_id, "event": "login", "timestamp": at});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    mainstay.check_client_health(acme, &client_id, mainstay.now()).await.unwrap();
    let scope = Scope::Service(acme);
    let client = mainstay.client(scope, &client_id).await.unwrap();
    let filter = AlertFilter { client: Some(client.id), ..AlertFilter::default() };
    mainstay.alerts(scope, &filter, 1).await.unwrap()[0].episode.id.to_string()
}

/// A playbook of Acme's, as they are suggested, that nothing starts.
pub(crate) async fn fresh_playbook(world: &World) -> String {
    let suggested = suggestions().remove(0);
    let kept = world.mainstay.create_playbook(world.acme.id, suggested, false).await.unwrap();
    kept.id.to_string()
}

/// A merge that is done, of two clients of Acme's.
pub(crate) async fn fresh_merge(world: &World) -> String {
    let (mainstay, acme) = (&world.mainstay, world.acme.id);
    let [lead, client] = ["lead", "client"].map(|name| format!("{name}-{}-of-acme", fresh()));
    for name in [&lead, &client] {
        mainstay.create_client(acme, name, ClientPatch::default()).await.unwrap();
    }
    mainstay.merge_clients(acme, &client, &lead, None).await.unwrap().id.to_string()
}

/// Something that Acme's staff are to do for a client.
pub(crate) async fn fresh_staff_task(world: &World, client_id: &str) -> String {
    let new = NewStaffTask {
        client_id: client_id.to_owned(),
        title: "Call of-acme".to_owned(),
        text: String::new(),
        due_on: "2026-05-04".parse().unwrap(),
        owner: TaskOwner::Unspecified,
        alert: None,
    };
    let scope = Scope::Service(world.acme.id);
    world.mainstay.create_staff_task(scope, None, new).await.unwrap().id.to_string()
}

/// A webhook of Acme's with a message to it.
pub(crate) async fn fresh_webhook(world: &World) -> (String, String) {
    let create = CreateWebhook {
        kind: EndpointKind::Webhook,
        name: format!("Hook {} of-acme", fresh()),
        url: "https://example.com/of-acme".to_owned(),
        secret: None,
        route: Route::default(),
        ignores_quiet_hours: false,
    };
    // No more than an organization may have.
    for old in world.mainstay.webhooks(world.acme.id).await.unwrap().iter().skip(20) {
        world.mainstay.delete_webhook(world.acme.id, old.id).await.unwrap();
    }
    let webhook = world.mainstay.create_webhook(world.acme.id, create).await.unwrap().id;
    let message = world.mainstay.test_webhook(world.acme.id, webhook).await.unwrap().id;
    (webhook.to_string(), message.to_string())
}

#[tokio::test]
async fn every_route_is_in_the_table_and_every_row_is_a_route() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    let routes: BTreeSet<(String, String)> =
        operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let rows: BTreeSet<(String, String)> =
        table().iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    assert!(gone.is_empty(), "not a route: {gone:?}");
}

#[tokio::test]
async fn the_document_names_the_keys_that_the_table_lets_in() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    for (method, path, operation) in operations(&document) {
        let schemes = schemes(&operation);
        let lets_in = |caller: &str| {
            let column = CALLERS.iter().position(|one| *one == caller).unwrap();
            table()
                .iter()
                .filter(|row| row.method == method && row.path == path)
                .any(|row| row.expected[column] < 300)
        };
        for (scheme, caller) in [
            ("secret_key", "secret"),
            ("member_token", "owner"),
            ("client_token", "client"),
            ("write_key", "write key"),
        ] {
            let named = schemes.is_empty() || schemes.contains(scheme);
            assert_eq!(named, lets_in(caller), "{method} {path} by {caller}");
        }
    }
}

#[tokio::test]
async fn a_client_cannot_find_out_which_other_clients_there_are() {
    let world = World::sqlite().await;
    world.be_active(ADA, "login", 1).await;
    world.be_active(BOB, "login", 1).await;
    let token = world.client_token(ADA);
    for path in
        ["/api/v1/clients/{}", "/api/v1/clients/{}/score", "/api/client/success?clientId={}"]
    {
        let known = world.get(&token, &path.replace("{}", BOB)).await;
        let unknown = world.get(&token, &path.replace("{}", "nobody")).await;
        assert_eq!(known.problem(403), unknown.problem(403), "{path}");
    }
    for client_id in [BOB, "nobody"] {
        let event = json!({"client_id": client_id, "event": "login"});
        world.post(&token, "/api/v1/events", event).await.problem(403);
    }
    let unknown = world.mainstay.find_client(Scope::Service(world.acme.id), "nobody").await;
    assert_eq!(unknown.unwrap(), None);
}
