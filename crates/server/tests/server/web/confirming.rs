//! Whoever signed in a while ago confirms by its password what decides who gets in.

use jiff::ToSpan as _;
use mainstay_store::Role;

use super::{
    browser::{Browser, PASSWORD, email, member_id},
    settings::fields,
};
use crate::support::World;

const CONFIRM: &str = "Confirm that it is you";

fn pass_minutes(world: &World, minutes: i64) {
    world.clock.set(world.mainstay.now().saturating_add(minutes.minutes()).unwrap());
}

/// The form with which a page asks, with a password filled in.
fn with_password(page: &str, action: &str, password: &str) -> Vec<(String, String)> {
    let mut form = fields(page, action);
    let (_, field) = form.iter_mut().find(|(name, _)| name == "confirm_password").unwrap();
    password.clone_into(field);
    form
}

async fn send(
    browser: &Browser,
    path: &str,
    form: &[(String, String)],
) -> crate::support::TestResponse {
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(path, &form).await
}

on_both_databases!(a_fresh_sign_in_is_not_asked_again, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    pass_minutes(world, 15);
    let made = owner.post("/settings/keys", &[("kind", "write")]).await;
    assert_eq!(made.leads_to(), "/settings/keys");
    assert_eq!(owner.post("/live/key", &[]).await.leads_to(), "/live");
});

type Fields<'a> = &'a [(&'a str, &'a str)];

on_both_databases!(after_a_while_the_password_is_asked_for_and_then_it_is_done, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let staff = member_id(world, &world.acme, Role::Staff).await;
    let (role, link) =
        (format!("/settings/members/{staff}/role"), format!("/settings/members/{staff}/link"));
    let cases: [(&str, Fields<'_>, &str); 6] = [
        ("/settings/keys", &[("kind", "secret")], "/settings/keys"),
        ("/live/key", &[], "/live"),
        ("/settings/keys/token-secret", &[], "/settings/keys/token-secret"),
        (&role, &[("role", "admin")], "/settings/members?done=role"),
        (&link, &[], &link),
        (
            "/settings/members",
            &[("name", "Grace"), ("email", "grace@example.com"), ("role", "admin")],
            "/settings/members/",
        ),
    ];
    for (path, form, leads_to) in cases {
        pass_minutes(world, 16);
        let keys = world.mainstay.keys(world.acme.id).await.unwrap();
        let members = world.mainstay.members(world.acme.id).await.unwrap();
        let asked = owner.post(path, form).await;
        assert!(asked.page(403).contains(CONFIRM), "{path}: {}", asked.text);
        let wrong = with_password(&asked.text, path, "not the password");
        let wrong = send(&owner, path, &wrong).await;
        assert!(wrong.page(422).contains("This is not your password"), "{path}: {}", wrong.text);
        // Nothing is done until then.
        assert_eq!(world.mainstay.keys(world.acme.id).await.unwrap(), keys, "{path}");
        assert_eq!(world.mainstay.members(world.acme.id).await.unwrap(), members, "{path}");
        let right = with_password(&wrong.text, path, PASSWORD);
        let done = send(&owner, path, &right).await;
        assert!(done.leads_to().starts_with(leads_to), "{path}: {done:#?}");
        // Not again for a while.
        pass_minutes(world, 14);
        let again = owner.post("/settings/keys", &[("kind", "write")]).await;
        assert_eq!(again.leads_to(), "/settings/keys");
    }
    let members = world.mainstay.members(world.acme.id).await.unwrap();
    let grace = members.iter().find(|member| member.email == "grace@example.com").unwrap();
    assert_eq!((grace.name.as_str(), grace.role), ("Grace", Role::Admin));
    let staff = members.iter().find(|member| member.id == staff).unwrap();
    assert_eq!(staff.role, Role::Admin);
});

on_both_databases!(what_was_filled_in_is_kept_and_is_no_markup, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    pass_minutes(world, 16);
    let (path, name) = ("/settings/members", "\"><script>alert(1)</script> & Söhne");
    let form = [("name", name), ("email", "ada@example.com"), ("role", "owner")];
    let asked = owner.post(path, &form).await;
    let page = asked.page(403);
    assert!(!page.contains("<script>alert(1)"), "{page}");
    assert!(page.contains("href=\"/settings/members\">Cancel"), "{page}");
    let mut sent: Vec<(&str, &str)> = form.to_vec();
    sent.push(("confirm_password", PASSWORD));
    owner.post(path, &sent).await.leads_to();
    let members = world.mainstay.members(world.acme.id).await.unwrap();
    let ada = members.iter().find(|member| member.email == "ada@example.com").unwrap();
    assert_eq!((ada.name.as_str(), ada.role), (name, Role::Owner));
});

on_both_databases!(inviting_staff_takes_no_password, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    pass_minutes(world, 16);
    let form = [("name", ""), ("email", "ada@example.com"), ("role", "staff")];
    owner.post("/settings/members", &form).await.leads_to();
});

on_both_databases!(who_may_not_do_it_is_not_asked, async |world| {
    let staff = Browser::member(world, &world.acme, Role::Staff).await;
    pass_minutes(world, 16);
    let form = [("kind", "write"), ("confirm_password", PASSWORD)];
    let refused = staff.post("/settings/keys", &form).await;
    assert!(refused.page(403).contains("Your role is staff"), "{}", refused.text);
    let nobody = Browser::new(world).post("/settings/keys", &form).await;
    assert!(nobody.leads_to().starts_with("/sign-in"), "{nobody:#?}");
});

on_both_databases!(confirming_in_one_browser_confirms_no_other, async |world| {
    let here = Browser::member(world, &world.acme, Role::Owner).await;
    let there = Browser::new(world);
    there.sign_in(&email(&world.acme, Role::Owner), PASSWORD).await.leads_to();
    pass_minutes(world, 16);
    let form = [("kind", "write"), ("confirm_password", PASSWORD)];
    here.post("/settings/keys", &form).await.leads_to();
    there.post("/settings/keys", &form[..1]).await.page(403);
    here.post("/settings/keys", &form[..1]).await.leads_to();
});

on_both_databases!(wrong_passwords_to_confirm_count_as_tries_to_sign_in, async |world| {
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    pass_minutes(world, 16);
    let wrong = [("kind", "write"), ("confirm_password", "not the password")];
    for number in 0..10 {
        assert_eq!(owner.post("/settings/keys", &wrong).await.status, 422, "{number}");
    }
    let right = [("kind", "write"), ("confirm_password", PASSWORD)];
    for form in [&wrong, &right] {
        let page = owner.post("/settings/keys", form).await;
        assert!(page.page(429).contains("too many attempts"), "{}", page.text);
    }
    // Nor is it a way around the limit of signing in.
    let address = email(&world.acme, Role::Owner);
    assert_eq!(Browser::new(world).sign_in(&address, PASSWORD).await.status, 429);
    // The member hears of them.
    let page = owner.get("/settings/profile").await;
    assert!(page.page(200).contains("10 wrong passwords were tried"), "{}", page.text);
    pass_minutes(world, 1);
    owner.post("/settings/keys", &right).await.leads_to();
});
