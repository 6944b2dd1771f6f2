//! What happens to a whole organization is told as one.

use std::collections::BTreeSet;

use mainstay_core::notification::{Event, MessageState};
use serde_json::{Value, json};

use super::{active_now, check, courier, deliveries, quiet_since, receiver::Receiver, webhook};
fn many(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("client-{number:04}"))
}

fn types(receiver: &Receiver) -> Vec<Value> {
    receiver.bodies().iter().map(|body| body["type"].clone()).collect()
}

on_both_databases!(a_fall_of_the_whole_organization_is_one_message_with_a_count, async |world| {
    let (json_receiver, slack) = (Receiver::start().await, Receiver::start().await);
    let hook = webhook(world, &json_receiver.url("/"), json!({})).await;
    webhook(world, &slack.url("/"), json!({"kind": "slack"})).await;
    quiet_since(world, many(1_000), 50).await;
    quiet_since(world, ["worst".to_owned()], 80).await;
    assert_eq!(check(world).await, 1_001);
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    let told = json_receiver.only().json();
    assert_eq!(told["type"], "organization.fall");
    let data = &told["data"];
    assert_eq!((&data["clients"], &data["clients_in_all"]), (&json!(1_001), &json!(1_001)));
    assert_eq!(
        data["by_type"][0],
        json!({"alert_type": "inactivity", "severity": "warning", "alerts": 1_000})
    );
    assert_eq!(data["worst"].as_array().unwrap().len(), 5);
    assert_eq!(data["worst"][0]["client_id"], "worst");
    let text = slack.only().json()["blocks"][0]["text"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("1\u{202f}001 clients of 1\u{202f}001 got worse at once"), "{text}");
    assert!(text.contains("<https://success.example.com/alerts|All alerts>"), "{text}");
    // Each of the alerts knows that it was told.
    let alerts = world.get(&world.acme.staff, "/api/v1/alerts?limit=500").await.json(200);
    let id = alerts["alerts"][499]["id"].as_str().unwrap();
    let alert = world.get(&world.acme.staff, &format!("/api/v1/alerts/{id}")).await.json(200);
    assert_eq!(alert["told"].as_array().unwrap().len(), 2, "{alert}");
    assert_eq!(alert["told"][0]["type"], "organization.fall");

    world.clock.advance_hours(24);
    check(world).await;
    courier.deliver_due().await.unwrap();
    assert_eq!(types(&json_receiver), ["organization.fall", "organization.fall"]);
    assert_eq!(deliveries(world, &hook).await.len(), 2);
});

on_both_databases!(a_few_clients_are_notified_individually, async |world| {
    let receiver = Receiver::start().await;
    webhook(world, &receiver.url("/"), json!({})).await;
    quiet_since(world, many(10), 50).await;
    check(world).await;
    courier(world).deliver_due().await.unwrap();
    assert_eq!(types(&receiver), ["alert.opened"; 10]);
});

on_both_databases!(a_recovery_is_one_message_too, async |world| {
    let receiver = Receiver::start().await;
    let events = json!({"route": {"events": ["organization.recovery"]}});
    webhook(world, &receiver.url("/"), events).await;
    quiet_since(world, many(30), 50).await;
    check(world).await;
    for client in many(30) {
        active_now(world, &client).await;
    }
    check(world).await;
    courier(world).deliver_due().await.unwrap();
    let told = receiver.only().json();
    assert_eq!(told["type"], "organization.recovery");
    assert_eq!(told["data"]["alerts"], 30);
});

on_both_databases!(
    alerts_that_a_silence_of_the_data_holds_are_told_once_when_it_ends,
    async |world| {
        let receiver = Receiver::start().await;
        webhook(world, &receiver.url("/"), json!({})).await;
        let mut courier = courier(world);
        crate::http::silence::regular(world, 35).await;
        for hours in [0, 7, 45, 27] {
            crate::http::silence::check_after_hours(world, hours).await;
            courier.deliver_due().await.unwrap();
        }
        assert_eq!(types(&receiver), ["data.silent"], "the clients' silence is held");
        world.clock.advance_hours(1);
        active_now(world, "client-0").await;
        check(world).await;
        courier.deliver_due().await.unwrap();
        assert_eq!(types(&receiver), ["data.silent"], "one stray event ends nothing");
        crate::http::silence::resume(world, 0..10, 3).await;
        check(world).await;
        courier.deliver_due().await.unwrap();
        assert_eq!(types(&receiver), ["data.silent", "data.resumed"]);
        // Ten stay silent when their day to come back is over; of those that are back, nothing was ever
        // told.
        world.clock.advance_hours(25);
        crate::http::silence::resume(world, 0..10, 24).await;
        check(world).await;
        courier.deliver_due().await.unwrap();
        let told = receiver.bodies();
        let kinds: BTreeSet<&str> = told.iter().filter_map(|one| one["type"].as_str()).collect();
        assert_eq!(kinds, BTreeSet::from(["data.silent", "data.resumed", "alert.opened"]));
        assert_eq!(told.len(), 2 + 10);
        check(world).await;
        courier.deliver_due().await.unwrap();
        assert_eq!(receiver.got().len(), 2 + 10);
    }
);

on_both_databases!(news_of_an_aborted_check_is_sent_later, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    quiet_since(world, ["ada".to_owned()], 50).await;
    check(world).await;
    // As it stood before the check had told it.
    let scope = mainstay_store::Scope::Service(world.acme.id);
    let told = deliveries(world, &hook).await.remove(0).message;
    let Event::AlertOpened(alert) = &told.notice.event else { panic!("{told:?}") };
    let mut tx = world.store.begin(scope).await.unwrap();
    let news = mainstay_store::AlertNews {
        alert: alert.alert_id,
        change: mainstay_core::alert::Change::Worsened,
        kind: alert.alert_type,
        severity: alert.severity,
        message: "It got worse.".to_owned(),
        held: false,
        at: world.mainstay.now(),
    };
    tx.insert_alert_news(&[news]).await.unwrap();
    tx.commit().await.unwrap();
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    assert_eq!(types(&receiver), ["alert.opened"]);
    world.clock.advance_hours(1);
    courier.deliver_due().await.unwrap();
    assert_eq!(types(&receiver), ["alert.opened", "alert.worsened"]);
    assert!(
        deliveries(world, &hook)
            .await
            .iter()
            .all(|one| one.message.state == MessageState::Delivered)
    );
});
