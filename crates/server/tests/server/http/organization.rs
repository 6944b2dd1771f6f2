//! Settings, members and score models.

use serde_json::json;

on_both_databases!(the_organization_is_renamed_and_moves_to_another_zone, async |world| {
    let owner = &world.acme.owner;
    let path = "/api/v1/organization";
    // Late on 30 April in New York, early on 1 May in Berlin.
    let event = json!({"client_id": "ada", "event": "login", "timestamp": "2026-05-01T03:00:00Z"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    let day = async || {
        let activity = world.get(owner, "/api/v1/clients/ada/activity").await.json(200);
        let days = activity["days"].as_array().unwrap().clone();
        days.into_iter().find(|day| day["events"] == 1).unwrap()["day"].clone()
    };
    assert_eq!(day().await, "2026-05-01");
    let changes = json!({"name": "Acme & Co", "time_zone": "America/New_York"});
    let moved = world.patch(owner, path, changes).await.json(200);
    assert_eq!((&moved["name"], &moved["slug"]), (&json!("Acme & Co"), &json!("acme")));
    assert_eq!(day().await, "2026-04-30");
    assert_eq!(world.get(&world.acme.staff, path).await.json(200), moved);
    assert_eq!(world.patch(owner, path, json!({})).await.json(200), moved);
    let other = world.get(&world.rival.staff, path).await.json(200);
    assert_eq!((&other["slug"], &other["time_zone"]), (&json!("rival"), &json!("Europe/Berlin")));
});

on_both_databases!(members_come_and_go_but_the_last_owner_stays, async |world| {
    let admin = &world.acme.admin;
    let path = "/api/v1/members";
    let new = json!({"email": " Grace@Example.com ", "name": "Grace", "role": "owner"});
    let grace = world.post(admin, path, new.clone()).await.json(201);
    assert_eq!((&grace["email"], &grace["role"]), (&json!("grace@example.com"), &json!("owner")));
    assert_eq!(world.post(admin, path, new).await.problem(409)["field"], "email");
    let key = json!({"kind": "member", "member": "grace@example.com"});
    let token = world.post(admin, "/api/v1/keys", key.clone()).await.json(201)["key"].clone();
    let token = token.as_str().unwrap();
    let members = world.get(token, path).await.json(200);
    let members = members["members"].as_array().unwrap();
    assert_eq!(members.len(), 4);

    let owner = members.iter().find(|one| one["email"] == "owner@of-acme.example").unwrap();
    let owner = format!("{path}/{}", owner["id"].as_str().unwrap());
    let grace = format!("{path}/{}", grace["id"].as_str().unwrap());
    assert_eq!(world.delete(token, &owner).await.status, 204);
    world.get(&world.acme.owner, path).await.problem(401);
    let problem = world.delete(token, &grace).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("only owner"), "{problem}");
    world.delete(&world.rival.owner, &grace).await.problem(404);
    let gone = json!({"kind": "member", "member": "owner@of-acme.example"});
    world.post(admin, "/api/v1/keys", gone).await.problem(404);
});

on_both_databases!(a_published_model_makes_the_scores_from_then_on, async |world| {
    let admin = &world.acme.admin;
    world.be_active("ada", "content_generated", 12).await;
    let before =
        world.post(admin, "/api/client/success", json!({"clientId": "ada"})).await.json(200);
    assert_eq!(before["score"]["model_version"], 1);
    let path = "/api/v1/score-models";
    let listed = world.get(&world.acme.staff, path).await.json(200);
    assert_eq!((&listed["current"], &listed["models"][0]["version"]), (&json!(1), &json!(1)));
    let mut model = listed["models"][0]["model"].clone();
    model["name"] = json!("content first");
    model["weights"] = json!({
        "engagement": 10, "activation": 10, "progress": 60, "satisfaction": 10, "momentum": 10,
    });
    model["satisfaction"]["without_feedback"] = json!("exclude");
    let published = world.post(admin, path, model.clone()).await.json(201);
    assert_eq!((&published["version"], &published["model"]), (&json!(2), &model));

    let now = world.get(admin, "/api/v1/clients/ada/score").await.json(200);
    assert_eq!(now["model_version"], 2);
    assert_ne!(now["overall"], before["score"]["overall"]);
    assert_eq!(now["evidence"]["components"][3]["weight_percent"], 0);
    let stored = "/api/v1/clients/ada/scores/2026-05-01/evidence";
    assert_eq!(world.get(admin, stored).await.json(200), before["score"]);
    let other = world.get(&world.rival.staff, path).await.json(200);
    assert_eq!(other["current"], 1);
});
