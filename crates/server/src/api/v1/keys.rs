//! `/api/v1/keys`: what opens the doors. A key's text is shown once and never stored.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::id::ApiKeyId;
use mainstay_store::{ApiKey, KeyKind, KeySource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{Api, body::Body, caller::Administrator, input::Id, names, problem::Problem};

/// A key, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
struct KeyBody {
    /// Its id.
    id: Uuid,
    /// What it opens.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// Its first characters, to tell keys apart.
    #[schema(example = "msk_Hk3d")]
    prefix: String,
    /// Whose it is, for a member's token.
    member_id: Option<Uuid>,
    /// Where it is used, for a write key.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
    /// Since when.
    created_at: Timestamp,
    /// Until when it opens anything: a member's token for a year, and until the member's password is
    /// changed. Other keys do not expire.
    expires_at: Option<Timestamp>,
    /// Since when it opens nothing any more.
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
    /// Newest first, those that were revoked too.
    keys: Vec<KeyBody>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// What it is to open.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// The member's address, for a member's token.
    #[schema(format = Email, example = "grace@example.com")]
    member: Option<String>,
    /// Where a write key is used; `server` when left out. What a `browser` key sends is self-told: its
    /// high-value events do not count unless the organization allows it.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
}

/// A new key.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedKey {
    /// Its id, to revoke it by.
    id: Uuid,
    /// What it opens.
    #[schema(value_type = names::KeyKind)]
    kind: KeyKind,
    /// Where it is used, for a write key.
    #[schema(value_type = Option<names::KeySource>)]
    source: Option<KeySource>,
    /// Its text, shown this once: keep it in a safe place.
    #[schema(example = "mwk_9mTWqfJ2Xx8cV1lJ0sZ7bQ4nR6yK3hD5gA2eU8iO1pM")]
    key: String,
    /// Until when it opens anything: a member's token for a year. Other keys do not expire.
    expires_at: Option<Timestamp>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(revoke_key))
}

/// Lists the keys.
///
/// Without their texts, which nobody knows but those who keep them. Needs the role owner or admin,
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

/// Makes a key.
///
/// The answer is the only place where its text is ever shown. Needs the role owner or admin, or a
/// secret key.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewKey,
    responses(
        (status = 201, description = "The new key.", body = CreatedKey),
        (status = 403, description = "The member is above whoever asks: an owner's token is made by an owner only."),
        (status = 404, description = "There is no such member."),
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
/// It opens nothing from the next request on. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    delete, path = "/api/v1/keys/{key_id}", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 204, description = "Revoked."),
        (status = 403, description = "It is the token of a member above whoever asks."),
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
