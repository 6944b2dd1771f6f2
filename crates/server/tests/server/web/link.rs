use mainstay::site::Site;
use mainstay_store::Role;

use super::browser::{Browser, PASSWORD, email, member_id, path_of};
use crate::support::World;

const NEW: &str = "quite another password";

fn site(world: &World) -> Site {
    Site::local(world.url().strip_prefix("http://").unwrap().parse().unwrap())
}

on_both_databases!(the_first_owner_sets_itself_up_by_a_link, async |world| {
    let link = world.mainstay.setup_link(world.acme.id, &site(world)).await.unwrap();
    let path = path_of(&link.url);
    let browser = Browser::new(world);
    // Opening it, as email programs do, uses nothing up.
    for _ in 0..3 {
        let page = browser.get(&path).await;
        assert!(page.page(200).contains("Studio of-acme"), "{}", page.text);
    }
    let short = [("name", "Grace"), ("email", "grace@example.com"), ("password", "short")];
    let answer = browser.post(&path, &short).await;
    let page = answer.page(422);
    assert!(page.contains("Has 5 characters; use 12 to 128"), "{page}");
    assert!(page.contains("value=\"grace@example.com\""), "{page}");
    let taken = [("name", "G"), ("email", "owner@of-acme.example"), ("password", NEW)];
    assert!(
        browser
            .post(&path, &taken)
            .await
            .page(422)
            .contains("is already a member of this organization")
    );
    let wrong = [("name", "G"), ("email", "no address"), ("password", NEW)];
    assert!(browser.post(&path, &wrong).await.page(422).contains("is not an email address"));

    let good = [("name", "Grace"), ("email", "Grace@example.com"), ("password", NEW)];
    assert_eq!(browser.post(&path, &good).await.leads_to(), "/portfolio");
    let profile = browser.get("/settings/profile").await;
    assert!(profile.page(200).contains("grace@example.com, owner"));
    let again = Browser::new(world);
    assert!(again.get(&path).await.page(410).contains("This link was used"));
    assert!(again.post(&path, &good).await.page(410).contains("This link was used"));
    assert_eq!(again.sign_in("grace@example.com", NEW).await.leads_to(), "/portfolio");
});

on_both_databases!(an_invited_member_chooses_name_and_password, async |world| {
    let mainstay = &world.mainstay;
    let member =
        mainstay.add_member(world.acme.id, "ada@example.com", None, Role::Staff).await.unwrap();
    let link = mainstay.invitation_link(world.acme.id, member.id, &site(world)).await.unwrap();
    let newer = mainstay.invitation_link(world.acme.id, member.id, &site(world)).await.unwrap();
    let browser = Browser::new(world);
    let sent = [("name", "Ada"), ("password", NEW)];
    // The newest one counts.
    browser.post(&path_of(&link.url), &sent).await.page(404);
    assert_eq!(browser.post(&path_of(&newer.url), &sent).await.leads_to(), "/portfolio");
    assert!(browser.get("/settings/profile").await.page(200).contains("value=\"Ada\""));
    // Who has joined needs no invitation: what was left of it is gone.
    let other = Browser::new(world);
    assert_ne!(other.get(&path_of(&newer.url)).await.status, 200);
});

on_both_databases!(a_link_for_a_new_password_ends_all_sessions, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    let id = member_id(world, &world.acme, Role::Staff).await;
    let link = world.mainstay.reset_link(world.acme.id, id, &site(world)).await.unwrap();
    let browser = Browser::new(world);
    assert_eq!(
        browser.post(&path_of(&link.url), &[("password", NEW)]).await.leads_to(),
        "/portfolio"
    );
    staff.get("/settings/profile").await.leads_to();
    staff.sign_in(&email(&world.acme, Role::Staff), PASSWORD).await.page(422);
    browser.get("/settings/profile").await.page(200);
});

on_both_databases!(a_link_works_until_it_expires, async |world| {
    let link = world.mainstay.setup_link(world.acme.id, &site(world)).await.unwrap();
    let path = path_of(&link.url);
    let browser = Browser::new(world);
    world.clock.advance_hours(7 * 24 - 1);
    browser.get(&path).await.page(200);
    world.clock.advance_hours(1);
    assert!(browser.get(&path).await.page(410).contains("This link has expired"));
    let sent = [("name", "Grace"), ("email", "grace@example.com"), ("password", NEW)];
    assert!(browser.post(&path, &sent).await.page(410).contains("It worked until"));
});

#[tokio::test]
async fn a_link_that_is_not_whole_does_not_work() {
    let world = World::sqlite().await;
    let link = world.mainstay.setup_link(world.acme.id, &site(&world)).await.unwrap();
    let path = path_of(&link.url);
    let browser = Browser::new(&world);
    for wrong in
        [&path[..path.len() - 1], &format!("{path}x"), "/sign-in/link/%00", "/sign-in/link/%ff"]
    {
        let page = browser.get(wrong).await;
        page.page(404);
        browser.post(wrong, &[("password", NEW)]).await.page(404);
    }
}

#[tokio::test]
async fn a_link_used_twice_at_once_lets_one_in() {
    let world = World::sqlite().await;
    let id = member_id(&world, &world.acme, Role::Staff).await;
    let link = world.mainstay.reset_link(world.acme.id, id, &site(&world)).await.unwrap();
    let path = path_of(&link.url);
    let (one, two) = (Browser::new(&world), Browser::new(&world));
    let sent = [("password", NEW)];
    let (first, second) = tokio::join!(one.post(&path, &sent), two.post(&path, &sent));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
}

#[tokio::test]
async fn asking_for_a_new_password_tells_nobody_who_is_a_member() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let owner = email(&world.acme, Role::Owner);
    let known = browser.post("/sign-in/reset", &[("email", &owner)]).await;
    let unknown = browser.post("/sign-in/reset", &[("email", "nobody@example.com")]).await;
    assert_eq!(known.page(200), unknown.page(200));
}
