use mainstay::{organization::CreateOrganization, site::Site};
use mainstay_store::{Role, Scope};
use sha2::{Digest as _, Sha256};

use super::browser::{Browser, PASSWORD, email, member_id};
use crate::support::World;

const WRONG: &str = "The email address or the password is wrong.";
const HOME: &str = "/settings/profile";

on_both_databases!(a_member_signs_in_and_out, async |world| {
    let browser = Browser::new(world);
    assert_eq!(browser.get(HOME).await.leads_to(), "/sign-in?next=%2Fsettings%2Fprofile");
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    assert!(browser.get(HOME).await.page(200).contains("staff@of-acme.example"));
    let thief = Browser::new(world);
    thief.steal(&browser);
    assert_eq!(browser.post("/sign-out", &[]).await.leads_to(), "/sign-in?notice=signed-out");
    assert_eq!(browser.kept(), "");
    let ended = thief.get(HOME).await;
    assert_eq!(ended.leads_to(), "/sign-in?next=%2Fsettings%2Fprofile&notice=ended");
});

on_both_databases!(whoever_is_not_let_in_learns_nothing, async |world| {
    Browser::member(world, &world.acme, Role::Owner).await;
    let browser = Browser::new(world);
    let owner = email(&world.acme, Role::Owner);
    for (address, password) in [
        (owner.as_str(), "correct horse batterz"),
        (owner.as_str(), ""),
        ("nobody@of-acme.example", PASSWORD),
        // A member without a password.
        ("admin@of-acme.example", ""),
        ("no address", PASSWORD),
        ("nul\0@of-acme.example", PASSWORD),
        (&"a".repeat(10_000), PASSWORD),
    ] {
        let answer = browser.sign_in(address, password).await;
        assert!(answer.page(422).contains(WRONG), "{address:?}");
        assert_eq!(browser.kept(), "", "{address:?}");
    }
    // The address is one however it is typed; the password is not.
    assert_eq!(browser.sign_in(" Owner@Of-ACME.example ", PASSWORD).await.leads_to(), "/portfolio");
});

on_both_databases!(
    a_session_ends_when_it_is_not_used_and_at_the_latest_after_90_days,
    async |world| {
        let idle = Browser::member(world, &world.acme, Role::Owner).await;
        world.clock.advance_hours(30 * 24 - 1);
        idle.get(HOME).await.page(200);
        // Used within the last hour before it would have ended.
        world.clock.advance_hours(30 * 24 - 1);
        idle.get(HOME).await.page(200);
        world.clock.advance_hours(30 * 24);
        idle.get(HOME).await.leads_to();

        let busy = Browser::member(world, &world.acme, Role::Owner).await;
        for day in 1..90 {
            world.clock.advance_hours(24);
            assert_eq!(busy.get(HOME).await.status, 200, "day {day}");
        }
        world.clock.advance_hours(24);
        busy.get(HOME).await.leads_to();
    }
);

#[tokio::test]
async fn a_use_of_a_session_is_noted_at_most_once_an_hour() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    let token = browser.kept().strip_prefix("mainstay=").unwrap().to_owned();
    let used_at = async || {
        let mut tx = world.mainstay.store().read(Scope::System).await.unwrap();
        tx.find_session(Sha256::digest(&token).into()).await.unwrap().unwrap().used_at
    };
    let first = used_at().await;
    world.tick();
    browser.get(HOME).await.page(200);
    assert_eq!(used_at().await, first);
    world.clock.advance_hours(1);
    browser.get(HOME).await.page(200);
    assert_eq!(used_at().await, world.mainstay.now());
}

on_both_databases!(one_of_several_organizations_is_chosen, async |world| {
    let mainstay = &world.mainstay;
    for tenant in [&world.acme, &world.rival] {
        let member =
            mainstay.add_member(tenant.id, "both@example.com", None, Role::Staff).await.unwrap();
        mainstay.set_password(tenant.id, member.id, PASSWORD).await.unwrap();
    }
    let browser = Browser::new(world);
    let sent =
        [("email", "both@example.com"), ("password", PASSWORD), ("next", "/settings/profile")];
    let choose = browser.post("/sign-in", &sent).await;
    let page = choose.page(200).to_owned();
    assert!(page.contains("Studio of-acme") && page.contains("Studio of-rival"), "{page}");
    assert_eq!(browser.kept(), "");
    let secrets: Vec<&str> = page
        .split("name=\"secret\" value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(secrets.len(), 2);
    let chosen = [("secret", secrets[0]), ("next", "/settings/profile")];
    assert_eq!(browser.post("/sign-in/choose", &chosen).await.leads_to(), "/settings/profile");
    browser.get(HOME).await.page(200);
    // Each choice works once, and not for long.
    let again = Browser::new(world);
    let late = "/sign-in?notice=late";
    assert_eq!(again.post("/sign-in/choose", &chosen).await.leads_to(), late);
    world.clock.advance_hours(1);
    assert_eq!(again.post("/sign-in/choose", &[("secret", secrets[1])]).await.leads_to(), late);
    assert_eq!(again.get(&format!("/sign-in/link/{}", secrets[1])).await.status, 410);
});

#[tokio::test]
async fn what_is_gone_on_to_is_never_another_site() {
    let world = World::sqlite().await;
    Browser::member(&world, &world.acme, Role::Owner).await;
    let owner = email(&world.acme, Role::Owner);
    for (next, leads_to) in [
        ("/alerts?type=churn_risk", "/alerts?type=churn_risk"),
        ("//evil.example", "/portfolio"),
        ("/\\evil.example", "/portfolio"),
        ("/\t/evil.example", "/portfolio"),
        ("https://evil.example", "/portfolio"),
        ("javascript:alert(1)", "/portfolio"),
        ("", "/portfolio"),
    ] {
        let browser = Browser::new(&world);
        let sent = [("email", owner.as_str()), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/sign-in", &sent).await.leads_to(), leads_to, "{next:?}");
    }
}

#[tokio::test]
async fn too_many_tries_have_to_wait() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    for _ in 0..10 {
        browser.sign_in("guess@example.com", "wrong password").await.page(422);
    }
    let refused = browser.sign_in("guess@example.com", "wrong password").await;
    assert!(refused.page(429).contains("Try again in 10 seconds"), "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "10");
    // Another address may be tried, and after the time this one.
    browser.sign_in("other@example.com", "wrong password").await.page(422);
    for _ in 0..10 {
        world.tick();
    }
    browser.sign_in("guess@example.com", "wrong password").await.page(422);
    browser.sign_in("guess@example.com", "wrong password").await.page(429);
}

#[tokio::test]
async fn too_many_tries_from_one_place_have_to_wait_whatever_the_address() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let mut refused = 0;
    for number in 0..110 {
        let answer =
            browser.post("/sign-in/reset", &[("email", &format!("a{number}@example.com"))]).await;
        refused += u32::from(answer.status == 429);
    }
    assert_eq!(refused, 10);
}

on_both_databases!(what_changes_of_a_member_ends_its_sessions_at_once, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let id = member_id(world, &world.acme, Role::Staff).await;
    world.mainstay.set_role(world.acme.id, id, Role::Admin).await.unwrap();
    staff.get(HOME).await.leads_to();

    staff.sign_in(&email(&world.acme, Role::Staff), PASSWORD).await.leads_to();
    staff.get("/settings/keys").await.page(200);
    world.mainstay.set_password(world.acme.id, id, "another password").await.unwrap();
    staff.get(HOME).await.leads_to();

    staff.sign_in(&email(&world.acme, Role::Staff), "another password").await.leads_to();
    staff.get(HOME).await.page(200);
    world.mainstay.remove_member(world.acme.id, id).await.unwrap();
    let ended = staff.get(HOME).await;
    let page = staff.get(ended.leads_to()).await;
    assert!(page.page(200).contains("Your session has ended"));
});

#[tokio::test]
async fn the_sessions_of_an_organization_end_with_it() {
    let world = World::sqlite().await;
    let create =
        CreateOrganization { slug: "sample".to_owned(), name: None, time_zone: None, sample: true };
    let sample = world.mainstay.create_organization(create).await.unwrap().organization;
    let member =
        world.mainstay.add_member(sample.id, "ada@example.com", None, Role::Owner).await.unwrap();
    world.mainstay.set_password(sample.id, member.id, PASSWORD).await.unwrap();
    let browser = Browser::new(&world);
    browser.sign_in("ada@example.com", PASSWORD).await.leads_to();
    let page = browser.get(HOME).await;
    assert!(page.page(200).contains("Sample data"));
    world.mainstay.delete_sample_organization(&sample).await.unwrap();
    assert_eq!(
        browser.get(HOME).await.leads_to(),
        "/sign-in?next=%2Fsettings%2Fprofile&notice=ended"
    );
}

#[tokio::test]
async fn a_cookie_is_as_safe_as_the_way_it_comes() {
    let plain = World::sqlite().await;
    let https = World::sqlite_at(|site| Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        ..site
    })
    .await;
    for (world, name, secure) in [(&plain, "mainstay=", false), (&https, "__Host-mainstay=", true)]
    {
        Browser::member(world, &world.acme, Role::Owner).await;
        let browser = Browser::new(world);
        let answer = browser.sign_in(&email(&world.acme, Role::Owner), PASSWORD).await;
        let cookie = answer.cookie().unwrap();
        assert!(cookie.starts_with(name), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=7776000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        browser.get(HOME).await.page(200);
    }
}

#[tokio::test]
async fn a_proxy_says_how_a_request_came_only_where_there_is_one() {
    let behind = World::sqlite_at(|site| Site { behind_proxy: true, ..site }).await;
    let alone = World::sqlite().await;
    for (world, name) in [(&behind, "__Host-mainstay="), (&alone, "mainstay=")] {
        Browser::member(world, &world.acme, Role::Owner).await;
        let browser = Browser::new(world);
        let owner = email(&world.acme, Role::Owner);
        let form = [("email", owner.as_str()), ("password", PASSWORD)];
        let headers = [("x-forwarded-proto", "https"), ("sec-fetch-site", "same-origin")];
        let answer = browser.send("POST", "/sign-in", &headers, Some(&form)).await;
        assert!(answer.cookie().unwrap().starts_with(name), "{answer:#?}");
    }
}

#[tokio::test]
async fn nobody_signs_in_over_an_open_network() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    for (host, status) in [
        ("localhost:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("success.example.com", 403),
        ("192.0.2.1:8080", 403),
    ] {
        let answer = browser.send("GET", "/sign-in", &[("host", host)], None).await;
        assert_eq!(answer.status, status, "{host}");
    }
    let chosen = World::sqlite_at(|site| Site {
        public_url: "http://success.local".parse().unwrap(),
        is_public_url_configured: true,
        ..site
    })
    .await;
    let browser = Browser::new(&chosen);
    let answer = browser.send("GET", "/sign-in", &[("host", "success.local")], None).await;
    assert_eq!(answer.status, 200);
}
