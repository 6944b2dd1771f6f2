//! Notices, taken to real sockets.

mod addresses;
mod digest;
mod killed;
pub(crate) mod receiver;
mod retries;
mod routes;
mod signed;
mod together;

use jiff::{SignedDuration, ToSpan as _};
use mainstay::{
    notification::{Courier, DeliveredMessage, Outbound},
    site::Site,
};
use mainstay_core::{id::WebhookId, notification::OutgoingPolicy};
use serde_json::{Value, json};

use self::receiver::Receiver;
use crate::support::World;

/// A courier that also goes to this machine, where the receivers of the tests are.
pub(crate) fn courier(world: &World) -> Courier {
    let allowed = ["127.0.0.0/8", "::1"].map(|range| range.parse().unwrap());
    let outbound = Outbound::new(OutgoingPolicy::with_allowed(allowed.to_vec())).unwrap();
    Courier::new(world.mainstay.clone(), outbound, site().into())
}

fn site() -> Site {
    Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        behind_proxy: false,
        demo: false,
    }
}

/// Creates a webhook over the API; returns it with its secret.
pub(crate) async fn webhook(world: &World, url: &str, more: Value) -> Value {
    let mut body = json!({"name": "A receiver", "url": url});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(&world.acme.owner, "/api/v1/webhooks", body).await.json(201)
}

fn id_of(webhook: &Value) -> WebhookId {
    webhook["id"].as_str().unwrap().parse().unwrap()
}

/// What was sent to a webhook, newest first.
pub(crate) async fn deliveries(world: &World, webhook: &Value) -> Vec<DeliveredMessage> {
    let id = id_of(webhook);
    world.mainstay.webhook_messages(world.acme.id, id, None, 1_000).await.unwrap()
}

/// Clients that were last active so many hours ago.
pub(crate) async fn quiet_since(
    world: &World,
    clients: impl IntoIterator<Item = String>,
    hours: i64,
) {
    let at = world.mainstay.now().checked_sub(hours.hours()).unwrap();
    let events: Vec<Value> = clients
        .into_iter()
        .map(|client| json!({"client_id": client, "event": "login", "timestamp": at}))
        .collect();
    for some in events.chunks(500) {
        world.post(&world.acme.write_key, "/api/v1/events", some.into()).await.json(200);
    }
}

async fn active_now(world: &World, client: &str) {
    world.tick();
    let event = json!({"client_id": client, "event": "login"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    // A check sees what was before it.
    world.tick();
}

pub(crate) async fn check(world: &World) -> usize {
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap().len()
}

fn advance(world: &World, by: SignedDuration) {
    world.clock.set(world.mainstay.now().checked_add(by).unwrap());
}

on_both_databases!(alerts_are_notified_when_they_open_worsen_and_end, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/hook"), json!({})).await;
    let mut courier = courier(world);
    quiet_since(world, ["ada".to_owned()], 50).await;
    check(world).await;
    courier.deliver_due().await.unwrap();
    // Nothing new: nothing is told twice.
    check(world).await;
    courier.deliver_due().await.unwrap();
    let opened = receiver.only();
    assert_eq!(
        (opened.path.as_str(), opened.header("content-type")),
        ("/hook", "application/json")
    );
    let body = opened.json();
    assert_eq!(body["type"], "alert.opened");
    assert_eq!(body["timestamp"], world.mainstay.now().to_string());
    assert_eq!(body["data"]["client_id"], "ada");
    assert_eq!(body["data"]["alert_type"], "inactivity");
    assert_eq!(body["data"]["severity"], "warning");
    assert_eq!(body["data"]["client_url"], "https://success.example.com/clients/ada");

    world.clock.advance_hours(24);
    check(world).await;
    courier.deliver_due().await.unwrap();
    active_now(world, "ada").await;
    check(world).await;
    courier.deliver_due().await.unwrap();
    let types: Vec<Value> = receiver.bodies().iter().map(|body| body["type"].clone()).collect();
    assert_eq!(types, ["alert.opened", "alert.worsened", "alert.resolved"]);
    let last = receiver.bodies().remove(2);
    assert!(last["data"]["message"].as_str().unwrap().starts_with("Active again"), "{last}");
    let ids: std::collections::BTreeSet<String> =
        receiver.got().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 3);
    let log = deliveries(world, &hook).await;
    assert!(log.iter().all(|one| one.attempts.len() == 1 && one.attempts[0].status == Some(200)));
});

on_both_databases!(a_notification_names_the_member_who_ended_the_alert, async |world| {
    let receiver = Receiver::start().await;
    webhook(world, &receiver.url("/"), json!({"route": {"events": ["alert.resolved"]}})).await;
    quiet_since(world, ["ada".to_owned()], 50).await;
    check(world).await;
    let alerts = world.get(&world.acme.staff, "/api/v1/alerts").await.json(200);
    let id = alerts["alerts"][0]["id"].as_str().unwrap();
    let acknowledge = format!("/api/v1/alerts/{id}/acknowledge");
    world.post(&world.acme.staff, &acknowledge, json!({})).await.json(200);
    let resolve = format!("/api/v1/alerts/{id}/resolve");
    world.post(&world.acme.staff, &resolve, json!({"note": "Called."})).await.json(200);
    courier(world).deliver_due().await.unwrap();
    let told = receiver.only().json();
    assert_eq!(told["data"]["status"], "resolved");
    let message = told["data"]["message"].as_str().unwrap();
    assert!(message.starts_with("Resolved by ") && message.ends_with("Called."), "{message}");
});

on_both_databases!(slack_gets_its_own_format_with_links, async |world| {
    let receiver = Receiver::start().await;
    webhook(world, &receiver.url("/services/T/B/x"), json!({"kind": "slack"})).await;
    quiet_since(world, ["a&b <c>|d".to_owned()], 50).await;
    check(world).await;
    courier(world).deliver_due().await.unwrap();
    let body = receiver.only().json();
    assert_eq!(body["text"], "Inactivity opened: a&amp;b &lt;c&gt;|d");
    let text = body["blocks"][0]["text"]["text"].as_str().unwrap();
    let link = "<https://success.example.com/clients/a%26b%20%3Cc%3E%7Cd|a&amp;b &lt;c&gt;|d>";
    assert!(text.contains(link), "{text}");
    assert!(text.contains("Warning, nobody looks after this client"), "{text}");
});

on_both_databases!(an_organization_hears_of_its_own_alerts_only, async |world| {
    let receiver = Receiver::start().await;
    let body = json!({"name": "Rival", "url": receiver.url("/")});
    world.post(&world.rival.owner, "/api/v1/webhooks", body).await.json(201);
    quiet_since(world, ["ada".to_owned()], 50).await;
    check(world).await;
    courier(world).deliver_due().await.unwrap();
    assert_eq!(receiver.got().len(), 0);
});
