//! The same message is stored once, whatever happens to it on its way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    engagement::{Event, IncomingEvent, validate},
    id::OrganizationId,
};
use mainstay_store::Outcome::{self, Duplicate, Stored};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    fixtures::{at, found, organization, send},
    harness::Database,
    property::for_all,
    verify::assert_honest,
};

const SECOND: i64 = 1;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A message as it comes through the door: its own timestamp, and by how many seconds `sentAt` shows
/// the client's clock to be behind (up to 60 are left alone).
fn message(id: &str, timestamp: Option<Timestamp>, behind: i64, received_at: Timestamp) -> Event {
    let incoming = IncomingEvent {
        client_id: "ada".to_owned(),
        name: "login".to_owned(),
        timestamp,
        sent_at: Some(received_at - SignedDuration::from_secs(behind)),
        message_id: id.to_owned(),
        ..IncomingEvent::default()
    };
    validate(incoming, received_at).unwrap()
}

/// Checks that so many events are stored, and rolled up as often.
async fn assert_stored(store: &Database, organization: OrganizationId, events: i64) {
    let of = |table: &str, column: &str| {
        let organization = store.id(organization.uuid());
        format!(
            "SELECT COALESCE(SUM({column}), 0) FROM {table} WHERE organization_id = {organization}"
        )
    };
    let stored = store.number(&of("client_engagement_events", "1")).await;
    let rolled_up = store.number(&of("daily_activity", "event_count")).await;
    assert_eq!((stored, rolled_up), (events, events));
    assert_honest(store, organization).await;
}

on_both_databases!(the_same_message_again_is_a_duplicate_for_ever, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let sent = at("2020-02-29T10:00:00Z");
    let once = |received: &str| message("m1", Some(sent), 0, at(received));
    assert_eq!(send(store, ours, &[once("2020-02-29T10:00:01Z")]).await, [Stored]);
    for again in ["2020-02-29T10:00:02Z", "2020-03-20T00:00:00Z", "2026-05-20T00:00:00Z"] {
        assert_eq!(send(store, ours, &[once(again)]).await, [Duplicate], "{again}");
    }
    assert_stored(store, ours, 1).await;
});

on_both_databases!(a_message_is_told_by_its_client_its_id_and_its_own_timestamp, async |store| {
    let ours = organization(store, "UTC").await;
    let noon = at("2026-05-18T12:00:00Z");
    let first = message("m1", Some(noon), 0, noon);
    let other_client = Event { client_id: "bob".to_owned(), ..first.clone() };
    let other_id = message("M1", Some(noon), 0, noon);
    let other_time = message("m1", Some(noon + SignedDuration::from_micros(1)), 0, noon);
    let sent = [first, other_client, other_id, other_time];
    assert_eq!(send(store, ours, &sent).await, [Stored; 4]);
    assert_eq!(send(store, ours, &sent).await, [Duplicate; 4]);
    assert_stored(store, ours, 4).await;
});

on_both_databases!(twice_in_one_batch_is_stored_once, async |store| {
    let ours = organization(store, "UTC").await;
    let noon = at("2026-05-18T12:00:00Z");
    let one = message("m1", Some(noon), 0, noon);
    let two = message("m2", Some(noon), 0, noon);
    let sent = [one.clone(), two.clone(), one.clone(), one, two];
    let outcomes = send(store, ours, &sent).await;
    assert_eq!(outcomes, [Stored, Stored, Duplicate, Duplicate, Duplicate]);
    assert_stored(store, ours, 2).await;
});

on_both_databases!(corrected_by_any_amount_it_is_the_same_message, async |store| {
    // Seconds that a clock is behind: nothing, less than is corrected, seconds more, hours, days.
    let corrections =
        [0, 60, 61, 63, -61, 5 * MINUTE, -7 * MINUTE, 3 * HOUR, -3 * HOUR, 25 * HOUR, -3 * DAY];
    let timestamps = [
        "2026-05-18T12:00:00Z",
        "2026-05-18T23:59:30Z", // pushed over midnight by a minute
        "2026-05-18T00:00:30Z", // pulled back over it
        "2026-05-18T23:59:59.999999Z",
        "2026-05-18T00:00:00Z",
    ];
    let ours = organization(store, "Europe/Berlin").await;
    let mut number = 0;
    for timestamp in timestamps {
        for first in corrections {
            for second in corrections {
                number += 1;
                let id = format!("m{number}");
                let received = at("2026-05-22T00:00:00Z");
                let once = message(&id, Some(at(timestamp)), first, received);
                let again = message(&id, Some(at(timestamp)), second, at("2026-05-23T00:00:00Z"));
                let outcomes =
                    [send(store, ours, &[once]).await, send(store, ours, &[again]).await].concat();
                assert_eq!(outcomes, [Stored, Duplicate], "{timestamp} {first} s, then {second} s");
            }
        }
    }
    assert_stored(store, ours, number).await;
});

on_both_databases!(corrected_differently_in_one_batch_it_is_stored_once, async |store| {
    let ours = organization(store, "UTC").await;
    let received = at("2026-05-22T00:00:00Z");
    let mut number = 0;
    for timestamp in ["2026-05-18T23:59:30Z", "2026-05-18T00:00:30Z", "2026-05-18T12:00:00Z"] {
        for (first, second) in
            [(0, 61), (61, 0), (61, 62), (-61, 0), (0, -61), (-61, 61), (3 * DAY, -3 * DAY)]
        {
            number += 1;
            let id = format!("m{number}");
            let sent: Vec<Event> = [first, second, first]
                .into_iter()
                .map(|behind| message(&id, Some(at(timestamp)), behind, received))
                .collect();
            let outcomes = send(store, ours, &sent).await;
            let stored = outcomes.iter().filter(|outcome| **outcome == Stored).count();
            assert_eq!(stored, 1, "{timestamp} {first} s and {second} s");
            for event in sent {
                assert_eq!(send(store, ours, &[event]).await, [Duplicate]);
            }
        }
    }
    assert_stored(store, ours, number).await;
});

on_both_databases!(two_messages_that_correction_files_under_the_same_time_are_two, async |store| {
    let ours = organization(store, "UTC").await;
    let received = at("2026-05-22T00:00:00Z");
    // The same id by carelessness, a day apart by the client's clock, corrected to the same moment.
    let (early, late) = (at("2026-05-17T12:00:00Z"), at("2026-05-18T12:00:00Z"));
    let moved = message("m1", Some(early), DAY, received);
    let there = message("m1", Some(late), 0, received);
    assert_eq!(moved.occurred_at, there.occurred_at);
    assert_eq!(send(store, ours, &[moved]).await, [Stored]);
    assert_eq!(send(store, ours, &[there]).await, [Stored]);
    assert_eq!(send(store, ours, &[message("m1", Some(early), 0, received)]).await, [Duplicate]);
    assert_eq!(send(store, ours, &[message("m1", Some(late), DAY, received)]).await, [Duplicate]);
    assert_stored(store, ours, 2).await;
});

on_both_databases!(
    of_equal_messages_in_a_batch_a_new_client_exists_since_the_one_that_is_stored,
    async |store| {
        let ours = organization(store, "UTC").await;
        let received = at("2026-05-22T00:00:00Z");
        let timestamp = Some(at("2026-05-18T12:00:00Z"));
        let late = message("m1", timestamp, 2 * DAY, received);
        let early = message("m1", timestamp, 0, received);
        let outcomes = send(store, ours, &[late, early.clone()]).await;
        assert_eq!(outcomes, [Duplicate, Stored]);
        assert_eq!(found(store, ours, "ada").await.created_at, early.occurred_at);
    }
);

on_both_databases!(
    without_a_timestamp_a_message_is_known_by_its_id_for_seven_days,
    async |store| {
        let ours = organization(store, "Europe/Berlin").await;
        let sent = |received: &str| message("m1", None, 0, at(received));
        let cases = [
            ("2026-05-01T23:59:59.5Z", Stored),
            ("2026-05-01T23:59:59.9Z", Duplicate),
            ("2026-05-02T00:00:00.1Z", Duplicate), // across midnight
            ("2026-05-05T12:00:00Z", Duplicate),
            ("2026-05-08T23:59:59.499999Z", Duplicate),
            ("2026-05-08T23:59:59.5Z", Stored), // seven days to the microsecond
            ("2026-05-09T00:00:00Z", Duplicate),
            ("2026-05-15T23:00:00Z", Duplicate),
            ("2026-05-15T23:59:59.5Z", Stored),
            ("2030-01-01T00:00:00Z", Stored),
        ];
        for (received, expected) in cases {
            assert_eq!(send(store, ours, &[sent(received)]).await, [expected], "{received}");
        }
        let other = message("m2", None, 0, at("2026-05-01T23:59:59.5Z"));
        let bobs = Event { client_id: "bob".to_owned(), ..other.clone() };
        assert_eq!(send(store, ours, &[other, bobs]).await, [Stored, Stored]);
        assert_stored(store, ours, 6).await;
    }
);

on_both_databases!(
    two_requests_around_midnight_are_one_message_whichever_is_stored_first,
    async |store| {
        let ours = organization(store, "UTC").await;
        let (before, after) = (at("2026-05-01T23:59:59.9Z"), at("2026-05-02T00:00:00.1Z"));
        for (number, [first, second]) in [[before, after], [after, before]].into_iter().enumerate()
        {
            let id = format!("m{number}");
            let sent = [message(&id, None, 0, first), message(&id, None, 0, second)];
            assert_eq!(send(store, ours, &sent[..1]).await, [Stored]);
            assert_eq!(send(store, ours, &sent[1..]).await, [Duplicate], "{first} then {second}");
            let id = format!("both {number}");
            let sent = [message(&id, None, 0, first), message(&id, None, 0, second)];
            assert_eq!(send(store, ours, &sent).await, [Stored, Duplicate], "{first} and {second}");
        }
        assert_stored(store, ours, 4).await;
    }
);

on_both_databases!(a_batch_of_many_untimed_and_moved_messages_is_told_apart, async |store| {
    let ours = organization(store, "UTC").await;
    let received = at("2026-05-02T00:00:10Z");
    let batch = |behind: i64, received: Timestamp| -> Vec<Event> {
        (0..600)
            .map(|number| match number % 3 {
                0 => message(&format!("m{number}"), None, 0, received),
                1 => message(
                    &format!("m{number}"),
                    Some(at("2026-05-01T23:59:00Z")),
                    behind,
                    received,
                ),
                _ => message(&format!("m{number}"), Some(at("2026-05-01T12:00:00Z")), 0, received),
            })
            .collect()
    };
    assert_eq!(send(store, ours, &batch(2 * MINUTE, received)).await, [Stored; 600]);
    let later = received + SignedDuration::from_hours(30);
    assert_eq!(send(store, ours, &batch(0, later)).await, [Duplicate; 600]);
    assert_eq!(send(store, ours, &batch(3 * MINUTE, later)).await, [Duplicate; 600]);
    assert_stored(store, ours, 600).await;
});

/// One send in a random history: which message, at which of its client's times, how it is corrected.
#[derive(Clone, Debug)]
struct Sending {
    client: &'static str,
    id: &'static str,
    timestamp: &'static str,
    behind: i64,
    /// Whether it goes in one batch with the one before.
    together: bool,
}

fn sendings() -> impl Strategy<Value = Vec<Sending>> {
    let timestamps = [
        "2026-05-18T12:00:00Z",
        "2026-05-18T23:59:30Z",
        "2026-05-19T00:00:30Z",
        "2026-05-19T23:59:59.999999Z",
        "2026-05-20T00:00:00Z",
    ];
    let corrections = [0, SECOND, 61, -61, 90, -90, 10 * HOUR, -10 * HOUR, 26 * HOUR, -49 * HOUR];
    let sending = (
        select(vec!["ada", "bob"]),
        select(vec!["m1", "m2"]),
        select(timestamps.to_vec()),
        select(corrections.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(client, id, timestamp, behind, together)| Sending {
            client,
            id,
            timestamp,
            behind,
            together,
        });
    vec(sending, 1..40)
}

async fn each_is_stored_once(store: &Database, sendings: Vec<Sending>) -> Result<(), String> {
    let ours = organization(store, "Australia/Lord_Howe").await;
    let mut batches: Vec<Vec<Event>> = Vec::new();
    for (number, sending) in (0_i64..).zip(&sendings) {
        let received = at("2026-05-24T00:00:00Z") + SignedDuration::from_mins(7 * number);
        let mut event = message(sending.id, Some(at(sending.timestamp)), sending.behind, received);
        sending.client.clone_into(&mut event.client_id);
        match batches.last_mut() {
            Some(batch) if sending.together => batch.push(event),
            _ => batches.push(vec![event]),
        }
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for batch in batches {
        outcomes.extend(send(store, ours, &batch).await);
    }
    let mut stored: BTreeMap<_, usize> = BTreeMap::new();
    for (sending, outcome) in sendings.iter().zip(outcomes) {
        *stored.entry((sending.client, sending.id, sending.timestamp)).or_default() +=
            usize::from(outcome == Stored);
    }
    if let Some(wrong) = stored.iter().find(|(_, times)| **times != 1) {
        return Err(format!("{wrong:?} times stored"));
    }
    let keys: BTreeSet<_> = stored.into_keys().collect();
    assert_stored(store, ours, i64::try_from(keys.len()).unwrap()).await;
    Ok(())
}

#[tokio::test]
async fn any_history_of_sends_and_corrections_stores_each_message_once() {
    let database = Database::sqlite().await;
    for_all(150, &sendings(), async |case| each_is_stored_once(&database, case).await).await;
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn any_history_of_sends_and_corrections_stores_each_message_once_on_postgres() {
    let database = Database::postgres().await;
    for_all(30, &sendings(), async |case| each_is_stored_once(&database, case).await).await;
    database.close().await;
}

/// Eight tasks that send overlapping batches, moved and untimed messages among them.
async fn overlapping_batches_at_the_same_time(database: Database) {
    let ours = organization(&database, "Europe/Berlin").await;
    let received = at("2026-05-22T00:00:00Z");
    let all: Vec<Event> = (0..400_i64)
        .map(|number| {
            let id = format!("m{number}");
            let own = at("2026-05-18T23:00:00Z") + SignedDuration::from_mins(number);
            let mut event = match number % 40 {
                // Most batches must take the shared lock only, or nothing would run beside anything.
                0 => message(&id, Some(own), 2 * HOUR, received),
                1 => message(&id, None, 0, received + SignedDuration::from_secs(number)),
                _ => message(&id, Some(own), 0, received),
            };
            event.client_id = format!("client {}", number % 23);
            event
        })
        .collect();
    let all = std::sync::Arc::new(all);
    let database = std::sync::Arc::new(database);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let (all, database) = (all.clone(), database.clone());
        tasks.spawn(async move {
            let mut stored = 0;
            // Each goes through all of it, from another place and in another direction.
            for round in 0..10 {
                let mut batch: Vec<Event> = (0..80)
                    .map(|place| all[(task * 50 + round * 40 + place) % all.len()].clone())
                    .collect();
                if task % 2 == 0 {
                    batch.reverse();
                }
                let outcomes = send(&database, ours, &batch).await;
                stored += outcomes.into_iter().filter(|outcome| *outcome == Stored).count();
            }
            stored
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), all.len());
    assert_stored(&database, ours, 400).await;
    let database = std::sync::Arc::into_inner(database).unwrap();
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_batches_at_the_same_time_store_each_message_once() {
    overlapping_batches_at_the_same_time(Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn overlapping_batches_at_the_same_time_store_each_message_once_on_postgres() {
    overlapping_batches_at_the_same_time(Database::postgres().await).await;
}
