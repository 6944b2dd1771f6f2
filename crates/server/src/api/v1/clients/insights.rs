//! `/api/v1/clients/{client_id}/insights`: what a client is told every week.

use axum::{Json, extract::State};
use jiff::{Timestamp, civil::Date};
use mainstay_core::{
    engagement::EventType,
    id::InsightId,
    insight::{InsightEvidence, InsightStatus, InsightType, Priority},
    score::Component,
};
use mainstay_store::StoredInsight;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{
    Api,
    body::Body,
    caller::{ForClient, Worker},
    input::{Id, Params, PathClient, flag, one_of},
    names,
    problem::Problem,
};
use crate::paths::api_client_path;

/// One thing told to a client about one week.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Insight)]
pub(crate) struct InsightBody {
    /// Its id.
    id: Uuid,
    /// What kind it is.
    #[serde(rename = "type")]
    #[schema(value_type = names::InsightType)]
    kind: InsightType,
    /// How prominently to show it.
    #[schema(value_type = names::Priority)]
    priority: Priority,
    /// What the client made of it.
    #[schema(value_type = names::InsightStatus)]
    status: InsightStatus,
    /// A few words.
    #[schema(example = "3 pieces of content made")]
    title: String,
    /// One to three sentences.
    message: String,
    /// The numbers in it.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
    /// What it rests on.
    evidence: InsightEvidenceBody,
    /// The rule that wrote it; a rule writes once a client and week.
    #[schema(example = "content_generated")]
    rule: String,
    /// Events of its week that came after it was written, and are not in its numbers.
    #[schema(example = 0)]
    later_events: i64,
    /// The instant it was written for.
    created_at: Timestamp,
    /// When it disappears.
    valid_until: Timestamp,
}

/// What an insight rests on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InsightEvidence)]
struct InsightEvidenceBody {
    /// First calendar day of its week.
    #[schema(example = "2026-04-26")]
    first: Date,
    /// Last calendar day of its week, included.
    #[schema(example = "2026-05-02")]
    last: Date,
    /// The client's events of these types in that week.
    #[schema(value_type = Vec<names::EventType>)]
    events: Vec<EventType>,
    /// These parts of the client's score.
    #[schema(value_type = Vec<names::Component>)]
    components: Vec<Component>,
    /// Whether it rests on the client's onboarding tasks too.
    tasks: bool,
    /// Where the events of that week are.
    #[schema(example = "/api/v1/clients/ada/events?from=2026-04-26&to=2026-05-02")]
    events_url: String,
}

impl InsightEvidenceBody {
    fn new(evidence: InsightEvidence, client_id: &str) -> Self {
        let InsightEvidence { first, last, events, components, tasks, counted: _ } = evidence;
        let events_url = format!("{}/events?from={first}&to={last}", api_client_path(client_id));
        Self { first, last, events, components, tasks, events_url }
    }
}

impl InsightBody {
    /// An insight of the client with this id.
    pub(crate) fn new(insight: StoredInsight, client_id: &str) -> Self {
        Self {
            id: insight.id.uuid(),
            kind: insight.kind,
            priority: insight.priority,
            status: insight.status,
            title: insight.title,
            message: insight.message,
            figures: insight.figures,
            evidence: InsightEvidenceBody::new(insight.evidence, client_id),
            rule: insight.rule,
            later_events: insight.later_events,
            created_at: insight.created_at,
            valid_until: insight.valid_until,
        }
    }
}

/// A client's insights.
#[derive(Debug, Serialize, ToSchema)]
struct Insights {
    /// Newest week first; within a week, the more important ones first.
    insights: Vec<InsightBody>,
}

/// The insights of a week that were just written.
#[derive(Debug, Serialize, ToSchema)]
struct WrittenInsights {
    /// First calendar day of the week.
    #[schema(example = "2026-04-26")]
    first: Date,
    /// Last calendar day of the week, included.
    #[schema(example = "2026-05-02")]
    last: Date,
    /// The more important ones first; empty where the week was written already, and where the client is
    /// younger than that.
    written: Vec<InsightBody>,
}

/// Which insights to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichInsights {
    /// Dismissed ones too.
    #[param(value_type = Option<bool>, default = false)]
    all: Option<String>,
}

/// What a client made of an insight.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct InsightChange {
    /// `read`, `acted_on` or `dismissed`.
    #[schema(value_type = names::InsightStatus, example = "read")]
    status: String,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_insights, write_insights))
        .routes(routes!(change_insight))
}

/// Lists a client's insights.
///
/// Those that are valid now: they disappear after two weeks. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/insights", tag = "Insights",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(WhichInsights),
    responses((status = 200, description = "The insights.", body = Insights)),
)]
async fn list_insights(
    asked: ForClient,
    State(api): State<Api>,
    Params(which): Params<WhichInsights>,
) -> Result<Json<Insights>, Problem> {
    let all = which.all.map(|text| flag("all", &text)).transpose()?.unwrap_or(false);
    let insights = api.mainstay.client_insights(asked.scope, asked.client.id, all).await?;
    let client_id = &asked.client.external_id;
    let insights =
        insights.into_iter().map(|insight| InsightBody::new(insight, client_id)).collect();
    Ok(Json(Insights { insights }))
}

/// Writes a client's insights.
///
/// Of the last complete week, as the weekly job does: now, and for this client. A client and week are
/// written once; asked again, nothing is written, and what there is stays as it is.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/insights", tag = "Insights",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "What was written.", body = WrittenInsights)),
)]
async fn write_insights(
    worker: Worker,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<Json<WrittenInsights>, Problem> {
    let (period, written) =
        api.mainstay.write_client_insights(worker.organization, &client_id).await?;
    let written =
        written.into_iter().map(|insight| InsightBody::new(insight, &client_id)).collect();
    Ok(Json(WrittenInsights { first: period.first, last: period.last, written }))
}

/// Says what a client made of an insight.
///
/// An unread one can become anything, a read one `acted_on` or `dismissed`, which are final. Saying
/// the same twice changes nothing. A client's token changes its own.
#[utoipa::path(
    patch, path = "/api/v1/clients/{client_id}/insights/{insight_id}", tag = "Insights",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body = InsightChange,
    responses(
        (status = 200, description = "The insight as it is now.", body = InsightBody),
        (status = 409, description = "It was acted on or dismissed already, which is final."),
    ),
)]
async fn change_insight(
    asked: ForClient,
    Id(insight): Id<InsightId>,
    State(api): State<Api>,
    Body(change): Body<InsightChange>,
) -> Result<Json<InsightBody>, Problem> {
    let status = one_of("status", &change.status)?;
    let client = Some(asked.client.id);
    let insight = api.mainstay.set_insight_status(asked.scope, client, insight, status).await?;
    Ok(Json(InsightBody::new(insight, &asked.client.external_id)))
}
