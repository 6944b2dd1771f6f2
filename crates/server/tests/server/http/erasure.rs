//! Deleting a client for good, and the outcome of what is sent of it afterwards.

use serde_json::json;

use crate::support::World;

const CLIENT: &str = "/api/v1/clients/hedwig-7";
const ERASED: &str = "/api/v1/erased-clients";

async fn send_event(world: &World, client_id: &str) -> serde_json::Value {
    let event = json!([{"client_id": client_id, "event": "login"}]);
    let answer = world.post(&world.acme.write_key, "/api/v1/events", event).await;
    // Where nothing can be used, it is the sender's mistake.
    assert!([200, 422].contains(&answer.status.as_u16()), "{answer:?}");
    serde_json::from_str(&answer.text).unwrap()
}

on_both_databases!(what_is_sent_of_a_deleted_client_is_refused_for_a_day, async |world| {
    let admin = &world.acme.admin;
    world.be_active("hedwig-7", "login", 3).await;
    let alias = json!({"previousId": "visitor-9", "userId": "hedwig-7"});
    world.post(&world.acme.secret_key, "/v1/alias", alias).await.json(200);
    assert_eq!(world.delete(admin, CLIENT).await.status, 204);
    for id in ["hedwig-7", "visitor-9"] {
        let answer = send_event(world, id).await;
        assert_ne!(answer["stored"], 1, "{answer}");
        let refused = &answer["refused"][0];
        let said = refused["reason"].as_str().unwrap();
        assert!(said.contains("deleted client") && said.contains(ERASED), "{refused}");
        assert!(!said.contains(id), "{refused}");
    }
    // Whoever is beside it in a request is stored.
    let both = json!([{"client_id": "hedwig-7", "event": "x"}, {"client_id": "bob", "event": "x"}]);
    let answer = world.post(&world.acme.write_key, "/api/v1/events", both).await.json(200);
    assert_eq!((&answer["stored"], &answer["refused"][0]["index"]), (&json!(1), &json!(0)));
    world.get(admin, CLIENT).await.problem(404);

    let listed = world.get(admin, ERASED).await.json(200);
    let listed = listed["erased_clients"].as_array().unwrap();
    let refused: i64 = listed.iter().map(|one| one["refused"].as_i64().unwrap()).sum();
    assert_eq!((listed.len(), refused), (2, 3));
    assert!(!listed.iter().any(|one| one.to_string().contains("hedwig")));
    world.get(&world.acme.staff, ERASED).await.problem(403);

    world.clock.advance_hours(25);
    assert_eq!(send_event(world, "hedwig-7").await["stored"], 1);
    assert_eq!(world.get(admin, ERASED).await.json(200)["erased_clients"], json!([]));
});

on_both_databases!(
    a_client_that_is_kept_out_for_good_is_let_in_again_by_hand_only,
    async |world| {
        let admin = &world.acme.admin;
        world.be_active("hedwig-7", "login", 3).await;
        assert_eq!(world.delete(admin, &format!("{CLIENT}?keep_out=true")).await.status, 204);
        // Nearly as long as the token of a member is good for.
        world.clock.advance_hours(24 * 364);
        assert_ne!(send_event(world, "hedwig-7").await["stored"], 1);
        let new = json!({"client_id": "hedwig-7"});
        let refused = world.post(admin, "/api/v1/clients", new.clone()).await.problem(409);
        assert!(refused["detail"].as_str().unwrap().contains(ERASED), "{refused}");
        let lift = format!("{ERASED}/hedwig-7");
        world.delete(&world.acme.staff, &lift).await.problem(403);
        world.delete(&world.rival.admin, &lift).await.problem(404);
        assert_eq!(world.delete(admin, &lift).await.status, 204);
        world.delete(admin, &lift).await.problem(404);
        world.post(admin, "/api/v1/clients", new).await.json(201);
    }
);

on_both_databases!(a_deleted_client_may_begin_anew_at_once, async |world| {
    let admin = &world.acme.admin;
    world.be_active("hedwig-7", "login", 3).await;
    world.delete(admin, &format!("{CLIENT}?keep_out=maybe")).await.problem(422);
    assert_eq!(world.delete(admin, &format!("{CLIENT}?keep_out=false")).await.status, 204);
    assert_eq!(send_event(world, "hedwig-7").await["stored"], 1);
    // By hand it is created whatever a deletion said about a day.
    assert_eq!(world.delete(admin, CLIENT).await.status, 204);
    let new = json!({"client_id": "hedwig-7"});
    world.post(admin, "/api/v1/clients", new).await.json(201);
    assert_eq!(send_event(world, "hedwig-7").await["stored"], 1);
});

on_both_databases!(refusals_of_a_deleted_client_do_not_tell_who_it_was, async |world| {
    let admin = &world.acme.admin;
    world.be_active("hedwig-7", "login", 1).await;
    let wrong =
        json!([{"client_id": "hedwig-7", "event": "", "data": {"mail": "h@hedwig.example"}}]);
    world.post(&world.acme.write_key, "/api/v1/events", wrong).await;
    assert_eq!(world.delete(admin, CLIENT).await.status, 204);
    send_event(world, "hedwig-7").await;
    let scope = mainstay_store::Scope::Service(world.acme.id);
    let kept = async || {
        let mut tx = world.mainstay.store().read(scope).await.unwrap();
        tx.list_refused_events(None, 10).await.unwrap()
    };
    // They are written down once a second.
    let mut refused = kept().await;
    while !refused.iter().any(|one| one.refusal.reason.contains("deleted client")) {
        tokio::task::yield_now().await;
        refused = kept().await;
    }
    assert!(!refused.iter().any(|one| format!("{one:?}").contains("hedwig")), "{refused:?}");
});

on_both_databases!(a_deleted_client_comes_back_neither_as_an_alias_nor_by_one, async |world| {
    let admin = &world.acme.admin;
    world.be_active("hedwig-7", "login", 1).await;
    assert_eq!(world.delete(admin, CLIENT).await.status, 204);
    for (previous, user) in [("hedwig-7", "bob"), ("visitor-1", "hedwig-7")] {
        let alias = json!({"previousId": previous, "userId": user});
        let answer = world.post(&world.acme.secret_key, "/v1/alias", alias).await;
        assert!(answer.text.contains("deleted client"), "{answer:?}");
        world.get(admin, CLIENT).await.problem(404);
    }
    // What comes with it in a batch is stored.
    let batch = json!({"batch": [
        {"type": "alias", "previousId": "visitor-1", "userId": "hedwig-7"},
        {"type": "track", "userId": "carl", "event": "login"},
    ]});
    world.post(&world.acme.secret_key, "/v1/batch", batch).await.json(200);
    world.get(admin, "/api/v1/clients/carl").await.json(200);
});
