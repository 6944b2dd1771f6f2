//! What a client sees of itself and does.

use mainstay_store::{Role, Scope};
use serde_json::json;

use super::browser::Browser;
use crate::support::World;

const DASHBOARD: &str = "/client/dashboard/success";

async fn with_insights(world: &World, client: &str) -> Vec<mainstay_store::StoredInsight> {
    world.be_active(client, "content_generated", 12).await;
    world.clock.advance_hours(36);
    let now = world.mainstay.now();
    world.mainstay.generate_weekly_insights(world.acme.id, client, now).await.unwrap();
    let scope = Scope::Service(world.acme.id);
    let client = world.mainstay.client(scope, client).await.unwrap();
    world.mainstay.client_insights(scope, client.id, true).await.unwrap()
}

/// The addresses of some links: `href="` up to the quotation mark, decoded.
fn links(html: &str, containing: &str) -> Vec<String> {
    html.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(href, _)| href.replace("&#38;", "&")))
        .filter(|href| href.contains(containing))
        .collect()
}

on_both_databases!(a_client_with_nothing_yet_is_told_what_will_be_here, async |world| {
    for name in ["unknown-of-acme", "created-of-acme"] {
        if name.starts_with("created") {
            world
                .post(&world.acme.staff, "/api/v1/clients", json!({"client_id": name}))
                .await
                .json(201);
        }
        world.tick();
        let browser = Browser::client(world, name).await;
        let answer = browser.get(DASHBOARD).await;
        let page = answer.page(200);
        for said in [
            "Nothing to score yet.",
            "Not scored yet",
            "The next insights arrive on Sun 3 May.",
            "No events yet.",
        ] {
            assert!(page.contains(said), "{said:?} is not on the page of {name}");
        }
        assert!(!page.contains("stroke-dasharray"), "a score is drawn for {name}");
        browser.get("/client/events").await.page(200);
    }
});

on_both_databases!(a_client_does_not_read_that_it_is_at_risk_and_staff_do, async |world| {
    world.be_active("ada", "login", 1).await;
    world.tick();
    let browser = Browser::client(world, "ada").await;
    let answer = browser.get(DASHBOARD).await;
    let page = answer.page(200);
    assert!(page.contains("data-band=\"risk\""), "{page}");
    assert!(page.contains("Getting going"), "{page}");
    assert!(!page.to_lowercase().contains("at risk"), "{page}");
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(staff.get("/clients/ada").await.page(200).contains("At risk"));
    let preview = staff.get("/clients/ada/preview").await;
    assert!(preview.page(200).contains("Getting going"), "{}", preview.text);
});

on_both_databases!(an_insight_is_read_done_and_dismissed_by_forms, async |world| {
    let insights = with_insights(world, "ada").await;
    let browser = Browser::client(world, "ada").await;
    let path = format!("/client/insights/{}", insights[0].id);
    assert!(browser.get(DASHBOARD).await.page(200).contains(&format!("action=\"{path}\"")));
    for (action, status) in [("mark-read", "read"), ("acted-on", "acted_on")] {
        let done = browser.post(&path, &[("action", action)]).await;
        assert_eq!(done.leads_to(), "/client/dashboard/success#ins-h");
        let scope = Scope::Service(world.acme.id);
        let stored = world.mainstay.client_insights(scope, insights[0].client, true).await.unwrap();
        let found = stored.iter().find(|insight| insight.id == insights[0].id).unwrap();
        assert_eq!(found.status.as_str(), status);
    }
    // What is final stays so.
    browser.post(&path, &[("action", "dismiss")]).await.page(409);
    browser.post(&path, &[("action", "eat")]).await.page(422);
    let other = format!("/client/insights/{}", insights[1].id);
    browser.post(&other, &[("action", "dismiss")]).await.leads_to();
    assert!(!browser.get(DASHBOARD).await.page(200).contains(&insights[1].id.to_string()));
    // Another client's insight is none.
    let bob = Browser::client(world, "bob").await;
    world.be_active("bob", "login", 1).await;
    bob.post(&path, &[("action", "mark-read")]).await.page(404);
});

on_both_databases!(feedback_is_an_event_and_makes_satisfaction_measured, async |world| {
    world.be_active("ada", "login", 3).await;
    let browser = Browser::client(world, "ada").await;
    assert!(browser.get(DASHBOARD).await.page(200).contains("No feedback in the last 90 days"));
    world.tick();
    let sent =
        browser.post("/client/feedback", &[("rating", "4"), ("comment", "<b>Fine</b>")]).await;
    assert_eq!(sent.leads_to(), "/client/dashboard/success?notice=feedback#feedback-h");
    world.tick();
    let answer = browser.get(&format!("{DASHBOARD}?notice=feedback")).await;
    let page = answer.page(200);
    for said in [
        "Your answer is stored.",
        "4 of 5 stars, on 1 May",
        "Mean of 1 answer in 90 days",
        "See the 4 events",
    ] {
        assert!(page.contains(said), "{said:?} is not in {page}");
    }
    let events = browser.get("/client/events?type=feedback_given").await;
    assert!(events.page(200).contains("Gave feedback"), "{}", events.text);
    for (form, named) in [
        (vec![("rating", "6")], "1 to 5"),
        (vec![("rating", "many")], "1 to 5"),
        (vec![("rating", "4"), ("comment", &"x".repeat(4_001))], "4000"),
    ] {
        let refused = browser.post("/client/feedback", &form).await;
        assert!(refused.page(422).contains(named), "{}", refused.text);
    }
    browser.post("/client/feedback", &[]).await.page(400);
});

on_both_databases!(somebody_unknown_becomes_known_by_giving_feedback, async |world| {
    let browser = Browser::client(world, "new").await;
    browser.post("/client/feedback", &[("rating", "2"), ("comment", "")]).await.leads_to();
    world.tick();
    assert!(browser.get(DASHBOARD).await.page(200).contains("2 of 5 stars"));
});

on_both_databases!(every_number_opens_down_to_as_many_events, async |world| {
    world.be_active("ada", "login", 7).await;
    world.clock.advance_hours(30);
    world.be_active("ada", "visual_created", 5).await;
    world.tick();
    let browser = Browser::client(world, "ada").await;
    let page = browser.get(DASHBOARD).await.page(200).to_owned();
    let mut checked = 0;
    for rest in page.split("<a href=\"/client/events").skip(1) {
        let (path, rest) = rest.split_once('"').unwrap();
        let words = rest.split_once("</a>").unwrap().0;
        let number = words
            .split(['>', ' ', '"'])
            .find_map(|word| word.parse::<usize>().ok())
            .unwrap_or_else(|| panic!("no number in {words}"));
        let path = format!("/client/events{}", path.replace("&#38;", "&"));
        let events = browser.get(&path).await;
        assert_eq!(events.page(200).matches("<details class=\"raw\">").count(), number, "{path}");
        checked += 1;
    }
    assert!(checked >= 5, "only {checked} numbers open");
});

on_both_databases!(events_are_paged_and_filtered, async |world| {
    for round in 0..3 {
        world.be_active("ada", "login", 60).await;
        world.be_active("ada", "export_downloaded", 10).await;
        world.clock.advance_hours(72 + round);
    }
    let browser = Browser::client(world, "ada").await;
    let mut path = "/client/events?type=login,export_downloaded".to_owned();
    let mut sizes = Vec::new();
    loop {
        let answer = browser.get(&path).await;
        let page = answer.page(200);
        sizes.push(page.matches("<details class=\"raw\">").count());
        let Some(next) = links(page, "before=").pop() else { break };
        path = next;
    }
    assert_eq!(sizes, [100, 100, 10]);
    let exports = browser.get("/client/events?type=export_downloaded").await;
    assert_eq!(exports.page(200).matches("<details class=\"raw\">").count(), 30);
    for (query, named) in [
        ("type=eating", "unknown event type"),
        ("from=yesterday", "from"),
        ("from=2026-05-02&to=2026-05-01", "is not before"),
        ("before=here", "not a valid cursor"),
    ] {
        let refused = browser.get(&format!("/client/events?{query}")).await;
        assert!(refused.page(422).contains(named), "{query}: {}", refused.text);
    }
});
