use axum::{Json, extract::State};
use mainstay_core::time::local_day;
use mainstay_store::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RequestedClient;
use crate::{
    Error,
    access::Principal,
    api::{
        Api,
        caller::Caller,
        input::Params,
        problem::Problem,
        v1::clients::{activity::HeatmapBody, insights::InsightBody, score::ExplainedScore},
    },
    engagement::Heatmap,
};

/// Which client.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ClientQuery {
    /// The client's id; may be left out with the client's own token.
    #[serde(rename = "clientId", alias = "client_id")]
    #[param(max_length = 255, example = "ada")]
    client_id: Option<String>,
}

/// How one client is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientSuccess {
    /// Its score as of its last event or the last local midnight; null if the client is not known yet.
    score: Option<ExplainedScore>,
    /// Its valid insights, except dismissed ones.
    insights: Vec<InsightBody>,
    /// Its activity on the last 30 days.
    heatmap: HeatmapBody,
}

/// Reads how a client is doing.
///
/// Its score with evidence, as of its last event or the last local midnight; its insights; its activity on the last 30
/// days. With a client's token, it also works before the client's first event: the score is then
/// null and the rest is empty.
#[utoipa::path(
    get, path = "/api/client/success", tag = "Client success",
    security(("client_token" = []), ("secret_key" = []), ("member_token" = [])),
    params(ClientQuery),
    responses((status = 200, description = "Score, insights and heatmap.", body = ClientSuccess)),
)]
pub(super) async fn read_success(
    caller: Caller,
    State(api): State<Api>,
    Params(query): Params<ClientQuery>,
) -> Result<Json<ClientSuccess>, Problem> {
    let requested = RequestedClient::find(&api, &caller, query.client_id, true).await?;
    let mainstay = &api.mainstay;
    let now = mainstay.now();
    let Some((scope, client)) = requested.client else {
        let Principal::Client(organization, _) = caller.0 else {
            return Err(Error::no_client(&requested.external_id).into());
        };
        // There is no client yet whose scope this could be; only the time zone is read.
        let zone = mainstay.context_in(Scope::Service(organization)).await?.zone;
        let heatmap = Heatmap::empty(local_day(now, &zone)).into();
        return Ok(Json(ClientSuccess { score: None, insights: Vec::new(), heatmap }));
    };
    let explained = mainstay.shown_score(scope, &client).await?;
    let insights = mainstay.client_insights(scope, client.id, false).await?;
    let heatmap = mainstay.engagement_heatmap(scope, client.id, now).await?;
    Ok(Json(ClientSuccess {
        score: Some(ExplainedScore::new(explained, &client.external_id)),
        insights: insights
            .into_iter()
            .map(|insight| InsightBody::new(insight, &client.external_id))
            .collect(),
        heatmap: heatmap.into(),
    }))
}
