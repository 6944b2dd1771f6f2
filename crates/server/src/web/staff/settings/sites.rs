use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use serde::Deserialize;

use super::{DoneParams, DoneQuery, Frame, Tab, back};
use crate::web::{
    AdminSession, Form, FormError, PageError, PageResult, Pages, Query, StaffSession, StaffShell,
    Web, show, show_with,
};

const PATH: &str = "/settings/sites";

pub(super) fn pages() -> Pages {
    Pages::new().get(PATH, list).post(PATH, add).post("/settings/sites/remove", remove)
}

#[derive(Template)]
#[template(path = "settings/sites.html")]
struct SitesPage {
    shell: StaffShell,
    frame: Frame,
    sites: Vec<String>,
    site: String,
    error: Option<FormError>,
}

impl SitesPage {
    async fn new(web: &Web, session: &StaffSession, done: &DoneParams) -> Result<Self, PageError> {
        let frame = Frame::new(session, Tab::Sites).after(done);
        let sites = web.mainstay.allowed_sites_in(session.scope).await?;
        Ok(Self { shell: frame.shell.clone(), frame, sites, site: String::new(), error: None })
    }
}

async fn list(session: StaffSession, State(web): State<Web>, Query(done): DoneQuery) -> PageResult {
    show(&SitesPage::new(&web, &session, &done).await?)
}

#[derive(Deserialize)]
struct SiteForm {
    site: String,
}

async fn add(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<SiteForm>,
) -> PageResult {
    match web.mainstay.add_allowed_site(session.scope, &form.site).await {
        Ok(_) => Ok(back(PATH, "added").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = SitesPage::new(&web, &session, &DoneParams::default()).await?;
            let page = SitesPage { site: form.site, error, ..page };
            show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

async fn remove(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(form): Form<SiteForm>,
) -> PageResult {
    web.mainstay
        .remove_allowed_site(session.scope, &form.site)
        .await
        .map_err(|error| PageError::from(error).back("Back to sites", PATH))?;
    Ok(back(PATH, "site-removed").into_response())
}
