//! What staff see of one client, and what they do for it.

use mainstay_core::alert::AlertStatus;
use mainstay_store::{AlertFilter, Role, Scope};
use serde_json::json;

use super::browser::{Browser, member_id};
use crate::support::World;

/// A client that fell silent, with an open alert.
async fn silent(world: &World, client: &str) -> String {
    world.be_active(client, "login", 3).await;
    world.clock.advance_hours(80);
    let now = world.mainstay.now();
    world.mainstay.check_client_health(world.acme.id, client, now).await.unwrap();
    open_alert(world).await
}

async fn open_alert(world: &World) -> String {
    let open = AlertFilter { open: Some(true), ..AlertFilter::default() };
    let alerts = world.mainstay.alerts(Scope::Service(world.acme.id), &open, 10).await.unwrap();
    alerts[0].episode.id.to_string()
}

async fn status(world: &World, alert: &str) -> AlertStatus {
    let id = alert.parse().unwrap();
    world.mainstay.alert(Scope::Service(world.acme.id), id).await.unwrap().alert.episode.status
}

on_both_databases!(an_alert_is_acted_on_and_says_by_whom, async |world| {
    let alert = silent(world, "ada").await;
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    let path = format!("/clients/ada/alerts/{alert}");
    assert!(browser.get("/clients/ada").await.page(200).contains(&format!("action=\"{path}\"")));

    let done = browser.post(&path, &[("action", "acknowledge"), ("note", "calling <them>")]).await;
    assert!(done.leads_to().starts_with("/clients/ada?done=acknowledge"), "{done:#?}");
    assert!(done.leads_to().ends_with("#al-h"), "{done:#?}");
    assert_eq!(status(world, &alert).await, AlertStatus::Acknowledged);
    let page = browser.get("/clients/ada").await;
    assert!(page.page(200).contains("acknowledged by \u{2068}you\u{2069}"), "{}", page.text);
    assert!(page.text.contains("calling &#60;them&#62;"), "{}", page.text);
    let other = Browser::member(world, &world.acme, Role::Owner).await;
    let name = format!(
        "acknowledged by \u{2068}{}\u{2069}",
        super::browser::email(&world.acme, Role::Staff)
    );
    assert!(other.get("/clients/ada").await.page(200).contains(&name));

    for action in ["snooze-tomorrow", "snooze-monday", "snooze-week"] {
        browser.post(&path, &[("action", action)]).await.leads_to();
        assert_eq!(status(world, &alert).await, AlertStatus::Snoozed);
    }
    let until = [("action", "snooze"), ("until", "2026-05-20T09:00")];
    browser.post(&path, &until).await.leads_to();
    assert!(
        browser.get("/clients/ada").await.page(200).contains("snoozed until Wed 20 May, 09:00")
    );
    // A time that cannot be is told in the form, and changes nothing.
    for (until, problem) in [
        ("soon", "No time was chosen."),
        ("2026-01-01T09:00", "1 Jan 2026, 09:00 is in the past."),
        ("2027-01-01T09:00", "1 Jan 2027, 09:00 is more than 90 days ahead."),
    ] {
        let refused = browser.post(&path, &[("action", "snooze"), ("until", until)]).await;
        let shown = browser.get(refused.leads_to()).await;
        assert!(shown.page(200).contains(problem), "{until}: {}", shown.text);
        assert!(shown.text.contains("snoozed until Wed 20 May, 09:00"), "{until}: {}", shown.text);
    }
    for (form, named) in [
        (vec![("action", "eat")], "unknown action"),
        (vec![("action", "resolve"), ("note", &"x".repeat(1_001))], "1000"),
    ] {
        let refused = browser.post(&path, &form).await;
        assert!(refused.page(422).contains(named), "{}", refused.text);
    }
    let back = [("action", "dismiss"), ("next", "/alerts?severity=critical")];
    let answer = browser.post(&path, &back).await;
    assert!(answer.leads_to().starts_with("/alerts?severity=critical&done=dismiss"), "{answer:?}");
    assert_eq!(status(world, &alert).await, AlertStatus::Dismissed);
    browser.post(&path, &[("action", "resolve")]).await.page(409);
    // Under another client's name it is nowhere.
    world.be_active("bob", "login", 1).await;
    let elsewhere = format!("/clients/bob/alerts/{alert}");
    browser.post(&elsewhere, &[("action", "acknowledge")]).await.page(404);
});

on_both_databases!(notes_are_for_staff_and_deleted_by_who_wrote_them, async |world| {
    world.be_active("ada", "login", 2).await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    staff.post("/clients/ada/notes", &[("text", " Renews in June <i>. ")]).await.leads_to();
    let page = owner.get("/clients/ada").await;
    assert!(page.page(200).contains("Renews in June &#60;i&#62;."), "{}", page.text);
    assert!(!page.text.contains("Delete note"), "{}", page.text);
    let page = staff.get("/clients/ada").await.page(200).to_owned();
    let (_, rest) = page.split_once("action=\"/clients/ada/notes/").unwrap();
    let path = format!("/clients/ada/notes/{}", rest.split_once('"').unwrap().0);
    owner.post(&path, &[]).await.page(404);
    let client = Browser::client(world, "ada").await;
    assert!(!client.get("/client/dashboard/success").await.page(200).contains("Renews"));
    staff.post(&path, &[]).await.leads_to();
    staff.post(&path, &[]).await.page(404);
    for text in ["", "  ", &"x".repeat(4_001)] {
        staff.post("/clients/ada/notes", &[("text", text)]).await.page(422);
    }
});

on_both_databases!(a_member_looks_after_a_client_until_it_leaves, async |world| {
    world.be_active("ada", "login", 2).await;
    let browser = Browser::member(world, &world.acme, Role::Admin).await;
    let staff = member_id(world, &world.acme, Role::Staff).await;
    browser.post("/clients/ada/owner", &[("owner", &staff.to_string())]).await.leads_to();
    let scope = Scope::Service(world.acme.id);
    assert_eq!(world.mainstay.client(scope, "ada").await.unwrap().owner, Some(staff));
    let stranger = member_id(world, &world.rival, Role::Staff).await;
    browser.post("/clients/ada/owner", &[("owner", &stranger.to_string())]).await.page(404);
    browser.post("/clients/ada/owner", &[("owner", "nobody")]).await.page(422);
    world.mainstay.remove_member(world.acme.id, staff).await.unwrap();
    assert_eq!(world.mainstay.client(scope, "ada").await.unwrap().owner, None);
    browser.post("/clients/ada/owner", &[("owner", "")]).await.leads_to();
});

on_both_databases!(tasks_and_launch_kit_are_kept_by_staff, async |world| {
    world.be_active("ada", "login", 2).await;
    world.tick();
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    browser.post("/clients/ada/tasks", &[("title", "Connect <b>")]).await.leads_to();
    let page = browser.get("/clients/ada").await.page(200).to_owned();
    assert!(page.contains("Connect &#60;b&#62;"), "{page}");
    let (_, rest) = page.split_once("action=\"/clients/ada/tasks/").unwrap();
    let path = format!("/clients/ada/tasks/{}", rest.split_once('"').unwrap().0);
    world.tick();
    browser.post(&path, &[("status", "completed")]).await.leads_to();
    browser.post("/clients/ada/launch-kit", &[("state", "viewed")]).await.leads_to();
    world.tick();
    let page = browser.get("/clients/ada").await;
    assert!(page.page(200).contains("1 of 1 onboarding task done"), "{}", page.text);
    assert!(page.text.contains("Launch kit viewed on 1 May"), "{}", page.text);
    browser.post(&path, &[("status", "eaten")]).await.page(422);
    browser.post("/clients/ada/launch-kit", &[("state", "unopened")]).await.page(422);
    browser.post("/clients/ada/tasks", &[("title", " ")]).await.page(422);
    browser.post("/clients/ada/score", &[]).await.leads_to();
    assert!(browser.get("/clients/ada/events?type=login").await.page(200).contains("Signed in"));
});

on_both_databases!(a_client_with_any_name_has_its_page, async |world| {
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    let wide = "\u{56fd}".repeat(255);
    for (id, path) in [
        ("a/b c?d#e%f", "a%2Fb%20c%3Fd%23e%25f"),
        ("<script>alert(1)</script>", "%3Cscript%3Ealert%281%29%3C%2Fscript%3E"),
        (wide.as_str(), &"%E5%9B%BD".repeat(255)),
    ] {
        let new = json!({"client_id": id, "name": "\u{202e}<script>\u{200b}"});
        world.post(&world.acme.staff, "/api/v1/clients", new).await.json(201);
        world.tick();
        let page = browser.get(&format!("/clients/{path}")).await;
        assert!(page.page(200).contains(&format!("/clients/{path}/notes\"")), "{}", page.text);
        assert!(!page.text.contains("<script>"), "{}", page.text);
        let noted = browser.post(&format!("/clients/{path}/notes"), &[("text", "x")]).await;
        assert_eq!(noted.leads_to(), format!("/clients/{path}#notes-h"));
    }
    world
        .post(
            &world.acme.staff,
            "/api/v1/clients",
            json!({"client_id": "nameless", "name": " \u{200b}"}),
        )
        .await
        .json(201);
    world.tick();
    let page = browser.get("/clients/nameless").await;
    assert!(page.page(200).contains("<bdi>nameless</bdi>"), "{}", page.text);
    assert!(
        browser.get("/clients/nobody-we-know").await.page(404).contains("no client with this id")
    );
});

on_both_databases!(a_link_opens_the_clients_own_page, async |world| {
    world.be_active("ada", "login", 2).await;
    world.tick();
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    let made = browser.post("/clients/ada/link", &[]).await;
    assert_eq!(made.leads_to(), "/clients/ada/link");
    let made = browser.get("/clients/ada/link").await;
    assert!(made.page(200).contains("/client/sign-in?token="), "{}", made.text);
    let url = made.text.split("data-copy>").nth(1).unwrap().split('<').next().unwrap();
    let path = super::browser::path_of(url);
    let client = Browser::new(world);
    client.get(&path).await.leads_to();
    client.get("/client/dashboard/success").await.page(200);
    // In wrong hands: it ends, with the session that it began and what the app had signed.
    let token = world.client_token("ada");
    world.get(&token, "/api/v1/clients/ada").await.json(200);
    world.tick();
    let page = browser.post("/clients/ada/sign-out", &[]).await;
    assert!(page.page(200).contains("is signed out everywhere"));
    client.get("/client/dashboard/success").await.page(401);
    Browser::new(world).get(&path).await.page(401);
    world.get(&token, "/api/v1/clients/ada").await.problem(401);
});

on_both_databases!(a_link_of_a_client_is_shown_once_and_a_reload_makes_no_other, async |world| {
    world.be_active("ada", "login", 1).await;
    world.be_active("bob", "login", 1).await;
    world.tick();
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    browser.post("/clients/ada/link", &[]).await.leads_to();
    // Another client's page does not show it.
    let other = browser.get("/clients/bob/link").await;
    assert!(!other.page(200).contains("/client/sign-in?token="), "{}", other.text);
    let shown = browser.get("/clients/ada/link").await;
    assert!(shown.page(200).contains("/client/sign-in?token="), "{}", shown.text);
    let again = browser.get("/clients/ada/link").await;
    assert!(!again.page(200).contains("/client/sign-in?token="), "{}", again.text);
    assert!(again.text.contains("create another one"), "{}", again.text);
});

on_both_databases!(staff_look_at_a_clients_page_and_can_press_nothing_there, async |world| {
    world.be_active("ada", "content_generated", 12).await;
    world.tick();
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    let page = browser.get("/clients/ada").await;
    assert!(page.page(200).contains("href=\"/clients/ada/preview\" target=\"_blank\""));
    let cookies = browser.kept();
    let events = async || {
        let answer = world.get(&world.acme.owner, "/api/v1/clients/ada/events").await;
        answer.json(200)["events"].as_array().unwrap().len()
    };
    let before = events().await;
    for path in ["/clients/ada/preview", "/clients/ada/preview/events"] {
        let answer = browser.get(path).await;
        let page = answer.page(200);
        assert!(page.contains("Buttons and forms are disabled."), "{page}");
        assert!(page.contains("href=\"/clients/ada\">Back to"), "{page}");
        let (_, inside) = page.split_once("<fieldset class=\"preview\" disabled>").unwrap();
        let (inside, after) = inside.split_once("</fieldset>\n</main>").unwrap();
        assert!(!after.contains("<form") && !after.contains("<button"), "{after}");
        // What a form would send to has no address, and no link leads to the client's own pages.
        for (at, _) in inside.match_indices("action=\"") {
            let action = inside[at + 8..].split('"').next().unwrap();
            assert!(action.starts_with("/clients/ada/preview"), "{action}");
            let pressed = browser.post(action, &[("rating", "1"), ("action", "dismiss")]).await;
            assert!(matches!(pressed.status.as_u16(), 404 | 405), "{action}: {}", pressed.status);
        }
        assert!(!inside.contains("\"/client/"), "{inside}");
        assert!(!page.contains("data-live-stream"), "{page}");
    }
    // Nobody became the client, and nothing was counted.
    assert_eq!(browser.kept(), cookies);
    browser.post("/client/feedback", &[("rating", "1")]).await.page(401);
    assert_eq!(events().await, before);
});

on_both_databases!(a_client_is_deleted_after_a_page_that_says_what_is_lost, async |world| {
    silent(world, "ada").await;
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(!staff.get("/clients/ada").await.page(200).contains("/clients/ada/delete"));
    staff.get("/clients/ada/delete").await.page(403);
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    assert!(admin.get("/clients/ada").await.page(200).contains("href=\"/clients/ada/delete\""));
    let page = admin.get("/clients/ada/delete").await;
    for said in ["This cannot be undone", "1 alert", "for good: the client asked", "24 hours"] {
        assert!(page.page(200).contains(said), "{said} is not in {}", page.text);
    }
    // Without a choice nothing happens.
    admin.post("/clients/ada/delete", &[]).await.page(400);
    admin.get("/clients/ada").await.page(200);
    let gone = admin.post("/clients/ada/delete", &[("keep_out", "always")]).await;
    assert_eq!(gone.leads_to(), "/portfolio");
    admin.get("/clients/ada").await.page(404);
    let scope = Scope::Service(world.acme.id);
    let erased = world.mainstay.erased_clients(scope).await.unwrap();
    assert_eq!((erased.len(), erased[0].keep_out_until), (1, None));
});
