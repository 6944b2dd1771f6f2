use mainstay::{
    access::{ClientClaims, sign_client_token},
    site::Site,
};

use mainstay_store::Role;

use super::browser::{Browser, path_of};
use crate::support::World;

const DASHBOARD: &str = "/client/dashboard/success";
const ADA: &str = "ada-of-acme";

on_both_databases!(a_client_comes_in_from_its_app, async |world| {
    world.be_active(ADA, "login", 2).await;
    let browser = Browser::client(world, ADA).await;
    browser.get(DASHBOARD).await.page(200);
    // A client that has done nothing yet comes in too.
    let new = Browser::client(world, "new-of-acme").await;
    new.get(DASHBOARD).await.page(200);
    assert!(
        Browser::new(world).get(DASHBOARD).await.page(401).contains("Open this page from your app")
    );
});

on_both_databases!(a_session_of_a_client_ends_with_what_it_was_let_in_by, async |world| {
    let browser = Browser::client(world, ADA).await;
    world.clock.advance_hours(2);
    let ended = browser.get(DASHBOARD).await;
    assert!(ended.page(401).contains("Your session has ended"), "{}", ended.text);
});

on_both_databases!(
    a_link_lets_a_client_in_until_it_expires_and_opens_nothing_else,
    async |world| {
        world.be_active(ADA, "login", 2).await;
        let made = world
            .post(
                &world.acme.staff,
                &format!("/api/v1/clients/{ADA}/links"),
                serde_json::Value::Null,
            )
            .await
            .json(201);
        let url = made["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/client/sign-in?token=", world.url())), "{url}");
        let token = url.split_once("token=").unwrap().1;
        world.get(token, &format!("/api/v1/clients/{ADA}")).await.problem(401);

        world.clock.advance_hours(6 * 24);
        let browser = Browser::new(world);
        assert_eq!(browser.get(&path_of(url)).await.leads_to(), DASHBOARD);
        browser.get(DASHBOARD).await.page(200);
        // What is in the cookie opens pages only.
        let cookie = browser.kept();
        let session = cookie.strip_prefix("mainstay-client=").unwrap();
        world.get(session, &format!("/api/v1/clients/{ADA}")).await.problem(401);
        browser.get(&format!("/client/sign-in?token={session}")).await.page(401);
        // At most a day, and then the link again.
        world.clock.advance_hours(24);
        browser.get(DASHBOARD).await.page(401);
        let expired = browser.get(&path_of(url)).await;
        assert!(expired.page(401).contains("no longer works"), "{}", expired.text);
    }
);

#[tokio::test]
async fn a_link_lives_at_most_30_days_and_is_only_for_a_client_that_there_is() {
    let world = World::sqlite().await;
    world.be_active(ADA, "login", 1).await;
    let path = format!("/api/v1/clients/{ADA}/links");
    for (expires_at, status) in [
        ("2026-05-31T11:00:00Z", 201),
        ("2026-06-01T12:00:00Z", 422),
        ("2026-05-01T12:00:00Z", 422),
        ("soon", 422),
    ] {
        let body = serde_json::json!({"expires_at": expires_at});
        let answer = world.post(&world.acme.secret_key, &path, body).await;
        assert_eq!(answer.status, status, "{expires_at}: {}", answer.text);
    }
}

on_both_databases!(a_link_that_another_site_opens_asks_before_it_lets_anybody_in, async |world| {
    world.be_active(ADA, "login", 2).await;
    world.mainstay.add_allowed_site(world.acme.id, "https://app.example").await.unwrap();
    let path = format!("/client/sign-in?token={}", world.client_token(ADA));
    let stranger = [("sec-fetch-site", "cross-site"), ("referer", "https://evil.example/")];
    let bob = Browser::client(world, "bob-of-acme").await;
    let before = bob.kept();
    for headers in [&stranger[..], &stranger[..1], &[("sec-fetch-site", "same-site")]] {
        let page = bob.send("GET", &path, headers, None).await;
        assert!(page.page(200).contains("Open the page of <bdi>ada-of-acme</bdi>?"), "{page:#?}");
        assert_eq!((page.cookie(), bob.kept()), (None, before.clone()));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.ends_with("frame-ancestors https://app.example"), "{policy}");
    }
    let form = [("token", path.split_once("token=").unwrap().1)];
    bob.send("POST", "/client/sign-in", &stranger, Some(&form)).await.page(403);
    assert_eq!(bob.post("/client/sign-in", &form).await.leads_to(), DASHBOARD);
    assert_ne!(bob.kept(), before);

    for headers in [
        &[("sec-fetch-site", "none")][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "cross-site"), ("referer", "https://app.example/start")],
    ] {
        let answer = Browser::new(world).send("GET", &path, headers, None).await;
        assert_eq!(answer.leads_to(), DASHBOARD, "{headers:?}");
    }
});

#[tokio::test]
async fn what_was_tampered_with_lets_nobody_in() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let good = world.client_token(ADA);
    let claims = |aud: &str| ClientClaims {
        sub: ADA.to_owned(),
        aud: aud.to_owned(),
        exp: world.mainstay.now().as_second() + 3_600,
    };
    let mut bent = good.clone();
    bent.replace_range(
        good.len() - 5..good.len() - 4,
        if good.as_bytes()[good.len() - 5] == b'A' { "B" } else { "A" },
    );
    for wrong in [
        String::new(),
        "x".to_owned(),
        bent,
        sign_client_token(&claims("rival"), &world.acme.token_secret),
        sign_client_token(&claims("acme"), &world.rival.token_secret),
        sign_client_token(&claims("\0"), &world.acme.token_secret),
        format!("{}.", good.rsplit_once('.').unwrap().0),
    ] {
        browser.get(&format!("/client/sign-in?token={wrong}")).await.page(401);
        assert_eq!(browser.kept(), "", "{wrong}");
    }
}

on_both_databases!(another_secret_ends_what_was_signed_with_the_old_one, async |world| {
    let browser = Browser::client(world, ADA).await;
    let owner = Browser::member(world, &world.acme, Role::Owner).await;
    let path = "/settings/keys/token-secret";
    assert!(owner.get(path).await.page(200).contains("This cannot be undone"));
    assert_eq!(owner.post(path, &[]).await.leads_to(), path);
    let page = owner.get(path).await;
    assert!(!owner.get(path).await.page(200).contains("data-copy"), "it is shown once");
    let secret = page.page(200).split("<code data-copy>").nth(1).unwrap();
    let secret = secret.split('<').next().unwrap();
    let ended = browser.get(DASHBOARD).await;
    assert!(ended.page(401).contains("Your session has ended"), "{}", ended.text);
    let old = world.client_token(ADA);
    browser.get(&format!("/client/sign-in?token={old}")).await.page(401);
    let exp = world.mainstay.now().as_second() + 3_600;
    let claims = ClientClaims { sub: ADA.to_owned(), aud: "acme".to_owned(), exp };
    let new = sign_client_token(&claims, secret);
    browser.get(&format!("/client/sign-in?token={new}")).await.leads_to();
    browser.get(DASHBOARD).await.page(200);
});

#[tokio::test]
async fn a_clients_cookie_works_in_a_frame_over_https() {
    let world = World::sqlite_at(|site| Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        ..site
    })
    .await;
    let browser = Browser::new(&world);
    let token = world.client_token(ADA);
    let answer = browser.get(&format!("/client/sign-in?token={token}")).await;
    let cookie = answer.cookie().unwrap();
    assert!(cookie.starts_with("__Host-mainstay-client="), "{cookie}");
    for attribute in
        ["Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/", "Max-Age=3600"]
    {
        assert!(cookie.contains(&format!("; {attribute}")), "{cookie}");
    }
}
