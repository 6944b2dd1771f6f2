//! The widgets: what another site's page may ask for, and what it gets.

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use mainstay::web::page_routes;
use mainstay_store::Scope;

use crate::support::{TestResponse, World};

const SITE: &str = "https://app.example";
const COMPONENTS: [&str; 3] = ["score-card", "heatmap", "insights"];

async fn ask(world: &World, token: &str, path: &str, origin: Option<&str>) -> TestResponse {
    let mut request = world.request("GET", &format!("/widgets/v1/{path}")).bearer_auth(token);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    world.send(request).await
}

async fn allow(world: &World, origin: &str) {
    world.mainstay.add_allowed_site(world.acme.id, origin).await.unwrap();
}

fn readable_by(answer: &TestResponse) -> Option<&str> {
    answer.headers.get("access-control-allow-origin").map(|origin| origin.to_str().unwrap())
}

on_both_databases!(only_an_allowed_site_reads_a_component, async |world| {
    world.be_active("ada", "login", 3).await;
    let token = world.client_token("ada");
    for component in COMPONENTS {
        let refused = ask(world, &token, component, Some(SITE)).await;
        assert!(refused.problem(403)["detail"].as_str().unwrap().contains(SITE));
        assert_eq!(readable_by(&refused), None);
    }
    allow(world, SITE).await;
    for component in COMPONENTS {
        let shown = ask(world, &token, component, Some(SITE)).await;
        assert_eq!(shown.status, 200, "{shown:#?}");
        assert_eq!(readable_by(&shown), Some(SITE));
        assert!(
            shown
                .headers
                .get_all("vary")
                .iter()
                .any(|vary| vary.to_str().unwrap().contains("Origin"))
        );
        assert!(shown.text.contains("<section class=\"card\""), "{shown:#?}");
        let evil = ask(world, &token, component, Some("https://app.example.evil")).await;
        assert_eq!((evil.status.as_u16(), readable_by(&evil)), (403, None));
        // Without an origin it is no page of another site.
        assert_eq!(ask(world, &token, component, None).await.status, 200);
        assert_eq!(ask(world, &token, component, Some(world.url())).await.status, 200);
    }
    let rival = world.rival.owner.clone();
    assert_eq!(ask(world, &rival, "alert-badge", Some(SITE)).await.status, 403);
});

on_both_databases!(a_widget_is_told_that_its_token_has_expired, async |world| {
    world.be_active("ada", "login", 3).await;
    let token = world.client_token("ada");
    world.clock.advance_hours(2);
    for bad in [token.as_str(), "not.a.token", "msk_unknown"] {
        let answer = ask(world, bad, "score-card", Some(SITE)).await;
        answer.problem(401);
        // Whose it was cannot be known; that it has expired may be read by anybody.
        assert_eq!(readable_by(&answer), Some(SITE));
    }
    world.send(world.request("GET", "/widgets/v1/score-card")).await.problem(401);
});

on_both_databases!(each_widget_takes_its_own_kind_of_token, async |world| {
    world.be_active("ada", "login", 3).await;
    for key in [&world.acme.secret_key, &world.acme.write_key, &world.acme.staff] {
        for component in COMPONENTS {
            ask(world, key, component, None).await.problem(403);
        }
    }
    ask(world, &world.client_token("ada"), "alert-badge", None).await.problem(403);
    ask(world, &world.acme.secret_key, "alert-badge", None).await.problem(403);
    let none = ask(world, &world.acme.staff, "alert-badge", None).await;
    assert!(none.text.contains("No open alerts"), "{none:#?}");
    world.clock.advance_hours(80);
    let now = world.mainstay.now();
    world.mainstay.check_client_health(world.acme.id, "ada", now).await.unwrap();
    let some = ask(world, &world.acme.staff, "alert-badge", None).await;
    assert!(some.text.contains("<b>1</b> open"), "{some:#?}");
    assert!(some.text.contains("data-severity=\"critical\""), "{some:#?}");
});

on_both_databases!(every_address_answers_each_kind_of_token_as_the_table_says, async |world| {
    world.be_active("ada", "content_generated", 12).await;
    world.be_active("bob", "login", 2).await;
    world.clock.advance_hours(36);
    let now = world.mainstay.now();
    world.mainstay.generate_weekly_insights(world.acme.id, "ada", now).await.unwrap();
    let scope = Scope::Service(world.acme.id);
    let ada = world.mainstay.client(scope, "ada").await.unwrap();
    let insight = world.mainstay.client_insights(scope, ada.id, false).await.unwrap()[0].id;
    let tokens = [
        world.client_token("ada"),
        world.client_token("bob"),
        world.acme.owner.clone(),
        world.acme.staff.clone(),
        world.rival.owner.clone(),
        world.acme.secret_key.clone(),
        world.acme.write_key.clone(),
    ];
    #[rustfmt::skip]
    let table = [
        //                                      ada  bob  owner staff rival secret write
        ("GET", "/widgets.js",                 [200, 200, 200, 200, 200, 200, 200]),
        ("GET", "/widgets/v1/style.css",       [200, 200, 200, 200, 200, 200, 200]),
        ("GET", "/widgets/v1/score-card",      [200, 200, 403, 403, 403, 403, 403]),
        ("GET", "/widgets/v1/heatmap",         [200, 200, 403, 403, 403, 403, 403]),
        ("GET", "/widgets/v1/insights",        [200, 200, 403, 403, 403, 403, 403]),
        ("POST", "/widgets/v1/insights/{insight_id}", [200, 404, 403, 403, 403, 403, 403]),
        ("GET", "/widgets/v1/events",          [200, 200, 403, 403, 403, 403, 403]),
        ("GET", "/widgets/v1/alert-badge",     [403, 403, 200, 200, 200, 403, 403]),
    ];
    for (method, path, expected) in table {
        for (token, expected) in tokens.iter().zip(expected) {
            let request =
                world.request(method, &path.replace("{insight_id}", &insight.to_string()));
            let form = request.header("content-type", "application/x-www-form-urlencoded");
            let answer = world.send(form.bearer_auth(token).body("action=mark-read")).await;
            assert_eq!(answer.status, expected, "{method} {path}: {answer:#?}");
        }
    }
    let listed = page_routes().into_iter().filter(|route| route.path.starts_with("/widgets"));
    let listed: BTreeSet<_> = listed.map(|route| (route.method, route.path)).collect();
    assert_eq!(listed, table.iter().map(|(method, path, _)| (*method, *path)).collect());
});

on_both_databases!(an_insight_is_acted_on_inside_a_widget, async |world| {
    world.be_active("ada", "content_generated", 12).await;
    world.be_active("bob", "login", 2).await;
    world.clock.advance_hours(36);
    let now = world.mainstay.now();
    world.mainstay.generate_weekly_insights(world.acme.id, "ada", now).await.unwrap();
    allow(world, SITE).await;
    let scope = Scope::Service(world.acme.id);
    let ada = world.mainstay.client(scope, "ada").await.unwrap();
    let insights = world.mainstay.client_insights(scope, ada.id, false).await.unwrap();
    let path = format!("/widgets/v1/insights/{}", insights[0].id);
    let send = async |token: &str, origin: &str, form: &'static str| {
        let request = world.request("POST", &path).bearer_auth(token).header("origin", origin);
        let form = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        world.send(form).await
    };
    let (ada, bob) = (world.client_token("ada"), world.client_token("bob"));
    send(&bob, SITE, "action=mark-read").await.problem(404);
    send(&ada, "https://evil.example", "action=mark-read").await.problem(403);
    send(&ada, SITE, "action=eat").await.problem(422);
    send(&ada, SITE, "eat=1").await.problem(422);
    let before = ask(world, &ada, "insights", None).await.text.matches("class=\"unread\"").count();
    let shown = send(&ada, SITE, "action=mark-read").await;
    assert_eq!(shown.status, 200, "{shown:#?}");
    assert_eq!(shown.text.matches("class=\"unread\"").count(), before - 1);
    let shown = send(&ada, SITE, "action=dismiss").await;
    assert!(!shown.text.contains(&insights[0].id.to_string()), "{shown:#?}");
    let events = ask(world, &ada, "events?type=content_generated", Some(SITE)).await;
    assert_eq!(events.text.matches("<details class=\"raw\">").count(), 12);
    ask(world, &ada, "events?from=yesterday", Some(SITE)).await.problem(422);
});

on_both_databases!(a_client_with_nothing_yet_has_widgets_too, async |world| {
    let token = world.client_token("unknown");
    for (component, said) in [
        ("score-card", "Not scored yet"),
        ("heatmap", "No events yet."),
        ("insights", "The next insights arrive on"),
        ("events", "No events were stored"),
    ] {
        let shown = ask(world, &token, component, None).await;
        assert!(shown.text.contains(said), "{component}: {shown:#?}");
    }
});

#[tokio::test]
async fn a_browser_may_ask_before_it_sends_a_token() {
    let world = World::sqlite().await;
    for path in
        ["/widgets/v1/score-card", "/widgets/v1/insights/019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"]
    {
        let request = world
            .request("OPTIONS", path)
            .header("origin", SITE)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let answer = world.send(request).await;
        assert_eq!(answer.status, 204, "{answer:#?}");
        assert_eq!(readable_by(&answer), Some(SITE));
        assert_eq!(answer.headers["access-control-allow-headers"], "authorization, content-type");
        // A cookie is never asked for.
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    world.close().await;
}

#[tokio::test]
async fn the_script_is_small_and_brings_the_style_that_goes_with_it() {
    let world = World::sqlite().await;
    let script = world.send(world.request("GET", "/widgets.js").header("origin", SITE)).await;
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers["cross-origin-resource-policy"], "cross-origin");
    assert_eq!(readable_by(&script), Some(SITE));
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(script.text.as_bytes()).unwrap();
    assert!(packed.finish().unwrap().len() <= 10 * 1024);
    for unsafe_words in ["eval(", "new Function", ".style.", "setAttribute(\"style"] {
        assert!(!script.text.contains(unsafe_words), "{unsafe_words}");
    }
    let (_, rest) = script.text.split_once("/style.css?v=").unwrap();
    let version: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(version.len(), 16, "{rest:.40}");
    let style =
        world.send(world.request("GET", &format!("/widgets/v1/style.css?v={version}"))).await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
    assert!(style.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(
        style.text.contains(":host {") && !style.text.contains(":root {"),
        "not for a shadow root"
    );
    assert!(style.text.contains(":host([theme=\"dark\"])"));
    world.close().await;
}
