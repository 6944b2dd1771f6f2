use mainstay::web::page_routes;
use mainstay_store::Role;

use super::browser::Browser;
use crate::support::World;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors ";

#[tokio::test]
async fn every_page_forbids_what_it_does_not_need() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    let somebody = Browser::new(&world);
    for route in page_routes() {
        // Other sites use these, with headers of their own.
        if route.path.starts_with("/assets/") || route.path.starts_with("/widgets") {
            continue;
        }
        let path = route.path.replace("{secret}", "x").replace(['{', '}'], "");
        for who in [&browser, &somebody] {
            let answer = who.send(route.method, &path, &[], Some(&[])).await;
            let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
            let policy = format!("{POLICY}'none'");
            assert_eq!(header("content-security-policy"), Some(policy.as_str()), "{route:?}");
            assert_eq!(header("x-content-type-options"), Some("nosniff"), "{route:?}");
            assert_eq!(header("referrer-policy"), Some("same-origin"), "{route:?}");
            assert_eq!(header("cross-origin-opener-policy"), Some("same-origin"), "{route:?}");
            let cached = header("cache-control").unwrap();
            assert!(cached.contains("no-store"), "{route:?}: {cached}");
        }
    }
}

const WITHOUT_SCRIPT: &str =
    "<noscript>\n    <meta http-equiv=\"refresh\" content=\"5\">\n  </noscript>";

#[tokio::test]
async fn no_page_carries_script_or_style_of_its_own() {
    let world = World::sqlite().await;
    let browser = Browser::member(&world, &world.acme, Role::Owner).await;
    for route in page_routes() {
        let page = route.method == "GET" && !route.path.contains('{');
        // A stream is no page, and never ends; what widgets load is none either.
        if !page || route.path.ends_with("/stream") || route.path.starts_with("/widgets") {
            continue;
        }
        // Live events come by themselves without script, too.
        let html = browser.get(route.path).await.text.replace(WITHOUT_SCRIPT, "");
        for forbidden in ["<style", " style=", "<script>", "javascript:", " onclick=", "http-equiv"]
        {
            assert!(!html.contains(forbidden), "{} has {forbidden}", route.path);
        }
        for (at, _) in html.match_indices("<script ") {
            assert!(html[at..].starts_with("<script src=\"/"), "{}", route.path);
        }
    }
}

on_both_databases!(only_the_organizations_own_sites_may_frame_a_clients_page, async |world| {
    let acme = world.acme.id;
    for site in ["https://app.example.com", "http://localhost:3000"] {
        world.mainstay.add_allowed_site(acme, site).await.unwrap();
    }
    let client = Browser::client(world, "ada-of-acme").await;
    let page = client.get("/client/dashboard/success").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert_eq!(policy, format!("{POLICY}http://localhost:3000 https://app.example.com"));
    // A staff page is nobody's to frame.
    let staff = Browser::member(world, &world.acme, Role::Owner).await;
    let page = staff.get("/settings/profile").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert_eq!(policy, format!("{POLICY}'none'"));
});

#[tokio::test]
async fn what_is_not_there_is_told_on_a_page_and_to_programs_as_a_problem() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let page = browser.get("/nowhere").await;
    assert!(page.page(404).contains("Page not found"));
    assert!(page.text.contains("href=\"/\""));
    browser.send("DELETE", "/sign-in", &[], None).await.page(405);
    browser.get("/sign-in?next=%ff").await.page(200);
    browser.get("/settings/keys/%ff/revoke").await.leads_to();
    browser.get("/api/nowhere").await.problem(404);
    browser.get("/v1/nowhere").await.problem(404);
    let large = "x".repeat(100_000);
    browser.post("/sign-in", &[("email", &large), ("password", "x")]).await.page(413);
    browser.post("/sign-in", &[("email", "a@example.com")]).await.page(400);
}
