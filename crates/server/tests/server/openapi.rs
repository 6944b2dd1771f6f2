//! What the OpenAPI document promises of itself.

use std::collections::BTreeSet;

use mainstay_core::notification::{Notification, NotificationType};
use serde_json::Value;

use crate::support::World;

pub(crate) const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// Method, path and description of every operation.
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

pub(crate) async fn document(world: &World) -> Value {
    world.send(world.request("GET", "/api/openapi.json")).await.json(200)
}

/// Names of the schemes that open an operation; none for one that is open to everybody.
pub(crate) fn schemes(operation: &Value) -> BTreeSet<String> {
    let security = operation["security"].as_array().unwrap();
    security.iter().flat_map(|one| one.as_object().unwrap().keys().cloned()).collect()
}

#[tokio::test]
async fn the_document_lists_every_route() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let lines: Vec<String> = operations(&document)
        .into_iter()
        .map(|(method, path, operation)| {
            format!("{method:6} {path} ({})", operation["operationId"].as_str().unwrap())
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn a_job_is_an_object_and_its_name_a_name() {
    let world = World::sqlite().await;
    let schemas = &document(&world).await["components"]["schemas"];
    assert_eq!(schemas["Job"]["type"], "object", "{}", schemas["Job"]);
    assert_eq!(schemas["JobName"]["type"], "string", "{}", schemas["JobName"]);
    assert_eq!(schemas["Job"]["properties"]["job"]["$ref"], "#/components/schemas/JobName");
}

#[tokio::test]
async fn every_operation_documents_its_purpose_security_and_errors() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    let tags: Vec<&Value> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}: {operation:#}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        assert!(operation["description"].as_str().is_some_and(|text| text.len() > 20), "{what}");
        assert!(tags.contains(&&operation["tags"][0]), "{what}");
        assert!(ids.insert(operation["operationId"].to_string()), "twice: {what}");

        let schemes = schemes(&operation);
        assert!(operation["security"].as_array().is_some_and(|list| !list.is_empty()), "{what}");
        for scheme in &schemes {
            assert!(document["components"]["securitySchemes"][scheme].is_object(), "{what}");
        }

        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
        let mut expected = vec!["500"];
        if !schemes.is_empty() {
            expected.extend(["401", "403", "503"]);
        }
        if path.starts_with("/v1/") {
            // SDKs of Segment's give up on all but these and 5xx.
            expected.extend(["400", "429"]);
            assert!(!responses.contains_key("413") && !responses.contains_key("422"), "{what}");
        } else if operation.get("requestBody").is_some() {
            expected.extend(["400", "413", "422"]);
        }
        if path.contains('{') {
            expected.push("404");
        }
        for status in expected {
            assert!(responses.contains_key(status), "{status} is missing in {what}");
        }
        for param in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = param.trim_end_matches('}');
            let parameters = operation["parameters"].as_array().unwrap();
            let found = parameters
                .iter()
                .find(|one| one["name"] == name)
                .unwrap_or_else(|| panic!("{name} is missing in {what}"));
            assert_eq!(
                (&found["in"], &found["required"]),
                (&"path".into(), &true.into()),
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn every_error_response_is_a_problem_with_an_example() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with('2') {
                continue;
            }
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                None => response,
            };
            let content = &response["content"]["application/problem+json"];
            let example = &content["example"];
            assert_eq!(content["schema"]["$ref"], "#/components/schemas/Problem");
            assert_eq!(example["status"].to_string(), *status, "{method} {path}");
            assert!(!response["description"].as_str().unwrap().is_empty(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_notice_is_described_with_an_example_of_its_own() {
    let world = World::sqlite().await;
    let document = document(&world).await;
    let webhooks = document["webhooks"].as_object().unwrap();
    assert_eq!(webhooks.len(), NotificationType::ALL.len());
    for kind in NotificationType::ALL {
        let operation = &webhooks[kind.as_str()]["post"];
        assert!(operation["description"].as_str().is_some_and(|text| text.len() > 10), "{kind}");
        assert_eq!(operation["parameters"].as_array().unwrap().len(), 3);
        let content = &operation["requestBody"]["content"]["application/json"];
        let example = &content["example"];
        assert_eq!(example["type"], kind.as_str());
        let read: Notification = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(read.event.kind(), *kind);
        let fields = content["schema"]["properties"]["data"]["properties"].as_object().unwrap();
        let expected = example["data"].as_object().unwrap();
        assert!(expected.keys().eq(fields.keys()), "{kind}: {fields:?}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    fn check(value: &Value, document: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check(value, document));
            }
            Value::Array(items) => items.iter().for_each(|value| check(value, document)),
            _ => {}
        }
    }
    let world = World::sqlite().await;
    let document = document(&world).await;
    check(&document, &document);
}

#[tokio::test]
async fn the_page_loads_nothing_from_other_hosts() {
    let world = World::sqlite().await;
    let page = world.send(world.request("GET", "/api/docs/")).await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
    assert!(!page.text.contains("://"), "{}", page.text);
    let start = world.send(world.request("GET", "/api/docs/swagger-initializer.js")).await;
    assert!(start.text.contains(r#""/api/openapi.json""#), "{}", start.text);
    assert!(start.text.contains(r#""validatorUrl": "none""#), "{}", start.text);
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js"] {
        let answer = world.send(world.request("GET", &format!("/api/docs/{file}"))).await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    world.send(world.request("GET", "/api/docs/nothing.js")).await.problem(404);
}
