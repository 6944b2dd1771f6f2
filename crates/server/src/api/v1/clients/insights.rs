//! `/api/v1/clients/{client_id}/insights`: a client's weekly insights.

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
    caller::{ClientAccess, StaffCaller},
    input::{Id, Params, PathClient, flag, one_of},
    names,
    problem::Problem,
};
use crate::paths::api_client_path;

/// An insight about one week of a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Insight)]
pub(crate) struct InsightBody {
    /// Its id.
    id: Uuid,
    /// The type of insight.
    #[serde(rename = "type")]
    #[schema(value_type = names::InsightType)]
    kind: InsightType,
    /// The priority.
    #[schema(value_type = names::Priority)]
    priority: Priority,
    /// The status.
    #[schema(value_type = names::InsightStatus)]
    status: InsightStatus,
    /// The title.
    #[schema(example = "3 pieces of content made")]
    title: String,
    /// The text, one to three sentences.
    message: String,
    /// The numbers in the message.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
    /// Its evidence.
    evidence: InsightEvidenceBody,
    /// The rule that created it; a rule creates one insight per client and week.
    #[schema(example = "content_generated")]
    rule: String,
    /// Events of its week that arrived later and are not in its numbers.
    #[schema(example = 0)]
    later_events: i64,
    /// The instant it refers to.
    created_at: Timestamp,
    /// When it expires.
    valid_until: Timestamp,
}

/// The evidence of an insight.
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
    /// Whether the client's onboarding tasks are part of the evidence.
    tasks: bool,
    /// The path of the events of that week.
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

/// The insights that were just created for a week.
#[derive(Debug, Serialize, ToSchema)]
struct WrittenInsights {
    /// First calendar day of the week.
    #[schema(example = "2026-04-26")]
    first: Date,
    /// Last calendar day of the week, included.
    #[schema(example = "2026-05-02")]
    last: Date,
    /// Most important first; empty if the week already has insights or the client is newer than the
    /// week.
    written: Vec<InsightBody>,
}

/// Which insights to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct InsightQuery {
    /// Whether to include dismissed ones.
    #[param(value_type = Option<bool>, default = false)]
    all: Option<String>,
}

/// The new status of an insight.
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
/// Only valid ones: insights expire after two weeks. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/insights", tag = "Insights",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(InsightQuery),
    responses((status = 200, description = "The insights.", body = Insights)),
)]
async fn list_insights(
    access: ClientAccess,
    State(api): State<Api>,
    Params(query): Params<InsightQuery>,
) -> Result<Json<Insights>, Problem> {
    let all = query.all.map(|text| flag("all", &text)).transpose()?.unwrap_or(false);
    let insights = api.mainstay.client_insights(access.scope, access.client.id, all).await?;
    let client_id = &access.client.external_id;
    let insights =
        insights.into_iter().map(|insight| InsightBody::new(insight, client_id)).collect();
    Ok(Json(Insights { insights }))
}

/// Generates a client's insights.
///
/// For the last complete week, as the weekly job does. The insights of a client and week are
/// generated once; further requests change nothing.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/insights", tag = "Insights",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "What was written.", body = WrittenInsights)),
)]
async fn write_insights(
    caller: StaffCaller,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
) -> Result<Json<WrittenInsights>, Problem> {
    let (period, written) =
        api.mainstay.write_client_insights(caller.organization, &client_id).await?;
    let written =
        written.into_iter().map(|insight| InsightBody::new(insight, &client_id)).collect();
    Ok(Json(WrittenInsights { first: period.first, last: period.last, written }))
}

/// Sets the status of an insight.
///
/// An unread insight can get any status, a read one `acted_on` or `dismissed`, which are final.
/// Idempotent. A client's token can only change its own.
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
    access: ClientAccess,
    Id(insight): Id<InsightId>,
    State(api): State<Api>,
    Body(change): Body<InsightChange>,
) -> Result<Json<InsightBody>, Problem> {
    let status = one_of("status", &change.status)?;
    let client = Some(access.client.id);
    let insight = api.mainstay.set_insight_status(access.scope, client, insight, status).await?;
    Ok(Json(InsightBody::new(insight, &access.client.external_id)))
}
