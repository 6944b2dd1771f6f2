use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Redirect},
};
use jiff::Timestamp;
use mainstay_core::id::MemberId;
use mainstay_store::{Member, MemberAccess, Role};
use serde::Deserialize;

use super::{AskedDone, Done, Frame, Tab, back};
use crate::{
    access::OneTimeLink,
    web::{
        AdminSession, Answer, Asked, FormError, InPath, PageError, Pages, Sent, StaffSession,
        StaffShell, Web, show, show_with,
    },
};

const PATH: &str = "/settings/members";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, list)
        .post(PATH, invite)
        .post("/settings/members/{member_id}/role", change_role)
        .post("/settings/members/{member_id}/link", make_link)
        .get("/settings/members/{member_id}/remove", ask_to_remove)
        .post("/settings/members/{member_id}/remove", remove)
}

struct Listed {
    member: Member,
    /// Whether it is whoever looks.
    own: bool,
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
    name: String,
    email: String,
    role: Role,
    error: Option<FormError>,
}

impl MembersPage {
    const ROLES: [(Role, &'static str); 3] =
        [(Role::Owner, "Owner"), (Role::Admin, "Admin"), (Role::Staff, "Staff")];

    async fn new(web: &Web, session: &StaffSession, done: &Done) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Members).after(done);
        let access = web.mainstay.member_access(session.organization_id()).await?;
        let members = web.mainstay.members_in(session.scope).await?;
        let members = members.into_iter().map(|member| {
            let access = access.iter().find(|access| access.member == member.id);
            Listed {
                own: member.id == session.member_id(),
                joined: access.is_some_and(|access: &MemberAccess| access.password),
                invited_until: access.and_then(|access| access.invited_until),
                member,
            }
        });
        Ok(Self {
            shell: frame.shell.clone(),
            frame,
            members: members.collect(),
            name: String::new(),
            email: String::new(),
            role: Role::Staff,
            error: None,
        })
    }
}

async fn list(session: StaffSession, State(web): State<Web>, Asked(done): AskedDone) -> Answer {
    show(&MembersPage::new(&web, &session, &done).await?)
}

#[derive(Deserialize)]
struct Invited {
    #[serde(default)]
    name: String,
    email: String,
    role: Role,
}

async fn invite(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Sent(invited): Sent<Invited>,
) -> Answer {
    let Invited { name, email, role } = invited;
    let organization = session.organization_id();
    let called = Some(name.trim()).filter(|name| !name.is_empty());
    match web.mainstay.add_member(organization, &email, called, role).await {
        Ok(member) => {
            let link = web.mainstay.invitation_link(organization, member.id, &web.site).await?;
            show_link(&session, &member, true, link)
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = MembersPage::new(&web, &session, &Done::default()).await?;
            let page = MembersPage { name, email, role, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct NewRole {
    role: Role,
}

async fn change_role(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    InPath(member): InPath<MemberId>,
    Sent(new): Sent<NewRole>,
) -> Answer {
    web.mainstay
        .set_role(session.organization_id(), member, new.role)
        .await
        .map_err(|error| PageError::from(error).back("Back to the members", PATH))?;
    if member == session.member_id() {
        return Ok(Redirect::to("/sign-in?notice=ended").into_response());
    }
    Ok(back(PATH, "role").into_response())
}

#[derive(Template)]
#[template(path = "settings/member_link.html")]
struct LinkPage<'a> {
    shell: StaffShell,
    frame: Frame,
    member: &'a Member,
    invites: bool,
    link: OneTimeLink,
}

fn show_link(session: &StaffSession, member: &Member, invites: bool, link: OneTimeLink) -> Answer {
    let frame = Frame::new(session, Tab::Members);
    show(&LinkPage { shell: frame.shell.clone(), frame, member, invites, link })
}

/// A link to pass on: an invitation for whoever has not joined, else one for a new password.
async fn make_link(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    InPath(id): InPath<MemberId>,
) -> Answer {
    let organization = session.organization_id();
    let member = find(&web, &session, id).await?;
    let access = web.mainstay.member_access(organization).await?;
    let joined = access.iter().any(|access| access.member == id && access.password);
    let link = if joined {
        web.mainstay.reset_link(organization, id, &web.site).await?
    } else {
        web.mainstay.invitation_link(organization, id, &web.site).await?
    };
    show_link(&session, &member, !joined, link)
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
    InPath(id): InPath<MemberId>,
) -> Answer {
    let member = find(&web, &session, id).await?;
    let frame = Frame::new(&session, Tab::Members);
    let own = id == session.member_id();
    show(&RemovePage { shell: frame.shell.clone(), frame, member, own })
}

async fn remove(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    InPath(id): InPath<MemberId>,
) -> Answer {
    web.mainstay
        .remove_member(session.organization_id(), id)
        .await
        .map_err(|error| PageError::from(error).back("Back to the members", PATH))?;
    if id == session.member_id() {
        return Ok(Redirect::to("/sign-in?notice=ended").into_response());
    }
    Ok(back(PATH, "removed").into_response())
}

async fn find(web: &Web, session: &StaffSession, id: MemberId) -> Result<Member, PageError> {
    let members = web.mainstay.members_in(session.scope).await?;
    members.into_iter().find(|member| member.id == id).ok_or_else(|| {
        PageError::not_found("There is no such member, or not any more.")
            .back("Back to the members", PATH)
    })
}
