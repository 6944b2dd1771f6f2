use askama::Template;
use axum::{extract::State, http::StatusCode, response::IntoResponse as _};
use mainstay_core::{engagement::segment::ClientIdentity, time::time_zone};
use mainstay_store::OrganizationPatch;
use serde::Deserialize;

use super::{DoneQuery, Frame, Tab, back};
use crate::web::{
    AdminSession, Form, FormError, PageResult, Pages, Query, StaffSession, StaffShell, Web, show,
    show_with,
};

const PATH: &str = "/settings/organization";

pub(super) fn pages() -> Pages {
    Pages::new().get(PATH, form).post(PATH, save)
}

#[derive(Template)]
#[template(path = "settings/organization.html")]
struct OrganizationPage {
    shell: StaffShell,
    frame: Frame,
    slug: String,
    name: String,
    time_zone: String,
    clients_are: &'static str,
    count_self_told: bool,
    /// Whether activity is being moved to the days of another zone.
    zone_change: bool,
    /// Every zone there is, for the field's suggestions.
    zones: Vec<String>,
    error: Option<FormError>,
}

impl OrganizationPage {
    fn new(session: &StaffSession) -> Self {
        let frame = Frame::new(session, Tab::Organization);
        let zones = if frame.admin { zones() } else { Vec::new() };
        let organization = &session.organization;
        Self {
            shell: frame.shell.clone(),
            frame,
            slug: organization.slug.clone(),
            name: organization.name.clone(),
            time_zone: organization.time_zone.clone(),
            clients_are: organization.clients_are.as_str(),
            count_self_told: organization.count_self_told,
            zone_change: organization.zone_change_since.is_some(),
            zones,
            error: None,
        }
    }
}

/// The zones that can be used, by name.
fn zones() -> Vec<String> {
    let names = jiff::tz::db().available().map(|zone| zone.as_str().to_owned());
    // Names like EST5EDT and US/Pacific are old ones of those that are named after a city.
    let current = |name: &String| name == "UTC" || name.contains('/');
    names.filter(|name| current(name) && time_zone(name).is_ok()).collect()
}

async fn form(session: StaffSession, Query(done): DoneQuery) -> PageResult {
    let page = OrganizationPage::new(&session);
    show(&OrganizationPage { frame: page.frame.after(&done), ..page })
}

#[derive(Deserialize)]
struct Changes {
    name: String,
    time_zone: String,
    clients_are: ClientIdentity,
    /// Sent when the box is ticked.
    count_self_told: Option<String>,
}

async fn save(
    AdminSession(session): AdminSession,
    State(web): State<Web>,
    Form(changes): Form<Changes>,
) -> PageResult {
    let Changes { name, time_zone, clients_are, count_self_told } = changes;
    let count_self_told = count_self_told.is_some();
    let patch = OrganizationPatch {
        name: Some(name.clone()),
        time_zone: Some(time_zone.trim().to_owned()),
        clients_are: Some(clients_are),
        count_self_told: Some(count_self_told),
    };
    match web.mainstay.update_organization(session.scope, patch).await {
        Ok(_) => Ok(back(PATH, "saved").into_response()),
        Err(error) => {
            let error = Some(FormError::of(error)?);
            let page = OrganizationPage::new(&session);
            show_with(
                StatusCode::UNPROCESSABLE_ENTITY,
                &OrganizationPage {
                    name,
                    time_zone,
                    clients_are: clients_are.as_str(),
                    count_self_told,
                    error,
                    ..page
                },
            )
        }
    }
}
