//! `/api/v1/keys`: API keys. A key is shown only once and never stored in plain text.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::id::ApiKeyId;
use mainstay_store::{ApiKey, KeyKind, KeySource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{Api, body::Body, caller::Administrator, input::Id, names, problem::Problem};

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyBody {
    /// Its id.
    id: Uuid,
    /// The kind of key.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// The first characters, to identify the key.
    #[schema(example = "msk_Hk3d")]
    prefix: String,
    /// The member, for a member's token.
    member_id: Option<Uuid>,
    /// The source, for a write key.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
    /// When it was created.
    created_at: Timestamp,
    /// When it expires: a member's token after a year, or when the member's password changes. Other
    /// keys do not expire.
    expires_at: Option<Timestamp>,
    /// When it was revoked.
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.uuid(),
            kind: key.kind,
            prefix: key.prefix,
            member_id: key.member.map(mainstay_core::id::MemberId::uuid),
            source: key.source,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// The organization's keys.
#[derive(Debug, Serialize, ToSchema)]
struct Keys {
    /// Newest first, including revoked keys.
    keys: Vec<KeyBody>,
}

/// A key to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// The kind of key.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// The member's address, for a member's token.
    #[schema(format = Email, example = "grace@example.com")]
    member: Option<String>,
    /// The source of a write key; `server` if omitted. Events from a `browser` key are
    /// self-reported: its high-value events do not count unless the organization allows it.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedKey {
    /// The id, needed to revoke it.
    id: Uuid,
    /// The kind of key.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// The source, for a write key.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
    /// The secret, shown only once: store it safely.
    #[schema(example = "mwk_9mTWqfJ2Xx8cV1lJ0sZ7bQ4nR6yK3hD5gA2eU8iO1pM")]
    key: String,
    /// When it expires: a member's token after a year. Other keys do not expire.
    expires_at: Option<Timestamp>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(revoke_key))
}

/// Lists the keys.
///
/// Without their secrets, which are not stored. Needs the role owner or admin,
/// or a secret key.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The keys.", body = Keys)),
)]
async fn list_keys(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<Json<Keys>, Problem> {
    let keys = api.mainstay.keys_in(administrator.scope).await?;
    Ok(Json(Keys { keys: keys.into_iter().map(Into::into).collect() }))
}

/// Creates a key.
///
/// The secret is only shown in this response. Needs the role owner or admin, or a
/// secret key.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewKey,
    responses(
        (status = 201, description = "The new key.", body = CreatedKey),
        (status = 403, description = "The member's role is higher than the caller's: only an owner can create an owner's token."),
        (status = 404, description = "The member does not exist."),
    ),
)]
async fn create_key(
    administrator: Administrator,
    State(api): State<Api>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    let created = api
        .mainstay
        .create_key_for(administrator.actor, new.kind, new.member.as_deref(), new.source)
        .await?;
    let crate::access::CreatedKey { id, key, kind, source, expires_at } = created;
    let body = CreatedKey { id: id.uuid(), kind, source, key, expires_at };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Revokes a key.
///
/// Takes effect immediately. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/keys/{key_id}", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 204, description = "Revoked."),
        (status = 403, description = "The token's member has a higher role than the caller."),
    ),
)]
async fn revoke_key(
    administrator: Administrator,
    State(api): State<Api>,
    Id(key): Id<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    api.mainstay.revoke_key(administrator.actor, key).await?;
    Ok(StatusCode::NO_CONTENT)
}
