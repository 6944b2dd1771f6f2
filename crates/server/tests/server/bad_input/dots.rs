//! Ids that an address cannot end with: browsers take them for a folder, however they are encoded.

use serde_json::{Value, json};

use super::check;

const WORDS: &[&str] = &["no address can end with", "another id"];

on_both_databases!(
    ids_whose_page_nobody_could_open_are_refused_through_every_door,
    async |world| {
        let key = &world.acme.secret_key;
        for id in [".", "..", " .. "] {
            let client = world.post(key, "/api/v1/clients", json!({"client_id": id})).await;
            check(&client.problem(422), "client_id", WORDS);
            let event = json!({"client_id": id, "event": "login"});
            let told = world.post(key, "/api/v1/events", event).await.problem(422);
            check(&told, "client_id", WORDS);
            for clients_are in ["groups", "users"] {
                let changes = json!({"clients_are": clients_are});
                world.patch(key, "/api/v1/organization", changes).await.json(200);
                for (path, message, field) in [
                    ("/v1/track", json!({"anonymousId": id, "event": "login"}), "anonymousId"),
                    ("/v1/identify", json!({"userId": id, "traits": {"name": "A"}}), "userId"),
                    ("/v1/group", json!({"userId": "ada", "groupId": id}), "groupId"),
                    ("/v1/alias", json!({"userId": id, "previousId": "ada"}), "userId"),
                ] {
                    // Who is no client has no page.
                    if clients_are == "groups" && field == "anonymousId" {
                        continue;
                    }
                    let answer: Value = world.post(key, path, message).await.json(200);
                    let refused = &answer["refused"][0];
                    assert_eq!(refused["field"], field, "{id:?}, {clients_are}: {answer}");
                    let reason = refused["reason"].as_str().unwrap();
                    assert!(WORDS.iter().all(|word| reason.contains(word)), "{answer}");
                }
            }
        }
        // With anything else beside the dots it is an id as any other.
        for id in ["...", "..a", "./.", "%2e%2e"] {
            world.post(key, "/api/v1/clients", json!({"client_id": id})).await.json(201);
        }
    }
);
