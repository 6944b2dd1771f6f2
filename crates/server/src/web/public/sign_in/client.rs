//! `/client/sign-in`: clients come in by their app's token or by a link.

use std::net::IpAddr;

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use url::Url;

use crate::{
    access::{NewClientSession, SignedInClient},
    web::{
        BareShell, Form, PageError, PageResult, Pages, Query, Theme, Web,
        security::{FrameAncestors, SEC_FETCH_SITE},
        session::{
            cookie::{self, Transport},
            origin::{ClientIp, SecureTransport},
        },
        show,
        ui::{components::display_name, text::visible},
    },
};

const START: &str = "/client/dashboard/success";

pub(super) fn pages() -> Pages {
    Pages::new()
        .get("/client/sign-in", open)
        .post("/client/sign-in", sign_in)
        .post("/client/sign-out", sign_out)
}

/// Asks whether the link was meant, because another site may have opened it.
#[derive(Template)]
#[template(path = "public/sign_in/client.html")]
struct ClientLinkPage {
    shell: BareShell,
    client: String,
    organization: String,
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientTokenForm {
    token: String,
}

/// Lets a client in. What it is let in by was signed, and so is the session in its cookie: nothing is
/// stored, so that a GET may do this. But a page of anybody's could open its own link in somebody
/// else's browser, who would then answer and read as another client: from there it takes a click.
async fn open(
    State(web): State<Web>,
    SecureTransport(transport): SecureTransport,
    ClientIp(from): ClientIp,
    theme: Theme,
    Extension(ancestors): Extension<FrameAncestors>,
    headers: HeaderMap,
    Query(form): Query<ClientTokenForm>,
) -> PageResult {
    let session = check(&web, from, &form).await?;
    let Some(signed_in) = web.mainstay.client_session(&session.token).await? else {
        return Err(no_link());
    };
    let SignedInClient { organization, external_id, known, allowed_sites, .. } = signed_in;
    if !is_from_other_site(&headers, &allowed_sites) {
        return Ok(let_in(transport, &session));
    }
    ancestors.allow(allowed_sites);
    let name = known.as_ref().and_then(|(_, client)| client.profile.name.as_deref());
    show(&ClientLinkPage {
        shell: BareShell { theme },
        client: display_name(name, &external_id).to_owned(),
        organization: visible(&organization.name, &organization.slug).to_owned(),
        token: form.token,
    })
}

/// Lets in whoever clicked.
async fn sign_in(
    State(web): State<Web>,
    SecureTransport(transport): SecureTransport,
    ClientIp(from): ClientIp,
    Form(form): Form<ClientTokenForm>,
) -> PageResult {
    Ok(let_in(transport, &check(&web, from, &form).await?))
}

#[derive(Template)]
#[template(path = "public/sign_in/client_out.html")]
struct SignedOutPage {
    shell: BareShell,
}

/// Ends the client's sessions, in this browser and in any other.
async fn sign_out(State(web): State<Web>, theme: Theme, headers: HeaderMap) -> PageResult {
    let transport = Transport::of(&web.site, &headers);
    if let Some(token) = cookie::read(&headers, transport, cookie::CLIENT) {
        web.mainstay.sign_client_out(&token).await?;
    }
    let mut response = show(&SignedOutPage { shell: BareShell { theme } })?;
    response.headers_mut().append(header::SET_COOKIE, cookie::clear_client(transport));
    Ok(response)
}

async fn check(
    web: &Web,
    from: IpAddr,
    form: &ClientTokenForm,
) -> Result<NewClientSession, PageError> {
    if let Some(session) = web.mainstay.sign_client_in(&form.token).await? {
        return Ok(session);
    }
    web.limits.check(from, "client")?;
    Err(no_link())
}

fn no_link() -> PageError {
    PageError::new(
        StatusCode::UNAUTHORIZED,
        "This link no longer works",
        "It has expired or is incomplete. Open your page again from your app, or \
         ask for a new link.",
    )
}

/// Whether a page of another site opened this, other than one that the organization has allowed to
/// show its clients' pages. Only browsers say so, and all of today's do; a link in a mail program or a
/// chat, or typed, comes from no site.
fn is_from_other_site(headers: &HeaderMap, allowed_sites: &[String]) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if matches!(site, None | Some(b"same-origin" | b"none")) {
        return false;
    }
    let referer = headers.get(header::REFERER).and_then(|referer| referer.to_str().ok());
    let origin = referer.and_then(|referer| Url::parse(referer).ok()).map(|url| url.origin());
    !origin.is_some_and(|origin| allowed_sites.contains(&origin.ascii_serialization()))
}

fn let_in(transport: Transport, session: &NewClientSession) -> Response {
    let mut response = Redirect::to(START).into_response();
    let cookie = cookie::set_client(transport, &session.token, session.seconds);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}
