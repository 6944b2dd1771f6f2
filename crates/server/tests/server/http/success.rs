//! `/api/client/success` and the scores behind it.

use mainstay_store::Scope;
use serde_json::{Value, json};

const SUCCESS: &str = "/api/client/success";

/// Every number of a score adds up, whichever it is.
#[track_caller]
fn check_evidence(score: &Value) {
    let components = score["evidence"]["components"].as_array().unwrap();
    let mut sum = 0;
    for part in components {
        let name = part["component"].as_str().unwrap();
        assert_eq!(part["points"], score["components"][name], "{score:#}");
        let assumed = score["assumed"].as_array().unwrap().contains(&json!(name));
        assert_eq!(part["measured"], !assumed, "{score:#}");
        sum += part["contribution_hundredths"].as_i64().unwrap();
    }
    assert_eq!(score["evidence"]["total_hundredths"], sum, "{score:#}");
    assert_eq!(score["overall"], (sum + 50) / 100, "{score:#}");
}

on_both_databases!(a_client_sees_its_score_move_with_what_it_does, async |world| {
    let token = world.client_token("ada");
    let before = world.get(&token, SUCCESS).await.json(200);
    assert_eq!((&before["score"], &before["insights"]), (&Value::Null, &json!([])));
    let heatmap = &before["heatmap"];
    assert_eq!(heatmap["days"].as_array().unwrap().len(), 30);
    assert_eq!(heatmap["days"][0], json!({"day": "2026-04-02", "events": 0}));
    assert_eq!(heatmap["days"][29], json!({"day": "2026-05-01", "events": 0}));
    assert_eq!((&heatmap["total"], &heatmap["average_hundredths"]), (&json!(0), &json!(0)));

    // The seed's names; the client is the token's.
    let event = json!({"action": "track-event", "eventType": "login", "eventData": {"via": "sso"}});
    let stored = world.patch(&token, SUCCESS, event).await.json(200);
    assert_eq!(stored, json!({"stored": 1, "duplicates": 0, "refused": []}));
    world.be_active("ada", "content_generated", 12).await;
    world.clock.advance_hours(1);

    let after = world.get(&token, SUCCESS).await.json(200);
    let score = &after["score"];
    // 1 day of 7 × 50 + 13 of 20 events × 50 + 10 = 49.64; 12 contents; 80 after a week without.
    let components = json!({
        "engagement": 50, "activation": 0, "progress": 50, "satisfaction": 50, "momentum": 80,
    });
    assert_eq!(score["components"], components);
    assert_eq!(score["overall"], 45);
    assert_eq!((&score["band"], &score["trend"]), (&json!("needs_attention"), &json!("stable")));
    assert_eq!((&score["change"], &score["previous"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&score["coverage"], &score["assumed"]),
        (&json!(65), &json!(["activation", "satisfaction"]))
    );
    // As of its last event, whenever it is asked for.
    assert_eq!(score["as_of"], "2026-05-01T12:00:00.000001Z");
    check_evidence(score);
    let heatmap = &after["heatmap"];
    assert_eq!(heatmap["days"][29], json!({"day": "2026-05-01", "events": 13}));
    assert_eq!(
        (&heatmap["active_days"], &heatmap["average_hundredths"]),
        (&json!(1), &json!(1_300))
    );
    assert!(score["improvements"][0]["gain_hundredths"].as_i64().unwrap() > 0, "{score:#}");

    let by_key = format!("{SUCCESS}?clientId=ada");
    assert_eq!(world.get(&world.acme.secret_key, &by_key).await.json(200), after);
    assert_eq!(world.get(&world.acme.staff, &by_key).await.json(200), after);
});

on_both_databases!(a_score_is_stored_when_it_is_asked_for_and_explained_for_ever, async |world| {
    let staff = &world.acme.staff;
    world.be_active("ada", "visual_created", 5).await;
    let computed = world.post(staff, SUCCESS, json!({"clientId": "ada"})).await.json(200);
    check_evidence(&computed["score"]);
    let path = "/api/v1/clients/ada/scores/2026-05-01/evidence";
    assert_eq!(world.get(staff, path).await.json(200), computed["score"]);

    world.clock.advance_hours(8 * 24);
    world.be_active("ada", "visual_created", 4).await;
    let token = world.client_token("ada");
    let again = world.send(world.request("POST", SUCCESS).bearer_auth(&token)).await.json(200);
    let score = &again["score"];
    assert_eq!(score["previous"]["overall"], computed["score"]["overall"]);
    let change =
        score["overall"].as_i64().unwrap() - score["previous"]["overall"].as_i64().unwrap();
    assert_eq!(score["change"], change);
    // What is stored of the past is not touched by what happened since.
    assert_eq!(world.get(staff, path).await.json(200), computed["score"]);

    let history = world.get(staff, "/api/v1/clients/ada/scores").await.json(200);
    let days: Vec<&Value> =
        history["scores"].as_array().unwrap().iter().map(|score| &score["day"]).collect();
    assert_eq!(days, ["2026-05-01", "2026-05-09"]);
    assert_eq!((&history["from"], &history["to"]), (&json!("2026-02-09"), &json!("2026-05-09")));
    assert_eq!(history["scores"][1]["overall"], score["overall"]);
    assert_eq!(history["scores"][1]["assumed"], score["assumed"]);
    let one = world.get(staff, "/api/v1/clients/ada/scores?from=2026-05-02&to=2026-05-09").await;
    assert_eq!(one.json(200)["scores"].as_array().unwrap().len(), 1);
    world.get(staff, "/api/v1/clients/ada/scores/2026-05-02/evidence").await.problem(404);
});

on_both_databases!(feedback_makes_satisfaction_measured, async |world| {
    let token = world.client_token("ada");
    world.be_active("ada", "content_generated", 12).await;
    let path = "/api/v1/clients/ada/score";
    let before = world.get(&token, path).await.json(200);
    assert_eq!((&before["overall"], &before["coverage"]), (&json!(44), &json!(65)));

    let given = json!({"kind": "csat", "rating": 5, "comment": "Great."});
    let kept = world.post(&token, "/api/v1/clients/ada/feedback", given).await.json(201);
    assert_eq!((&kept["normalised"], &kept["comment"]), (&json!(100), &json!("Great.")));
    let earlier = json!({"kind": "thumbs", "rating": 0, "given_at": "2026-04-01T00:00:00+02:00"});
    world.post(&world.acme.staff, "/api/v1/clients/ada/feedback", earlier).await.json(201);
    world.clock.advance_hours(1);

    let listed = world.get(&token, "/api/v1/clients/ada/feedback").await.json(200);
    let given_at: Vec<&Value> =
        listed["feedback"].as_array().unwrap().iter().map(|one| &one["given_at"]).collect();
    assert_eq!(given_at, ["2026-05-01T12:00:00Z", "2026-03-31T22:00:00Z"]);
    let after = world.get(&token, path).await.json(200);
    assert_eq!(after["components"]["satisfaction"], 50);
    assert_eq!((&after["coverage"], &after["assumed"]), (&json!(80), &json!(["activation"])));
    check_evidence(&after);
});

on_both_databases!(tasks_and_the_launch_kit_make_activation_measured, async |world| {
    let staff = &world.acme.staff;
    world.be_active("ada", "login", 1).await;
    let tasks = "/api/v1/clients/ada/onboarding-tasks";
    let mut ids = Vec::new();
    for title in ["Connect a calendar", "Invite a colleague", "Publish"] {
        let task = world.post(staff, tasks, json!({"title": title})).await.json(201);
        assert_eq!(task["status"], "pending");
        world.tick();
        ids.push(task["id"].as_str().unwrap().to_owned());
    }
    let changes = [json!({"status": "completed"}), json!({"status": "skipped", "title": "Invite"})];
    for (id, change) in ids.iter().zip(changes) {
        world.patch(staff, &format!("{tasks}/{id}"), change).await.json(200);
    }
    let kit = world.put(staff, "/api/v1/clients/ada/launch-kit", json!({"state": "viewed"})).await;
    assert_eq!(kit.json(200)["state"], "viewed");
    world.clock.advance_hours(1);
    let score = world.get(staff, "/api/v1/clients/ada/score").await.json(200);
    // 2 of 3 tasks × 70 + 30.
    assert_eq!(score["components"]["activation"], 77);
    check_evidence(&score);

    assert_eq!(world.delete(staff, &format!("{tasks}/{}", ids[2])).await.status, 204);
    world.delete(staff, &format!("{tasks}/{}", ids[2])).await.problem(404);
    world.patch(staff, &format!("{tasks}/{}", ids[2]), json!({})).await.problem(404);
    world.clock.advance_hours(1);
    let token = world.client_token("ada");
    let listed = world.get(&token, tasks).await.json(200);
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(listed["tasks"][1]["title"], "Invite");
    let score = world.get(&token, "/api/v1/clients/ada/score").await.json(200);
    assert_eq!(score["components"]["activation"], 100);
    // As it was an hour ago, when there were three tasks.
    let then = world.get(&token, "/api/v1/clients/ada/score?as_of=2026-05-01T13:00:03Z").await;
    assert_eq!(then.json(200)["components"]["activation"], 77);
});

on_both_databases!(insights_are_read_acted_on_and_dismissed, async |world| {
    let acme = world.acme.id;
    world.be_active("ada", "content_generated", 5).await;
    world.clock.advance_hours(36);
    let now = world.mainstay.now();
    world.mainstay.generate_weekly_insights(acme, "ada", now).await.unwrap();
    let token = world.client_token("ada");

    let insights = world.get(&token, SUCCESS).await.json(200)["insights"].clone();
    let insights = insights.as_array().unwrap();
    assert!(insights.len() >= 2, "{insights:#?}");
    assert!(insights.iter().all(|insight| insight["status"] == "unread"));
    // It is Sunday in Berlin: the week that has just ended.
    let evidence = insights[0]["evidence"]["events_url"].as_str().unwrap();
    assert_eq!(evidence, "/api/v1/clients/ada/events?from=2026-04-26&to=2026-05-02");
    let events = world.get(&token, evidence).await.json(200);
    assert_eq!(events["events"].as_array().unwrap().len(), 5);

    let [first, second] = [&insights[0]["id"], &insights[1]["id"]];
    let mark = async |action: &str, id: &Value| {
        let body = json!({"action": action, "insightId": id});
        world.patch(&token, SUCCESS, body).await
    };
    for _ in 0..2 {
        assert_eq!(mark("mark-read", first).await.json(200)["insight"]["status"], "read");
    }
    assert_eq!(mark("acted-on", first).await.json(200)["insight"]["status"], "acted_on");
    assert_eq!(mark("dismiss", first).await.problem(409)["field"], "status");
    assert_eq!(mark("dismiss", second).await.json(200)["insight"]["status"], "dismissed");

    let path = "/api/v1/clients/ada/insights";
    let shown = world.get(&token, path).await.json(200)["insights"].as_array().unwrap().len();
    let all = world.get(&token, &format!("{path}?all=true")).await.json(200);
    assert_eq!(all["insights"].as_array().unwrap().len(), shown + 1);

    // Staff may name the insight alone; an unknown one and one of another client are the same.
    let body = json!({"action": "mark-read", "insightId": insights.last().unwrap()["id"]});
    let changed = world.patch(&world.acme.staff, SUCCESS, body.clone()).await.json(200);
    assert_eq!(changed["insight"]["evidence"]["events_url"], evidence);
    world.be_active("bob", "login", 1).await;
    let mut of_bob = body.clone();
    of_bob["clientId"] = json!("bob");
    world.patch(&world.acme.staff, SUCCESS, of_bob).await.problem(404);
    world.patch(&world.rival.owner, SUCCESS, body).await.problem(404);
    let ada = world.mainstay.client(Scope::Service(acme), "ada").await.unwrap();
    let id = world.mainstay.external_id(Scope::Service(acme), ada.id).await.unwrap();
    assert_eq!(id, "ada");
});

on_both_databases!(a_client_nobody_knows_is_a_404_for_those_who_see_all, async |world| {
    for token in [&world.acme.secret_key, &world.acme.staff] {
        let problem = world.get(token, &format!("{SUCCESS}?clientId=nobody")).await.problem(404);
        assert!(problem["detail"].as_str().unwrap().contains("\"nobody\""), "{problem}");
        world.post(token, SUCCESS, json!({"clientId": "nobody"})).await.problem(404);
    }
    let token = world.client_token("nobody");
    world.post(&token, SUCCESS, json!({})).await.problem(404);
    world.get(&token, "/api/v1/clients/nobody").await.problem(404);
    world.get(&token, "/api/v1/clients/nobody/score").await.problem(404);
    let id = "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071";
    let body = json!({"action": "dismiss", "insightId": id});
    world.patch(&token, SUCCESS, body).await.problem(404);
});
