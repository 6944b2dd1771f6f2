use mainstay_store::{KeyKind, Role};
use serde_json::{Value, json};

use crate::{
    support::World,
    web::browser::{Browser, PASSWORD, email, member_id},
};

const MEMBERS: &str = "/api/v1/members";
const ADA: &str = "ada-of-acme";

on_both_databases!(a_members_token_ends_with_its_password_and_by_itself, async |world| {
    let acme = world.acme.id;
    let (id, address) =
        (member_id(world, &world.acme, Role::Staff).await, email(&world.acme, Role::Staff));
    // Made before there was a password: choosing the first one ends nothing.
    let browser = Browser::member(world, &world.acme, Role::Staff).await;
    world.get(&world.acme.staff, MEMBERS).await.json(200);
    let token = async || {
        world.mainstay.create_key(acme, KeyKind::Member, Some(&address)).await.unwrap().key
    };
    let form = [("present", PASSWORD), ("password", "quite another word")];
    assert_eq!(
        browser.post("/settings/profile/password", &form).await.leads_to(),
        "/settings/profile?done=password"
    );
    world.get(&world.acme.staff, MEMBERS).await.problem(401);
    let second = token().await;
    world.get(&second, MEMBERS).await.json(200);
    world.mainstay.set_password(acme, id, PASSWORD).await.unwrap();
    world.get(&second, MEMBERS).await.problem(401);
    let third = token().await;
    browser.sign_in(&address, PASSWORD).await.leads_to();
    browser.post("/settings/profile/sessions", &[]).await.leads_to();
    world.get(&third, MEMBERS).await.problem(401);
    // Others' tokens and keys continue.
    world.get(&world.acme.admin, MEMBERS).await.json(200);
    world.get(&world.acme.secret_key, MEMBERS).await.json(200);
    let last = token().await;
    let listed = world.get(&world.acme.owner, "/api/v1/keys").await.json(200);
    let of_kind = |kind: &str| {
        let keys = listed["keys"].as_array().unwrap().iter();
        keys.filter(|key| key["kind"] == kind).collect::<Vec<_>>()
    };
    assert!(of_kind("member").iter().all(|key| key["expires_at"] == "2027-05-01T12:00:00Z"));
    assert!(of_kind("secret").iter().all(|key| key["expires_at"] == Value::Null));
    world.clock.advance_hours(365 * 24 - 1);
    world.get(&last, MEMBERS).await.json(200);
    world.clock.advance_hours(1);
    world.get(&last, MEMBERS).await.problem(401);
    world.get(&world.acme.secret_key, MEMBERS).await.json(200);
});

/// A token of Acme's host app with claims of its own.
fn signed(world: &World, claims: &Value) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, world.acme.token_secret.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, text.as_bytes())))
}

#[tokio::test]
async fn a_token_opens_nothing_before_its_time() {
    let world = World::sqlite().await;
    world.be_active(ADA, "login", 2).await;
    let now = world.mainstay.now().as_second();
    for (nbf, status) in [
        (json!(now - 10), 200),
        (json!(now), 200),
        // The host app's clock may be a little ahead.
        (json!(now + 60), 200),
        (serde_json::from_str(&format!("{now}.5")).unwrap(), 200),
        (Value::Null, 200),
        (json!(now + 61), 401),
        (json!(now + 3_600), 401),
        (json!("tomorrow"), 401),
        (json!(1e300), 401),
    ] {
        let claims = json!({"sub": ADA, "aud": "acme", "exp": now + 7_200, "nbf": nbf});
        let token = signed(&world, &claims);
        let answer = world.get(&token, &format!("/api/v1/clients/{ADA}")).await;
        assert_eq!(answer.status, status, "nbf {nbf}");
        let page = Browser::new(&world).get(&format!("/client/sign-in?token={token}")).await;
        assert_eq!(page.status, if status == 200 { 303 } else { 401 }, "nbf {nbf}");
    }
}

on_both_databases!(one_client_is_signed_out_alone, async |world| {
    world.be_active(ADA, "login", 2).await;
    world.be_active("bob-of-acme", "login", 2).await;
    let path = |client: &str| format!("/api/v1/clients/{client}");
    let token = |iat: Option<i64>, client: &str| {
        let now = world.mainstay.now().as_second();
        let mut claims = json!({"sub": client, "aud": "acme", "exp": now + 3_600});
        if let Some(iat) = iat {
            claims["iat"] = iat.into();
        }
        signed(world, &claims)
    };
    let now = world.mainstay.now().as_second();
    let (dated, undated) = (token(Some(now), ADA), token(None, ADA));
    let bob = token(Some(now), "bob-of-acme");
    let browser = Browser::client(world, ADA).await;
    world.tick();
    world.tick();
    let out = world.post(&world.acme.staff, &format!("{}/sign-out", path(ADA)), Value::Null).await;
    assert_eq!(out.status, 204, "{out:#?}");
    for ended in [&dated, &undated] {
        world.get(ended, &path(ADA)).await.problem(401);
    }
    browser.get("/client/dashboard/success").await.page(401);
    world.get(&bob, &path("bob-of-acme")).await.json(200);
    // The app lets it in again.
    let again = token(Some(world.mainstay.now().as_second()), ADA);
    world.get(&again, &path(ADA)).await.json(200);
    world.clock.advance_hours(24);
    let undated = token(None, ADA);
    world.get(&undated, &path(ADA)).await.json(200);
});

on_both_databases!(a_client_signs_out, async |world| {
    world.be_active(ADA, "login", 2).await;
    let browser = Browser::client(world, ADA).await;
    let thief = Browser::new(world);
    thief.steal(&browser);
    assert!(browser.get("/client/dashboard/success").await.page(200).contains("/client/sign-out"));
    world.tick();
    let out = browser.post("/client/sign-out", &[]).await;
    assert!(out.page(200).contains("You are signed out") && !out.text.contains("href=\"/\""));
    assert_eq!(browser.kept(), "");
    thief.get("/client/dashboard/success").await.page(401);
    world.tick();
    Browser::client(world, ADA).await.get("/client/dashboard/success").await.page(200);
});
