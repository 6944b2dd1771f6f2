//! Names and ids are one line of characters that can be seen, through whichever door they come.

use mainstay_core::score::ScoreModel;
use mainstay_store::ClientPatch;
use serde_json::{Value, json};

use super::check;

/// Line breaks of every kind, and what terminals, headers and logs would act on.
const CONTROLS: [&str; 8] =
    ["\n", "\r\n", "\t", "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{9b}", "\u{2028}"];
const WORDS: &[&str] = &["line break or another control character", "one line"];

/// Method, path, what is sent, and the field that has the control character.
type Case = (&'static str, &'static str, Value, &'static str);

fn of_settings(bad: &str) -> Vec<Case> {
    let model = json!(ScoreModel { name: bad.to_owned(), ..ScoreModel::standard() });
    let url = "https://hooks.example.com/";
    vec![
        ("PATCH", "/api/v1/organization", json!({"name": bad}), "name"),
        (
            "POST",
            "/api/v1/members",
            json!({"email": "a@b.c", "role": "staff", "name": bad}),
            "name",
        ),
        ("PUT", "/api/v1/event-names", json!([{"name": bad, "type": "login"}]), "name"),
        ("POST", "/api/v1/score-models", model, "name"),
        ("POST", "/api/v1/webhooks", json!({"name": bad, "url": url}), "name"),
        ("POST", "/api/v1/clients", json!({"client_id": bad}), "client_id"),
        ("POST", "/api/v1/clients", json!({"client_id": "eve", "name": bad}), "name"),
        ("POST", "/api/v1/clients", json!({"client_id": "eve", "plan": bad}), "plan"),
        ("PATCH", "/api/v1/clients/ada", json!({"name": bad}), "name"),
        ("PATCH", "/api/v1/clients/ada", json!({"plan": bad}), "plan"),
        ("POST", "/api/v1/clients/ada/onboarding-tasks", json!({"title": bad}), "title"),
    ]
}

fn of_events(bad: &str) -> Vec<(Value, &'static str)> {
    let event = json!({"client_id": "ada", "event": "login", "message_id": "m1"});
    ["client_id", "event", "message_id", "session_id", "page_path"]
        .map(|field| {
            let mut event = event.clone();
            event[field] = bad.into();
            (event, field)
        })
        .into()
}

on_both_databases!(control_characters_are_refused_in_every_text_of_one_line, async |world| {
    world.mainstay.create_client(world.acme.id, "ada", ClientPatch::default()).await.unwrap();
    for control in CONTROLS {
        let bad = format!("A{control}B");
        for (method, path, body, field) in of_settings(&bad) {
            let request = world.request(method, path).bearer_auth(&world.acme.owner).json(&body);
            let answer = world.send(request).await;
            assert_eq!(answer.status, 422, "{control:?}: {method} {path}: {answer:?}");
            check(&answer.problem(422), field, WORDS);
        }
        for (event, field) in of_events(&bad) {
            let answer = world.post(&world.acme.write_key, "/api/v1/events", event).await;
            assert_eq!(answer.status, 422, "{control:?}: {field}: {answer:?}");
            check(&answer.problem(422), field, WORDS);
        }
        for (message, field) in [
            (json!({"type": "identify", "userId": "ada", "traits": {"name": bad}}), "name"),
            (json!({"type": "identify", "userId": "ada", "traits": {"plan": bad}}), "plan"),
            (json!({"type": "identify", "userId": bad}), "userId"),
            (json!({"type": "track", "userId": bad, "event": "login"}), "userId"),
            (json!({"type": "track", "userId": "ada", "event": bad}), "event"),
            (json!({"type": "group", "userId": "ada", "groupId": bad}), "groupId"),
            (json!({"type": "alias", "userId": "ada", "previousId": bad}), "previousId"),
        ] {
            let batch = json!({"batch": [message.clone()]});
            let answer = world.post(&world.acme.secret_key, "/v1/batch", batch).await.json(200);
            let refused = &answer["refused"][0];
            let told = refused["field"].as_str().unwrap_or_default();
            assert!(told.ends_with(field), "{control:?}: {message}: {answer}");
            assert!(refused["reason"].as_str().unwrap().contains(WORDS[0]), "{answer}");
        }
    }
    // What is one line may say anything.
    let name = "Zoë \u{202e} \u{200b}& Söhne – 株式会社 🎉";
    world.patch(&world.acme.owner, "/api/v1/organization", json!({"name": name})).await.json(200);
    // Texts of several lines are no names.
    let note = json!({"rating": 5, "kind": "overall", "comment": "one\ntwo"});
    let path = "/api/v1/clients/ada/feedback";
    let answer = world.post(&world.acme.secret_key, path, note).await;
    assert!(!answer.text.contains("control character"), "{answer:?}");
});
