//! `/v1`: Segment's HTTP tracking API, so that its SDKs need nothing but another host.
//!
//! It answers as those SDKs understand: 200 for every request that could be read, with what was
//! refused one by one, because on 400 they throw the whole batch away and never send it again.

mod batch;
mod browser;
mod document;

use axum::{
    Json,
    extract::{Query, Request, State},
    http::{HeaderMap, Method, header},
    routing::{get, post},
};
use mainstay_core::engagement::{
    Authority,
    segment::{Call, SegmentMessage},
};
use serde::Serialize;
use serde_json::value::RawValue;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    batch::{Batch, Message},
    browser::KeyInQuery,
};
use super::{
    Api,
    body::parse,
    caller::{authority, credential},
    intake,
    problem::Problem,
    refused::RefusedEvent,
    take::is_zero,
};
use crate::{
    access::{CallerKey, Principal, check_method},
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
    /// Events of people who belong to no client yet: on disk, and counted once `group` (where clients
    /// are accounts) or `identify` with an `anonymousId` says whose they are. After 7 days without they
    /// are shown as refused.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 0)]
    waiting: usize,
    /// Messages that were refused, each with the reason; everything else is on disk.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    refused: Vec<RefusedEvent>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
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
                take_batch(&api, &headers, None, request).await
            }),
        )
        .route(
            "/beacon/v1/batch",
            post(
                |State(api): State<Api>,
                 headers: HeaderMap,
                 Query(query): Query<KeyInQuery>,
                 request: Request| async move {
                    take_batch(&api, &headers, query.write_key, request).await
                },
            ),
        )
        .route("/v1/projects/{write_key}/settings", get(browser::segment_settings))
        .route("/sourceConfig", get(browser::rudder_source_config))
        .route("/sourceConfig/", get(browser::rudder_source_config))
        .layer(from_any_site())
}

/// Lets any site send: what opens the door is a key or a token, nothing private is read and no cookie
/// counts. SDKs send headers of their own, so whatever a preflight asks for is allowed: it fails when a
/// single one is missing.
pub(super) fn from_any_site() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(REMEMBERED)
}

/// Takes a request that is one message.
async fn take_one(
    api: &Api,
    call: Call,
    headers: &HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let before = Sender::before_body(api, headers).await?;
    let sent = intake::read(request, &api.writer).await?;
    let json: &RawValue = parse(&sent.bytes)?;
    let message = SegmentMessage::read(json.get());
    let key_beside = message.as_ref().ok().and_then(|message| message.write_key.as_deref());
    let caller = Sender::of(api, headers, before, key_beside).await?;
    let message = message.map(|message| message.called(call));
    let messages = vec![Message { json: json.get(), read: Some(message) }];
    Batch { sent_at: None, messages }.take(api, &caller, sent.admission).await.map(Json)
}

/// Takes a request of several messages.
async fn take_batch(
    api: &Api,
    headers: &HeaderMap,
    key_in_query: Option<String>,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let before = Sender::before_body(api, headers).await?;
    let sent = intake::read(request, &api.writer).await?;
    let body: &RawValue = parse(&sent.bytes)?;
    let envelope = batch::Envelope::read(body.get());
    let key_beside = envelope.as_ref().ok().and_then(|envelope| envelope.write_key.as_deref());
    let key_beside = key_beside.or(key_in_query.as_deref());
    let caller = Sender::of(api, headers, before, key_beside).await?;
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return Ok(Json(caller.refuses(api, &error))),
    };
    envelope.messages()?.take(api, &caller, sent.admission).await.map(Json)
}

/// Who sends, with which key, and who vouches for it.
struct Sender {
    principal: Principal,
    key: CallerKey,
    authority: Authority,
}

impl Sender {
    /// By the header alone, before the body is read: whoever presents something that opens nothing sends no
    /// body. `None` when nothing is presented there.
    async fn before_body(api: &Api, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        Self::with(api, headers, &credential(headers)?).await.map(Some)
    }

    /// By the header, or else by the `writeKey` in the body.
    async fn of(
        api: &Api,
        headers: &HeaderMap,
        before: Option<Self>,
        beside: Option<&str>,
    ) -> Result<Self, Problem> {
        match (before, beside) {
            (Some(sender), _) => Ok(sender),
            (None, Some(key)) => Self::with(api, headers, key).await,
            (None, None) => Self::with(api, headers, &credential(headers)?).await,
        }
    }

    async fn with(api: &Api, headers: &HeaderMap, presented: &str) -> Result<Self, Problem> {
        let principal = api.mainstay.authenticate(presented).await?;
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
        if let Principal::Member(_, _, role) = &principal {
            check_method(*role, &Method::POST)?;
        }
        let authority = authority(&principal, headers);
        Ok(Self { principal, key: CallerKey::of(presented), authority })
    }

    /// Says of a request that not one message of it can be read.
    fn refuses(&self, api: &Api, error: &mainstay_core::engagement::EventError) -> SegmentAnswer {
        let refused = Refused { field: error.field, reason: &error.reason, sent: None };
        api.mainstay.note_refused(self.principal.organization(), std::iter::once(refused));
        let refused =
            RefusedEvent { index: 0, field: error.field.to_owned(), reason: error.reason.clone() };
        SegmentAnswer { success: false, waiting: 0, refused: vec![refused] }
    }
}
