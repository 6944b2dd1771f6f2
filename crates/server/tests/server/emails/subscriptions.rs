//! Who turns emails on and off.

use mainstay_core::email::SubscriptionState;
use serde_json::json;

use super::{MailServer, client, links::state, sender, server::Mail};
use crate::{
    support::World,
    web::browser::{Browser, path_of},
};

const PATH: &str = "/api/v1/clients/ada/email-subscription";

/// The email that asks for consent which arrived last.
async fn request(world: &World, server: &MailServer) -> Mail {
    let (mut sender, _stop) = sender(world, server);
    sender.send_due().await.unwrap();
    let mail = server.mails().pop().unwrap();
    assert!(mail.header("subject").starts_with("Confirm"), "{mail:?}");
    mail
}

on_both_databases!(who_unsubscribed_comes_back_only_by_itself, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    let key = &world.acme.secret_key;
    world.put(key, PATH, json!({"state": "unsubscribed"})).await.json(200);
    let token = world.client_token("ada");
    for key in [key, &world.acme.owner, &world.acme.admin, &world.acme.staff, &token] {
        for state in ["subscribed", "pending"] {
            for address in [None, Some("ada@example.com"), Some("new@example.com")] {
                let body = match address {
                    Some(address) => json!({"state": state, "address": address}),
                    None => json!({ "state": state }),
                };
                let problem = world.put(key, PATH, body).await.problem(409);
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains("can only resubscribe itself"), "{detail}");
            }
        }
    }
    // Saying again that it does not want them is no fault.
    world.put(key, PATH, json!({"state": "unsubscribed"})).await.json(200);
    // By itself: on its page, and then by the link in the email.
    let browser = Browser::client(world, "ada").await;
    let wish = [("state", "subscribed"), ("address", "ada@example.com")];
    browser.post("/client/emails", &wish).await.leads_to();
    assert_eq!(state(world, "ada").await, SubscriptionState::Pending);
    let mail = request(world, &server).await;
    assert_eq!(mail.to, "ada@example.com");
    browser.post(&path_of(&mail.addresses()[0]), &[]).await.page(200);
    assert_eq!(state(world, "ada").await, SubscriptionState::Subscribed);
});

on_both_databases!(who_leaves_and_comes_back_the_same_day_is_asked_again, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Pending)).await;
    let browser = Browser::client(world, "ada").await;
    for _ in 0..2 {
        let mail = request(world, &server).await;
        browser.post(&path_of(&mail.addresses()[0]), &[]).await.page(200);
        assert_eq!(state(world, "ada").await, SubscriptionState::Subscribed);
        browser.post("/client/emails", &[("state", "unsubscribed")]).await.leads_to();
        // The link that it was asked by before brings nobody back.
        browser.post(&path_of(&mail.addresses()[0]), &[]).await.page(404);
        let wish = [("state", "subscribed"), ("address", "ada@example.com")];
        browser.post("/client/emails", &wish).await.leads_to();
    }
    assert_eq!(state(world, "ada").await, SubscriptionState::Pending);
});

on_both_databases!(a_corrected_address_is_asked_the_same_day, async |world| {
    let server = MailServer::start();
    client(world, "ada", None).await;
    let key = &world.acme.secret_key;
    let ask = async |address: &str| {
        world.put(key, PATH, json!({"state": "pending", "address": address})).await
    };
    ask("gone-typo@example.com").await.json(200);
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    assert!(server.mails().is_empty());
    ask("ada@example.com").await.json(200);
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 1);
    assert_eq!(server.mails()[0].to, "ada@example.com");
    // A link that went to the address before is worth nothing, and nobody's mailbox is filled.
    for number in 0..3 {
        ask(&format!("other-{number}@example.com")).await.json(200);
        sender.send_due().await.unwrap();
    }
    let problem = ask("sixth@example.com").await.problem(409);
    assert!(
        problem["detail"].as_str().unwrap().contains("5 confirmation emails in the last 24 hours")
    );
    assert_eq!(server.mails().len(), 4);
    world.clock.advance_hours(25);
    ask("sixth@example.com").await.json(200);
});
