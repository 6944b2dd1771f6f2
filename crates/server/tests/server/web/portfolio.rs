//! The worklist: who comes first, and finding the others.

use mainstay_store::{Role, Scope};
use serde_json::json;

use super::browser::Browser;
use crate::support::World;

/// The clients of a page, in its order.
fn listed(page: &str) -> Vec<&str> {
    page.split("<tr role=\"row\" data-key=\"")
        .skip(1)
        .map(|row| row.split('"').next().unwrap())
        .collect()
}

/// Ada is busy, bob has been quiet for weeks, cleo never did anything and is not scored before
/// somebody looks. Bob and cleo score the same, so where only that counts bob, who came first, is first.
async fn clients(world: &World) {
    let acme = &world.acme;
    for (id, body) in [
        (
            "ada",
            json!({"client_id": "ada", "name": "Ada's Bakery", "email": "ada@example.com", "plan": "pro"}),
        ),
        ("bob", json!({"client_id": "bob", "name": "Bob & Sons", "plan": "free"})),
    ] {
        world.post(&acme.secret_key, "/api/v1/clients", body).await.json(201);
        assert_eq!(id.len(), 3);
    }
    let long_ago = world.mainstay.now().as_second() - 20 * 86_400;
    let at = jiff::Timestamp::from_second(long_ago).unwrap();
    let event = json!({"client_id": "bob", "event": "login", "timestamp": at});
    world.post(&acme.write_key, "/api/v1/events", event).await.json(200);
    world.be_active("ada", "content_generated", 30).await;
    let now = world.mainstay.now();
    let scope = Scope::Service(acme.id);
    for client in ["ada", "bob"] {
        let client = world.mainstay.client(scope, client).await.unwrap();
        world.mainstay.calculate_success_score(scope, &client).await.unwrap();
    }
    world.mainstay.check_organization_health(acme.id, now, None, false).await.unwrap();
    world.tick();
    let body = json!({"client_id": "cleo"});
    world.post(&acme.secret_key, "/api/v1/clients", body).await.json(201);
}

on_both_databases!(the_change_of_events_is_rounded_to_whole_percent, async |world| {
    world.be_active("ada", "login", 6).await;
    world.clock.advance_hours(8 * 24);
    world.be_active("ada", "login", 7).await;
    world.tick();
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let page = staff.get("/portfolio?view=all").await;
    let (_, strip) = page.page(200).split_once("<h2>Events, last 7 days</h2>").unwrap();
    let strip = strip.split("</div>").next().unwrap();
    // A sixth more is +16.7 %.
    assert!(strip.contains("<p class=\"fig\">7</p>") && strip.contains("+17 %"), "{strip}");
});

on_both_databases!(the_worklist_begins_with_who_needs_a_person, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let empty = staff.get("/portfolio").await;
    assert!(empty.page(200).contains("<h1>No clients yet</h1>"), "{empty:#?}");
    assert!(empty.text.contains("href=\"/live\""));

    clients(world).await;
    let page = staff.get("/portfolio").await;
    let page = page.page(200);
    assert!(page.contains("<h1>1 client to contact today</h1>"), "{page}");
    assert_eq!(listed(page), ["bob"]);
    assert!(page.contains("Quiet for 20 days"), "{page}");
    let all = staff.get("/portfolio?view=all").await;
    let all = all.page(200);
    assert_eq!(listed(all), ["bob", "cleo", "ada"]);
    // Cleo is scored by being looked at, and everywhere alike.
    assert!(!all.contains("No score yet"), "{all}");
    let score = world.get(&world.acme.secret_key, "/api/v1/clients/cleo/score").await.json(200);
    let row = all.split("data-key=\"cleo\"").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains(&format!("<b>{}</b>", score["overall"])), "{score}: {row}");
    assert!(
        all.contains("Ada&#39;s Bakery")
            && all.contains("20 days ago")
            && all.contains("1 hour ago")
    );
    assert!(all.contains("3 clients by band"));
});

on_both_databases!(clients_are_found_filtered_sorted_and_owned, async |world| {
    clients(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let owner = format!("owner={}", world.acme.staff_id);
    for (query, expected) in [
        ("q=SONS+bob", vec!["bob"]),
        ("q=ada%40example", vec!["ada"]),
        ("q=cle", vec!["cleo"]),
        ("q=nobody+there", vec![]),
        ("plan=pro", vec!["ada"]),
        ("alert=any", vec!["bob"]),
        ("alert=none", vec!["cleo", "ada"]),
        ("alert=zero_activity", vec!["bob"]),
        ("alert=critical", vec!["bob"]),
        ("alert=info", vec![]),
        ("band=at_risk", vec!["bob", "cleo"]),
        ("trend=stable", vec!["bob", "cleo", "ada"]),
        ("view=new", vec!["cleo", "ada"]),
        ("owner=nobody", vec!["bob", "cleo", "ada"]),
        (owner.as_str(), vec![]),
        ("view=all&sort=name", vec!["ada", "bob", "cleo"]),
        ("view=all&sort=-name", vec!["cleo", "bob", "ada"]),
        ("view=all&sort=-score", vec!["ada", "bob", "cleo"]),
        ("view=all&sort=-seen", vec!["ada", "bob", "cleo"]),
        ("view=all&sort=seen", vec!["cleo", "bob", "ada"]),
    ] {
        let page = staff.get(&format!("/portfolio?{query}")).await;
        assert_eq!(listed(page.page(200)), expected, "{query}");
    }
    let form = [("owner", world.acme.staff_id.to_string())];
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    staff.post("/clients/cleo/owner", &form).await.leads_to();
    assert_eq!(listed(staff.get(&format!("/portfolio?{owner}")).await.page(200)), ["cleo"]);
    assert_eq!(listed(staff.get("/portfolio?view=mine").await.page(200)), ["cleo"]);
    for query in
        ["band=huge", "trend=up", "alert=loud", "owner=me", "sort=size", "view=x", "after=x"]
    {
        let page = staff.get(&format!("/portfolio?{query}")).await;
        let field = query.split('=').next().unwrap();
        let said = page.page(422).to_lowercase();
        assert!(said.contains(&format!("{field}:")), "{query}: {said}");
    }
    // A deleted client is gone at once.
    world.delete(&world.acme.secret_key, "/api/v1/clients/cleo").await;
    assert_eq!(listed(staff.get("/portfolio?view=all").await.page(200)), ["bob", "ada"]);
});

#[tokio::test]
async fn pages_go_on_and_back_without_losing_a_client() {
    let world = World::sqlite().await;
    let events: Vec<_> = (0..120)
        .map(|number| json!({"client_id": format!("client-{number:03}"), "event": "login"}))
        .collect();
    world.post(&world.acme.write_key, "/api/v1/events", events.into()).await.json(200);
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    for order in ["", "&sort=name", "&sort=-name", "&sort=seen", "&sort=-score"] {
        let mut seen = Vec::new();
        let mut path = format!("/portfolio?view=all{order}");
        let mut pages = Vec::new();
        loop {
            let page = staff.get(&path).await;
            let page = page.page(200);
            let rows: Vec<String> = listed(page).into_iter().map(str::to_owned).collect();
            pages.push((path.clone(), rows.clone()));
            seen.extend(rows);
            match link(page, "next") {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(pages.len(), 3, "{order}");
        let mut all = seen.clone();
        all.sort();
        all.dedup();
        assert_eq!((seen.len(), all.len()), (120, 120), "{order}");
        let last = staff.get(&pages[2].0).await;
        let back = staff.get(&link(last.page(200), "prev").unwrap()).await;
        assert_eq!(listed(back.page(200)), pages[1].1, "{order}");
        assert!(back.text.contains("51–100 of 120 clients"), "{order}");
    }
    world.close().await;
}

/// Where a page continues or back to.
fn link(page: &str, rel: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\" rel=\"{rel}\""))?;
    Some(before.rsplit_once("href=\"")?.1.replace("&#38;", "&").replace("&amp;", "&"))
}

#[tokio::test]
async fn hostile_names_are_shown_harmless() {
    let world = World::sqlite().await;
    let name = "<script>alert(1)</script>\u{202e}evil";
    let body = json!({"client_id": "x\"><b>", "name": name, "plan": "<i>"});
    world.post(&world.acme.secret_key, "/api/v1/clients", body).await.json(201);
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let page = staff.get("/portfolio").await;
    let page = page.page(200);
    for raw in ["<script>alert", "x\"><b>", "<i>"] {
        assert!(!page.contains(raw), "{raw}: {page}");
    }
    assert!(page.contains("data-key=\"x&#34;&#62;&#60;b&#62;\""), "{page}");
    assert!(page.contains("<bdi>&#60;script&#62;alert"), "{page}");
    assert!(page.contains("/clients/x%22%3E%3Cb%3E"), "{page}");
    world.close().await;
}

#[tokio::test]
async fn nobody_sees_the_clients_of_another_organization() {
    let world = World::sqlite().await;
    clients(&world).await;
    let rival = Browser::member(&world, &world.rival, Role::Owner).await;
    assert!(listed(rival.get("/portfolio?view=all").await.page(200)).is_empty());
    assert!(rival.get("/alerts").await.page(200).contains("No open alerts"));
    assert!(!rival.get("/live").await.page(200).contains("/clients/ada"));
    world.close().await;
}

on_both_databases!(no_score_that_is_shown_is_older_than_its_clients_last_event, async |world| {
    clients(world).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let shown = async || {
        let page = staff.get("/portfolio?view=all").await;
        let page = page.page(200).to_owned();
        let row = page.split("data-key=\"bob\"").nth(1).unwrap().split("</tr>").next().unwrap();
        row.split("class=\"score\"").nth(1).unwrap().split("</b>").next().unwrap().to_owned()
    };
    let overall = async || {
        let score = world.get(&world.acme.secret_key, "/api/v1/clients/bob/score").await.json(200);
        format!(">{}", score["overall"].as_i64().unwrap())
    };
    let stored = shown().await;
    assert!(stored.ends_with(&overall().await), "{stored}");
    // It happened before the score was stored, and came after.
    world.be_active("bob", "content_generated", 20).await;
    let late = shown().await;
    assert!(late != stored && late.ends_with(&overall().await), "{late}");
    world.tick();
    let event = json!({"client_id": "bob", "event": "visual_created"});
    world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
    world.tick();
    let now = shown().await;
    assert!(now != late && now.ends_with(&overall().await), "{now}");
});
