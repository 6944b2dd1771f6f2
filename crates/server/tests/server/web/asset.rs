use super::browser::Browser;
use crate::support::World;

/// Every asset that a page refers to, by its address.
fn assets(html: &str) -> Vec<String> {
    html.split('"').filter(|text| text.starts_with("/assets/")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_an_address_that_names_their_content() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let html = browser.get("/sign-in").await.text;
    let assets = assets(&html);
    assert!(assets.len() >= 4, "{assets:?}");
    for asset in assets {
        let answer = browser.get(&asset).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let tag = answer.headers["etag"].to_str().unwrap();
        let known = browser.send("GET", &asset, &[("if-none-match", tag)], None).await;
        assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""), "{asset}");
        // Under another address the content may be another one tomorrow.
        let (path, _) = asset.split_once('?').unwrap();
        assert_eq!(browser.get(path).await.headers["cache-control"], "no-cache");
        assert_eq!(
            browser.get(&format!("{path}?v=old")).await.headers["cache-control"],
            "no-cache"
        );
    }
    browser.get("/assets/nothing.css").await.page(404);
    browser.get("/assets/..%2f..%2fCargo.toml").await.page(404);
}

#[tokio::test]
async fn pages_and_assets_are_compressed_and_small() {
    let world = World::sqlite().await;
    let browser = Browser::new(&world);
    let html = browser.get("/sign-in").await.text;
    let mut total = 0;
    for path in assets(&html).iter().map(String::as_str).chain(["/sign-in"]) {
        let request = world.request("GET", path).header("accept-encoding", "gzip");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        total += response.bytes().await.unwrap().len();
    }
    assert!(total < 100 * 1024, "{total} bytes");
}
