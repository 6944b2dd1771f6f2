//! A silence of the data: one notice instead of an alert for each client.

use jiff::ToSpan as _;
use mainstay::score::ScoreRun;
use mainstay_core::{alert::Family, engagement::IncomingEvent, insight::Rule};
use mainstay_store::{Role, Scope};
use serde_json::{Value, json};

use crate::{support::World, web::browser::Browser};

/// Each client does something every four hours, for so many days until an hour ago.
pub(crate) async fn regular(world: &World, days: i64) {
    let now = world.mainstay.now();
    let mut events = Vec::new();
    for time in 0..days * 6 {
        for client in 0..20 {
            let back = (1 + time * 4).hours().minutes(client);
            events.push(IncomingEvent {
                client_id: format!("client-{client}"),
                name: "login".to_owned(),
                timestamp: now.checked_sub(back).ok(),
                message_id: format!("{time}-{client}"),
                ..IncomingEvent::default()
            });
        }
    }
    world.mainstay.track_engagement_events(world.acme.id, events).await.unwrap();
}

pub(crate) async fn check_after_hours(world: &World, hours: i64) -> usize {
    world.clock.set(world.mainstay.now().checked_add(hours.hours()).unwrap());
    let now = world.mainstay.now();
    let changes =
        world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
    changes.iter().filter(|change| !change.held).count()
}

async fn silence(world: &World) -> Value {
    world.get(&world.acme.secret_key, "/api/v1/organization").await.json(200)["data_silence"]
        .clone()
}

async fn open_alerts(world: &World) -> usize {
    let alerts = world.get(&world.acme.secret_key, "/api/v1/alerts?open=true").await.json(200);
    alerts["alerts"].as_array().unwrap().len()
}

/// How many silences of clients are held; that the API counts them with what else is held.
async fn held_silences(world: &World) -> usize {
    let mut tx = world.store.read(Scope::Service(world.acme.id)).await.unwrap();
    let chunk = tx.client_chunk(None, world.mainstay.now(), 100).await.unwrap();
    let held = tx.list_held_alerts(&chunk).await.unwrap();
    let episodes = tx.list_live_episodes(&chunk).await.unwrap();
    drop(tx);
    assert_eq!(silence(world).await["held_alerts"], held.len());
    episodes
        .values()
        .flatten()
        .filter(|episode| held.contains(&episode.id) && episode.kind.family() == Family::Silence)
        .count()
}

/// So many of the twenty clients continue as before, for so many hours until now.
pub(crate) async fn resume(world: &World, clients: std::ops::Range<usize>, hours: i64) {
    for client in clients {
        world.be_active(&format!("client-{client}"), "login", hours).await;
    }
}

async fn check_now(world: &World) -> Vec<(String, bool)> {
    let now = world.mainstay.now();
    let changes =
        world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
    changes.into_iter().map(|change| (change.client_id, change.held)).collect()
}

on_both_databases!(
    when_all_data_stop_one_notice_is_raised_and_silence_alerts_are_held,
    async |world| {
        regular(world, 35).await;
        assert_eq!(check_after_hours(world, 0).await, 0);
        assert_eq!(silence(world).await, Value::Null);
        // More than six hours after the last event, where every week before had some.
        assert_eq!(check_after_hours(world, 7).await, 0);
        assert_eq!(silence(world).await["held_alerts"], 0);
        let staff = Browser::member(world, &world.acme, Role::Staff).await;
        assert!(staff.get("/alerts").await.page(200).contains("No events are arriving."));

        assert_eq!(check_after_hours(world, 45).await, 0, "nobody is told");
        assert_eq!(check_after_hours(world, 27).await, 0, "nor of what gets worse");
        assert_eq!(held_silences(world).await, 20);
        assert_eq!(open_alerts(world).await, 0);
        // With what follows from the silence: scores that fell.
        let held = silence(world).await["held_alerts"].clone();
        let page = staff.get("/portfolio").await;
        let words = format!("{held} alerts based on recent activity are held");
        assert!(page.page(200).contains(&words), "{page:#?}");

        // One client is back: that is a stray event.
        let event = serde_json::json!({"client_id": "client-7", "event": "login"});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        assert_eq!(check_after_hours(world, 1).await, 0);
        assert_eq!(held_silences(world).await, 19, "its own alert has ended");
        assert_eq!(open_alerts(world).await, 0);

        // Twelve of twenty are back: the data are. The others get a day to come back themselves.
        resume(world, 0..12, 3).await;
        assert_eq!(check_after_hours(world, 0).await, 0);
        assert_eq!(silence(world).await, Value::Null);
        assert_eq!(open_alerts(world).await, 0);
        let page = staff.get("/alerts").await;
        assert!(page.page(200).contains("Events are arriving again."), "{page:#?}");

        world.clock.advance_hours(25);
        resume(world, 0..12, 24).await;
        resume(world, 12..15, 2).await;
        let now = world.mainstay.now();
        let told = world
            .mainstay
            .check_organization_health(world.acme.id, now, None, false)
            .await
            .unwrap();
        let mut silent: Vec<&str> = told
            .iter()
            .filter(|change| !change.held && change.kind.family() == Family::Silence)
            .map(|change| change.client_id.as_str())
            .collect();
        silent.sort_unstable();
        let really: Vec<String> = (15..20).map(|client| format!("client-{client}")).collect();
        assert_eq!(silent, really, "those that really are silent: {told:#?}");
        let path = "/api/v1/alerts?open=true&type=zero_activity";
        let open = world.get(&world.acme.secret_key, path).await.json(200);
        assert_eq!(open["alerts"].as_array().unwrap().len(), 5, "{open:#}");
        assert_eq!(check_now(world).await, [], "a second check finds nothing new");
        assert!(!staff.get("/alerts").await.page(200).contains("Events are arriving again."));
        let mut tx = world.store.read(Scope::Service(world.rival.id)).await.unwrap();
        assert_eq!(tx.find_data_silence().await.unwrap(), None);
    }
);

on_both_databases!(
    a_silence_that_nobody_saw_begin_is_noticed_by_those_who_are_missing,
    async |world| {
        regular(world, 35).await;
        // Nothing checked for four days; the first client is back before the first check.
        world.clock.advance_hours(96);
        resume(world, 0..1, 2).await;
        assert_eq!(check_after_hours(world, 0).await, 0);
        let missing = silence(world).await;
        assert_eq!((&missing["clients"], &missing["usual_clients"]), (&json!(1), &json!(20)));
        assert_eq!(missing["held_alerts"], 19);
        assert_eq!(open_alerts(world).await, 0);
    }
);

on_both_databases!(
    while_data_are_missing_everything_that_rests_on_activity_is_held,
    async |world| {
        regular(world, 35).await;
        let id = world.acme.id;
        let client = world.mainstay.client(Scope::Service(id), "client-1").await.unwrap();
        world.mainstay.calculate_success_score(Scope::Service(id), &client).await.unwrap();
        for hours in [7, 41, 24, 24, 24, 24, 24] {
            assert_eq!(check_after_hours(world, hours).await, 0, "nobody is told");
            let now = world.mainstay.now();
            let run = ScoreRun { as_of: now, client: None, dry_run: false };
            world.mainstay.score_organization(id, &run, |_| ()).await.unwrap();
        }
        let held = world.get(&world.acme.secret_key, "/api/v1/organization").await.json(200);
        assert!(held["held_alerts"].as_i64().unwrap() > 20, "more than the silences: {held:#}");
        assert_eq!(open_alerts(world).await, 0);
        // What clients are told of such a week blames nobody.
        world.clock.advance_hours(48);
        let now = world.mainstay.now();
        let mut rules = std::collections::BTreeSet::new();
        world
            .mainstay
            .generate_organization_insights(id, now, None, false, |written| {
                rules.extend(written.into_iter().map(|one| one.insight.rule));
            })
            .await
            .unwrap();
        assert!(
            !rules.contains(&Rule::NoActivity) && !rules.contains(&Rule::ScoreMoved),
            "{rules:?}"
        );
    }
);

on_both_databases!(
    the_silence_of_one_key_holds_the_alerts_of_those_who_come_with_it,
    async |world| {
        let made = world.post(&world.acme.owner, "/api/v1/keys", json!({"kind": "write"})).await;
        let phone = made.json(201)["key"].as_str().unwrap().to_owned();
        let now = world.mainstay.now().as_second();
        let history = |clients: std::ops::Range<i64>, days: i64| -> Vec<Value> {
            let each = |client: i64| {
                (0..days * 6).map(move |time| {
                    let at = now - 3_600 * (1 + time * 4) - 60 * client;
                    json!({
                        "client_id": format!("client-{client}"), "event": "login",
                        "message_id": format!("{now}-{time}-{client}"),
                        "timestamp": jiff::Timestamp::from_second(at).unwrap(),
                    })
                })
            };
            clients.flat_map(each).collect()
        };
        for (key, clients) in
            [(&world.acme.write_key, 0..9), (&world.acme.write_key, 9..14), (&phone, 14..20)]
        {
            world.post(key, "/api/v1/events", history(clients, 35).into()).await.json(200);
        }
        world.until_keys_are_kept().await;
        // The six clients of the phone app fall silent together; the fourteen others continue.
        for _ in 0..4 {
            world.clock.advance_hours(20);
            resume(world, 0..14, 20).await;
            world.until_keys_are_kept().await;
            assert_eq!(check_now(world).await.iter().filter(|(_, held)| !held).count(), 0);
        }
        let organization =
            world.get(&world.acme.secret_key, "/api/v1/organization").await.json(200);
        assert_eq!(organization["data_silence"], Value::Null);
        assert_eq!(organization["silent_keys"].as_array().unwrap().len(), 1, "{organization:#}");
        assert!(phone.starts_with(organization["silent_keys"][0]["prefix"].as_str().unwrap()));
        assert_eq!(organization["held_alerts"], 6);
        // A client of the app that continues and falls silent by itself is told.
        world.clock.advance_hours(80);
        resume(world, 1..14, 20).await;
        world.until_keys_are_kept().await;
        let told = check_now(world).await;
        let told: Vec<&str> =
            told.iter().filter(|(_, held)| !held).map(|(client, _)| client.as_str()).collect();
        assert_eq!(told, ["client-0"]);
    }
);

on_both_databases!(a_silence_ends_with_the_event_and_not_with_the_next_check, async |world| {
    world.be_active("ada", "login", 2).await;
    world.be_active("bob", "login", 2).await;
    assert_eq!(check_after_hours(world, 80).await, 2);
    assert_eq!(open_alerts(world).await, 2);
    let event = json!({"client_id": "ada", "event": "login"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    world.tick();
    world.mainstay.check_returned_clients().await;
    let open = world.get(&world.acme.secret_key, "/api/v1/alerts?open=true").await.json(200);
    let open = open["alerts"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{open:#?}");
    assert_eq!(open[0]["client_id"], "bob");
    let ended = world.get(&world.acme.secret_key, "/api/v1/alerts?open=false").await.json(200);
    assert_eq!(ended["alerts"][0]["ending"], "recovered");
    // An old event that comes late ends nothing.
    let late = json!({"client_id": "bob", "event": "login", "timestamp": "2026-04-01T12:00:00Z"});
    world.post(&world.acme.write_key, "/api/v1/events", late).await.json(200);
    world.tick();
    world.mainstay.check_returned_clients().await;
    assert_eq!(open_alerts(world).await, 1);
});

on_both_databases!(hours_that_were_quiet_in_a_week_before_are_no_silence, async |world| {
    // Three weeks only: nobody knows whether the fourth would have had any.
    regular(world, 22).await;
    assert_eq!(check_after_hours(world, 7).await, 0);
    assert_eq!(silence(world).await, Value::Null);
    assert_eq!(check_after_hours(world, 3 * 24).await, 20);
});
