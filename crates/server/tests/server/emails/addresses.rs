//! Addresses that are not ASCII.

use mainstay::{
    email::{MailTrouble, Sender, SmtpServer},
    site::Site,
};
use mainstay_core::email::{EmailState, SubscriptionState};
use mainstay_store::{ClientPatch, Scope};
use serde_json::json;

use super::{MailServer, email_to, run_weekly};
use crate::support::World;

async fn subscriber(world: &World, name: &str, address: &str) {
    let patch = ClientPatch { email: Some(address.to_owned()), ..ClientPatch::default() };
    let client = world.mainstay.create_client(world.acme.id, name, patch).await.unwrap();
    let asked = mainstay::email::SubscriptionUpdate {
        state: SubscriptionState::Subscribed,
        address: None,
        source: mainstay_core::email::ConsentSource::Api,
    };
    world.mainstay.subscribe(world.acme.id, &client, &asked).await.unwrap();
}

fn sender(
    world: &World,
    server: &MailServer,
    from: &str,
) -> (Sender, tokio::sync::watch::Sender<bool>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let site = Site::local(world.url().strip_prefix("http://").unwrap().parse().unwrap());
    let smtp = SmtpServer::parse(&server.url()).unwrap();
    let from = from.parse().unwrap();
    (Sender::new(world.mainstay.clone(), smtp, from, site.into(), stopped), stop)
}

on_both_databases!(a_domain_goes_in_ascii_and_a_name_only_where_it_is_taken, async |world| {
    let server = MailServer::start();
    server.script(&json!({ "smtputf8": false }));
    for (name, address) in [
        ("idn", "ada@bücher.example"),
        ("plain", "ada@xn--bcher-kva.example"),
        ("local", "jörg@example.com"),
        ("both", "用户@例え.example"),
    ] {
        subscriber(world, name, address).await;
    }
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server, "success@bücher.example");
    sender.send_due().await.unwrap();
    for name in ["idn", "plain"] {
        assert_eq!(email_to(world, name).await.state, EmailState::Sent, "{name}");
    }
    for name in ["local", "both"] {
        let email = email_to(world, name).await;
        let reason = email.reason.unwrap();
        assert_eq!(email.state, EmailState::Failed, "{name}");
        assert!(reason.contains("does not offer SMTPUTF8"), "{reason}");
    }
    let scope = Scope::Service(world.acme.id);
    assert_eq!(world.mainstay.suppressions(scope, 10).await.unwrap(), []);
    for mail in server.mails() {
        assert_eq!(
            (mail.to.as_str(), mail.from.as_str()),
            ("ada@xn--bcher-kva.example", "success@xn--bcher-kva.example")
        );
        assert!(mail.options.is_empty(), "{:?}", mail.options);
        assert!(mail.header("to").is_ascii() && mail.header("from").is_ascii());
    }
    // Where the server offers it, the next week's emails go.
    server.script(&json!({}));
    world.clock.advance_hours(7 * 24);
    run_weekly(world).await;
    sender.send_due().await.unwrap();
    let utf8: Vec<_> = server.mails().into_iter().filter(|mail| !mail.options.is_empty()).collect();
    let mut to: Vec<&str> = utf8.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["jörg@example.com", "用户@xn--r8jz45g.example"]);
    assert!(utf8.iter().all(|mail| mail.options.iter().any(|option| option == "SMTPUTF8")));
});

on_both_databases!(a_senders_name_that_is_not_ascii_stops_the_queue_in_words, async |world| {
    let server = MailServer::start();
    server.script(&json!({ "smtputf8": false }));
    for number in 0..4 {
        subscriber(world, &format!("c-{number}"), &format!("c-{number}@example.com")).await;
    }
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server, "erfölg@example.com");
    sender.send_due().await.unwrap();
    let trouble = world.mainstay.mail_status().trouble(world.acme.id);
    let Some(MailTrouble::Refused(outage)) = trouble else { panic!("{trouble:?}") };
    assert!(outage.reason.contains("set mail_from to one"), "{outage:?}");
    let mut attempts = Vec::new();
    for number in 0..4 {
        attempts.push(email_to(world, &format!("c-{number}")).await.attempts);
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [0, 1, 1, 1]);
    server.script(&json!({}));
    world.clock.advance_hours(1);
    sender.send_due().await.unwrap();
    let weekly = |subject: &str| subject.contains("your week at");
    assert_eq!(server.mails().iter().filter(|mail| weekly(mail.header("subject"))).count(), 4);
});
