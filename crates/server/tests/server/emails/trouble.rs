//! What keeps emails is told on the pages, and emails wait.

use mainstay::{
    email::{MailTrouble, Sender, SmtpServer},
    site::Site,
};
use mainstay_core::email::{EmailState, EmailType, SubscriptionState};
use mainstay_store::{OrganizationPatch, Role, Scope};
use serde_json::json;

use super::{MailServer, client, email_to, emails, run_weekly, sender};
use crate::{
    support::{Tenant, World},
    web::browser::Browser,
};

/// A sender that signs in.
fn signing_in(world: &World, server: &MailServer) -> (Sender, tokio::sync::watch::Sender<bool>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let site = Site::local(world.url().strip_prefix("http://").unwrap().parse().unwrap());
    let smtp = SmtpServer::parse(&server.url_with_password()).unwrap();
    let from = "success@mainstay.test".parse().unwrap();
    (Sender::new(world.mainstay.clone(), smtp, from, site.into(), stopped), stop)
}

async fn page(world: &World, tenant: &Tenant, role: Role, path: &str) -> String {
    Browser::member(world, tenant, role).await.get(path).await.page(200).to_owned()
}

on_both_databases!(a_missing_mail_server_is_reported_on_the_relevant_pages, async |world| {
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    run_weekly(world).await;
    for path in ["/emails", "/settings/emails", "/settings/organization"] {
        let text = page(world, &world.acme, Role::Staff, path).await;
        assert!(text.contains("No mail server is configured."), "{path}: {text}");
        assert!(
            text.contains("1 email is waiting.") && text.contains("MAINSTAY_SMTP_URL"),
            "{text}"
        );
        assert!(!text.contains("Send a test email"), "{text}");
    }
    assert!(!page(world, &world.acme, Role::Owner, "/portfolio").await.contains("mail server"));
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let refused = owner.post("/settings/emails/test", &[]).await;
    assert!(refused.page(409).contains("o mail server is configured"));
});

on_both_databases!(a_failed_sign_in_to_the_mail_server_shows_its_reply, async |world| {
    let server = MailServer::start();
    let said = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.";
    server.script(&json!({ "auth": said }));
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    run_weekly(world).await;
    let (mut sender, _stop) = signing_in(world, &server);
    sender.send_due().await.unwrap();
    let email = email_to(world, "ada").await;
    assert_eq!((email.state, email.attempts), (EmailState::Queued, 0));
    for path in ["/emails", "/settings/emails", "/portfolio", "/alerts"] {
        let text = page(world, &world.acme, Role::Owner, path).await;
        assert!(text.contains("The mail server cannot be used since"), "{path}: {text}");
        assert!(text.contains(said) && text.contains("1 email is waiting."), "{path}: {text}");
        assert!(text.contains("Send a test email"), "{path}: {text}");
    }
    assert!(!page(world, &world.acme, Role::Staff, "/emails").await.contains("Send a test email"));
    // Nothing is tried again at once, but when somebody has mended it and asks for a test.
    server.script(&json!({}));
    sender.send_due().await.unwrap();
    assert!(server.mails().is_empty());
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let test = owner.post("/settings/emails/test", &[]).await;
    assert_eq!(test.leads_to(), "/settings/emails?done=test-email");
    let waits = owner.get("/settings/emails").await;
    assert!(waits.page(200).contains("The test to"), "{waits:?}");
    sender.send_due().await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].header("subject").starts_with("Test email from"), "the test goes first");
    let page = owner.get("/settings/emails").await;
    assert!(page.page(200).contains("was accepted by the mail server"), "{page:?}");
    assert!(!page.text.contains("The mail server cannot"), "{page:?}");
});

on_both_databases!(owners_hear_of_a_queue_that_had_stopped, async |world| {
    let server = MailServer::start();
    for name in ["ada", "bob", "cyd", "dan"] {
        client(world, name, Some(SubscriptionState::Subscribed)).await;
    }
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server);
    server.script(&json!({ "content": "550 5.7.60 not allowed to send as this sender" }));
    sender.send_due().await.unwrap();
    let text = page(world, &world.acme, Role::Owner, "/emails").await;
    assert!(text.contains("refuses this organization’s emails since"), "{text}");
    assert!(
        text.contains("550 5.7.60 not allowed") && text.contains("4 emails are waiting."),
        "{text}"
    );
    let others = page(world, &world.rival, Role::Owner, "/emails").await;
    assert!(!others.contains("5.7.60"), "{others}");
    server.script(&json!({}));
    world.clock.advance_hours(2);
    sender.send_due().await.unwrap();
    sender.send_due().await.unwrap();
    let mails = server.mails();
    let notices: Vec<_> =
        mails.iter().filter(|mail| mail.header("subject").starts_with("Emails waited")).collect();
    assert_eq!(notices.len(), 1, "{mails:?}");
    assert_eq!(notices[0].to, crate::web::browser::email(&world.acme, Role::Owner));
    assert!(notices[0].text.contains("For 2 hours") && notices[0].text.contains("5.7.60"));
    assert_eq!(mails.len(), 5);
});

on_both_databases!(a_name_in_the_database_keeps_nobodys_mails, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    run_weekly(world).await;
    let scope = Scope::Service(world.acme.id);
    let mut tx = world.store.begin(scope).await.unwrap();
    // As it may have been stored before such names were refused.
    let name = Some("A\r\nBcc: all@evil.example\u{2028}".to_owned());
    tx.update_organization(&OrganizationPatch { name, ..OrganizationPatch::default() })
        .await
        .unwrap();
    tx.commit().await.unwrap();
    client(world, "bob", Some(SubscriptionState::Pending)).await;
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    for mail in mails {
        assert!(!mail.headers.contains_key("bcc"), "{:?}", mail.headers);
        assert!(mail.header("from").contains("A Bcc: all@evil.example"), "{:?}", mail.headers);
    }
    let kinds: Vec<EmailType> = emails(world).await.iter().map(|email| email.kind).collect();
    assert_eq!(kinds.len(), 2);
});

on_both_databases!(a_mail_server_is_tried_without_a_mail_for_it, async |world| {
    let server = MailServer::start();
    server.script(&json!({ "auth": "535 5.7.8 no" }));
    let (mut sender, _stop) = signing_in(world, &server);
    sender.send_due().await.unwrap();
    let trouble = || world.mainstay.mail_status().trouble(world.acme.id);
    assert!(matches!(trouble(), Some(MailTrouble::Unreachable(_))), "{:?}", trouble());
    server.script(&json!({}));
    world.clock.advance_hours(1);
    sender.send_due().await.unwrap();
    assert_eq!(trouble(), None);
});
