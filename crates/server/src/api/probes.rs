//! Whether the process lives and whether it can work, for whatever watches over it.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, problem::Problem};
use crate::Mainstay;

/// For how long a full check of the database holds. It opens a connection of its own, which nobody
/// who asks without a key should be able to make us do all the time.
const CHECK_HOLDS: SignedDuration = SignedDuration::from_mins(1);

/// What the whole check may take: whoever asks does so every few seconds, and takes silence for "no".
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What was found out about the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<Checked>>);

#[derive(Debug, Default)]
struct Checked {
    /// When it was last found to be this version's.
    whole: Option<Timestamp>,
    /// When the last check began, and whether the database was ready.
    last: Option<(Instant, bool)>,
}

impl Readiness {
    async fn check(&self, mainstay: &Mainstay) -> Result<(), Problem> {
        let stopped = mainstay.supervisor().not_running();
        if !stopped.is_empty() {
            return Err(Problem::unavailable(format!(
                "not running: {}; the server's log says why",
                stopped.join(", ")
            )));
        }
        if timeout(CHECK_TIMEOUT, self.check_database(mainstay)).await == Ok(true) {
            return Ok(());
        }
        Err(Problem::unavailable(
            "the database cannot be written or is not ready for this version; the server's log says \
             why",
        ))
    }

    /// Whether the database can be written, and is this version's. One check at a time, which answers all
    /// who asked before it began: each takes a writer's turn, and those who ask need no key.
    async fn check_database(&self, mainstay: &Mainstay) -> bool {
        let asked = Instant::now();
        let mut checked = self.0.lock().await;
        if let Some((began, ready)) = checked.last
            && began >= asked
        {
            return ready;
        }
        let (began, now) = (Instant::now(), mainstay.now());
        let holds = checked.whole.is_some_and(|at| now.duration_since(at).abs() < CHECK_HOLDS);
        let result = async {
            mainstay.store().check_writable().await?;
            if !holds {
                mainstay.store().check_ready().await?;
            }
            Ok::<(), mainstay_store::StoreError>(())
        };
        let result = result.await;
        checked.last = Some((began, result.is_ok()));
        if let Err(error) = result {
            tracing::error!(%error, "not ready");
            return false;
        }
        if !holds {
            checked.whole = Some(now);
        }
        true
    }
}

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok` from a process that lives, `ready` from one that can work.
    #[schema(example = "ok")]
    status: &'static str,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// Is the process alive?
///
/// Answers as long as the process does, whatever the state of the database: restart it when this
/// fails, and only then.
#[utoipa::path(
    get, path = "/healthz", tag = "Operation", security(()),
    responses((status = 200, description = "It is.", body = Health)),
)]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Can it work?
///
/// Tries within 2 seconds whether the database can be written, and at most once a minute whether its
/// schema is this version's and its row-level security holds. A background loop that should run and does
/// not is named. Send no traffic here while this fails.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation", security(()),
    responses((status = 200, description = "It can.", body = Health)),
)]
async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    api.readiness.check(&api.mainstay).await?;
    Ok(Json(Health { status: "ready" }))
}
