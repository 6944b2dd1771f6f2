//! Links by which a client comes in, and what ends them.

use askama::Template;
use axum::{extract::State, http::HeaderMap};

use super::StaffClient;
use crate::web::{
    PageResult, Place, StaffShell, Web,
    session::once::{clear_once, read_once, show_once},
    show,
    ui::components::display_name,
};

#[derive(Template)]
#[template(path = "client/link.html")]
struct LinkPage {
    shell: StaffShell,
    name: String,
    page: String,
    /// The link and until when it works, unless it was shown before.
    link: Option<(String, String)>,
    signed_out: bool,
}

pub(super) async fn make_link(
    asked: StaffClient,
    State(web): State<Web>,
    headers: HeaderMap,
) -> PageResult {
    let StaffClient { session, client, view } = &asked;
    let organization = session.organization_id();
    let link = web.mainstay.client_link(organization, &client.external_id, None, &web.site).await?;
    Ok(show_once(&web, &headers, &link.token, &view.link("/link")))
}

/// Shows the link that was just made, once.
pub(super) async fn show_link(
    asked: StaffClient,
    State(web): State<Web>,
    headers: HeaderMap,
) -> PageResult {
    asked.session.check_may_write()?;
    let StaffClient { session, client, view } = &asked;
    let (organization, client_id) = (session.organization_id(), &client.external_id);
    let link = match read_once(&web, &headers) {
        Some(token) => {
            web.mainstay.valid_client_link(organization, client_id, token, &web.site).await?
        }
        None => None,
    };
    let Some(link) = link else { return show(&LinkPage::new(&asked, None)) };
    let expires = view.full_moment(link.expires_at);
    let page = show(&LinkPage::new(&asked, Some((link.url, expires))))?;
    Ok(clear_once(&web, &headers, page))
}

/// Ends all that lets the client in.
pub(super) async fn sign_out(asked: StaffClient, State(web): State<Web>) -> PageResult {
    web.mainstay.revoke_client_access(asked.session.actor(), &asked.client.external_id).await?;
    show(&LinkPage { signed_out: true, ..LinkPage::new(&asked, None) })
}

impl LinkPage {
    fn new(asked: &StaffClient, link: Option<(String, String)>) -> Self {
        let StaffClient { session, client, view } = asked;
        Self {
            shell: session.shell(Place::Portfolio),
            name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
            page: view.link(""),
            link,
            signed_out: false,
        }
    }
}
