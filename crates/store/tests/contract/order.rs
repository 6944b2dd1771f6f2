//! The figures do not depend on the order in which events arrive, on how they are cut into batches,
//! on how late they are, or on when activity is rolled up, folded and scores are stored in between: they
//! are always those that a naive look at the list of all events gives.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use mainstay_core::{
    engagement::{Event, EventType, Windows},
    id::{ClientId, OrganizationId},
    score::{Previous, Score, ScoreInputs, ScoreModel},
    time::time_zone,
};
use mainstay_store::{ClientFacts, Outcome, RollUp, Scope};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    fixtures::{
        at, event_at, everybody, facts, facts_in, fill_days, found, gather, now, organization,
        send_to_roll_up,
    },
    harness::Database,
    property::for_all,
    verify::{assert_honest, verify},
};

/// Zones with a day around which their clocks change, or that is strange in another way.
const PLACES: [(&str, &str); 10] = [
    ("UTC", "2026-01-01T00:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Asia/Kathmandu", "2026-05-09T18:15:00Z"),
    ("Asia/Beirut", "2026-03-28T22:00:00Z"),    // no midnight
    ("America/Havana", "2022-11-06T05:00:00Z"), // two of them
];

const CLIENTS: [&str; 3] = ["ada", "bob", "cleo"];

#[derive(Clone, Debug)]
struct Happening {
    client: usize,
    kind: EventType,
    at: Timestamp,
}

/// What is done to the store, in this order.
#[derive(Clone, Debug)]
enum Step {
    /// So many of the events that are left arrive, and are rolled up at once or later.
    Arrive(usize, RollUp),
    /// What was to be rolled up later is put in its place.
    Gather,
    /// So much happened on these days that what comes from now on goes to another part of them.
    FillDays,
    /// Activity is folded up to so many days before the middle.
    Fold(i32),
    /// Everybody's scores at one of the instants are computed and stored.
    Score(usize),
}

#[derive(Clone, Debug)]
struct Case {
    place: usize,
    /// In the order of their arrival.
    events: Vec<Happening>,
    /// Instants that figures are asked for, and scores stored for.
    instants: Vec<Timestamp>,
    steps: Vec<Step>,
}

/// A moment near an edge that matters: days, weeks and months before and after the middle, at it, a
/// microsecond off, or anywhere.
fn moment(middle: Timestamp, days: std::ops::Range<i64>) -> impl Strategy<Value = Timestamp> {
    let near =
        (days.clone(), select(vec![0, 1, -1, 3_600_000_000, -3_600_000_000, 43_200_000_000_i64]))
            .prop_map(move |(days, micros)| {
                middle + SignedDuration::from_hours(24 * days) + SignedDuration::from_micros(micros)
            });
    let anywhere = (days.start * 86_400..days.end * 86_400)
        .prop_map(move |seconds| middle + SignedDuration::from_secs(seconds));
    prop_oneof![near, anywhere]
}

fn cases() -> impl Strategy<Value = Case> {
    let kinds = vec![
        EventType::Login,
        EventType::Custom,
        EventType::ContentGenerated,
        EventType::VisualCreated,
        EventType::TaskCompleted,
    ];
    (0..PLACES.len()).prop_flat_map(move |place| {
        let middle = at(PLACES[place].1);
        let happening = (
            0..CLIENTS.len(),
            select(kinds.clone()),
            prop_oneof![3 => moment(middle, -20..10), 1 => moment(middle, -150..10)],
        )
            .prop_map(|(client, kind, at)| Happening { client, kind, at });
        let step = prop_oneof![
            3 => (1..12_usize, select(vec![RollUp::Immediately, RollUp::Later]))
                .prop_map(|(events, roll_up)| Step::Arrive(events, roll_up)),
            1 => Just(Step::Gather),
            1 => Just(Step::FillDays),
            1 => (-2..40_i32).prop_map(Step::Fold),
            1 => (0..6_usize).prop_map(Step::Score),
        ];
        (
            vec(happening, 1..60),
            vec(prop_oneof![4 => moment(middle, -15..10), 1 => moment(middle, -100..10)], 6),
            vec(step, 0..14),
        )
            .prop_map(move |(events, instants, steps)| Case {
                place,
                events,
                instants,
                steps,
            })
    })
}

/// A stored score, as far as a later one is compared with it.
#[derive(Clone, Debug)]
struct Kept {
    as_of: Timestamp,
    overall: i64,
    inputs: ScoreInputs,
}

/// What the store must know, kept in the simplest way.
#[derive(Default)]
struct Naive {
    arrived: Vec<Happening>,
    /// The last score of each client and local day.
    scores: BTreeMap<(usize, Date), Kept>,
    scored_until: Option<Timestamp>,
    stale: BTreeMap<usize, Timestamp>,
}

impl Naive {
    fn created_at(&self, client: usize) -> Option<Timestamp> {
        self.arrived.iter().filter(|one| one.client == client).map(|one| one.at).min()
    }

    /// A client's facts: counted straight from the list.
    fn expected(
        &self,
        id: ClientId,
        client: usize,
        as_of: Timestamp,
        zone: &TimeZone,
        detailed: bool,
    ) -> ClientFacts {
        let weeks_ago =
            |weeks: i32| (as_of.to_zoned(zone.clone()) - (7 * weeks).days()).timestamp();
        let local = |at: Timestamp| at.to_zoned(zone.clone()).date();
        let before: Vec<&Happening> =
            self.arrived.iter().filter(|one| one.client == client && one.at < as_of).collect();
        let this_week: Vec<&&Happening> =
            before.iter().filter(|one| one.at >= weeks_ago(1)).collect();
        let last_week =
            before.iter().filter(|one| one.at >= weeks_ago(2) && one.at < weeks_ago(1)).count();
        let of = |kind: EventType| before.iter().filter(move |one| one.kind == kind);
        let today = |kind| of(kind).filter(|one| local(one.at) == local(as_of)).count();
        let number = |count: usize| i64::try_from(count).unwrap();
        let days: BTreeSet<Date> = before.iter().map(|one| local(one.at)).collect();
        let active: BTreeSet<Date> = this_week.iter().map(|one| local(one.at)).collect();
        let kept = self.previous(client, as_of, zone);
        ClientFacts {
            client: id,
            external_id: CLIENTS[client].to_owned(),
            created_at: self.created_at(client).unwrap(),
            as_of,
            known_at: None,
            activity: mainstay_core::engagement::Activity {
                events_this_week: number(this_week.len()),
                events_last_week: number(last_week),
                active_days: number(active.len()),
                high_value_this_week: number(
                    this_week.iter().filter(|one| one.kind.is_high_value()).count(),
                ),
                content_generated: number(of(EventType::ContentGenerated).count()),
                visuals_created: number(of(EventType::VisualCreated).count()),
                last_event_at: before.iter().map(|one| one.at).max(),
                rhythm: if detailed {
                    days.into_iter().rev().take(31).collect()
                } else {
                    mainstay_core::engagement::Rhythm::default()
                },
            },
            made_today: (
                number(today(EventType::ContentGenerated)),
                number(today(EventType::VisualCreated)),
            ),
            tasks: mainstay_core::score::TaskCounts::default(),
            launch_kit: mainstay_core::score::LaunchKit::Unopened,
            ratings: (0, 0),
            previous: kept.map(|kept| mainstay_core::score::EarlierScore {
                as_of: kept.as_of,
                overall: kept.overall,
                model: 1,
                inputs: Some(kept.inputs.clone()).filter(|_| detailed),
            }),
        }
    }

    fn previous(&self, client: usize, as_of: Timestamp, zone: &TimeZone) -> Option<&Kept> {
        let days_ago = |days: i32| (as_of.to_zoned(zone.clone()) - days.days()).timestamp();
        let of_client =
            || self.scores.iter().filter(|((one, _), _)| *one == client).map(|(_, kept)| kept);
        of_client().filter(|kept| kept.as_of <= days_ago(7)).max_by_key(|kept| kept.as_of).or_else(
            || of_client().filter(|kept| kept.as_of <= days_ago(1)).min_by_key(|kept| kept.as_of),
        )
    }
}

/// The store and the naive model, side by side.
struct Run<'a> {
    store: &'a Database,
    organization: OrganizationId,
    zone_name: &'static str,
    zone: TimeZone,
    middle: Timestamp,
    naive: Naive,
}

impl Run<'_> {
    async fn arrive(&mut self, happenings: &[Happening], roll_up: RollUp) {
        let first = self.naive.arrived.len();
        let events: Vec<Event> = (first..)
            .zip(happenings)
            .map(|(number, one)| {
                event_at(CLIENTS[one.client], &format!("m{number}"), one.kind, one.at)
            })
            .collect();
        let outcomes = send_to_roll_up(self.store, self.organization, &events, roll_up).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
        for one in happenings {
            if self.naive.scored_until.is_some_and(|until| one.at < until) {
                let since = self.naive.stale.entry(one.client).or_insert(one.at);
                *since = (*since).min(one.at);
            }
        }
        self.naive.arrived.extend_from_slice(happenings);
    }

    async fn fold(&self, days: i32) {
        let until = self.middle.to_zoned(self.zone.clone()).date() - days.days();
        let mut tx = self.store.begin(Scope::Service(self.organization)).await.unwrap();
        tx.fold_activity(until).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn score(&mut self, as_of: Timestamp) {
        let mut tx = self.store.begin(Scope::Service(self.organization)).await.unwrap();
        tx.advance_scored_until(as_of).await.unwrap();
        let windows = Windows::at(as_of, self.zone.clone());
        let day = windows.day_of(as_of);
        let mut scores = Vec::new();
        for facts in facts_in(&mut tx, as_of, false).await {
            let inputs = ScoreInputs::new(
                as_of,
                self.zone_name,
                1,
                &facts.activity,
                facts.tasks,
                facts.launch_kit,
                facts.ratings,
            );
            let previous = facts
                .previous
                .map(|earlier| Previous { as_of: earlier.as_of, overall: earlier.overall });
            let score = Score::compute(inputs, &ScoreModel::standard(), previous);
            let client = CLIENTS.iter().position(|name| *name == facts.external_id).unwrap();
            let kept = Kept { as_of, overall: score.overall, inputs: score.inputs.clone() };
            self.naive.scores.insert((client, day), kept);
            scores.push((facts.client, score));
        }
        tx.save_corrected_scores(day, &scores, now()).await.unwrap();
        tx.commit().await.unwrap();
        self.naive.scored_until = self.naive.scored_until.max(Some(as_of));
    }

    async fn compare(&self, as_of: Timestamp, detailed: bool) -> Result<(), String> {
        let mut found = facts(self.store, self.organization, as_of, detailed).await;
        let mut expected = Vec::new();
        for (client, name) in CLIENTS.iter().enumerate() {
            if self.naive.created_at(client).is_some_and(|created| created < as_of) {
                let id = self::found(self.store, self.organization, name).await.id;
                expected.push(self.naive.expected(id, client, as_of, &self.zone, detailed));
            }
        }
        if !detailed {
            for facts in &mut found {
                // A score does not need it, so nothing is promised of it.
                facts.activity.rhythm = mainstay_core::engagement::Rhythm::default();
            }
        }
        if !detailed {
            self.compare_histories(as_of, &expected).await?;
        }
        if found == expected {
            return Ok(());
        }
        Err(format!("as of {as_of}, detailed {detailed}: {found:#?}\nexpected {expected:#?}"))
    }

    /// What is read once of each client, with more days than the instant needs, gives the same facts.
    async fn compare_histories(
        &self,
        as_of: Timestamp,
        expected: &[ClientFacts],
    ) -> Result<(), String> {
        let windows = Windows::at(as_of, self.zone.clone());
        let today = windows.day_of(as_of);
        let chunk = everybody(self.store, self.organization, as_of).await;
        for (before, after) in [(15, 0), (40, 3)] {
            let days = (today - before.days(), today + after.days());
            let mut tx = self.store.read(Scope::Service(self.organization)).await.unwrap();
            let histories = tx.list_client_histories(&chunk, days).await.unwrap();
            let mut found: Vec<ClientFacts> =
                histories.iter().map(|history| history.facts(&windows, None, 90)).collect();
            tx.add_earlier_scores(&mut found, &self.zone).await.unwrap();
            for (facts, history) in found.iter_mut().zip(&histories) {
                assert_eq!(facts.client, history.client());
                if history.last_event_before(as_of) != facts.activity.last_event_at {
                    return Err(format!("last event before {as_of}: {facts:#?}"));
                }
                if let Some(earlier) = &mut facts.previous {
                    earlier.inputs = None;
                }
            }
            found.sort_by(|a, b| a.external_id.cmp(&b.external_id));
            if found != expected {
                return Err(format!("history as of {as_of}: {found:#?}\nexpected {expected:#?}"));
            }
        }
        Ok(())
    }

    async fn compare_stale(&self) -> Result<(), String> {
        let mut tx = self.store.read(Scope::Service(self.organization)).await.unwrap();
        let found: BTreeMap<String, Timestamp> = tx
            .list_stale_clients(None, i64::MAX)
            .await
            .unwrap()
            .into_iter()
            .map(|one| (one.external_id, one.since))
            .collect();
        let expected: BTreeMap<String, Timestamp> = self
            .naive
            .stale
            .iter()
            .map(|(client, since)| (CLIENTS[*client].to_owned(), *since))
            .collect();
        if found == expected {
            return Ok(());
        }
        Err(format!("stale since {found:?}, expected {expected:?}"))
    }
}

async fn figures_are_those_of_the_list(store: &Database, case: Case) -> Result<(), String> {
    let (zone_name, middle) = PLACES[case.place];
    let mut run = Run {
        store,
        organization: organization(store, zone_name).await,
        zone_name,
        zone: time_zone(zone_name).unwrap(),
        middle: at(middle),
        naive: Naive::default(),
    };
    let mut left = case.events.as_slice();
    for step in &case.steps {
        match step {
            Step::Arrive(events, roll_up) => {
                let (now, later) = left.split_at((*events).min(left.len()));
                run.arrive(now, *roll_up).await;
                left = later;
            }
            Step::Gather => gather(store, run.organization).await,
            Step::FillDays => fill_days(store, run.organization).await,
            Step::Fold(days) => run.fold(*days).await,
            Step::Score(instant) => run.score(case.instants[*instant]).await,
        }
    }
    run.arrive(left, RollUp::Later).await;
    // The instants of the case, and midnight and noon of the middle's day and of a day far back.
    let midnight = |days: i32| {
        let day = run.middle.to_zoned(run.zone.clone()).date() - days.days();
        mainstay_core::time::start_of_day(day, &run.zone)
    };
    let noon = |days| midnight(days) + SignedDuration::from_hours(12);
    let usual = [midnight(0), noon(0), midnight(-7), midnight(60), noon(60)];
    for as_of in case.instants.iter().copied().chain(usual) {
        for detailed in [false, true] {
            run.compare(as_of, detailed).await?;
        }
    }
    run.compare_stale().await?;
    assert_eq!(verify(store, run.organization).await.0, []);
    gather(store, run.organization).await;
    run.compare(noon(0), true).await?;
    assert_honest(store, run.organization).await;
    Ok(())
}

#[tokio::test]
async fn in_any_order_and_any_batches_the_figures_are_those_of_the_list_of_events() {
    let database = Database::sqlite().await;
    for_all(100, &cases(), async |case| figures_are_those_of_the_list(&database, case).await).await;
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn in_any_order_and_any_batches_the_figures_are_those_of_the_list_of_events_on_postgres() {
    let database = Database::postgres().await;
    for_all(20, &cases(), async |case| figures_are_those_of_the_list(&database, case).await).await;
    database.close().await;
}
