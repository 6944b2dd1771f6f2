//! `/api/v1/cloudevents`: CloudEvents from outside.

use serde_json::{Value, json};

const PATH: &str = "/api/v1/cloudevents";

fn cloud_event(source: &str, id: &str) -> Value {
    json!({
        "specversion": "1.0", "source": source, "id": id, "type": "content_generated",
        "subject": "ada", "time": "2026-05-01T09:30:00Z", "datacontenttype": "application/json",
        "data": {"title": "Spring"}, "traceparent": "00-1",
    })
}

on_both_databases!(source_and_id_together_tell_events_apart, async |world| {
    let key = &world.acme.write_key;
    for (media_type, events, stored) in [
        ("application/cloudevents+json", cloud_event("/app", "1"), 1),
        (
            "application/cloudevents-batch+json",
            json!([cloud_event("/app", "1"), cloud_event("/other", "1"), cloud_event("/app", "2")]),
            2,
        ),
    ] {
        let request = world.request("POST", PATH).bearer_auth(key);
        let request = request.header("content-type", media_type).body(events.to_string());
        assert_eq!(world.send(request).await.json(200)["stored"], stored);
    }
    let events = world.get(&world.acme.owner, "/api/v1/clients/ada/events").await.json(200);
    let event = &events["events"][0];
    assert_eq!(events["events"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&event["type"], &event["data"]),
        (&json!("content_generated"), &json!({"title": "Spring"}))
    );
});

on_both_databases!(each_attribute_at_fault_is_named, async |world| {
    let mut events = vec![cloud_event("/app", "good")];
    for (attribute, value) in [
        ("specversion", json!("0.3")),
        ("source", json!("two words")),
        ("id", json!("")),
        ("id", json!("x".repeat(100))),
        ("type", json!(null)),
        ("subject", json!(" ")),
        ("time", json!("yesterday")),
        ("data_base64", json!("aGk=")),
        ("subject", json!(true)),
    ] {
        let mut event = cloud_event("/app", "bad");
        event[attribute] = value;
        events.push(event);
    }
    events.push(json!([]));
    let taken = world.post(&world.acme.write_key, PATH, events.into()).await.json(200);
    assert_eq!(taken["stored"], 1);
    let fields: Vec<&str> = taken["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "specversion",
            "source",
            "id",
            "id",
            "type",
            "subject",
            "time",
            "data",
            "subject",
            "event"
        ]
    );
    world.post(&world.acme.write_key, PATH, json!([7])).await.problem(422);
    world.send_raw("POST", PATH, &world.acme.write_key, "{").await.problem(400);
});
