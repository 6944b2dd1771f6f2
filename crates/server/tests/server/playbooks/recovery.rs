//! Whether clients recovered, and what came of each rule.

use mainstay_store::Scope;
use serde_json::{Value, json};

use super::{alert, check, playbook, runs, task, tasks};
use crate::support::World;

async fn recovered(world: &World, client_id: &str) -> Value {
    let path = format!("/api/v1/alerts?client_id={client_id}&type=zero_activity");
    let page = world.get(&world.acme.secret_key, &path).await.json(200);
    page["alerts"][0]["recovered_at"].clone()
}

on_both_databases!(
    who_comes_back_within_fourteen_days_has_recovered_and_later_not,
    async |world| {
        playbook(world, alert("zero_activity", "critical"), json!([task("Call", 1)])).await;
        for client in ["ada", "bob", "cleo"] {
            world.be_active(client, "login", 1).await;
        }
        world.clock.advance_hours(73);
        check(world).await;
        let outcomes = async |field: &str| {
            let told = world.get(&world.acme.staff, "/api/v1/outcomes").await.json(200);
            let of = |list: &str, is: &dyn Fn(&Value) -> bool| {
                let found = told[list].as_array().unwrap().iter().find(|one| is(one));
                found.map_or(Value::Null, |one| one[field].clone())
            };
            [of("alerts", &|one| one["type"] == "zero_activity"), of("playbooks", &|_| true)]
        };
        assert_eq!(outcomes("opened").await, [json!(3), json!(3)]);
        assert_eq!(outcomes("undecided").await, [json!(3), json!(3)]);
        // An hour before the fourteen days are over.
        world.clock.advance_hours(14 * 24 - 1);
        let event = json!({"client_id": "ada", "event": "login"});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        world.tick();
        check(world).await;
        assert_eq!(recovered(world, "ada").await, json!(world.mainstay.now()));
        world.clock.advance_hours(2);
        let event = json!({"client_id": "bob", "event": "login"});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        world.tick();
        check(world).await;
        assert_eq!(recovered(world, "bob").await, Value::Null);
        assert_eq!(recovered(world, "cleo").await, Value::Null);
        assert_eq!(outcomes("recovered").await, [json!(1), json!(1)]);
        assert_eq!(outcomes("undecided").await, [json!(0), json!(0)]);

        // Acting is what people do: a task done, an alert acknowledged. A dismissal is none.
        assert_eq!(outcomes("acted_on").await, [json!(0), json!(0)]);
        let done = tasks(world).await.into_iter().find(|task| task.client_id == "bob").unwrap();
        let path = format!("/api/v1/staff-tasks/{}", done.id);
        world.patch(&world.acme.staff, &path, json!({"state": "done"})).await.json(200);
        let open = world.get(&world.acme.staff, "/api/v1/alerts?client_id=cleo&open=true").await;
        let open = open.json(200)["alerts"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/alerts/{open}/dismiss");
        world.post(&world.acme.staff, &path, json!({})).await.json(200);
        assert_eq!(outcomes("acted_on").await, [json!(1), json!(1)]);
        assert_eq!(outcomes("noisy").await, [json!(false), json!(false)]);
        // Ninety days later, nobody counts them any more.
        world.clock.advance_hours(91 * 24);
        assert_eq!(outcomes("opened").await, [json!(0), Value::Null]);
    }
);

on_both_databases!(a_rule_that_is_ignored_is_reported_as_noisy, async |world| {
    let id = playbook(world, alert("inactivity", "warning"), json!([task("Call", 1)])).await;
    for number in 0..10 {
        world.be_active(&format!("client-{number}"), "login", 1).await;
    }
    world.clock.advance_hours(49);
    check(world).await;
    let told = world.get(&world.acme.staff, "/api/v1/outcomes").await.json(200);
    assert_eq!(told["playbooks"][0]["playbook_id"], id);
    assert_eq!(told["playbooks"][0]["noisy"], true);
    assert_eq!(told["alerts"][0]["noisy"], true);
    let rival = world.get(&world.rival.staff, "/api/v1/outcomes").await.json(200);
    assert_eq!((&rival["playbooks"], &rival["alerts"][0]["opened"]), (&json!([]), &json!(0)));
});

on_both_databases!(a_fall_that_started_a_playbook_is_recovered_from_by_the_score, async |world| {
    use mainstay::score::ScoreRun;
    playbook(world, json!({"on": "band", "to": "at_risk"}), json!([task("Plan", 5)])).await;
    let score = async || {
        let run = ScoreRun { as_of: world.mainstay.now(), client: None, dry_run: false };
        world.mainstay.score_organization(world.acme.id, &run, drop).await.unwrap();
    };
    for kind in ["content_generated", "visual_created"] {
        world.be_active("ada", kind, 40).await;
    }
    score().await;
    world.clock.advance_hours(240);
    score().await;
    check(world).await;
    assert_eq!(runs(world, "ada").await[0].recovered_at, None);
    world.clock.advance_hours(48);
    world.be_active("ada", "content_generated", 40).await;
    check(world).await;
    assert_eq!(runs(world, "ada").await[0].recovered_at, Some(world.mainstay.now()));
    let acme = Scope::Service(world.acme.id);
    assert_eq!(world.mainstay.outcomes(acme).await.unwrap().playbooks[0].1.recovered, 1);
});
