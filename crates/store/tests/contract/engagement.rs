//! Events as they are read back, and their days.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::{Event, EventType},
    id::{ClientId, OrganizationId},
};
use mainstay_store::{
    DayActivity, EventCursor, Outcome, RollUp, Scope, Store, StoredEvent, TypeCounts,
};
use serde_json::{Value, json};

use crate::fixtures::{at, day, event, everybody, found_id, fresh, now, organization, send};

const ALWAYS: (&str, &str) = ("2000-01-01", "2030-01-01");

async fn events(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    (from, to): (&str, &str),
) -> Vec<StoredEvent> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.list_client_events(client, (at(from), at(to)), None, 1_000).await.unwrap()
}

fn ids(events: &[StoredEvent]) -> Vec<&str> {
    events.iter().map(|event| event.message_id.as_str()).collect()
}

on_both_databases!(an_event_is_read_back_as_it_was_sent, async |store| {
    let ours = organization(store, "UTC").await;
    let Value::Object(data) = json!({
        "plan": "pro", "seats": 3, "rate": 0.25, "none": null, "deep": {"a": [1, {"b": "\u{1F980}"}]},
        "big": u64::MAX, "quote": "'\"\\ \u{7f}",
    }) else {
        unreachable!()
    };
    let full = Event {
        client_id: "ada".to_owned(),
        person: None,
        event_type: EventType::ExportDownloaded,
        name: "Report Exported '\"".to_owned(),
        occurred_at: at("2026-05-18T09:30:00.123456Z"),
        client_timestamp: Some(at("2026-05-18T09:29:00.123456Z")),
        received_at: at("2026-05-18T09:30:01.654321Z"),
        message_id: "m-Ünï".to_owned(),
        session_id: Some("s1".to_owned()),
        page_path: Some("/reports?week=20&x=%20".to_owned()),
        duration_seconds: Some(86_400),
        data,
        self_told: true,
    };
    let bare = event("ada", "bare", EventType::Custom, "2026-05-18T08:00:00Z");
    let outcomes = send(store, ours, &[full.clone(), bare.clone()]).await;
    assert_eq!(outcomes, [Outcome::Stored, Outcome::Stored]);
    let ada = found_id(store, ours, "ada").await;
    let expected: Vec<StoredEvent> = [full, bare]
        .into_iter()
        .map(|sent| StoredEvent {
            message_id: sent.message_id,
            self_told: sent.self_told,
            event_type: sent.event_type,
            name: sent.name,
            occurred_at: sent.occurred_at,
            received_at: sent.received_at,
            session_id: sent.session_id,
            page_path: sent.page_path,
            duration_seconds: sent.duration_seconds,
            data: sent.data,
        })
        .collect();
    assert_eq!(events(store, ours, ada, ALWAYS).await, expected);
});

on_both_databases!(every_type_of_event_keeps_its_type, async |store| {
    let ours = organization(store, "UTC").await;
    let sent: Vec<Event> = EventType::ALL
        .into_iter()
        .map(|kind| event("ada", kind.as_str(), kind, "2026-05-18T09:00:00Z"))
        .collect();
    send(store, ours, &sent).await;
    let ada = found_id(store, ours, "ada").await;
    for stored in events(store, ours, ada, ALWAYS).await {
        assert_eq!(stored.event_type.as_str(), stored.message_id);
    }
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let counts =
        tx.count_events_by_type(&chunk, day("2026-05-18"), day("2026-05-18")).await.unwrap();
    let expected: BTreeMap<EventType, i64> =
        EventType::ALL.into_iter().map(|kind| (kind, 1)).collect();
    assert_eq!(counts[&ada], TypeCounts(expected));
});

on_both_databases!(a_batch_of_any_size_is_stored_whole, async |store| {
    let ours = organization(store, "UTC").await;
    let mut all = 0;
    // Full statements, statements with room left, and more than one.
    for size in [1, 2, 3, 4, 5, 16, 17, 95, 96, 97, 300, 511, 512, 513, 837, 1_100] {
        let sent: Vec<Event> = (all..all + size)
            .map(|number| {
                let when = at("2026-04-10") + jiff::SignedDuration::from_mins(17 * number);
                let client = format!("client {}", number % 7);
                crate::fixtures::event_at(&client, &format!("m{number}"), EventType::Login, when)
            })
            .collect();
        all += size;
        assert_eq!(send(store, ours, &sent).await, vec![Outcome::Stored; sent.len()]);
        assert_eq!(send(store, ours, &sent).await, vec![Outcome::Duplicate; sent.len()]);
        assert_eq!(store.number("SELECT COUNT(*) FROM client_engagement_events").await, all);
    }
    assert_eq!(send(store, ours, &[]).await, []);
    crate::verify::assert_honest(store, ours).await;
});

on_both_databases!(events_are_read_newest_first_within_the_range_page_by_page, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |id: &str, when: &str| event("ada", id, EventType::Login, when);
    let noon = "2026-05-18T12:00:00Z";
    // Three at the same instant: the message ids decide, by bytes.
    let sent = [
        login("a", "2026-05-16T23:59:59.999999Z"),
        login("b", "2026-05-17T00:00:00Z"),
        login("Z", noon),
        login("c", noon),
        login("é", noon),
        login("d", "2026-05-19T00:00:00Z"),
        event("bob", "other", EventType::Login, noon),
    ];
    send(store, ours, &sent).await;
    let ada = found_id(store, ours, "ada").await;
    let all = events(store, ours, ada, ALWAYS).await;
    assert_eq!(ids(&all), ["d", "é", "c", "Z", "b", "a"]);
    // From is included, to is not.
    let some = events(store, ours, ada, ("2026-05-17", "2026-05-19")).await;
    assert_eq!(ids(&some), ["é", "c", "Z", "b"]);
    assert_eq!(events(store, ours, ada, ("2026-05-19", "2026-05-17")).await, []);
    assert_eq!(events(store, ours, fresh(), ALWAYS).await, []);

    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let range = (at(ALWAYS.0), at(ALWAYS.1));
        let page = tx.list_client_events(ada, range, cursor.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(EventCursor {
            occurred_at: last.occurred_at,
            message_id: last.message_id.clone(),
        });
        seen.extend(page);
    }
    assert_eq!(seen, all);
});

on_both_databases!(any_range_that_can_be_written_is_answered_at_once, async |store| {
    let ours = organization(store, "UTC").await;
    send(store, ours, &[event("ada", "m1", EventType::Login, "2026-05-18T12:00:00Z")]).await;
    let ada = found_id(store, ours, "ada").await;
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    for (from, to, expected) in [
        (Timestamp::MIN, Timestamp::MAX, 1),
        (Timestamp::MAX, Timestamp::MIN, 0),
        (Timestamp::MIN, Timestamp::MIN, 0),
        (Timestamp::MAX, Timestamp::MAX, 0),
    ] {
        let found = tx.list_client_events(ada, (from, to), None, 10).await.unwrap();
        assert_eq!(found.len(), expected, "{from} to {to}");
    }
    for (first, last, expected) in [
        (Date::MIN, Date::MAX, 1),
        (Date::MAX, Date::MIN, 0),
        (Date::MIN, Date::MIN, 0),
        (Date::MAX, Date::MAX, 0),
        (day("2026-05-19"), day("2026-05-18"), 0),
    ] {
        assert_eq!(tx.list_day_activity(ada, first, last).await.unwrap().len(), expected);
        assert_eq!(tx.count_events_by_type(&chunk, first, last).await.unwrap().len(), expected);
        assert_eq!(tx.list_client_scores(ada, first, last).await.unwrap(), []);
    }
});

on_both_databases!(days_are_those_of_the_organizations_zone, async |store| {
    // The clocks of Lord Howe went back half an hour on 5 April 2026, from +11 to +10:30.
    let ours = organization(store, "Australia/Lord_Howe").await;
    let sent = [
        ("m1", "2026-04-03T12:59:59.999999Z"), // 3 April 23:59:59.999999
        ("m2", "2026-04-03T13:00:00Z"),        // 4 April 00:00
        ("m3", "2026-04-04T12:59:59Z"),        // 4 April 23:59:59
        ("m4", "2026-04-04T13:00:00Z"),        // 5 April 00:00
        ("m5", "2026-04-05T13:29:59.999999Z"), // 5 April 23:59:59.999999, 24.5 hours later
        ("m6", "2026-04-05T13:30:00Z"),        // 6 April 00:00
        ("m7", "2026-04-05T14:00:00Z"),
    ]
    .map(|(id, when)| event("ada", id, EventType::PageView, when));
    send(store, ours, &sent).await;
    let ada = found_id(store, ours, "ada").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let days = tx.list_day_activity(ada, day("2026-04-03"), day("2026-04-06")).await.unwrap();
    let expected = [("2026-04-03", 1), ("2026-04-04", 2), ("2026-04-05", 2), ("2026-04-06", 2)]
        .map(|(date, events)| DayActivity { day: day(date), events });
    assert_eq!(days, expected);
    // The ends are included, and nothing outside them.
    let days = tx.list_day_activity(ada, day("2026-04-04"), day("2026-04-05")).await.unwrap();
    assert_eq!(days, expected[1..3]);
    tx.rollback().await.unwrap();
    crate::verify::assert_honest(store, ours).await;
});

on_both_databases!(types_are_counted_for_each_client_of_a_chunk, async |store| {
    let ours = organization(store, "Asia/Kathmandu").await;
    let sent = [
        event("ada", "m1", EventType::Login, "2026-05-10T18:14:59Z"), // 10 May 23:59:59
        event("ada", "m2", EventType::Login, "2026-05-10T18:15:00Z"), // 11 May 00:00
        event("ada", "m3", EventType::Login, "2026-05-12T10:00:00Z"),
        event("ada", "m4", EventType::VisualCreated, "2026-05-12T10:00:00Z"),
        event("bob", "m5", EventType::Custom, "2026-05-13T18:14:59Z"), // 13 May 23:59:59
        event("bob", "m6", EventType::Custom, "2026-05-13T18:15:00Z"), // 14 May 00:00
        event("cleo", "m7", EventType::Custom, "2026-05-20T10:00:00Z"),
    ];
    send(store, ours, &sent).await;
    let (ada, bob) = (found_id(store, ours, "ada").await, found_id(store, ours, "bob").await);
    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let counts =
        tx.count_events_by_type(&chunk, day("2026-05-11"), day("2026-05-13")).await.unwrap();
    assert_eq!(counts.len(), 2);
    assert_eq!(
        counts[&ada],
        TypeCounts(BTreeMap::from([(EventType::Login, 2), (EventType::VisualCreated, 1)]))
    );
    assert_eq!(counts[&bob], TypeCounts(BTreeMap::from([(EventType::Custom, 1)])));
});

on_both_databases!(the_first_and_last_day_with_events_are_known, async |store| {
    let ours = organization(store, "America/New_York").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_event_days().await.unwrap(), None);
    assert_eq!(tx.find_days_to_verify().await.unwrap(), None);
    tx.rollback().await.unwrap();
    send(
        store,
        ours,
        &[
            event("ada", "m1", EventType::Login, "2026-05-10T02:00:00Z"), // 9 May there
            event("ada", "m2", EventType::Login, "2026-05-12T23:00:00Z"),
        ],
    )
    .await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_event_days().await.unwrap(), Some((day("2026-05-10"), day("2026-05-12"))));
    let (first, last) = tx.find_days_to_verify().await.unwrap().unwrap();
    assert!(first <= day("2026-05-09") && last >= day("2026-05-12"));
    tx.rollback().await.unwrap();
    // A roll-up without events is looked at too.
    store
        .raw(&format!(
            "UPDATE daily_activity SET day = {} WHERE day > {}",
            store.day(day("2027-01-01")),
            store.day(day("2026-05-11"))
        ))
        .await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_days_to_verify().await.unwrap().unwrap().1, day("2027-01-01"));
});

on_both_databases!(folding_moves_forward_and_takes_late_events_along, async |store| {
    let ours = organization(store, "UTC").await;
    let made =
        |client: &str, id: &str, when: &str| event(client, id, EventType::ContentGenerated, when);
    let drawn =
        |client: &str, id: &str, when: &str| event(client, id, EventType::VisualCreated, when);
    let fold = async |until: &str| {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.fold_activity(day(until)).await.unwrap();
        let folded = tx.get_organization().await.unwrap().folded_until;
        tx.commit().await.unwrap();
        folded
    };
    let totals = async || store.rows_of("client_activity_totals", ours.uuid()).await.len();
    fold("2025-12-31").await;
    assert_eq!(totals().await, 0);

    send(store, ours, &[made("ada", "m1", "2026-01-05"), drawn("bob", "m2", "2026-01-06")]).await;
    assert_eq!(totals().await, 0, "that is still to be folded");
    assert_eq!(fold("2026-01-10").await, Some(day("2026-01-10")));
    assert_eq!(totals().await, 2);
    assert_eq!(fold("2026-01-09").await, Some(day("2026-01-10")), "it never goes back");

    send(
        store,
        ours,
        &[
            made("ada", "m3", "2026-01-10T23:59:59Z"), // late
            made("ada", "m4", "2026-01-11"),           // not folded yet
            drawn("cleo", "m5", "2026-01-02"),         // late, of somebody new
            event("ada", "m6", EventType::Login, "2025-12-30"),
        ],
    )
    .await;
    assert_eq!(totals().await, 3);
    crate::verify::assert_honest(store, ours).await;
    fold("2026-02-01").await;
    crate::verify::assert_honest(store, ours).await;
    let sum =
        "SELECT SUM(content_generated) * 10 + SUM(visuals_created) FROM client_activity_totals";
    assert_eq!(store.number(sum).await, 32);
});

on_both_databases!(a_client_clock_may_stand_anywhere, async |store| {
    let ours = organization(store, "UTC").await;
    let mut sent = Vec::new();
    for (number, clock) in
        [Timestamp::MIN, Timestamp::MAX, at("1969-12-31T23:59:59Z"), at("0001-01-01")]
            .into_iter()
            .enumerate()
    {
        // sentAt told how far it was off, so that the event is filed where it belongs.
        let mut event =
            event("ada", &format!("m{number}"), EventType::Login, "2026-05-18T12:00:00Z");
        event.client_timestamp = Some(clock);
        sent.push(event);
    }
    assert_eq!(send(store, ours, &sent).await, [Outcome::Stored; 4]);
    assert_eq!(send(store, ours, &sent).await, [Outcome::Duplicate; 4]);
    let ada = found_id(store, ours, "ada").await;
    assert_eq!(events(store, ours, ada, ALWAYS).await.len(), 4);
});

on_both_databases!(days_told_by_another_zone_than_the_organizations_are_refused, async |store| {
    let ours = organization(store, "Asia/Kathmandu").await;
    let late = event("ada", "m1", EventType::Login, "2026-05-18T20:00:00Z");
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let seen = mainstay_store::ClientSighting { external_id: "ada", first_at: late.occurred_at };
    let resolved = tx.resolve_clients(&[seen], now()).await.unwrap();
    let storable = mainstay_store::StorableEvent {
        client: resolved[0],
        // The day in UTC; in Kathmandu it is the 19th already.
        local_day: day("2026-05-18"),
        event: &late,
    };
    let stored = tx.store_events(&[storable], RollUp::Immediately).await;
    assert!(matches!(stored, Err(mainstay_store::StoreError::Conflict)), "{stored:?}");
});
