//! `/api/v1/clients/{client_id}/scores`: the stored scores, one a day.

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
        caller::ForClient,
        input::{Params, PathDay, day},
        problem::Problem,
    },
};

const DEFAULT_DAYS: i32 = 90;
const MOST_DAYS: i32 = 1_000;

/// A stored score.
#[derive(Debug, Serialize, ToSchema)]
struct StoredScore {
    /// Its calendar day.
    #[schema(example = "2026-05-01")]
    day: Date,
    /// When it was computed last: something that arrives late corrects it.
    computed_at: Timestamp,
    #[serde(flatten)]
    score: ScoreBody,
}

/// A client's stored scores.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreHistory {
    /// First day that was looked at.
    from: Date,
    /// Last day that was looked at.
    to: Date,
    /// Oldest first; a day on which none was computed has none.
    scores: Vec<StoredScore>,
}

/// Which days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichDays {
    /// First day; 90 days before the last one when left out.
    #[param(value_type = Option<String>, format = Date, example = "2026-02-01")]
    from: Option<String>,
    /// Last day, included; today when left out. At most 1 000 days at once.
    #[param(value_type = Option<String>, format = Date, example = "2026-05-01")]
    to: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_scores)).routes(routes!(read_evidence))
}

/// Lists a client's stored scores.
///
/// One a calendar day of the organization, as far as one was computed that day. A client's token
/// reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/scores", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(WhichDays),
    responses((status = 200, description = "The scores.", body = ScoreHistory)),
)]
async fn list_scores(
    asked: ForClient,
    State(api): State<Api>,
    Params(which): Params<WhichDays>,
) -> Result<Json<ScoreHistory>, Problem> {
    let context = api.mainstay.context_in(asked.scope).await?;
    let to = match &which.to {
        Some(text) => day("to", text)?,
        None => local_day(api.mainstay.now(), &context.zone),
    };
    let from = match &which.from {
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
    if days > MOST_DAYS {
        return Err(Problem::invalid(
            "from",
            format!("{from} to {to} are {days} days; at most {MOST_DAYS} are listed at once"),
        )
        .limit(MOST_DAYS.unsigned_abs().into()));
    }
    let rows = api.mainstay.score_history(asked.scope, &asked.client, (from, to)).await?;
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
/// From its own inputs and the model that made it, however long ago. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/scores/{day}/evidence", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The score of that day.", body = ExplainedScore)),
)]
async fn read_evidence(
    asked: ForClient,
    PathDay(day): PathDay,
    State(api): State<Api>,
) -> Result<Json<ExplainedScore>, Problem> {
    let rows = api.mainstay.score_history(asked.scope, &asked.client, (day, day)).await?;
    let row = rows.first().ok_or_else(|| Error::NotFound {
        what: "stored score of",
        id: day.to_string(),
        remedy: "GET /api/v1/clients/{client_id}/scores lists the days that have one",
    })?;
    let explained = api.mainstay.explain_stored(asked.scope, row).await?;
    Ok(Json(ExplainedScore::new(explained, &asked.client.external_id)))
}
