//! What arrives, and the stream that tells of it.

use std::time::Duration;

use mainstay_store::{Role, Scope};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::browser::Browser;
use crate::support::World;

/// Longer than a test ever waits for news, unless none come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream, read event by event.
pub(crate) struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    pub(super) async fn open(world: &World, browser: &Browser) -> Self {
        Self::open_at(world, browser, "/live/stream").await
    }

    async fn open_at(world: &World, browser: &Browser, path: &str) -> Self {
        Self::of(world.request("GET", path).header("cookie", browser.kept())).await
    }

    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = timeout(PATIENCE, request.send()).await.expect("no answer came").unwrap();
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

    /// Waits until it ends.
    pub(super) async fn ends(&mut self) {
        while self.block().await.is_some() {}
    }

    /// The data of the next event of a name.
    pub(crate) async fn next(&mut self, name: &str) -> Value {
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
    let nobodys = json!({"event": "login-7", "userId": ""});
    world.post(write_key, "/v1/track", nobodys).await.json(200);
    let told = stream.next("refused").await;
    let html = told["html"].as_str().unwrap();
    assert!(html.contains("userId") && html.contains("login-7"), "{html}");

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
    let scope = Scope::Service(world.acme.id);
    let ada = world.mainstay.client(scope, "ada").await.unwrap();
    world.mainstay.calculate_success_score(scope, &ada).await.unwrap();
    assert_eq!(stream.next("standings").await["clients"], json!(["ada"]));
    // The other organization hears of its own only.
    let event = json!({"client_id": "zoe", "event": "login"});
    world.post(&world.rival.write_key, "/api/v1/events", event).await.json(200);
    assert_eq!(elsewhere.next("event").await["clients"], json!(["zoe"]));
    assert!(!elsewhere.read.contains("ada"));
});

on_both_databases!(a_clients_stream_tells_of_itself_and_of_nobody_else, async |world| {
    let ada = Browser::client(world, "ada").await;
    let mut stream = Stream::open_at(world, &ada, "/client/stream").await;
    for (client, name) in [("zoe", "login"), ("ada", "login"), ("zoe", "page_view")] {
        let event = json!({"client_id": client, "event": name});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    }
    assert_eq!(stream.next("standings").await, json!({"clients": ["ada"]}));
    assert!(!stream.read.contains("zoe"), "{}", stream.read);
});

#[tokio::test]
async fn clients_are_named_also_when_their_events_are_only_counted() {
    let world = World::sqlite().await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let mut stream = Stream::open(&world, &staff).await;
    let events: Vec<Value> = (0..150)
        .map(|n| json!({"client_id": format!("c-{n}"), "event": "login", "message_id": n.to_string()}))
        .collect();
    world.post(&world.acme.write_key, "/api/v1/events", events.into()).await.json(200);
    let more = stream.next("more").await;
    let named = more["clients"].as_array().unwrap();
    assert!(named.contains(&json!("c-0")) && named.len() >= 100, "{more}");
    world.close().await;
}

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
    assert_eq!(admin.post("/live/key", &[]).await.leads_to(), "/live");
    let made = admin.get("/live").await;
    let (_, rest) = made.page(200).split_once("Bearer mwk_").unwrap();
    let key = format!("mwk_{}", rest.split('&').next().unwrap());
    let event = json!({"client_id": "ada", "event": "content_generated", "message_id": "first-1"});
    world.post(&key, "/api/v1/events", event).await.json(200);
    assert!(!admin.get("/live").await.page(200).contains(&key));
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    assert_eq!(staff.post("/live/key", &[]).await.status, 403);
    world.close().await;
}

on_both_databases!(a_members_stream_ends_with_its_session, async |world| {
    for end in ["signed out", "password", "role", "removed"] {
        let staff = Browser::member(world, &world.acme, Role::Staff).await;
        let owner = Browser::member(world, &world.acme, Role::Owner).await;
        let mut stream = Stream::open(world, &staff).await;
        let mut other = Stream::open(world, &owner).await;
        let member = super::browser::member_id(world, &world.acme, Role::Staff).await;
        match end {
            "signed out" => {
                staff.post("/sign-out", &[]).await;
            }
            "password" => {
                let password = "another long password";
                world.mainstay.set_password(world.acme.id, member, password).await.unwrap();
            }
            "role" => {
                world.mainstay.set_role(world.acme.id, member, Role::Admin).await.unwrap();
                world.mainstay.set_role(world.acme.id, member, Role::Staff).await.unwrap();
            }
            _ => {
                // Not with the owner's token, which ended when the owner chose a password above.
                let path = format!("/api/v1/members/{member}");
                assert_eq!(world.delete(&world.acme.secret_key, &path).await.status, 204);
            }
        }
        stream.ends().await;
        assert_eq!(stream.read, "", "{end}");
        // Others' continue.
        world.tick();
        let event = json!({"client_id": "ada", "event": "login", "message_id": end});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        assert_eq!(other.next("event").await["clients"], json!(["ada"]), "{end}");
    }
});

on_both_databases!(a_session_that_another_process_ended_is_told_nothing_more, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let mut stream = Stream::open(world, &staff).await;
    // Past this process: the next news comes more than a second later, or the stream looks by itself.
    let member = super::browser::member_id(world, &world.acme, Role::Staff).await;
    let mut tx = world.store.begin(Scope::Service(world.acme.id)).await.unwrap();
    tx.delete_sessions_of(member, None).await.unwrap();
    tx.commit().await.unwrap();
    stream.ends().await;
});

on_both_databases!(a_clients_stream_ends_with_its_session, async |world| {
    let ada = Browser::client(world, "ada").await;
    let mut stream = Stream::open_at(world, &ada, "/client/stream").await;
    world.clock.advance_hours(25);
    let event = json!({"client_id": "ada", "event": "login"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    stream.ends().await;
    assert_eq!(stream.read, "");
    let ada = Browser::client(world, "ada").await;
    let mut stream = Stream::open_at(world, &ada, "/client/stream").await;
    world.mainstay.replace_client_token_secret(world.acme.id).await.unwrap();
    stream.ends().await;
});

#[tokio::test]
async fn a_session_has_so_many_streams_and_each_says_how_it_is_passed_on() {
    let limits = mainstay::http::Limits { streams_per_session: 2, ..Default::default() };
    let world = World::sqlite_within(limits).await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let first = Stream::open(&world, &staff).await;
    let headers = first.response.headers();
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(headers["cache-control"], "no-cache, no-transform");
    let _second = Stream::open(&world, &staff).await;
    let third = staff.get("/live/stream").await;
    assert_eq!(third.status, 429, "{third:?}");
    assert!(third.text.contains("Close some of them"), "{third:?}");
    let owner = Browser::member(&world, &world.acme, Role::Owner).await;
    Stream::open(&world, &owner).await;
}

on_both_databases!(a_write_key_for_the_snippets_is_made_once_and_shown_once, async |world| {
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    let before = world.mainstay.keys(world.acme.id).await.unwrap().len();
    assert_eq!(admin.post("/live/key", &[]).await.leads_to(), "/live");
    let page = admin.get("/live").await;
    let key = page.page(200).split("mwk_").nth(1).unwrap();
    let key: String =
        key.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let event = json!({"client_id": "ada", "event": "login"});
    world.post(&format!("mwk_{key}"), "/api/v1/events", event).await.json(200);
    // Loaded again it is another page, and makes nothing.
    assert!(!admin.get("/live").await.page(200).contains(&key));
    assert_eq!(world.mainstay.keys(world.acme.id).await.unwrap().len(), before + 1);
    // What somebody else put into the browser is not shown as one's own.
    let rival = Browser::member(world, &world.rival, Role::Admin).await;
    rival.post("/live/key", &[]).await.leads_to();
    let once =
        rival.kept().split("; ").find(|one| one.starts_with("mainstay-once=")).unwrap().to_owned();
    let cookie = format!("{}; {once}", admin.kept());
    let page = world.send(world.request("GET", "/live").header("cookie", cookie)).await;
    assert!(page.page(200).contains("YOUR_WRITE_KEY"), "{page:#?}");
});
