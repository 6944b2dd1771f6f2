use mainstay::site::Site;
use mainstay_store::Role;

use crate::{
    support::{TestResponse, World},
    web::browser::{Browser, PASSWORD, email, member_id},
};

async fn behind_a_proxy() -> World {
    World::sqlite_at(|site| Site { behind_proxy: true, ..site }).await
}

async fn try_from(
    browser: &Browser,
    header: (&str, &str),
    address: &str,
    password: &str,
) -> TestResponse {
    let headers = [header, ("sec-fetch-site", "same-origin")];
    let form = [("email", address), ("password", password)];
    browser.send("POST", "/sign-in", &headers, Some(&form)).await
}

#[tokio::test]
async fn each_address_behind_a_proxy_has_its_own_limit_however_the_proxy_writes_it() {
    for (name, attacker, others) in [
        ("x-forwarded-for", "203.0.113.9:{}", "203.0.113.10:51234"),
        ("x-forwarded-for", "10.0.0.1, [2001:db8:1::9]:{}", "[2001:db8:2::1]:443"),
        ("x-forwarded-for", "\"[2001:db8:1::9]:{}\"", "2001:db8:2::1"),
        ("forwarded", "for=203.0.113.9:{};proto=https", "for=203.0.113.10;proto=https"),
        ("forwarded", "for=a, for=\"[2001:db8:1::9]:{}\"", "for=\"[2001:db8:2::1]:443\""),
    ] {
        let world = behind_a_proxy().await;
        let browser = Browser::new(&world);
        let who = "guess@example.com";
        for port in 0..10 {
            let from = attacker.replace("{}", &(4_000 + port).to_string());
            try_from(&browser, (name, &from), who, "wrong").await.page(422);
        }
        let from = attacker.replace("{}", "5000");
        try_from(&browser, (name, &from), who, "wrong").await.page(429);
        try_from(&browser, (name, others), who, "wrong").await.page(422);
    }
}

#[tokio::test]
async fn https_is_what_the_first_proxy_or_the_operator_says() {
    let forwarded = behind_a_proxy().await;
    let chosen = World::sqlite_at(|site| Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        behind_proxy: true,
        ..site
    })
    .await;
    for (world, name, value, https) in [
        (&forwarded, "x-forwarded-proto", "https", true),
        (&forwarded, "x-forwarded-proto", "https, http", true),
        (&forwarded, "x-forwarded-proto", "https,https", true),
        (&forwarded, "x-forwarded-proto", "HTTPS", true),
        (&forwarded, "forwarded", "for=192.0.2.1;proto=https", true),
        (&forwarded, "x-forwarded-proto", "http", false),
        (&forwarded, "x-forwarded-proto", "http, https", false),
        // The operator chose HTTPS: what proxies speak among themselves is not what people use.
        (&chosen, "x-forwarded-proto", "http", true),
        (&chosen, "x-forwarded-proto", "", true),
    ] {
        let owner = member_id(world, &world.acme, Role::Owner).await;
        world.mainstay.set_password(world.acme.id, owner, PASSWORD).await.unwrap();
        let browser = Browser::new(world);
        let headers = [("host", "success.example.com"), (name, value), ("sec-fetch-site", "none")];
        let answer = browser.send("GET", "/sign-in", &headers, None).await;
        assert_eq!(answer.status, if https { 200 } else { 403 }, "{name}: {value}");
        let form = [("email", &*email(&world.acme, Role::Owner)), ("password", PASSWORD)];
        let answer = browser.send("POST", "/sign-in", &headers, Some(&form)).await;
        match answer.cookie() {
            Some(cookie) => assert!(https && cookie.starts_with("__Host-mainstay="), "{cookie}"),
            None => assert!(!https && answer.status == 403, "{name}: {value}: {answer:#?}"),
        }
    }
}
