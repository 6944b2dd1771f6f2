//! `/api/v1/clients/{client_id}/launch-kit`: how far a client got with its launch kit.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::score::LaunchKit;
use mainstay_store::LaunchKitTimes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    body::Body,
    caller::{ForClient, Worker},
    input::PathClient,
    names,
    problem::Problem,
};

/// A client's launch kit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LaunchKit)]
struct LaunchKitBody {
    /// How far the client got.
    #[schema(value_type = names::LaunchKitState)]
    state: LaunchKit,
    /// First look.
    viewed_at: Option<Timestamp>,
    /// Through.
    completed_at: Option<Timestamp>,
}

impl From<LaunchKitTimes> for LaunchKitBody {
    fn from(times: LaunchKitTimes) -> Self {
        let state = match times {
            LaunchKitTimes { completed_at: Some(_), .. } => LaunchKit::Completed,
            LaunchKitTimes { viewed_at: Some(_), .. } => LaunchKit::Viewed,
            LaunchKitTimes { .. } => LaunchKit::Unopened,
        };
        Self { state, viewed_at: times.viewed_at, completed_at: times.completed_at }
    }
}

/// How far a client got.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LaunchKitProgress {
    /// `viewed` or `completed`.
    #[schema(value_type = names::LaunchKitState, example = "viewed")]
    state: LaunchKit,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_launch_kit, record_launch_kit))
}

/// Reads how far a client got with its launch kit.
///
/// And when. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/launch-kit", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The launch kit.", body = LaunchKitBody)),
)]
async fn read_launch_kit(
    asked: ForClient,
    State(api): State<Api>,
) -> Result<Json<LaunchKitBody>, Problem> {
    Ok(Json(api.mainstay.launch_kit(asked.scope, asked.client.id).await?.into()))
}

/// Records how far a client got with its launch kit.
///
/// The first time counts, and it never goes back. A launch kit that was viewed or completed is worth
/// points in the activation part of the client's score, once it has onboarding tasks.
#[utoipa::path(
    put, path = "/api/v1/clients/{client_id}/launch-kit", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = LaunchKitProgress,
    responses((status = 200, description = "The launch kit as it is now.", body = LaunchKitBody)),
)]
async fn record_launch_kit(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(progress): Body<LaunchKitProgress>,
) -> Result<Json<LaunchKitBody>, Problem> {
    let times = api.mainstay.record_launch_kit(worker.scope, &client_id, progress.state).await?;
    Ok(Json(times.into()))
}
