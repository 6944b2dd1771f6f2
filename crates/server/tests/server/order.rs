//! The order in which things arrive decides no figure.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use mainstay::{
    Mainstay, ManualClock,
    organization::CreateOrganization,
    score::{ClientScore, ScoreRun},
};
use mainstay_core::engagement::IncomingEvent;
use mainstay_store::Store;
use proptest::prelude::*;

use crate::support::NOW;

const NAMES: [&str; 4] = ["login", "content_generated", "visual_created", "Something Else"];

/// An event of the 50 days before now: whose, what, and how many minutes ago.
type TestEvent = (u8, u8, u32);

fn incoming((client, name, minutes_ago): TestEvent, number: usize) -> IncomingEvent {
    IncomingEvent {
        client_id: format!("client-{client}"),
        name: NAMES[usize::from(name)].to_owned(),
        timestamp: Some(NOW.checked_sub(i64::from(minutes_ago).minutes()).unwrap()),
        message_id: format!("message-{number}"),
        ..IncomingEvent::default()
    }
}

/// Stores events in batches, scoring some instants in between, and returns what all of these
/// instants' scores are in the end.
async fn figures(
    zone: &str,
    batches: Vec<Vec<IncomingEvent>>,
    instants: &[Timestamp],
    scored_between: bool,
) -> Vec<Vec<ClientScore>> {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite:{}", folder.path().join("m.db").display())).await.unwrap();
    store.migrate().await.unwrap();
    let mainstay = Mainstay::new(store, Arc::new(ManualClock::new(NOW)));
    let organization = mainstay
        .create_organization(CreateOrganization {
            slug: "acme".to_owned(),
            name: None,
            time_zone: Some(zone.to_owned()),
            sample: false,
        })
        .await
        .unwrap()
        .organization
        .id;
    for (number, batch) in batches.into_iter().enumerate() {
        mainstay.track_engagement_events(organization, batch).await.unwrap();
        if scored_between {
            let as_of = instants[number % instants.len()];
            let run = ScoreRun { as_of, client: None, dry_run: false };
            mainstay.score_organization(organization, &run, drop).await.unwrap();
        }
    }
    let mut all = Vec::new();
    for as_of in instants {
        let run = ScoreRun { as_of: *as_of, client: None, dry_run: false };
        let mut scores = Vec::new();
        mainstay
            .score_organization(organization, &run, |chunk| scores.extend(chunk))
            .await
            .unwrap();
        scores.sort_by(|a, b| a.client_id.cmp(&b.client_id));
        if scored_between {
            // What a score was compared with depends on which scores there were: that is history,
            // not a figure of the events.
            for one in &mut scores {
                one.score.previous = None;
                one.score.change = None;
                one.score.trend = mainstay_core::score::Trend::Stable;
            }
        }
        all.push(scores);
    }
    let report = mainstay.verify(organization, |_| ()).await.unwrap();
    assert_eq!(report.differences, [], "stored figures do not follow from the events");
    assert_eq!(report.awaiting, 0);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_batches_give_the_same_figures(
        happened in prop::collection::vec((0u8..5, 0u8..4, 0u32..50 * 24 * 60), 1..80),
        shuffled in any::<prop::sample::Index>().prop_map(|index| index.index(usize::MAX)),
        batch in 1usize..30,
        scored_between in any::<bool>(),
        zone in prop::sample::select(
            &["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"][..]
        ),
    ) {
        let events: Vec<IncomingEvent> =
            happened.iter().enumerate().map(|(number, one)| incoming(*one, number)).collect();
        let mut in_order = events.clone();
        in_order.sort_by_key(|event| event.timestamp);
        let mut any_order = events;
        let mut random = fastrand::Rng::with_seed(shuffled as u64);
        random.shuffle(&mut any_order);
        // Some come twice.
        let again: Vec<_> = any_order.iter().take(3).cloned().collect();
        any_order.extend(again);

        let instants: Vec<Timestamp> = [0, 3, 10, 24]
            .map(|days| NOW.checked_sub((days * 24 * 60 + i64::from(days == 3) * 77).minutes()).unwrap())
            .to_vec();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (expected, found) = runtime.block_on(async {
            let batches = any_order.chunks(batch).map(<[_]>::to_vec).collect();
            let mut expected = figures(zone, vec![in_order], &instants, false).await;
            let found = figures(zone, batches, &instants, scored_between).await;
            if scored_between {
                for one in expected.iter_mut().flatten() {
                    one.score.previous = None;
                    one.score.change = None;
                    one.score.trend = mainstay_core::score::Trend::Stable;
                }
            }
            (expected, found)
        });
        prop_assert_eq!(expected, found);
    }
}
