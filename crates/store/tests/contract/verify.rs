//! Verification: silent on honest data, and naming every kind of tampering.

use jiff::civil::Date;
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
pub(crate) async fn verify(
    store: &Database,
    organization: OrganizationId,
) -> (Vec<Difference>, u64) {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let zone = time_zone(&tx.get_organization().await.unwrap().time_zone).unwrap();
    let (mut differences, mut agreed) = (Vec::new(), 0);
    if let Some((first, last)) = tx.find_days_to_verify().await.unwrap() {
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
    let of = |table: &str| {
        let id = store.id(organization.uuid());
        format!("SELECT day, client_id, event_type FROM {table} WHERE organization_id = {id}")
    };
    let keys = format!("{} UNION {}", of("daily_activity"), of("pending_activity"));
    let keys = store.number(&format!("SELECT COUNT(*) FROM ({keys}) AS keys")).await;
    let totals = store.rows_of("client_activity_totals", organization.uuid()).await.len();
    assert_eq!(agreed, keys.unsigned_abs() + totals as u64);
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

/// Does something to one row of ada's in a database that was honest, and checks that verification
/// names it: the place, the day, what is stored and what follows from the events.
async fn assert_named(
    store: &Database,
    tampering: &str,
    (place, date): (&str, &str),
    (stored, computed): (&str, &str),
) {
    let ours = honest(store).await;
    let ada = found_id(store, ours, "ada").await;
    let (ours_id, ada_id) = (store.id(ours.uuid()), store.id(ada.uuid()));
    let sql = format!("{tampering} AND organization_id = {ours_id} AND client_id = {ada_id}");
    assert_eq!(store.raw(&sql).await, 1, "{sql}");
    let (differences, _) = verify(store, ours).await;
    let expected = Difference {
        place: place.to_owned(),
        client_id: "ada".to_owned(),
        day: Some(day(date)),
        stored: stored.to_owned(),
        computed: computed.to_owned(),
    };
    assert!(differences.contains(&expected), "{sql}: {differences:#?}");
    // What changes its type is missing in one row and too many in another; the rest is one thing.
    assert!(differences.len() <= 2, "{sql}: {differences:#?}");
}

/// The day of ada's event 30 in New York, the only one of that day: at 22:30 UTC.
const LATE: &str = "2026-03-24";

on_both_databases!(an_event_that_was_tampered_with_is_named, async |store| {
    let count = ("daily_activity.event_count (content_generated)", LATE);
    let last = ("daily_activity.last_at (content_generated)", LATE);
    let later = store.instant(at("2026-03-24T22:30:00.000001Z"));
    let elsewhere = store.instant(at("2026-03-20T12:00:00Z"));
    let key = "message_id = 'ada-30'";
    let update = "UPDATE client_engagement_events SET";
    for (sql, place, figures) in [
        (format!("DELETE FROM client_engagement_events WHERE {key}"), count, ("1", "none")),
        (format!("{update} event_type = 'login' WHERE {key}"), count, ("1", "none")),
        // Under a day where nobody would look for it.
        (format!("{update} occurred_at = {elsewhere} WHERE {key}"), count, ("1", "none")),
        (
            format!("{update} occurred_at = {later} WHERE {key}"),
            last,
            ("2026-03-24T22:30:00Z", "2026-03-24T22:30:00.000001Z"),
        ),
        (
            format!(
                "INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
                 message_id, client_timestamp, event_type, name, received_at) \
                 SELECT organization_id, occurred_at, client_id, 'forged', client_timestamp, \
                 event_type, name, received_at FROM client_engagement_events WHERE {key}"
            ),
            count,
            ("1", "2"),
        ),
    ] {
        assert_named(store, &sql, place, figures).await;
    }
});

on_both_databases!(a_roll_up_that_was_tampered_with_is_named, async |store| {
    let count = ("daily_activity.event_count (content_generated)", LATE);
    let date = store.day(day(LATE));
    let key = format!("day = {date} AND event_type = 'content_generated'");
    let earlier = store.instant(at("2026-03-24T22:00:00Z"));
    let added = format!(
        "INSERT INTO daily_activity (organization_id, day, part, client_id, event_type, event_count, \
         last_at, instants) SELECT organization_id, {date}, part, client_id, 'login', 3, last_at, \
         instants FROM daily_activity WHERE {key}"
    );
    for (sql, place, figures) in [
        (format!("UPDATE daily_activity SET event_count = 7 WHERE {key}"), count, ("7", "1")),
        (format!("DELETE FROM daily_activity WHERE {key}"), count, ("none", "1")),
        (added, ("daily_activity.event_count (login)", LATE), ("3", "none")),
        (
            format!("UPDATE daily_activity SET last_at = {earlier} WHERE {key}"),
            ("daily_activity.last_at (content_generated)", LATE),
            ("2026-03-24T22:00:00Z", "2026-03-24T22:30:00Z"),
        ),
        (
            format!("UPDATE daily_activity SET instants = '26f9d14a01' WHERE {key}"),
            ("daily_activity.instants (content_generated)", LATE),
            ("2026-03-24T22:30:00.000001Z", "2026-03-24T22:30:00Z"),
        ),
    ] {
        assert_named(store, &sql, place, figures).await;
    }
});

on_both_databases!(totals_that_were_tampered_with_are_named, async |store| {
    let update = "UPDATE client_activity_totals SET";
    let earlier = store.instant(at("2026-03-01T00:00:00Z"));
    let one_day = if store.is_postgres() { "'[20500]'::jsonb" } else { "'[20500]'" };
    let last_at = "2026-03-15T10:30:00Z";
    let days: Vec<String> =
        (1..=15).map(|number| Date::constant(2026, 3, number).to_string()).collect();
    let days = format!("2026-02-28 {}", days.join(" "));
    for (sql, column, figures) in [
        (format!("{update} content_generated = 99 WHERE 1 = 1"), "content_generated", ("99", "19")),
        (format!("{update} visuals_created = 1 WHERE 1 = 1"), "visuals_created", ("1", "0")),
        (
            format!("{update} last_at = {earlier} WHERE 1 = 1"),
            "last_at",
            ("2026-03-01T00:00:00Z", last_at),
        ),
        ("DELETE FROM client_activity_totals WHERE 1 = 1".to_owned(), "last_at", ("none", last_at)),
        (
            format!("{update} active_days = {one_day} WHERE 1 = 1"),
            "active_days",
            ("2026-02-16", days.as_str()),
        ),
    ] {
        let place = format!("client_activity_totals.{column}");
        assert_named(store, &sql, (&place, "2026-03-15"), figures).await;
    }
});

on_both_databases!(a_wrong_count_that_was_folded_differs_from_events_and_totals, async |store| {
    let ours = honest(store).await;
    let ada = found_id(store, ours, "ada").await;
    let sql = format!(
        "UPDATE daily_activity SET event_count = event_count + 1 WHERE day = {} AND client_id = {}",
        store.day(day("2026-03-02")),
        store.id(ada.uuid())
    );
    assert_eq!(store.raw(&sql).await, 1);
    let (differences, _) = verify(store, ours).await;
    let places: Vec<&str> = differences.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "daily_activity.event_count (content_generated)",
            "client_activity_totals.content_generated"
        ]
    );
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
