//! PostgreSQL reads only what a figure needs: counted by the server itself, in tables with a hundred
//! thousand rows.

use std::collections::BTreeSet;

use mainstay_core::{
    engagement::{Event, EventType, Windows},
    id::OrganizationId,
    score::ScoreModel,
};
use mainstay_store::{ActivityRange, ClientChunk, Outcome, Scope, Store, TENANT_TABLES};

use crate::{
    fixtures::{at, day, event_at, now, organization, send},
    harness::Database,
    isolation::store_scores,
};

const CLIENTS: i64 = 1_000;
const DAYS: i64 = 100;

/// An organization in which every client did one thing on each of a hundred days.
async fn busy(database: &Database) -> OrganizationId {
    let ours = organization(database, "Europe/Berlin").await;
    let id = ours.to_string();
    // Whether the server has statistics is for the test to say.
    for table in TENANT_TABLES {
        database.raw(&format!("ALTER TABLE {table} SET (autovacuum_enabled = false)")).await;
    }
    database
        .raw(&format!(
            "INSERT INTO clients (organization_id, id, external_id, traits, created_at) \
             SELECT '{id}', md5('client' || n)::uuid, 'client ' || n, '{{}}', '2026-01-01T00:00:00Z' \
             FROM generate_series(1, {CLIENTS}) n; \
             INSERT INTO daily_activity (organization_id, day, client_id, event_type, event_count, \
             last_at, instants, part) \
             SELECT '{id}', DATE '2026-02-10' + d, md5('client' || n)::uuid, 'login', 1, \
             TIMESTAMPTZ '2026-02-10T10:00:00Z' + d * INTERVAL '1 day', \
             lpad(to_hex(34::bigint * 3600000000), 10, '0'), 0 \
             FROM generate_series(1, {CLIENTS}) n, generate_series(0, {DAYS} - 1) d; \
             INSERT INTO client_engagement_events (organization_id, occurred_at, client_id, \
             message_id, client_timestamp, event_type, name, received_at) \
             SELECT '{id}', at, md5('client' || n)::uuid, n || '-' || d, at, 'login', 'login', at \
             FROM generate_series(1, {CLIENTS}) n, generate_series(0, {DAYS} - 1) d, \
             LATERAL (SELECT TIMESTAMPTZ '2026-02-10T10:00:00Z' + d * INTERVAL '1 day' AS at) a"
        ))
        .await;
    let mut tx = database.begin(Scope::Service(ours)).await.unwrap();
    tx.fold_activity(day("2026-05-01")).await.unwrap();
    store_scores(&mut tx, "2026-05-12T10:00:00Z").await;
    tx.commit().await.unwrap();
    ours
}

/// Rows that a table's indexes and scans have given, and how often the whole table was scanned.
async fn work(database: &Database, table: &str) -> (i64, i64) {
    let read = format!(
        "SELECT COALESCE(SUM(idx_tup_read), 0) FROM pg_stat_user_indexes WHERE relname = '{table}'"
    );
    let scans = format!("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = '{table}'");
    (database.number(&read).await, database.number(&scans).await)
}

/// The sessions of stores on this database.
async fn sessions(database: &Database) -> BTreeSet<String> {
    let pids = "SELECT pid::text FROM pg_stat_activity \
                WHERE datname = current_database() AND application_name = 'mainstay'";
    database.texts(pids).await.into_iter().collect()
}

/// Does something on one connection, and counts what it read of a table.
async fn cost(database: &Database, table: &str, what: impl AsyncFn(&Store)) -> (i64, i64) {
    let (read, scans) = work(database, table).await;
    let others = sessions(database).await;
    let store = Store::open_with(database.url(), 1).await.unwrap();
    what(&store).await;
    store.close().await;
    // A session tells the server what it did when it ends, at the latest.
    while !sessions(database).await.is_subset(&others) {}
    let after = work(database, table).await;
    (after.0 - read, after.1 - scans)
}

/// Often enough that the server would settle for a plan without looking at the values.
const ROUNDS: i64 = 8;

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn figures_read_only_the_days_and_clients_that_they_are_about() {
    let database = Database::postgres().await;
    let ours = busy(&database).await;
    for analyzed in [false, true] {
        if analyzed {
            for table in TENANT_TABLES {
                database.raw(&format!("ANALYZE {table}")).await;
            }
        }
        let chunk = {
            let mut tx = database.read(Scope::Service(ours)).await.unwrap();
            tx.client_chunk(None, now(), 50).await.unwrap()
        };
        let scope = Scope::Service(ours);
        let facts = async |store: &Store| {
            let zone = mainstay_core::time::time_zone("Europe/Berlin").unwrap();
            let windows = Windows::at(at("2026-05-20T10:00:00Z"), zone);
            let range = ActivityRange::new(windows, Some(day("2026-05-01")), true);
            for _ in 0..ROUNDS {
                let mut tx = store.read(scope).await.unwrap();
                let facts = tx
                    .list_client_facts(&chunk, &range, (1, &ScoreModel::standard()))
                    .await
                    .unwrap();
                assert_eq!(facts.len(), 50);
                assert_eq!(facts[0].activity.events_this_week, 7);
            }
        };
        // 18 days from the fold to yesterday and three cut days, of 50 clients.
        let (read, scans) = cost(&database, "daily_activity", &facts).await;
        assert!(read <= ROUNDS * 21 * 50 * 2, "analyzed {analyzed}: {read} rows of daily activity");
        assert_eq!(scans, 0, "analyzed {analyzed}");
        let (read, scans) = cost(&database, "client_engagement_events", &facts).await;
        assert_eq!((read, scans), (0, 0), "analyzed {analyzed}: events of cut days");
        let (read, _) = cost(&database, "client_success_scores", &facts).await;
        assert!(read <= ROUNDS * 50 * 2, "analyzed {analyzed}: {read} scores");

        let client = chunk.clients[0].0.id;
        let timeline = async |store: &Store| {
            for _ in 0..ROUNDS {
                let mut tx = store.read(scope).await.unwrap();
                let range = (at("2026-03-01"), at("2026-06-01"));
                assert_eq!(
                    tx.list_client_events(client, range, None, 1_000).await.unwrap().len(),
                    81
                );
            }
        };
        let (read, scans) = cost(&database, "client_engagement_events", timeline).await;
        assert!(read <= ROUNDS * 81 * 2, "analyzed {analyzed}: {read} events of one client");
        assert_eq!(scans, 0, "analyzed {analyzed}");

        let heatmap = async |store: &Store| {
            for _ in 0..ROUNDS {
                let mut tx = store.read(scope).await.unwrap();
                let days = tx
                    .list_day_activity(client, day("2026-04-21"), day("2026-05-20"))
                    .await
                    .unwrap();
                assert_eq!(days.len(), 30);
                let counts = tx
                    .count_events_by_type(&chunk, day("2026-05-13"), day("2026-05-19"))
                    .await
                    .unwrap();
                assert_eq!(counts.len(), 50);
            }
        };
        let (read, scans) = cost(&database, "daily_activity", heatmap).await;
        assert!(
            read <= ROUNDS * (30 + 7 * 50) * 2,
            "analyzed {analyzed}: {read} days of one client"
        );
        assert_eq!(scans, 0, "analyzed {analyzed}");

        let history = async |store: &Store| {
            for _ in 0..ROUNDS {
                let mut tx = store.read(scope).await.unwrap();
                let scores =
                    tx.list_client_scores(client, day("2026-01-01"), day("2026-06-01")).await;
                assert_eq!(scores.unwrap().len(), 1);
            }
        };
        let (read, _) = cost(&database, "client_success_scores", history).await;
        assert!(read <= ROUNDS * 2, "analyzed {analyzed}: {read} scores of one client");

        // Scores of everybody, none of which is later than what a run before has announced.
        let announce = async |store: &Store| {
            let mut tx = store.begin(scope).await.unwrap();
            tx.settle_later_scores(at("2026-05-13")).await.unwrap();
            tx.settle_later_scores(at("2026-05-14")).await.unwrap();
            tx.rollback().await.unwrap();
        };
        let (read, scans) = cost(&database, "client_success_scores", announce).await;
        assert_eq!((read, scans), (0, 0), "analyzed {analyzed}: scores to announce a run");

        deletion_and_merging(&database, ours, &chunk, analyzed).await;

        knowing_duplicates(&database, ours, analyzed).await;
    }
    database.close().await;
}

/// Knowing a message that came before reads the events of its client alone.
async fn knowing_duplicates(database: &Database, ours: OrganizationId, analyzed: bool) {
    // Half of them have no timestamp, so they may be known from the week before; the clock of
    // the others was corrected over midnight.
    let known = async |store: &Store| {
        for round in 0..ROUNDS {
            let sent: Vec<Event> = (0..100)
                .map(|number| {
                    let id = format!("{analyzed} {round} {number}");
                    let when = at("2026-05-19T10:00:00Z");
                    let mut event =
                        event_at(&format!("newcomer {number}"), &id, EventType::Login, when);
                    event.client_timestamp = (number % 2 == 0).then(|| at("2026-05-18T23:59:00Z"));
                    event
                })
                .collect();
            assert_eq!(send(store, ours, &sent).await, [Outcome::Stored; 100]);
        }
    };
    let (read, scans) = cost(database, "client_engagement_events", known).await;
    assert!(read <= ROUNDS * 100 * 4, "analyzed {analyzed}: {read} events to know duplicates");
    assert_eq!(scans, 0, "analyzed {analyzed}");
}

/// Neither deleting a client nor merging two reads what others did.
async fn deletion_and_merging(
    database: &Database,
    ours: OrganizationId,
    chunk: &ClientChunk,
    analyzed: bool,
) {
    let scope = Scope::Service(ours);
    let last = chunk.clients[49].0.id;
    let deletion = async |store: &Store| {
        let mut tx = store.begin(scope).await.unwrap();
        tx.delete_client(last, now()).await.unwrap();
        // For the next round.
        tx.rollback().await.unwrap();
    };
    let (one, other) = (&chunk.clients[7].1, &chunk.clients[8].1);
    let merging = async |store: &Store| {
        let mut tx = store.begin(scope).await.unwrap();
        crate::merging::merge_in(&mut tx, one, other).await;
        tx.rollback().await.unwrap();
    };
    for table in ["client_engagement_events", "daily_activity", "client_success_scores"] {
        let (read, scans) = cost(database, table, deletion).await;
        assert!(read <= DAYS * 10, "analyzed {analyzed}: {read} of {table} to delete a client");
        assert_eq!(scans, 0, "analyzed {analyzed}: {table} to delete a client");
        let (read, scans) = cost(database, table, merging).await;
        assert!(read <= DAYS * 30, "analyzed {analyzed}: {read} of {table} to merge two clients");
        assert_eq!(scans, 0, "analyzed {analyzed}: {table} to merge two clients");
    }
}
