//! `/api/v1/clients`.

use serde_json::{Value, json};

on_both_databases!(a_client_is_created_changed_and_deleted, async |world| {
    let staff = &world.acme.staff;
    let new = json!({
        "client_id": "ada", "name": "Ada", "email": "ada@example.com", "traits": {"a": 1, "b": 2},
    });
    let created = world.post(staff, "/api/v1/clients", new.clone()).await.json(201);
    assert_eq!(
        created,
        json!({
            "client_id": "ada", "name": "Ada", "email": "ada@example.com", "plan": null,
            "group_id": null, "traits": {"a": 1, "b": 2}, "created_at": "2026-05-01T12:00:00Z",
            "email_confirmed": true, "unconfirmed_email": null,
        })
    );
    assert_eq!(world.post(staff, "/api/v1/clients", new).await.problem(409)["field"], "client_id");
    let path = "/api/v1/clients/ada";
    let changes = json!({"plan": "pro", "traits": {"b": 3}});
    let ada = world.patch(staff, path, changes).await.json(200);
    assert_eq!((&ada["name"], &ada["plan"]), (&json!("Ada"), &json!("pro")));
    assert_eq!(ada["traits"], json!({"a": 1, "b": 3}));
    assert_eq!(world.get(&world.client_token("ada"), path).await.json(200), ada);
    // Another organization has an Ada of its own.
    let other = json!({"client_id": "ada", "name": "Another"});
    world.post(&world.rival.staff, "/api/v1/clients", other).await.json(201);

    world.be_active("ada", "login", 3).await;
    world.delete(staff, path).await.problem(403);
    assert_eq!(world.delete(&world.acme.admin, path).await.status, 204);
    world.get(staff, path).await.problem(404);
    world.delete(&world.acme.admin, path).await.problem(404);
    world.patch(staff, path, json!({"name": "x"})).await.problem(404);
    let tasks = "/api/v1/clients/ada/onboarding-tasks";
    world.post(staff, tasks, json!({"title": "t"})).await.problem(404);
    let kit = "/api/v1/clients/ada/launch-kit";
    world.put(staff, kit, json!({"state": "viewed"})).await.problem(404);
    assert_eq!(world.get(&world.rival.staff, path).await.json(200)["name"], "Another");
});

on_both_databases!(clients_are_listed_page_by_page_in_the_order_of_their_ids, async |world| {
    let staff = &world.acme.staff;
    // Bytes decide, on both databases: upper case before lower case before umlauts.
    let mut names = vec!["Zoe", "abe", "Ada", "äsop", "a b", "_x", "10", "9", "zoe"];
    for name in &names {
        world.post(staff, "/api/v1/clients", json!({"client_id": name})).await.json(201);
    }
    world.post(&world.rival.staff, "/api/v1/clients", json!({"client_id": "bea"})).await.json(201);
    names.sort_unstable();
    let mut seen: Vec<String> = Vec::new();
    let mut next = String::new();
    loop {
        let page = world.get(staff, &format!("/api/v1/clients?limit=4{next}")).await.json(200);
        let clients = page["clients"].as_array().unwrap();
        seen.extend(clients.iter().map(|client| client["client_id"].as_str().unwrap().to_owned()));
        let Some(last) = page["next"].as_str() else { break };
        assert_eq!(Some(last), seen.last().map(String::as_str));
        next = format!("&after={}", last.replace(' ', "%20"));
    }
    assert_eq!(seen, names);
    let page = world.get(staff, "/api/v1/clients?limit=9").await.json(200);
    assert_eq!(page["next"], Value::Null);
});

on_both_databases!(the_launch_kit_never_goes_back, async |world| {
    let staff = &world.acme.staff;
    world.be_active("ada", "login", 1).await;
    let path = "/api/v1/clients/ada/launch-kit";
    let unopened = json!({"state": "unopened", "viewed_at": null, "completed_at": null});
    assert_eq!(world.get(staff, path).await.json(200), unopened);
    world.put(staff, path, json!({"state": "viewed"})).await.json(200);
    world.clock.advance_hours(1);
    world.put(staff, path, json!({"state": "completed"})).await.json(200);
    let after = world.put(staff, path, json!({"state": "viewed"})).await.json(200);
    assert_eq!(
        after,
        json!({
            "state": "completed", "viewed_at": "2026-05-01T12:00:00Z",
            "completed_at": "2026-05-01T13:00:00Z",
        })
    );
});
