//! The client's own page, as staff open it or send a link to it.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use url::{Position, Url};

use super::StaffClient;
use crate::web::{Answer, PageError, Place, StaffShell, Web, components::display_name, show};

#[derive(Template)]
#[template(path = "clients/link.html")]
struct LinkPage {
    shell: StaffShell,
    name: String,
    page: String,
    url: String,
    expires: String,
}

pub(super) async fn open_page(asked: StaffClient, State(web): State<Web>) -> Answer {
    let StaffClient { session, client, .. } = &asked;
    let organization = session.organization_id();
    let link = web.mainstay.client_link(organization, &client.external_id, None, &web.site).await?;
    // On this host, which may go by another name than the public one: forms lead nowhere else.
    let url = Url::parse(&link.url).map_err(|_| PageError::internal())?;
    Ok(Redirect::to(&url[Position::BeforePath..]).into_response())
}

pub(super) async fn make_link(asked: StaffClient, State(web): State<Web>) -> Answer {
    let StaffClient { session, client, view } = &asked;
    let organization = session.organization_id();
    let link = web.mainstay.client_link(organization, &client.external_id, None, &web.site).await?;
    show(&LinkPage {
        shell: session.shell(Place::Portfolio),
        name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
        page: view.link(""),
        url: link.url,
        expires: view.full_moment(link.expires_at),
    })
}
