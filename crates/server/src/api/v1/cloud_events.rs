//! `/api/v1/cloudevents`: CloudEvents 1.0 as another way in.

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
    api::{Api, body::parse, caller::Caller, intake, problem::Problem, take::take},
};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(take_cloud_events))
}

/// Sends CloudEvents.
///
/// One in the JSON format (`application/cloudevents+json`) or an array of up to 2 500
/// (`application/cloudevents-batch+json`), in at most 4 MiB, plain or gzipped. `subject` is the
/// client's id, `type` the event's name, `time` when it happened; `source` and `id` together, at most
/// 99 characters, tell an event from all others, so that one sent again is stored once. Answers as
/// `POST /api/v1/events` does.
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
    responses((status = 200, description = "Taken, as far as `refused` says.", body = TakenEvents)),
)]
async fn take_cloud_events(
    caller: Caller,
    State(api): State<Api>,
    request: Request,
) -> Result<Json<TakenEvents>, Problem> {
    if let Principal::Client(..) = caller.0 {
        return Err(Problem::forbidden(
            "a client's token sends its own events to /api/v1/events; this needs a write key",
        ));
    }
    let sent_body = intake::read(request, &api.writer).await?;
    let whole: &RawValue = parse(&sent_body.bytes)?;
    let events: Vec<&RawValue> =
        if whole.get().starts_with('[') { parse(whole.get().as_bytes())? } else { vec![whole] };
    let Caller(principal, key, authority) = &caller;
    let organization = principal.organization();
    check_count(events.len())?;
    api.writer.count(principal, *key, events.len())?;
    let naming = api.mainstay.naming(organization).await?;
    let received_at = api.mainstay.now();
    let type_of = |name: &str| naming.types.get(name).copied();
    let read = events
        .iter()
        .map(|json| {
            let event = CloudEvent::read(json.get())?.event(received_at, type_of)?;
            Ok(naming.meant(event))
        })
        .collect();
    let sent = |index: usize| serde_json::from_str(events.get(index)?.get()).ok();
    let admission = sent_body.admission.of_key(*key);
    let taken = take(&api, (organization, *authority), read, admission, sent).await?;
    TakenEvents::try_from(taken).map(Json)
}
