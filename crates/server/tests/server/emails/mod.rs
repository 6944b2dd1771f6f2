//! Emails, given to a real mail server.

mod addresses;
mod killed;
mod links;
mod often;
mod refusals;
mod resets;
pub(crate) mod server;
mod subscriptions;
mod trouble;
mod warnings;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use mainstay::{
    email::{Sender, SmtpServer, SubscriptionUpdate},
    job::Worker,
    site::Site,
};
use mainstay_core::{
    email::{ConsentSource, EmailState, EmailType, SubscriptionState},
    job::Job,
};
use mainstay_store::{Client, ClientEmail, ClientPatch, EmailFilter, Scope};

use self::server::MailServer;
use crate::support::World;

/// A client of Acme's with an address, who asked for emails or did not.
async fn client(world: &World, name: &str, state: Option<SubscriptionState>) -> Client {
    let patch = ClientPatch {
        name: Some(format!("Client “{name}” <&>")),
        email: Some(format!("{name}@example.com")),
        ..ClientPatch::default()
    };
    let client = world.mainstay.create_client(world.acme.id, name, patch).await.unwrap();
    if let Some(state) = state {
        let asked = SubscriptionUpdate { state, address: None, source: ConsentSource::Api };
        world.mainstay.subscribe(world.acme.id, &client, &asked).await.unwrap();
    }
    client
}

/// Runs Acme's weekly job now.
async fn run_weekly(world: &World) {
    world.tick();
    world.mainstay.start_job(world.acme.id, Job::Weekly).await.unwrap();
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    while world.mainstay.run_next_job(world.acme.id, &worker).await.unwrap() {}
}

pub(crate) fn sender(
    world: &World,
    server: &MailServer,
) -> (Sender, tokio::sync::watch::Sender<bool>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let site = Site::local(world.url().strip_prefix("http://").unwrap().parse().unwrap());
    let smtp = SmtpServer::parse(&server.url()).unwrap();
    let from = "success@mainstay.test".parse().unwrap();
    (Sender::new(world.mainstay.clone(), smtp, from, site.into(), stopped), stop)
}

async fn emails(world: &World) -> Vec<ClientEmail> {
    let scope = Scope::Service(world.acme.id);
    world.mainstay.emails(scope, &EmailFilter::default(), 1_000).await.unwrap()
}

/// The only email to a client.
async fn email_to(world: &World, name: &str) -> ClientEmail {
    let mut found = emails(world).await;
    found.retain(|email| email.client_id == name);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

on_both_databases!(exactly_those_who_asked_get_exactly_one_weekly_mail, async |world| {
    let server = MailServer::start();
    let mut wanted = Vec::new();
    for number in 0..500 {
        let name = format!("client-{number}");
        let state = match number % 5 {
            0 => None,
            1 => Some(SubscriptionState::Unsubscribed),
            2 => Some(SubscriptionState::Pending),
            _ => Some(SubscriptionState::Subscribed),
        };
        client(world, &name, state).await;
        if state == Some(SubscriptionState::Subscribed) {
            wanted.push(format!("{name}@example.com"));
        }
    }
    world.be_active("client-3", "content_generated", 6).await;
    world.be_active("client-4", "task_completed", 2).await;
    // On Sunday: the week is a complete one.
    world.clock.advance_hours(36);
    run_weekly(world).await;
    // Again for the same days: nobody gets another.
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server);
    let weekly = EmailFilter { kind: Some(EmailType::WeeklyInsights), ..EmailFilter::default() };
    let scope = Scope::Service(world.acme.id);
    let first = world.mainstay.emails(scope, &weekly, 1).await.unwrap()[0].id;
    let body = async || world.mainstay.email(scope, first).await.unwrap().whole.body;
    assert!(body().await.is_some(), "mails are made by the job that queues them");
    sender.send_due().await.unwrap();
    sender.send_due().await.unwrap();
    assert_eq!(body().await, None, "what was sent is kept as what it says");
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    for mail in server.mails() {
        if mail.header("subject").starts_with("Confirm") {
            continue;
        }
        *got.entry(mail.to.clone()).or_default() += 1;
        assert!(mail.html.len() <= 80 * 1024, "{} bytes", mail.html.len());
        assert!(mail.header("subject").contains("of 100"), "{:?}", mail.headers);
        assert!(mail.html.contains("Client “client-"), "{}", mail.html);
        assert!(mail.html.contains("&#60;&#38;&#62;"), "{}", mail.html);
        assert!(mail.text.contains("<&>"), "{}", mail.text);
        assert_eq!(mail.header("list-unsubscribe-post"), "List-Unsubscribe=One-Click");
    }
    assert_eq!(got.len(), wanted.len());
    assert!(got.values().all(|count| *count == 1), "{got:?}");
    assert!(wanted.iter().all(|address| got.contains_key(address)));
    let made = server.mails().into_iter().find(|mail| mail.to == "client-3@example.com").unwrap();
    assert!(made.text.contains("6 pieces of content"), "{}", made.text);
});

on_both_databases!(what_the_server_answers_decides_what_becomes_of_a_mail, async |world| {
    let server = MailServer::start();
    for name in ["fine", "later-2", "gone", "refused", "dies", "drops"] {
        client(world, name, Some(SubscriptionState::Subscribed)).await;
    }
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    let state = async |name: &str| email_to(world, name).await.state;
    assert_eq!(state("fine").await, EmailState::Sent);
    assert_eq!(state("gone").await, EmailState::Failed);
    // What is said of the content is not the mailbox's fault: the email is kept.
    assert_eq!(state("refused").await, EmailState::Queued);
    assert_eq!(state("dies").await, EmailState::Unknown);
    assert_eq!(state("drops").await, EmailState::Queued);
    let later = email_to(world, "later-2").await;
    assert_eq!((later.state, later.attempts), (EmailState::Queued, 1));
    assert!(later.reason.unwrap().contains("Greylisted"));
    assert!(later.due_at > world.mainstay.now());
    for _ in 0..8 {
        world.clock.advance_hours(1);
        sender.send_due().await.unwrap();
    }
    assert_eq!(state("later-2").await, EmailState::Sent);
    assert_eq!(state("drops").await, EmailState::Sent);
    assert_eq!(state("dies").await, EmailState::Unknown);
    // Each once, and who was not heard is not written to again.
    let mut to: Vec<String> = server.mails().into_iter().map(|mail| mail.to).collect();
    to.sort_unstable();
    let expected = ["dies", "drops", "fine", "later-2"].map(|name| format!("{name}@example.com"));
    assert_eq!(to, expected);
    let scope = Scope::Service(world.acme.id);
    let refused = world.mainstay.suppressions(scope, 10).await.unwrap();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].reason.contains("No such user here"), "{refused:?}");
    // The next week's email to them is not even tried.
    world.clock.advance_hours(7 * 24);
    run_weekly(world).await;
    let filter = EmailFilter { state: Some(EmailState::Suppressed), ..EmailFilter::default() };
    assert_eq!(world.mainstay.emails(scope, &filter, 10).await.unwrap().len(), 1);
});

on_both_databases!(
    an_email_that_panics_fails_with_its_cause_and_the_others_are_sent,
    async |world| {
        let server = MailServer::start();
        for name in ["ada", "bob"] {
            client(world, name, Some(SubscriptionState::Subscribed)).await;
        }
        run_weekly(world).await;
        world.mainstay.supervisor().inject_panic("email", 1);
        let (mut sender, _stop) = sender(world, &server);
        sender.send_due().await.unwrap();
        let mut reasons = Vec::new();
        for email in emails(world).await {
            if email.state == EmailState::Failed {
                reasons.push(email.reason.unwrap_or_default());
            }
        }
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].contains("a panic injected at email"), "{reasons:?}");
        assert_eq!(server.mails().len(), 1);
        let suppressed =
            world.mainstay.suppressions(Scope::Service(world.acme.id), 10).await.unwrap();
        assert!(suppressed.is_empty(), "it was nobody's fault but ours");
    }
);

on_both_databases!(a_server_that_cannot_be_reached_is_no_mails_fault, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, &server);
    drop(server);
    for _ in 0..20 {
        world.clock.advance_hours(1);
        sender.send_due().await.unwrap();
    }
    let email = email_to(world, "ada").await;
    assert_eq!((email.state, email.attempts), (EmailState::Queued, 0));
});

on_both_databases!(
    what_is_worth_a_mail_of_its_own_is_told_a_day_after_the_weekly_mail,
    async |world| {
        let server = MailServer::start();
        client(world, "ada", Some(SubscriptionState::Subscribed)).await;
        client(world, "bob", None).await;
        for name in ["ada", "bob"] {
            world.be_active(name, "content_generated", 6).await;
        }
        // On Sunday: the week is a complete one.
        world.clock.advance_hours(36);
        run_weekly(world).await;
        let (mut sender, _stop) = sender(world, &server);
        sender.send_due().await.unwrap();
        assert_eq!(server.mails().len(), 1);
        for days in 1..=3 {
            world.clock.advance_hours(25);
            sender.send_due().await.unwrap();
            assert_eq!(server.mails().len(), 1 + days.min(1), "one a day");
        }
        let mut kinds: Vec<EmailType> = emails(world).await.iter().map(|mail| mail.kind).collect();
        kinds.sort_unstable();
        // The weekly email tells of the 5th content; the first one has an email of its own.
        assert_eq!(kinds, [EmailType::WeeklyInsights, EmailType::MilestoneCelebration]);
        assert!(
            server.mails()[0].text.contains("5th piece of content"),
            "{}",
            server.mails()[0].text
        );
        assert!(
            server.mails()[1].text.contains("1st piece of content."),
            "{}",
            server.mails()[1].text
        );
    }
);

on_both_databases!(a_silent_client_is_nudged_once_in_14_days, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..3 {
        world.be_active("ada", "login", 1).await;
        world.clock.advance_hours(49);
        let now = world.mainstay.now();
        world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
        sender.send_due().await.unwrap();
    }
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].header("subject"), "2 days without activity: Studio of-acme");
    world.clock.advance_hours(14 * 24);
    world.be_active("ada", "login", 1).await;
    world.mainstay.check_client_health(world.acme.id, "ada", world.mainstay.now()).await.unwrap();
    world.clock.advance_hours(49);
    world.mainstay.check_client_health(world.acme.id, "ada", world.mainstay.now()).await.unwrap();
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 2);
});
