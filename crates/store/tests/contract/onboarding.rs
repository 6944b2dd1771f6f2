//! Onboarding tasks, launch kits and feedback.

use jiff::Timestamp;
use mainstay_core::{
    id::{ClientId, OrganizationId},
    score::{FeedbackKind, LaunchKit, TaskCounts},
};
use mainstay_store::{
    ClientFacts, Feedback, LaunchKitTimes, OnboardingTask, Scope, Store, TaskStatus, new_id,
};

use crate::fixtures::{at, client, everybody, facts, fresh, now, organization};

fn task(title: &str, status: TaskStatus, created_at: &str) -> OnboardingTask {
    OnboardingTask {
        id: new_id(at(created_at)),
        title: title.to_owned(),
        status,
        created_at: at(created_at),
        updated_at: at(created_at),
    }
}

async fn create(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    task: &OnboardingTask,
) {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_task(client, task).await.unwrap();
    tx.commit().await.unwrap();
}

async fn update(
    store: &Store,
    organization: OrganizationId,
    client: ClientId,
    task: &OnboardingTask,
    status: Option<TaskStatus>,
    when: &str,
) -> Option<OnboardingTask> {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let updated = tx.update_task(client, task.id, None, status, at(when)).await.unwrap();
    tx.commit().await.unwrap();
    updated
}

async fn facts_of_one(
    store: &Store,
    organization: OrganizationId,
    as_of: Timestamp,
) -> ClientFacts {
    facts(store, organization, as_of, false).await.remove(0)
}

on_both_databases!(tasks_are_listed_in_the_order_in_which_they_were_made, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let second = task("Zebra", TaskStatus::Pending, "2026-05-03");
    let first = task("Ünïcode '\"", TaskStatus::InProgress, "2026-05-02");
    let bobs = task("Bob's", TaskStatus::Completed, "2026-05-02");
    create(store, ours, ada.id, &second).await;
    create(store, ours, ada.id, &first).await;
    create(store, ours, bob.id, &bobs).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_tasks(ada.id).await.unwrap(), [first, second]);
    assert_eq!(tx.list_tasks(bob.id).await.unwrap(), [bobs]);
    assert_eq!(tx.list_tasks(fresh()).await.unwrap(), []);
});

on_both_databases!(a_task_changes_only_in_what_is_named, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let made = task("Connect", TaskStatus::Pending, "2026-05-02");
    create(store, ours, ada.id, &made).await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let mut expected = made.clone();
    for (title, status, when) in [
        (Some("Connect it"), None, "2026-05-03"),
        (None, Some(TaskStatus::InProgress), "2026-05-04"),
        (None, None, "2026-05-05"),
        (Some("Done"), Some(TaskStatus::Completed), "2026-05-06"),
    ] {
        let updated = tx.update_task(ada.id, made.id, title, status, at(when)).await.unwrap();
        expected.title = title.unwrap_or(&expected.title).to_owned();
        expected.status = status.unwrap_or(expected.status);
        expected.updated_at = at(when);
        assert_eq!(updated, Some(expected.clone()));
    }
    assert_eq!(
        tx.update_task(bob.id, made.id, None, None, now()).await.unwrap(),
        None,
        "not bob's"
    );
    assert_eq!(tx.update_task(ada.id, fresh(), None, None, now()).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_tasks(ada.id).await.unwrap(), [expected]);
});

on_both_databases!(a_deleted_task_is_gone_from_then_on_and_was_there_before, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let made = task("Connect", TaskStatus::Pending, "2026-05-02");
    create(store, ours, ada.id, &made).await;
    update(store, ours, ada.id, &made, Some(TaskStatus::Deleted), "2026-05-10").await.unwrap();
    assert_eq!(update(store, ours, ada.id, &made, None, "2026-05-11").await, None);
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_tasks(ada.id).await.unwrap(), []);
    tx.rollback().await.unwrap();
    for (as_of, total) in
        [("2026-05-02", 0), ("2026-05-03", 1), ("2026-05-10", 1), ("2026-05-11", 0)]
    {
        let facts = facts_of_one(store, ours, at(as_of)).await;
        assert_eq!(facts.tasks, TaskCounts { total, settled: 0 }, "{as_of}");
    }
});

on_both_databases!(tasks_count_as_they_were_at_the_instant, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let first = task("First", TaskStatus::Pending, "2026-05-02");
    let second = task("Second", TaskStatus::InProgress, "2026-05-04");
    let third = task("Third", TaskStatus::Skipped, "2026-05-06");
    for task in [&first, &second, &third] {
        create(store, ours, ada.id, task).await;
    }
    update(store, ours, ada.id, &first, Some(TaskStatus::InProgress), "2026-05-05").await;
    update(store, ours, ada.id, &first, Some(TaskStatus::Completed), "2026-05-07").await;
    update(store, ours, ada.id, &first, Some(TaskStatus::Pending), "2026-05-09").await;
    for (as_of, total, settled) in [
        ("2026-05-02", 0, 0),
        ("2026-05-02T00:00:00.000001Z", 1, 0),
        ("2026-05-05", 2, 0),
        ("2026-05-07", 3, 1),
        ("2026-05-08", 3, 2),
        ("2026-05-10", 3, 1),
    ] {
        let facts = facts_of_one(store, ours, at(as_of)).await;
        assert_eq!(facts.tasks, TaskCounts { total, settled }, "{as_of}");
    }
});

/// Title, status and last touch of a task.
type AlertDelivery = (&'static str, TaskStatus, &'static str);

on_both_databases!(open_tasks_tell_their_status_and_last_touch_at_the_instant, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let first = task("First", TaskStatus::Pending, "2026-05-02");
    let second = task("Second", TaskStatus::InProgress, "2026-05-03");
    let bobs = task("Bob's", TaskStatus::Completed, "2026-05-03");
    create(store, ours, ada.id, &first).await;
    create(store, ours, ada.id, &second).await;
    create(store, ours, bob.id, &bobs).await;
    update(store, ours, ada.id, &first, Some(TaskStatus::InProgress), "2026-05-04").await;
    update(store, ours, ada.id, &first, None, "2026-05-06").await;
    update(store, ours, ada.id, &second, Some(TaskStatus::Completed), "2026-05-07").await;
    update(store, ours, bob.id, &bobs, Some(TaskStatus::Pending), "2026-05-08").await;

    let chunk = everybody(store, ours, now()).await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let pending = TaskStatus::Pending;
    let begun = TaskStatus::InProgress;
    let cases: [(&str, &[AlertDelivery], usize); 5] = [
        ("2026-05-02", &[], 0),
        ("2026-05-03", &[("First", pending, "2026-05-02")], 0),
        ("2026-05-04", &[("First", pending, "2026-05-02"), ("Second", begun, "2026-05-03")], 0),
        ("2026-05-07", &[("Second", begun, "2026-05-03"), ("First", begun, "2026-05-06")], 0),
        ("2026-05-09", &[("First", begun, "2026-05-06")], 1),
    ];
    for (as_of, expected, of_bob) in cases {
        let open = tx.list_open_tasks(&chunk, at(as_of)).await.unwrap();
        let adas: Vec<_> = open
            .get(&ada.id)
            .into_iter()
            .flatten()
            .map(|task| (task.title.as_str(), task.status, task.updated_at))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(title, status, when)| (*title, *status, at(when))).collect();
        assert_eq!(adas, expected, "{as_of}");
        assert_eq!(open.get(&bob.id).map_or(0, Vec::len), of_bob, "{as_of}");
    }
});

on_both_databases!(a_launch_kit_keeps_the_earliest_times, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let times = |viewed: Option<&str>, completed: Option<&str>| LaunchKitTimes {
        viewed_at: viewed.map(at),
        completed_at: completed.map(at),
    };
    let (one, two, three) = (Some("2026-05-01"), Some("2026-05-02"), Some("2026-05-03"));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.get_launch_kit(ada.id).await.unwrap(), LaunchKitTimes::default());
    for (told, kept) in [
        (times(None, None), times(None, None)),
        (times(two, None), times(two, None)),
        (times(three, three), times(two, three)),
        (times(None, None), times(two, three)),
        (times(one, None), times(one, three)),
        (times(None, two), times(one, two)),
    ] {
        tx.record_launch_kit(ada.id, told).await.unwrap();
        assert_eq!(tx.get_launch_kit(ada.id).await.unwrap(), kept, "{told:?}");
    }
    assert_eq!(tx.get_launch_kit(fresh()).await.unwrap(), LaunchKitTimes::default());
});

on_both_databases!(a_launch_kit_counts_as_it_was_at_the_instant, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let times =
        LaunchKitTimes { viewed_at: Some(at("2026-05-05")), completed_at: Some(at("2026-05-08")) };
    tx.record_launch_kit(ada.id, times).await.unwrap();
    tx.commit().await.unwrap();
    for (as_of, expected) in [
        ("2026-05-05", LaunchKit::Unopened),
        ("2026-05-06", LaunchKit::Viewed),
        ("2026-05-08", LaunchKit::Viewed),
        ("2026-05-08T00:00:00.000001Z", LaunchKit::Completed),
    ] {
        assert_eq!(facts_of_one(store, ours, at(as_of)).await.launch_kit, expected, "{as_of}");
    }
});

fn rating(kind: FeedbackKind, rating: i64, given_at: &str) -> Feedback {
    Feedback {
        id: new_id(at(given_at)),
        kind,
        rating,
        normalised: kind.normalize(rating).unwrap(),
        comment: None,
        given_at: at(given_at),
        self_told: false,
    }
}

on_both_databases!(feedback_is_listed_newest_first_as_it_was_given, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let mut ratings = [
        rating(FeedbackKind::Nps, 9, "2026-05-03"),
        rating(FeedbackKind::Thumbs, 0, "2026-05-05"),
        rating(FeedbackKind::Percent, 33, "2026-05-04"),
        rating(FeedbackKind::Csat, 5, "2026-05-01"),
        rating(FeedbackKind::Stars, 1, "2026-05-02"),
    ];
    ratings[0].comment = Some("Süß, \"really\" 👍".to_owned());
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for rating in &ratings {
        tx.create_feedback(ada.id, rating).await.unwrap();
    }
    let bobs = rating(FeedbackKind::Stars, 5, "2026-05-09");
    tx.create_feedback(bob.id, &bobs).await.unwrap();
    ratings.sort_by_key(|rating| std::cmp::Reverse(rating.given_at));
    assert_eq!(tx.list_feedback(ada.id, 100).await.unwrap(), ratings);
    assert_eq!(tx.list_feedback(ada.id, 2).await.unwrap(), ratings[..2]);
    assert_eq!(tx.list_feedback(fresh(), 2).await.unwrap(), []);
});

on_both_databases!(ratings_count_in_their_window_of_calendar_days, async |store| {
    // Berlin moved its clocks on 29 March: 90 calendar days back from noon is noon, an hour off.
    let ours = organization(store, "Europe/Berlin").await;
    let ada = client(store, ours, "ada", "2026-01-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    for (number, given_at) in [
        (100, "2026-02-19T11:00:00Z"),
        (10, "2026-02-19T10:59:59.999999Z"),
        (90, "2026-05-20T09:59:59.999999Z"),
        (20, "2026-05-20T10:00:00Z"),
    ] {
        let new = rating(FeedbackKind::Percent, number, given_at);
        tx.create_feedback(ada.id, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    let facts = facts_of_one(store, ours, at("2026-05-20T10:00:00Z")).await;
    assert_eq!(facts.ratings, (2, 190));
});

on_both_databases!(what_is_told_of_a_client_that_is_gone_is_refused, async |store| {
    let ours = organization(store, "UTC").await;
    let nobody: ClientId = fresh();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    assert!(tx.create_task(nobody, &task("T", TaskStatus::Pending, "2026-05-02")).await.is_err());
    tx.rollback().await.unwrap();
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let new = rating(FeedbackKind::Stars, 5, "2026-05-09");
    assert!(tx.create_feedback(nobody, &new).await.is_err());
});
