//! What follows from alerts and changes of the band: once each, whatever runs at the same time.

mod bands;
mod http;
mod pages;
mod recovery;
mod webhooks;

use std::collections::BTreeMap;

use jiff::Timestamp;
use mainstay::email::SubscriptionUpdate;
use mainstay_core::{
    email::{ConsentSource, EmailType, SubscriptionState},
    id::MemberId,
    playbook::StaffTaskState,
};
use mainstay_store::{
    ClientPatch, EmailFilter, PlaybookRun, Role, Scope, StaffTask, StaffTaskFilter,
};
use serde_json::{Value, json};

use crate::{
    http::silence::{check_after_hours, regular, resume},
    support::World,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Keeps a playbook of Acme's; returns its id.
pub(crate) async fn playbook(world: &World, trigger: Value, actions: Value) -> String {
    let body = json!({"name": "Keep “ada” <b>&", "trigger": trigger, "actions": actions});
    let kept = world.post(&world.acme.secret_key, "/api/v1/playbooks", body).await.json(201);
    kept["id"].as_str().unwrap().to_owned()
}

fn task(title: &str, days: i32) -> Value {
    json!({"do": "task", "title": title, "text": "Ask.", "due_in_days": days})
}

fn alert(kind: &str, at_least: &str) -> Value {
    json!({"on": "alert", "type": kind, "at_least": at_least})
}

async fn tasks(world: &World) -> Vec<StaffTask> {
    let all = StaffTaskFilter::default();
    world.mainstay.staff_tasks(Scope::Service(world.acme.id), &all, 10_000).await.unwrap()
}

/// What playbooks did for a client, the latest first.
async fn runs(world: &World, client_id: &str) -> Vec<PlaybookRun> {
    let scope = Scope::Service(world.acme.id);
    let client = world.mainstay.client(scope, client_id).await.unwrap();
    let mut tx = world.store.read(scope).await.unwrap();
    tx.list_client_playbook_runs(client.id, 1_000).await.unwrap()
}

async fn nudges(world: &World) -> usize {
    let kind = Some(EmailType::MomentumNudge);
    let which = EmailFilter { kind, ..EmailFilter::default() };
    world.mainstay.emails(Scope::Service(world.acme.id), &which, 1_000).await.unwrap().len()
}

async fn check(world: &World) {
    let now = world.mainstay.now();
    world.mainstay.check_organization_health(world.acme.id, now, None, false).await.unwrap();
}

async fn be_owned(world: &World, client_id: &str, owner: MemberId) {
    let scope = Scope::Service(world.acme.id);
    let client = world.mainstay.client(scope, client_id).await.unwrap();
    world.mainstay.set_client_owner(scope, client.id, Some(owner)).await.unwrap();
}

on_both_databases!(every_action_happens_once_under_eight_checks_at_once, async |world| {
    let acme = world.acme.id;
    let other = world.mainstay.add_member(acme, "o@of-acme.example", None, Role::Staff).await;
    let otherwise = other.unwrap().id;
    let mut second = task("Write", 3);
    second["otherwise"] = json!(otherwise);
    let trigger = alert("zero_activity", "critical");
    playbook(world, trigger, json!([task("Call", 1), second, {"do": "nudge"}])).await;
    for number in 0..40 {
        let name = format!("client-{number}");
        let patch =
            ClientPatch { email: Some(format!("{name}@example.com")), ..ClientPatch::default() };
        let client = world.mainstay.create_client(acme, &name, patch).await.unwrap();
        if number % 2 == 0 {
            be_owned(world, &name, world.acme.staff_id).await;
        }
        if number % 4 == 0 {
            let asked = SubscriptionUpdate {
                state: SubscriptionState::Subscribed,
                address: None,
                source: ConsentSource::Api,
            };
            world.mainstay.subscribe(acme, &client, &asked).await.unwrap();
        }
    }
    world.clock.advance_hours(73);
    let now = world.mainstay.now();
    for _ in 0..2 {
        let checks: Vec<_> = (0..8)
            .map(|_| {
                let mainstay = world.mainstay.clone();
                tokio::spawn(async move {
                    mainstay.check_organization_health(acme, now, None, false).await
                })
            })
            .collect();
        for check in checks {
            check.await.unwrap().unwrap();
        }
    }
    // For forty of forty clients at once: a person is asked.
    assert_eq!(tasks(world).await, []);
    let waiting = world.get(&world.acme.secret_key, "/api/v1/playbooks").await.json(200);
    let waiting = &waiting["playbooks"][0];
    assert_eq!(waiting["runs_to_approve"], 40);
    let approve = format!("/api/v1/playbooks/{}/approve", waiting["id"].as_str().unwrap());
    let approval = || world.post(&world.acme.owner, &approve, json!({}));
    let (one, two, three) = tokio::join!(approval(), approval(), approval());
    let approved = [one, two, three].map(|answer| answer.json(200)["runs"].as_i64().unwrap());
    assert_eq!(approved.iter().sum::<i64>(), 40);
    let mut made: BTreeMap<(String, String), usize> = BTreeMap::new();
    for task in tasks(world).await {
        let owned = task.client_id[7..].parse::<u32>().unwrap() % 2 == 0;
        let nobodys = if task.title == "Write" { Some(otherwise) } else { None };
        let expected = if owned { Some(world.acme.staff_id) } else { nobodys };
        assert_eq!(task.owner, expected, "{task:?}");
        assert_eq!((task.state, task.text.as_str()), (StaffTaskState::Open, "Ask."));
        *made.entry((task.client_id, task.title)).or_default() += 1;
    }
    assert_eq!(made.len(), 80);
    assert!(made.values().all(|count| *count == 1), "{made:?}");
    assert_eq!(nudges(world).await, 10);
    for number in 0..40 {
        assert_eq!(runs(world, &format!("client-{number}")).await.len(), 1);
    }
});

on_both_databases!(an_episode_starts_a_playbook_when_it_has_become_bad_enough, async |world| {
    playbook(world, json!({"on": "alert", "at_least": "warning"}), json!([task("Early", 0)])).await;
    playbook(world, json!({"on": "alert", "at_least": "critical"}), json!([task("Late", 0)])).await;
    let off = playbook(world, json!({"on": "alert", "at_least": "info"}), json!([task("Off", 0)]));
    let off = format!("/api/v1/playbooks/{}", off.await);
    let mut body = world.get(&world.acme.secret_key, &off).await.json(200);
    for field in ["id", "created_at", "changed_at", "runs_to_approve"] {
        body.as_object_mut().unwrap().remove(field);
    }
    body["enabled"] = json!(false);
    world.put(&world.acme.owner, &off, body).await.json(200);
    world.be_active("ada", "login", 1).await;
    let titles = async || {
        let mut titles: Vec<String> =
            tasks(world).await.into_iter().map(|task| task.title).collect();
        titles.sort_unstable();
        titles
    };
    world.clock.advance_hours(49);
    check(world).await;
    assert_eq!(titles().await, ["Early"]);
    world.clock.advance_hours(24);
    check(world).await;
    check(world).await;
    assert_eq!(titles().await, ["Early", "Late"]);
    // It is told with the alert.
    let key = &world.acme.secret_key;
    let open = world.get(key, "/api/v1/alerts?open=true").await.json(200);
    let id = open["alerts"][0]["id"].as_str().unwrap();
    let alert = world.get(key, &format!("/api/v1/alerts/{id}")).await.json(200);
    assert_eq!(alert["playbooks"].as_array().unwrap().len(), 2);
    assert_eq!(alert["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(alert["tasks"][0]["playbook_run_id"], alert["playbooks"][0]["id"]);
    // Another episode starts them again.
    world.be_active("ada", "login", 1).await;
    check(world).await;
    world.clock.advance_hours(73);
    check(world).await;
    assert_eq!(titles().await, ["Early", "Early", "Late", "Late"]);
    // A look into the past makes no tasks for yesterday.
    world.be_active("bob", "login", 1).await;
    world.clock.advance_hours(80);
    let past = world.mainstay.now().checked_sub(jiff::SignedDuration::from_hours(25)).unwrap();
    let checked = world.mainstay.check_organization_health(world.acme.id, past, None, false);
    assert!(!checked.await.unwrap().is_empty());
    assert_eq!(runs(world, "bob").await, []);
});

on_both_databases!(what_a_silence_of_the_data_holds_back_starts_once_when_it_ends, async |world| {
    regular(world, 35).await;
    playbook(world, alert("inactivity", "warning"), json!([task("Call", 1)])).await;
    playbook(world, alert("zero_activity", "critical"), json!([task("Visit", 1)])).await;
    check_after_hours(world, 7).await;
    check_after_hours(world, 45).await;
    assert_eq!(tasks(world).await, []);
    // They wait, and say so.
    let waiting = runs(world, "client-3").await;
    assert_eq!((waiting.len(), waiting[0].started_at), (1, None));
    check_after_hours(world, 27).await;
    assert_eq!(runs(world, "client-3").await.len(), 2, "nor does what gets worse start");
    assert_eq!(tasks(world).await, []);

    // Twelve are back, and with them the data; the others get a day to come back themselves.
    resume(world, 0..12, 3).await;
    check_after_hours(world, 0).await;
    assert_eq!(tasks(world).await, []);
    assert_eq!(runs(world, "client-7").await, []);
    world.clock.advance_hours(25);
    resume(world, 0..12, 24).await;
    check_after_hours(world, 0).await;
    check_after_hours(world, 1).await;
    let made = tasks(world).await;
    assert_eq!(made.len(), 2 * 8);
    assert!(made.iter().all(|task| task.client_id != "client-7"), "it is back");
    assert!(runs(world, "client-13").await.iter().all(|run| run.started_at.is_some()));
});

on_both_databases!(a_playbook_that_would_act_for_many_at_once_waits_for_a_person, async |world| {
    let trigger = alert("inactivity", "warning");
    let id = playbook(world, trigger, json!([task("Call", 1)])).await;
    let path = |what: &str| format!("/api/v1/playbooks/{id}/{what}");
    for client in 0..10 {
        world.be_active(&format!("early-{client}"), "login", 1).await;
    }
    world.clock.advance_hours(12);
    world.be_active("late", "login", 1).await;
    world.clock.advance_hours(38);
    check(world).await;
    assert_eq!(tasks(world).await.len(), 10, "ten are few");
    world.clock.advance_hours(12);
    check(world).await;
    assert_eq!(tasks(world).await.len(), 10, "the eleventh within a day waits");
    world.post(&world.acme.staff, &path("approve"), json!({})).await.problem(403);
    let rejected = world.post(&world.acme.admin, &path("reject"), json!({})).await.json(200);
    assert_eq!(rejected["runs"], 1);
    let approved = world.post(&world.acme.admin, &path("approve"), json!({})).await.json(200);
    assert_eq!((approved["runs"].as_i64(), tasks(world).await.len()), (Some(0), 10));
    let nobody = "/api/v1/playbooks/019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071/approve";
    world.post(&world.acme.admin, nobody, json!({})).await.problem(404);
});

on_both_databases!(a_task_is_due_at_the_end_of_a_local_day_of_25_hours, async |world| {
    // Saturday evening in Berlin; on Sunday the clocks go back.
    world.clock.set(at("2026-10-24T18:30:00Z"));
    playbook(world, alert("inactivity", "warning"), json!([task("Call", 1)])).await;
    world.be_active("ada", "login", 1).await;
    world.clock.set(at("2026-10-26T19:00:00Z"));
    check(world).await;
    let key = &world.acme.secret_key;
    let listed =
        async || world.get(key, "/api/v1/staff-tasks").await.json(200)["staff_tasks"][0].clone();
    let task = listed().await;
    assert_eq!(
        (&task["due_on"], &task["due_at"]),
        (&json!("2026-10-27"), &json!("2026-10-27T23:00:00Z"))
    );
    // Moved to the day that had 25 hours, it is late since the end of that.
    let path = format!("/api/v1/staff-tasks/{}", task["id"].as_str().unwrap());
    let moved = world.patch(key, &path, json!({"due_on": "2026-10-25"})).await.json(200);
    assert_eq!(
        (&moved["due_at"], &moved["overdue"]),
        (&json!("2026-10-25T23:00:00Z"), &json!(true))
    );
    world.clock.set(at("2026-10-25T22:59:59Z"));
    assert_eq!(listed().await["overdue"], json!(false));
    world.clock.set(at("2026-10-25T23:00:00Z"));
    assert_eq!(listed().await["overdue"], json!(true));
});

on_both_databases!(a_member_who_is_gone_has_no_tasks, async |world| {
    let acme = world.acme.id;
    let gone = world.mainstay.add_member(acme, "g@of-acme.example", None, Role::Staff).await;
    let gone = gone.unwrap().id;
    let mut call = task("Call", 1);
    call["otherwise"] = json!(gone);
    playbook(world, alert("inactivity", "warning"), json!([call])).await;
    world.be_active("ada", "login", 1).await;
    world.clock.advance_hours(49);
    check(world).await;
    assert_eq!(tasks(world).await[0].owner, Some(gone));
    world.mainstay.remove_member(acme, gone).await.unwrap();
    world.be_active("bob", "login", 1).await;
    world.clock.advance_hours(49);
    check(world).await;
    let owners: Vec<_> = tasks(world).await.into_iter().map(|task| task.owner).collect();
    assert_eq!(owners, [None, None]);
});
