//! The daily email to members who want it.

use jiff::SignedDuration;
use mainstay::job::Worker;
use mainstay_core::job::Job;
use serde_json::json;

use super::{check, quiet_since};
use crate::{
    emails::{sender, server::MailServer},
    support::World,
};

async fn run_daily(world: &World) {
    world.tick();
    world.mainstay.start_job(world.acme.id, Job::Daily).await.unwrap();
    let (worker, _stop) = Worker::new(SignedDuration::from_secs(60));
    while world.mainstay.run_next_job(world.acme.id, &worker).await.unwrap() {}
}

async fn want(world: &World, wanted: bool) {
    let path = format!("/api/v1/members/{}/daily-digest", world.acme.staff_id);
    let answer = world.put(&world.acme.owner, &path, json!({"wanted": wanted})).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

on_both_databases!(
    who_wants_it_gets_one_mail_a_day_when_there_is_something_to_tell,
    async |world| {
        let server = MailServer::start();
        let (mut sender, _stop) = sender(world, &server);
        want(world, true).await;
        run_daily(world).await;
        world.clock.advance_hours(12);
        sender.send_due().await.unwrap();
        assert_eq!(server.mails().len(), 0, "there is nothing to tell");

        quiet_since(world, ["ada".to_owned(), "bob".to_owned()], 50).await;
        check(world).await;
        run_daily(world).await;
        run_daily(world).await;
        // The hour of digests.
        world.clock.advance_hours(6);
        sender.send_due().await.unwrap();
        sender.send_due().await.unwrap();
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{mails:?}");
        let mail = &mails[0];
        assert_eq!(mail.to, "staff@of-acme.example");
        assert!(mail.header("subject").contains("2 alerts opened"), "{:?}", mail.headers);
        assert!(
            mail.text.contains("ada, inactivity") && mail.text.contains("/alerts"),
            "{}",
            mail.text
        );
        assert!(!mail.headers.contains_key("list-unsubscribe"));

        // What was told is not told again, and what nobody wants is not sent.
        world.clock.advance_hours(24);
        world.tick();
        quiet_since(world, ["eve".to_owned()], 50).await;
        check(world).await;
        run_daily(world).await;
        want(world, false).await;
        world.clock.advance_hours(12);
        sender.send_due().await.unwrap();
        assert_eq!(server.mails().len(), 1);
    }
);

on_both_databases!(the_digest_waits_for_its_hour, async |world| {
    let server = MailServer::start();
    let (mut sender, _stop) = sender(world, &server);
    let settings = json!({"digest_hour": 9});
    world.put(&world.acme.admin, "/api/v1/notifications/settings", settings).await.json(200);
    want(world, true).await;
    // Half past midnight in Berlin.
    world.clock.set("2026-05-03T22:30:00Z".parse().unwrap());
    quiet_since(world, ["ada".to_owned()], 50).await;
    check(world).await;
    run_daily(world).await;
    world.clock.set("2026-05-04T06:59:00Z".parse().unwrap());
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 0);
    world.clock.set("2026-05-04T07:00:00Z".parse().unwrap());
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 1);
});
