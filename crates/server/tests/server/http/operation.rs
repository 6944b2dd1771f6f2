//! What those who run it rely on.

use serde_json::json;

use crate::support::World;

on_both_databases!(it_says_whether_it_lives_and_whether_it_can_work, async |world| {
    let healthz = async || world.send(world.request("GET", "/healthz")).await;
    let readyz = async || world.send(world.request("GET", "/readyz")).await;
    assert_eq!(healthz().await.json(200), json!({"status": "ok"}));
    assert_eq!(readyz().await.json(200), json!({"status": "ready"}));
    world.lose_database().await;
    assert_eq!(healthz().await.json(200), json!({"status": "ok"}));
    let answer = readyz().await;
    answer.problem(503);
    assert_eq!(answer.headers["retry-after"], "1");
    let answer = world.get(&world.acme.owner, "/api/v1/clients").await;
    assert!(answer.status.is_server_error(), "{answer:?}");
    let problem = answer.problem(answer.status.as_u16());
    assert!(!problem["detail"].as_str().unwrap().contains("sqlx"), "{problem}");
});

#[tokio::test]
async fn every_answer_is_only_data() {
    let world = World::sqlite().await;
    for path in
        ["/healthz", "/api/openapi.json", "/api/v1/clients", "/api/v1/alerts", "/api/nothing"]
    {
        let headers = world.get(&world.acme.owner, path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
    }
}
