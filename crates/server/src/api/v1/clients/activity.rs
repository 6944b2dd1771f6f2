//! `/api/v1/clients/{client_id}/activity`: the heatmap.

use axum::{Json, extract::State};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{Api, caller::ClientAccess, problem::Problem},
    engagement::Heatmap,
};

/// A client's activity on the last 30 local days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Heatmap)]
pub(crate) struct HeatmapBody {
    /// All 30 days, oldest first; the last one is today.
    days: Vec<HeatmapDayBody>,
    /// Events on all days.
    #[schema(example = 42)]
    total: i64,
    /// Days with an event.
    #[schema(example = 12)]
    active_days: i64,
    /// Average number of events per active day, in hundredths; 0 if there is no active day.
    #[schema(example = 350)]
    average_hundredths: i64,
}

/// One day of a heatmap.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeatmapDay)]
struct HeatmapDayBody {
    /// The calendar day in the organization's time zone.
    #[schema(example = "2026-05-01")]
    day: Date,
    /// Its events.
    #[schema(example = 3)]
    events: i64,
}

impl From<Heatmap> for HeatmapBody {
    fn from(heatmap: Heatmap) -> Self {
        Self {
            total: heatmap.total,
            active_days: heatmap.active_days,
            average_hundredths: heatmap.average_hundredths(),
            days: heatmap
                .days
                .into_iter()
                .map(|day| HeatmapDayBody { day: day.day, events: day.events })
                .collect(),
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_activity))
}

/// Reads a client's activity.
///
/// Its events per day of the last 30 days, including today. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/activity", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The heatmap.", body = HeatmapBody)),
)]
async fn read_activity(
    access: ClientAccess,
    State(api): State<Api>,
) -> Result<Json<HeatmapBody>, Problem> {
    let now = api.mainstay.now();
    let heatmap = api.mainstay.engagement_heatmap(access.scope, access.client.id, now).await?;
    Ok(Json(heatmap.into()))
}
