//! What staff are to do for clients.

use mainstay_core::{
    id::{MemberId, OrganizationId, StaffTaskId},
    playbook::StaffTaskState,
};
use mainstay_store::{
    Client, ClientPatch, NewMember, Role, Scope, StaffTask, StaffTaskFilter, Store, new_id,
};

use crate::fixtures::{at, client, day, found, fresh, now, organization};

pub(crate) fn staff_task(client: &Client, due: &str) -> StaffTask {
    StaffTask {
        id: fresh(),
        client: client.id,
        client_id: client.external_id.clone(),
        client_name: client.profile.name.clone(),
        owner: None,
        title: "Ünïcode '\"\\".to_owned(),
        text: "Two\nlines".to_owned(),
        due_on: day(due),
        state: StaffTaskState::Open,
        alert: None,
        run: None,
        created_by: None,
        created_at: now(),
        finished_by: None,
        finished_at: None,
    }
}

async fn member(store: &Store, organization: OrganizationId) -> MemberId {
    let id: MemberId = fresh();
    let new = NewMember {
        id,
        email: format!("{id}@example.com"),
        name: "A member".to_owned(),
        role: Role::Staff,
    };
    let mut tx = store.begin(Scope::Service(organization)).await.unwrap();
    tx.create_member(&new, now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn ids(tasks: &[StaffTask]) -> Vec<StaffTaskId> {
    tasks.iter().map(|task| task.id).collect()
}

on_both_databases!(a_task_is_kept_as_it_was_made_and_changed, async |store| {
    let ours = organization(store, "UTC").await;
    let mut ada = client(store, ours, "ada", "2026-05-01").await;
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    let patch = ClientPatch { name: Some("Ada".to_owned()), ..ClientPatch::default() };
    tx.update_client(ada.id, &patch, now()).await.unwrap();
    tx.commit().await.unwrap();
    ada.profile.name = Some("Ada".to_owned());
    let ines = member(store, ours).await;
    let mut tx = store.begin(Scope::Member(ours, Role::Staff)).await.unwrap();
    let mut task = staff_task(&ada, "2026-05-21");
    (task.alert, task.run, task.created_by) = (Some(fresh()), Some(fresh()), Some(ines));
    tx.create_staff_tasks(std::slice::from_ref(&task)).await.unwrap();
    assert_eq!(tx.find_staff_task(task.id).await.unwrap().as_ref(), Some(&task));
    task.owner = Some(ines);
    "Call".clone_into(&mut task.title);
    task.text = String::new();
    task.due_on = day("2026-06-01");
    task.state = StaffTaskState::Done;
    (task.finished_by, task.finished_at) = (Some(ines), Some(at("2026-05-22")));
    assert!(tx.update_staff_task(&task).await.unwrap());
    assert_eq!(tx.find_staff_task(task.id).await.unwrap().as_ref(), Some(&task));
    let alert = task.alert.unwrap();
    let of = tx.list_staff_tasks_of(&[alert, fresh()]).await.unwrap();
    assert_eq!((of.len(), &of[&alert]), (1, &vec![task.clone()]));
    assert!(tx.delete_staff_task(task.id).await.unwrap());
    assert!(!tx.delete_staff_task(task.id).await.unwrap());
    assert!(!tx.update_staff_task(&task).await.unwrap());
    assert_eq!(tx.find_staff_task(task.id).await.unwrap(), None);
});

on_both_databases!(tasks_are_listed_by_when_they_are_due_and_filtered, async |store| {
    let ours = organization(store, "UTC").await;
    let ada = client(store, ours, "ada", "2026-05-01").await;
    let bob = client(store, ours, "bob", "2026-05-01").await;
    let ines = member(store, ours).await;
    let mut tasks = vec![
        staff_task(&ada, "2026-05-19"),
        staff_task(&ada, "2026-05-20"),
        staff_task(&bob, "2026-05-20"),
        staff_task(&bob, "2026-05-25"),
    ];
    tasks[1].owner = Some(ines);
    tasks[3].state = StaffTaskState::Dismissed;
    tasks.sort_by_key(|task| (task.due_on, task.id));
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_staff_tasks(&tasks).await.unwrap();
    let all = StaffTaskFilter::default();
    assert_eq!(ids(&tx.list_staff_tasks(&all, 10).await.unwrap()), ids(&tasks));
    let mut backwards = ids(&tasks);
    backwards.reverse();
    let latest = StaffTaskFilter { latest_first: true, ..all };
    assert_eq!(ids(&tx.list_staff_tasks(&latest, 10).await.unwrap()), backwards);
    for (which, order) in [(all, ids(&tasks)), (latest, backwards)] {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let page = tx.list_staff_tasks(&StaffTaskFilter { after, ..which }, 1).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.due_on, last.id));
            seen.extend(ids(&page));
        }
        assert_eq!(seen, order);
    }
    let some = |keep: &dyn Fn(&StaffTask) -> bool| {
        tasks.iter().filter(|task| keep(task)).map(|task| task.id).collect::<Vec<_>>()
    };
    for (which, expected) in [
        (StaffTaskFilter { owner: Some(ines), ..all }, some(&|task| task.owner == Some(ines))),
        (StaffTaskFilter { unowned: true, ..all }, some(&|task| task.owner.is_none())),
        (StaffTaskFilter { client: Some(bob.id), ..all }, some(&|task| task.client == bob.id)),
        (
            StaffTaskFilter { state: Some(StaffTaskState::Open), ..all },
            some(&|task| task.state == StaffTaskState::Open),
        ),
        (
            StaffTaskFilter { due_before: Some(day("2026-05-20")), ..all },
            some(&|task| task.due_on < day("2026-05-20")),
        ),
    ] {
        assert_eq!(ids(&tx.list_staff_tasks(&which, 10).await.unwrap()), expected, "{which:?}");
    }
    assert_eq!(tx.count_due_staff_tasks(None, day("2026-05-26")).await.unwrap(), 3);
    assert_eq!(tx.count_due_staff_tasks(None, day("2026-05-20")).await.unwrap(), 1);
    assert_eq!(tx.count_due_staff_tasks(Some(ines), day("2026-05-26")).await.unwrap(), 1);
});

on_both_databases!(
    open_tasks_are_given_up_with_their_member_and_go_with_their_client,
    async |store| {
        let ours = organization(store, "UTC").await;
        let ada = client(store, ours, "ada", "2026-05-01").await;
        let ines = member(store, ours).await;
        let (mut open, mut done) = (staff_task(&ada, "2026-05-19"), staff_task(&ada, "2026-05-20"));
        (open.owner, done.owner, done.state) = (Some(ines), Some(ines), StaffTaskState::Done);
        let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
        tx.create_staff_tasks(&[open.clone(), done.clone()]).await.unwrap();
        tx.set_client_owner(ada.id, Some(ines)).await.unwrap();
        assert_eq!(tx.list_owners_of(&[ada.id, fresh()]).await.unwrap(), [(ada.id, ines)].into());
        assert!(tx.delete_member(ines).await.unwrap());
        assert_eq!(tx.list_owners_of(&[ada.id]).await.unwrap(), [].into());
        assert_eq!(tx.find_staff_task(open.id).await.unwrap().unwrap().owner, None);
        assert_eq!(tx.find_staff_task(done.id).await.unwrap().unwrap().owner, Some(ines));
        tx.delete_client(ada.id, now()).await.unwrap();
        assert_eq!(tx.list_staff_tasks(&StaffTaskFilter::default(), 10).await.unwrap(), []);
    }
);

on_both_databases!(tasks_move_with_the_client_that_turns_out_to_be_another, async |store| {
    let ours = organization(store, "UTC").await;
    let lead = client(store, ours, "lead", "2026-05-01").await;
    client(store, ours, "ada", "2026-05-01").await;
    let task = StaffTask { id: new_id(now()), ..staff_task(&lead, "2026-05-19") };
    let mut tx = store.begin(Scope::Service(ours)).await.unwrap();
    tx.create_staff_tasks(std::slice::from_ref(&task)).await.unwrap();
    crate::merging::merge_in(&mut tx, "lead", "ada").await;
    tx.commit().await.unwrap();
    let ada = found(store, ours, "ada").await;
    let mut tx = store.read(Scope::Service(ours)).await.unwrap();
    assert_eq!(tx.find_staff_task(task.id).await.unwrap().unwrap().client, ada.id);
});
