use serde_json::{Value, json};

use super::check;

on_both_databases!(settings_that_cannot_be_used_are_named, async |world| {
    let owner = &world.acme.owner;
    world.be_active("ada", "login", 1).await;
    let long = "x".repeat(256);
    let model = json!(mainstay_core::score::ScoreModel::standard());
    let changed = |pointer: &str, value: Value| {
        let mut model = model.clone();
        *model.pointer_mut(pointer).unwrap() = value;
        model
    };
    let no_id = "00000000-0000-7000-8000-000000000000";
    let insight = format!("/api/v1/clients/ada/insights/{no_id}");
    let snooze = format!("/api/v1/alerts/{no_id}/snooze");
    let cases = [
        (
            "PATCH",
            "/api/v1/organization",
            json!({"time_zone": "Mars/Olympus"}),
            "time_zone",
            "IANA",
        ),
        ("PATCH", "/api/v1/organization", json!({"time_zone": "\0"}), "time_zone", "IANA"),
        ("PATCH", "/api/v1/organization", json!({"time_zone": ""}), "time_zone", "IANA"),
        ("PATCH", "/api/v1/organization", json!({"time_zone": null}), "time_zone", "string"),
        ("PATCH", "/api/v1/organization", json!({"name": " "}), "name", "1 to 255"),
        ("PATCH", "/api/v1/organization", json!({"name": "a\0"}), "name", "NUL"),
        ("PATCH", "/api/v1/organization", json!({"name": 5}), "name", "string"),
        ("PATCH", "/api/v1/organization", json!({"slug": "x"}), "slug", "time_zone"),
        ("POST", "/api/v1/members", json!({"email": "nobody", "role": "staff"}), "email", "254"),
        ("POST", "/api/v1/members", json!({"email": "a@b.c\0", "role": "staff"}), "email", "254"),
        ("POST", "/api/v1/members", json!({"email": "a@b.c", "role": "boss"}), "role", "owner"),
        ("POST", "/api/v1/members", json!({"email": "a@b.c"}), "role", "missing"),
        (
            "POST",
            "/api/v1/members",
            json!({"email": "a@b.c", "role": "staff", "name": long}),
            "name",
            "255",
        ),
        ("POST", "/api/v1/keys", json!({"kind": "master"}), "kind", "secret"),
        ("POST", "/api/v1/keys", json!({"kind": "member"}), "member", "address"),
        (
            "POST",
            "/api/v1/keys",
            json!({"kind": "write", "member": "a@b.c"}),
            "member",
            "leave it out",
        ),
        ("PUT", "/api/v1/event-names", json!([{"name": "", "type": "login"}]), "name", "1 to 255"),
        ("PUT", "/api/v1/event-names", json!([{"name": "a", "type": "x"}]), "[0].type", "login"),
        (
            "PUT",
            "/api/v1/event-names",
            json!([{"name": "a", "type": "login"}, {"name": "a", "type": "login"}]),
            "name",
            "twice",
        ),
        ("PUT", "/api/v1/event-names", json!([{"type": "login"}]), "[0].name", "missing"),
        (
            "POST",
            "/api/v1/score-models",
            changed("/weights/momentum", json!(16)),
            "weights",
            "sum to 100",
        ),
        (
            "POST",
            "/api/v1/score-models",
            changed("/weights/momentum", json!("x")),
            "weights.momentum",
            "i64",
        ),
        (
            "POST",
            "/api/v1/score-models",
            changed("/bands", json!({})),
            "bands.excellent",
            "missing",
        ),
        ("POST", "/api/v1/score-models", json!({"name": "mine"}), "weights", "missing"),
        ("POST", "/api/v1/clients", json!({"client_id": ""}), "client_id", "1 to 255"),
        ("POST", "/api/v1/clients", json!({"client_id": "a\0"}), "client_id", "NUL"),
        ("POST", "/api/v1/clients", json!({"client_id": long}), "client_id", "255"),
        ("POST", "/api/v1/clients", json!({"client_id": 7}), "client_id", "string"),
        ("POST", "/api/v1/clients", json!({"client_id": "x", "name": "\0"}), "name", "NUL"),
        (
            "POST",
            "/api/v1/clients",
            json!({"client_id": "x", "traits": {"a": "\0"}}),
            "traits",
            "NUL",
        ),
        ("POST", "/api/v1/clients", json!({"client_id": "x", "traits": []}), "traits", "map"),
        ("PATCH", "/api/v1/clients/ada", json!({"email": null}), "email", "string"),
        ("PATCH", "/api/v1/clients/ada", json!({"nickname": "A"}), "nickname", "unknown field"),
        ("POST", "/api/v1/clients/ada/onboarding-tasks", json!({"title": ""}), "title", "1 to 255"),
        (
            "POST",
            "/api/v1/clients/ada/onboarding-tasks",
            json!({"title": "t", "status": "deleted"}),
            "status",
            "pending",
        ),
        ("PUT", "/api/v1/clients/ada/launch-kit", json!({"state": "unopened"}), "state", "viewed"),
        ("PUT", "/api/v1/clients/ada/launch-kit", json!({"state": "lost"}), "state", "viewed"),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "stars", "rating": 6}),
            "rating",
            "1 to 5",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "stars", "rating": 4.5}),
            "rating",
            "i64",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "stars", "rating": u64::MAX}),
            "rating",
            "i64",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "hearts", "rating": 1}),
            "kind",
            "stars",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "nps", "rating": 9, "comment": "\0"}),
            "comment",
            "NUL",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "nps", "rating": 9, "given_at": "9999-12-30T00:00:00Z"}),
            "given_at",
            "2000-01-01",
        ),
        (
            "POST",
            "/api/v1/clients/ada/feedback",
            json!({"kind": "nps", "rating": 9, "given_at": "0000-01-01T00:00:00Z"}),
            "given_at",
            "2000-01-01",
        ),
        ("PATCH", insight.as_str(), json!({"status": "loved"}), "status", "read"),
        (
            "PATCH",
            "/api/v1/clients/ada/insights/7",
            json!({"status": "read"}),
            "insight_id",
            "/insights",
        ),
        ("POST", snooze.as_str(), json!({}), "until", "missing"),
        ("POST", snooze.as_str(), json!({"until": "later"}), "until", "RFC 3339"),
        (
            "POST",
            snooze.as_str(),
            json!({"until": "2026-05-02T00:00:00Z", "note": "\0"}),
            "note",
            "NUL",
        ),
        ("PATCH", "/api/client/success", json!({}), "action", "mark-read"),
        ("PATCH", "/api/client/success", json!({"action": 1}), "action", "mark-read"),
        ("PATCH", "/api/client/success", json!({"action": "erase"}), "action", "mark-read"),
        ("PATCH", "/api/client/success", json!({"action": "dismiss"}), "insightId", "missing"),
        (
            "PATCH",
            "/api/client/success",
            json!({"action": "dismiss", "insightId": "x"}),
            "insightId",
            "not an id",
        ),
        (
            "PATCH",
            "/api/client/success",
            json!({"action": "dismiss", "insightId": no_id, "clientId": 3}),
            "clientId",
            "text",
        ),
        (
            "PATCH",
            "/api/client/success",
            json!({"action": "track-event", "clientId": "ada"}),
            "event",
            "missing",
        ),
        ("POST", "/api/client/success", json!({}), "clientId", "missing"),
        ("POST", "/api/client/success", json!({"clientId": "\0"}), "client_id", "NUL"),
        ("POST", "/api/client/success", json!({"clientId": 3}), "clientId", "string"),
    ];
    for (method, path, body, field, words) in cases {
        let answer = world.send_raw(method, path, owner, body.to_string()).await;
        assert_eq!(answer.status, 422, "{method} {path} {body}: {answer:?}");
        check(&answer.problem(422), field, &[words]);
    }
});
