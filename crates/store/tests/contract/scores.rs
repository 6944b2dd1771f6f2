//! Scores as they are stored, and which of them are out of date.

use jiff::Timestamp;
use mainstay_core::{
    engagement::{EventType, Windows},
    id::{ClientId, OrganizationId},
    score::{
        BandFloors, Components, FeedbackKind, LaunchKit, Previous, Score, ScoreInputs, ScoreModel,
        Trend,
    },
};
use mainstay_store::{
    Feedback, LaunchKitTimes, OnboardingTask, Recorded, Scope, ScoreRow, StaleClient, Store,
    TaskStatus,
};

use crate::fixtures::{at, client, day, event, found, fresh, now, organization, send};

/// A score that no formula would give: what is stored is what was told, not what follows.
pub(crate) fn score(as_of: &str, overall: i64, previous: Option<(&str, i64)>) -> Score {
    let previous = previous.map(|(as_of, overall)| Previous { as_of: at(as_of), overall });
    let change = previous.map(|previous| overall - previous.overall);
    Score {
        inputs: ScoreInputs {
            as_of: at(as_of),
            zone: "Europe/Berlin".to_owned(),
            model: 1,
            events: 12,
            events_before: 8,
            active_days: 4,
            high_value: 2,
            content: 7,
            visuals: 3,
            tasks: 5,
            settled: 2,
            kit: LaunchKit::Viewed,
            ratings: 2,
            rating_sum: 150,
            last: Some(at("2026-05-18T09:30:00.123456Z")),
            known_at: Some(at("2026-05-25T09:30:00Z")),
        },
        overall,
        components: Components {
            engagement: 11,
            activation: 22,
            progress: 33,
            satisfaction: 44,
            momentum: 55,
        },
        coverage: 85,
        previous,
        incomparable: None,
        change,
        trend: ScoreModel::standard().trend(change),
        band: ScoreModel::standard().band(overall),
    }
}

pub(crate) async fn save(
    store: &Store,
    organization: OrganizationId,
    date: &str,
    scores: &[(ClientId, Score)],
    computed_at: Timestamp,
) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.save_scores(day(date), scores, computed_at).await.unwrap();
    tx.commit().await.unwrap();
}

async fn of_client(store: &Store, organization: OrganizationId, client: ClientId) -> Vec<ScoreRow> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    tx.list_client_scores(client, day("2000-01-01"), day("2100-01-01")).await.unwrap()
}

on_both_databases!(a_score_is_kept_as_it_was_computed, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let ada = client(store, ours, "ada", "2026-01-01").await.id;
    let mut bare = score("2026-05-12T10:00:00Z", 63, None);
    bare.inputs.last = None;
    let full = score("2026-05-19T10:00:00.123456Z", 39, Some(("2026-05-12T10:00:00Z", 63)));
    assert_eq!(full.trend, Trend::Declining);
    save(store, ours, "2026-05-12", &[(ada, bare.clone())], now()).await;
    save(store, ours, "2026-05-19", &[(ada, full.clone())], now()).await;
    let mut uncomparable = bare.clone();
    uncomparable.inputs.as_of = at("2026-05-20T10:00:00Z");
    uncomparable.incomparable = Some(at("2026-05-12T10:00:00Z"));
    save(store, ours, "2026-05-20", &[(ada, uncomparable.clone())], now()).await;
    let row = |date, score: Score| ScoreRow {
        client: ada,
        day: day(date),
        recorded: Recorded { as_of: score.inputs.as_of, model: 1 },
        score,
        computed_at: now(),
    };
    assert_eq!(
        of_client(store, ours, ada).await,
        [row("2026-05-12", bare), row("2026-05-19", full), row("2026-05-20", uncomparable)]
    );
});

on_both_databases!(a_client_has_one_score_a_day_and_the_last_one_counts, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let ada = client(store, ours, "ada", "2026-01-01").await.id;
    let bob = client(store, ours, "bob", "2026-01-01").await.id;
    let first = score("2026-05-19T08:00:00Z", 50, Some(("2026-05-12T10:00:00Z", 63)));
    let second = score("2026-05-19T20:00:00Z", 70, None);
    save(store, ours, "2026-05-19", &[(ada, first.clone()), (bob, first.clone())], now()).await;
    let later = at("2026-05-21T12:00:00Z");
    save(store, ours, "2026-05-19", &[(ada, second.clone())], later).await;
    // Facts that were read before that score was computed come too late.
    save(store, ours, "2026-05-19", &[(ada, first.clone())], now()).await;
    let row = |client, score: Score, computed_at| ScoreRow {
        client,
        day: day("2026-05-19"),
        recorded: Recorded { as_of: score.inputs.as_of, model: 1 },
        score,
        computed_at,
    };
    assert_eq!(of_client(store, ours, ada).await, [row(ada, second, later)]);
    assert_eq!(of_client(store, ours, bob).await, [row(bob, first, now())]);
    save(store, ours, "2026-05-20", &[], now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(
        tx.list_score_days().await.unwrap(),
        [day("2026-05-19")],
        "a day without scores is none"
    );
});

on_both_databases!(a_stored_score_has_the_band_of_the_model_that_made_it, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let ada = client(store, ours, "ada", "2026-01-01").await.id;
    let strict = ScoreModel {
        bands: BandFloors { excellent: 99, good: 98, needs_attention: 97 },
        ..ScoreModel::standard()
    };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.publish_score_model(&strict, now()).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut scored = score("2026-05-19T10:00:00Z", 85, None);
    save(store, ours, "2026-05-18", &[(ada, scored.clone())], now()).await;
    scored.inputs.model = 2;
    save(store, ours, "2026-05-19", &[(ada, scored.clone())], now()).await;
    let rows = of_client(store, ours, ada).await;
    assert_eq!(rows[0].score.band, ScoreModel::standard().band(85));
    assert_eq!(rows[1].score.band, strict.band(85));
    assert_ne!(rows[0].score.band, rows[1].score.band);
});

on_both_databases!(scores_are_read_by_client_and_days_or_by_day_and_page, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let mut clients = Vec::new();
    for number in 0..7 {
        clients.push(client(store, ours, &format!("client {number}"), "2026-01-01").await.id);
    }
    clients.sort();
    let dates = ["2026-05-18", "2026-05-19", "2026-05-20"];
    for date in dates {
        let scores: Vec<_> = clients
            .iter()
            .rev()
            .map(|client| (*client, score(&format!("{date}T10:00:00Z"), 50, None)))
            .collect();
        save(store, ours, date, &scores, now()).await;
    }
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_score_days().await.unwrap(), dates.map(day));
    for (first, last, expected) in [
        ("2026-05-18", "2026-05-20", &dates[..]),
        ("2026-05-19", "2026-05-19", &dates[1..2]),
        ("2026-05-21", "2026-05-30", &[]),
        ("2026-05-20", "2026-05-18", &[]),
    ] {
        let rows = tx.list_client_scores(clients[3], day(first), day(last)).await.unwrap();
        let found: Vec<String> = rows.iter().map(|row| row.day.to_string()).collect();
        assert_eq!(found, expected, "{first} to {last}");
        assert!(rows.iter().all(|row| row.client == clients[3]));
    }
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let page = tx.list_scores_of_day(day("2026-05-19"), last, 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        last = page.last().map(|row| row.client);
        seen.extend(page.iter().map(|row| row.client));
        assert!(page.iter().all(|row| row.day == day("2026-05-19")));
    }
    assert_eq!(seen, clients);
    assert_eq!(tx.list_scores_of_day(day("2026-05-17"), None, 3).await.unwrap(), []);
});

on_both_databases!(a_score_of_a_client_deleted_meanwhile_is_left_out, async |store| {
    let ours = organization(store, "Europe/Berlin").await;
    let ada = client(store, ours, "ada", "2026-01-01").await.id;
    let bob = client(store, ours, "bob", "2026-01-01").await.id;
    let scores: Vec<_> =
        [ada, bob].map(|client| (client, score("2026-05-19T10:00:00Z", 50, None))).into();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.delete_client(ada, now()).await.unwrap();
    tx.commit().await.unwrap();
    save(store, ours, "2026-05-19", &scores, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let rows = tx.list_scores_of_day(day("2026-05-19"), None, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.client).collect::<Vec<_>>(), [bob]);
});

async fn stale(store: &Store, organization: OrganizationId) -> Vec<StaleClient> {
    let mut tx = store.read(Scope::Service(organization)).await.unwrap();
    let mut stale = tx.list_stale_clients(None, 100).await.unwrap();
    stale.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    stale
}

/// Name and instant of each client whose scores are out of date.
async fn stale_since(store: &Store, organization: OrganizationId) -> Vec<(String, Timestamp)> {
    stale(store, organization).await.into_iter().map(|one| (one.external_id, one.since)).collect()
}

async fn announce(store: &Store, organization: OrganizationId, as_of: &str) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.advance_scored_until(at(as_of)).await.unwrap();
    tx.commit().await.unwrap();
}

on_both_databases!(what_comes_late_makes_scores_stale_from_its_time_on, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |client: &str, id: &str, when: &str| event(client, id, EventType::Login, when);
    send(store, ours, &[login("ada", "1", "2026-05-01"), login("bob", "1", "2026-05-01")]).await;
    assert_eq!(stale(store, ours).await, [], "there are no scores yet");
    announce(store, ours, "2026-05-10").await;
    send(store, ours, &[login("ada", "2", "2026-05-10"), login("ada", "3", "2026-05-11")]).await;
    assert_eq!(stale(store, ours).await, [], "later than every score");

    send(
        store,
        ours,
        &[
            login("ada", "4", "2026-05-09T23:59:59.999999Z"),
            login("ada", "5", "2026-05-08"),
            login("cleo", "1", "2026-05-07"),
        ],
    )
    .await;
    let expected = |name: &str, since: &str| (name.to_owned(), at(since));
    assert_eq!(
        stale_since(store, ours).await,
        [expected("ada", "2026-05-08"), expected("cleo", "2026-05-07")]
    );
    send(store, ours, &[login("ada", "6", "2026-05-09"), login("ada", "7", "2026-05-06")]).await;
    send(store, ours, &[login("cleo", "1", "2026-05-07")]).await;
    assert_eq!(
        stale_since(store, ours).await,
        [expected("ada", "2026-05-06"), expected("cleo", "2026-05-07")]
    );
    let cleo = found(store, ours, "cleo").await;
    let entry = &stale(store, ours).await[1];
    assert_eq!((entry.client, entry.created_at), (cleo.id, cleo.created_at));

    let bob = found(store, ours, "bob").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_stale_since(cleo.id).await.unwrap(), Some(at("2026-05-07")));
    assert_eq!(tx.find_stale_since(bob.id).await.unwrap(), None, "nothing of it came late");
});

on_both_databases!(
    tasks_launch_kits_and_feedback_of_the_past_make_scores_stale_too,
    async |store| {
        let ours = organization(store, "UTC").await;
        for name in ["feedback", "kit", "late task", "task", "untouched"] {
            client(store, ours, name, "2026-01-01").await;
        }
        announce(store, ours, "2026-05-10").await;
        let id = async |name: &str| found(store, ours, name).await.id;
        let task = |when: &str| OnboardingTask {
            id: fresh(),
            title: "Connect".to_owned(),
            status: TaskStatus::Pending,
            created_at: at(when),
            updated_at: at(when),
        };
        let feedback = Feedback {
            id: fresh(),
            kind: FeedbackKind::Thumbs,
            rating: 1,
            normalised: 100,
            comment: None,
            given_at: at("2026-05-02"),
            self_told: false,
        };
        let (of_feedback, of_kit) = (id("feedback").await, id("kit").await);
        let (of_late_task, of_task) = (id("late task").await, id("task").await);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.create_feedback(of_feedback, &feedback).await.unwrap();
        let times = LaunchKitTimes {
            viewed_at: Some(at("2026-05-04")),
            completed_at: Some(at("2026-05-03")),
        };
        tx.record_launch_kit(of_kit, times).await.unwrap();
        tx.record_launch_kit(of_task, LaunchKitTimes::default()).await.unwrap();
        let (early, late) = (task("2026-05-05"), task("2026-05-11"));
        tx.create_task(of_task, &early).await.unwrap();
        tx.create_task(of_late_task, &late).await.unwrap();
        tx.commit().await.unwrap();
        let expected = |name: &str, since: &str| (name.to_owned(), at(since));
        let mut all = vec![
            expected("feedback", "2026-05-02"),
            expected("kit", "2026-05-03"),
            // Later than every score: unlike an event, nothing else would tell of it.
            expected("late task", "2026-05-11"),
            expected("task", "2026-05-05"),
        ];
        assert_eq!(stale_since(store, ours).await, all);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let status = Some(TaskStatus::Completed);
        tx.update_task(of_late_task, late.id, None, status, at("2026-05-09")).await.unwrap();
        tx.commit().await.unwrap();
        all[2] = expected("late task", "2026-05-09");
        assert_eq!(stale_since(store, ours).await, all);
    }
);

on_both_databases!(mending_forgets_only_what_it_has_mended, async |store| {
    let ours = organization(store, "UTC").await;
    let login = |client: &str, id: &str, when: &str| event(client, id, EventType::Login, when);
    announce(store, ours, "2026-05-10").await;
    for name in ["ada", "bob", "cleo"] {
        send(store, ours, &[login(name, "1", "2026-05-05")]).await;
    }
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let mut tx = store.read(Scope::Service(ours)).await.unwrap();
        let page = tx.list_stale_clients(last, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        last = page.last().map(|one| one.client);
        seen.extend(page);
    }
    assert!(seen.is_sorted_by_key(|one| one.client));
    seen.sort_by(|a, b| a.external_id.cmp(&b.external_id));
    assert_eq!(seen, stale(store, ours).await);

    // Whoever is seen to is taken off the list first, so that what arrives meanwhile counts again.
    let (ada, bob) = (seen[0].client, seen[1].client);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let taken = tx.claim_stale(&[ada, bob]).await.unwrap();
    assert_eq!((taken[&ada], taken[&bob]), (at("2026-05-05"), at("2026-05-05")));
    assert!(!tx.is_stale(ada).await.unwrap());
    assert!(tx.claim_stale(&[ada]).await.unwrap().is_empty());
    tx.mark_stale_since(bob, at("2026-05-07")).await.unwrap();
    tx.commit().await.unwrap();
    send(store, ours, &[login("ada", "2", "2026-05-08")]).await;
    let left: Vec<_> = stale_since(store, ours).await;
    let expected = |name: &str, since: &str| (name.to_owned(), at(since));
    assert_eq!(
        left,
        [
            expected("ada", "2026-05-08"),
            expected("bob", "2026-05-07"),
            expected("cleo", "2026-05-05")
        ]
    );
});

on_both_databases!(a_score_of_an_earlier_day_makes_later_ones_stale, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-01-01").await.id;
    let bob = client(store, ours, "bob", "2026-01-01").await.id;
    let of = |as_of: &str| score(as_of, 50, None);
    save(store, ours, "2026-05-19", &[(ada, of("2026-05-19")), (bob, of("2026-05-19"))], now())
        .await;
    save(store, ours, "2026-05-20", &[(ada, of("2026-05-20"))], now()).await;
    assert_eq!(stale(store, ours).await, [], "in their order");
    save(store, ours, "2026-05-12", &[(ada, of("2026-05-12"))], now()).await;
    assert_eq!(stale_since(store, ours).await, [("ada".to_owned(), at("2026-05-12"))]);
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.claim_stale(&[ada]).await.unwrap();
    // Mended from the oldest to the newest, those of later days are seen to anyway.
    tx.save_corrected_scores(day("2026-05-12"), &[(ada, of("2026-05-12"))], now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stale(store, ours).await, []);
});

on_both_databases!(
    what_came_since_scores_were_announced_is_settled_before_more_are,
    async |store| {
        let ours = organization(store, "UTC").await;
        let login = |client: &str, id: &str, when: &str| event(client, id, EventType::Login, when);
        let outdated = async |now: &str| {
            let mut tx = store.read(Scope::Service(ours)).await.unwrap();
            tx.scores_are_outdated(at(now)).await.unwrap()
        };
        send(store, ours, &[login("ada", "1", "2026-05-01"), login("bob", "1", "2026-05-01")])
            .await;
        assert!(!outdated("2026-05-20").await, "there are no scores yet");
        announce(store, ours, "2026-05-10").await;
        assert!(!outdated("2026-05-20").await);
        send(store, ours, &[login("ada", "2", "2026-05-10"), login("ada", "3", "2026-05-11")])
            .await;
        send(store, ours, &[login("bob", "2", "2026-05-12")]).await;
        assert!(!outdated("2026-05-10").await, "it has not happened by then");
        assert!(outdated("2026-05-11").await);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        let arrivals = tx.list_arrivals((at("2026-05-10"), at("2026-05-12"))).await.unwrap();
        assert_eq!(arrivals.into_values().collect::<Vec<_>>(), [at("2026-05-11")]);
        tx.settle_arrivals(at("2026-05-12")).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().scored_until, Some(at("2026-05-12")));
        tx.commit().await.unwrap();
        assert_eq!(stale_since(store, ours).await, [("ada".to_owned(), at("2026-05-10"))]);
        assert!(outdated("2026-05-12").await, "what is stale is");
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.settle_arrivals(at("2026-05-13")).await.unwrap();
        tx.settle_arrivals(at("2026-05-09")).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().scored_until, Some(at("2026-05-13")));
        tx.commit().await.unwrap();
        assert_eq!(stale(store, ours).await.len(), 2, "and bob, whose event has happened now");
    }
);

on_both_databases!(
    a_run_of_everybody_settles_only_scores_that_are_later_than_announced,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-01-01").await.id;
        let bob = client(store, ours, "bob", "2026-01-01").await.id;
        announce(store, ours, "2026-05-19T08:00:00Z").await;
        let scores = [(ada, score("2026-05-19T07:00:00Z", 50, None))];
        save(store, ours, "2026-05-19", &scores, now()).await;
        let scores = [(bob, score("2026-05-19T09:00:00Z", 50, None))];
        save(store, ours, "2026-05-19", &scores, now()).await;
        // An earlier one of the same day does not hide the later one.
        let scores = [(ada, score("2026-05-19T06:00:00Z", 50, None))];
        save(store, ours, "2026-05-19", &scores, now()).await;
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.settle_later_scores(at("2026-05-20")).await.unwrap();
        assert_eq!(tx.get_organization().await.unwrap().scored_until, Some(at("2026-05-20")));
        tx.commit().await.unwrap();
        assert_eq!(
            stale_since(store, ours).await,
            [("bob".to_owned(), at("2026-05-19T08:00:00Z"))]
        );
    }
);

on_both_databases!(clients_that_changed_on_a_day_are_told, async |store| {
    let ours = organization(store, "UTC").await;
    for name in ["event", "feedback", "kit", "quiet", "task"] {
        client(store, ours, name, "2026-01-01").await;
    }
    let id = async |name: &str| found(store, ours, name).await.id;
    let (of_feedback, of_kit, of_task) = (id("feedback").await, id("kit").await, id("task").await);
    send(store, ours, &[event("event", "1", EventType::Login, "2026-05-20T09:00:00Z")]).await;
    send(store, ours, &[event("quiet", "1", EventType::Login, "2026-05-19T09:00:00Z")]).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let feedback = Feedback {
        self_told: false,
        id: fresh(),
        kind: FeedbackKind::Thumbs,
        rating: 1,
        normalised: 100,
        comment: None,
        given_at: at("2026-05-20T10:00:00Z"),
    };
    tx.create_feedback(of_feedback, &feedback).await.unwrap();
    let viewed = LaunchKitTimes { viewed_at: Some(at("2026-05-20T11:00:00Z")), completed_at: None };
    tx.record_launch_kit(of_kit, viewed).await.unwrap();
    let task = OnboardingTask {
        id: fresh(),
        title: "Connect".to_owned(),
        status: TaskStatus::Pending,
        created_at: at("2026-05-20T11:30:00Z"),
        updated_at: at("2026-05-20T11:30:00Z"),
    };
    tx.create_task(of_task, &task).await.unwrap();
    tx.commit().await.unwrap();
    let chunk = crate::fixtures::everybody(store, ours, now()).await;
    let zone = jiff::tz::TimeZone::UTC;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let changed = tx.list_changed_clients(&chunk, (day("2026-05-20"), &zone), now()).await.unwrap();
    let names: Vec<&str> = chunk
        .clients
        .iter()
        .filter(|(client, _)| changed.contains(&client.id))
        .map(|(_, name)| name.as_str())
        .collect();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, ["event", "feedback", "kit", "task"]);
    let histories =
        tx.list_client_histories(&chunk, (day("2026-05-05"), day("2026-05-20"))).await.unwrap();
    let of = |name: &str| {
        let client = chunk.clients.iter().find(|(_, known)| known == name).unwrap().0.id;
        histories.iter().find(|history| history.client() == client).unwrap()
    };
    let changed_at = |name: &str| of(name).last_change_before(now());
    assert_eq!(changed_at("quiet"), None);
    assert_eq!(changed_at("feedback"), Some(at("2026-05-20T10:00:00Z")));
    assert_eq!(changed_at("kit"), Some(at("2026-05-20T11:00:00Z")));
    assert_eq!(changed_at("task"), Some(at("2026-05-20T11:30:00Z")));
    // They count from their own time on, whichever instant the events are counted for.
    let windows = Windows::at(at("2026-05-20"), zone);
    let (early, late) =
        (of("task").facts(&windows, None, 90), of("task").facts(&windows, Some(now()), 90));
    assert_eq!((early.tasks.total, late.tasks.total), (0, 1));
    assert_eq!(of("kit").facts(&windows, Some(now()), 90).launch_kit, LaunchKit::Viewed);
    assert_eq!(of("feedback").facts(&windows, Some(now()), 90).ratings, (1, 100));
});
