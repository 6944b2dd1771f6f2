//! What a page costs the first time it is opened, all in all.

use std::collections::BTreeSet;

use mainstay::site::Site;
use mainstay_store::Role;
use reqwest::redirect::Policy;

use super::browser::Browser;
use crate::support::World;

const MOST_BYTES: usize = 100 * 1024;

/// Bytes on the way, as a browser asks for them, and the text.
async fn transferred(browser: &Browser, url: &str) -> (usize, String) {
    let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let request = http.get(url).header("cookie", browser.kept());
    let packed =
        request.try_clone().unwrap().header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.status(), 200, "{url}");
    let bytes = packed.bytes().await.unwrap().len();
    (bytes, request.send().await.unwrap().text().await.unwrap())
}

/// The files that a page loads.
fn loaded(page: &str) -> BTreeSet<String> {
    let attributes = [
        "<link rel=\"stylesheet\" href=\"",
        "<script src=\"",
        "<link rel=\"icon\" href=\"",
        "<img src=\"",
    ];
    attributes
        .iter()
        .flat_map(|attribute| page.split(attribute).skip(1))
        .map(|rest| rest.split_once('"').unwrap().0.to_owned())
        .collect()
}

#[tokio::test]
async fn a_page_and_all_that_it_loads_is_at_most_100_kb_from_here() {
    let world = World::sqlite_at(|site| Site { demo: true, ..site }).await;
    for name in ["login", "page_view", "content_generated", "visual_created", "Some Name"] {
        world.be_active("ada", name, 150).await;
    }
    // As many as the lists show at once, each with alerts.
    for number in 0..60 {
        world
            .be_active(&format!("client-{number}-with-a-name-as-long-as-they-are"), "login", 1)
            .await;
    }
    world.clock.advance_hours(24 * 5);
    let now = world.mainstay.now();
    world.mainstay.generate_weekly_insights(world.acme.id, "ada", now).await.unwrap();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
    let client = Browser::client(&world, "ada").await;
    let staff = Browser::member(&world, &world.acme, Role::Owner).await;
    let pages = [
        (&client, "/client/dashboard/success"),
        (&client, "/client/events"),
        (&staff, "/clients/ada"),
        (&staff, "/clients/ada/events"),
        (&staff, "/portfolio"),
        (&staff, "/portfolio?view=all"),
        (&staff, "/alerts"),
        (&staff, "/live"),
        (&staff, "/gallery"),
    ];
    for (browser, path) in pages {
        let (mut bytes, page) = transferred(browser, &format!("{}{path}", world.url())).await;
        for file in loaded(&page) {
            assert!(file.starts_with('/') && !file.starts_with("//"), "{path} loads {file}");
            bytes += transferred(browser, &format!("{}{file}", world.url())).await.0;
        }
        assert!(bytes <= MOST_BYTES, "{path}: {bytes} bytes");
    }
    world.close().await;
}
