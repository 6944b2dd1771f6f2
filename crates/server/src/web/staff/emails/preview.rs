use askama::Template;
use axum::{
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse as _},
};
use mainstay_core::id::EmailId;
use mainstay_store::EmailEvent;

use super::words::{delivery_words, state_words};
use crate::web::{
    PageResult, Path, Place, StaffSession, StaffShell, Web,
    security::with_own_frames,
    show,
    ui::components::{View, display_name},
};

/// A mail brings its own style and nothing else; only our own page shows it in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'self'; sandbox",
);

/// The header with which a mail's HTML is shown.
pub(in crate::web) fn policy() -> [(HeaderName, HeaderValue); 1] {
    [(header::CONTENT_SECURITY_POLICY, POLICY)]
}

#[derive(Template)]
#[template(path = "emails/preview.html")]
struct EmailPage {
    shell: StaffShell,
    id: EmailId,
    subject: String,
    kind: &'static str,
    client: String,
    href: String,
    state: &'static str,
    facts: Vec<(&'static str, String)>,
    text: String,
    events: Vec<String>,
}

pub(super) async fn show_email(
    session: StaffSession,
    State(web): State<Web>,
    Path(id): Path<EmailId>,
) -> PageResult {
    let mainstay = &web.mainstay;
    let details = mainstay.email(session.scope, id).await?;
    let rendered = mainstay.preview_email(session.scope, id).await?;
    let email = &details.whole.email;
    let view = View::of_staff(session.zone.clone(), mainstay.now(), &email.client_id);
    let facts = vec![
        ("Delivery", delivery_words(&view, email)),
        ("To", email.address.clone()),
        ("Written", view.full_moment(email.created_at)),
        ("Period until", view.day(email.period)),
    ];
    let page = EmailPage {
        shell: session.shell(Place::Emails),
        id,
        subject: email.subject.clone(),
        kind: email.kind.words(),
        client: display_name(email.client_name.as_deref(), &email.client_id).to_owned(),
        href: view.link(""),
        state: state_words(email.state),
        facts,
        text: rendered.text,
        events: details.events.iter().map(|event| event_words(&view, event)).collect(),
    };
    show(&page).map(with_own_frames)
}

fn event_words(view: &View, event: &EmailEvent) -> String {
    let what = if event.link.is_some() { "Link clicked" } else { "Opened" };
    let by = if event.suspected { ", probably by a bot" } else { "" };
    format!("{what} {}{by}", view.full_moment(event.at))
}

/// The HTML of a mail, for the frame on its page.
pub(super) async fn show_html(
    session: StaffSession,
    State(web): State<Web>,
    Path(id): Path<EmailId>,
) -> PageResult {
    let rendered = web.mainstay.preview_email(session.scope, id).await?;
    Ok((policy(), Html(rendered.html)).into_response())
}
