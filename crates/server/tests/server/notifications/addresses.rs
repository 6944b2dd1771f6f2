//! Where messages do not go: refused at the connector, before a packet leaves.

use mainstay::notification::{Outbound, SendError, Unreachable};
use mainstay_core::notification::{EndpointKind, OutgoingPolicy, Route};
use mainstay_store::Webhook;
use serde_json::json;
use tokio::net::TcpListener;

use super::{courier, deliveries, receiver::Receiver, webhook};
use crate::support::NOW;

fn to(url: &str) -> Webhook {
    Webhook {
        id: uuid::Uuid::nil().into(),
        kind: EndpointKind::Webhook,
        name: "A receiver".to_owned(),
        url: url.to_owned(),
        secret: String::new(),
        previous_secret: None,
        route: Route::default(),
        ignores_quiet_hours: false,
        disabled: None,
        failing_since: None,
        created_at: NOW,
    }
}

async fn status_of(outgoing: OutgoingPolicy, url: &str) -> Result<u16, SendError> {
    let outbound = Outbound::new(outgoing).unwrap();
    outbound.send(&to(url), "msg_1", "{}".to_owned(), NOW).await.map(|answer| answer.status)
}

/// Whoever would take a connection on this machine, of either family.
async fn listeners() -> (Vec<TcpListener>, u16) {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("::1", port)).await.ok();
    (std::iter::once(first).chain(second).collect(), port)
}

/// Whether somebody has connected, or tried to.
fn was_reached(listener: TcpListener) -> bool {
    listener.into_std().unwrap().accept().is_ok()
}

#[tokio::test]
async fn no_message_goes_to_an_address_that_is_not_public() {
    let (listeners, port) = listeners().await;
    for (host, address) in [
        ("169.254.169.254", "169.254.169.254"),
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("10.1.2.3", "10.1.2.3"),
        ("100.100.100.200", "100.100.100.200"),
        ("[::1]", "::1"),
        ("[::]", "::"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[::127.0.0.1]", "::127.0.0.1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
        ("[2002:7f00:1::]", "2002:7f00:1::"),
        ("[fd00:ec2::254]", "fd00:ec2::254"),
        ("[fe80::1]", "fe80::1"),
    ] {
        for scheme in ["http", "https"] {
            let refused =
                status_of(OutgoingPolicy::default(), &format!("{scheme}://{host}:{port}/")).await;
            let Err(SendError::Unreachable(Unreachable::Forbidden { address: found, .. })) =
                refused
            else {
                panic!("{scheme} {host}: {refused:?}");
            };
            assert_eq!(found, address.parse::<std::net::IpAddr>().unwrap(), "{host}");
        }
    }
    assert!(!listeners.into_iter().any(was_reached), "a connection was tried");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused_where_it_is_connected_to() {
    let (listeners, port) = listeners().await;
    for name in ["localhost", "LOCALHOST.", "localhost.localdomain"] {
        match status_of(OutgoingPolicy::default(), &format!("http://{name}:{port}/")).await {
            Err(SendError::Unreachable(Unreachable::Forbidden { host, address })) => {
                assert!(address.is_loopback(), "{name}: {address}");
                // Who may name a host does not learn where it leads.
                let told = Unreachable::Forbidden { host, address }.to_string();
                assert!(told.contains("private address") && !told.contains("127.0.0.1"), "{told}");
            }
            // Not every machine knows the last one.
            Err(SendError::Unreachable(Unreachable::Unknown { .. })) => {
                assert_ne!(name, "localhost");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(!listeners.into_iter().any(was_reached), "a connection was tried");
}

#[tokio::test]
async fn the_operator_allows_ranges_by_name() {
    let receiver = Receiver::start().await;
    let allowed = OutgoingPolicy::with_allowed(vec!["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(status_of(allowed.clone(), &receiver.url("/")).await.unwrap(), 200);
    let mapped = receiver.url("/").replace("127.0.0.1", "[::ffff:127.0.0.1]");
    assert_eq!(status_of(allowed.clone(), &mapped).await.unwrap(), 200);
    let other = status_of(allowed, "http://10.0.0.1/").await;
    assert!(matches!(other, Err(SendError::Unreachable(Unreachable::Forbidden { .. }))));
    assert_eq!(receiver.got().len(), 2);
}

on_both_databases!(a_redirect_is_not_followed_and_is_reported, async |world| {
    let receiver = Receiver::start().await;
    let hook = webhook(world, &receiver.url("/first"), json!({})).await;
    let test = format!("/api/v1/webhooks/{}/test", hook["id"].as_str().unwrap());
    let mut courier = courier(world);
    for status in [301, 302, 303, 307, 308] {
        receiver.answers(&[status]);
        world.tick();
        world.send(world.request("POST", &test).bearer_auth(&world.acme.owner)).await.json(202);
        courier.deliver_due().await.unwrap();
        let last = deliveries(world, &hook).await.remove(0);
        let why = last.message.reason.unwrap();
        assert!(why.starts_with(&format!("it answered {status}, a redirect")), "{why}");
    }
    assert!(receiver.got().iter().all(|got| got.path == "/first"));
});

on_both_databases!(a_refused_address_is_listed_in_the_deliveries, async |world| {
    let hook = webhook(world, "http://169.254.169.254/latest/meta-data", json!({})).await;
    let test = format!("/api/v1/webhooks/{}/test", hook["id"].as_str().unwrap());
    world.send(world.request("POST", &test).bearer_auth(&world.acme.owner)).await.json(202);
    courier(world).deliver_due().await.unwrap();
    let path = format!("/api/v1/webhooks/{}/deliveries", hook["id"].as_str().unwrap());
    let log = world.get(&world.acme.admin, &path).await.json(200);
    let attempt = &log["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["status"], serde_json::Value::Null);
    let error = attempt["error"].as_str().unwrap();
    assert!(error.starts_with("169.254.169.254 resolves to a private address"), "{error}");
    assert!(error.contains("MAINSTAY_WEBHOOK_ALLOW"), "{error}");
});
