//! What is sent is verified by the verifiers that receivers use.

use jiff::SignedDuration;
use mainstay::{Clock as _, SystemClock};
use serde_json::{Value, json};
use standardwebhooks::{Webhook, WebhookError};

use super::{advance, courier, receiver::ReceivedRequest, receiver::Receiver, webhook};
use crate::support::World;

async fn test_message(world: &World, webhook: &Value) {
    let path = format!("/api/v1/webhooks/{}/test", webhook["id"].as_str().unwrap());
    world.tick();
    world.send(world.request("POST", &path).bearer_auth(&world.acme.owner)).await.json(202);
    courier(world).deliver_due().await.unwrap();
}

fn verifier(webhook: &Value) -> Webhook {
    Webhook::new(webhook["secret"].as_str().unwrap()).unwrap()
}

/// The verifier looks at the machine's clock, and so has the sender to.
fn set_to_the_machines_clock(world: &World) {
    world.clock.set(SystemClock.now());
}

on_both_databases!(the_crates_own_verifier_accepts_what_is_sent_and_nothing_else, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    set_to_the_machines_clock(world);
    test_message(world, &hook).await;
    let ReceivedRequest { headers, body, .. } = receiver.only();
    let verifier = verifier(&hook);
    verifier.verify(&body, &headers).unwrap();

    let tampered = String::from_utf8(body.clone()).unwrap().replace("webhook.test", "alert.opened");
    let refused = verifier.verify(tampered.as_bytes(), &headers);
    assert!(matches!(refused, Err(WebhookError::InvalidSignature)), "{refused:?}");
    for header in ["webhook-id", "webhook-timestamp"] {
        let mut other = headers.clone();
        let value: i64 = headers[header].to_str().unwrap().parse().unwrap_or(1);
        other.insert(header, (value + 1).to_string().parse().unwrap());
        let refused = verifier.verify(&body, &other);
        assert!(matches!(refused, Err(WebhookError::InvalidSignature)), "{header}: {refused:?}");
    }
    let stranger = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=").unwrap();
    assert!(stranger.verify(&body, &headers).is_err());

    // Sent ten minutes ago.
    advance(world, SignedDuration::from_mins(-10));
    test_message(world, &hook).await;
    let ReceivedRequest { headers, body, .. } = receiver.got().remove(1);
    let refused = verifier.verify(&body, &headers);
    assert!(matches!(refused, Err(WebhookError::TimestampTooOldError)), "{refused:?}");
});

on_both_databases!(for_a_day_after_a_rotation_both_secrets_verify, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/"), json!({})).await;
    set_to_the_machines_clock(world);
    // So that the machine's clock is a day after the rotation in the end.
    advance(world, SignedDuration::from_hours(-25));
    let path = format!("/api/v1/webhooks/{}/rotate-secret", hook["id"].as_str().unwrap());
    let rotated = world.post(&world.acme.admin, &path, json!({})).await.json(200);
    assert_ne!(rotated["secret"], hook["secret"]);
    let (old, new) = (verifier(&hook), verifier(&rotated));
    advance(world, SignedDuration::from_hours(23));
    test_message(world, &hook).await;
    let during = receiver.only();
    let signatures: Vec<&str> = during.header("webhook-signature").split(' ').collect();
    let (id, at) = (during.header("webhook-id"), during.header("webhook-timestamp"));
    let at: i64 = at.parse().unwrap();
    let expected = [&new, &old].map(|secret| secret.sign(id, at, &during.body).unwrap());
    assert_eq!(signatures, expected);

    set_to_the_machines_clock(world);
    test_message(world, &hook).await;
    let after = receiver.got().remove(1);
    new.verify(&after.body, &after.headers).unwrap();
    let refused = old.verify(&after.body, &after.headers);
    assert!(matches!(refused, Err(WebhookError::InvalidSignature)), "{refused:?}");
});

on_both_databases!(a_secret_can_be_chosen_and_is_shown_once, async |world| {
    let receiver = Receiver::start().await;
    let chosen = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    let hook = webhook(world, &receiver.url("/"), json!({"secret": chosen})).await;
    assert_eq!(hook["secret"], chosen);
    let path = format!("/api/v1/webhooks/{}", hook["id"].as_str().unwrap());
    let read = world.get(&world.acme.owner, &path).await;
    assert!(!read.text.contains("whsec_"), "{}", read.text);
    for wrong in ["whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
        let body = json!({"name": "x", "url": "https://example.com", "secret": wrong});
        let refused = world.post(&world.acme.owner, "/api/v1/webhooks", body).await.problem(422);
        assert_eq!(refused["field"], "secret", "{refused}");
    }
});
