//! What arrives, and the stream that tells of it.

use std::time::Duration;

use mainstay_store::Role;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::browser::Browser;
use crate::support::World;

/// Longer than a test ever waits for news, unless none come.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream, read event by event.
struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(world: &World, browser: &Browser) -> Self {
        let request = world.request("GET", "/live/stream").header("cookie", browser.kept());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, read: String::new() };
        // The greeting: from here on, nothing is missed.
        stream.block().await.unwrap();
        stream
    }

    /// What stands before the next blank line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.find("\n\n") {
                let block: String = self.read.drain(..end + 2).collect();
                return Some(block.trim_end().to_owned());
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("nothing came");
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The data of the next event of a name.
    async fn next(&mut self, name: &str) -> Value {
        loop {
            let block = self.block().await.expect("the stream ended");
            if block.starts_with(&format!("event: {name}\n")) {
                let data = block.split_once("data: ").unwrap().1;
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

on_both_databases!(an_event_shows_itself_in_the_stream_and_on_the_page, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let waiting = staff.get("/live").await;
    assert!(waiting.page(200).contains("Waiting for the first event."), "{waiting:#?}");
    assert!(waiting.text.contains("YOUR_WRITE_KEY") && waiting.text.contains(world.url()));
    let mut stream = Stream::open(world, &staff).await;
    let event = json!({"client_id": "a<b>", "event": "Report \u{202e}", "message_id": "m1"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);

    let told = stream.next("event").await;
    assert_eq!(told["clients"], json!(["a<b>"]));
    let html = told["html"].as_str().unwrap();
    assert!(html.contains("a&#60;b&#62;") && html.contains("m1"), "{html}");
    // The client is new, so the worklist has it now.
    assert_eq!(stream.next("standings").await["clients"], json!(["a<b>"]));
    let page = staff.get("/live").await;
    assert!(page.page(200).contains("a&#60;b&#62;"), "{page:#?}");
    assert!(!page.text.contains("Waiting for the first event."));
});

on_both_databases!(a_refused_event_is_told_with_field_reason_and_body, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let mut stream = Stream::open(world, &staff).await;
    let write_key = &world.acme.write_key;
    let bad = json!([
        {"client_id": "ada", "event": "login", "duration_seconds": -5, "data": {"token": "hush-hush"}},
        {"client_id": "ada", "event": "login"},
    ]);
    world.post(write_key, "/api/v1/events", bad).await.json(200);
    let told = stream.next("refused").await;
    let html = told["html"].as_str().unwrap();
    assert!(html.contains("duration_seconds") && html.contains("86400"), "{html}");
    assert!(html.contains("ada") && !html.contains("hush-hush"), "{html}");

    // Each in an instant of its own, as always but here.
    world.tick();
    world.send_raw("POST", "/api/v1/events", write_key, "{not json").await.problem(400);
    let told = stream.next("refused").await;
    assert!(told["html"].as_str().unwrap().contains("body"), "{told}");
    world.tick();
    let seeded = json!({"action": "track-event", "clientId": "ada", "event": 7});
    world.patch(&world.acme.secret_key, "/api/client/success", seeded).await.problem(422);
    assert!(stream.next("refused").await["html"].as_str().unwrap().contains("event"));

    world.tick();
    let nobodys = json!({"event": "login", "anonymousId": "anon-7"});
    world.post(write_key, "/v1/track", nobodys).await.json(200);
    let told = stream.next("refused").await;
    let html = told["html"].as_str().unwrap();
    assert!(html.contains("userId") && html.contains("anon-7"), "{html}");

    let page = staff.get("/live?show=refused").await;
    assert_eq!(page.page(200).matches("Refused: <code>").count(), 4, "{page:#?}");
    assert!(!page.text.contains("hush-hush"));
    assert!(staff.get("/live?show=x").await.page(422).contains("Show: "));
});

on_both_databases!(alerts_and_scores_that_change_are_told, async |world| {
    let at = jiff::Timestamp::from_second(world.mainstay.now().as_second() - 10 * 86_400).unwrap();
    let event = json!({"client_id": "ada", "event": "login", "timestamp": at});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let rival = Browser::member(world, &world.rival, Role::Owner).await;
    let mut stream = Stream::open(world, &staff).await;
    let mut elsewhere = Stream::open(world, &rival).await;
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
    assert_eq!(stream.next("standings").await["clients"], json!(["ada"]));
    let alerts = stream.next("alerts").await;
    assert_eq!(alerts["open"], "1");
    assert!(alerts["badge"].as_str().unwrap().contains("<b>1</b> open"), "{alerts}");
    world.mainstay.calculate_success_score(world.acme.id, "ada", now).await.unwrap();
    assert_eq!(stream.next("standings").await["clients"], json!(["ada"]));
    // The other organization hears of its own only.
    let event = json!({"client_id": "zoe", "event": "login"});
    world.post(&world.rival.write_key, "/api/v1/events", event).await.json(200);
    assert_eq!(elsewhere.next("event").await["clients"], json!(["zoe"]));
    assert!(!elsewhere.read.contains("ada"));
});

#[tokio::test]
async fn a_flood_of_refused_events_is_counted_and_not_kept() {
    let world = World::sqlite().await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let mut stream = Stream::open(&world, &staff).await;
    let bad = vec![json!({"client_id": "ada"}); 2_000];
    for _ in 0..5 {
        world.post(&world.acme.write_key, "/api/v1/events", bad.clone().into()).await.problem(422);
    }
    stream.next("refused").await;
    let page = staff.get("/live").await;
    let kept = page.page(200).matches("Refused: <code>").count();
    assert!(kept <= 100, "{kept}");
    assert!(page.text.contains("more were refused in the same second"), "{page:#?}");
    world.close().await;
}

#[tokio::test]
async fn a_stream_ends_at_once_when_the_server_stops_and_needs_a_session() {
    let world = World::sqlite().await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let mut stream = Stream::open(&world, &staff).await;
    world.mainstay.hub().stop();
    assert_eq!(stream.block().await, None);
    let nobody = world.send(world.request("GET", "/live/stream")).await;
    assert_eq!(nobody.headers["content-type"], "text/html; charset=utf-8", "{nobody:#?}");
    world.close().await;
}

#[tokio::test]
async fn an_admin_makes_a_key_that_is_shown_once_in_the_snippets() {
    let world = World::sqlite().await;
    let admin = Browser::member(&world, &world.acme, Role::Admin).await;
    let made = admin.post("/live/key", &[]).await;
    let (_, rest) = made.page(200).split_once("Bearer mwk_").unwrap();
    let key = format!("mwk_{}", rest.split('&').next().unwrap());
    let event = json!({"client_id": "ada", "event": "content_generated", "message_id": "first-1"});
    world.post(&key, "/api/v1/events", event).await.json(200);
    assert!(!admin.get("/live").await.page(200).contains(&key));
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    assert_eq!(staff.post("/live/key", &[]).await.status, 403);
    world.close().await;
}
