use mainstay::site::Site;
use mainstay_store::Role;

use crate::{
    support::World,
    web::browser::{Browser, PASSWORD, email, member_id, path_of},
};

async fn try_from(browser: &Browser, place: u32, address: &str, password: &str) -> u16 {
    let place = format!("198.51.{}.{}", place / 250, place % 250 + 1);
    let headers = [("x-forwarded-for", place.as_str()), ("sec-fetch-site", "same-origin")];
    let form = [("email", address), ("password", password)];
    browser.send("POST", "/sign-in", &headers, Some(&form)).await.status.as_u16()
}

#[tokio::test]
async fn an_account_is_tried_slowly_from_however_many_places() {
    let world = World::sqlite_at(|site| Site { behind_proxy: true, ..site }).await;
    Browser::member(&world, &world.acme, Role::Owner).await;
    let owner = email(&world.acme, Role::Owner);
    let browser = Browser::new(&world);
    // From one place its member signs in before anybody else tries.
    assert_eq!(try_from(&browser, 1, &owner, PASSWORD).await, 303);
    // An account that does not exist is limited alike.
    for (address, free) in [(owner.as_str(), 28), ("nobody@of-acme.example", 30)] {
        for place in 0..free {
            assert_eq!(try_from(&browser, 100 + place, address, "wrong").await, 422, "{place}");
        }
        assert_eq!(try_from(&browser, 200, address, "wrong").await, 429, "{address}");
        assert_eq!(try_from(&browser, 201, address, PASSWORD).await, 429, "{address}");
    }
    // Whoever is known there still gets in, and learns of it.
    assert_eq!(try_from(&browser, 1, &owner, PASSWORD).await, 303);
    let mut page = browser.get("/settings/profile").await;
    // Counted aside, so that the time to answer tells nothing.
    for _ in 0..1_000 {
        if page.text.contains("28 wrong passwords were tried for your account") {
            break;
        }
        tokio::task::yield_now().await;
        page = browser.get("/settings/profile").await;
    }
    assert!(page.page(200).contains("28 wrong passwords were tried"), "{}", page.text);
    browser.post("/settings/profile/failures", &[]).await.leads_to();
    assert!(!browser.get("/settings/profile").await.text.contains("wrong passwords were tried"));
    // One more try each five minutes.
    world.clock.advance_hours(1);
    for place in 0..12 {
        assert_eq!(try_from(&browser, 300 + place, &owner, "wrong").await, 422, "{place}");
    }
    assert_eq!(try_from(&browser, 320, &owner, "wrong").await, 429);
}

#[tokio::test]
async fn a_try_that_one_limit_refuses_counts_for_no_other() {
    let world = World::sqlite_at(|site| Site { behind_proxy: true, ..site }).await;
    let browser = Browser::new(&world);
    let (ada, bob) = ("ada@of-acme.example", "bob@of-acme.example");
    // From here ten tries with one address, of which what comes on top takes nothing from the others here.
    for _ in 0..10 {
        assert_eq!(try_from(&browser, 1, ada, "wrong").await, 422);
    }
    for _ in 0..100 {
        assert_eq!(try_from(&browser, 1, ada, "wrong").await, 429);
    }
    assert_eq!(try_from(&browser, 1, bob, "wrong").await, 422);
    // Nor from the account: twenty more from elsewhere, whatever was refused here.
    for place in 0..20 {
        assert_eq!(try_from(&browser, 10 + place, ada, "wrong").await, 422, "{place}");
    }
    // What the account refuses takes nothing from this place's tries with it.
    for _ in 0..20 {
        assert_eq!(try_from(&browser, 40, ada, "wrong").await, 429);
    }
    let headers = [("x-forwarded-for", "198.51.0.41"), ("sec-fetch-site", "same-origin")];
    let reset = browser.send("POST", "/sign-in/reset", &headers, Some(&[("email", ada)])).await;
    assert_ne!(reset.status.as_u16(), 429, "{}", reset.text);
    world.close().await;
}

on_both_databases!(what_many_people_choose_is_refused_at_every_door, async |world| {
    let (acme, id) = (world.acme.id, member_id(world, &world.acme, Role::Staff).await);
    let site = Site::local("127.0.0.1:1".parse().unwrap());
    let link = world.mainstay.invitation_link(acme, id, &site).await.unwrap();
    let browser = Browser::new(world);
    for password in ["password1234", "123456789012", "staff@of-acme.example", "studio of-acme"] {
        let answer = browser.post(&path_of(&link.url), &[("password", password)]).await;
        assert!(answer.page(422).contains("too easy to guess"), "{password}: {}", answer.text);
        world.mainstay.set_password(acme, id, password).await.unwrap_err();
    }
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let form = [("present", PASSWORD), ("password", "qwertyuiop12")];
    let answer = staff.post("/settings/profile/password", &form).await;
    assert!(answer.page(422).contains("too easy to guess"), "{}", answer.text);
});

on_both_databases!(a_member_sees_its_sessions_and_ends_one_of_them, async |world| {
    let here = Browser::member(world, &world.acme, Role::Staff).await;
    world.tick();
    let there = Browser::new(world);
    there.sign_in(&email(&world.acme, Role::Staff), PASSWORD).await.leads_to();
    let page = here.get("/settings/profile").await.page(200).to_owned();
    let paths: Vec<&str> = page
        .split("action=\"/settings/profile/sessions/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(paths.len(), 1, "its own is not offered: {page}");
    let path = format!("/settings/profile/sessions/{}", paths[0]);
    // Nobody else's.
    let admin = Browser::member(world, &world.acme, Role::Admin).await;
    admin.post(&path, &[]).await.page(404);
    there.get("/settings/profile").await.page(200);
    assert_eq!(here.post(&path, &[]).await.leads_to(), "/settings/profile?done=session");
    there.get("/settings/profile").await.leads_to();
    here.get("/settings/profile").await.page(200);
    here.post(&path, &[]).await.page(404);
});
