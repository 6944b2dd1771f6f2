//! `/api/v1/members`: the users of an organization.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::id::MemberId;
use mainstay_store::{Member, Role, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{
    Api,
    body::{Body, OptionalBody},
    caller::{Administrator, StaffCaller},
    input::Id,
    names,
    problem::Problem,
};

/// A user of the organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberBody {
    /// Its id.
    id: Uuid,
    /// The email address, unique in the organization.
    #[schema(example = "grace@example.com")]
    email: String,
    /// The display name.
    #[schema(example = "Grace")]
    name: String,
    /// The role.
    #[schema(value_type = names::Role)]
    role: Role,
    /// When it was created.
    created_at: Timestamp,
}

impl From<Member> for MemberBody {
    fn from(member: Member) -> Self {
        Self {
            id: member.id.uuid(),
            email: member.email,
            name: member.name,
            role: member.role,
            created_at: member.created_at,
        }
    }
}

/// The organization's members.
#[derive(Debug, Serialize, ToSchema)]
struct Members {
    /// Members are ordered by email address.
    members: Vec<MemberBody>,
}

/// A member to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// The email address.
    #[schema(format = Email, max_length = 254, example = "grace@example.com")]
    email: String,
    /// The display name; the address if omitted.
    #[schema(max_length = 255, example = "Grace")]
    name: Option<String>,
    /// The role.
    #[schema(value_type = names::Role)]
    role: Role,
}

/// The lifetime of a badge token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBadgeToken {
    /// The lifetime in seconds, at most 3 600 (one hour), which is the default.
    #[schema(minimum = 1, maximum = 3_600, example = 900)]
    expires_in_seconds: Option<i64>,
}

/// A badge token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BadgeToken)]
struct BadgeTokenBody {
    /// The token, for the widget's attribute `token`.
    token: String,
    /// When it expires.
    expires_at: Timestamp,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_members, add_member))
        .routes(routes!(remove_member))
        .routes(routes!(create_badge_token))
}

/// Lists the members.
///
/// Members are ordered by email address.
#[utoipa::path(
    get, path = "/api/v1/members", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The members.", body = Members)),
)]
async fn list_members(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<Members>, Problem> {
    let members = api.mainstay.members_in(caller.scope).await?;
    Ok(Json(Members { members: members.into_iter().map(Into::into).collect() }))
}

/// Adds a member.
///
/// Needs the role owner or admin, or a secret key; only an owner can add an owner. The member signs
/// in with a member token, see `POST /api/v1/keys`.
#[utoipa::path(
    post, path = "/api/v1/members", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewMember,
    responses(
        (status = 201, description = "The new member.", body = MemberBody),
        (status = 403, description = "The role is higher than the caller's: only an owner can add an owner."),
        (status = 409, description = "A member with this address already exists."),
    ),
)]
async fn add_member(
    administrator: Administrator,
    State(api): State<Api>,
    Body(new): Body<NewMember>,
) -> Result<(StatusCode, Json<MemberBody>), Problem> {
    let member = api
        .mainstay
        .add_member(administrator.actor, &new.email, new.name.as_deref(), new.role)
        .await?;
    Ok((StatusCode::CREATED, Json(member.into())))
}

/// Creates a badge token.
///
/// For a page of the host app that contains `<mainstay-alert-badge>`: the token can only read the
/// number of open alerts, for at most one hour. Request it with the secret key when rendering the
/// page; a member's own token must not be part of a page.
#[utoipa::path(
    post, path = "/api/v1/members/{member_id}/badge-token", tag = "Organization",
    security(("secret_key" = [])),
    request_body = Option<NewBadgeToken>,
    responses((status = 201, description = "The token, shown only once.", body = BadgeTokenBody)),
)]
async fn create_badge_token(
    administrator: Administrator,
    Id(member): Id<MemberId>,
    State(api): State<Api>,
    OptionalBody(new): OptionalBody<NewBadgeToken>,
) -> Result<(StatusCode, Json<BadgeTokenBody>), Problem> {
    if !matches!(administrator.scope, Scope::Service(_)) {
        return Err(Problem::forbidden(
            "badge tokens are created by the host app's server; use a secret key (msk_…)",
        ));
    }
    let organization = administrator.organization;
    let token =
        api.mainstay.create_badge_token(organization, member, new.expires_in_seconds).await?;
    let body = BadgeTokenBody { token: token.token, expires_at: token.expires_at };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Removes a member.
///
/// Its tokens are revoked. Needs the role owner or admin, or a secret key; only an owner can remove
/// an owner. The last owner cannot be removed.
#[utoipa::path(
    delete, path = "/api/v1/members/{member_id}", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 204, description = "Removed."),
        (status = 403, description = "The member's role is higher than the caller's: only an owner can remove an owner."),
        (status = 409, description = "The member is the only owner."),
    ),
)]
async fn remove_member(
    administrator: Administrator,
    State(api): State<Api>,
    Id(member): Id<MemberId>,
) -> Result<StatusCode, Problem> {
    api.mainstay.remove_member(administrator.actor, member).await?;
    Ok(StatusCode::NO_CONTENT)
}
