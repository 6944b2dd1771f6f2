//! `/v1`: Segment's HTTP tracking API, so that its SDKs need nothing but another host.
//!
//! It answers as those SDKs understand: 200 for every request that could be read, with what was
//! refused one by one, because on 400 they throw the whole batch away and never send it again.

mod batch;
mod document;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    routing::post,
};
use mainstay_core::engagement::segment::{Call, SegmentMessage};
use serde::Serialize;
use serde_json::value::RawValue;
use tower_http::cors::{Any, CorsLayer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::batch::{Batch, Message};
use super::{
    Api, body::parse, caller::credential, intake, problem::Problem, v1::events::RefusedEvent,
};
use crate::{
    access::{CallerKey, Principal},
    live::Refused,
};

/// How long a browser remembers that it may send, in seconds.
const REMEMBERED: std::time::Duration = std::time::Duration::from_hours(1);

/// What became of a request's messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentAnswer {
    /// False when there were messages and every one of them was refused.
    #[schema(example = true)]
    success: bool,
    /// Messages that were refused, each with the reason; everything else is on disk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    refused: Vec<RefusedEvent>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    // Any site may send with a write key, which is public: nothing is read and no cookie counts.
    let any_site = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::CONTENT_ENCODING])
        .expose_headers([header::RETRY_AFTER])
        .max_age(REMEMBERED);
    let mut router = OpenApiRouter::new()
        .routes(routes!(document::identify))
        .routes(routes!(document::track))
        .routes(routes!(document::page))
        .routes(routes!(document::screen))
        .routes(routes!(document::group))
        .routes(routes!(document::alias))
        .routes(routes!(document::batch));
    // What Segment's SDK for browsers calls the same paths.
    for call in Call::ALL {
        let short = format!("/v1/{}", &call.as_str()[..1]);
        router = router.route(
            &short,
            post(move |State(api): State<Api>, headers: HeaderMap, request: Request| async move {
                take_one(&api, call, &headers, request).await
            }),
        );
    }
    router
        .route(
            "/v1/b",
            post(|State(api): State<Api>, headers: HeaderMap, request: Request| async move {
                take_batch(&api, &headers, request).await
            }),
        )
        .layer(any_site)
}

/// Takes a request that is one message.
async fn take_one(
    api: &Api,
    call: Call,
    headers: &HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let sent = intake::read(request, &api.writer, StatusCode::BAD_REQUEST).await?;
    let json: &RawValue = parse(&sent.bytes)?;
    let message = SegmentMessage::read(json.get());
    let key_beside = message.as_ref().ok().and_then(|message| message.write_key.as_deref());
    let caller = Sender::of(api, headers, key_beside).await?;
    let message = message.map(|message| message.called(call));
    let messages = vec![Message { json: json.get(), read: Some(message) }];
    Batch { sent_at: None, messages }.take(api, &caller, sent.admission).await.map(Json)
}

/// Takes a request of several messages.
async fn take_batch(
    api: &Api,
    headers: &HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let sent = intake::read(request, &api.writer, StatusCode::BAD_REQUEST).await?;
    let body: &RawValue = parse(&sent.bytes)?;
    let envelope = batch::Envelope::read(body.get());
    let key_beside = envelope.as_ref().ok().and_then(|envelope| envelope.write_key.as_deref());
    let caller = Sender::of(api, headers, key_beside).await?;
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return Ok(Json(caller.refuses(api, &error))),
    };
    envelope.messages()?.take(api, &caller, sent.admission).await.map(Json)
}

/// Who sends, and with which key.
struct Sender {
    principal: Principal,
    key: CallerKey,
}

impl Sender {
    /// By the header, or else by the `writeKey` in the body.
    async fn of(api: &Api, headers: &HeaderMap, beside: Option<&str>) -> Result<Self, Problem> {
        let presented = match beside {
            Some(key) if !headers.contains_key(header::AUTHORIZATION) => key.to_owned(),
            _ => credential(headers)?,
        };
        let principal = api.mainstay.authenticate(&presented).await?;
        let principal = principal.ok_or_else(|| {
            Problem::unauthenticated(
                "this key is unknown or revoked; send a write key (mwk_…) as the user of Basic \
                 authentication, with an empty password, or as writeKey in the body",
                true,
            )
        })?;
        if let Principal::Client(..) = principal {
            return Err(Problem::forbidden(
                "a client's token sends its own events to /api/v1/events; this needs a write key",
            ));
        }
        Ok(Self { principal, key: CallerKey::of(&presented) })
    }

    /// Says of a request that not one message of it can be read.
    fn refuses(&self, api: &Api, error: &mainstay_core::engagement::EventError) -> SegmentAnswer {
        let refused = Refused { field: error.field, reason: &error.reason, sent: None };
        api.mainstay.note_refused(self.principal.organization(), std::iter::once(refused));
        let refused =
            RefusedEvent { index: 0, field: error.field.to_owned(), reason: error.reason.clone() };
        SegmentAnswer { success: false, refused: vec![refused] }
    }
}
