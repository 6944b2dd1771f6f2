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
    caller::{Administrator, Worker},
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
    /// Its address, unique in the organization.
    #[schema(example = "grace@example.com")]
    email: String,
    /// What people call it.
    #[schema(example = "Grace")]
    name: String,
    /// What it may do.
    #[schema(value_type = names::Role)]
    role: Role,
    /// Since when.
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
    /// By address.
    members: Vec<MemberBody>,
}

/// A member to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// Its address.
    #[schema(format = Email, max_length = 254, example = "grace@example.com")]
    email: String,
    /// What people call it; its address when left out.
    #[schema(max_length = 255, example = "Grace")]
    name: Option<String>,
    /// What it may do.
    #[schema(value_type = names::Role)]
    role: Role,
}

/// How long a badge token is to live.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBadgeToken {
    /// Seconds, at most 3 600 (one hour), which it is when left out.
    #[schema(minimum = 1, maximum = 3_600, example = 900)]
    expires_in_seconds: Option<i64>,
}

/// A badge token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BadgeToken)]
struct BadgeTokenBody {
    /// For the widget's attribute `token`.
    token: String,
    /// Until when it is good.
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
/// All of them, by address.
#[utoipa::path(
    get, path = "/api/v1/members", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The members.", body = Members)),
)]
async fn list_members(worker: Worker, State(api): State<Api>) -> Result<Json<Members>, Problem> {
    let members = api.mainstay.members_in(worker.scope).await?;
    Ok(Json(Members { members: members.into_iter().map(Into::into).collect() }))
}

/// Adds a member.
///
/// Needs the role owner or admin, or a secret key; an owner is added by an owner only. The member gets in
/// with a member token, see `POST /api/v1/keys`.
#[utoipa::path(
    post, path = "/api/v1/members", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewMember,
    responses(
        (status = 201, description = "The new member.", body = MemberBody),
        (status = 403, description = "The role is above whoever asks: only an owner adds an owner."),
        (status = 409, description = "The address is a member's already."),
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

/// Makes a badge token.
///
/// For the page in which the host app shows this member `<mainstay-alert-badge>`: it reads how many alerts
/// are open, and nothing else, for an hour at most. Ask for it with the secret key when the page is made;
/// a member's own token must not stand in a page.
#[utoipa::path(
    post, path = "/api/v1/members/{member_id}/badge-token", tag = "Organization",
    security(("secret_key" = [])),
    request_body = Option<NewBadgeToken>,
    responses((status = 201, description = "The token, shown this once.", body = BadgeTokenBody)),
)]
async fn create_badge_token(
    administrator: Administrator,
    Id(member): Id<MemberId>,
    State(api): State<Api>,
    OptionalBody(new): OptionalBody<NewBadgeToken>,
) -> Result<(StatusCode, Json<BadgeTokenBody>), Problem> {
    if !matches!(administrator.scope, Scope::Service(_)) {
        return Err(Problem::forbidden(
            "badge tokens are made by the host app's server; this needs a secret key (msk_…)",
        ));
    }
    let organization = administrator.organization;
    let made =
        api.mainstay.create_badge_token(organization, member, new.expires_in_seconds).await?;
    let body = BadgeTokenBody { token: made.token, expires_at: made.expires_at };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Removes a member.
///
/// Its tokens open nothing from then on. Needs the role owner or admin, or a secret key; an owner is
/// removed by an owner only. The last owner stays, since nobody could let it in again.
#[utoipa::path(
    delete, path = "/api/v1/members/{member_id}", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 204, description = "Removed."),
        (status = 403, description = "The member is above whoever asks: only an owner removes an owner."),
        (status = 409, description = "It is the only owner."),
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
