//! A dry run of an import: it says what the import says, and nobody waits for it.

use std::{fs, path::Path, time::Duration};

use mainstay::engagement::{ImportSummary, import::ImportOptions};
use mainstay_store::Scope;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::World;

const AT: &str = "2026-04-20T08:00:00Z";

fn track(user: &str, message_id: &str) -> Value {
    json!({"type": "track", "userId": user, "event": "login", "timestamp": AT, "messageId": message_id})
}

fn write(path: &Path, messages: &[Value]) {
    let lines: Vec<String> = messages.iter().map(ToString::to_string).collect();
    fs::write(path, lines.join("\n")).unwrap();
}

async fn import(world: &World, path: &Path, dry_run: bool) -> ImportSummary {
    let options = ImportOptions::default();
    world.mainstay.import_file(world.acme.id, path, &options, dry_run, |_| ()).await.unwrap()
}

/// Has a dry run say what an import then says, of a file that is new and of one that is known.
async fn assert_foreseen(world: &World, messages: &[Value]) -> ImportSummary {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.ndjson");
    write(&path, messages);
    let foreseen = import(world, &path, true).await;
    assert_eq!(import(world, &path, false).await, foreseen);
    let foreseen_again = import(world, &path, true).await;
    assert_eq!(import(world, &path, false).await, foreseen_again);
    foreseen
}

on_both_databases!(a_dry_run_foresees_duplicates_other_names_and_who_is_kept_out, async |world| {
    world.be_active("gone", "login", 1).await;
    let answer = world.delete(&world.acme.admin, "/api/v1/clients/gone?keep_out=true").await;
    assert_eq!(answer.status, 204);
    let alias = json!({
        "type": "alias", "previousId": "x", "userId": "y", "timestamp": AT, "messageId": "m9",
    });
    let foreseen = assert_foreseen(
        world,
        &[
            track("ada", "m1"),
            track(" ada ", "m1"),
            track("bob", "m1"),
            track("gone", "m2"),
            track("x", "m3"),
            alias,
            track("y", "m3"),
            track("", "m4"),
        ],
    )
    .await;
    assert_eq!((foreseen.stored, foreseen.duplicates, foreseen.profiles), (3, 2, 1));
    assert_eq!(foreseen.refused, 2);
});

on_both_databases!(a_dry_run_foresees_whose_events_wait, async |world| {
    let groups = json!({"clients_are": "groups"});
    world.patch(&world.acme.secret_key, "/api/v1/organization", groups).await.json(200);
    let group = json!({
        "type": "group", "userId": "ada", "groupId": "acme", "timestamp": AT, "messageId": "m9",
    });
    let mut of_group = track("eve", "m3");
    of_group["context"] = json!({"groupId": "acme"});
    let foreseen = assert_foreseen(
        world,
        &[
            track("ada", "m1"),
            group,
            track("ada", "m1"),
            track("bob", "m2"),
            track("bob", "m2"),
            of_group.clone(),
            of_group,
        ],
    )
    .await;
    assert_eq!((foreseen.stored, foreseen.duplicates, foreseen.waiting), (2, 3, 1));
});

on_both_databases!(a_dry_run_waits_for_nobody_who_writes_and_stores_nothing, async |world| {
    world.be_active("ada", "login", 1).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.ndjson");
    write(&path, &[track("ada", "m1"), track("zoe", "m1")]);
    let scope = Scope::Service(world.acme.id);
    // The one writer of SQLite, and the lock of events on PostgreSQL.
    let mut writing = world.store.begin(scope).await.unwrap();
    writing.lock_events(true).await.unwrap();
    let foreseen = timeout(Duration::from_secs(5), import(world, &path, true)).await.unwrap();
    assert_eq!(foreseen.stored, 2);
    writing.rollback().await.unwrap();
    assert!(world.mainstay.client(scope, "zoe").await.is_err());
});
