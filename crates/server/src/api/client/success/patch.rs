use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use mainstay_core::{engagement::MAX_DATA_BYTES, id::InsightId, insight::InsightStatus};
use mainstay_store::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;

use super::RequestedClient;
use crate::{
    access::Principal,
    api::{
        Api,
        body::{Body, parse},
        caller::Caller,
        input::{id, quote},
        problem::Problem,
        v1::{
            clients::insights::InsightBody,
            events::{EventBody, TakenEvents, kind_of, store_events},
        },
    },
};

const ACTIONS: &str = "use one of mark-read, acted-on, dismiss, track-event";

/// What to do. Fields that the action does not use are ignored.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only describes what is read field by field, as each action needs it")]
pub(super) struct SuccessAction {
    /// `mark-read`, `acted-on` or `dismiss` an insight, or `track-event`.
    #[serde(default)]
    #[schema(value_type = String, example = "mark-read")]
    action: Option<Value>,
    /// The insight; needed unless the action is `track-event`.
    #[serde(default, rename = "insightId", alias = "insight_id")]
    #[schema(value_type = Option<uuid::Uuid>)]
    insight_id: Option<Value>,
    /// The event, for `track-event`: its name as `eventType`, its data as `eventData`, and every
    /// other field that an event can have.
    #[serde(flatten)]
    event: EventBody,
}

/// An insight that was read, acted on or dismissed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedInsight {
    /// The insight as it is now.
    insight: InsightBody,
}

/// The result of an action.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = SuccessOutcome)]
#[expect(dead_code, reason = "only describes the two shapes of the answer")]
pub(super) enum OutcomeBody {
    /// Of `mark-read`, `acted-on` and `dismiss`.
    Insight(ChangedInsight),
    /// Of `track-event`.
    Event(TakenEvents),
}

/// Marks an insight, or tracks an event.
///
/// `mark-read`, `acted-on` and `dismiss` record the client's reaction to an insight and are
/// idempotent. `track-event` stores one event, as `POST /api/v1/events` does. `clientId`
/// may be left out with the client's own token. A write key can only track events.
#[utoipa::path(
    patch, path = "/api/client/success", tag = "Client success",
    security(("client_token" = []), ("secret_key" = []), ("member_token" = []), ("write_key" = [])),
    request_body(content = SuccessAction, examples(
        ("mark-read" = (summary = "Mark an insight as read", value = json!(
            {"action": "mark-read", "insightId": "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"}))),
        ("track-event" = (summary = "Track an event", value = json!(
            {"action": "track-event", "clientId": "ada", "eventType": "content_generated",
             "eventData": {"contentId": "c-1"}}))),
    )),
    responses(
        (status = 200, description = "Done.", body = OutcomeBody),
        (status = 409, description = "The insight was already acted on or dismissed, which is final."),
        (status = 429, description = "Too many events are waiting to be stored."),
    ),
)]
pub(super) async fn act_on_success(
    caller: Caller,
    State(api): State<Api>,
    Body(body): Body<Box<RawValue>>,
) -> Result<Response, Problem> {
    let request: ActionRequest = parse(body.get().as_bytes())?;
    let action = match &request.action {
        Some(Value::String(action)) => action.as_str(),
        Some(other) => {
            return Err(Problem::invalid("action", format!("is {}; {ACTIONS}", kind_of(other))));
        }
        None => return Err(Problem::invalid("action", format!("is missing; {ACTIONS}"))),
    };
    let status = match action {
        "track-event" => {
            if request.event.is_none() && request.event_type.is_none() {
                return Err(Problem::invalid(
                    "eventType",
                    "is missing; send the event's name, for example content_generated",
                ));
            }
            let admission = api.writer.admit(MAX_DATA_BYTES)?;
            let stored = store_events(&api, &caller, &[&body], admission).await?;
            return Ok(Json(stored).into_response());
        }
        "mark-read" => InsightStatus::Read,
        "acted-on" | "acted_on" => InsightStatus::ActedOn,
        "dismiss" => InsightStatus::Dismissed,
        other => {
            return Err(Problem::invalid(
                "action",
                format!("unknown action {}; {ACTIONS}", quote(other)),
            ));
        }
    };
    let insight = insight_id(request.insight_id.as_ref())?;
    let client_id = client_id(request.client_id)?;
    mark(&api, &caller, client_id, insight, status).await.map(IntoResponse::into_response)
}

/// The fields that every action needs.
#[derive(Deserialize)]
struct ActionRequest {
    #[serde(default)]
    action: Option<Value>,
    #[serde(default, rename = "insightId", alias = "insight_id")]
    insight_id: Option<Value>,
    #[serde(default, rename = "clientId", alias = "client_id", alias = "userId")]
    client_id: Option<Value>,
    /// What happened, by either of its fields.
    #[serde(default)]
    event: Option<Value>,
    #[serde(default, rename = "type", alias = "event_type", alias = "eventType")]
    event_type: Option<Value>,
}

fn insight_id(value: Option<&Value>) -> Result<InsightId, Problem> {
    match value {
        Some(Value::String(text)) => id("insightId", text),
        Some(other) => {
            let reason = format!("is {}; send the insight's id as a string", kind_of(other));
            Err(Problem::invalid("insightId", reason))
        }
        None => Err(Problem::invalid("insightId", "is missing; send the insight's id")),
    }
}

fn client_id(value: Option<Value>) -> Result<Option<String>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
        Some(other) => {
            let reason = format!("is {}; send the client's id as a string", kind_of(&other));
            Err(Problem::invalid("clientId", reason))
        }
    }
}

async fn mark(
    api: &Api,
    caller: &Caller,
    client_id: Option<String>,
    insight: InsightId,
    status: InsightStatus,
) -> Result<Json<ChangedInsight>, Problem> {
    let (scope, client) = match (&caller.0, client_id) {
        // An insight of the organization can be named by its id alone.
        (Principal::Secret(organization), None) => (Scope::Service(*organization), None),
        (Principal::Member(organization, _, role), None) => {
            (Scope::Member(*organization, *role), None)
        }
        (_, client_id) => {
            let (scope, client) =
                RequestedClient::find(api, caller, client_id, false).await?.require()?;
            (scope, Some(client))
        }
    };
    let insight = api
        .mainstay
        .set_insight_status(scope, client.as_ref().map(|client| client.id), insight, status)
        .await?;
    let client_id = match client {
        Some(client) => client.external_id,
        None => api.mainstay.external_id(scope, insight.client).await?,
    };
    Ok(Json(ChangedInsight { insight: InsightBody::new(insight, &client_id) }))
}
