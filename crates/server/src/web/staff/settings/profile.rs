use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
};
use mainstay_store::MemberSession;
use serde::Deserialize;

use super::{DoneQuery, Frame, Tab, back};
use crate::{
    Mainstay,
    access::session::{COOKIE_MAX_AGE_SECONDS, hex, parse_hex},
    web::{
        AccountSession, Form, FormError, PageError, PageResult, Pages, Path, Query, StaffSession,
        StaffShell, Web,
        public::sign_in::password_hint,
        session::{
            cookie::{Transport, set_member},
            origin::ClientIp,
        },
        show, show_with,
    },
};

const PATH: &str = "/settings/profile";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, form)
        .post(PATH, rename)
        .post("/settings/profile/password", change_password)
        .post("/settings/profile/sessions", end_other_sessions)
        .post("/settings/profile/sessions/{session}/end", end_session)
        .post("/settings/profile/failures", confirm_failures)
}

#[derive(Template)]
#[template(path = "settings/profile.html")]
struct ProfilePage {
    shell: StaffShell,
    frame: Frame,
    name: String,
    email: String,
    password_hint: String,
    sessions: Vec<Listed>,
    error: Option<FormError>,
}

/// A session, for its member.
struct Listed {
    id: String,
    began: String,
    used: String,
    /// Whether it is the one that looks.
    own: bool,
}

impl ProfilePage {
    async fn new(web: &Web, session: &StaffSession) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Profile);
        let sessions = web.mainstay.sessions(&session.member, session.scope).await?;
        let listed = |one: MemberSession| Listed {
            id: hex(&one.hash),
            began: frame.moment(&one.created_at),
            used: frame.moment(&one.used_at),
            own: Mainstay::is_session(&session.token, &one.hash),
        };
        Ok(Self {
            sessions: sessions.into_iter().map(listed).collect(),
            shell: frame.shell.clone(),
            frame,
            name: session.member.name.clone(),
            email: session.member.email.clone(),
            password_hint: password_hint(),
            error: None,
        })
    }
}

async fn form(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    let page = ProfilePage::new(&web, &session).await?;
    show(&ProfilePage { frame: page.frame.after(&done), ..page })
}

#[derive(Deserialize)]
struct NewName {
    name: String,
}

async fn rename(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
    Form(NewName { name }): Form<NewName>,
) -> PageResult {
    let organization = session.organization_id();
    match web.mainstay.rename_member(organization, session.member_id(), &name).await {
        Ok(()) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = ProfilePage { name, error, ..ProfilePage::new(&web, &session).await? };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

#[derive(Deserialize)]
struct Passwords {
    present: String,
    password: String,
}

async fn change_password(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
    ClientIp(from): ClientIp,
    headers: HeaderMap,
    Form(sent): Form<Passwords>,
) -> PageResult {
    // Whoever finds a browser that is signed in must not be able to guess the password in it.
    web.limits.check(from, &session.member.email)?;
    let organization = session.organization_id();
    let changed = web
        .mainstay
        .change_password(organization, &session.member, &sent.present, &sent.password)
        .await;
    match changed {
        Ok(token) => {
            let transport = Transport::of(&web.site, &headers);
            let mut response = back(PATH, "password").into_response();
            let cookie = set_member(transport, &token, COOKIE_MAX_AGE_SECONDS);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = ProfilePage { error, ..ProfilePage::new(&web, &session).await? };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn end_session(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
    Path(id): Path<String>,
) -> PageResult {
    let hash = parse_hex(&id).ok_or_else(|| {
        PageError::not_found("The session does not exist.").back("Back to your profile", PATH)
    })?;
    web.mainstay
        .end_session_of(&session.member, session.scope, hash)
        .await
        .map_err(|error| PageError::from(error).back("Back to your profile", PATH))?;
    Ok(back(PATH, "session").into_response())
}

/// The member knows of the wrong passwords that were tried for it.
async fn confirm_failures(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
) -> PageResult {
    web.mainstay.forget_sign_in_failures(session.organization_id(), session.member_id()).await?;
    Ok(back(PATH, "failures").into_response())
}

async fn end_other_sessions(
    AccountSession(session): AccountSession,
    State(web): State<Web>,
) -> PageResult {
    web.mainstay.end_other_sessions(&session.member, session.scope, &session.token).await?;
    Ok(back(PATH, "sessions").into_response())
}
