use serde_json::json;

use super::check;
use crate::support::World;

on_both_databases!(paths_and_queries_that_cannot_be_used_are_named, async |world| {
    let owner = &world.acme.owner;
    world.be_active("ada", "login", 1).await;
    let cursor = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let nul = format!("/api/v1/clients/ada/events?before={}", cursor("1777636800000000 a\0b"));
    let old = format!("/api/v1/clients/ada/events?before={}", cursor("-99999999999999999 a"));
    let long = format!("/api/v1/clients/{}", "x".repeat(256));
    let cases = [
        ("/api/v1/clients/a%00b", "client_id", "NUL"),
        ("/api/v1/clients//score", "client_id", "1 to 255"),
        ("/api/v1/clients/%20/score", "client_id", "1 to 255"),
        ("/api/v1/clients/%ff", "client_id", "UTF-8"),
        (long.as_str(), "client_id", "255"),
        ("/api/v1/clients?limit=0", "limit", "1 to 500"),
        ("/api/v1/clients?limit=501", "limit", "1 to 500"),
        ("/api/v1/clients?limit=-1", "limit", "1 to 500"),
        ("/api/v1/clients?limit=many", "limit", "1 to 500"),
        ("/api/v1/clients?limit=99999999999999999999", "limit", "1 to 500"),
        ("/api/v1/clients?limit=", "limit", "1 to 500"),
        ("/api/v1/clients?limit=1&limit=2", "limit", "twice"),
        ("/api/v1/clients?lmit=1", "lmit", "limit"),
        ("/api/v1/clients?after=%00", "after", "NUL"),
        ("/api/v1/clients/ada/score?as_of=now", "as_of", "RFC 3339"),
        ("/api/v1/clients/ada/score?as_of=2026-05-01T00:00:00+02:00", "as_of", "%2B"),
        ("/api/v1/clients/ada/score?as_of=0000-01-01T00:00:00Z", "as_of", "2000-01-01"),
        ("/api/v1/clients/ada/score?as_of=-009999-01-03T00:00:00Z", "as_of", "2000-01-01"),
        ("/api/v1/clients/ada/score?as_of=9999-12-30T00:00:00Z", "as_of", "24 hours"),
        ("/api/v1/clients/ada/scores?from=yesterday", "from", "2026-05-01"),
        ("/api/v1/clients/ada/scores?from=-9999-01-01", "from", "2000"),
        ("/api/v1/clients/ada/scores?to=9999-12-31", "to", "9998"),
        ("/api/v1/clients/ada/scores?from=2026-02-30", "from", "day"),
        ("/api/v1/clients/ada/scores?from=2026-05-02&to=2026-05-01", "from", "earlier"),
        ("/api/v1/clients/ada/scores?from=2020-01-01", "from", "1000"),
        ("/api/v1/clients/ada/scores/today/evidence", "day", "2026-05-01"),
        ("/api/v1/clients/ada/scores/9999-12-31/evidence", "day", "9998"),
        ("/api/v1/clients/ada/events?from=noon", "from", "2026-05-01"),
        ("/api/v1/clients/ada/events?from=12:00", "from", "RFC 3339"),
        ("/api/v1/clients/ada/events?from=2026-05-02&to=2026-05-01", "from", "earlier"),
        ("/api/v1/clients/ada/events?before=xyz", "before", "next"),
        (nul.as_str(), "before", "next"),
        (old.as_str(), "before", "next"),
        ("/api/v1/clients/ada/insights?all=yes", "all", "true nor false"),
        ("/api/v1/clients/ada/feedback?limit=x", "limit", "1 to 500"),
        ("/api/v1/alerts?status=open", "status", "acknowledged"),
        ("/api/v1/alerts?open=1", "open", "true nor false"),
        ("/api/v1/alerts?type=sadness", "type", "churn_risk"),
        ("/api/v1/alerts?severity=bad", "severity", "warning"),
        ("/api/v1/alerts?before=7", "before", "GET /api/v1/alerts"),
        ("/api/v1/alerts?client_id=%00", "client_id", "NUL"),
        ("/api/v1/alerts?sevrity=critical", "sevrity", "severity"),
        ("/api/v1/alerts/7", "alert_id", "GET /api/v1/alerts"),
        ("/api/client/success", "clientId", "missing"),
        ("/api/client/success?clientId=", "client_id", "1 to 255"),
        ("/api/client/success?clientId=%00", "client_id", "NUL"),
    ];
    for (path, field, words) in cases {
        let answer = world.get(owner, path).await;
        assert_eq!(answer.status, 422, "{path}: {answer:?}");
        check(&answer.problem(422), field, &[words]);
    }
    for (path, field) in [
        ("/api/v1/members/x", "member_id"),
        ("/api/v1/keys/x", "key_id"),
        ("/api/v1/clients/ada/onboarding-tasks/x", "task_id"),
        ("/api/v1/event-names", "name"),
        ("/api/v1/event-names?name=%00", "name"),
        ("/api/v1/clients/a%00b", "client_id"),
    ] {
        check(&world.delete(owner, path).await.problem(422), field, &[]);
    }
    // Far away, but nothing wrong with it.
    for path in [
        "/api/v1/clients/ada/events?from=0000-01-01T00:00:00Z&to=9999-12-30T00:00:00Z",
        "/api/v1/clients/ada/events?from=-009999-01-03T00:00:00Z&to=2026-05-02",
        "/api/v1/clients/ada/scores?from=2000-01-01&to=2000-02-01",
    ] {
        world.get(owner, path).await.json(200);
    }
});

on_both_databases!(a_client_may_be_called_anything, async |world| {
    let owner = &world.acme.owner;
    let long = "x".repeat(255);
    for (client_id, encoded) in [
        ("a/b/../c", "a%2Fb%2F..%2Fc"),
        ("grüße 🙂", "gr%C3%BC%C3%9Fe%20%F0%9F%99%82"),
        ("50% & more?#+", "50%25%20%26%20more%3F%23%2B"),
        ("ada@example.com", "ada%40example.com"),
        ("'; DROP TABLE clients; --", "%27%3B%20DROP%20TABLE%20clients%3B%20--"),
        ("\u{202e}evil", "%E2%80%AEevil"),
        (long.as_str(), long.as_str()),
    ] {
        let created = world.post(owner, "/api/v1/clients", json!({"client_id": client_id})).await;
        assert_eq!(created.json(201)["client_id"], client_id);
        let path = format!("/api/v1/clients/{encoded}");
        assert_eq!(created.headers["location"], path.as_str());
        assert_eq!(world.get(owner, &path).await.json(200)["client_id"], client_id);
        let score = world.get(owner, &format!("{path}/score")).await.json(200);
        let events_url = score["evidence"]["this_week"]["events_url"].as_str().unwrap();
        assert_eq!(world.get(owner, events_url).await.json(200)["events"], json!([]));
        let token = world.client_token(client_id);
        world.get(&token, &path).await.json(200);
        world.get(&token, "/api/client/success").await.json(200);
        assert_eq!(world.delete(owner, &path).await.status, 204);
        world.get(owner, &path).await.problem(404);
    }
});

#[tokio::test]
async fn what_is_not_served_is_a_problem_too() {
    let world = World::sqlite().await;
    let owner = &world.acme.owner;
    for path in ["/api", "/api/", "/api/v1", "/api/v1/clients/", "/api/nothing", "/v1/nothing"] {
        let problem = world.get(owner, path).await.problem(404);
        assert!(problem["detail"].as_str().unwrap().contains("/api/openapi.json"), "{path}");
    }
    let answer = world.delete(owner, "/api/v1/clients").await;
    answer.problem(405);
    let mut allowed: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    world.send(world.request("OPTIONS", "/api/v1/clients")).await.problem(405);
    world.send(world.request("BREW", "/healthz")).await.problem(405);
}
