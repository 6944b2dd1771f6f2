//! `/api/v1/clients/{client_id}/scores`: the stored scores, one per day.

use axum::{Json, extract::State};
use jiff::{Timestamp, civil::Date};
use mainstay_core::time::{add_days, days_between, local_day};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::score::{ExplainedScore, ScoreBody};
use crate::{
    Error,
    api::{
        Api,
        caller::ClientAccess,
        input::{Params, PathDay, day},
        problem::Problem,
    },
};

const DEFAULT_DAYS: i32 = 90;
const MAX_DAYS: i32 = 1_000;

/// A stored score.
#[derive(Debug, Serialize, ToSchema)]
struct StoredScore {
    /// Its calendar day.
    #[schema(example = "2026-05-01")]
    day: Date,
    /// When it was last computed: late events correct it.
    computed_at: Timestamp,
    #[serde(flatten)]
    score: ScoreBody,
}

/// A client's stored scores.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreHistory {
    /// The first day of the range.
    from: Date,
    /// The last day of the range.
    to: Date,
    /// Oldest first; days without a computed score are missing.
    scores: Vec<StoredScore>,
}

/// The range of days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DayRangeQuery {
    /// The first day; 90 days before the last one if omitted.
    #[param(value_type = Option<String>, format = Date, example = "2026-02-01")]
    from: Option<String>,
    /// The last day, inclusive; today if omitted. At most 1 000 days.
    #[param(value_type = Option<String>, format = Date, example = "2026-05-01")]
    to: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_scores)).routes(routes!(read_evidence))
}

/// Lists a client's stored scores.
///
/// One per calendar day of the organization, if one was computed that day. A client's token
/// can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/scores", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(DayRangeQuery),
    responses((status = 200, description = "The scores.", body = ScoreHistory)),
)]
async fn list_scores(
    access: ClientAccess,
    State(api): State<Api>,
    Params(query): Params<DayRangeQuery>,
) -> Result<Json<ScoreHistory>, Problem> {
    let context = api.mainstay.context_in(access.scope).await?;
    let to = match &query.to {
        Some(text) => day("to", text)?,
        None => local_day(api.mainstay.now(), &context.zone),
    };
    let from = match &query.from {
        Some(text) => day("from", text)?,
        None => add_days(to, 1 - DEFAULT_DAYS),
    };
    let days = days_between(from, to) + 1;
    if days < 1 {
        return Err(Problem::invalid(
            "from",
            format!("{from} is after to ({to}); send an earlier day"),
        ));
    }
    if days > MAX_DAYS {
        return Err(Problem::invalid(
            "from",
            format!("{from} to {to} are {days} days; at most {MAX_DAYS} are listed at once"),
        )
        .limit(MAX_DAYS.unsigned_abs().into()));
    }
    let rows = api.mainstay.score_history(access.scope, &access.client, (from, to)).await?;
    let scores = rows
        .into_iter()
        .map(|row| StoredScore {
            day: row.day,
            computed_at: row.computed_at,
            score: ScoreBody::new(row.score.clone(), &context.model_of(row.score.inputs.model)),
        })
        .collect();
    Ok(Json(ScoreHistory { from, to, scores }))
}

/// Explains a stored score.
///
/// From its own inputs and the model that computed it, no matter how old it is. A client's token can only read
/// its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/scores/{day}/evidence", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The score of that day.", body = ExplainedScore)),
)]
async fn read_evidence(
    access: ClientAccess,
    PathDay(day): PathDay,
    State(api): State<Api>,
) -> Result<Json<ExplainedScore>, Problem> {
    let rows = api.mainstay.score_history(access.scope, &access.client, (day, day)).await?;
    let row = rows.first().ok_or_else(|| Error::NotFound {
        what: "stored score of",
        id: day.to_string(),
        remedy: "GET /api/v1/clients/{client_id}/scores lists the days with a score",
    })?;
    let explained = api.mainstay.explain_stored(access.scope, row).await?;
    Ok(Json(ExplainedScore::new(explained, &access.client.external_id)))
}
