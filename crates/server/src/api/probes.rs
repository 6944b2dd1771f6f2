//! Liveness and readiness probes.

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

/// How long a full check of the database is valid. It opens its own connection, which
/// unauthenticated callers must not be able to cause constantly.
const CHECK_TTL: SignedDuration = SignedDuration::from_mins(1);

/// Time limit of the check: probes run every few seconds, and a timeout counts as a failure.
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
        let stopped = mainstay.supervisor().stopped_loops();
        if !stopped.is_empty() {
            return Err(Problem::unavailable(format!(
                "not running: {}; see the server's log",
                stopped.join(", ")
            )));
        }
        if timeout(CHECK_TIMEOUT, self.check_database(mainstay)).await == Ok(true) {
            return Ok(());
        }
        Err(Problem::unavailable(
            "the database cannot be written or does not have this version's schema; see the \
             server's log",
        ))
    }

    /// Whether the database is writable and has this version's schema. One check at a time, which answers all
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
        let holds = checked.whole.is_some_and(|at| now.duration_since(at).abs() < CHECK_TTL);
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

/// The state of the process.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok` if the process is alive, `ready` if it can serve requests.
    #[schema(example = "ok")]
    status: &'static str,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// Checks liveness.
///
/// Succeeds as long as the process is alive, whatever the state of the database: restart it only if
/// this fails.
#[utoipa::path(
    get, path = "/healthz", tag = "Operation", security(()),
    responses((status = 200, description = "The process is alive.", body = Health)),
)]
async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Checks readiness.
///
/// Checks within 2 seconds whether the database is writable, and at most once a minute whether its
/// schema matches and its row-level security works. Names background loops that are not running.
/// Send no traffic here while this fails.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation", security(()),
    responses((status = 200, description = "The server is ready.", body = Health)),
)]
async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    api.readiness.check(&api.mainstay).await?;
    Ok(Json(Health { status: "ready" }))
}
