use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RequestedClient;
use crate::api::{
    Api, body::OptionalBody, caller::Caller, problem::Problem, v1::clients::score::ExplainedScore,
};

/// Whose score to compute.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScoredClient {
    /// The client's id; may be left out with the client's own token.
    #[serde(rename = "clientId", alias = "client_id")]
    #[schema(max_length = 255, example = "ada")]
    client_id: Option<String>,
}

/// A score that was computed and stored.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComputedScore {
    /// The score.
    score: ExplainedScore,
}

/// Computes a client's score and stores it.
///
/// The result is today's score, as shown everywhere: as of the client's last event or the last
/// local midnight, whichever is later. Computing it again changes nothing unless a new event
/// arrived.
#[utoipa::path(
    post, path = "/api/client/success", tag = "Client success",
    security(("client_token" = []), ("secret_key" = []), ("member_token" = [])),
    request_body = Option<ScoredClient>,
    responses((status = 200, description = "The score as it is stored.", body = ComputedScore)),
)]
pub(super) async fn compute_success(
    caller: Caller,
    State(api): State<Api>,
    OptionalBody(body): OptionalBody<ScoredClient>,
) -> Result<Json<ComputedScore>, Problem> {
    let requested = RequestedClient::find(&api, &caller, body.client_id, false).await?;
    let (scope, client) = requested.require()?;
    let explained = api.mainstay.calculate_success_score(scope, &client).await?;
    Ok(Json(ComputedScore { score: ExplainedScore::new(explained, &client.external_id) }))
}
