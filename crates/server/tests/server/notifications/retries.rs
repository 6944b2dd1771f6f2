//! Endpoints that do not take what is sent, with a clock that moves.

use jiff::SignedDuration;
use mainstay::notification::Outbound;
use mainstay_core::notification::{MAX_ATTEMPTS, MessageState, OutgoingPolicy};
use mainstay_store::Role;
use serde_json::{Value, json};

use super::{advance, courier, deliveries, id_of, receiver::Receiver, webhook};
use crate::{
    emails::{sender, server::MailServer},
    support::World,
    web::browser::{Browser, email},
};

async fn post(world: &World, hook: &Value, action: &str) -> crate::support::TestResponse {
    world.tick();
    let path = format!("/api/v1/webhooks/{}/{action}", hook["id"].as_str().unwrap());
    world.send(world.request("POST", &path).bearer_auth(&world.acme.owner)).await
}

on_both_databases!(a_message_is_sent_ten_times_over_days_and_then_given_up, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    receiver.answers(&[500; MAX_ATTEMPTS]);
    post(world, &hook, "test").await.json(202);
    let mut courier = courier(world);
    for attempt in 1..=MAX_ATTEMPTS {
        courier.deliver_due().await.unwrap();
        assert_eq!(receiver.got().len(), attempt);
        let one = deliveries(world, &hook).await.remove(0);
        if attempt < MAX_ATTEMPTS {
            assert_eq!(one.message.state, MessageState::Queued);
            // Not before its time.
            let wait = one.message.due_at.duration_since(world.mainstay.now());
            advance(world, wait - SignedDuration::from_millis(1));
            courier.deliver_due().await.unwrap();
            assert_eq!(receiver.got().len(), attempt, "{wait}");
            advance(world, SignedDuration::from_millis(1));
        } else {
            assert_eq!(one.message.state, MessageState::Failed);
            assert_eq!(one.message.reason.as_deref(), Some("it answered 500"));
            assert_eq!(one.attempts.len(), MAX_ATTEMPTS);
            let answer = &one.attempts[0].response;
            assert!(answer.starts_with("answered 500") && !answer.contains('\0'), "{answer}");
        }
    }
    let first = receiver.got().remove(0);
    for again in receiver.got() {
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
    }
    // It has taken nothing for days.
    let disabled = world.mainstay.webhook(world.acme.id, id_of(&hook)).await.unwrap().disabled;
    let (reason, _) = disabled.unwrap();
    assert!(reason.starts_with("it has taken nothing for "), "{reason}");
    post(world, &hook, "test").await.problem(409);
    let path = format!("/api/v1/webhooks/{}", hook["id"].as_str().unwrap());
    let enabled = world.patch(&world.acme.owner, &path, json!({"enabled": true})).await.json(200);
    assert_eq!((&enabled["enabled"], &enabled["failing_since"]), (&json!(true), &Value::Null));
    post(world, &hook, "test").await.json(202);
});

on_both_databases!(an_endpoint_that_recovers_gets_what_it_missed, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    receiver.answers(&[503, 429]);
    post(world, &hook, "test").await.json(202);
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    let failing = world.mainstay.webhook(world.acme.id, id_of(&hook)).await.unwrap();
    assert_eq!(failing.failing_since, Some(world.mainstay.now()));
    for _ in 0..2 {
        world.clock.advance_hours(1);
        courier.deliver_due().await.unwrap();
    }
    let one = deliveries(world, &hook).await.remove(0);
    assert_eq!((one.message.state, one.message.reason), (MessageState::Delivered, None));
    let statuses: Vec<Option<i64>> = one.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(429), Some(200)]);
    let mended = world.mainstay.webhook(world.acme.id, id_of(&hook)).await.unwrap();
    assert_eq!(mended.failing_since, None);
});

on_both_databases!(
    an_endpoint_that_is_gone_is_disabled_at_once_with_all_that_waits,
    async |world| {
        let receiver = Receiver::start().await;
        let hook = webhook(world, &receiver.url("/"), json!({})).await;
        let mut courier = courier(world);
        receiver.answers(&[500, 410]);
        post(world, &hook, "test").await.json(202);
        courier.deliver_due().await.unwrap();
        post(world, &hook, "test").await.json(202);
        courier.deliver_due().await.unwrap();
        let path = format!("/api/v1/webhooks/{}", hook["id"].as_str().unwrap());
        let gone = world.get(&world.acme.owner, &path).await.json(200);
        assert_eq!(gone["enabled"], false);
        assert_eq!(gone["disabled_reason"], "it answered 410 Gone: it wants no more");
        let log = deliveries(world, &hook).await;
        assert!(log.iter().all(|one| one.message.state == MessageState::Failed), "{log:?}");
        world.clock.advance_hours(48);
        courier.deliver_due().await.unwrap();
        assert_eq!(receiver.got().len(), 2);
    }
);

on_both_databases!(a_message_is_sent_again_by_hand_under_its_id, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    let mut courier = courier(world);
    let queued = post(world, &hook, "test").await.json(202);
    courier.deliver_due().await.unwrap();
    let again = format!("deliveries/{}/resend", queued["id"].as_str().unwrap());
    post(world, &hook, &again).await.json(202);
    courier.deliver_due().await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
    assert_eq!(got[0].header("webhook-id"), format!("msg_{}", queued["id"].as_str().unwrap()));
    assert_eq!(deliveries(world, &hook).await[0].attempts.len(), 2);
    let nothing = format!("deliveries/{}/resend", uuid::Uuid::nil());
    post(world, &hook, &nothing).await.problem(404);
});

on_both_databases!(a_slow_endpoint_holds_nobody_else_up, async |world| {
    let (slow, quick) = (Receiver::start().await, Receiver::start().await);
    let slow_hook = webhook(world, &slow.url("/"), json!({"name": "Slow"})).await;
    let quick_hook = webhook(world, &quick.url("/"), json!({"name": "Quick"})).await;
    slow.hang();
    for _ in 0..12 {
        post(world, &slow_hook, "test").await.json(202);
    }
    for _ in 0..12 {
        post(world, &quick_hook, "test").await.json(202);
    }
    let mut courier = courier(world);
    let sending = tokio::spawn(async move { courier.deliver_due().await });
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(10));
    while quick.got().len() < 12 {
        looks.tick().await;
    }
    let waiting = slow.got().len();
    assert!((1..=4).contains(&waiting), "{waiting} at a time");
    let log = deliveries(world, &slow_hook).await;
    assert!(log.iter().all(|one| one.message.state == MessageState::Queued));
    slow.let_go();
    sending.await.unwrap().unwrap();
    assert_eq!(slow.got().len(), 12);
});

on_both_databases!(a_message_whose_sender_is_gone_is_sent_again_under_its_id, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    post(world, &hook, "test").await.json(202);
    let mainstay = &world.mainstay;
    let taken = mainstay.claim_webhook_messages(world.acme.id, id_of(&hook), 9).await.unwrap();
    // It arrived, and then the process was killed.
    let outbound =
        Outbound::new(OutgoingPolicy::with_allowed(vec!["127.0.0.1".parse().unwrap()])).unwrap();
    let delivery = &taken[0];
    let (id, now) = (delivery.message_id(), mainstay.now());
    outbound.send(&delivery.webhook, &id, "{}".to_owned(), now).await.unwrap();
    let mut courier = courier(world);
    courier.deliver_due().await.unwrap();
    assert_eq!(receiver.got().len(), 1, "somebody may still be sending it");
    advance(world, SignedDuration::from_mins(2));
    courier.deliver_due().await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].header("webhook-id"), got[1].header("webhook-id"));
});

on_both_databases!(an_endpoint_that_asks_to_wait_is_left_alone, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    let mut courier = courier(world);
    receiver.answers(&[429, 429]);
    receiver.retry_after(Some("600"));
    post(world, &hook, "test").await.json(202);
    post(world, &hook, "test").await.json(202);
    courier.deliver_due().await.unwrap();
    let asked = receiver.got().len();
    assert!(asked <= 2, "both may be under way at once");
    advance(world, SignedDuration::from_secs(599));
    courier.deliver_due().await.unwrap();
    assert_eq!(receiver.got().len(), asked, "sent before the time that it asked for");
    receiver.retry_after(None);
    advance(world, SignedDuration::from_secs(1));
    courier.deliver_due().await.unwrap();
    assert_eq!(receiver.got().len(), asked + 2);
    // It cannot ask for for ever.
    receiver.answers(&[503]);
    receiver.retry_after(Some("99999999"));
    post(world, &hook, "test").await.json(202);
    courier.deliver_due().await.unwrap();
    world.clock.advance_hours(24);
    courier.deliver_due().await.unwrap();
    assert_eq!(receiver.got().len(), asked + 4);
});

on_both_databases!(owners_hear_within_an_hour_that_a_webhook_takes_nothing, async |world| {
    let mails = MailServer::start();
    let (mut sender, _stop) = sender(world, &mails);
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({"name": "Team <b>room</b>"})).await;
    receiver.answers(&[404; 4]);
    post(world, &hook, "test").await.json(202);
    let mut courier = courier(world);
    for _ in 0..60 {
        courier.deliver_due().await.unwrap();
        advance(world, SignedDuration::from_mins(1));
        sender.send_due().await.unwrap();
    }
    let told = mails.mails();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].to, email(&world.acme, Role::Owner));
    assert!(told[0].header("subject").starts_with("A webhook is failing"));
    assert!(told[0].text.contains("it answered 404"), "{}", told[0].text);
    for path in ["/alerts", "/settings/organization"] {
        let page = Browser::member(world, &world.acme, Role::Staff).await.get(path).await;
        assert!(page.page(200).contains("has accepted no messages since"), "{path}: {page:?}");
    }
    // Once for each time that it fails, and not for as long as it works.
    receiver.answers(&[410]);
    world.clock.advance_hours(3);
    courier.deliver_due().await.unwrap();
    sender.send_due().await.unwrap();
    let told = mails.mails();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].header("subject").starts_with("A webhook was disabled"));
});
