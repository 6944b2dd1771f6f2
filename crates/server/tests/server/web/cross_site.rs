use mainstay::site::Site;
use mainstay_store::Role;

use super::browser::Browser;
use crate::support::World;

const PATH: &str = "/settings/profile";
const FORM: [(&str, &str); 1] = [("name", "Grace")];

#[tokio::test]
async fn what_another_site_makes_a_browser_send_is_not_done() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    let host = world.url().strip_prefix("http://").unwrap().to_owned();
    let (own, own_https) = (format!("http://{host}"), format!("https://{host}"));
    let cases: [(&[(&str, &str)], bool); 12] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "odd")], false),
        // What it says counts, whatever else is claimed.
        (&[("sec-fetch-site", "cross-site"), ("origin", &own)], false),
        (&[("origin", &own)], true),
        // A proxy may have taken HTTPS off.
        (&[("origin", &own_https)], true),
        (&[("origin", "http://127.0.0.1:1")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        // No browser.
        (&[], true),
    ];
    for (headers, done) in cases {
        let answer = browser.send("POST", PATH, headers, Some(&FORM)).await;
        if done {
            assert_eq!(answer.leads_to(), "/settings/profile?done=saved", "{headers:?}");
        } else {
            assert!(answer.page(403).contains("sent from another site"), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn a_proxy_may_call_the_server_by_another_name() {
    let world = World::sqlite_at(|site| Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        ..site
    })
    .await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    for (origin, status) in [
        ("https://success.example.com", 303),
        ("https://success.example.com:8443", 403),
        ("http://success.example.com", 403),
        ("https://success.example.com.evil.example", 403),
    ] {
        let answer = browser.send("POST", PATH, &[("origin", origin)], Some(&FORM)).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn another_site_cannot_sign_somebody_in_or_out() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    let headers = [("sec-fetch-site", "cross-site")];
    let form = [("email", "owner@of-acme.example"), ("password", super::browser::PASSWORD)];
    for (path, form) in
        [("/sign-in", &form[..]), ("/sign-out", &[]), ("/theme", &[("theme", "dark")])]
    {
        browser.send("POST", path, &headers, Some(form)).await.page(403);
    }
    browser.get(PATH).await.page(200);
}

#[tokio::test]
async fn the_theme_is_kept_in_the_browser_and_goes_back_to_the_page() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    assert!(!browser.get("/sign-in").await.page(200).contains("data-theme"));
    let referer = format!("{}/sign-in?email=a", world.url());
    let headers = [("sec-fetch-site", "same-origin"), ("referer", referer.as_str())];
    let answer = browser.send("POST", "/theme", &headers, Some(&[("theme", "dark")])).await;
    assert_eq!(answer.leads_to(), "/sign-in?email=a");
    assert!(
        browser.get("/sign-in").await.page(200).contains("<html lang=\"en\" data-theme=\"dark\">")
    );
    browser.post("/theme", &[("theme", "odd")]).await.page(400);
}
