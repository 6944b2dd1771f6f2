//! `/v1`: Segment's HTTP tracking API, so that its SDKs only need another host.
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
    caller::{authority, read_credential},
    intake,
    problem::Problem,
    record::is_zero,
    refused::RefusedEvent,
};
use crate::{
    access::{CallerKey, Principal, check_method},
    live::RefusedMessage,
};

/// How long a browser caches a preflight response.
const PREFLIGHT_MAX_AGE: std::time::Duration = std::time::Duration::from_hours(1);

/// The result of a request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentAnswer {
    /// False if every message was rejected.
    #[schema(example = true)]
    success: bool,
    /// Events of users who belong to no client yet: stored, and counted once `group` (if clients
    /// are accounts) or `identify` with an `anonymousId` assigns them. After 7 days they are
    /// rejected.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 0)]
    waiting: usize,
    /// Rejected messages, each with the reason; all others are stored.
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
                store_message(&api, call, &headers, request).await
            }),
        );
    }
    router
        .route(
            "/v1/b",
            post(|State(api): State<Api>, headers: HeaderMap, request: Request| async move {
                store_batch(&api, &headers, None, request).await
            }),
        )
        .route(
            "/beacon/v1/batch",
            post(
                |State(api): State<Api>,
                 headers: HeaderMap,
                 Query(query): Query<KeyInQuery>,
                 request: Request| async move {
                    store_batch(&api, &headers, query.write_key, request).await
                },
            ),
        )
        .route("/v1/projects/{write_key}/settings", get(browser::segment_settings))
        .route("/sourceConfig", get(browser::rudder_source_config))
        .route("/sourceConfig/", get(browser::rudder_source_config))
        .layer(allow_any_origin())
}

/// Allows any origin: a key or a token authenticates, nothing private is returned and cookies are
/// ignored. SDKs send headers of their own, so whatever a preflight asks for is allowed: it fails when a
/// single one is missing.
pub(super) fn allow_any_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE)
}

/// Handles a request with one message.
async fn store_message(
    api: &Api,
    call: Call,
    headers: &HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let from_header = Sender::from_header(api, headers).await?;
    let body = intake::read(request, &api.writer).await?;
    let json: &RawValue = parse(&body.bytes)?;
    let message = SegmentMessage::read(json.get());
    let key_in_body = message.as_ref().ok().and_then(|message| message.write_key.as_deref());
    let caller = Sender::resolve(api, headers, from_header, key_in_body).await?;
    let message = message.map(|message| message.with_call(call));
    let messages = vec![Message { json: json.get(), read: Some(message) }];
    Batch { sent_at: None, messages }.store(api, &caller, body.admission).await.map(Json)
}

/// Handles a request with several messages.
async fn store_batch(
    api: &Api,
    headers: &HeaderMap,
    key_in_query: Option<String>,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    let from_header = Sender::from_header(api, headers).await?;
    let body = intake::read(request, &api.writer).await?;
    let json: &RawValue = parse(&body.bytes)?;
    let envelope = batch::Envelope::read(json.get());
    let key_in_body = envelope.as_ref().ok().and_then(|envelope| envelope.write_key.as_deref());
    let key_in_body = key_in_body.or(key_in_query.as_deref());
    let caller = Sender::resolve(api, headers, from_header, key_in_body).await?;
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return Ok(Json(caller.refuse_all(api, &error))),
    };
    envelope.messages()?.store(api, &caller, body.admission).await.map(Json)
}

/// The sender, its key and its authority.
struct Sender {
    principal: Principal,
    key: CallerKey,
    authority: Authority,
}

impl Sender {
    /// By the header alone, before the body is read: whoever presents something that opens nothing sends no
    /// body. `None` when nothing is presented there.
    async fn from_header(api: &Api, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        Self::authenticate(api, headers, &read_credential(headers)?).await.map(Some)
    }

    /// By the header, or else by the `writeKey` in the body.
    async fn resolve(
        api: &Api,
        headers: &HeaderMap,
        from_header: Option<Self>,
        key_in_body: Option<&str>,
    ) -> Result<Self, Problem> {
        match (from_header, key_in_body) {
            (Some(sender), _) => Ok(sender),
            (None, Some(key)) => Self::authenticate(api, headers, key).await,
            (None, None) => Self::authenticate(api, headers, &read_credential(headers)?).await,
        }
    }

    async fn authenticate(
        api: &Api,
        headers: &HeaderMap,
        credential: &str,
    ) -> Result<Self, Problem> {
        let principal = api.mainstay.authenticate(credential).await?;
        let principal = principal.ok_or_else(|| {
            Problem::unauthenticated(
                "this key is unknown or revoked; send a write key (mwk_…) as the user of Basic \
                 authentication, with an empty password, or as writeKey in the body",
                true,
            )
        })?;
        if let Principal::Client(..) = principal {
            return Err(Problem::forbidden(
                "a client's token can only send its own events, to /api/v1/events; use a write key here",
            ));
        }
        if let Principal::Member(_, _, role) = &principal {
            check_method(*role, &Method::POST)?;
        }
        let authority = authority(&principal, headers);
        Ok(Self { principal, key: CallerKey::from_credential(credential), authority })
    }

    /// The response to a request of which no message can be parsed.
    fn refuse_all(
        &self,
        api: &Api,
        error: &mainstay_core::engagement::EventError,
    ) -> SegmentAnswer {
        let refused = RefusedMessage { field: error.field, reason: &error.reason, sent: None };
        api.mainstay.record_refused(self.principal.organization(), std::iter::once(refused));
        let refused =
            RefusedEvent { index: 0, field: error.field.to_owned(), reason: error.reason.clone() };
        SegmentAnswer { success: false, waiting: 0, refused: vec![refused] }
    }
}
