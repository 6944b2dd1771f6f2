//! `/api/v1/events`: taking in what clients do.

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
        refused::RefusedEvent,
        segment::from_any_site,
        take::{MAX_EVENTS, Taken, is_zero, take},
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
    /// Events of people who belong to no client yet: on disk, and counted once that is known. After 7
    /// days without they are shown as refused.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 0)]
    waiting: usize,
    /// Events that were refused, each with the reason; everything else was taken.
    refused: Vec<RefusedEvent>,
}

impl TryFrom<Taken> for TakenEvents {
    type Error = Problem;

    /// What cannot be used at all is the sender's mistake.
    fn try_from(taken: Taken) -> Result<Self, Problem> {
        if taken.none() {
            return Err(Problem::refused(taken.refused));
        }
        let Taken { stored, duplicates, waiting, refused, .. } = taken;
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
    OpenApiRouter::new().routes(routes!(track_events)).layer(from_any_site())
}

/// Sends events.
///
/// One event or an array of up to 2 500, in at most 4 MiB, plain or gzipped; any Content-Type will
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
    let sent = intake::read(request, &api.writer).await;
    let sent = sent.inspect_err(|problem| note_problem(&api, &caller.0, problem, None))?;
    // Each by itself, so that one which cannot be read does not spoil the others.
    let events = events_of(&sent.bytes)
        .inspect_err(|problem| note_problem(&api, &caller.0, problem, None))?;
    take_events(&api, &caller, &events, sent.admission).await.map(Json)
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

/// Keeps why a whole request was refused, for the page of live events.
fn note_problem(api: &Api, caller: &Principal, problem: &Problem, sent: Option<&Value>) {
    let (field, reason) = problem.fault();
    let refused = Refused { field: field.unwrap_or("body"), reason, sent };
    api.mainstay.note_refused(caller.organization(), std::iter::once(refused));
}

/// Stores the events of one request.
pub(crate) async fn take_events(
    api: &Api,
    Caller(caller, key, authority): &Caller,
    sent: &[&RawValue],
    admission: Admission,
) -> Result<TakenEvents, Problem> {
    let organization = caller.organization();
    let count = sent.len();
    check_count(count).inspect_err(|problem| note_problem(api, caller, problem, None))?;
    api.writer.count(caller, *key, count)?;
    let naming = api.mainstay.naming(organization).await?;
    let now = api.mainstay.now();
    let mut read = Vec::with_capacity(count);
    for value in sent {
        read.push(match incoming::read(value) {
            Ok(event) => naming.said(on_behalf(caller, event)?, now),
            Err(error) => Err(error),
        });
    }
    let admission = admission.of_key(*key);
    let shown = |index: usize| serde_json::from_str(sent.get(index)?.get()).ok();
    take(api, (organization, *authority), read, admission, shown).await?.try_into()
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
            event.client_id = event.person.take().unwrap_or_else(|| own.clone());
        }
        if normalize_id(&event.client_id) != normalize_id(own) {
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
