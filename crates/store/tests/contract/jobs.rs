//! Runs of jobs: each period once, each run with one holder, and only that one writes.

use jiff::{SignedDuration, Timestamp};
use mainstay_core::id::{JobRunId, OrganizationId};
use mainstay_store::{
    JobRun, Lease, NewJobRun, RunCounts, RunEnd, RunProgress, RunState, Scope, Store, StoreError,
    Tx,
};

use crate::fixtures::{at, fresh, now, organization};

const ORDER: [&str; 2] = ["weekly", "daily"];

pub(crate) fn new_run(job: &str, period: &str) -> NewJobRun {
    NewJobRun { id: fresh(), job: job.to_owned(), period: at(period), scheduled: true }
}

fn later(minutes: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

async fn create(store: &Store, organization: OrganizationId, new: &NewJobRun) -> bool {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let created = tx.create_job_run(new, now()).await.unwrap();
    tx.commit().await.unwrap();
    created
}

async fn claim(
    store: &Store,
    organization: OrganizationId,
    holder: &str,
    at: Timestamp,
) -> Option<JobRun> {
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    let until = at.checked_add(SignedDuration::from_mins(1)).unwrap();
    let run = tx.claim_job_run(&ORDER, holder, at, until).await.unwrap();
    tx.commit().await.unwrap();
    run
}

fn lease(organization: OrganizationId, run: &JobRun) -> Lease {
    Lease { organization, run: run.id, fence: run.fence }
}

async fn service(store: &Store, organization: OrganizationId) -> Tx {
    store.begin(Scope::Service(organization)).await.unwrap()
}

on_both_databases!(a_period_has_one_run, async |store| {
    let (ours, theirs) = (organization(store, "UTC").await, organization(store, "UTC").await);
    assert!(create(store, ours, &new_run("daily", "2026-05-20")).await);
    assert!(!create(store, ours, &new_run("daily", "2026-05-20")).await);
    assert!(create(store, ours, &new_run("weekly", "2026-05-20")).await);
    assert!(create(store, ours, &new_run("daily", "2026-05-21")).await);
    assert!(create(store, theirs, &new_run("daily", "2026-05-20")).await);
    let mut by_hand = new_run("daily", "2026-05-22");
    by_hand.scheduled = false;
    assert!(create(store, ours, &by_hand).await);
    let mut tx = store.read(Scope::System).await.unwrap();
    let mut last = tx.list_last_job_periods(at("2026-05-25")).await.unwrap();
    last.retain(|one| one.organization == ours);
    last.sort_by(|a, b| a.job.cmp(&b.job));
    let last: Vec<_> = last.iter().map(|one| (one.job.as_str(), one.period)).collect();
    assert_eq!(last, [("daily", at("2026-05-21")), ("weekly", at("2026-05-20"))]);
    // A period that is not there yet, which a clock that was ahead has left, is none.
    let mut tx = store.read(Scope::System).await.unwrap();
    let early = tx.list_last_job_periods(at("2026-05-20")).await.unwrap();
    let early: Vec<_> = early.iter().filter(|one| one.organization == ours).collect();
    assert!(
        early.len() == 2 && early.iter().all(|one| one.period == at("2026-05-20")),
        "{early:?}"
    );
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.list_job_runs(None, 10).await.unwrap().len(), 4);
    assert_eq!(tx.list_job_runs(Some("weekly"), 10).await.unwrap().len(), 1);
    assert_eq!(tx.list_job_runs(None, 2).await.unwrap().len(), 2);
    assert_eq!(tx.find_job_run(fresh::<JobRunId>()).await.unwrap(), None);
});

on_both_databases!(runs_are_claimed_one_at_a_time_in_order, async |store| {
    let ours = organization(store, "UTC").await;
    create(store, ours, &new_run("daily", "2026-05-20")).await;
    create(store, ours, &new_run("weekly", "2026-05-20")).await;
    create(store, ours, &new_run("unheard-of", "2026-05-20")).await;
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(tx.list_organizations_with_runs(now()).await.unwrap().contains(&ours));
    drop(tx);
    let first = claim(store, ours, "a", now()).await.unwrap();
    assert_eq!((first.job.as_str(), first.attempts, first.fence), ("weekly", 1, 1));
    assert_eq!((first.state, first.holder.as_deref()), (RunState::Running, Some("a")));
    assert_eq!(claim(store, ours, "b", now()).await, None, "one at a time");
    let mut tx = service(store, ours).await;
    let counts: RunCounts = [("scores".to_owned(), 7)].into();
    let progress = RunProgress { counts: counts.clone(), ..RunProgress::default() };
    tx.finish_job_run(lease(ours, &first), &RunEnd::Succeeded, &progress, later(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    let done = tx.find_job_run(first.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.finished_at), (RunState::Succeeded, Some(later(1))));
    assert_eq!(done.counts, counts);
    drop(tx);
    assert_eq!(claim(store, ours, "b", now()).await.unwrap().job, "daily");
});

on_both_databases!(what_a_holder_writes_after_its_run_was_taken_over_is_refused, async |store| {
    let ours = organization(store, "UTC").await;
    create(store, ours, &new_run("daily", "2026-05-20")).await;
    let stalled = claim(store, ours, "a", now()).await.unwrap();
    let mut tx = service(store, ours).await;
    tx.hold_lease(lease(ours, &stalled), 30).await.unwrap();
    tx.renew_lease(lease(ours, &stalled), later(1), &RunProgress::default()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(store, ours, "b", later(0)).await, None);
    let taken = claim(store, ours, "b", later(2)).await.unwrap();
    assert_eq!((taken.id, taken.fence, taken.attempts), (stalled.id, 2, 2));
    let (old, new) = (lease(ours, &stalled), lease(ours, &taken));
    let nothing = RunProgress::default();
    let mut tx = service(store, ours).await;
    assert!(matches!(tx.hold_lease(old, 30).await, Err(StoreError::LeaseLost)));
    assert!(matches!(tx.renew_lease(old, later(9), &nothing).await, Err(StoreError::LeaseLost)));
    let ended = tx.finish_job_run(old, &RunEnd::Succeeded, &nothing, later(3)).await;
    assert!(matches!(ended, Err(StoreError::LeaseLost)));
    tx.hold_lease(new, 30).await.unwrap();
    tx.rollback().await.unwrap();
});

on_both_databases!(a_run_that_failed_waits_and_one_that_was_released_does_not, async |store| {
    let ours = organization(store, "UTC").await;
    create(store, ours, &new_run("daily", "2026-05-20")).await;
    let run = claim(store, ours, "a", now()).await.unwrap();
    let progress = RunProgress { step: Some("scores".to_owned()), ..RunProgress::default() };
    let end = RunEnd::Failed { error: "No disk.".to_owned(), again_at: Some(later(5)) };
    let mut tx = service(store, ours).await;
    tx.finish_job_run(lease(ours, &run), &end, &progress, now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(store, ours, "a", later(4)).await, None);
    let again = claim(store, ours, "a", later(5)).await.unwrap();
    assert_eq!((again.attempts, again.error.as_deref()), (2, Some("No disk.")));
    assert_eq!(again.step.as_deref(), Some("scores"));
    let mut tx = service(store, ours).await;
    tx.finish_job_run(lease(ours, &again), &RunEnd::Released, &progress, later(5)).await.unwrap();
    tx.commit().await.unwrap();
    let third = claim(store, ours, "b", later(5)).await.unwrap();
    assert_eq!(third.attempts, 2, "an interruption is no attempt");
    let end = RunEnd::Failed { error: "Still none.".to_owned(), again_at: None };
    let mut tx = service(store, ours).await;
    tx.finish_job_run(lease(ours, &third), &end, &progress, later(6)).await.unwrap();
    let failed = tx.find_job_run(third.id).await.unwrap().unwrap();
    assert_eq!((failed.state, failed.error.as_deref()), (RunState::Failed, Some("Still none.")));
    tx.commit().await.unwrap();
    assert_eq!(claim(store, ours, "a", later(60)).await, None);
});

on_both_databases!(of_two_who_claim_at_once_one_gets_the_run, async |store| {
    let ours = organization(store, "UTC").await;
    let other = store.reopened().await;
    for number in 1..=9 {
        create(store, ours, &new_run("daily", &format!("2026-05-0{number}"))).await;
        let (a, b) = tokio::join!(
            claim(store, ours, "a", later(number * 5)),
            claim(&other, ours, "b", later(number * 5))
        );
        assert_eq!(a.iter().chain(&b).count(), 1, "{a:?} {b:?}");
        let run = a.or(b).unwrap();
        let mut tx = service(store, ours).await;
        let nothing = RunProgress::default();
        tx.finish_job_run(lease(ours, &run), &RunEnd::Succeeded, &nothing, now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    other.close().await;
});

on_both_databases!(a_schedule_is_changed_with_its_time, async |store| {
    let ours = organization(store, "UTC").await;
    let mut tx = service(store, ours).await;
    tx.set_job_schedule("daily", "0 5 * * *", at("2026-05-01")).await.unwrap();
    tx.set_job_schedule("daily", "0 6 * * *", at("2026-05-02")).await.unwrap();
    let schedules = tx.list_job_schedules().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(schedules.len(), 1);
    assert_eq!((schedules[0].organization, schedules[0].job.as_str()), (ours, "daily"));
    assert_eq!(schedules[0].cron, "0 6 * * *");
    assert_eq!(schedules[0].changed_at, at("2026-05-02"));
    let mut tx = store.read(Scope::System).await.unwrap();
    assert!(tx.list_all_job_schedules().await.unwrap().contains(&schedules[0]));
});

on_both_databases!(old_runs_are_forgotten_but_not_the_latest_period, async |store| {
    let ours = organization(store, "UTC").await;
    for period in ["2026-05-01", "2026-05-02", "2026-05-03"] {
        create(store, ours, &new_run("daily", period)).await;
        let run = claim(store, ours, "a", now()).await.unwrap();
        let mut tx = service(store, ours).await;
        let nothing = RunProgress::default();
        tx.finish_job_run(lease(ours, &run), &RunEnd::Succeeded, &nothing, now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = service(store, ours).await;
    assert_eq!(tx.delete_job_runs(now()).await.unwrap(), 0);
    assert_eq!(tx.delete_job_runs(later(1)).await.unwrap(), 2);
    let left = tx.list_job_runs(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|run| run.period).collect::<Vec<_>>(), [at("2026-05-03")]);
});
