use mainstay_core::score::ScoreModel;
use serde_json::{Value, json};

use super::check;

const NO_ID: &str = "00000000-0000-7000-8000-000000000000";

/// Method, path, what is sent, the field at fault and words of its limit or remedy.
type Case = (&'static str, &'static str, Value, &'static str, &'static str);

/// The standard model with one value replaced.
fn model(pointer: &str, value: Value) -> Value {
    let mut model = json!(ScoreModel::standard());
    *model.pointer_mut(pointer).unwrap() = value;
    model
}

fn without(pointer: &str) -> Value {
    let mut model = json!(ScoreModel::standard());
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    model.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
    model
}

#[rustfmt::skip]
fn of_the_organization() -> Vec<Case> {
    const ORGANIZATION: &str = "/api/v1/organization";
    const MEMBERS: &str = "/api/v1/members";
    const KEYS: &str = "/api/v1/keys";
    const NAMES: &str = "/api/v1/event-names";
    const MODELS: &str = "/api/v1/score-models";
    let login = json!({"name": "a", "type": "login"});
    let long = "x".repeat(256);
    vec![
        ("PATCH", ORGANIZATION, json!({"time_zone": "Mars/Olympus"}), "time_zone", "IANA"),
        ("PATCH", ORGANIZATION, json!({"time_zone": "\0"}), "time_zone", "IANA"),
        ("PATCH", ORGANIZATION, json!({"time_zone": ""}), "time_zone", "IANA"),
        ("PATCH", ORGANIZATION, json!({"time_zone": null}), "time_zone", "send text"),
        ("PATCH", ORGANIZATION, json!({"name": " "}), "name", "1 to 255"),
        ("PATCH", ORGANIZATION, json!({"name": "a\0"}), "name", "NUL"),
        ("PATCH", ORGANIZATION, json!({"name": 5}), "name", "send text"),
        ("PATCH", ORGANIZATION, json!({"slug": "x"}), "slug", "time_zone"),
        ("POST", MEMBERS, json!({"email": "nobody", "role": "staff"}), "email", "254"),
        ("POST", MEMBERS, json!({"email": "a@b.c\0", "role": "staff"}), "email", "254"),
        ("POST", MEMBERS, json!({"email": "a@b.c", "role": "boss"}), "role", "owner"),
        ("POST", MEMBERS, json!({"email": "a@b.c"}), "role", "missing"),
        ("POST", MEMBERS, json!({"email": "a@b.c", "role": "staff", "name": long}), "name", "255"),
        ("POST", KEYS, json!({"kind": "master"}), "kind", "secret"),
        ("POST", KEYS, json!({"kind": "member"}), "member", "address"),
        ("POST", KEYS, json!({"kind": "write", "member": "a@b.c"}), "member", "omit it"),
        ("PUT", NAMES, json!([{"name": "", "type": "login"}]), "name", "1 to 255"),
        ("PUT", NAMES, json!([{"name": "a", "type": "x"}]), "[0].type", "login"),
        ("PUT", NAMES, json!([login, login]), "name", "twice"),
        ("PUT", NAMES, json!([{"type": "login"}]), "[0].name", "missing"),
        ("POST", MODELS, model("/weights/momentum", json!(16)), "weights", "sum to 100"),
        ("POST", MODELS, model("/weights/momentum", json!("x")), "weights.momentum", "whole number"),
        ("POST", MODELS, model("/bands", json!({})), "bands.excellent", "missing"),
        ("POST", MODELS, without("/momentum"), "momentum", "missing"),
        ("POST", MODELS, without("/weights/progress"), "weights.progress", "missing"),
        ("POST", MODELS, without("/trend_points"), "trend_points", "missing"),
        ("POST", MODELS, model("/name", json!("\0")), "name", "NUL"),
        ("POST", MODELS, json!({"name": "mine"}), "weights", "missing"),
    ]
}

#[rustfmt::skip]
fn of_clients() -> Vec<Case> {
    const CLIENTS: &str = "/api/v1/clients";
    const ADA: &str = "/api/v1/clients/ada";
    const TASKS: &str = "/api/v1/clients/ada/onboarding-tasks";
    const KIT: &str = "/api/v1/clients/ada/launch-kit";
    const FEEDBACK: &str = "/api/v1/clients/ada/feedback";
    const INSIGHT: &str = "/api/v1/clients/ada/insights/00000000-0000-7000-8000-000000000000";
    const SNOOZE: &str = "/api/v1/alerts/00000000-0000-7000-8000-000000000000/snooze";
    const SUCCESS: &str = "/api/client/success";
    let nps = |field: &str, value: Value| {
        let mut nps = json!({"kind": "nps", "rating": 9});
        nps[field] = value;
        nps
    };
    let dismiss = |client_id: Value| {
        json!({"action": "dismiss", "insightId": NO_ID, "clientId": client_id})
    };
    vec![
        ("POST", CLIENTS, json!({"client_id": ""}), "client_id", "1 to 255"),
        ("POST", CLIENTS, json!({"client_id": "a\0"}), "client_id", "NUL"),
        ("POST", CLIENTS, json!({"client_id": "x".repeat(256)}), "client_id", "255"),
        ("POST", CLIENTS, json!({"client_id": 1.5}), "client_id", "text"),
        ("POST", CLIENTS, json!({"client_id": "x", "name": "\0"}), "name", "NUL"),
        ("POST", CLIENTS, json!({"client_id": "x", "traits": {"a": "\0"}}), "traits", "NUL"),
        ("POST", CLIENTS, json!({"client_id": "x", "traits": []}), "traits", "an object"),
        ("PATCH", ADA, json!({"email": 1}), "email", "text"),
        ("PATCH", ADA, json!({"nickname": "A"}), "nickname", "is not a known field"),
        ("POST", TASKS, json!({"title": ""}), "title", "1 to 255"),
        ("POST", TASKS, json!({"title": "t", "status": "deleted"}), "status", "pending"),
        ("PUT", KIT, json!({"state": "unopened"}), "state", "viewed"),
        ("PUT", KIT, json!({"state": "lost"}), "state", "viewed"),
        ("POST", FEEDBACK, json!({"kind": "stars", "rating": 6}), "rating", "1 to 5"),
        ("POST", FEEDBACK, nps("rating", json!(4.5)), "rating", "whole number"),
        ("POST", FEEDBACK, nps("rating", json!(u64::MAX)), "rating", "whole number"),
        ("POST", FEEDBACK, nps("kind", json!("hearts")), "kind", "stars"),
        ("POST", FEEDBACK, nps("comment", json!("\0")), "comment", "NUL"),
        ("POST", FEEDBACK, nps("given_at", json!("9999-12-30T00:00:00Z")), "given_at", "2000-01-01"),
        ("POST", FEEDBACK, nps("given_at", json!("0000-01-01T00:00:00Z")), "given_at", "2000-01-01"),
        ("PATCH", INSIGHT, json!({"status": "loved"}), "status", "read"),
        ("PATCH", "/api/v1/clients/ada/insights/7", json!({"status": "read"}), "insight_id", "/insights"),
        ("POST", SNOOZE, json!({}), "until", "missing"),
        ("POST", SNOOZE, json!({"until": "later"}), "until", "RFC 3339"),
        ("POST", SNOOZE, json!({"until": "2026-05-02T00:00:00Z", "note": "\0"}), "note", "NUL"),
        ("PATCH", SUCCESS, json!({}), "action", "mark-read"),
        ("PATCH", SUCCESS, json!({"action": 1}), "action", "mark-read"),
        ("PATCH", SUCCESS, json!({"action": "erase"}), "action", "mark-read"),
        ("PATCH", SUCCESS, json!({"action": "dismiss"}), "insightId", "missing"),
        ("PATCH", SUCCESS, json!({"action": "dismiss", "insightId": "x"}), "insightId", "not an id"),
        ("PATCH", SUCCESS, dismiss(json!({})), "clientId", "string"),
        ("PATCH", SUCCESS, dismiss(json!("\0")), "client_id", "NUL"),
        ("PATCH", SUCCESS, json!({"action": "track-event", "clientId": "ada"}), "eventType", "missing"),
        ("POST", SUCCESS, json!({}), "clientId", "missing"),
        ("POST", SUCCESS, json!({"clientId": "\0"}), "client_id", "NUL"),
        ("POST", SUCCESS, json!({"clientId": []}), "clientId", "send text"),
    ]
}

on_both_databases!(what_cannot_be_kept_is_named, async |world| {
    world.be_active("ada", "login", 1).await;
    for (method, path, body, field, words) in of_the_organization().into_iter().chain(of_clients())
    {
        let answer = world.send_raw(method, path, &world.acme.owner, body.to_string()).await;
        assert_eq!(answer.status, 422, "{method} {path} {body}: {answer:?}");
        check(&answer.problem(422), field, &[words]);
    }
});
