//! How often a client is written to.

use std::collections::BTreeMap;

use mainstay_core::email::{EmailState, EmailType, SubscriptionState};
use mainstay_store::{ClientEmail, EmailFilter, Scope};

use super::{MailServer, client, emails, run_weekly, sender};
use crate::{support::World, web::browser::Browser};

async fn weekly(world: &World) -> Vec<ClientEmail> {
    let scope = Scope::Service(world.acme.id);
    let filter = EmailFilter { kind: Some(EmailType::WeeklyInsights), ..EmailFilter::default() };
    // Newest first.
    world.mainstay.emails(scope, &filter, 1_000).await.unwrap()
}

on_both_databases!(weekly_mails_pause_after_four_and_go_on_with_activity, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    world.be_active("ada", "login", 1).await;
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..7 {
        world.clock.advance_hours(7 * 24);
        run_weekly(world).await;
        sender.send_due().await.unwrap();
    }
    let states: Vec<EmailState> = weekly(world).await.iter().map(|mail| mail.state).collect();
    let (paused, sent) = (EmailState::Suppressed, EmailState::Sent);
    assert_eq!(states, [paused, paused, paused, sent, sent, sent, sent]);
    assert_eq!(server.mails().len(), 4);
    // Staff see why.
    let owner = Browser::member(world, &world.acme, mainstay_store::Role::Owner).await;
    let page = owner.get("/emails").await;
    assert!(page.page(200).contains("paused: no activity after 4 weekly emails"));
    world.be_active("ada", "login", 1).await;
    world.clock.advance_hours(7 * 24);
    run_weekly(world).await;
    sender.send_due().await.unwrap();
    assert_eq!(weekly(world).await[0].state, sent);
});

on_both_databases!(a_weekly_mail_of_a_week_that_overlaps_another_is_not_written, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    let (mut sender, _stop) = sender(world, &server);
    // By hand or by schedule, on each day from the week's first to its last.
    world.clock.advance_hours(48);
    for _ in 0..7 {
        run_weekly(world).await;
        sender.send_due().await.unwrap();
        world.clock.advance_hours(24);
    }
    assert_eq!(weekly(world).await.len(), 1);
    run_weekly(world).await;
    sender.send_due().await.unwrap();
    assert_eq!(weekly(world).await.len(), 2);
    assert_eq!(server.mails().len(), 2);
});

on_both_databases!(after_an_outage_only_what_is_up_to_date_is_sent, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..3 {
        world.be_active("ada", "content_generated", 1).await;
        world.clock.advance_hours(3 * 24);
        let now = world.mainstay.now();
        world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
        world.clock.advance_hours(4 * 24);
        run_weekly(world).await;
    }
    assert!(emails(world).await.len() >= 5, "a nudge, a celebration and three weekly mails");
    world.clock.advance_hours(25);
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for day in 0..10 {
        let before = server.mails().len();
        sender.send_due().await.unwrap();
        days.insert(day, server.mails().len() - before);
        world.clock.advance_hours(24);
    }
    assert!(days.values().all(|count| *count <= 1), "one a day: {days:?}");
    let subjects: Vec<String> =
        server.mails().iter().map(|mail| mail.header("subject").to_owned()).collect();
    let weeks = subjects.iter().filter(|subject| subject.contains("your week at")).count();
    assert_eq!(weeks, 1, "{subjects:?}");
    assert!(!subjects.iter().any(|subject| subject.contains("without activity")), "{subjects:?}");
    let latest = weekly(world).await;
    assert_eq!(latest[0].state, EmailState::Sent);
    for stale in &latest[1..] {
        assert_eq!(stale.state, EmailState::Suppressed, "{stale:?}");
    }
});

on_both_databases!(two_servers_that_send_at_once_send_a_client_one_mail_a_day, async |world| {
    const CLIENTS: usize = 20;
    let server = MailServer::start();
    for number in 0..CLIENTS {
        let name = format!("client-{number}");
        client(world, &name, Some(SubscriptionState::Subscribed)).await;
        world.be_active(&name, "content_generated", 1).await;
    }
    world.clock.advance_hours(3 * 24);
    run_weekly(world).await;
    // The celebration waits for a day.
    world.clock.advance_hours(25);
    assert_eq!(emails(world).await.len(), 2 * CLIENTS, "a celebration and a weekly mail each");
    let (mut one, _stop) = sender(world, &server);
    let (mut other, _stop_too) = sender(world, &server);
    let (sent, sent_too) = tokio::join!(one.send_due(), other.send_due());
    sent.and(sent_too).unwrap();
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    for mail in server.mails() {
        *got.entry(mail.to.clone()).or_default() += 1;
    }
    assert_eq!(got.len(), CLIENTS);
    assert!(got.values().all(|count| *count == 1), "{got:?}");
});

on_both_databases!(only_the_first_the_10th_and_the_50th_have_mails_of_their_own, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Subscribed)).await;
    let (mut sender, _stop) = sender(world, &server);
    let mut own = Vec::new();
    for made in [1, 4, 3, 4, 30, 10, 1] {
        world.be_active("ada", "content_generated", made).await;
        world.clock.advance_hours(7 * 24);
        run_weekly(world).await;
        sender.send_due().await.unwrap();
        let before = server.mails().len();
        world.clock.advance_hours(25);
        sender.send_due().await.unwrap();
        let new: Vec<String> = server.mails()[before..]
            .iter()
            .map(|mail| mail.header("subject").split(" at ").next().unwrap().to_owned())
            .collect();
        own.push(new.join(", "));
    }
    // 1, 5, 8, 12, 42, 52 and 53 in all.
    assert_eq!(
        own,
        ["1st piece of content", "", "", "10th piece of content", "", "50th piece of content", ""]
    );
});
