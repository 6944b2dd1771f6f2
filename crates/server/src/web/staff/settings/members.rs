use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Redirect},
};
use jiff::Timestamp;
use mainstay_core::id::MemberId;
use mainstay_store::{LinkKind, Member, MemberAccess, Role};
use serde::Deserialize;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::{
    access::OneTimeLink,
    web::{
        AdminSession, Confirmed, FormError, PageError, PageResult, Pages, Path, Query, Sensitive,
        StaffSession, StaffShell, Web,
        session::once::{clear_once, read_once, show_once},
        show, show_with,
    },
};

const PATH: &str = "/settings/members";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .post(PATH, invite)
        .post("/settings/members/{member_id}/role", change_role)
        .get("/settings/members/{member_id}/link", show_link)
        .post("/settings/members/{member_id}/link", make_link)
        .get("/settings/members/{member_id}/remove", ask_to_remove)
        .post("/settings/members/{member_id}/remove", remove)
}

struct Listed {
    member: Member,
    /// Whether it is the signed-in member.
    own: bool,
    /// Whether the signed-in member may change it: nobody changes a member with a higher role.
    manageable: bool,
    /// Whether it has chosen a password.
    joined: bool,
    invited_until: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "settings/members.html")]
struct MembersPage {
    shell: StaffShell,
    frame: Frame,
    members: Vec<Listed>,
    /// The roles that the signed-in member may assign.
    roles: Vec<(Role, &'static str)>,
    name: String,
    email: String,
    role: Role,
    error: Option<FormError>,
}

impl MembersPage {
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Members).after(done);
        let access = web.mainstay.member_access(session.organization_id()).await?;
        let members = web.mainstay.members_in(session.scope).await?;
        let members = members.into_iter().map(|member| {
            let access = access.iter().find(|access| access.member == member.id);
            Listed {
                own: member.id == session.member_id(),
                manageable: session.member.role.may_manage(member.role),
                joined: access.is_some_and(|access: &MemberAccess| access.password),
                invited_until: access.and_then(|access| access.invited_until),
                member,
            }
        });
        Ok(Self {
            shell: frame.shell.clone(),
            frame,
            members: members.collect(),
            roles: Role::ALL
                .into_iter()
                .filter(|role| session.member.role.may_manage(*role))
                .map(|role| (role, name_of(role)))
                .collect(),
            name: String::new(),
            email: String::new(),
            role: Role::Staff,
            error: None,
        })
    }
}

async fn list(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&MembersPage::new(&web, &session, &done).await?)
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    name: String,
    email: String,
    role: Role,
}

impl Sensitive for Invited {
    const PAGE: &'static str = PATH;

    fn is_sensitive(&self) -> bool {
        self.role.may_administer()
    }
}

async fn invite(
    State(web): State<Web>,
    headers: HeaderMap,
    Confirmed(session, invited): Confirmed<Invited>,
) -> PageResult {
    let Invited { name, email, role } = invited;
    let called = Some(name.trim()).filter(|name| !name.is_empty());
    match web.mainstay.add_member(session.actor(), &email, called, role).await {
        Ok(member) => {
            let link = web.mainstay.invitation_link(session.actor(), member.id, &web.site).await?;
            Ok(show_once(&web, &headers, &link.secret, &link_path(member.id)))
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = MembersPage::new(&web, &session, &DoneParams::default()).await?;
            let page = MembersPage { name, email, role, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

impl Sensitive for NewRole {
    const PAGE: &'static str = PATH;
}

async fn change_role(
    State(web): State<Web>,
    Path(member): Path<MemberId>,
    Confirmed(session, new): Confirmed<NewRole>,
) -> PageResult {
    web.mainstay
        .set_role(session.actor(), member, new.role)
        .await
        .map_err(|error| PageError::from(error).back("Back to members", PATH))?;
    if member == session.member_id() {
        return Ok(Redirect::to("/sign-in?notice=ended").into_response());
    }
    Ok(back(PATH, "role").into_response())
}

#[derive(Template)]
#[template(path = "settings/member_link.html")]
struct LinkPage {
    shell: StaffShell,
    frame: Frame,
    member: Member,
    invites: bool,
    /// The link, unless it was shown before.
    link: Option<OneTimeLink>,
}

fn link_path(member: MemberId) -> String {
    format!("{PATH}/{member}/link")
}

/// Shows the link that was just made, once.
async fn show_link(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    headers: HeaderMap,
    Path(id): Path<MemberId>,
) -> PageResult {
    let organization = session.organization_id();
    let member = find(&web, &session, id).await?;
    let new = match read_once(&web, &headers) {
        Some(secret) => web.mainstay.unused_link_of(organization, id, &secret, &web.site).await?,
        None => None,
    };
    let frame = Frame::new(&session, Tab::Members);
    let shell = frame.shell.clone();
    let Some((kind, link)) = new else {
        let invites = !has_joined(&web, &session, id).await?;
        return show(&LinkPage { shell, frame, member, invites, link: None });
    };
    let invites = kind == LinkKind::Invitation;
    let page = show(&LinkPage { shell, frame, member, invites, link: Some(link) })?;
    Ok(clear_once(&web, &headers, page))
}

async fn has_joined(web: &Web, session: &StaffSession, id: MemberId) -> Result<bool, PageError> {
    let access = web.mainstay.member_access(session.organization_id()).await?;
    Ok(access.iter().any(|access| access.member == id && access.password))
}

/// A form without fields.
#[derive(Deserialize)]
struct NewLink {}

impl Sensitive for NewLink {
    const PAGE: &'static str = PATH;
}

/// A link to pass on: an invitation for a member who has not joined, otherwise a password reset.
async fn make_link(
    State(web): State<Web>,
    headers: HeaderMap,
    Path(id): Path<MemberId>,
    Confirmed(session, _): Confirmed<NewLink>,
) -> PageResult {
    find(&web, &session, id).await?;
    let link = if has_joined(&web, &session, id).await? {
        web.mainstay.reset_link(session.actor(), id, &web.site).await
    } else {
        web.mainstay.invitation_link(session.actor(), id, &web.site).await
    }
    .map_err(|error| PageError::from(error).back("Back to members", PATH))?;
    Ok(show_once(&web, &headers, &link.secret, &link_path(id)))
}

#[derive(Template)]
#[template(path = "settings/member_remove.html")]
struct RemovePage {
    shell: StaffShell,
    frame: Frame,
    member: Member,
    own: bool,
}

async fn ask_to_remove(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<MemberId>,
) -> PageResult {
    let member = find(&web, &session, id).await?;
    let frame = Frame::new(&session, Tab::Members);
    let own = id == session.member_id();
    show(&RemovePage { shell: frame.shell.clone(), frame, member, own })
}

async fn remove(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Path(id): Path<MemberId>,
) -> PageResult {
    web.mainstay
        .remove_member(session.actor(), id)
        .await
        .map_err(|error| PageError::from(error).back("Back to members", PATH))?;
    if id == session.member_id() {
        return Ok(Redirect::to("/sign-in?notice=ended").into_response());
    }
    Ok(back(PATH, "removed").into_response())
}

const fn name_of(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Staff => "Staff",
        Role::Viewer => "Viewer",
    }
}

async fn find(web: &Web, session: &StaffSession, id: MemberId) -> Result<Member, PageError> {
    let members = web.mainstay.members_in(session.scope).await?;
    members.into_iter().find(|member| member.id == id).ok_or_else(|| {
        PageError::not_found("The member does not exist or was removed.")
            .back("Back to members", PATH)
    })
}
