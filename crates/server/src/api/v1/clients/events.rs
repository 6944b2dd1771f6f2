//! `/api/v1/clients/{client_id}/events`: a client's events, the basis of every number.

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::EventType,
    time::{add_days, days_before, start_of_day},
};
use mainstay_store::{EventCursor, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Api,
    caller::ClientAccess,
    input::{Params, day, instant, limit},
    names,
    problem::Problem,
};

const DEFAULT_EVENTS: i64 = 100;
const MAX_EVENTS: i64 = 500;
const DEFAULT_DAYS: i32 = 90;
/// 2000-01-01: nothing older is ever stored.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);
/// Nothing further ahead is ever stored; an hour more for the clock.
const FURTHEST_AHEAD: SignedDuration = SignedDuration::from_hours(25);

/// A stored event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoredEvent)]
struct StoredEventBody {
    /// The sender's id of the event, or a generated one.
    #[schema(example = "a1b2c3")]
    message_id: String,
    /// The name, as sent.
    #[schema(example = "content_generated")]
    event: String,
    /// The event type.
    #[serde(rename = "type")]
    #[schema(value_type = names::EventType)]
    event_type: EventType,
    /// When it happened, corrected for the sender's clock.
    occurred_at: Timestamp,
    /// When it was received.
    received_at: Timestamp,
    /// The session.
    session_id: Option<String>,
    /// The page.
    page_path: Option<String>,
    /// The duration, in seconds.
    duration_seconds: Option<i64>,
    /// Additional data.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
    /// Whether a browser or the client itself sent it. Such a high-value event counts as `custom`
    /// unless the organization allows it.
    self_told: bool,
}

impl From<StoredEvent> for StoredEventBody {
    fn from(event: StoredEvent) -> Self {
        Self {
            message_id: event.message_id,
            event: event.name,
            event_type: event.event_type,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            session_id: event.session_id,
            page_path: event.page_path,
            duration_seconds: event.duration_seconds,
            data: event.data,
            self_told: event.self_told,
        }
    }
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct Timeline {
    /// Newest first.
    events: Vec<StoredEventBody>,
    /// Send this as `before` to get the next page; null on the last page.
    next: Option<String>,
}

/// Which events to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// The start (RFC 3339), or the first calendar day; 90 days before `to` if omitted.
    #[param(example = "2026-04-24T09:30:00Z")]
    from: Option<String>,
    /// The end, exclusive (RFC 3339), or the last calendar day; no limit if omitted.
    #[param(example = "2026-05-01")]
    to: Option<String>,
    /// Continue after a page: its `next`.
    before: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_events))
}

/// Lists a client's events.
///
/// Newest first, paginated. `from` and `to` are instants, as in the windows of a score, or calendar
/// days of the organization, as in insights. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/events", tag = "Events",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(EventQuery),
    responses((status = 200, description = "A page of events.", body = Timeline)),
)]
async fn list_events(
    access: ClientAccess,
    State(api): State<Api>,
    Params(query): Params<EventQuery>,
) -> Result<Json<Timeline>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_EVENTS, MAX_EVENTS)?;
    let before = query.before.as_deref().map(read_cursor).transpose()?;
    let zone = api.mainstay.context_in(access.scope).await?.zone;
    let range = event_range(query.from.as_deref(), query.to.as_deref(), &zone, api.mainstay.now())?;
    let page = api
        .mainstay
        .client_timeline(access.scope, &access.client, range, &[], before.as_ref(), limit)
        .await?;
    Ok(Json(Timeline {
        events: page.events.into_iter().map(Into::into).collect(),
        next: page.next.as_ref().map(write_cursor),
    }))
}

/// The instants between which to look. Each day in between costs a look-up, so the range is cut to
/// where events can be; that loses none.
pub(crate) fn event_range(
    from: Option<&str>,
    to: Option<&str>,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), Problem> {
    let latest = now.saturating_add(FURTHEST_AHEAD).unwrap_or(now);
    let to = match to {
        Some(text) => edge("to", text, zone, 1)?,
        None => latest,
    };
    let from = match from {
        Some(text) => edge("from", text, zone, 0)?,
        None => days_before(to, DEFAULT_DAYS, zone),
    };
    if from >= to {
        return Err(Problem::invalid(
            "from",
            format!("{from} is not before to ({to}); send an earlier time"),
        ));
    }
    Ok((from.clamp(EARLIEST, latest), to.clamp(EARLIEST, latest)))
}

/// An instant, or the start of the calendar day that is so many days after the one that is named.
fn edge(field: &'static str, text: &str, zone: &TimeZone, days: i32) -> Result<Timestamp, Problem> {
    if text.contains([':', 'T', 't']) {
        instant(field, text)
    } else {
        Ok(start_of_day(add_days(day(field, text)?, days), zone))
    }
}

/// Where a page ended, as a text to continue from.
pub(crate) fn write_cursor(cursor: &EventCursor) -> String {
    let micros = cursor.occurred_at.as_microsecond();
    URL_SAFE_NO_PAD.encode(format!("{micros} {}", cursor.message_id))
}

/// Reads what [`write_cursor`] wrote.
pub(crate) fn read_cursor(text: &str) -> Result<EventCursor, Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (micros, message_id) = text.split_once(' ')?;
        let occurred_at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        let message_id = (!message_id.contains('\0')).then(|| message_id.to_owned())?;
        (occurred_at >= EARLIEST).then_some(EventCursor { occurred_at, message_id })
    };
    read().ok_or_else(|| {
        Problem::invalid("before", "is not a valid cursor; send the `next` of the previous page")
    })
}
