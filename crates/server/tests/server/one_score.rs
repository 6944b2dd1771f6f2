//! One score at a time: every place shows the same one of a client, at every moment.

use mainstay_core::{
    engagement::{Event, EventType},
    score::LaunchKit,
    time::{local_day, time_zone},
};
use mainstay_store::{ClientSighting, Role, RollUp, Scope, StorableEvent};
use serde_json::{Value, json};

use crate::{support::World, web::browser::Browser};

const CLIENTS: [&str; 4] = ["ada", "bob", "cleo", "dora"];

/// What the API says of a client.
async fn read_score(world: &World, client: &str) -> Value {
    let path = format!("/api/v1/clients/{client}/score");
    world.get(&world.acme.secret_key, &path).await.json(200)
}

fn advance(world: &World, minutes: i64) {
    let later = jiff::SignedDuration::from_mins(minutes);
    world.clock.set(world.mainstay.now().checked_add(later).unwrap());
}

fn just_after(at: jiff::Timestamp) -> jiff::Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap()
}

/// The scores of a page of the portfolio, by client.
fn listed(html: &str) -> Vec<(String, String)> {
    html.split("<tr").skip(1).filter_map(row).collect()
}

fn row(row: &str) -> Option<(String, String)> {
    let client = row.split("href=\"/clients/").nth(1)?.split(['"', '#', '?']).next()?;
    let score = row.split("<b>").nth(1)?.split('<').next()?;
    Some((client.to_owned(), score.to_owned()))
}

/// Everything that shows a client's score now, against each other.
async fn compare(world: &World, staff: &Browser, moment: usize) {
    let secret = &world.acme.secret_key;
    let page = staff.get("/portfolio?view=all").await;
    let rows = listed(page.page(200));
    let board = world.mainstay.portfolio(world.acme.id).await.unwrap();
    let mut overalls = Vec::new();
    for client in CLIENTS {
        let Some((_, in_list)) = rows.iter().find(|(listed, _)| listed == client) else {
            let known = world.mainstay.find_client(Scope::Service(world.acme.id), client).await;
            assert!(known.unwrap().is_none(), "moment {moment}: {client} is not listed");
            continue;
        };
        let shown = read_score(world, client).await;
        let overall = shown["overall"].as_i64().unwrap();
        overalls.push(overall);
        assert_eq!(*in_list, overall.to_string(), "moment {moment}: the list, of {client}");
        let seed = world.get(secret, &format!("/api/client/success?clientId={client}")).await;
        let seed = seed.json(200);
        assert_eq!(seed["score"], shown, "moment {moment}: two endpoints, of {client}");
        let scope = Scope::Service(world.acme.id);
        let id = world.mainstay.client(scope, client).await.unwrap().id;
        let standing = board.read(|portfolio| portfolio.standing(id).cloned()).unwrap();
        let stored = standing.score.unwrap();
        assert_eq!(stored.overall, overall, "moment {moment}: what is filtered by, of {client}");
        assert_eq!(json!(stored.as_of), shown["as_of"], "moment {moment}: {client}");
        assert_eq!(json!(stored.change), shown["change"], "moment {moment}: {client}");
        assert_eq!(json!(stored.band), shown["band"], "moment {moment}: {client}");
        let own = staff.get(&format!("/clients/{client}")).await;
        let ring = format!("<b>{overall}</b>of 100");
        assert!(own.page(200).contains(&ring), "moment {moment}: the page of {client}");
        let body = json!({"clientId": client});
        let computed = world.post(secret, "/api/client/success", body).await.json(200);
        assert_eq!(computed["score"], shown, "moment {moment}: computing it again, of {client}");
    }
    overalls.sort_unstable();
    let median = overalls.get(overalls.len().saturating_sub(1) / 2).copied();
    let summary = board.read(|portfolio| portfolio.summary().clone());
    assert_eq!(summary.median, median, "moment {moment}");
    let counted: i64 = summary.by_band.values().sum();
    assert_eq!(counted, i64::try_from(overalls.len()).unwrap(), "moment {moment}");
}

on_both_databases!(no_two_places_show_different_scores_of_a_client, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let secret = &world.acme.secret_key;
    for (client, events) in [("ada", 40), ("bob", 5)] {
        world.be_active(client, "content_generated", events).await;
    }
    let mut random = fastrand::Rng::with_seed(12);
    for moment in 0..50 {
        advance(world, random.i64(1..116));
        if moment % 3 > 0 {
            let client = CLIENTS[random.usize(..CLIENTS.len())];
            let now = world.mainstay.now();
            // As it happens, late, or from another day.
            let ago = [0, 1, 50, 2_000][random.usize(..4)];
            let at = now.checked_sub(jiff::SignedDuration::from_mins(ago)).unwrap();
            let name = ["login", "content_generated", "visual_created"][random.usize(..3)];
            let event = json!({"client_id": client, "event": name, "timestamp": at,
                "message_id": format!("m{moment}")});
            world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
            advance(world, 1);
        }
        match moment {
            10 => {
                let body = json!({"kind": "stars", "rating": 2});
                world.post(secret, "/api/v1/clients/ada/feedback", body).await.json(201);
            }
            15 => {
                let body = json!({"title": "Connect", "status": "completed"});
                world.post(secret, "/api/v1/clients/bob/onboarding-tasks", body).await.json(201);
            }
            20 => {
                let state = LaunchKit::Viewed.as_str();
                let path = "/api/v1/clients/bob/launch-kit";
                world.put(secret, path, json!({"state": state})).await.json(200);
            }
            25 => {
                let mut model = mainstay_core::score::ScoreModel::standard();
                model.weights.engagement = 40;
                model.weights.momentum = 0;
                world.mainstay.publish_score_model(world.acme.id, &model).await.unwrap();
            }
            // Somebody scores everybody for another instant of the day, and of an earlier one.
            30 | 35 => {
                let back = jiff::SignedDuration::from_mins(if moment == 30 { 3 } else { 1_700 });
                let as_of = world.mainstay.now().checked_sub(back).unwrap();
                let run = mainstay::score::ScoreRun { as_of, client: None, dry_run: false };
                world.mainstay.score_organization(world.acme.id, &run, drop).await.unwrap();
            }
            _ => {}
        }
        compare(world, &staff, moment).await;
        let report = world.mainstay.verify(world.acme.id, |_| ()).await.unwrap();
        assert_eq!((report.differences, report.awaiting), (Vec::new(), 0), "moment {moment}");
    }
});

on_both_databases!(a_promised_gain_is_the_gain, async |world| {
    let secret = &world.acme.secret_key;
    let mut random = fastrand::Rng::with_seed(7);
    let mut kept = std::collections::BTreeSet::new();
    for round in 0..40 {
        let client = format!("client-{round}");
        let path = format!("/api/v1/clients/{client}");
        world.post(secret, "/api/v1/clients", json!({"client_id": client})).await.json(201);
        let now = world.mainstay.now();
        let events: Vec<Value> = (0..random.usize(0..30))
            .map(|number| {
                let ago = jiff::SignedDuration::from_mins(random.i64(1..20 * 24 * 60));
                let at = now.checked_sub(ago).unwrap();
                let name = ["login", "content_generated", "visual_created", "x"];
                json!({"client_id": client, "event": name[random.usize(..4)], "timestamp": at,
                    "message_id": number.to_string()})
            })
            .collect();
        if !events.is_empty() {
            world.post(&world.acme.write_key, "/api/v1/events", events.into()).await.json(200);
        }
        let mut tasks = Vec::new();
        for _ in 0..random.usize(0..4) {
            let status = ["pending", "completed", "in_progress"][random.usize(..3)];
            let body = json!({"title": "Step", "status": status});
            let made = world.post(secret, &format!("{path}/onboarding-tasks"), body).await;
            let made = made.json(201);
            if status != "completed" {
                tasks.push(made["id"].as_str().unwrap().to_owned());
            }
        }
        if random.bool() {
            let body = json!({"kind": "stars", "rating": random.i64(1..=5)});
            world.post(secret, &format!("{path}/feedback"), body).await.json(201);
        }
        if round % 8 == 7 {
            let mut model = mainstay_core::score::ScoreModel::standard();
            model.activation.without_tasks = mainstay_core::score::MissingData::Exclude;
            model.satisfaction.without_feedback = if round % 16 == 7 {
                mainstay_core::score::MissingData::Exclude
            } else {
                mainstay_core::score::MissingData::Neutral(70)
            };
            world.mainstay.publish_score_model(world.acme.id, &model).await.unwrap();
        }
        // So that what was done has happened.
        advance(world, random.i64(1..600));
        let before =
            world.post(secret, "/api/client/success", json!({"clientId": client})).await.json(200);
        let promises = before["score"]["improvements"].as_array().unwrap().clone();
        if promises.is_empty() {
            continue;
        }
        let promise = &promises[random.usize(..promises.len())];
        let action = promise["action"].as_str().unwrap();
        match action {
            "complete_task" => {
                let path = format!("{path}/onboarding-tasks/{}", tasks[0]);
                world.patch(secret, &path, json!({"status": "completed"})).await.json(200);
            }
            "view_launch_kit" => {
                world.put(secret, &format!("{path}/launch-kit"), json!({"state": "viewed"})).await;
            }
            _ => {
                let name = match action {
                    "generate_content" => "content_generated",
                    "create_visual" => "visual_created",
                    _ => "login",
                };
                for number in 0..promise["times"].as_i64().unwrap() {
                    let event = json!({"client_id": client, "event": name,
                        "timestamp": world.mainstay.now(), "message_id": format!("step-{number}")});
                    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
                }
            }
        }
        world.clock.set(just_after(world.mainstay.now()));
        let after = read_score(world, &client).await;
        let total = |score: &Value| score["evidence"]["total_hundredths"].as_i64().unwrap();
        assert_eq!(
            total(&after) - total(&before["score"]),
            promise["gain_hundredths"].as_i64().unwrap(),
            "{action}: {:#}\nafter {after:#}",
            before["score"]
        );
        kept.insert(action.to_owned());
    }
    assert_eq!(kept.len(), 5, "every kind of step: {kept:?}");
});

on_both_databases!(a_dry_run_does_not_block_and_predicts_what_is_stored, async |world| {
    let acme = world.acme.id;
    world.be_active("ada", "content_generated", 20).await;
    world.mainstay.score_as_shown(acme, None, false, drop).await.unwrap();
    advance(world, 8 * 24 * 60);
    // Late, so that what the next score is compared with is out of date.
    let at = world.mainstay.now().checked_sub(jiff::SignedDuration::from_hours(200)).unwrap();
    let event =
        json!({"client_id": "ada", "event": "login", "timestamp": at, "message_id": "late"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    let writing = world.mainstay.store().begin(Scope::Service(acme)).await.unwrap();
    let mut dry = Vec::new();
    let each = |chunk| dry.extend::<Vec<mainstay::score::ClientScore>>(chunk);
    world.mainstay.score_as_shown(acme, None, true, each).await.unwrap();
    writing.rollback().await.unwrap();
    let mut stored = Vec::new();
    let each = |chunk| stored.extend::<Vec<mainstay::score::ClientScore>>(chunk);
    world.mainstay.score_as_shown(acme, None, false, each).await.unwrap();
    assert_eq!((dry.len(), &dry), (1, &stored));
});

on_both_databases!(publishing_a_model_moves_no_trend_and_opens_no_alert, async |world| {
    let secret = &world.acme.secret_key;
    // Generous where there are no data.
    let mut generous = mainstay_core::score::ScoreModel::standard();
    generous.activation.without_tasks = mainstay_core::score::MissingData::Neutral(100);
    generous.satisfaction.without_feedback = mainstay_core::score::MissingData::Neutral(100);
    world.mainstay.publish_score_model(world.acme.id, &generous).await.unwrap();
    // Steady: the same every day.
    let day = async |number: i64| {
        for client in ["ada", "bob"] {
            let event = json!({"client_id": client, "event": "content_generated",
                "timestamp": world.mainstay.now(), "message_id": format!("day-{number}")});
            world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        }
        world.clock.advance_hours(24);
        world.mainstay.score_as_shown(world.acme.id, None, false, drop).await.unwrap();
    };
    for number in 0..20 {
        day(number).await;
    }
    // What would be done now is scored by the model in force now, and its gain follows from that.
    let without_gains = async |client: &str| {
        let mut score = read_score(world, client).await;
        assert!(score.as_object_mut().unwrap().remove("improvements").is_some());
        score
    };
    let before = [without_gains("ada").await, without_gains("bob").await];
    let standard = mainstay_core::score::ScoreModel::standard();
    world.mainstay.publish_score_model(world.acme.id, &standard).await.unwrap();
    assert_eq!([without_gains("ada").await, without_gains("bob").await], before);
    for number in 20..23 {
        day(number).await;
        let now = world.mainstay.now();
        world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
        let shown = read_score(world, "ada").await;
        assert_eq!((&shown["model_version"], &shown["trend"]), (&json!(3), &json!("stable")));
        assert!(shown["change"].as_i64().unwrap().abs() < 5, "{shown:#}");
        assert!(shown["overall"].as_i64().unwrap() < before[0]["overall"].as_i64().unwrap() - 20);
    }
    let alerts = world.get(secret, "/api/v1/alerts").await.json(200);
    assert_eq!(alerts["alerts"], json!([]), "{alerts:#}");
    let insights =
        world.mainstay.generate_weekly_insights(world.acme.id, "ada", world.mainstay.now());
    let insights = insights.await.unwrap();
    let moved = insights.iter().any(|one| one.rule == mainstay_core::insight::Rule::ScoreMoved);
    assert!(!moved, "{insights:#?}");
    let report = world.mainstay.verify(world.acme.id, |_| ()).await.unwrap();
    assert_eq!((report.differences, report.awaiting), (Vec::new(), 0));
    // Another window of feedback: nothing to compare with, and it is said why.
    let body = json!({"kind": "stars", "rating": 5});
    world.post(secret, "/api/v1/clients/ada/feedback", body).await.json(201);
    for number in 23..32 {
        day(number).await;
    }
    let mut shorter = standard;
    shorter.satisfaction.days = 1;
    world.mainstay.publish_score_model(world.acme.id, &shorter).await.unwrap();
    day(32).await;
    let shown = read_score(world, "ada").await;
    assert_eq!((&shown["model_version"], &shown["change"]), (&json!(4), &Value::Null));
    assert!(shown["incomparable"].is_string(), "{shown:#}");
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let page = staff.get("/clients/ada").await;
    let reason = "used a model that counts feedback over a different period";
    assert!(page.page(200).contains(reason), "{}", page.text);
});

/// Ends when a transaction of this database waits for another one.
const UNTIL_ONE_WAITS: &str = "DO $$ BEGIN FOR attempt IN 1..4000 LOOP \
    PERFORM 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
    WHERE NOT l.granted AND a.datname = current_database(); \
    IF FOUND THEN RETURN; END IF; PERFORM pg_sleep(0.005); END LOOP; \
    RAISE 'nobody waits'; END $$";

// On SQLite nobody scores beside a transaction that writes.
#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn an_event_stored_beside_the_first_score_of_all_is_not_missed() {
    let world = World::postgres().await;
    let (mainstay, scope) = (&world.mainstay, Scope::Service(world.acme.id));
    let client = json!({"client_id": "ada"});
    world.post(&world.acme.secret_key, "/api/v1/clients", client).await.json(201);
    let ada = mainstay.client(scope, "ada").await.unwrap();
    let at = mainstay.now().checked_sub(jiff::SignedDuration::from_hours(40)).unwrap();
    let event = Event {
        client_id: "ada".to_owned(),
        person: None,
        event_type: EventType::Login,
        name: "login".to_owned(),
        occurred_at: at,
        client_timestamp: Some(at),
        received_at: mainstay.now(),
        message_id: "beside".to_owned(),
        session_id: None,
        page_path: None,
        duration_seconds: None,
        data: serde_json::Map::new(),
        self_told: false,
    };
    let mut storing = mainstay.store().begin(scope).await.unwrap();
    let seen = [ClientSighting { external_id: "ada", first_at: at }];
    let client = storing.resolve_clients(&seen, mainstay.now()).await.unwrap()[0];
    let zone = storing.get_organization().await.unwrap().time_zone;
    let local_day = local_day(at, &time_zone(&zone).unwrap());
    let events = [StorableEvent { client, local_day, event: &event }];
    storing.store_events(&events, RollUp::Immediately).await.unwrap();
    let (scored, ()) = tokio::join!(mainstay.calculate_success_score(scope, &ada), async {
        world.run_as_owner(UNTIL_ONE_WAITS).await;
        storing.commit().await.unwrap();
    });
    scored.unwrap();
    let report = mainstay.verify(world.acme.id, |_| ()).await.unwrap();
    assert_eq!(report.differences, []);
    world.close().await;
}
