//! What those who run it rely on.

use std::fs;

use mainstay_store::Scope;
use serde_json::json;

use crate::support::World;

on_both_databases!(probes_report_liveness_and_readiness, async |world| {
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
async fn all_who_ask_at_once_whether_it_can_work_are_answered_by_few_checks() {
    let world = World::sqlite().await;
    let readyz = || world.request("GET", "/readyz").send();
    assert_eq!(readyz().await.unwrap().status(), 200);
    // The first check waits for its turn to write.
    let holding = world.store.begin(Scope::Service(world.acme.id)).await.unwrap();
    let asking: Vec<_> = (0..50).map(|_| tokio::spawn(readyz())).collect();
    for _ in 0..50 {
        // Meanwhile the others come.
        world.send(world.request("GET", "/healthz")).await.json(200);
    }
    let log = format!("{}-wal", world.store.file().unwrap().display());
    let before = fs::metadata(&log).unwrap().len();
    holding.rollback().await.unwrap();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    }
    let pages = (fs::metadata(&log).unwrap().len() - before) / 4096;
    assert!((1..=5).contains(&pages), "{pages} pages were written");
    world.close().await;
}

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
