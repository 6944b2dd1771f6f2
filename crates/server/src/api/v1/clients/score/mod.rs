//! `/api/v1/clients/{client_id}/score`: the current score, with its explanation and possible improvements.

mod body;

use axum::{Json, extract::State};
use serde::Deserialize;

use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use body::{ExplainedScore, ScoreBody};

use crate::api::{
    Api,
    caller::ClientAccess,
    input::{Params, instant},
    problem::Problem,
};

/// The instant to compute a score for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InstantQuery {
    /// The instant to compute the score for, RFC 3339. If omitted, returns the score that is shown
    /// everywhere: as of the client's last event or the last local midnight, whichever is later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-05-01T09:30:00Z")]
    as_of: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_score))
}

/// Reads a client's score.
///
/// Computed on read, so it includes the latest event. With the evidence for every number and the
/// best improvements. A client's
/// token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/score", tag = "Scores",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(InstantQuery),
    responses((status = 200, description = "The score.", body = ExplainedScore)),
)]
async fn read_score(
    access: ClientAccess,
    State(api): State<Api>,
    Params(query): Params<InstantQuery>,
) -> Result<Json<ExplainedScore>, Problem> {
    let explained = match &query.as_of {
        Some(text) => {
            let as_of = instant("as_of", text)?;
            api.mainstay.score_as_of(access.scope, &access.client, as_of).await?
        }
        None => api.mainstay.shown_score(access.scope, &access.client).await?,
    };
    Ok(Json(ExplainedScore::new(explained, &access.client.external_id)))
}
