//! Where emails lead, and what following their links changes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay_core::email::{EmailState, SubscriptionState};
use mainstay_store::Scope;

use super::{MailServer, client, email_to, run_weekly, sender, server::Mail};
use crate::{
    support::World,
    web::browser::{Browser, path_of},
};

const BROWSER: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");

/// The weekly email of a client, as it arrived.
async fn arrived(world: &World, server: &MailServer, name: &str) -> Mail {
    client(world, name, Some(SubscriptionState::Subscribed)).await;
    run_weekly(world).await;
    let (mut sender, _stop) = sender(world, server);
    sender.send_due().await.unwrap();
    server.mails().pop().unwrap()
}

fn unsubscribe_path(mail: &Mail) -> String {
    path_of(mail.header("list-unsubscribe").trim_matches(['<', '>']))
}

pub(super) async fn state(world: &World, name: &str) -> SubscriptionState {
    let scope = Scope::Service(world.acme.id);
    let client = world.mainstay.client(scope, name).await.unwrap();
    world.mainstay.subscription(scope, client.id).await.unwrap().unwrap().state
}

on_both_databases!(every_link_of_a_mail_works, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let addresses = mail.addresses();
    assert_eq!(addresses.len(), 3, "{addresses:?}");
    for address in &addresses {
        assert!(address.starts_with(world.url()), "{address}");
        let browser = Browser::new(world);
        let answer = browser.get(&path_of(address)).await;
        assert!(matches!(answer.status.as_u16(), 200 | 303), "{address}: {answer:?}");
        if address.contains("/click/") {
            let sign_in = path_of(answer.leads_to());
            let page = browser.get(&sign_in).await.leads_to().to_owned();
            browser.get(&page).await.page(200);
        }
    }
    for path in ["/email/click/", "/email/open/", "/email/unsubscribe/", "/email/confirm/"] {
        for token in [
            "AAAAAAAAAAAAAAAAAAAAAA",
            "x",
            &"A".repeat(64),
            &"A".repeat(86),
            "https%3A%2F%2Fevil.example",
        ] {
            let browser = Browser::new(world);
            assert_eq!(browser.get(&format!("{path}{token}")).await.status, 404);
        }
    }
});

on_both_databases!(only_a_post_unsubscribes_and_it_needs_no_cookie, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let path = unsubscribe_path(&mail);
    for _ in 0..1_000 {
        let answer = world.send(world.request("GET", &path)).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(state(world, "ada").await, SubscriptionState::Subscribed);
    // As an email program does it, from wherever it is.
    let request = world
        .request("POST", &path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "https://mail.example")
        .header("sec-fetch-site", "cross-site")
        .body("List-Unsubscribe=One-Click");
    assert_eq!(world.send(request).await.status, 200);
    assert_eq!(state(world, "ada").await, SubscriptionState::Unsubscribed);
    assert!(
        world.send(world.request("GET", &path)).await.page(200).contains("You are unsubscribed")
    );
    // An email that waits is not sent any more.
    world.clock.advance_hours(7 * 24);
    run_weekly(world).await;
    assert_eq!(email_to(world, "ada").await.state, EmailState::Sent);
});

on_both_databases!(an_address_is_asked_before_it_gets_mails, async |world| {
    let server = MailServer::start();
    client(world, "ada", Some(SubscriptionState::Pending)).await;
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    let mail = server.mails().pop().unwrap();
    assert!(!mail.headers.contains_key("list-unsubscribe"));
    let addresses = mail.addresses();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    let path = path_of(&addresses[0]);
    let browser = Browser::new(world);
    for _ in 0..3 {
        browser.get(&path).await.page(200);
    }
    assert_eq!(state(world, "ada").await, SubscriptionState::Pending);
    assert!(browser.post(&path, &[]).await.page(200).contains("is on"));
    assert_eq!(state(world, "ada").await, SubscriptionState::Subscribed);
    run_weekly(world).await;
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().len(), 2);
});

on_both_databases!(opens_and_clicks_are_told_apart_from_those_of_programs, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let addresses = mail.addresses();
    let path =
        |part: &str| path_of(addresses.iter().find(|address| address.contains(part)).unwrap());
    let fetch = async |path: &str, agent: (&str, &str)| {
        let http = world.request("GET", path).header(agent.0, agent.1);
        world.send(http).await
    };
    // As soon as it is there: a program that checks emails.
    fetch(&path("/open/"), BROWSER).await;
    let email = email_to(world, "ada").await;
    assert_eq!(email.opened_at, None);
    world.clock.advance_hours(1);
    fetch(&path("/open/"), ("user-agent", "GoogleImageProxy")).await;
    assert_eq!(email_to(world, "ada").await.opened_at, None);
    fetch(&path("/open/"), BROWSER).await;
    fetch(&path("/click/"), BROWSER).await;
    let email = email_to(world, "ada").await;
    assert_eq!(email.opened_at, Some(world.mainstay.now()));
    assert_eq!(email.clicked_at, Some(world.mainstay.now()));
    let key = &world.acme.secret_key;
    let details = world.get(key, &format!("/api/v1/emails/{}", email.id)).await.json(200);
    let mut suspected: Vec<bool> = details["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["suspected_prefetch"].as_bool().unwrap())
        .collect();
    suspected.sort_unstable();
    assert_eq!(suspected, [false, false, true, true]);
});

on_both_databases!(a_client_turns_its_mails_on_and_off, async |world| {
    world.be_active("ada", "login", 2).await;
    world.clock.advance_hours(1);
    let browser = Browser::client(world, "ada").await;
    let page = browser.get("/client/dashboard/success").await;
    assert!(page.page(200).contains("Get the weekly email"));
    // An address that the app has not told is asked first.
    let wish = [("state", "subscribed"), ("address", "ada@elsewhere.example")];
    assert!(browser.post("/client/emails", &wish).await.leads_to().ends_with("#emails-h"));
    assert_eq!(state(world, "ada").await, SubscriptionState::Pending);
    let key = &world.acme.secret_key;
    let known = serde_json::json!({"email": "ada@example.com"});
    world.patch(key, "/api/v1/clients/ada", known).await.json(200);
    let wish = [("state", "subscribed"), ("address", "ada@example.com")];
    browser.post("/client/emails", &wish).await.leads_to();
    assert_eq!(state(world, "ada").await, SubscriptionState::Subscribed);
    let path = "/api/v1/clients/ada/email-subscription";
    let told = world.get(key, path).await.json(200);
    assert_eq!(
        (&told["source"], &told["address"]),
        (&"client_page".into(), &"ada@example.com".into())
    );
    assert_eq!(told["history"].as_array().unwrap().len(), 2);
    browser.post("/client/emails", &[("state", "unsubscribed")]).await.leads_to();
    assert_eq!(state(world, "ada").await, SubscriptionState::Unsubscribed);
});

/// Where the button of an email leads right now: into the client's page, or to a page that explains.
async fn lets_in(world: &World, click: &str) -> bool {
    let browser = Browser::new(world);
    let answer = browser.get(click).await;
    if answer.status == 303 {
        let page = browser.get(&path_of(answer.leads_to())).await.leads_to().to_owned();
        browser.get(&page).await.page(200);
        return true;
    }
    assert!(answer.page(200).contains("Get a new link to your page"), "{answer:?}");
    false
}

fn path(mail: &Mail, part: &str) -> String {
    let addresses = mail.addresses();
    path_of(addresses.iter().find(|address| address.contains(part)).unwrap())
}

on_both_databases!(each_link_of_a_mail_is_good_for_one_thing, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let names = ["open", "click", "unsubscribe"];
    let tokens = names.map(|name| {
        let path = path(&mail, &format!("/email/{name}/"));
        path.rsplit('/').next().unwrap().to_owned()
    });
    let browser = Browser::new(world);
    for (name, token) in names.iter().zip(&tokens) {
        for other in ["open", "click", "unsubscribe", "confirm"] {
            let answer = browser.get(&format!("/email/{other}/{token}")).await;
            assert_eq!(answer.status == 404, other != *name, "{name} as {other}: {answer:?}");
        }
        // Any change of it makes it worthless; so does a part of it.
        let mut changed = token.clone().into_bytes();
        for place in [0, 20, 30, changed.len() - 2] {
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(changed.clone()).unwrap();
            let answer = browser.get(&format!("/email/{name}/{text}")).await;
            // The last part of the button's token lets in; without it, the page explains.
            let explained = *name == "click" && place == changed.len() - 2;
            assert_eq!(answer.status, if explained { 200 } else { 404 }, "{name} {place}");
            changed.clone_from(&token.clone().into_bytes());
        }
        browser.get(&format!("/email/{name}/{}", &token[..token.len() - 1])).await.page(404);
    }
    // Nothing of it stands in the database.
    let scope = Scope::Service(world.acme.id);
    let kept = email_to(world, "ada").await;
    let seed = world.mainstay.email(scope, kept.id).await.unwrap().whole.token;
    let hex = seed.map(|byte| format!("{byte:02x}")).concat();
    for text in [URL_SAFE_NO_PAD.encode(seed), hex] {
        assert!(!mail.html.contains(&text) && !mail.text.contains(&text), "{text}");
    }
});

on_both_databases!(a_button_lets_in_for_a_day_and_a_new_link_is_mailed, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let click = path(&mail, "/click/");
    world.clock.advance_hours(23);
    assert!(lets_in(world, &click).await);
    world.clock.advance_hours(1);
    assert!(!lets_in(world, &click).await);
    let browser = Browser::new(world);
    let (mut sender, _stop) = sender(world, &server);
    for _ in 0..20 {
        assert!(browser.post(&click, &[]).await.page(200).contains("Check your inbox"));
    }
    sender.send_due().await.unwrap();
    let fresh: Vec<Mail> = server.mails().into_iter().skip(1).collect();
    assert_eq!(fresh.len(), 5, "nobody's mailbox is filled");
    let link = path(&fresh[0], "/client/sign-in");
    assert_eq!(fresh[0].to, "ada@example.com");
    browser.get(&link).await.leads_to();
    browser.get("/client/dashboard/success").await.page(200);
    world.clock.advance_hours(24);
    Browser::new(world).get(&link).await.page(401);
});

on_both_databases!(a_new_secret_ends_what_lets_in_but_not_the_way_out, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let click = path(&mail, "/click/");
    assert!(lets_in(world, &click).await);
    world.mainstay.replace_client_token_secret(world.acme.id).await.unwrap();
    assert!(!lets_in(world, &click).await);
    // Emails that wait are made with the secret there is when they are sent.
    world.clock.advance_hours(7 * 24);
    run_weekly(world).await;
    world.mainstay.replace_client_token_secret(world.acme.id).await.unwrap();
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    let newest = server.mails().pop().unwrap();
    assert!(lets_in(world, &path(&newest, "/click/")).await);
    let out = world.request("POST", &unsubscribe_path(&mail)).body("List-Unsubscribe=One-Click");
    assert_eq!(world.send(out).await.status, 200);
    assert_eq!(state(world, "ada").await, SubscriptionState::Unsubscribed);
    assert!(!lets_in(world, &path(&newest, "/click/")).await, "unsubscribed");
});

on_both_databases!(a_mail_to_an_address_that_was_changed_lets_nobody_in, async |world| {
    let server = MailServer::start();
    let mail = arrived(world, &server, "ada").await;
    let click = path(&mail, "/click/");
    let url = "/api/v1/clients/ada/email-subscription";
    let changed = serde_json::json!({"state": "subscribed", "address": "new@example.com"});
    world.put(&world.acme.secret_key, url, changed).await.json(200);
    assert!(!lets_in(world, &click).await);
    // A new link goes to the address of now, which the page does not tell.
    let page = Browser::new(world).post(&click, &[]).await;
    assert!(!page.page(200).contains("new@example.com"), "{page:?}");
    let (mut sender, _stop) = sender(world, &server);
    sender.send_due().await.unwrap();
    assert_eq!(server.mails().pop().unwrap().to, "new@example.com");
});
