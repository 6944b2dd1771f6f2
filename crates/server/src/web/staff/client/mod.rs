//! `/clients/{client_id}`: what staff see of one client, and what they do for it.

mod alerts;
mod delete;
mod events;
mod link;
mod page;
mod preview;
mod record;

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
    response::{IntoResponse as _, Redirect, Response},
};
use mainstay_core::engagement::{MAX_CLIENT_ID_CHARS, check_required};
use mainstay_store::Client;

use crate::{
    Error,
    web::{AdminSession, PageError, Pages, StaffSession, Web, ui::components::View},
};

pub(in crate::web) fn pages() -> Pages {
    Pages::new()
        .get("/clients/{client_id}", page::show_client)
        .get("/clients/{client_id}/events", events::show_events)
        .post("/clients/{client_id}/alerts/{alert_id}", alerts::act_on_alert)
        .post("/clients/{client_id}/score", record::recompute)
        .post("/clients/{client_id}/owner", record::set_owner)
        .post("/clients/{client_id}/notes", record::add_note)
        .post("/clients/{client_id}/notes/{note_id}", record::delete_note)
        .post("/clients/{client_id}/tasks", record::add_task)
        .post("/clients/{client_id}/tasks/{task_id}", record::set_task)
        .post("/clients/{client_id}/staff-tasks", record::add_staff_task)
        .post("/clients/{client_id}/launch-kit", record::set_launch_kit)
        .get("/clients/{client_id}/delete", delete::ask_to_delete)
        .post("/clients/{client_id}/delete", delete::delete)
        .get("/clients/{client_id}/preview", preview::show_dashboard)
        .get("/clients/{client_id}/preview/events", preview::show_events)
        .post("/clients/{client_id}/sign-out", link::sign_out)
        .get("/clients/{client_id}/link", link::show_link)
        .post("/clients/{client_id}/link", link::make_link)
}

/// A member and the client in the path.
pub(crate) struct StaffClient {
    pub(crate) session: StaffSession,
    pub(crate) client: Client,
    pub(crate) view: View,
}

impl StaffClient {
    /// Back to a part of the client's page.
    fn back_to(&self, part: &str) -> Response {
        Redirect::to(&self.view.part(part)).into_response()
    }
}

impl FromRequestParts<Web> for StaffClient {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let session = StaffSession::from_request_parts(parts, web).await?;
        let external_id = param(parts, web, "client_id").await?;
        check_required("client_id", &external_id, MAX_CLIENT_ID_CHARS).map_err(Error::from)?;
        let mut found = web.mainstay.find_client(session.scope, &external_id).await?;
        if found.is_none() {
            found = web.mainstay.find_by_anonymous_id(session.scope, &external_id).await?;
        }
        let client = found.ok_or_else(|| {
            PageError::not_found(
                "There is no client with this id. A client is created by its first event; the \
                 portfolio lists all clients.",
            )
            .back("Go to portfolio", "/portfolio")
        })?;
        let view = session.view(web.mainstay.now(), &client.external_id);
        Ok(Self { session, client, view })
    }
}

/// A client, for a member who may delete it.
pub(crate) struct AdminClient(pub(crate) StaffClient);

impl FromRequestParts<Web> for AdminClient {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        AdminSession::from_request_parts(parts, web).await?;
        StaffClient::from_request_parts(parts, web).await.map(Self)
    }
}

/// What an action on a client is about: the last parameter of the path.
#[derive(Debug)]
pub(crate) struct ItemPath<T>(pub(crate) T);

impl<T: FromStr> FromRequestParts<Web> for ItemPath<T> {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, PageError> {
        let params = RawPathParams::from_request_parts(parts, web).await.map_err(|_| nothing())?;
        let last = params.iter().last().and_then(|(_, text)| text.parse().ok());
        last.map(Self).ok_or_else(nothing)
    }
}

async fn param(parts: &mut Parts, web: &Web, name: &str) -> Result<String, PageError> {
    let params = RawPathParams::from_request_parts(parts, web).await.map_err(|_| nothing())?;
    let found = params.iter().find(|(param, _)| *param == name);
    found.map(|(_, value)| value.to_owned()).ok_or_else(nothing)
}

fn nothing() -> PageError {
    PageError::not_found("There is no page at this address.")
}
