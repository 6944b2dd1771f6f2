//! `/api/v1/events`: taking in what clients do.

mod incoming;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use mainstay_core::engagement::{IncomingEvent, segment::Said};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
        take::{MAX_EVENTS, Taken, take},
    },
    engagement::Admission,
    live::Refused,
};

/// What became of the events of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TakenEvents {
    /// Events that are new, and on disk.
    #[schema(example = 2)]
    stored: usize,
    /// Events that were there already, from an earlier request.
    #[schema(example = 0)]
    duplicates: usize,
    /// Events that were refused, each with the reason; everything else was taken.
    refused: Vec<RefusedEvent>,
}

/// Why one event was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedEvent {
    /// Its place in what was sent, from 0.
    #[schema(example = 2)]
    pub(crate) index: usize,
    /// The field at fault.
    #[schema(example = "duration_seconds")]
    pub(crate) field: String,
    /// What is wrong with it, its limit and what to do.
    #[schema(example = "-5 is outside 0 to 86400 (one day); send whole seconds")]
    pub(crate) reason: String,
}

impl TryFrom<Taken> for TakenEvents {
    type Error = Problem;

    /// What cannot be used at all is the sender's mistake.
    fn try_from(taken: Taken) -> Result<Self, Problem> {
        if taken.none() {
            return Err(Problem::refused(taken.refused));
        }
        let Taken { stored, duplicates, refused, .. } = taken;
        Ok(Self { stored, duplicates, refused })
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
    OpenApiRouter::new().routes(routes!(track_events))
}

/// Sends events.
///
/// One event or an array of up to 2 500, in at most 500 KiB, plain or gzipped; any Content-Type will
/// do. An event of a
/// client that is not known yet creates the client. The same `message_id` with the same timestamp
/// sent again is stored once, so a request that got no answer can simply be repeated. When this
/// answers 200, every event that is not listed in `refused` is on disk. When not one event can be
/// used, it answers 422 with the same list.
///
/// A client's token sends its own events and may leave out `client_id`.
#[utoipa::path(
    post, path = "/api/v1/events", tag = "Events",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body(content = EventsBody, content_type = "application/json", example = json!([
        {"client_id": "ada", "event": "content_generated", "timestamp": "2026-05-01T09:30:00Z",
         "message_id": "a1b2c3", "data": {"title": "Spring campaign"}},
        {"client_id": "ada", "event": "Report Exported", "type": "export_downloaded"}
    ])),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = TakenEvents)),
)]
async fn track_events(
    caller: Caller,
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TakenEvents>, Problem> {
    let sent = intake::read(request, &api.writer, StatusCode::PAYLOAD_TOO_LARGE).await;
    let parsed = sent.and_then(|sent| Ok((parse(&sent.bytes)?, sent.admission)));
    let (events, admission) = match parsed {
        Ok((Value::Array(events), admission)) => (events, admission),
        Ok((event @ Value::Object(_), admission)) => (vec![event], admission),
        Ok((other, _)) => {
            let problem = Problem::invalid(
                "body",
                format!("is {}; send one event as an object, or an array of them", kind_of(&other)),
            );
            note_problem(&api, &caller.0, &problem, Some(&other));
            return Err(problem);
        }
        Err(problem) => {
            note_problem(&api, &caller.0, &problem, None);
            return Err(problem);
        }
    };
    take_events(&api, &caller, events, admission).await.map(Json)
}

/// Keeps why a whole request was refused, for the page of live events.
fn note_problem(api: &Api, caller: &Principal, problem: &Problem, sent: Option<&Value>) {
    let detail = problem.detail();
    let (field, reason) = detail.split_once(": ").unwrap_or(("body", detail));
    let refused = Refused { field, reason, sent };
    api.mainstay.note_refused(caller.organization(), std::iter::once(refused));
}

/// Stores the events of one request.
pub(crate) async fn take_events(
    api: &Api,
    Caller(caller, key): &Caller,
    sent: Vec<Value>,
    admission: Admission,
) -> Result<TakenEvents, Problem> {
    let organization = caller.organization();
    let count = sent.len();
    check_count(count).inspect_err(|problem| note_problem(api, caller, problem, None))?;
    api.writer.count(organization, Some(*key), count)?;
    let naming = api.mainstay.naming(organization).await?;
    let now = api.mainstay.now();
    let mut read = Vec::with_capacity(count);
    for value in &sent {
        read.push(match incoming::read(value) {
            Ok(event) => naming.check(on_behalf(caller, event)?, now).map(Said::Did),
            Err(error) => Err(error),
        });
    }
    take(api, organization, read, admission, |index| sent.get(index).cloned()).await?.try_into()
}

/// Refuses more events than one request may bring.
pub(super) fn check_count(count: usize) -> Result<(), Problem> {
    if count <= MAX_EVENTS {
        return Ok(());
    }
    Err(Problem::too_large(
        MAX_EVENTS,
        format!("{count} events are more than the {MAX_EVENTS} of one request; send fewer"),
    )
    .field("events"))
}

/// A client speaks for itself: one event that names another client spoils the whole request, since
/// it is either a mistake in the host app or an attempt.
fn on_behalf(caller: &Principal, mut event: IncomingEvent) -> Result<IncomingEvent, Problem> {
    if let Principal::Client(_, own) = caller {
        if event.client_id.is_empty() {
            event.client_id.clone_from(own);
        } else if event.client_id != *own {
            return Err(Problem::forbidden(
                "a client's token sends events of the client that it names as sub; leave client_id \
                 out, or use a write key",
            )
            .field("client_id"));
        }
    }
    Ok(event)
}

/// What a JSON value is, in words.
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
