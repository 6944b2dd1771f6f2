//! Which notice goes where, and when.

use mainstay_core::notification::MessageState;
use serde_json::{Value, json};

use super::{check, courier, deliveries, quiet_since, receiver::Receiver, webhook};
use crate::support::World;

async fn own(world: &World, client: &str) {
    let scope = mainstay_store::Scope::Service(world.acme.id);
    let found = world.mainstay.client(scope, client).await.unwrap();
    let mut tx = world.store.begin(scope).await.unwrap();
    tx.set_client_owner(found.id, Some(world.acme.staff_id)).await.unwrap();
    tx.commit().await.unwrap();
}

fn clients(receiver: &Receiver) -> Vec<Value> {
    let mut clients: Vec<Value> =
        receiver.bodies().iter().map(|body| body["data"]["client_id"].clone()).collect();
    clients.sort_by_key(ToString::to_string);
    clients
}

on_both_databases!(notices_go_by_severity_type_and_owner, async |world| {
    let names = ["critical", "task", "owned", "unowned", "all"];
    let mut receivers = Vec::new();
    for (name, route) in names.iter().zip([
        json!({"least_severity": "critical"}),
        json!({"alert_types": ["task_stalled"]}),
        json!({"owners": [world.acme.staff_id.to_string()]}),
        json!({"unowned": true}),
        json!({}),
    ]) {
        let receiver = Receiver::start().await;
        webhook(world, &receiver.url("/"), json!({"name": name, "route": route})).await;
        receivers.push(receiver);
    }
    quiet_since(world, ["warned".to_owned(), "owned".to_owned()], 50).await;
    quiet_since(world, ["gone".to_owned()], 80).await;
    own(world, "owned").await;
    check(world).await;
    courier(world).deliver_due().await.unwrap();
    let expected: [&[&str]; 5] =
        [&["gone"], &[], &["owned"], &["gone", "warned"], &["gone", "owned", "warned"]];
    for ((name, receiver), expected) in names.iter().zip(&receivers).zip(expected) {
        assert_eq!(clients(receiver), expected, "{name}");
    }
    let owned = receivers[2].only().json();
    assert_eq!(owned["data"]["owner"]["id"], world.acme.staff_id.to_string());
});

on_both_databases!(an_invalid_route_is_rejected_with_the_reason, async |world| {
    for (route, field) in [
        (json!({"events": ["webhook.test"]}), "events"),
        (json!({"events": ["alert.vanished"]}), "route.events[0]"),
        (json!({"owners": ["019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"]}), "owners"),
        (json!({"least_severity": "huge"}), "route.least_severity"),
        (json!({"colour": "red"}), "route.colour"),
    ] {
        let body = json!({"name": "x", "url": "https://example.com", "route": route});
        let refused = world.post(&world.acme.owner, "/api/v1/webhooks", body).await.problem(422);
        assert_eq!(refused["field"], field, "{refused}");
    }
    for url in [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://a:b@example.com",
        "http://[::1",
    ] {
        let body = json!({"name": "x", "url": url});
        let refused = world.post(&world.acme.owner, "/api/v1/webhooks", body).await.problem(422);
        assert_eq!(refused["field"], "url", "{refused}");
    }
    let many = json!({"name": "x".repeat(101), "url": "https://example.com"});
    let refused = world.post(&world.acme.owner, "/api/v1/webhooks", many).await.problem(422);
    assert_eq!(refused["field"], "name", "{refused}");
});

on_both_databases!(quiet_hours_hold_delivery_and_never_evaluation, async |world| {
    let (holding, always) = (Receiver::start().await, Receiver::start().await);
    let held = webhook(world, &holding.url("/"), json!({})).await;
    webhook(world, &always.url("/"), json!({"ignores_quiet_hours": true})).await;
    let settings = json!({"quiet": {"from": 22, "until": 7}});
    world.put(&world.acme.admin, "/api/v1/notifications/settings", settings).await.json(200);
    // 23:30 in Berlin.
    world.clock.set("2026-05-01T21:30:00Z".parse().unwrap());
    quiet_since(world, ["ada".to_owned()], 50).await;
    assert_eq!(check(world).await, 1, "the alert opens all the same");
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    assert_eq!((holding.got().len(), always.got().len()), (0, 1));
    let waiting = deliveries(world, &held).await.remove(0).message;
    assert_eq!(waiting.due_at, "2026-05-02T05:00:00Z".parse().unwrap());
    assert_eq!(waiting.reason.as_deref(), Some("held by quiet hours"));
    assert_eq!((waiting.state, waiting.attempts), (MessageState::Queued, 0));
    world.clock.set("2026-05-02T04:59:59Z".parse().unwrap());
    courier.deliver_due().await.unwrap();
    assert_eq!(holding.got().len(), 0);
    world.clock.set("2026-05-02T05:00:00Z".parse().unwrap());
    courier.deliver_due().await.unwrap();
    assert_eq!(holding.only().json()["timestamp"], "2026-05-01T21:30:00Z");
});

on_both_databases!(what_is_critical_can_break_quiet_hours_and_so_does_their_end, async |world| {
    let receiver = Receiver::start().await;
    webhook(world, &receiver.url("/"), json!({})).await;
    let put = async |body: Value| {
        world.put(&world.acme.admin, "/api/v1/notifications/settings", body).await
    };
    put(json!({"quiet": {"from": 22, "until": 7}, "critical_at_any_hour": true})).await.json(200);
    world.clock.set("2026-05-01T21:30:00Z".parse().unwrap());
    quiet_since(world, ["warned".to_owned()], 50).await;
    quiet_since(world, ["gone".to_owned()], 80).await;
    check(world).await;
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    assert_eq!(clients(&receiver), ["gone"]);
    world.tick();
    put(json!({})).await.json(200);
    courier.deliver_due().await.unwrap();
    assert_eq!(clients(&receiver), ["gone", "warned"]);
    for (body, field) in [
        (json!({"quiet": {"from": 7, "until": 7}}), "quiet"),
        (json!({"digest_hour": 24}), "digest_hour"),
    ] {
        assert_eq!(put(body).await.problem(422)["field"], field);
    }
});
