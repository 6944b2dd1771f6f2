use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
};
use serde::Deserialize;

use super::{AskedDone, Frame, Tab, back};
use crate::{
    access::session::COOKIE_SECONDS,
    web::{
        Answer, Asked, FormError, Pages, Sent, StaffSession, StaffShell, Web,
        session::cookie::{Transport, keep_member},
        session::origin::From,
        show, show_with,
        sign_in::password_hint,
    },
};

const PATH: &str = "/settings/profile";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get(PATH, form)
        .post(PATH, rename)
        .post("/settings/profile/password", change_password)
        .post("/settings/profile/sessions", end_other_sessions)
}

#[derive(Template)]
#[template(path = "settings/profile.html")]
struct ProfilePage {
    shell: StaffShell,
    frame: Frame,
    name: String,
    email: String,
    password_hint: String,
    error: Option<FormError>,
}

impl ProfilePage {
    fn new(session: &StaffSession) -> Self {
        let frame = Frame::new(session, Tab::Profile);
        Self {
            shell: frame.shell.clone(),
            frame,
            name: session.member.name.clone(),
            email: session.member.email.clone(),
            password_hint: password_hint(),
            error: None,
        }
    }
}

async fn form(session: StaffSession, Asked(done): AskedDone) -> Answer {
    let page = ProfilePage::new(&session);
    show(&ProfilePage { frame: page.frame.after(&done), ..page })
}

#[derive(Deserialize)]
struct NewName {
    name: String,
}

async fn rename(
    session: StaffSession,
    State(web): State<Web>,
    Sent(NewName { name }): Sent<NewName>,
) -> Answer {
    let organization = session.organization_id();
    match web.mainstay.rename_member(organization, session.member_id(), &name).await {
        Ok(()) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = ProfilePage { name, error, ..ProfilePage::new(&session) };
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
    session: StaffSession,
    State(web): State<Web>,
    From(from): From,
    headers: HeaderMap,
    Sent(sent): Sent<Passwords>,
) -> Answer {
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
            let cookie = keep_member(transport, &token, COOKIE_SECONDS);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = ProfilePage { error, ..ProfilePage::new(&session) };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn end_other_sessions(session: StaffSession, State(web): State<Web>) -> Answer {
    web.mainstay.end_other_sessions(&session.member, session.scope, &session.token).await?;
    Ok(back(PATH, "sessions").into_response())
}
