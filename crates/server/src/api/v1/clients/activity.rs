//! `/api/v1/clients/{client_id}/activity`: the heatmap.

use axum::{Json, extract::State};
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{Api, caller::ForClient, problem::Problem},
    engagement::Heatmap,
};

/// A client's activity on the last 30 local days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Heatmap)]
pub(crate) struct HeatmapBody {
    /// All 30 days, oldest first; the last one is today.
    days: Vec<HeatmapDayBody>,
    /// Events on all of them.
    #[schema(example = 42)]
    total: i64,
    /// Days with an event.
    #[schema(example = 12)]
    active_days: i64,
    /// Events an active day on average, in hundredths; 0 when there was none.
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
/// Its events a day on the last 30 days, today included. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/activity", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The heatmap.", body = HeatmapBody)),
)]
async fn read_activity(
    asked: ForClient,
    State(api): State<Api>,
) -> Result<Json<HeatmapBody>, Problem> {
    let now = api.mainstay.now();
    let heatmap = api.mainstay.engagement_heatmap(asked.scope, asked.client.id, now).await?;
    Ok(Json(heatmap.into()))
}
