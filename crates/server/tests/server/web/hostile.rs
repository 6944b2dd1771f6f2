//! Names that are meant to break a page, on every page that lists clients, alerts or events.

use mainstay_store::Role;
use serde_json::json;

use super::{browser::Browser, live::Stream};

pub(crate) const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "Ada \u{202e}txt.exe",
    "'; DROP TABLE clients; --",
    "🏺👩‍👩‍👧‍👦 {{ 7*7 }} &amp;",
    "\u{200b}",
];

/// Whether what stands at `at` cannot turn the text around it: it is in an attribute, or isolated.
fn is_held(html: &str, at: usize) -> bool {
    let before = &html[..at];
    let last = |text: &str| before.rfind(text);
    last("<") > last(">")
        || last("<bdi>") > last("</bdi>")
        || last("\u{2068}") > last("\u{2069}")
        // A field of its own, whose text has no neighbour.
        || last("<option") > last("</option>")
        || last("<textarea") > last("</textarea>")
        || last("<pre") > last("</pre>")
}

pub(crate) fn assert_harmless(html: &str, page: &str) {
    for broken in ["<script>alert", "<img", "onerror=alert(1)>\"", "{{ 7*7 }} &amp;\u{a0}", " 49 "]
    {
        assert!(!html.contains(broken), "{page} has {broken}: {html}");
    }
    for (at, _) in html.match_indices('\u{202e}') {
        let from = html[..at].char_indices().rev().nth(80).map_or(0, |(from, _)| from);
        assert!(is_held(html, at), "{page}: …{}", &html[from..at]);
    }
}

on_both_databases!(hostile_names_are_harmless_on_lists_alerts_and_live, async |world| {
    let wide = "\u{56fd}".repeat(255);
    let key = &world.acme.write_key;
    let secret = &world.acme.secret_key;
    let staff = Browser::member(world, &world.acme, Role::Owner).await;
    let mut stream = Stream::open(world, &staff).await;
    for (number, name) in HOSTILE.into_iter().chain([wide.as_str()]).enumerate() {
        let id = if number == 5 { "plain-id" } else { name };
        let new = json!({"client_id": id, "name": name, "plan": name, "email": format!("{number}@example.com")});
        world.post(secret, "/api/v1/clients", new).await.json(201);
        let at = jiff::Timestamp::from_second(world.mainstay.now().as_second() - 10 * 86_400);
        let event = json!({
            "client_id": id, "event": name, "message_id": format!("{number}{}", name.chars().take(90).collect::<String>()),
            "timestamp": at.unwrap(),
            "page_path": name, "data": {(name): name},
        });
        let stored = world.post(key, "/api/v1/events", event).await.json(200);
        assert_eq!(stored["stored"], 1, "{stored}");
        let refused =
            json!({"client_id": id, "event": name, "duration_seconds": -1, "data": {(name): name}});
        world.post(key, "/api/v1/events", refused).await.problem(422);
        let told = stream.next("refused").await;
        assert_harmless(told["html"].as_str().unwrap(), "/live/stream");
        world.tick();
    }
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
    let live = staff.get("/live?show=refused").await;
    assert_eq!(live.page(200).matches("Refused: <code>").count(), HOSTILE.len() + 1, "{live:#?}");
    let asked = "q=%3Cscript%3Ealert(1)%3C%2Fscript%3E%20%E2%80%AE&plan=%22%3E%3Cimg%20src=x%3E";
    for path in [
        "/portfolio?view=all",
        "/portfolio",
        &format!("/portfolio?{asked}"),
        "/alerts",
        "/live",
        "/live?show=refused",
    ] {
        let page = staff.get(path).await;
        assert_harmless(page.page(200), path);
    }
    let list = staff.get("/portfolio?view=all").await.text;
    assert!(list.contains("<bdi>Ada \u{202e}txt.exe</bdi>"), "shown, and apart: {list}");
    assert!(list.contains("<bdi>plain-id</bdi>"), "a name of nothing is the id: {list}");
    let boxes = staff.get("/alerts").await.text;
    assert!(boxes.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{boxes}");

    // And it can all be acted on: what was chosen is what is changed.
    let (_, rest) = boxes.split_once("name=\"alert\" value=\"").unwrap();
    let chosen = rest.split('"').next().unwrap();
    let note = ("note", HOSTILE[0]);
    let form = [("action", "dismiss"), ("alert", chosen), note];
    let told = staff.post("/alerts", &form).await.leads_to().to_owned();
    assert_harmless(staff.get(&told).await.page(200), "/alerts after acting");
    let dismissed = staff.get("/alerts?view=dismissed").await;
    assert_harmless(dismissed.page(200), "/alerts?view=dismissed");
    assert!(dismissed.text.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
});
