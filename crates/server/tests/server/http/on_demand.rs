//! The services on demand: insights, health checks and the badge, over HTTP.

use jiff::ToSpan as _;
use serde_json::{Value, json};

on_both_databases!(a_weeks_insights_are_written_once_on_whatever_day_of_the_next, async |world| {
    // A Friday: the last complete week ends on Saturday the 25th.
    let day = |back: i64| world.mainstay.now().checked_sub((back * 24).hours()).unwrap();
    let event = |id: &str, back: i64| {
        json!({
            "client_id": "ada", "event": "content_generated", "message_id": id,
            "timestamp": day(back),
        })
    };
    let events = json!([event("1", 8), event("2", 9), event("3", 10), event("4", 1)]);
    world.post(&world.acme.write_key, "/api/v1/events", events).await.json(200);
    let path = "/api/v1/clients/ada/insights";
    let written = world.post(&world.acme.secret_key, path, json!({})).await.json(200);
    assert_eq!((&written["first"], &written["last"]), (&json!("2026-04-19"), &json!("2026-04-25")));
    let insights = written["written"].as_array().unwrap();
    let made = insights.iter().find(|one| one["rule"] == "content_generated").unwrap();
    assert_eq!(made["figures"]["count"], 3, "what came after the week is not in it");
    assert_eq!(made["figures"]["total"], 3);
    let count = insights.len();
    // Every later day of the week writes the same period again, which changes nothing: not even after a
    // late event, and not by another door.
    for back in [7, 8] {
        let late = event(&format!("late-{back}"), back);
        world.post(&world.acme.write_key, "/api/v1/events", late).await.json(200);
        world.clock.set(world.mainstay.now().checked_add(5.hours()).unwrap());
        let again = world.post(&world.acme.staff, path, json!({})).await.json(200);
        assert_eq!(again["last"], "2026-04-25");
        assert_eq!(again["written"], json!([]));
        let now = world.mainstay.now();
        let job = world.mainstay.generate_weekly_insights(world.acme.id, "ada", now).await;
        assert_eq!(job.unwrap(), []);
    }
    let listed = world.get(&world.acme.secret_key, path).await.json(200);
    assert_eq!(listed["insights"].as_array().unwrap().len(), count);
    // The next week is another one.
    world.clock.advance_hours(24);
    let next = world.post(&world.acme.secret_key, path, json!({})).await.json(200);
    assert_eq!(next["last"], "2026-05-02");
    assert!(!next["written"].as_array().unwrap().is_empty());
    world
        .post(&world.acme.secret_key, "/api/v1/clients/nobody/insights", json!({}))
        .await
        .problem(404);
});

on_both_databases!(a_week_begins_on_the_day_of_the_weekly_job, async |world| {
    world.be_active("ada", "login", 200).await;
    let schedule = json!({"cron": "0 6 * * 3"});
    world.put(&world.acme.owner, "/api/v1/jobs/weekly/schedule", schedule).await.json(200);
    let path = "/api/v1/clients/ada/insights";
    let written = world.post(&world.acme.secret_key, path, json!({})).await.json(200);
    assert_eq!((&written["first"], &written["last"]), (&json!("2026-04-22"), &json!("2026-04-28")));
});

on_both_databases!(
    a_health_check_on_demand_returns_opened_worsened_and_ended_alerts,
    async |world| {
        world.be_active("ada", "login", 2).await;
        world.be_active("bob", "login", 2).await;
        let check = "/api/v1/health-check";
        let of = |changes: &Value, what: &str| -> Vec<(String, String)> {
            let rows = changes[what].as_array().unwrap().iter();
            rows.map(|row| {
                let text = |field: &str| row[field].as_str().unwrap().to_owned();
                (text("client_id"), text("type"))
            })
            .collect()
        };
        let pair = |client: &str, kind: &str| (client.to_owned(), kind.to_owned());
        world.clock.advance_hours(50);
        let one =
            world.post(&world.acme.staff, "/api/v1/clients/ada/health-check", json!({})).await;
        let one = one.json(200);
        assert_eq!(of(&one, "opened"), [pair("ada", "inactivity")]);
        assert_eq!(one["opened"][0]["held"], false);
        let all = world.post(&world.acme.secret_key, check, json!({})).await.json(200);
        assert_eq!(of(&all, "opened"), [pair("bob", "inactivity")]);
        let id = all["opened"][0]["alert_id"].as_str().unwrap();
        world.get(&world.acme.staff, &format!("/api/v1/alerts/{id}")).await.json(200);
        let summary = |token: String| async move {
            world.get(&token, "/api/v1/alerts/summary").await.json(200)
        };
        let counted = json!({"total": 2, "critical": 0, "warning": 2, "info": 0});
        assert_eq!(summary(world.acme.staff.clone()).await, counted);

        world.clock.advance_hours(24);
        world.be_active("bob", "login", 1).await;
        let later = world.post(&world.acme.owner, check, json!({})).await.json(200);
        assert_eq!(of(&later, "worsened"), [pair("ada", "zero_activity")]);
        assert_eq!(of(&later, "resolved"), [pair("bob", "inactivity")]);
        let counted = json!({"total": 1, "critical": 1, "warning": 0, "info": 0});
        assert_eq!(summary(world.acme.secret_key.clone()).await, counted);
        world.post(&world.acme.staff, check, json!({})).await.problem(403);
        let nobody = "/api/v1/clients/nobody/health-check";
        world.post(&world.acme.staff, nobody, json!({})).await.problem(404);
    }
);

on_both_databases!(a_badge_token_reads_the_badge_for_an_hour_and_nothing_else, async |world| {
    let members = world.get(&world.acme.owner, "/api/v1/members").await.json(200);
    let id = members["members"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/members/{id}/badge-token");
    let made = world.post(&world.acme.secret_key, &path, json!({})).await.json(201);
    let token = made["token"].as_str().unwrap();
    assert_eq!(made["expires_at"], "2026-05-01T13:00:00Z");
    let badge = "/widgets/v1/alert-badge";
    assert!(world.get(token, badge).await.text.contains("No open alert"));
    world.get(token, "/api/v1/alerts/summary").await.json(200);
    for path in ["/api/v1/alerts", "/api/v1/clients", "/api/v1/organization"] {
        world.get(token, path).await.problem(401);
    }
    world
        .post(token, "/api/v1/events", json!({"client_id": "x", "event": "login"}))
        .await
        .problem(401);
    assert_eq!(world.get(token, "/widgets/v1/score-card").await.status, 401);

    let short = json!({"expires_in_seconds": 60});
    let short = world.post(&world.acme.secret_key, &path, short).await.json(201);
    let short = short["token"].as_str().unwrap().to_owned();
    for wrong in [0, -1, 3_601] {
        let wrong = json!({"expires_in_seconds": wrong});
        let problem = world.post(&world.acme.secret_key, &path, wrong).await.problem(422);
        assert_eq!(problem["field"], "expires_in_seconds");
    }
    world.clock.set(world.mainstay.now().checked_add(61.seconds()).unwrap());
    assert_eq!(world.get(&short, badge).await.status, 401);
    assert_eq!(world.get(token, badge).await.status, 200);
    world.clock.advance_hours(1);
    assert_eq!(world.get(token, badge).await.status, 401);
    world.post(&world.acme.owner, &path, json!({})).await.problem(403);
    // Whoever is no member any more has no badge.
    let staff = world.acme.staff_id;
    let path = format!("/api/v1/members/{staff}/badge-token");
    let made = world.post(&world.acme.secret_key, &path, json!({})).await.json(201);
    let token = made["token"].as_str().unwrap();
    assert_eq!(world.get(token, badge).await.status, 200);
    world.mainstay.remove_member(world.acme.id, staff).await.unwrap();
    assert_eq!(world.get(token, badge).await.status, 401);
});

on_both_databases!(sample_data_say_so_in_every_answer_and_widget, async |world| {
    let created = world
        .mainstay
        .create_organization(mainstay::organization::CreateOrganization {
            slug: "sample".to_owned(),
            name: None,
            time_zone: None,
            sample: true,
        })
        .await
        .unwrap();
    let (key, write) = (&created.keys.secret_key, &created.keys.write_key);
    let event = json!({"client_id": "ada", "event": "login"});
    let stored = world.post(write, "/api/v1/events", event).await.json(200);
    assert_eq!(stored["sample_data"], true);
    world.tick();
    for path in [
        "/api/v1/organization",
        "/api/v1/clients",
        "/api/v1/clients/ada",
        "/api/v1/clients/ada/score",
        "/api/v1/alerts/summary",
        "/api/client/success?clientId=ada",
    ] {
        let answer = world.get(key, path).await;
        assert_eq!(answer.headers["mainstay-sample-data"], "true", "{path}");
        assert_eq!(answer.json(200)["sample_data"], true, "{path}");
    }
    let claims = mainstay::access::ClientClaims {
        sub: "ada".to_owned(),
        aud: "sample".to_owned(),
        exp: world.mainstay.now().as_second() + 600,
    };
    let token = mainstay::access::sign_client_token(&claims, &created.token_secret);
    for widget in ["score-card", "heatmap", "insights"] {
        let shown = world.get(&token, &format!("/widgets/v1/{widget}")).await;
        assert!(shown.text.contains("Sample data"), "{widget}: {shown:#?}");
    }
    // Real data do not.
    let real = world.get(&world.acme.secret_key, "/api/v1/organization").await;
    assert!(!real.headers.contains_key("mainstay-sample-data"));
    assert_eq!(real.json(200).get("sample_data"), None);
    let shown = world.get(&world.client_token("ada"), "/widgets/v1/score-card").await;
    assert!(!shown.text.contains("Sample data"), "{shown:#?}");
});

on_both_databases!(
    insights_say_that_events_of_their_week_came_after_they_were_written,
    async |world| {
        let day = |back: i64| world.mainstay.now().checked_sub((back * 24).hours()).unwrap();
        let event = |id: &str, back: i64| json!({"client_id": "ada", "event": "login", "message_id": id, "timestamp": day(back)});
        let first = json!([event("1", 8), event("2", 9)]);
        world.post(&world.acme.write_key, "/api/v1/events", first).await.json(200);
        let path = "/api/v1/clients/ada/insights";
        world.post(&world.acme.secret_key, path, json!({})).await.json(200);
        let later = async || {
            let listed = world.get(&world.acme.secret_key, path).await.json(200);
            listed["insights"][0]["later_events"].as_i64().unwrap()
        };
        assert_eq!(later().await, 0);
        // An event of this week is none of that one's.
        let more = json!([event("now", 1), event("late-1", 8), event("late-2", 10)]);
        world.post(&world.acme.write_key, "/api/v1/events", more).await.json(200);
        assert_eq!(later().await, 2);
        let token = world.client_token("ada");
        let shown = world.get(&token, "/widgets/v1/insights").await;
        let words = "2 events from that week arrived later and are not counted here";
        assert!(shown.text.contains(words), "{shown:#?}");
    }
);
