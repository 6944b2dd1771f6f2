//! What a score is made from, against figures worked by hand.

use jiff::civil::Date;
use mainstay_core::{
    engagement::{EventType, Rhythm},
    score::{EarlierScore, LaunchKit, TaskCounts},
};
use mainstay_store::{ClientFacts, Scope};

use crate::{
    fixtures::{at, client, day, event, facts, organization, send},
    isolation::store_scores,
};

use EventType::{ContentGenerated, Login, TaskCompleted, VisualCreated};

fn days(texts: &[&str]) -> Rhythm {
    texts.iter().map(|text| day(text)).collect()
}

fn only(mut facts: Vec<ClientFacts>) -> ClientFacts {
    assert_eq!(facts.len(), 1);
    facts.remove(0)
}

on_both_databases!(a_client_that_did_nothing_has_facts_too, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let expected = ClientFacts {
        client: ada.id,
        external_id: "ada".to_owned(),
        created_at: ada.created_at,
        as_of: at("2026-05-20"),
        known_at: None,
        activity: mainstay_core::engagement::Activity::default(),
        made_today: (0, 0),
        tasks: TaskCounts::default(),
        launch_kit: LaunchKit::Unopened,
        ratings: (0, 0),
        previous: None,
    };
    for detailed in [false, true] {
        assert_eq!(only(facts(store, ours, at("2026-05-20"), detailed).await), expected);
    }
    assert_eq!(
        facts(store, ours, at("2026-05-01"), true).await,
        [],
        "it did not exist before that"
    );
});

on_both_databases!(weeks_are_cut_to_the_microsecond_where_the_clocks_changed, async |store| {
    // New York, 8 March 2026: 02:00 EST became 03:00 EDT. A week before noon EDT of the 10th is noon
    // EST of the 3rd, 167 hours earlier.
    let ours = organization(store, "America/New_York").await;
    let sent = [
        event("ada", "01", Login, "2026-02-24T16:59:59.999999Z"), // before both weeks
        event("ada", "02", VisualCreated, "2026-02-24T17:00:00Z"), // last week's first
        event("ada", "03", Login, "2026-03-03T04:59:59Z"),        // 2 March 23:59:59
        event("ada", "04", Login, "2026-03-03T16:59:59.999999Z"), // last week's last
        event("ada", "05", ContentGenerated, "2026-03-03T17:00:00Z"), // this week's first
        event("ada", "06", TaskCompleted, "2026-03-03T18:00:00Z"),
        event("ada", "07", Login, "2026-03-08T06:59:59Z"), // 01:59:59 EST
        event("ada", "08", Login, "2026-03-08T07:00:00Z"), // 03:00 EDT
        event("ada", "09", Login, "2026-03-09T03:59:59Z"), // 8 March 23:59:59 EDT
        event("ada", "10", Login, "2026-03-09T04:00:00Z"), // 9 March 00:00 EDT
        event("ada", "11", VisualCreated, "2026-03-10T15:59:59.999999Z"),
        event("ada", "12", ContentGenerated, "2026-03-10T16:00:00Z"), // at the instant: too late
        event("ada", "13", ContentGenerated, "2026-03-11T16:00:00Z"),
    ];
    send(store, ours, &sent).await;
    let facts = only(facts(store, ours, at("2026-03-10T16:00:00Z"), true).await);
    let activity = facts.activity;
    assert_eq!(activity.events_this_week, 7);
    assert_eq!(activity.events_last_week, 3);
    assert_eq!(activity.high_value_this_week, 3);
    assert_eq!(activity.active_days, 4);
    assert_eq!(activity.content_generated, 1);
    assert_eq!(activity.visuals_created, 2);
    assert_eq!(activity.last_event_at, Some(at("2026-03-10T15:59:59.999999Z")));
    assert_eq!(
        activity.rhythm,
        days(&["2026-02-24", "2026-03-02", "2026-03-03", "2026-03-08", "2026-03-09", "2026-03-10"])
    );
    assert_eq!(facts.made_today, (0, 1));
});

on_both_databases!(a_week_from_midnight_to_midnight_counts_whole_days, async |store| {
    // Kathmandu is at +05:45 all year: its 10 May begins at 18:15 of the 9th.
    let ours = organization(store, "Asia/Kathmandu").await;
    let sent = [
        event("ada", "1", Login, "2026-05-02T18:14:59.999999Z"), // 2 May
        event("ada", "2", Login, "2026-05-02T18:15:00Z"),        // 3 May, this week
        event("ada", "3", Login, "2026-05-09T18:14:59.999999Z"), // 9 May
        event("ada", "4", Login, "2026-05-09T18:15:00Z"),        // 10 May: at the instant
    ];
    send(store, ours, &sent).await;
    let activity = only(facts(store, ours, at("2026-05-09T18:15:00Z"), true).await).activity;
    assert_eq!((activity.events_this_week, activity.events_last_week), (2, 1));
    assert_eq!(activity.active_days, 2);
    assert_eq!(activity.last_event_at, Some(at("2026-05-09T18:14:59.999999Z")));
    assert_eq!(activity.rhythm, days(&["2026-05-02", "2026-05-03", "2026-05-09"]));
});

on_both_databases!(a_week_that_starts_at_noon_touches_eight_days, async |store| {
    let ours = organization(store, "UTC").await;
    let mut sent = Vec::new();
    for number in 12..=19 {
        let id = number.to_string();
        sent.push(event("ada", &id, Login, &format!("2026-05-{number}T12:00:00Z")));
    }
    let after = at("2026-05-19T12:00:00.000001Z");
    send(store, ours, &sent).await;
    // From 12 May 12:00:00.000001 on, the first one is last week's.
    let activity = only(facts(store, ours, after, false).await).activity;
    assert_eq!((activity.events_this_week, activity.events_last_week), (7, 1));
    let noon = at("2026-05-19T12:00:00Z");
    let activity = only(facts(store, ours, noon, false).await).activity;
    assert_eq!((activity.events_this_week, activity.active_days), (7, 7));
    send(store, ours, &[event("ada", "today", Login, "2026-05-19T11:00:00Z")]).await;
    let activity = only(facts(store, ours, noon, false).await).activity;
    assert_eq!((activity.events_this_week, activity.active_days), (8, 8));
});

on_both_databases!(the_past_is_seen_as_it_was_also_behind_the_fold, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let mut sent = Vec::new();
    for month in 1..=5 {
        for date in [3, 14, 25] {
            let when = format!("2026-{month:02}-{date}T10:00:00Z").replace("-3T", "-03T");
            sent.push(event("ada", &format!("{month}-{date}"), ContentGenerated, &when));
        }
    }
    send(store, ours, &sent).await;
    let all = async || {
        let mut all = Vec::new();
        for instant in ["2026-01-14T10:00:00Z", "2026-02-20", "2026-04-03T22:00:00Z", "2026-05-28"]
        {
            for detailed in [false, true] {
                let mut facts = only(facts(store, ours, at(instant), detailed).await);
                if !detailed {
                    // A score does not need it, so nothing is promised of it.
                    facts.activity.rhythm = Rhythm::default();
                }
                all.push(facts);
            }
        }
        all
    };
    let before = all().await;
    let made: Vec<i64> = before.iter().map(|facts| facts.activity.content_generated).collect();
    assert_eq!(made, [1, 1, 5, 5, 10, 10, 15, 15]);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-10")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(all().await, before);
});

on_both_databases!(a_usual_gap_is_told_however_long_ago_the_client_was_here, async |store| {
    let ours = organization(store, "UTC").await;
    let sent: Vec<_> = (1..=9)
        .map(|number| event("ada", &number.to_string(), Login, &format!("2025-01-0{number}")))
        .collect();
    send(store, ours, &sent).await;
    let as_of = at("2026-05-20");
    let gap = async || only(facts(store, ours, as_of, true).await).activity.rhythm;
    let expected: Rhythm = (1..=9).map(|number| Date::constant(2025, 1, number)).collect();
    assert_eq!(gap().await, expected, "not folded");
    // Folded up to a day long ago, with more than two months between it and the present.
    for until in ["2025-01-03", "2025-01-05", "2025-06-01", "2026-05-01"] {
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.fold_activity(day(until)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(gap().await, expected, "folded until {until}");
    }
});

on_both_databases!(only_the_latest_active_days_make_the_rhythm, async |store| {
    let ours = organization(store, "UTC").await;
    let first = day("2026-02-01");
    let sent: Vec<_> = (0..90)
        .map(|number| {
            let date = mainstay_core::time::add_days(first, number);
            event("ada", &number.to_string(), Login, &date.to_string())
        })
        .collect();
    send(store, ours, &sent).await;
    let expected: Rhythm =
        (59..90).map(|number| mainstay_core::time::add_days(first, number)).collect();
    assert_eq!(expected.days().count(), Rhythm::MAX_DAYS);
    let as_of = at("2026-05-20");
    assert_eq!(only(facts(store, ours, as_of, true).await).activity.rhythm, expected);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-04-15")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(only(facts(store, ours, as_of, true).await).activity.rhythm, expected);
});

on_both_databases!(facts_come_in_the_order_of_the_chunk_whatever_it_is, async |store| {
    let ours = organization(store, "UTC").await;
    for name in ["ada", "bob", "cleo", "dora"] {
        send(store, ours, &[event(name, name, Login, "2026-05-18")]).await;
    }
    let as_of = at("2026-05-20");
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let mut chunk = tx.client_chunk(None, as_of, 100).await.unwrap();
    chunk.clients.sort_by(|a, b| b.1.cmp(&a.1));
    let windows = mainstay_core::engagement::Windows::at(as_of, jiff::tz::TimeZone::UTC);
    let range = mainstay_store::ActivityRange::new(windows, None, false);
    let model = mainstay_core::score::ScoreModel::standard();
    let facts = tx.list_client_facts(&chunk, &range, (1, &model)).await.unwrap();
    let told: Vec<_> =
        facts.iter().map(|one| (one.external_id.as_str(), one.activity.events_this_week)).collect();
    assert_eq!(told, [("dora", 1), ("cleo", 1), ("bob", 1), ("ada", 1)]);
    chunk.clients.clear();
    assert_eq!(tx.list_client_facts(&chunk, &range, (1, &model)).await.unwrap(), []);
});

on_both_databases!(
    a_fold_between_asking_how_far_it_is_and_counting_counts_nothing_twice,
    async |store| {
        let ours = organization(store, "UTC").await;
        let sent = [
            event("ada", "1", ContentGenerated, "2026-01-10"),
            event("ada", "2", ContentGenerated, "2026-02-10"),
            event("ada", "3", ContentGenerated, "2026-05-18"),
        ];
        send(store, ours, &sent).await;
        let fold = async |until| {
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            tx.fold_activity(day(until)).await.unwrap();
            tx.commit().await.unwrap();
        };
        fold("2026-01-20").await;
        let as_of = at("2026-05-20");
        let windows = mainstay_core::engagement::Windows::at(as_of, jiff::tz::TimeZone::UTC);
        let range = mainstay_store::ActivityRange::new(windows, Some(day("2026-01-20")), false);
        fold("2026-03-01").await;
        let chunk = crate::fixtures::everybody(store, ours, as_of).await;
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        let model = mainstay_core::score::ScoreModel::standard();
        let facts = only(tx.list_client_facts(&chunk, &range, (1, &model)).await.unwrap());
        assert_eq!(facts.activity.content_generated, 3);
    }
);

on_both_databases!(
    previous_is_the_latest_a_week_older_else_the_oldest_a_day_older,
    async |store| {
        // Berlin's clocks went forward on 29 March: a week before 2 April 00:00 +02:00 is 26 March 00:00
        // +01:00.
        let ours = organization(store, "Europe/Berlin").await;
        client(store, ours, "ada", "2026-01-01").await;
        let previous = async |as_of: &str| {
            let facts = only(facts(store, ours, at(as_of), false).await);
            let detailed = only(crate::fixtures::facts(store, ours, at(as_of), true).await);
            let (bare, full) = (facts.previous, detailed.previous);
            assert_eq!(bare.as_ref().and_then(|earlier| earlier.inputs.clone()), None);
            let inputs = full.as_ref().and_then(|earlier| earlier.inputs.clone());
            assert_eq!(
                inputs.map(|inputs| inputs.as_of),
                full.as_ref().map(|earlier| earlier.as_of)
            );
            let without = full.map(|earlier| EarlierScore { inputs: None, ..earlier });
            assert_eq!(bare, without);
            bare.map(|earlier| earlier.as_of)
        };
        let now = "2026-04-01T22:00:00Z";
        assert_eq!(previous(now).await, None);
        let mut expected: Vec<(&str, Option<&str>)> = vec![
            ("2026-04-01T20:00:00Z", None),                         // hours ago
            ("2026-04-01T05:00:00Z", None), // the same day again: replaces it
            ("2026-03-31T22:00:00.000001Z", None), // not quite a day
            ("2026-03-31T21:00:00Z", Some("2026-03-31T21:00:00Z")), // more than a day
            ("2026-03-30T10:00:00Z", Some("2026-03-30T10:00:00Z")), // older: the oldest counts
            ("2026-03-30T18:00:00Z", Some("2026-03-30T18:00:00Z")), // replaces that one
            ("2026-03-25T23:00:00.000001Z", Some("2026-03-25T23:00:00.000001Z")), // not quite a week
            ("2026-03-25T23:00:00Z", Some("2026-03-25T23:00:00Z")), // replaces it, a week exactly
            ("2026-03-01T23:00:00Z", Some("2026-03-25T23:00:00Z")), // older: the latest counts
        ];
        for (scored, expected) in expected.drain(..) {
            let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
            store_scores(&mut tx, scored).await;
            tx.commit().await.unwrap();
            assert_eq!(previous(now).await, expected.map(at), "after scoring {scored}");
        }
    }
);
