//! The seven documented paths. Each is a handler of its own, so that the API's description can say what
//! it is for.

use axum::{
    Json,
    extract::{Request, State},
    http::HeaderMap,
};
use mainstay_core::engagement::segment::Call;

use super::{Api, Problem, SegmentAnswer, take_batch, take_one};

/// Says who a user is.
///
/// Sets the client's name, e-mail address, plan and traits. Of two calls the later one counts,
/// whichever arrives first. Where clients are accounts, there is nothing to keep of a user.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/identify", tag = "Segment", operation_id = "segment_identify",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "traits": {"name": "Ada", "email": "ada@example.com", "plan": "pro"},
         "timestamp": "2026-05-01T09:30:00Z", "messageId": "a1b2c3"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn identify(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Identify, &headers, request).await
}

/// Says what a user did.
///
/// The event's name is a type, is mapped to one by the organization, or counts as `custom`.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/track", tag = "Segment", operation_id = "segment_track",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "event": "content_generated", "properties": {"title": "Spring campaign"},
         "timestamp": "2026-05-01T09:30:00Z", "messageId": "a1b2c4"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn track(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Track, &headers, request).await
}

/// Says which page a user looked at.
///
/// Counts as `page_view`, whatever the page is called.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/page", tag = "Segment", operation_id = "segment_page",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "name": "Campaigns", "properties": {"path": "/campaigns"},
         "messageId": "a1b2c5"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn page(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Page, &headers, request).await
}

/// Says which screen of an app a user looked at.
///
/// Counts as `page_view`, whatever the screen is called.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/screen", tag = "Segment", operation_id = "segment_screen",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "name": "Campaigns", "messageId": "a1b2c6"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn screen(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Screen, &headers, request).await
}

/// Says which account a user belongs to.
///
/// Where clients are users, it is kept with the client. Where they are accounts, the traits are the
/// account's, and what the user does from now on counts for it.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/group", tag = "Segment", operation_id = "segment_group",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"userId": "ada", "groupId": "acme", "traits": {"name": "Acme", "plan": "pro"},
         "messageId": "a1b2c7"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn group(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Group, &headers, request).await
}

/// Says that two ids mean the same user.
///
/// Everything known under `previousId` moves to the client `userId`; what still comes for it counts
/// there too.
///
/// As Segment's API has it: any Content-Type, plain or gzipped, at most 32 KiB; the key may also be
/// sent as `writeKey` in the body. Answers 200 also for a message that is refused, with the reason.
#[utoipa::path(
    post, path = "/v1/alias", tag = "Segment", operation_id = "segment_alias",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"previousId": "lead-7", "userId": "ada", "messageId": "a1b2c8"}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn alias(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_one(&api, Call::Alias, &headers, request).await
}

/// Sends several messages.
///
/// Up to 2 500 messages of at most 32 KiB each, in at most 4 MiB, plain or gzipped. A message that
/// cannot be used is refused by itself: its place, the field at fault and the reason are in `refused`,
/// and everything else is on disk when this answers. The same message sent again is stored once.
#[utoipa::path(
    post, path = "/v1/batch", tag = "Segment", operation_id = "segment_batch",
    security(("write_key" = []), ("secret_key" = []), ("member_token" = [])),
    request_body(content = Value, content_type = "application/json", example = json!(
        {"sentAt": "2026-05-01T09:30:01Z", "batch": [
            {"type": "track", "userId": "ada", "event": "login", "messageId": "a1b2c3",
             "timestamp": "2026-05-01T09:30:00Z"}
        ]}
    )),
    responses((status = 200, description = "Taken, as far as `refused` says.", body = SegmentAnswer)),
)]
pub(super) async fn batch(
    State(api): State<Api>,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<SegmentAnswer>, Problem> {
    take_batch(&api, &headers, None, request).await
}
