//! What opens the doors, and what does not.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay::access::{ClientClaims, sign_client_token};
use serde_json::json;

use crate::support::{NOW, World};

const CLIENT: &str = "/api/v1/clients/ada";
const HOUR: i64 = 3_600;

on_both_databases!(only_a_token_that_is_right_in_every_part_speaks_for_a_client, async |world| {
    world.be_active("ada", "login", 1).await;
    let acme = &world.acme;
    let now = NOW.as_second();
    let signed = |sub: &str, aud: &str, exp: i64, secret: &str| {
        let claims = ClientClaims { sub: sub.to_owned(), aud: aud.to_owned(), exp };
        sign_client_token(&claims, secret)
    };
    let good = signed("ada", "acme", now + HOUR, &acme.token_secret);
    world.get(&good, CLIENT).await.json(200);
    world.get(&signed("ada", "acme", now + 24 * HOUR, &acme.token_secret), CLIENT).await.json(200);

    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("{good}") };
    let encoded = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let forged = encoded(json!({"sub": "bob", "aud": "acme", "exp": now + HOUR}));
    let with_header =
        |alg: &str| format!("{}.{payload}", encoded(json!({"alg": alg, "typ": "JWT"})));
    let bad = [
        (
            "another organization's secret",
            signed("ada", "acme", now + HOUR, &world.rival.token_secret),
        ),
        ("another organization", signed("ada", "rival", now + HOUR, &acme.token_secret)),
        ("an organization there is not", signed("ada", "nobody", now + HOUR, &acme.token_secret)),
        (
            "a slug that PostgreSQL cannot keep",
            signed("ada", "ac\0me", now + HOUR, &acme.token_secret),
        ),
        ("expired", signed("ada", "acme", now - 61, &acme.token_secret)),
        ("longer than a day", signed("ada", "acme", now + 24 * HOUR + 61, &acme.token_secret)),
        ("for ever", signed("ada", "acme", i64::MAX, &acme.token_secret)),
        ("before time began", signed("ada", "acme", i64::MIN, &acme.token_secret)),
        ("nobody", signed("", "acme", now + HOUR, &acme.token_secret)),
        ("a name with NUL", signed("a\0", "acme", now + HOUR, &acme.token_secret)),
        ("a name too long", signed(&"x".repeat(256), "acme", now + HOUR, &acme.token_secret)),
        ("other claims", format!("{header}.{forged}.{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("half a token", format!("{header}.{payload}")),
        ("alg none", format!("{}.", with_header("none"))),
        ("alg None with the signature", format!("{}.{signature}", with_header("None"))),
        ("alg HS384", format!("{}.{signature}", with_header("HS384"))),
        ("alg RS256", format!("{}.{signature}", with_header("RS256"))),
        ("no JSON", "eyJ.eyJ.eyJ".to_owned()),
        ("no token", "hello".to_owned()),
        ("the secret itself", acme.token_secret.clone()),
        ("half a key", acme.secret_key[..20].to_owned()),
        ("a key and more", format!("{}x", acme.secret_key)),
    ];
    for (what, token) in bad {
        let answer = world.get(&token, CLIENT).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.problem(401);
        assert!(!answer.text.contains(&token), "{what}");
    }
});

#[tokio::test]
async fn a_key_may_also_be_the_user_of_basic_authentication() {
    let world = World::sqlite().await;
    let path = "/api/v1/organization";
    let key = &world.acme.secret_key;
    let basic =
        |user: &str, password: &str| world.request("GET", path).basic_auth(user, Some(password));
    world.send(basic(key, "")).await.json(200);
    for request in [
        basic(key, "password"),
        basic("", key),
        basic("", ""),
        world.request("GET", path).header("authorization", key),
        world.request("GET", path).header("authorization", "Bearer"),
        world.request("GET", path).header("authorization", "Bearer  "),
        world.request("GET", path).header("authorization", "Basic !!!"),
        world.request("GET", path).header("authorization", format!("Digest {key}")),
        world.request("GET", path).header("authorization", [0xff_u8, 0xfe].as_slice()),
        world
            .request("GET", path)
            .bearer_auth(key)
            .header("authorization", format!("Bearer {key}")),
        world.request("GET", &format!("{path}?access_token={key}")),
    ] {
        let answer = world.send(request).await;
        let problem = answer.problem(401);
        assert_eq!(problem["field"], "Authorization");
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer "), "{challenge}");
    }
    let request = world.request("GET", path).header("authorization", format!("bEARER {key}"));
    world.send(request).await.json(200);
}

on_both_databases!(a_key_is_shown_once_and_opens_nothing_once_it_is_revoked, async |world| {
    let owner = &world.acme.owner;
    let path = "/api/v1/keys";
    let created = world.post(owner, path, json!({"kind": "secret"})).await.json(201);
    let key = created["key"].as_str().unwrap();
    assert!(key.starts_with("msk_") && key.len() >= 4 + 22, "{key}");
    world.get(key, "/api/v1/clients").await.json(200);

    let listed = world.get(owner, path).await;
    assert!(!listed.text.contains(key), "{listed:?}");
    let keys = listed.json(200);
    let kept = keys["keys"].as_array().unwrap().iter().find(|one| one["id"] == created["id"]);
    let prefix = kept.unwrap()["prefix"].as_str().unwrap();
    assert!(key.starts_with(prefix) && prefix.len() <= 8, "{prefix}");

    let revoke = format!("{path}/{}", created["id"].as_str().unwrap());
    world.delete(&world.rival.owner, &revoke).await.problem(404);
    world.get(key, "/api/v1/clients").await.json(200);
    assert_eq!(world.delete(owner, &revoke).await.status, 204);
    world.get(key, "/api/v1/clients").await.problem(401);
    world.delete(owner, &revoke).await.problem(404);
    let keys = world.get(owner, path).await.json(200);
    let kept = keys["keys"].as_array().unwrap().iter().find(|one| one["id"] == created["id"]);
    assert_eq!(kept.unwrap()["revoked_at"], "2026-05-01T12:00:00Z");
});

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = World::sqlite().await;
    let detail = async |token: &str, path: &str| {
        let problem = world.get(token, path).await.problem(403);
        problem["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail(&world.acme.staff, "/api/v1/keys").await.contains("owner or admin"));
    assert!(
        detail(&world.acme.write_key, "/api/v1/clients").await.contains("can only send events")
    );
    assert!(detail(&world.client_token("ada"), "/api/v1/alerts").await.contains("member's token"));
    let nobody = world.send(world.request("GET", "/api/v1/clients")).await.problem(401);
    assert!(nobody["detail"].as_str().unwrap().contains("Authorization: Bearer"), "{nobody}");
}
