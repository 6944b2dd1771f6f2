//! Who sees which page and does what there, page by page, in one table.

mod needs;
mod table;
mod viewer;

use std::collections::BTreeSet;

use mainstay::web::page_routes;
use mainstay_store::{Role, Scope};

use super::browser::Browser;
use crate::support::World;
use needs::Needs;
pub(crate) use needs::email_of;
use table::table;

/// Whoever is asking, in the order of the table's columns. `rival` is the owner of another
/// organization.
const CALLERS: [&str; 7] = ["owner", "admin", "staff", "client", "other client", "rival", "nobody"];

const ADA: &str = "ada-of-acme";
const BOB: &str = "bob-of-acme";

async fn browsers(world: &World) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for role in [Role::Owner, Role::Admin, Role::Staff] {
        browsers.push(Browser::member(world, &world.acme, role).await);
    }
    for client in [ADA, BOB] {
        browsers.push(Browser::client(world, client).await);
    }
    browsers.push(Browser::member(world, &world.rival, Role::Owner).await);
    browsers.push(Browser::new(world));
    browsers
}

on_both_databases!(every_page_answers_each_caller_as_the_table_says, async |world| {
    world.be_active(ADA, "content_generated", 12).await;
    world.be_active(BOB, "login", 2).await;
    // So that a stream ends when it begins.
    world.mainstay.hub().stop();
    let mainstay = &world.mainstay;
    world.clock.advance_hours(36);
    let now = mainstay.now();
    let acme = Scope::Service(world.acme.id);
    let ada = mainstay.client(acme, ADA).await.unwrap();
    mainstay.calculate_success_score(acme, &ada).await.unwrap();
    mainstay.generate_weekly_insights(world.acme.id, ADA, now).await.unwrap();
    let browsers = browsers(world).await;
    let mut wrong = Vec::new();
    let mut number = 0;
    for row in table() {
        for ((caller, browser), expected) in CALLERS.into_iter().zip(&browsers).zip(row.expected) {
            number += 1;
            world.tick();
            let needs = Needs::of(world, &row, number).await;
            // Whoever uses a link is signed in by it, as somebody else.
            let once = Browser::new(world);
            let lets_in = row.path.contains("{secret}")
                || (row.method, row.path) == ("POST", "/client/sign-in");
            let browser = if lets_in {
                once.steal(browser);
                &once
            } else {
                browser
            };
            let form: Vec<(&str, String)> =
                row.form.iter().map(|(name, value)| (*name, needs.fill(value))).collect();
            let form: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let headers = [("sec-fetch-site", "same-origin")];
            let form = (row.method == "POST").then_some(&form[..]);
            let answer = browser.send(row.method, &needs.fill(row.path), &headers, form).await;
            if answer.status != expected {
                let (method, path, status) = (row.method, row.path, answer.status);
                wrong.push(format!(
                    "{method} {path} by {caller}: {expected} expected, got {status}"
                ));
            }
            if caller == "rival" && expected < 400 && !lets_in {
                assert!(!answer.text.contains("of-acme.example"), "{} leaks", row.path);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

#[test]
fn every_page_is_in_the_table_and_every_row_is_a_page() {
    let routes: BTreeSet<(&str, &str)> =
        page_routes().into_iter().map(|route| (route.method, route.path)).collect();
    let rows: BTreeSet<(&str, &str)> = table().iter().map(|row| (row.method, row.path)).collect();
    let missing: Vec<_> = routes.difference(&rows).collect();
    let gone: Vec<_> = rows.difference(&routes).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    assert!(gone.is_empty(), "not a page: {gone:?}");
}
