//! `/api/v1/cloudevents`: ingestion of CloudEvents 1.0.

use axum::{
    Json,
    extract::{Request, State},
};
use mainstay_core::engagement::cloud_event::CloudEvent;
use serde_json::value::RawValue;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::events::{TakenEvents, check_count};
use crate::{
    access::Principal,
    api::{Api, body::parse, caller::Caller, intake, problem::Problem, record::record_messages},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(take_cloud_events))
}

/// Sends CloudEvents.
///
/// One in the JSON format (`application/cloudevents+json`) or an array of up to 2 500
/// (`application/cloudevents-batch+json`), in at most 4 MiB, plain or gzipped. `subject` is the
/// client's id, `type` the event's name, `time` when it happened; `source` and `id` together, at
/// most 99 characters, identify an event, so that a repeated event is stored once. Returns the same
/// as `POST /api/v1/events`.
#[utoipa::path(
    post, path = "/api/v1/cloudevents", tag = "Events",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(
        content = serde_json::Value, content_type = "application/cloudevents+json",
        example = json!({
            "specversion": "1.0", "source": "/app", "id": "a1b2c3", "type": "content_generated",
            "subject": "ada", "time": "2026-05-01T09:30:00Z", "data": {"title": "Spring campaign"}
        })
    ),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = TakenEvents)),
)]
async fn take_cloud_events(
    caller: Caller,
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TakenEvents>, Problem> {
    if let Principal::Client(..) = caller.0 {
        return Err(Problem::forbidden(
            "a client's token can only send its own events, to /api/v1/events; use a write key here",
        ));
    }
    let sent_body = intake::read(request, &api.writer).await?;
    let whole: &RawValue = parse(&sent_body.bytes)?;
    let events: Vec<&RawValue> =
        if whole.get().starts_with('[') { parse(whole.get().as_bytes())? } else { vec![whole] };
    let Caller(principal, key, authority) = &caller;
    let organization = principal.organization();
    check_count(events.len())?;
    let charges = api.writer.count(principal, *key, events.len())?;
    let settings = api.mainstay.ingest_settings(organization).await?;
    let received_at = api.mainstay.now();
    let type_of = |name: &str| settings.types.get(name).copied();
    let read = events
        .iter()
        .map(|json| {
            let event = CloudEvent::read(json.get())?.event(received_at, type_of)?;
            Ok(settings.attribute(event))
        })
        .collect();
    let sample = |index: usize| serde_json::from_str(events.get(index)?.get()).ok();
    let admission = sent_body.admission.with_key(*key);
    let sender = (organization, *authority);
    let outcome = record_messages(&api, sender, read, (admission, charges), sample).await?;
    TakenEvents::try_from(outcome).map(Json)
}
