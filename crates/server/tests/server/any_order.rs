//! Segment's messages say the same in any order, cut into any requests, repeated, and with the server
//! started again between any two: the same clients, profiles, people, events and scores.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use mainstay::{Mainstay, organization::CreateOrganization, score::ScoreRun};
use mainstay_core::id::OrganizationId;
use mainstay_store::{RelatedKind, Scope};
use serde_json::{Value, json};

use crate::support::{NOW, World};

const USERS: [&str; 3] = ["u0", "u1", "u2"];
const VISITORS: [&str; 2] = ["v0", "v1"];
const ACCOUNTS: [&str; 3] = ["a0", "a1", "a2"];
/// Ids that an alias makes another name of a user.
const LEADS: [(&str, &str); 2] = [("l0", "u0"), ("l1", "u1")];
const CASES: u64 = 8;

/// A stream of messages: late ones, some of one instant, some by a clock that is off.
pub(crate) fn stream(random: &mut fastrand::Rng) -> Vec<Value> {
    let count = 6 + random.usize(..18);
    let mut messages: Vec<Value> = (0..count).map(|number| message(random, number)).collect();
    for (lead, user) in LEADS {
        if random.bool() {
            messages.push(timed(random, json!({
                "type": "alias", "previousId": lead, "userId": user, "messageId": format!("x{lead}"),
            })));
        }
    }
    messages
}

fn message(random: &mut fastrand::Rng, number: usize) -> Value {
    let mut pick = |all: &[&str]| all[random.usize(..all.len())].to_owned();
    let (user, visitor, account) = (pick(&USERS), pick(&VISITORS), pick(&ACCOUNTS));
    let lead = pick(&["l0", "l1"]);
    let value = [json!(null), json!("a"), json!("b"), json!(3)][random.usize(..4)].clone();
    let name = ["name", "plan", "email", "seats", "city"][random.usize(..5)];
    let event = ["login", "content_generated", "Something Else"][random.usize(..3)];
    let body = match random.u8(..8) {
        0 | 1 => json!({"type": "track", "userId": user, "event": event}),
        2 => json!({"type": "track", "anonymousId": visitor, "event": event}),
        3 => json!({"type": "page", "userId": lead, "name": "Docs"}),
        4 => json!({"type": "identify", "userId": user, "traits": {name: value}}),
        5 => json!({"type": "identify", "userId": user, "anonymousId": visitor}),
        6 => json!({"type": "group", "userId": user, "groupId": account, "traits": {name: value}}),
        _ => {
            json!({"type": "track", "userId": user, "event": event, "context": {"groupId": account}})
        }
    };
    let mut body = body;
    body["messageId"] = json!(format!("m{number:02}"));
    timed(random, body)
}

/// Gives a message a time of the last five weeks, told by a right clock or by one that is off.
fn timed(random: &mut fastrand::Rng, mut body: Value) -> Value {
    let at = NOW - SignedDuration::from_hours(random.i64(1..5 * 7 * 24) / 9 * 9);
    let off = SignedDuration::from_hours([0, 0, 0, 30, -200][random.usize(..5)]);
    body["timestamp"] = json!(at + off);
    if off != SignedDuration::ZERO {
        body["sentAt"] = json!(NOW + off);
    }
    body
}

/// An organization of its own, and the key to it.
async fn organization(world: &World, slug: &str, clients_are: &str) -> (OrganizationId, String) {
    let created = world
        .mainstay
        .create_organization(CreateOrganization {
            slug: slug.to_owned(),
            name: None,
            time_zone: Some("America/New_York".to_owned()),
            sample: false,
        })
        .await
        .unwrap();
    let changes = json!({"clients_are": clients_are});
    world.patch(&created.keys.secret_key, "/api/v1/organization", changes).await.json(200);
    (created.organization.id, created.keys.secret_key)
}

async fn send(world: &World, key: &str, messages: &[Value]) {
    let body = json!({"batch": messages});
    let answer = world.post(key, "/v1/batch", body).await.json(200);
    let refused = answer["refused"].as_array().cloned().unwrap_or_default();
    let accounts_only = |one: &Value| ["userId", "type"].contains(&one["field"].as_str().unwrap());
    assert!(refused.iter().all(accounts_only), "{answer}");
}

/// All that follows from the messages by now, by the host app's ids.
pub(crate) async fn dump(mainstay: &Mainstay, id: OrganizationId) -> BTreeMap<String, String> {
    let now = mainstay.now();
    let run = ScoreRun { as_of: now, client: None, dry_run: false };
    let mut scores = BTreeMap::new();
    let keep = |chunk: Vec<mainstay::score::ClientScore>| {
        for one in chunk {
            scores.insert(one.client_id.clone(), format!("{:?}", one.score.overall));
        }
    };
    mainstay.score_organization(id, &run, keep).await.unwrap();
    let report = mainstay.verify(id, |_| ()).await.unwrap();
    assert_eq!(report.differences, [], "stored figures do not follow from the events");

    let mut all = BTreeMap::new();
    let mut tx = mainstay.store().begin(Scope::Service(id)).await.unwrap();
    for client in tx.list_clients(None, 100).await.unwrap() {
        let name = &client.external_id;
        let range =
            (now - SignedDuration::from_hours(24 * 100), now + SignedDuration::from_hours(48));
        let events = tx.list_client_events(client.id, range, None, 1_000).await.unwrap();
        let events: Vec<String> = events
            .into_iter()
            .map(|event| format!("{} {} {}", event.occurred_at, event.message_id, event.name))
            .collect();
        let people = tx.list_people_of(client.id, "", 100).await.unwrap();
        let people: Vec<String> = people.into_iter().map(|person| format!("{person:?}")).collect();
        all.insert(format!("client {name}"), format!("{:?} {}", client.profile, client.created_at));
        all.insert(format!("events {name}"), events.join("\n"));
        all.insert(format!("people {name}"), people.join("\n"));
        all.insert(format!("score {name}"), scores.remove(name).unwrap_or_default());
    }
    for (kind, ids) in [(RelatedKind::Person, USERS), (RelatedKind::Group, ACCOUNTS)] {
        for id in ids {
            let profile = tx.find_related_profile(kind, id).await.unwrap();
            all.insert(format!("{kind:?} {id}"), format!("{profile:?}"));
        }
    }
    for person in USERS.iter().chain(&VISITORS).chain(&["l0", "l1"]) {
        let mut waiting = tx.claim_waiting_events(&[person], now).await.unwrap();
        waiting.sort_by(|a, b| a.message_id.cmp(&b.message_id));
        for event in &mut waiting {
            // Other messages arrive at other times.
            event.received_at = now;
        }
        all.insert(format!("waiting {person}"), format!("{waiting:?}"));
    }
    tx.rollback().await.unwrap();
    all
}

on_both_databases!(any_order_of_messages_gives_the_same_result, async |world| {
    for seed in 0..CASES {
        for clients_are in ["users", "groups"] {
            let mut random = fastrand::Rng::with_seed(seed);
            let messages = stream(&mut random);
            let (one, key) =
                organization(world, &format!("one-{seed}-{clients_are}"), clients_are).await;
            let mut in_order = messages.clone();
            in_order.sort_by_key(|message| message["timestamp"].as_str().unwrap().to_owned());
            send(world, &key, &in_order).await;
            let expected = Box::pin(dump(&world.mainstay, one)).await;

            let (other, key) =
                organization(world, &format!("two-{seed}-{clients_are}"), clients_are).await;
            let mut shuffled = messages.clone();
            random.shuffle(&mut shuffled);
            let again = shuffled[..2].to_vec();
            shuffled.extend(again);
            let mut rest = &shuffled[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at((1 + random.usize(..4)).min(rest.len()));
                send(world, &key, now).await;
                rest = later;
                if random.u8(..4) == 0 {
                    // What was found out is forgotten, as after a restart, and scores lie in between.
                    let clock = Arc::clone(&world.clock);
                    let elsewhere = Mainstay::new(world.store.clone(), clock);
                    let as_of = NOW - SignedDuration::from_hours(24 * random.i64(0..20));
                    let run = ScoreRun { as_of, client: None, dry_run: false };
                    elsewhere.score_organization(other, &run, drop).await.unwrap();
                }
            }
            let found = Box::pin(dump(&world.mainstay, other)).await;
            for (what, expected) in &expected {
                let found = found.get(what);
                assert_eq!(
                    found,
                    Some(expected),
                    "{what}, {clients_are}, seed {seed}: {messages:#?}"
                );
            }
            assert_eq!(expected.len(), found.len(), "{clients_are}, seed {seed}");
        }
    }
});
