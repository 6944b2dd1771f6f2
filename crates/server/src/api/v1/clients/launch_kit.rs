//! `/api/v1/clients/{client_id}/launch-kit`: a client's progress in its launch kit.

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
    caller::{ClientAccess, StaffCaller},
    input::PathClient,
    names,
    problem::Problem,
};

/// A client's launch kit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LaunchKit)]
struct LaunchKitBody {
    /// The client's progress.
    #[schema(value_type = names::LaunchKitState)]
    state: LaunchKit,
    /// When it was first viewed.
    viewed_at: Option<Timestamp>,
    /// When it was completed.
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

/// A client's progress.
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

/// Reads a client's progress in its launch kit.
///
/// And when. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/launch-kit", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The launch kit.", body = LaunchKitBody)),
)]
async fn read_launch_kit(
    access: ClientAccess,
    State(api): State<Api>,
) -> Result<Json<LaunchKitBody>, Problem> {
    Ok(Json(api.mainstay.launch_kit(access.scope, access.client.id).await?.into()))
}

/// Records a client's progress in its launch kit.
///
/// The first time counts, and progress is never reset. A viewed or completed launch kit adds to the
/// activation part of the client's score, once the client has onboarding tasks.
#[utoipa::path(
    put, path = "/api/v1/clients/{client_id}/launch-kit", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = LaunchKitProgress,
    responses((status = 200, description = "The launch kit as it is now.", body = LaunchKitBody)),
)]
async fn record_launch_kit(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(progress): Body<LaunchKitProgress>,
) -> Result<Json<LaunchKitBody>, Problem> {
    let times = api.mainstay.record_launch_kit(caller.scope, &client_id, progress.state).await?;
    Ok(Json(times.into()))
}
