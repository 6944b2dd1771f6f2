//! `/api/v1/clients/{client_id}/score`: the score as it is now, with why and what would raise it.

mod body;

use axum::{Json, extract::State};
use serde::Deserialize;

use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use body::{ExplainedScore, ScoreBody};

use crate::api::{
    Api,
    caller::ForClient,
    input::{Params, instant},
    problem::Problem,
};

/// For which instant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichInstant {
    /// The instant to compute the score for, RFC 3339. Left out, it is the score that is shown
    /// everywhere: as of the client's last event or the last local midnight, whichever is later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-05-01T09:30:00Z")]
    as_of: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_score))
}

/// Reads a client's score.
///
/// Computed from its events when it is read, so it is never older than the last one.
/// With the evidence from which every number follows, and what would raise it most. A client's token
/// reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/score", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(WhichInstant),
    responses((status = 200, description = "The score.", body = ExplainedScore)),
)]
async fn read_score(
    asked: ForClient,
    State(api): State<Api>,
    Params(which): Params<WhichInstant>,
) -> Result<Json<ExplainedScore>, Problem> {
    let explained = match &which.as_of {
        Some(text) => {
            let as_of = instant("as_of", text)?;
            api.mainstay.score_as_of(asked.scope, &asked.client, as_of).await?
        }
        None => api.mainstay.shown_score(asked.scope, &asked.client).await?,
    };
    Ok(Json(ExplainedScore::new(explained, &asked.client.external_id)))
}
