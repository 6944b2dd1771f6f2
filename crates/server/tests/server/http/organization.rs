//! Settings, members and score models.

use jiff::SignedDuration;
use mainstay::job::Worker;
use mainstay_core::job::Job;
use mainstay_store::{OrganizationPatch, Role, RunState, Scope};
use serde_json::json;

use crate::web::browser::Browser;

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

on_both_databases!(
    a_change_of_the_zone_is_said_to_be_under_way_and_jobs_wait_for_it,
    async |world| {
        let (owner, path) = (&world.acme.owner, "/api/v1/organization");
        world.be_active("ada", "login", 30).await;
        let scope = Scope::Service(world.acme.id);
        // As far as a process came that was killed right after it had begun.
        let mut tx = world.store.begin(scope).await.unwrap();
        let change = OrganizationPatch {
            time_zone: Some("Asia/Kathmandu".to_owned()),
            ..OrganizationPatch::default()
        };
        tx.update_organization(&change).await.unwrap();
        tx.begin_zone_change(world.mainstay.now()).await.unwrap();
        tx.commit().await.unwrap();
        let shown = world.get(owner, path).await.json(200);
        assert_eq!(shown["time_zone"], "Asia/Kathmandu");
        assert_eq!(shown["time_zone_change_since"], json!(world.mainstay.now()));
        let browser = Browser::member(world, &world.acme, Role::Owner).await;
        let settings = browser.get("/settings/organization").await;
        assert!(settings.page(200).contains("being recounted for this time zone"));
        let verified = world.mainstay.verify(world.acme.id, |_| ()).await;
        assert!(verified.unwrap_err().to_string().contains("verify again when it is done"));
        world.mainstay.start_job(world.acme.id, Job::Hourly).await.unwrap();
        let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
        world.mainstay.run_due_jobs(&worker).await.unwrap();
        let state = async || {
            let runs = world.mainstay.job_runs(scope, Some(Job::Hourly), 1).await.unwrap();
            runs[0].state
        };
        assert_eq!(state().await, RunState::Waiting);
        // A step that panics is tried again.
        world.mainstay.supervisor().inject_panic("zone change step", 1);
        world.mainstay.run_zone_changes().await.unwrap();
        while world.mainstay.run_zone_changes().await.unwrap() {}
        let shown = world.get(owner, path).await.json(200);
        assert_eq!(shown["time_zone_change_since"], json!(null));
        let verified = world.mainstay.verify(world.acme.id, |_| ()).await.unwrap();
        assert_eq!(verified.differences, []);
        world.mainstay.run_due_jobs(&worker).await.unwrap();
        assert_eq!(state().await, RunState::Succeeded);
    }
);

on_both_databases!(members_come_and_go_but_the_last_owner_stays, async |world| {
    let (owner, admin) = (&world.acme.owner, &world.acme.admin);
    let path = "/api/v1/members";
    let new = json!({"email": " Grace@Example.com ", "name": "Grace", "role": "owner"});
    let grace = world.post(owner, path, new.clone()).await.json(201);
    assert_eq!((&grace["email"], &grace["role"]), (&json!("grace@example.com"), &json!("owner")));
    assert_eq!(world.post(owner, path, new).await.problem(409)["field"], "email");
    let key = json!({"kind": "member", "member": "grace@example.com"});
    let token = world.post(owner, "/api/v1/keys", key).await.json(201)["key"].clone();
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

    // Publishing moves no score, but what would be done now is scored by the new model.
    let score = "/api/v1/clients/ada/score";
    let mut still = world.get(admin, score).await.json(200);
    assert_ne!(still["improvements"], before["score"]["improvements"]);
    still["improvements"] = before["score"]["improvements"].clone();
    assert_eq!(still, before["score"]);
    // The day that ends does, and what it is compared with is made by the same model.
    world.clock.advance_hours(24);
    let now = world.get(admin, score).await.json(200);
    assert_eq!((&now["model_version"], &now["as_of"]), (&json!(2), &json!("2026-05-01T22:00:00Z")));
    assert_ne!(now["overall"], before["score"]["overall"]);
    assert_eq!(now["evidence"]["components"][3]["weight_percent"], 0);
    assert_eq!(now["evidence"]["weight_total_percent"], 90);
    // A stored one keeps its own.
    let evidence = "/api/v1/clients/ada/scores/2026-05-01/evidence";
    let stored = world.get(admin, evidence).await.json(200);
    for field in ["overall", "evidence", "model_version", "as_of", "components"] {
        assert_eq!(stored[field], before["score"][field], "{field}");
    }
    // An earlier version can be taken again.
    let again = world.post(admin, "/api/v1/score-models/1/use", json!(null)).await.json(201);
    assert_eq!((&again["version"], &again["model"]), (&json!(3), &listed["models"][0]["model"]));
    world.post(admin, "/api/v1/score-models/3/use", json!(null)).await.problem(409);
    world.post(admin, "/api/v1/score-models/9/use", json!(null)).await.problem(404);
    world.post(admin, "/api/v1/score-models/x/use", json!(null)).await.problem(422);
    world.post(&world.acme.staff, "/api/v1/score-models/1/use", json!(null)).await.problem(403);
    let other = world.get(&world.rival.staff, path).await.json(200);
    assert_eq!(other["current"], 1);
});
