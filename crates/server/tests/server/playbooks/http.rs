//! `/api/v1/playbooks`, `/api/v1/staff-tasks` and `/api/v1/outcomes`.

use serde_json::{Value, json};

use super::{alert, at, playbook, task};
use crate::support::World;

const NO_ID: &str = "00000000-0000-7000-8000-000000000000";

on_both_databases!(playbooks_are_kept_changed_and_deleted, async |world| {
    let (owner, staff) = (&world.acme.owner, &world.acme.staff);
    let actions = json!([
        {"do": "task", "title": "Call “ada” \u{202e}", "text": "a\nb", "due_in_days": 0,
         "otherwise": world.acme.staff_id},
        {"do": "nudge"},
    ]);
    let id = playbook(world, alert("churn_risk", "critical"), actions.clone()).await;
    let path = format!("/api/v1/playbooks/{id}");
    let kept = world.get(staff, &path).await.json(200);
    assert_eq!((&kept["actions"], &kept["enabled"]), (&actions, &json!(true)));
    let listed = world.get(staff, "/api/v1/playbooks").await.json(200);
    assert_eq!(listed, json!({"playbooks": [kept]}));
    let band = json!({"on": "band", "from": null, "to": "needs_attention"});
    let body =
        json!({"name": "Other", "enabled": false, "trigger": band, "actions": [{"do": "nudge"}]});
    world.tick();
    let changed = world.put(owner, &path, body.clone()).await.json(200);
    assert_eq!((&changed["name"], &changed["trigger"]), (&body["name"], &band));
    assert_eq!(changed["created_at"], kept["created_at"]);
    assert_ne!(changed["changed_at"], kept["changed_at"]);
    assert_eq!(world.delete(owner, &path).await.status, 204);
    world.delete(owner, &path).await.problem(404);
    world.put(owner, &path, body).await.problem(404);
});

on_both_databases!(there_are_at_most_fifty_playbooks, async |world| {
    for _ in 0..50 {
        playbook(world, alert("inactivity", "info"), json!([{"do": "nudge"}])).await;
    }
    let body = json!({"name": "One more", "trigger": alert("inactivity", "info"), "actions": [{"do": "nudge"}]});
    let problem = world.post(&world.acme.owner, "/api/v1/playbooks", body).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("delete one first"), "{problem}");
});

on_both_databases!(tasks_are_made_listed_finished_and_reopened, async |world| {
    let (key, staff) = (&world.acme.secret_key, &world.acme.staff);
    for client in ["ada", "bob"] {
        world.be_active(client, "login", 1).await;
    }
    super::be_owned(world, "ada", world.acme.staff_id).await;
    let make = async |client: &str, due: &str, more: Value| {
        let mut body = json!({"client_id": client, "title": " Call ", "due_on": due});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.post(staff, "/api/v1/staff-tasks", body).await.json(201)
    };
    // The clock stands at 2026-05-01T12:00:00Z, 14 o'clock in Berlin.
    let late = make("ada", "2026-04-30", json!({})).await;
    assert_eq!((&late["overdue"], &late["title"]), (&json!(true), &json!("Call")));
    assert_eq!(late["owner_id"], json!(world.acme.staff_id), "the client's owner");
    assert_eq!(late["created_by"], json!(world.acme.staff_id));
    let today = make("ada", "2026-05-01", json!({"owner_id": null})).await;
    assert_eq!((&today["overdue"], &today["owner_id"]), (&json!(false), &Value::Null));
    let soon = make("bob", "2026-05-03", json!({"owner_id": world.acme.staff_id})).await;
    let ids = async |query: &str| {
        let path = format!("/api/v1/staff-tasks?{query}");
        let page = world.get(key, &path).await.json(200);
        let tasks = page["staff_tasks"].as_array().unwrap();
        let ids: Vec<Value> = tasks.iter().map(|task| task["id"].clone()).collect();
        (ids, page["next"].clone())
    };
    let id = |task: &Value| task["id"].clone();
    let all = vec![id(&late), id(&today), id(&soon)];
    assert_eq!(ids("").await, (all.clone(), Value::Null));
    assert_eq!(ids("owner_id=nobody").await.0, [id(&today)]);
    let mine = format!("owner_id={}", world.acme.staff_id);
    assert_eq!(ids(&mine).await.0, [id(&late), id(&soon)]);
    assert_eq!(ids("client_id=bob").await.0, [id(&soon)]);
    assert_eq!(ids("due_until=2026-05-01").await.0, [id(&late), id(&today)]);
    let (first, next) = ids("limit=2").await;
    assert_eq!(first, all[..2]);
    let rest = ids(&format!("limit=2&after={}", next.as_str().unwrap())).await;
    assert_eq!(rest, (vec![id(&soon)], Value::Null));

    let path = format!("/api/v1/staff-tasks/{}", late["id"].as_str().unwrap());
    let done = world.patch(staff, &path, json!({"state": "done"})).await.json(200);
    assert_eq!(done["finished_by"], json!(world.acme.staff_id));
    assert_eq!(
        (&done["finished_at"], &done["overdue"]),
        (&json!(world.mainstay.now()), &json!(false))
    );
    // Whoever was first has done it.
    world.tick();
    let again = world.patch(key, &path, json!({"state": "done"})).await.json(200);
    assert_eq!(again, done);
    assert_eq!(ids("state=open").await.0, [id(&today), id(&soon)]);
    let open =
        world.patch(staff, &path, json!({"state": "open", "title": "Write"})).await.json(200);
    assert_eq!((&open["finished_by"], &open["finished_at"]), (&Value::Null, &Value::Null));
    assert_eq!(open["title"], "Write");
    assert_eq!(world.delete(staff, &path).await.status, 204);
    world.get(staff, &path).await.problem(404);
    world.patch(staff, &path, json!({})).await.problem(404);
    // Another organization has none of them.
    let theirs = world.get(&world.rival.staff, "/api/v1/staff-tasks").await.json(200);
    assert_eq!(theirs, json!({"staff_tasks": [], "next": null}));
});

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_field_and_remedy() {
    let world = World::sqlite().await;
    world.be_active("ada", "login", 1).await;
    world.be_active("bob", "login", 1).await;
    world.clock.set(at("2026-05-04T12:00:00Z"));
    super::check(&world).await;
    let alerts = world.get(&world.acme.staff, "/api/v1/alerts?client_id=bob").await.json(200);
    let bobs = alerts["alerts"][0]["id"].as_str().unwrap();
    let of = |trigger: Value, actions: Value| json!({"name": "A", "trigger": trigger, "actions": actions});
    let nudge = json!([{"do": "nudge"}]);
    let inactive = alert("inactivity", "info");
    let (plays, todo) = ("/api/v1/playbooks", "/api/v1/staff-tasks");
    let mut member = task("Call", 1);
    member["otherwise"] = json!(NO_ID);
    let make = |field: &str, value: Value| {
        let mut body = json!({"client_id": "ada", "title": "Call", "due_on": "2026-05-04"});
        body[field] = value;
        body
    };
    for (path, body, field, words) in [
        (plays, json!({}), "name", "missing"),
        (
            plays,
            json!({"name": "A", "trigger": inactive, "actions": nudge, "on": 1}),
            "on",
            "not a known field",
        ),
        (plays, json!({"name": "", "trigger": inactive, "actions": nudge}), "name", "1 to 100"),
        (plays, json!({"name": "a\0", "trigger": inactive, "actions": nudge}), "name", "NUL"),
        (plays, of(json!({"on": "full_moon"}), nudge.clone()), "trigger", "alert"),
        (plays, of(json!({"on": "alert"}), nudge.clone()), "trigger", "at_least"),
        (plays, of(alert("boredom", "info"), nudge.clone()), "trigger", "zero_activity"),
        (plays, of(json!({"on": "band", "to": "great"}), nudge.clone()), "trigger", "excellent"),
        (
            plays,
            of(json!({"on": "band", "from": "good", "to": "good"}), nudge),
            "trigger.from",
            "two different",
        ),
        (plays, of(inactive.clone(), json!([])), "actions", "at least one"),
        (plays, of(inactive.clone(), json!([{"do": "dance"}])), "actions[0]", "nudge"),
        (plays, of(inactive.clone(), json!([task("", 1)])), "actions[0].title", "1 to 200"),
        (plays, of(inactive.clone(), json!([task("Call", 366)])), "actions[0].due_in_days", "365"),
        (
            plays,
            of(inactive.clone(), json!([task("Call", i32::MIN)])),
            "actions[0].due_in_days",
            "365",
        ),
        (plays, of(inactive, json!([member])), "actions[0].otherwise", "no member"),
        (todo, make("title", json!(" ")), "title", "1 to 200"),
        (todo, make("title", json!("a\nb")), "title", "one line"),
        (todo, make("text", json!("x".repeat(4_001))), "text", "4000"),
        (todo, make("due_on", json!("2026-02-30")), "due_on", "2026-05-01"),
        (todo, make("due_on", json!("9999-12-31")), "due_on", "9998"),
        (todo, make("due_on", json!(5)), "due_on", "send text"),
        (todo, make("owner_id", json!(NO_ID)), "owner_id", "no member"),
        (todo, make("owner_id", json!("me")), "owner_id", "UUID"),
        (todo, make("alert_id", json!(bobs)), "alert_id", "another client"),
        (todo, make("client_id", json!("")), "client_id", "1 to 255"),
        (todo, make("state", json!("done")), "state", "not a known field"),
    ] {
        let problem = world.post(&world.acme.secret_key, path, body.clone()).await.problem(422);
        let detail = problem["detail"].as_str().unwrap();
        let named = problem["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{body}: {problem}");
        assert!(detail.contains(words), "{words} is not in {detail}");
    }
    let missing = json!({"client_id": "nobody", "title": "Call", "due_on": "2026-05-04"});
    world.post(&world.acme.secret_key, todo, missing).await.problem(404);
    for (query, field) in [
        ("owner_id=me", "owner_id"),
        ("state=late", "state"),
        ("due_until=today", "due_until"),
        ("after=1", "after"),
        ("limit=0", "limit"),
        ("client_id=", "client_id"),
        ("mine=1", "mine"),
    ] {
        let asked = world.get(&world.acme.staff, &format!("{todo}?{query}")).await;
        assert_eq!(asked.problem(422)["field"], field);
    }
}
