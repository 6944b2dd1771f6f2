//! Failures inside the frame of whoever asked: with the navigation and the way back.
//!
//! A failure is told where it happens, often before anybody knows who asks. So it is written in the bare
//! frame first, and here, on its way out, again in the frame of the member or client whose session the
//! request brought.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{FromRequestParts as _, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::Response,
};
use tracing::Span;
use url::Url;

use super::{
    BareShell, ClientSession, ClientShell, Place, StaffSession, StaffShell, Theme, Web,
    page::{ErrorMessage, show_with},
    portal::DASHBOARD,
    security::FrameAncestors,
    ui::text::local_path,
};

/// Where to go on from a failure: what a link says and where it leads.
type Back = (String, String);

#[derive(Template)]
#[template(path = "shell/staff_error.html")]
struct StaffErrorPage<'a> {
    shell: StaffShell,
    message: &'a ErrorMessage,
    back: Back,
}

#[derive(Template)]
#[template(path = "shell/client_error.html")]
struct ClientErrorPage<'a> {
    shell: ClientShell,
    message: &'a ErrorMessage,
    back: Back,
}

/// For clients nobody knows who: a start page would be the staff's.
#[derive(Template)]
#[template(path = "shell/stranger_error.html")]
struct StrangerErrorPage<'a> {
    shell: BareShell,
    message: &'a ErrorMessage,
}

/// Writes a failure again in the frame that fits whoever asked.
pub(super) async fn in_frame(State(web): State<Web>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = parts.clone();
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(message) = response.extensions().get::<Arc<ErrorMessage>>().cloned() else {
        return response;
    };
    match render_error(&web, asked, &message).await {
        Some(page) => {
            // What was said with it, such as when to try again, still holds.
            let (mut said, _) = response.into_parts();
            let (made, body) = page.into_parts();
            said.headers.extend(made.headers);
            said.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(said, body)
        }
        None => response,
    }
}

async fn render_error(web: &Web, mut parts: Parts, message: &ErrorMessage) -> Option<Response> {
    let path = parts.uri.path().to_owned();
    if is_for_clients(&path) {
        return for_client(web, &mut parts, message).await;
    }
    // Nobody is signed in on these; and when the database fails, it is not asked who is.
    let bare = ["/sign-in", "/assets/", "/widgets"].iter().any(|start| path.starts_with(start));
    if bare || message.status().is_server_error() {
        return None;
    }
    let session = StaffSession::signed_in(&parts, web).await.ok()?;
    let who = (session.organization_id(), session.member_id(), session.member.role);
    let (organization, member, role) = who;
    Span::current().record("by", format!("{role} {member} of {organization}"));
    let back = message.back().map(owned).or_else(|| referring_page(&parts));
    let page = StaffErrorPage {
        shell: session.shell_at(Place::of_path(&path)),
        message,
        back: back.unwrap_or_else(|| owned(("Go to portfolio", "/portfolio"))),
    };
    show_with(message.status(), &page).ok()
}

async fn for_client(web: &Web, parts: &mut Parts, message: &ErrorMessage) -> Option<Response> {
    if let Some(ancestors) = parts.extensions.get::<FrameAncestors>() {
        // The page inside a frame of the app must be able to say why it does not show what was asked.
        let origin = embedder(&parts.headers);
        let sites = web.mainstay.sites_that_may_frame_errors(origin.as_deref()).await;
        if let Ok(sites) = sites {
            ancestors.allow(sites);
        }
    }
    let signing_in = parts.uri.path().starts_with("/client/sign-in");
    let session = if signing_in || message.status().is_server_error() {
        None
    } else {
        ClientSession::from_request_parts(parts, web).await.ok()
    };
    let Some(session) = session else {
        let shell = BareShell { theme: Theme::of(&parts.headers) };
        return show_with(message.status(), &StrangerErrorPage { shell, message }).ok();
    };
    let back = owned(message.back().unwrap_or(("Back to your page", DASHBOARD)));
    let page = ClientErrorPage { shell: session.shell(), message, back };
    show_with(message.status(), &page).ok()
}

/// What clients open, and those who get mails; whoever is not signed in there is no member.
fn is_for_clients(path: &str) -> bool {
    path == "/client" || path.starts_with("/client/") || path.starts_with("/email/")
}

/// Back to the form that was sent, by what the browser says of where that was.
fn referring_page(parts: &Parts) -> Option<Back> {
    if parts.method == Method::GET {
        return None;
    }
    let url = Url::parse(parts.headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    let host = parts.headers.get(header::HOST)?.to_str().ok()?;
    let own = url.authority().eq_ignore_ascii_case(host);
    let path = own.then(|| &url[url::Position::BeforePath..url::Position::AfterQuery])?;
    Some(("Go back".to_owned(), local_path(path)?))
}

/// The site whose page asks, as far as the browser says so.
fn embedder(headers: &HeaderMap) -> Option<String> {
    let text =
        headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER))?.to_str().ok()?;
    Some(Url::parse(text).ok()?.origin().ascii_serialization())
}

fn owned((label, path): (&str, &str)) -> Back {
    (label.to_owned(), path.to_owned())
}
