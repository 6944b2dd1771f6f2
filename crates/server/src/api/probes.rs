//! Whether the process lives and whether it can work, for whatever watches over it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{Json, extract::State};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, problem::Problem};
use crate::Mainstay;

/// For how long a full check of the database holds. It opens a connection of its own, which nobody
/// who asks without a key should be able to make us do all the time.
const CHECK_HOLDS: SignedDuration = SignedDuration::from_mins(1);

/// When the database was last found to be this version's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<Option<Timestamp>>>);

impl Readiness {
    async fn check(&self, mainstay: &Mainstay) -> Result<(), Problem> {
        let now = mainstay.now();
        let checked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = checked.is_some_and(|at| now.duration_since(at).abs() < CHECK_HOLDS);
        let result = async {
            mainstay.store().ping().await?;
            if !holds {
                mainstay.store().check_ready().await?;
            }
            Ok::<(), mainstay_store::StoreError>(())
        };
        if let Err(error) = result.await {
            tracing::error!(%error, "not ready");
            return Err(Problem::unavailable(
                "the database does not answer or is not ready for this version; the server's log \
                 says why",
            ));
        }
        if !holds {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        Ok(())
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
/// Asks the database for a sign of life, and at most once a minute whether its schema is this
/// version's and its row-level security holds. Send no traffic here while this fails.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation", security(()),
    responses((status = 200, description = "It can.", body = Health)),
)]
async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    api.readiness.check(&api.mainstay).await?;
    Ok(Json(Health { status: "ready" }))
}
