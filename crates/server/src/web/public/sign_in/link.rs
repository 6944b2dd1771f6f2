//! `/sign-in/link/{secret}`: one-time links. Opening one shows a form; only sending it uses the link.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use mainstay_store::{LinkKind, Member, Organization};
use serde::Deserialize;

use crate::{
    access::{LinkForm, OpenedLink},
    web::{
        BareShell, Form, FormError, PageError, PageResult, Pages, Path, Theme, Web,
        session::origin::{ClientIp, SecureTransport},
        show_with,
        ui::text::visible,
    },
};

use super::{let_in, password_hint};

pub(super) fn pages() -> Pages {
    Pages::new().get("/sign-in/link/{secret}", open).post("/sign-in/link/{secret}", use_up)
}

#[derive(Template)]
#[template(path = "public/sign_in/link.html")]
struct LinkPage {
    shell: BareShell,
    title: &'static str,
    button: &'static str,
    organization: String,
    /// The member's address; the first owner fills it in.
    member: Option<String>,
    asks_name: bool,
    name: String,
    email: String,
    password_hint: String,
    error: Option<FormError>,
}

impl LinkPage {
    fn new(
        theme: Theme,
        kind: LinkKind,
        organization: &Organization,
        member: Option<&Member>,
    ) -> Self {
        let (title, button) = match kind {
            LinkKind::Setup => ("Set up your account", "Create account"),
            LinkKind::Invitation => ("Accept the invitation", "Create account"),
            LinkKind::Reset | LinkKind::Choice => ("Choose a new password", "Save password"),
        };
        let name = member.filter(|member| member.name != member.email);
        Self {
            shell: BareShell { theme },
            title,
            button,
            organization: visible(&organization.name, &organization.slug).to_owned(),
            member: member.map(|member| member.email.clone()),
            asks_name: matches!(kind, LinkKind::Setup | LinkKind::Invitation),
            name: name.map(|member| member.name.clone()).unwrap_or_default(),
            email: String::new(),
            password_hint: password_hint(),
            error: None,
        }
    }
}

async fn open(
    State(web): State<Web>,
    theme: Theme,
    transport: SecureTransport,
    ClientIp(from): ClientIp,
    Path(secret): Path<String>,
) -> PageResult {
    let SecureTransport(_) = transport;
    web.limits.check(from, &secret)?;
    match web.mainstay.open_link(&secret).await? {
        OpenedLink::Usable { kind, organization, member } if kind != LinkKind::Choice => {
            let page = LinkPage::new(theme, kind, &organization, member.as_ref());
            show_with(StatusCode::OK, &page)
        }
        other => Err(unusable(&other)),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AcceptLinkForm {
    name: String,
    email: String,
    password: String,
}

async fn use_up(
    State(web): State<Web>,
    theme: Theme,
    SecureTransport(transport): SecureTransport,
    ClientIp(from): ClientIp,
    Path(secret): Path<String>,
    Form(fields): Form<AcceptLinkForm>,
) -> PageResult {
    web.limits.check(from, &secret)?;
    let AcceptLinkForm { name, email, password } = fields;
    let form = LinkForm { name: name.clone(), email: email.clone(), password };
    let error = match web.mainstay.use_link(&secret, form).await {
        Ok(Ok(token)) => return Ok::<Response, _>(let_in(transport, &token, None)),
        Ok(Err(opened)) => return Err(unusable(&opened)),
        Err(error) => FormError::of(error)?,
    };
    match web.mainstay.open_link(&secret).await? {
        OpenedLink::Usable { kind, organization, member } => {
            let page = LinkPage::new(theme, kind, &organization, member.as_ref());
            let page = LinkPage { name, email, error: Some(error), ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        other => Err(unusable(&other)),
    }
}

fn unusable(opened: &OpenedLink) -> PageError {
    let gone = |title: &str, detail: String| PageError::new(StatusCode::GONE, title, detail);
    let ask = "Ask an owner or admin of your organization for a new one.";
    let error = match opened {
        OpenedLink::Used(at) => gone(
            "This link was used",
            format!(
                "It works once, and was used on {}. Sign in, or choose a new password.",
                day(at)
            ),
        ),
        OpenedLink::Expired(at) => {
            gone("This link has expired", format!("It worked until {}. {ask}", day(at)))
        }
        OpenedLink::Unknown | OpenedLink::Usable { .. } => PageError::new(
            StatusCode::NOT_FOUND,
            "This link does not work",
            format!("Check that you copied all of it: the end may be missing. {ask}"),
        ),
    };
    error.back("Sign in", "/sign-in")
}

fn day(at: &jiff::Zoned) -> String {
    at.strftime("%-d %b %Y, %H:%M").to_string()
}
