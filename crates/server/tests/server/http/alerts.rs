//! `/api/v1/alerts`.

use jiff::ToSpan as _;
use serde_json::{Value, json};

use crate::support::World;

/// Lets clients fall silent for so many hours and checks everybody's health.
async fn fall_silent(world: &World, clients: &[&str], hours: i64) {
    for client in clients {
        world.be_active(client, "login", 1).await;
    }
    world.clock.advance_hours(hours);
    world.tick();
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
}

fn ids(page: &Value) -> Vec<String> {
    let alerts = page["alerts"].as_array().unwrap();
    alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

on_both_databases!(a_member_acts_on_an_alert_and_who_did_is_kept, async |world| {
    let staff = &world.acme.staff;
    fall_silent(world, &["ada"], 49).await;
    let page = world.get(staff, "/api/v1/alerts?open=true").await.json(200);
    let alert = &page["alerts"][0];
    assert_eq!((&alert["type"], &alert["severity"]), (&json!("inactivity"), &json!("warning")));
    assert_eq!((&alert["client_id"], &alert["status"]), (&json!("ada"), &json!("active")));
    let path = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());

    world.tick();
    let note = json!({"note": "On it."});
    let acknowledged = world.post(staff, &format!("{path}/acknowledge"), note).await.json(200);
    assert_eq!(acknowledged["status"], "acknowledged");
    world.clock.advance_hours(1);
    let until = json!({"until": "2026-05-04T09:00:00+02:00"});
    let snoozed = world.post(staff, &format!("{path}/snooze"), until).await.json(200);
    assert_eq!(snoozed["snoozed_until"], "2026-05-04T07:00:00Z");
    world.clock.advance_hours(1);
    let past = json!({"until": "2026-05-01T00:00:00Z"});
    let problem = world.post(staff, &format!("{path}/snooze"), past).await.problem(422);
    assert_eq!(problem["field"], "until");
    // Without a body at all, and by a key instead of a member.
    let request = world.request("POST", &format!("{path}/resolve"));
    let resolved = world.send(request.bearer_auth(&world.acme.secret_key)).await.json(200);
    assert_eq!(resolved["status"], "resolved");
    assert_eq!(resolved["ended_at"], "2026-05-03T15:00:02Z");
    let problem = world.post(staff, &format!("{path}/dismiss"), json!({})).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("already resolved"), "{problem}");

    let read = world.get(staff, &path).await.json(200);
    let actions: Vec<(&str, bool, &str)> = read["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| {
            let by_staff = action["member_id"] == json!(world.acme.staff_id);
            (action["action"].as_str().unwrap(), by_staff, action["note"].as_str().unwrap())
        })
        .collect();
    assert_eq!(actions[0].0, "opened");
    assert_eq!(
        actions[1..],
        [("acknowledge", true, "On it."), ("snooze", true, ""), ("resolve", false, "")]
    );
});

on_both_databases!(alerts_are_filtered_and_read_page_by_page, async |world| {
    let staff = &world.acme.staff;
    fall_silent(world, &["ada", "bob", "cleo"], 73).await;
    fall_silent(world, &["dora", "emil"], 50).await;
    let count = async |query: &str| {
        ids(&world.get(staff, &format!("/api/v1/alerts?{query}")).await.json(200)).len()
    };
    assert_eq!(count("type=zero_activity").await, 3);
    assert_eq!(count("type=inactivity").await, 2);
    assert_eq!(count("severity=critical").await, 3);
    assert_eq!(count("severity=info").await, 0);
    assert_eq!(count("client_id=ada").await, 1);
    assert_eq!(count("open=true").await, 5);
    assert_eq!(count("open=false").await, 0);
    world.get(staff, "/api/v1/alerts?client_id=nobody").await.problem(404);

    let all = world.get(staff, "/api/v1/alerts").await.json(200);
    assert_eq!(all["next"], Value::Null);
    let first = ids(&all)[0].clone();
    world.post(staff, &format!("/api/v1/alerts/{first}/dismiss"), json!({})).await.json(200);
    assert_eq!(count("status=dismissed").await, 1);
    assert_eq!(count("status=active&open=true").await, 4);
    assert_eq!(count("open=false").await, 1);

    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = world.get(staff, &format!("/api/v1/alerts?limit=2{next}")).await.json(200);
        seen.extend(ids(&page));
        let Some(before) = page["next"].as_str() else { break };
        next = format!("&before={before}");
    }
    assert_eq!(seen, ids(&all));
    let other = world.get(&world.rival.owner, "/api/v1/alerts").await.json(200);
    assert_eq!(other, json!({"alerts": [], "next": null}));
});

on_both_databases!(
    what_was_done_with_an_alert_is_taken_back_while_its_condition_lasts,
    async |world| {
        world.be_active("ada", "login", 1).await;
        world.clock.advance_hours(50);
        let now = world.mainstay.now();
        world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
        let staff = &world.acme.staff;
        let alerts = world.get(staff, "/api/v1/alerts").await.json(200);
        let path = format!("/api/v1/alerts/{}", alerts["alerts"][0]["id"].as_str().unwrap());
        let act = async |what: &str, body: Value| {
            world.tick();
            world.post(staff, &format!("{path}/{what}"), body).await
        };
        act("acknowledge", json!({})).await.json(200);
        for what in ["resolve", "dismiss"] {
            act(what, json!({})).await.json(200);
            let again = act("reopen", json!({"note": "Wrong one."})).await.json(200);
            assert_eq!(again["status"], "acknowledged", "as it was before {what}");
            assert_eq!(again["ended_at"], Value::Null);
            assert_eq!(again["actions"].as_array().unwrap().last().unwrap()["action"], "reopen");
        }
        act("snooze", json!({"until": now.checked_add(60.hours()).unwrap()})).await.json(200);
        assert_eq!(act("reopen", json!({})).await.json(200)["status"], "active", "woken");
        // A check finds the same episode, and no second one.
        let checked = act("dismiss", json!({})).await.json(200)["changed_at"].clone();
        assert!(checked.is_string());
        act("reopen", json!({})).await.json(200);
        world.clock.advance_hours(24);
        let now = world.mainstay.now();
        let changes = world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
        assert_eq!(changes.len(), 1, "it gets worse: {changes:?}");
        act("dismiss", json!({})).await.json(200);
        world.be_active("ada", "login", 1).await;
        let now = world.mainstay.now();
        world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
        let problem = act("reopen", json!({})).await.problem(409);
        assert!(problem["detail"].as_str().unwrap().contains("condition has ended"), "{problem}");
    }
);
