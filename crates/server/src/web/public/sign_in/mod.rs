//! `/sign-in`: members come in by address and password, or by a one-time link.

mod client;
mod limits;
mod link;
mod reset;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;

use crate::{
    access::{
        MAX_PASSWORD_CHARS, MIN_PASSWORD_CHARS, OrganizationChoice, SignInOutcome,
        session::COOKIE_MAX_AGE_SECONDS,
    },
    web::{
        BareShell, Form, PageError, PageResult, Pages, Query, StaffSession, Theme, Web,
        session::{
            cookie::{self, Transport},
            origin::{ClientIp, SecureTransport},
        },
        show, show_with,
        ui::text::local_path,
    },
};

pub(in crate::web) use limits::Limits;

/// Where members go when they did not ask for anything else.
const START: &str = "/portfolio";

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/sign-in", form)
        .post("/sign-in", sign_in)
        .post("/sign-in/choose", choose)
        .post("/sign-out", sign_out)
        .and(link::pages())
        .and(reset::pages())
        .and(client::pages())
}

#[derive(Template)]
#[template(path = "public/sign_in/sign_in.html")]
struct SignInPage {
    shell: BareShell,
    notice: Option<&'static str>,
    wrong: bool,
    email: String,
    next: String,
}

#[derive(Template)]
#[template(path = "public/sign_in/choose.html")]
struct ChoosePage {
    shell: BareShell,
    choices: Vec<OrganizationChoice>,
    next: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SignInQuery {
    next: String,
    email: String,
    notice: String,
}

/// What is told above the form, by its name in the address.
fn notice(name: &str) -> Option<&'static str> {
    match name {
        "ended" => Some(
            "Your session has ended: you signed out, your access was changed, or you were away for \
             30 days. Sign in again.",
        ),
        "signed-out" => Some("You are signed out."),
        "late" => Some("You took more than 5 minutes to choose. Sign in again."),
        _ => None,
    }
}

async fn form(
    theme: Theme,
    session: Result<StaffSession, PageError>,
    transport: SecureTransport,
    Query(query): Query<SignInQuery>,
) -> PageResult {
    let SecureTransport(_) = transport;
    let next = local_path(&query.next);
    if session.is_ok() {
        return Ok(Redirect::to(next.as_deref().unwrap_or(START)).into_response());
    }
    show(&SignInPage {
        shell: BareShell { theme },
        notice: notice(&query.notice),
        wrong: false,
        email: query.email,
        next: next.unwrap_or_default(),
    })
}

#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(web): State<Web>,
    theme: Theme,
    SecureTransport(transport): SecureTransport,
    ClientIp(from): ClientIp,
    Form(sent): Form<Credentials>,
) -> PageResult {
    web.limits.check_sign_in(from, &sent.email)?;
    let next = local_path(&sent.next);
    let shell = BareShell { theme };
    match web.mainstay.sign_in(&sent.email, &sent.password, from).await? {
        SignInOutcome::SignedIn(token) => {
            web.limits.trust(from, &sent.email);
            Ok(let_in(transport, &token, next.as_deref()))
        }
        SignInOutcome::ChooseOrganization(choices) => {
            web.limits.trust(from, &sent.email);
            show(&ChoosePage { shell, choices, next: next.unwrap_or_default() })
        }
        SignInOutcome::Rejected => show_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &SignInPage {
                shell,
                notice: None,
                wrong: true,
                email: sent.email,
                next: next.unwrap_or_default(),
            },
        ),
    }
}

#[derive(Deserialize)]
struct OrganizationForm {
    secret: String,
    #[serde(default)]
    next: String,
}

async fn choose(
    State(web): State<Web>,
    SecureTransport(transport): SecureTransport,
    ClientIp(from): ClientIp,
    Form(chosen): Form<OrganizationForm>,
) -> PageResult {
    web.limits.check(from, "")?;
    Ok(match web.mainstay.use_choice(&chosen.secret).await? {
        Some(token) => let_in(transport, &token, local_path(&chosen.next).as_deref()),
        None => Redirect::to("/sign-in?notice=late").into_response(),
    })
}

/// Ends the session, whether or not it was still in force.
async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> PageResult {
    let transport = Transport::of(&web.site, &headers);
    if let Some(token) = cookie::read(&headers, transport, cookie::MEMBER) {
        web.mainstay.end_session(&token).await?;
    }
    let mut response = Redirect::to("/sign-in?notice=signed-out").into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie::clear_member(transport));
    Ok(response)
}

/// What a new password must be.
pub(in crate::web) fn password_hint() -> String {
    format!(
        "{MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters of any kind, for example four words."
    )
}

/// Begins a session in the browser and goes on to where the member was going.
pub(in crate::web) fn let_in(transport: Transport, token: &str, next: Option<&str>) -> Response {
    let mut response = Redirect::to(next.unwrap_or(START)).into_response();
    let cookie = cookie::set_member(transport, token, COOKIE_MAX_AGE_SECONDS);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
