//! Verification: silent on honest data, and naming every kind of tampering.

use mainstay_core::{
    engagement::EventType,
    id::OrganizationId,
    time::{add_days, time_zone},
};
use mainstay_store::{Difference, Scope};

use crate::{
    fixtures::{at, day, event, found_id, organization, send},
    harness::Database,
};

/// All differences of an organization, and how many rows agreed.
async fn verify(store: &Database, organization: OrganizationId) -> (Vec<Difference>, u64) {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let zone = time_zone(&tx.organization().await.unwrap().time_zone).unwrap();
    let (mut differences, mut agreed) = (Vec::new(), 0);
    if let Some((first, last)) = tx.days_to_verify().await.unwrap() {
        let mut day = first;
        while day <= last {
            let (found, rows) = tx.verify_day(day, &zone).await.unwrap();
            differences.extend(found);
            agreed += rows;
            day = add_days(day, 1);
        }
    }
    let (found, rows) = tx.verify_totals().await.unwrap();
    differences.extend(found);
    (differences, agreed + rows)
}

/// Checks that all that is rolled up follows from the events, and that all of it was looked at.
pub(crate) async fn assert_honest(store: &Database, organization: OrganizationId) {
    let (differences, agreed) = verify(store, organization).await;
    assert_eq!(differences, []);
    let rows = store.rows_of("daily_activity", organization.uuid()).await.len()
        + store.rows_of("client_activity_totals", organization.uuid()).await.len();
    assert_eq!(agreed, rows as u64);
}

/// Two clients with a month of days, half of them folded.
async fn honest(store: &Database) -> OrganizationId {
    let ours = organization(store, "America/New_York").await;
    let mut sent = Vec::new();
    for number in 0..40 {
        let when = at("2026-03-01T04:30:00Z") + jiff::SignedDuration::from_hours(19 * number);
        for (client, kind) in
            [("ada", EventType::ContentGenerated), ("bob", EventType::VisualCreated)]
        {
            let id = format!("{client}-{number}");
            sent.push(crate::fixtures::event_at(client, &id, kind, when));
        }
    }
    send(store, ours, &sent).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-03-15")).await.unwrap();
    tx.commit().await.unwrap();
    ours
}

on_both_databases!(verification_passes_on_honest_data, async |store| {
    let nothing = organization(store, "UTC").await;
    assert_honest(store, nothing).await;
    let ours = honest(store).await;
    assert_honest(store, ours).await;
    let (_, agreed) = verify(store, ours).await;
    assert!(agreed > 40, "{agreed}");
});

/// What is done to the database, and what verification has to say of it.
struct Tampering {
    sql: String,
    place: &'static str,
    day: &'static str,
    stored: &'static str,
    computed: &'static str,
}

on_both_databases!(verification_names_every_kind_of_tampering, async |store| {
    let probe = honest(store).await;
    let ada = |organization| found_id(store, organization, "ada");
    // Event 30 of ada: 24 March, 22:30 UTC, the only one of that day there.
    let event_key = "message_id = 'ada-30'";
    let late_day = store.day(day("2026-03-24"));
    let early_day = store.day(day("2026-03-02"));
    let micros = |text: &str| store.instant(at(text));
    let day_key = |day: &str| format!("day = {day} AND event_type = 'content_generated'");
    let days_json = if store.is_postgres() { "'[20500]'::jsonb" } else { "'[20500]'" };
    let cases = [
        Tampering {
            sql: format!("DELETE FROM client_engagement_events WHERE {event_key}"),
            place: "daily_activity.event_count (content_generated)",
            day: "2026-03-24",
            stored: "1",
            computed: "none",
        },
        Tampering {
            sql: format!(
                "UPDATE client_engagement_events SET event_type = 'login' WHERE {event_key}"
            ),
            place: "daily_activity.event_count (content_generated)",
            day: "2026-03-24",
            stored: "1",
            computed: "none",
        },
        Tampering {
            sql: format!(
                "UPDATE client_engagement_events SET occurred_at = {} WHERE {event_key}",
                micros("2026-03-24T22:30:00.000001Z")
            ),
            place: "daily_activity.last_at (content_generated)",
            day: "2026-03-24",
            stored: "2026-03-24T22:30:00Z",
            computed: "2026-03-24T22:30:00.000001Z",
        },
        Tampering {
            sql: format!("UPDATE daily_activity SET event_count = 7 WHERE {}", day_key(&late_day)),
            place: "daily_activity.event_count (content_generated)",
            day: "2026-03-24",
            stored: "7",
            computed: "1",
        },
        Tampering {
            sql: format!("DELETE FROM daily_activity WHERE {}", day_key(&late_day)),
            place: "daily_activity.event_count (content_generated)",
            day: "2026-03-24",
            stored: "none",
            computed: "1",
        },
        Tampering {
            sql: format!(
                "INSERT INTO daily_activity SELECT organization_id, {late_day}, client_id, 'login', \
                 3, last_at FROM daily_activity WHERE {}",
                day_key(&late_day)
            ),
            place: "daily_activity.event_count (login)",
            day: "2026-03-24",
            stored: "3",
            computed: "none",
        },
        Tampering {
            sql: format!(
                "UPDATE daily_activity SET last_at = {} WHERE {}",
                micros("2026-03-24T22:00:00Z"),
                day_key(&late_day)
            ),
            place: "daily_activity.last_at (content_generated)",
            day: "2026-03-24",
            stored: "2026-03-24T22:00:00Z",
            computed: "2026-03-24T22:30:00Z",
        },
        Tampering {
            sql: "UPDATE client_activity_totals SET content_generated = 99 WHERE 1 = 1".to_owned(),
            place: "client_activity_totals.content_generated",
            day: "2026-03-15",
            stored: "99",
            computed: "19",
        },
        Tampering {
            sql: "UPDATE client_activity_totals SET visuals_created = 1 WHERE 1 = 1".to_owned(),
            place: "client_activity_totals.visuals_created",
            day: "2026-03-15",
            stored: "1",
            computed: "0",
        },
        Tampering {
            sql: format!(
                "UPDATE client_activity_totals SET last_at = {} WHERE 1 = 1",
                micros("2026-03-01T00:00:00Z")
            ),
            place: "client_activity_totals.last_at",
            day: "2026-03-15",
            stored: "2026-03-01T00:00:00Z",
            computed: "2026-03-15T10:30:00Z",
        },
        Tampering {
            sql: "DELETE FROM client_activity_totals WHERE 1 = 1".to_owned(),
            place: "client_activity_totals.last_at",
            day: "2026-03-15",
            stored: "none",
            computed: "2026-03-15T10:30:00Z",
        },
        Tampering {
            sql: format!("UPDATE client_activity_totals SET active_days = {days_json} WHERE 1 = 1"),
            place: "client_activity_totals.active_days",
            day: "2026-03-15",
            stored: "2026-02-16",
            computed: "2026-02-28 2026-03-01 2026-03-02 2026-03-03 2026-03-04 2026-03-05 \
                       2026-03-06 2026-03-07 2026-03-08 2026-03-09 2026-03-10 2026-03-11 \
                       2026-03-12 2026-03-13 2026-03-14 2026-03-15",
        },
    ];
    for case in cases {
        let ours = honest(store).await;
        let client = ada(ours).await;
        let only = format!(
            " AND organization_id = {} AND client_id = {}",
            store.id(ours.uuid()),
            store.id(client.uuid())
        );
        assert_eq!(store.raw(&format!("{}{only}", case.sql)).await, 1, "{}", case.sql);
        let (differences, _) = verify(store, ours).await;
        let expected = Difference {
            place: case.place.to_owned(),
            client_id: "ada".to_owned(),
            day: Some(day(case.day)),
            stored: case.stored.to_owned(),
            computed: case.computed.to_owned(),
        };
        assert!(differences.contains(&expected), "{}: {differences:#?}", case.sql);
        // A changed type is missing in one row and too many in the other; the rest is one thing.
        assert!(differences.len() <= 2, "{}: {differences:#?}", case.sql);
    }
    // A count that is wrong in the roll-up and was folded differs from the events and the totals.
    let ours = honest(store).await;
    let client = ada(ours).await;
    store
        .raw(&format!(
            "UPDATE daily_activity SET event_count = event_count + 1 WHERE {} AND client_id = {}",
            day_key(&early_day),
            store.id(client.uuid())
        ))
        .await;
    let (differences, _) = verify(store, ours).await;
    let places: Vec<&str> = differences.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "daily_activity.event_count (content_generated)",
            "client_activity_totals.content_generated"
        ]
    );
    assert_honest(store, probe).await;
});

on_both_databases!(a_roll_up_of_a_client_that_is_gone_is_named_by_its_id, async |store| {
    let ours = honest(store).await;
    let ada = found_id(store, ours, "ada").await;
    let id = store.id(ada.uuid());
    store.raw(&format!("DELETE FROM clients WHERE id = {id}")).await;
    store.raw(&format!("DELETE FROM client_engagement_events WHERE client_id = {id}")).await;
    store.raw(&format!("DELETE FROM client_activity_totals WHERE client_id = {id}")).await;
    let (differences, _) = verify(store, ours).await;
    assert!(differences.len() > 20);
    assert!(differences.iter().all(|one| one.client_id == ada.to_string()), "{differences:?}");
});

on_both_databases!(a_difference_is_one_sentence, async |store| {
    let ours = organization(store, "UTC").await;
    send(store, ours, &[event("ada", "m1", EventType::Login, "2026-05-18T09:00:00Z")]).await;
    store.raw("UPDATE daily_activity SET event_count = 2").await;
    let (differences, _) = verify(store, ours).await;
    assert_eq!(
        differences[0].to_string(),
        "daily_activity.event_count (login) of client ada on 2026-05-18: stored 2, computed 1"
    );
});
