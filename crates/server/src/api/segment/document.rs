//! The seven documented paths. Each has its own handler, so that the OpenAPI document can describe
//! it.

use axum::{
    Json,
    extract::{Request, State},
    http::HeaderMap,
};
use mainstay_core::engagement::segment::Call;

use super::{Api, Problem, SegmentAnswer, store_batch, store_message};

/// Identifies a user.
///
/// Sets the client's name, email address, plan and traits. The call with the later timestamp wins,
/// whichever arrives first. If clients are accounts, nothing of a user is stored.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/identify", tag = "Segment", operation_id = "segment_identify",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "traits": {"name": "Ada", "email": "ada@example.com", "plan": "pro"},
         "timestamp": "2026-05-01T09:30:00Z", "messageId": "a1b2c3"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn identify(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Identify, &headers, request).await
}

/// Tracks an event of a user.
///
/// The event's name is an event type, is mapped to one by the organization, or counts as `custom`.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/track", tag = "Segment", operation_id = "segment_track",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "event": "content_generated", "properties": {"title": "Spring campaign"},
         "timestamp": "2026-05-01T09:30:00Z", "messageId": "a1b2c4"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn track(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Track, &headers, request).await
}

/// Tracks a page view.
///
/// Counts as `page_view`, whatever the page is called.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/page", tag = "Segment", operation_id = "segment_page",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "name": "Campaigns", "properties": {"path": "/campaigns"},
         "messageId": "a1b2c5"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn page(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Page, &headers, request).await
}

/// Tracks a screen view of an app.
///
/// Counts as `page_view`, whatever the screen is called.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/screen", tag = "Segment", operation_id = "segment_screen",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "name": "Campaigns", "messageId": "a1b2c6"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn screen(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Screen, &headers, request).await
}

/// Associates a user with an account.
///
/// If clients are users, the account is stored with the client. If they are accounts, the traits
/// are the account's, and the user's future events count for it.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/group", tag = "Segment", operation_id = "segment_group",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "groupId": "acme", "traits": {"name": "Acme", "plan": "pro"},
         "messageId": "a1b2c7"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn group(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Group, &headers, request).await
}

/// Merges two ids of the same user.
///
/// Everything known under `previousId` moves to the client `userId`, and so do later events.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Returns 200 even for a rejected message, with the reason.
#[utoipa::path(
    post, path = "/v1/alias", tag = "Segment", operation_id = "segment_alias",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"previousId": "lead-7", "userId": "ada", "messageId": "a1b2c8"}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn alias(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_message(&api, Call::Alias, &headers, request).await
}

/// Sends several messages.
///
/// Up to 2 500 messages of at most 32 KiB each, in at most 4 MiB, plain or gzipped. An invalid
/// message is rejected individually: `refused` lists its index, the field and the reason; all
/// others are on disk when this returns. A message that is sent again is stored once.
#[utoipa::path(
    post, path = "/v1/batch", tag = "Segment", operation_id = "segment_batch",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"sentAt": "2026-05-01T09:30:01Z", "batch": [
            {"type": "track", "userId": "ada", "event": "login", "messageId": "a1b2c3",
             "timestamp": "2026-05-01T09:30:00Z"}
        ]}
    )),
    responses((status = 200, description = "Accepted, except for what `refused` lists.", body = SegmentAnswer)),
)]
pub(super) async fn batch(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    store_batch(&api, &headers, None, request).await
}
