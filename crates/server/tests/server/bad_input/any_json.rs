use proptest::{collection, prelude::*, test_runner::TestRunner};
use serde_json::{Map, Value, json};

use super::EVENTS;
use crate::support::World;

/// JSON as strange as it comes, with the API's own names in it, so that some of it is nearly right.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "client_id",
            "clientId",
            "userId",
            "event",
            "type",
            "eventType",
            "timestamp",
            "sent_at",
            "message_id",
            "session_id",
            "page_path",
            "duration_seconds",
            "data",
            "eventData",
            "action",
            "insightId",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let text = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "",
            "ada",
            "login",
            "custom",
            "track-event",
            "mark-read",
            "2026-05-01T09:30:00Z",
            "2026-05-01T09:30:00.123456789+05:45",
            "-009999-01-03T00:00:00Z",
            "\0",
            "\u{ffff}",
            "9999-12-30T22:00:00.999999999Z",
            "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            collection::vec((name.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Posts and patches arbitrary JSON, a good event before and after it, and looks for faults.
fn survives_any_json(world: &World, runtime: &tokio::runtime::Runtime) {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let client = world.client_token("ada");
    let result = runner.run(&any_json(), |value| {
        runtime.block_on(async {
            let good = json!({"client_id": "ada", "event": "login"});
            let mut patch = value.clone();
            if let Some(object) = patch.as_object_mut() {
                object.insert("action".to_owned(), json!("track-event"));
            }
            for (method, path, body) in [
                ("POST", EVENTS, json!([good, value])),
                ("POST", EVENTS, value.clone()),
                ("PATCH", "/api/client/success", value.clone()),
                ("PATCH", "/api/client/success", patch),
                ("POST", "/api/client/success", value.clone()),
            ] {
                for token in [&world.acme.secret_key, &client] {
                    let answer = world.send_raw(method, path, token, body.to_string()).await;
                    prop_assert!(
                        !answer.status.is_server_error(),
                        "{method} {path} {body}: {answer:?}"
                    );
                    if answer.status.is_client_error() {
                        answer.problem(answer.status.as_u16());
                    }
                }
            }
            Ok(())
        })
    });
    result.unwrap();
}

#[test]
fn no_json_whatsoever_is_a_fault_on_sqlite() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::sqlite());
    survives_any_json(&world, &runtime);
    runtime.block_on(world.close());
}

#[test]
#[ignore = "needs PostgreSQL: ./check starts one"]
fn no_json_whatsoever_is_a_fault_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::postgres());
    survives_any_json(&world, &runtime);
    runtime.block_on(world.close());
}
