//! `/api/v1/events`: taking in what clients do.

mod incoming;

use axum::{Json, extract::State};
use mainstay_core::engagement::IncomingEvent;
use mainstay_store::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use incoming::EventBody;

use crate::{
    access::Principal,
    api::{Api, body::AnyJson, caller::Caller, problem::Problem},
    engagement::Refusal,
    live::Refused,
};

/// Most events in one request: with less it takes many requests, with more a sender that has to
/// repeat one repeats too much.
const MAX_EVENTS: usize = 2_500;
/// Events of a request of which, should they be refused, is kept what was sent. Whoever wires up an
/// app sends few; copying what senders of many send would cost them time.
const MOST_SHOWN: usize = 100;

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

impl From<Refusal> for RefusedEvent {
    fn from(refusal: Refusal) -> Self {
        Self {
            index: refusal.index,
            field: refusal.error.field.to_owned(),
            reason: refusal.error.reason,
        }
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
/// One event or an array of up to 2 500, in at most 500 KiB; any Content-Type will do. An event of a
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
    body: Result<AnyJson, Problem>,
) -> Result<Json<TakenEvents>, Problem> {
    let events = match body {
        Ok(AnyJson(Value::Array(events))) => events,
        Ok(AnyJson(event @ Value::Object(_))) => vec![event],
        Ok(AnyJson(other)) => {
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
    take_events(&api, &caller.0, events).await.map(Json)
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
    caller: &Principal,
    sent: Vec<Value>,
) -> Result<TakenEvents, Problem> {
    if sent.len() > MAX_EVENTS {
        let problem = Problem::too_large(
            MAX_EVENTS,
            format!(
                "{} events are more than the {MAX_EVENTS} of one request; send fewer",
                sent.len()
            ),
        )
        .field("events");
        note_problem(api, caller, &problem, None);
        return Err(problem);
    }
    let count = sent.len();
    let shown = if count <= MOST_SHOWN { sent.clone() } else { Vec::new() };
    let mut refused = Vec::new();
    let (mut places, mut events) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (index, value) in sent.into_iter().enumerate() {
        match incoming::read(value) {
            Ok(event) => {
                events.push(on_behalf(caller, event)?);
                places.push(index);
            }
            Err(error) => refused.push(Refusal { index, error }),
        }
    }

    let organization = caller.organization();
    let (checked, unfit) = api.mainstay.check_events(organization, events).await?;
    refused.extend(unfit.into_iter().map(|one| Refusal { index: places[one.index], ..one }));
    refused.sort_by_key(|refusal| refusal.index);
    let refused: Vec<RefusedEvent> = refused.into_iter().map(Into::into).collect();
    let noted = refused.iter().map(|one| Refused {
        field: &one.field,
        reason: &one.reason,
        sent: shown.get(one.index),
    });
    api.mainstay.note_refused(organization, noted);
    if checked.is_empty() {
        return if count == 0 {
            Ok(TakenEvents { stored: 0, duplicates: 0, refused })
        } else {
            Err(Problem::refused(refused))
        };
    }
    let outcomes = api.writer.store(organization, checked).await?;
    let stored = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
    Ok(TakenEvents { stored, duplicates: outcomes.len() - stored, refused })
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
