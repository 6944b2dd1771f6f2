//! Settings, Notifications: who is told outside, from the first webhook to its last message.

use mainstay::{
    notification::{Courier, Outbound},
    site::Site,
};
use mainstay_core::notification::OutgoingPolicy;
use mainstay_store::Role;

use super::browser::Browser;
use crate::{notifications::receiver::Receiver, support::World};

const PATH: &str = "/settings/notifications";

/// The path of the only webhook.
async fn only(world: &World) -> String {
    let webhooks = world.mainstay.webhooks(world.acme.id).await.unwrap();
    assert_eq!(webhooks.len(), 1);
    format!("{PATH}/{}", webhooks[0].id)
}

async fn deliver(world: &World) {
    let allowed = OutgoingPolicy::with_allowed(vec!["127.0.0.1".parse().unwrap()]);
    let site = Site::local("127.0.0.1:1".parse().unwrap());
    let outbound = Outbound::new(allowed).unwrap();
    Courier::new(world.mainstay.clone(), outbound, site.into()).deliver_due().await.unwrap();
}

on_both_databases!(a_webhook_is_added_routed_tried_and_deleted, async |world| {
    let receiver = Receiver::start().await;
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(staff.get(PATH).await.page(200).contains("An owner or admin can add one."));
    assert!(admin.get(PATH).await.page(200).contains("Add one below"));

    let url = receiver.url("/a-secret-path");
    let form = [("kind", "webhook"), ("name", "Our <CRM>"), ("url", &url)];
    let made = admin.post("/settings/notifications/webhooks", &form).await;
    let path = only(world).await;
    let secret_path = format!("{path}/secret");
    assert_eq!(made.leads_to(), secret_path);
    let shown = admin.get(&secret_path).await.page(200).to_owned();
    assert!(shown.contains("whsec_") && shown.contains("shown only once"), "{shown}");
    // A reload shows it no more and makes no other.
    assert_eq!(admin.get(&secret_path).await.leads_to(), path);
    assert_eq!(only(world).await, path);
    let page = admin.get(&path).await.page(200).to_owned();
    assert!(!page.contains("whsec_") && page.contains("None yet. Send a test"), "{page}");
    let list = staff.get(PATH).await.page(200).to_owned();
    assert!(list.contains("Our &#60;CRM&#62;") && !list.contains("127.0.0.1"), "{list}");

    let route = [
        ("name", "Our CRM"),
        ("url", &url),
        ("least_severity", "critical"),
        ("owners", "nobody"),
        ("alert_types", "churn_risk"),
        ("alert_types", "zero_activity"),
        ("any_hour", "on"),
    ];
    assert_eq!(admin.post(&path, &route).await.leads_to(), format!("{path}?done=saved"));
    let page = admin.get(&path).await.page(200).to_owned();
    for chosen in [
        "value=\"churn_risk\" checked",
        "value=\"zero_activity\" checked",
        "value=\"nobody\" checked",
        "value=\"critical\" selected",
        "name=\"any_hour\" value=\"on\" checked",
    ] {
        assert!(page.contains(chosen), "{chosen} is not in {page}");
    }
    let wrong = admin.post(&path, &[("name", ""), ("url", "nowhere")]).await.page(422).to_owned();
    assert!(wrong.contains("Is empty; use a few words"), "{wrong}");

    admin.post(&format!("{path}/test"), &[]).await.leads_to();
    deliver(world).await;
    assert_eq!(receiver.only().json()["type"], "webhook.test");
    let page = admin.get(&path).await.page(200).to_owned();
    assert!(page.contains("Delivered. 1 attempt") && page.contains("it answered 200"), "{page}");
    assert!(staff.get(PATH).await.page(200).contains("Test: delivered"));
    let resend = page.split("action=\"").find(|part| part.contains("/resend")).unwrap();
    world.tick();
    admin.post(resend.split('"').next().unwrap(), &[]).await.leads_to();
    deliver(world).await;
    assert_eq!(receiver.got().len(), 2);

    assert_eq!(admin.post(&secret_path, &[]).await.leads_to(), secret_path);
    let replaced = admin.get(&secret_path).await.page(200).to_owned();
    assert!(replaced.contains("For 24 hours"), "{replaced}");
    assert_eq!(admin.get(&secret_path).await.leads_to(), path);
    admin.post(&format!("{path}/off"), &[]).await.leads_to();
    let off = admin.get(&path).await.page(200).to_owned();
    assert!(off.contains("switched off") && !off.contains("Send a test<"), "{off}");
    admin.post(&format!("{path}/on"), &[]).await.leads_to();
    let asked = admin.get(&format!("{path}/delete")).await.page(200).to_owned();
    assert!(asked.contains("This cannot be undone"), "{asked}");
    assert_eq!(
        admin.post(&format!("{path}/delete"), &[]).await.leads_to(),
        format!("{PATH}?done=webhook-deleted")
    );
    admin.get(&path).await.page(404);
});

on_both_databases!(everybody_decides_about_their_own_digest, async |world| {
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let members = world.mainstay.members(world.acme.id).await.unwrap();
    let own = |page: &str| page.matches("name=\"wanted\"").count();
    assert_eq!(own(staff.get(PATH).await.page(200)), 1);
    assert_eq!(own(admin.get(PATH).await.page(200)), members.len());
    let page = staff.get(PATH).await.page(200).to_owned();
    let member = page.split("name=\"member\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let on = [("member", member), ("wanted", "on")];
    staff.post("/settings/notifications/digest", &on).await.leads_to();
    assert!(staff.get(PATH).await.page(200).contains("<td>On</td>"));
    let other = members.iter().map(|one| one.id.to_string()).find(|id| id != member).unwrap();
    let others = [("member", other.as_str()), ("wanted", "on")];
    staff.post("/settings/notifications/digest", &others).await.page(403);
    admin.post("/settings/notifications/digest", &others).await.leads_to();
    assert_eq!(world.mainstay.digest_members(world.acme.id).await.unwrap().len(), 2);
});

on_both_databases!(hours_are_saved_or_say_what_is_wrong, async |world| {
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let path = "/settings/notifications/quiet-hours";
    let form = [
        ("quiet_from", "22"),
        ("quiet_until", "7"),
        ("critical_at_any_hour", "on"),
        ("digest_hour", "8"),
    ];
    admin.post(path, &form).await.leads_to();
    let page = admin.get(PATH).await.page(200).to_owned();
    assert!(
        page.contains("name=\"quiet_from\" type=\"number\" min=\"0\" max=\"23\" value=\"22\""),
        "{page}"
    );
    let wrong = [("quiet_from", "22"), ("quiet_until", "22"), ("digest_hour", "8")];
    assert!(admin.post(path, &wrong).await.page(422).contains("two different hours"));
    let wrong = [("digest_hour", "25")];
    assert!(admin.post(path, &wrong).await.page(422).contains("no hour of the day"));
});

on_both_databases!(an_alert_says_who_was_told_of_it, async |world| {
    let receiver = Receiver::start().await;
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let url = receiver.url("/");
    let form = [("kind", "slack"), ("name", "The “success” channel"), ("url", &url)];
    admin.post("/settings/notifications/webhooks", &form).await.leads_to();
    crate::notifications::quiet_since(world, ["ada".to_owned()], 50).await;
    crate::notifications::check(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(staff.get("/alerts").await.page(200).contains("will be notified, at the earliest"));
    deliver(world).await;
    for path in ["/alerts", "/clients/ada"] {
        let page = staff.get(path).await.page(200).to_owned();
        assert!(page.contains("Sent to ") && page.contains("The “success” channel"), "{page}");
    }
});
