//! Playbooks that call a webhook.

use mainstay::notification::CreateWebhook;
use mainstay_core::{
    id::WebhookId,
    notification::{EndpointKind, Event, Route},
};
use mainstay_store::Scope;
use serde_json::json;

use super::{alert, check, playbook, runs, task};
use crate::support::World;

/// A webhook of Acme's that hears of no alert by itself.
async fn webhook(world: &World, name: &str) -> WebhookId {
    let create = CreateWebhook {
        kind: EndpointKind::Webhook,
        name: name.to_owned(),
        url: "https://example.com/hooks".to_owned(),
        secret: None,
        route: Route::default(),
        ignores_quiet_hours: false,
    };
    world.mainstay.create_webhook(world.acme.id, create).await.unwrap().id
}

/// What playbooks have told a webhook.
async fn webhook_notices(
    world: &World,
    webhook: WebhookId,
) -> Vec<mainstay_core::notification::PlaybookNotification> {
    let mut tx = world.store.read(Scope::Service(world.acme.id)).await.unwrap();
    let messages = tx.list_webhook_messages(webhook, None, 100).await.unwrap();
    let told = messages.into_iter().filter_map(|message| match message.notice.event {
        Event::PlaybookCalled(told) => Some(told),
        _ => None,
    });
    told.collect()
}

on_both_databases!(a_webhook_is_called_once_with_what_started_the_playbook, async |world| {
    let hook = webhook(world, "Hook “one”").await;
    let actions = json!([task("Call", 1), {"do": "webhook", "webhook_id": hook}]);
    playbook(world, alert("inactivity", "warning"), actions).await;
    for client in ["ada", "bob"] {
        world.be_active(client, "login", 1).await;
    }
    super::be_owned(world, "ada", world.acme.staff_id).await;
    world.clock.advance_hours(49);
    check(world).await;
    check(world).await;
    let mut told = webhook_notices(world, hook).await;
    told.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].client_id.as_str(), told[0].organization.as_str()), ("ada", "acme"));
    assert_eq!(told[0].playbook, "Keep “ada” <b>&");
    let alert = told[0].alert.clone().unwrap();
    assert_eq!(told[0].reason, alert.message);
    assert_eq!(alert.owner.map(|owner| owner.id), Some(world.acme.staff_id));
    let page = world.get(&world.acme.staff, "/api/v1/alerts?client_id=ada").await.json(200);
    let path = format!("/api/v1/alerts/{}", page["alerts"][0]["id"].as_str().unwrap());
    let read = world.get(&world.acme.staff, &path).await.json(200);
    assert_eq!(read["playbooks"][0]["called"], json!(["Hook “one”"]));

    // One that is gone is not called, and that is said.
    world.mainstay.delete_webhook(world.acme.id, hook).await.unwrap();
    world.be_active("cleo", "login", 1).await;
    world.clock.advance_hours(49);
    check(world).await;
    let run = runs(world, "cleo").await.remove(0);
    assert_eq!(run.deeds, [mainstay_core::playbook::ActionOutcome::WebhookSkipped]);
});

on_both_databases!(a_webhook_of_somebody_else_cannot_be_named, async |world| {
    let hook = webhook(world, "Hook").await;
    let body = json!({
        "name": "Theirs", "trigger": alert("inactivity", "info"),
        "actions": [{"do": "webhook", "webhook_id": hook}],
    });
    let refused = world.post(&world.rival.secret_key, "/api/v1/playbooks", body).await.problem(422);
    assert_eq!(refused["field"], "actions[0].webhook_id");
});
