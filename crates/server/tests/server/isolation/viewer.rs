use jiff::ToSpan as _;
use serde_json::json;

use super::{ADA, BOB, CALLERS, ready, table};
use crate::support::World;

/// What SDKs for browsers call Segment's paths; they are not in the document.
const SHORT: [&str; 8] =
    ["/v1/i", "/v1/t", "/v1/p", "/v1/s", "/v1/g", "/v1/a", "/v1/b", "/beacon/v1/batch"];

async fn active(world: &World) {
    world.be_active(ADA, "content_generated", 12).await;
    world.be_active(BOB, "login", 2).await;
    world.clock.advance_hours(36);
    let (mainstay, acme) = (&world.mainstay, world.acme.id);
    let ada = mainstay.client(acme.into(), ADA).await.unwrap();
    mainstay.calculate_success_score(acme.into(), &ada).await.unwrap();
    mainstay.generate_weekly_insights(acme, ADA, mainstay.now()).await.unwrap();
}

on_both_databases!(a_viewer_gets_what_staff_get_and_changes_nothing_by_the_api, async |world| {
    active(world).await;
    let viewer = world.viewer().await;
    let staff = CALLERS.iter().position(|caller| *caller == "staff").unwrap();
    let mut wrong = Vec::new();
    for row in table() {
        let ready = ready(world, &row, "viewer").await;
        let is_read = row.method == "GET";
        let before = if is_read { Vec::new() } else { world.everything().await };
        let answer = ready.send(world, row.method, Some(&viewer)).await;
        let expected = if is_read { row.expected[staff] } else { 403 };
        if answer.status != expected {
            wrong.push(format!("{} {}: {expected} expected, got {answer:?}", row.method, row.path));
        } else if !is_read {
            let problem = answer.problem(403);
            assert_eq!(problem["type"], "urn:mainstay:problem:forbidden");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("the role viewer"), "{} {}: {detail}", row.method, row.path);
        }
        if !is_read && world.everything().await != before {
            wrong.push(format!("{} {} changed something", row.method, row.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

on_both_databases!(a_viewers_token_sends_no_events_by_the_short_paths_either, async |world| {
    world.be_active(ADA, "login", 1).await;
    let viewer = world.viewer().await;
    let before = world.everything().await;
    let at = world.mainstay.now().checked_sub(1.hours()).unwrap();
    let track = json!({"type": "track", "userId": ADA, "event": "login", "timestamp": at});
    for path in SHORT {
        let batch = path.contains("batch") || path.ends_with("/b");
        let body = if batch { json!({"batch": [track.clone()]}) } else { track.clone() };
        world.post(&viewer, path, body.clone()).await.problem(403);
        // The key may stand in the body.
        let mut with_key = body;
        with_key["writeKey"] = json!(viewer);
        world.send(world.request("POST", path).json(&with_key)).await.problem(403);
    }
    assert_eq!(world.everything().await, before);
});
