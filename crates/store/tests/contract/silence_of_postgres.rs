//! A PostgreSQL that does not answer, and nodes that stop in the middle of a transaction.

use std::time::Duration;

use mainstay_core::engagement::EventType;
use mainstay_store::{Scope, Store, Timeouts};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};

use crate::{
    fixtures::{client, day, event, organization, send, store_in},
    harness::Database,
};

/// Something between us and PostgreSQL that goes silent without closing anything, as a failed primary
/// behind an address that another one has taken over. Connections made later work.
struct Proxy {
    port: u16,
    silent: watch::Sender<bool>,
}

impl Proxy {
    async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = watch::Sender::new(false);
        let switch = silent.clone();
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (target, mut silent) = (target.clone(), switch.subscribe());
                silent.mark_unchanged();
                connections.spawn(async move {
                    let mut server = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = silent.changed() => std::future::pending::<()>().await,
                    }
                });
            }
        });
        Self { port, silent }
    }

    /// From now on nothing passes over the connections that there are.
    fn silence(&self) {
        self.silent.send_replace(true);
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_connection_that_does_not_answer_is_replaced() {
    let database = Database::postgres().await;
    let (user, rest) = database.url().rsplit_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let proxy = Proxy::start(server.to_owned()).await;
    let through = format!("{user}@127.0.0.1:{}/{name}", proxy.port);
    // A single connection: were it lost, there would be none.
    let store = Store::open_with(&through, 1).await.unwrap();
    let mut tx = store.begin(Scope::System).await.unwrap();
    tx.list_organizations().await.unwrap();
    proxy.silence();
    let silence = timeout(Duration::from_millis(50), tx.list_organizations());
    assert!(silence.await.is_err(), "the proxy is silent");
    drop(tx);
    // Waiting for its turn is limited too, so it may take a second try.
    let mut tries = 0;
    while let Err(error) = store.check_writable().await {
        tries += 1;
        assert!(tries < 3, "{error}");
    }
    store.close().await;
    database.close().await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: ./check starts one"]
async fn a_node_that_stops_while_it_stores_keeps_nobody_from_storing() {
    let database = Database::postgres().await;
    let ours = organization(&database, "UTC").await;
    client(&database, ours, "ada", "2026-01-01").await;
    let patient = database.reopened().await;
    let hasty = patient.with_timeouts(Timeouts { idle_writing_seconds: 1, ..Timeouts::default() });
    // It holds its share of the lock, and does nothing any more.
    let mut stopped = hasty.begin(Scope::Service(ours)).await.unwrap();
    let login = |message: &str| event("ada", message, EventType::Login, "2026-05-01T10:00:00Z");
    store_in(&mut stopped, &[login("stopped")]).await.unwrap();
    let job = {
        let other = database.reopened().await;
        tokio::spawn(async move {
            let mut tx = other.begin(Scope::Service(ours)).await.unwrap();
            tx.fold_activity(day("2026-05-20")).await.unwrap();
            tx.commit().await.unwrap();
            other.close().await;
        })
    };
    // While the job waits for the stopped node, others go on; and then the node is put out.
    for number in 0.. {
        send(&database, ours, &[login(&format!("others-{number}"))]).await;
        if job.is_finished() {
            break;
        }
    }
    job.await.unwrap();
    assert!(stopped.commit().await.is_err(), "it was disconnected, and nothing of it is stored");
    patient.close().await;
    database.close().await;
}
