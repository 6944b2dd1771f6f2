//! A silence of the data: one notice instead of an alert for each client.

use jiff::ToSpan as _;
use mainstay_core::engagement::IncomingEvent;
use mainstay_store::{Role, Scope};
use serde_json::Value;

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
        assert!(staff.get("/alerts").await.page(200).contains("No events arrive."));

        assert_eq!(check_after_hours(world, 45).await, 0, "nobody is told");
        assert_eq!(check_after_hours(world, 27).await, 0, "nor of what gets worse");
        assert_eq!(silence(world).await["held_alerts"], 20);
        assert_eq!(open_alerts(world).await, 0);
        assert!(
            staff
                .get("/portfolio")
                .await
                .page(200)
                .contains("20 alerts about silent clients are held")
        );

        // One client is back: the events are, and the others really are silent.
        let event = serde_json::json!({"client_id": "client-7", "event": "login"});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        check_after_hours(world, 1).await;
        assert_eq!(silence(world).await, Value::Null);
        assert_eq!(open_alerts(world).await, 19);
        assert!(!staff.get("/alerts").await.page(200).contains("No events arrive."));
        let mut tx = world.store.read(Scope::Service(world.rival.id)).await.unwrap();
        assert_eq!(tx.data_silence().await.unwrap(), None);
    }
);

on_both_databases!(hours_that_were_quiet_in_a_week_before_are_no_silence, async |world| {
    // Three weeks only: nobody knows whether the fourth would have had any.
    regular(world, 22).await;
    assert_eq!(check_after_hours(world, 7).await, 0);
    assert_eq!(silence(world).await, Value::Null);
    assert_eq!(check_after_hours(world, 3 * 24).await, 20);
});
