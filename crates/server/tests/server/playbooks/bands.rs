//! Playbooks that answer changes of the band.

use mainstay::score::ScoreRun;
use mainstay_core::{
    playbook::BandChange,
    score::{Band, ScoreModel},
};
use mainstay_store::TriggerSource;
use serde_json::json;

use super::{playbook, runs, task, tasks};
use crate::support::World;

/// Computes everybody's scores now.
async fn score(world: &World) {
    let run = ScoreRun { as_of: world.mainstay.now(), client: None, dry_run: false };
    world.mainstay.score_organization(world.acme.id, &run, drop).await.unwrap();
}

/// A client that did so much that its score is good or better.
async fn thrive(world: &World, client_id: &str) {
    for kind in ["content_generated", "visual_created"] {
        world.be_active(client_id, kind, 40).await;
    }
    let state = json!({"state": "completed"});
    let path = format!("/api/v1/clients/{client_id}/launch-kit");
    world.put(&world.acme.secret_key, &path, state).await.json(200);
}

async fn band(world: &World, client_id: &str) -> String {
    let path = format!("/api/v1/clients/{client_id}/score");
    let score = world.get(&world.acme.secret_key, &path).await.json(200);
    score["band"].as_str().unwrap().to_owned()
}

on_both_databases!(a_fall_into_another_band_starts_a_playbook_once_a_day, async |world| {
    let to_bottom = json!({"on": "band", "to": "at_risk"});
    playbook(world, to_bottom, json!([task("Plan", 5), {"do": "nudge"}])).await;
    let elsewhere = json!({"on": "band", "from": "at_risk", "to": "excellent"});
    playbook(world, elsewhere, json!([task("Praise", 5)])).await;
    for client in ["ada", "bob"] {
        thrive(world, client).await;
    }
    score(world).await;
    assert_eq!(tasks(world).await, [], "nothing to compare with");
    let before = band(world, "ada").await;
    assert!(["good", "excellent"].contains(&before.as_str()), "{before}");
    // Ten days later nothing has come from ada.
    world.clock.advance_hours(240);
    world.be_active("bob", "content_generated", 40).await;
    score(world).await;
    score(world).await;
    let made = tasks(world).await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!((made[0].client_id.as_str(), made[0].title.as_str()), ("ada", "Plan"));
    assert_eq!((made[0].alert, made[0].due_on.to_string()), (None, "2026-05-16".to_owned()));
    let [run] = runs(world, "ada").await.try_into().unwrap();
    let from: Band = before.parse().unwrap();
    let change = BandChange { from, to: Band::AtRisk };
    assert_eq!(
        run.trigger_source,
        TriggerSource::Band { day: "2026-05-11".parse().unwrap(), change }
    );
    // What came of the nudge is told.
    assert_eq!(run.deeds.len(), 1);
    world.clock.advance_hours(24);
    score(world).await;
    assert_eq!(tasks(world).await.len(), 1, "it stands where it stood");
});

on_both_databases!(eight_computations_at_once_start_a_playbook_once, async |world| {
    playbook(world, json!({"on": "band", "to": "at_risk"}), json!([task("Plan", 5)])).await;
    // Ten: more would wait for a person.
    for number in 0..10 {
        thrive(world, &format!("client-{number}")).await;
    }
    score(world).await;
    world.clock.advance_hours(240);
    let (acme, as_of) = (world.acme.id, world.mainstay.now());
    let all: Vec<_> = (0..8)
        .map(|_| {
            let mainstay = world.mainstay.clone();
            tokio::spawn(async move {
                let run = ScoreRun { as_of, client: None, dry_run: false };
                // Another one may win; the jobs try again.
                while mainstay.score_organization(acme, &run, drop).await.is_err() {}
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(tasks(world).await.len(), 10);
});

on_both_databases!(neither_the_past_nor_another_model_changes_a_band, async |world| {
    playbook(world, json!({"on": "band", "to": "at_risk"}), json!([task("Plan", 5)])).await;
    thrive(world, "ada").await;
    score(world).await;
    world.clock.advance_hours(300);
    let past = world.mainstay.now().checked_sub(jiff::SignedDuration::from_hours(48)).unwrap();
    let run = ScoreRun { as_of: past, client: None, dry_run: false };
    world.mainstay.score_organization(world.acme.id, &run, drop).await.unwrap();
    assert_eq!(tasks(world).await, []);
    let dry = ScoreRun { as_of: world.mainstay.now(), client: None, dry_run: true };
    world.mainstay.score_organization(world.acme.id, &dry, drop).await.unwrap();
    assert_eq!(tasks(world).await, []);
    world.be_active("bob", "content_generated", 40).await;
    score(world).await;
    let mut strict = ScoreModel::standard();
    strict.bands.needs_attention = 58;
    strict.bands.good = 97;
    strict.bands.excellent = 99;
    world.mainstay.publish_score_model(world.acme.id, &strict).await.unwrap();
    world.clock.advance_hours(1);
    score(world).await;
    assert_eq!(tasks(world).await, []);
});
