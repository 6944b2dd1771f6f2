//! `/api/v1/events`: ingestion of events.

mod incoming;

use axum::{
    Json,
    extract::{Request, State},
};
use mainstay_core::engagement::{IncomingEvent, normalize_id};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use incoming::EventBody;

use crate::{
    access::Principal,
    api::{
        Api,
        body::parse,
        caller::Caller,
        intake,
        problem::Problem,
        record::{BatchOutcome, MAX_EVENTS, is_zero, record_messages},
        refused::RefusedEvent,
        segment::allow_any_origin,
    },
    engagement::Admission,
    live::RefusedMessage,
};

/// The result of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenEvents {
    /// Number of new events, all on disk.
    #[schema(example = 2)]
    stored: usize,
    /// Number of events that an earlier request had already stored.
    #[schema(example = 0)]
    duplicates: usize,
    /// Number of events of users who belong to no client yet: stored, and counted once they belong
    /// to one. After 7 days they are rejected.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 0)]
    waiting: usize,
    /// Rejected events, each with the reason; all others were accepted.
    refused: Vec<RefusedEvent>,
}

impl TryFrom<BatchOutcome> for TakenEvents {
    type Error = Problem;

    /// A request without a valid event is the sender's error.
    fn try_from(outcome: BatchOutcome) -> Result<Self, Problem> {
        if outcome.all_refused() {
            return Err(Problem::refused(outcome.refused));
        }
        let BatchOutcome { stored, duplicates, waiting, refused, .. } = outcome;
        Ok(Self { stored, duplicates, waiting, refused })
    }
}

/// One event, or several.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Events)]
#[expect(dead_code, reason = "only describes what is read event by event")]
enum EventsBody {
    /// One event.
    #[schema(title = "One event")]
    One(Box<EventBody>),
    /// Several.
    #[schema(title = "Several events")]
    Several(Vec<EventBody>),
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    // Clients' tokens are made for browsers, on the host app's own site.
    OpenApiRouter::new().routes(routes!(track_events)).layer(allow_any_origin())
}

/// Sends events.
///
/// One event or an array of up to 2 500, in at most 4 MiB, plain or gzipped; any Content-Type is
/// accepted. The first event of an unknown client creates the client. An event with the same `message_id` and
/// timestamp is stored once, so a request without a response can be retried safely. After a 200,
/// every event that is not listed in `refused` is on disk. If no event is valid, returns 422 with
/// the same list.
///
/// A client's token can only send its own events and may omit `client_id`.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "Events",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body(content = EventsBody, content_type = "application/json", example = json!([
        {"client_id": "ada", "event": "content_generated", "timestamp": "2026-05-01T09:30:00Z",
         "message_id": "a1b2c3", "data": {"title": "Spring campaign"}},
        {"client_id": "ada", "event": "Report Exported", "type": "export_downloaded"}
    ])),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = TakenEvents)),
)]
async fn track_events(
    caller: Caller,
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TakenEvents>, Problem> {
    let body = intake::read(request, &api.writer).await;
    let body =
        body.inspect_err(|problem| record_refused_request(&api, &caller.0, problem, None))?;
    // Each by itself, so that one which cannot be read does not spoil the others.
    let events = events_of(&body.bytes)
        .inspect_err(|problem| record_refused_request(&api, &caller.0, problem, None))?;
    store_events(&api, &caller, &events, body.admission).await.map(Json)
}

/// The events of a body: one object, or an array.
fn events_of(body: &[u8]) -> Result<Vec<&RawValue>, Problem> {
    let whole: &RawValue = parse(body)?;
    match whole.get().as_bytes().first() {
        Some(b'[') => parse(whole.get().as_bytes()),
        Some(b'{') => Ok(vec![whole]),
        _ => {
            let kind =
                serde_json::from_str(whole.get()).map_or("no object", |value| kind_of(&value));
            Err(Problem::invalid(
                "body",
                format!("is {kind}; send one event as an object, or an array of them"),
            ))
        }
    }
}

/// Records why a whole request was rejected, for the page of live events.
fn record_refused_request(api: &Api, caller: &Principal, problem: &Problem, sent: Option<&Value>) {
    let (field, reason) = problem.fault();
    let refused = RefusedMessage { field: field.unwrap_or("body"), reason, sent };
    api.mainstay.record_refused(caller.organization(), std::iter::once(refused));
}

/// Stores the events of one request.
pub(crate) async fn store_events(
    api: &Api,
    Caller(caller, key, authority): &Caller,
    events: &[&RawValue],
    admission: Admission,
) -> Result<TakenEvents, Problem> {
    let organization = caller.organization();
    let count = events.len();
    check_count(count).inspect_err(|problem| record_refused_request(api, caller, problem, None))?;
    let charges = api.writer.count(caller, *key, count)?;
    let settings = api.mainstay.ingest_settings(organization).await?;
    let now = api.mainstay.now();
    let mut read = Vec::with_capacity(count);
    for value in events {
        read.push(match incoming::read(value) {
            Ok(event) => settings.check_and_attribute(on_behalf(caller, event)?, now),
            Err(error) => Err(error),
        });
    }
    let admission = admission.with_key(*key);
    let sample = |index: usize| serde_json::from_str(events.get(index)?.get()).ok();
    let sender = (organization, *authority);
    record_messages(api, sender, read, (admission, charges), sample).await?.try_into()
}

/// Rejects requests with too many events.
pub(super) fn check_count(count: usize) -> Result<(), Problem> {
    if count <= MAX_EVENTS {
        return Ok(());
    }
    Err(Problem::too_large(
        MAX_EVENTS,
        format!("{count} events exceed the limit of {MAX_EVENTS} per request; send fewer"),
    )
    .field("events"))
}

/// A client can only send its own events: an event for another client fails the whole request,
/// because it is a bug in the host app or an attack.
fn on_behalf(caller: &Principal, mut event: IncomingEvent) -> Result<IncomingEvent, Problem> {
    if let Principal::Client(_, own) = caller {
        if event.client_id.is_empty() {
            event.client_id = event.person.take().unwrap_or_else(|| own.clone());
        }
        if normalize_id(&event.client_id) != normalize_id(own) {
            return Err(Problem::forbidden(
                "a client's token can only send events of the client named in sub; omit client_id \
                 or use a write key",
            )
            .field("client_id"));
        }
    }
    Ok(event)
}

/// The type of a JSON value, in words.
pub(crate) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
