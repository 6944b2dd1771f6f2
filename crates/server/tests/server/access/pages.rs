use mainstay_store::Role;

use crate::{
    support::{TestResponse, World},
    web::browser::Browser,
};

const ADA: &str = "ada-of-acme";
const NAVIGATION: &str = "<nav class=\"nav\" aria-label=\"Main\">";

#[tokio::test]
async fn a_failure_stays_in_the_frame_of_whoever_asked_with_a_way_back() {
    let world = World::sqlite().await;
    world.be_active(ADA, "login", 2).await;
    let staff = Browser::member(&world, &world.acme, Role::Staff).await;
    let missing = staff.get("/nowhere").await;
    let unknown = staff.get("/clients/nobody").await;
    let forbidden = staff.get("/settings/keys").await;
    let wrong = staff.post("/clients/ada-of-acme/notes", &[("text", "")]).await;
    let cross = [("sec-fetch-site", "cross-site")];
    let refused = staff.send("POST", "/settings/profile", &cross, Some(&[("name", "x")])).await;
    for (answer, status, back) in [
        (&missing, 404, "/portfolio"),
        (&unknown, 404, "/portfolio"),
        (&forbidden, 403, "/portfolio"),
        (&wrong, 422, "/portfolio"),
        (&refused, 403, "/portfolio"),
    ] {
        let page = answer.page(status);
        assert!(page.contains(NAVIGATION) && page.contains("Sign out"), "{page}");
        assert!(page.contains(&format!("<a class=\"btn\" href=\"{back}\">")), "{page}");
    }
    assert!(forbidden.text.contains("href=\"/settings\" aria-current=\"page\""));
    // A form that cannot be used leads back to where it was.
    let referer = format!("{}/clients/{ADA}?x=1", world.url());
    let headers = [("sec-fetch-site", "same-origin"), ("referer", referer.as_str())];
    let path = format!("/clients/{ADA}/notes");
    let answer = staff.send("POST", &path, &headers, Some(&[("text", "")])).await;
    assert!(
        answer.page(422).contains("href=\"/clients/ada-of-acme?x=1\">Go back"),
        "{}",
        answer.text
    );
    let elsewhere = [("sec-fetch-site", "same-origin"), ("referer", "https://evil.example/x")];
    let answer = staff.send("POST", &path, &elsewhere, Some(&[("text", "")])).await;
    assert!(!answer.page(422).contains("evil.example"), "{}", answer.text);
    // Nobody knows who: the bare frame, and the start page.
    let stranger = Browser::new(&world).get("/nowhere").await;
    assert!(!stranger.page(404).contains(NAVIGATION) && stranger.text.contains("href=\"/\""));
}

fn leads_to_no_staff(answer: &TestResponse) {
    for staff in ["href=\"/\"", "href=\"/sign-in", "href=\"/portfolio"] {
        assert!(!answer.text.contains(staff), "{staff} in {}", answer.text);
    }
}

#[tokio::test]
async fn a_failure_never_leads_a_client_to_the_sign_in_of_staff() {
    let world = World::sqlite().await;
    world.be_active(ADA, "login", 2).await;
    let client = Browser::client(&world, ADA).await;
    let somebody = Browser::new(&world);
    for (path, known) in [("/client/nope", 404), ("/client/events?from=x", 422), ("/client", 404)] {
        let answer = client.get(path).await;
        assert!(
            answer.page(known).contains("href=\"/client/dashboard/success\">Back to your page")
        );
        assert!(answer.text.contains("Studio of-acme"), "{}", answer.text);
        leads_to_no_staff(&answer);
        let answer = somebody.get(path).await;
        assert!(answer.status.is_client_error());
        leads_to_no_staff(&answer);
    }
    let answer = client.post("/client/feedback", &[("rating", "9")]).await;
    assert!(answer.page(422).contains("Back to your page"));
    leads_to_no_staff(&answer);
    for path in ["/client/dashboard/success", "/client/sign-in?token=x", "/email/unsubscribe/x"] {
        leads_to_no_staff(&somebody.get(path).await);
    }
}

#[tokio::test]
async fn a_framed_page_may_say_why_it_does_not_show_what_was_asked() {
    let world = World::sqlite().await;
    let site = "https://app.example.com";
    let asks = async |referer: Option<&str>, path: &str| {
        let referer = referer.map(|referer| ("referer", referer));
        let headers: Vec<(&str, &str)> = referer.into_iter().collect();
        let answer = Browser::new(&world).send("GET", path, &headers, None).await;
        assert_eq!(answer.status, 401, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        policy.rsplit_once("frame-ancestors ").unwrap().1.to_owned()
    };
    let pages = ["/client/dashboard/success", "/client/events", "/client/sign-in?token=x"];
    for path in pages {
        assert_eq!(asks(None, path).await, "'none'");
    }
    world.mainstay.add_allowed_site(world.acme.id, site).await.unwrap();
    for path in pages {
        assert_eq!(asks(Some("https://app.example.com/"), path).await, site);
        assert_eq!(asks(None, path).await, site);
        assert_eq!(asks(Some("https://evil.example/"), path).await, "'none'");
    }
    // With two organizations, nobody is told the other's.
    world.mainstay.add_allowed_site(world.rival.id, "https://rival.example.com").await.unwrap();
    for path in pages {
        assert_eq!(asks(Some("https://app.example.com/"), path).await, site);
        assert_eq!(asks(None, path).await, "'none'");
    }
}
