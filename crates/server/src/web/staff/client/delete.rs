//! Deleting a client for good, with a page that says what is lost.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::text::count_noun;
use mainstay_store::AlertFilter;
use serde::Deserialize;

use super::AdminClient;
use crate::web::{
    Form, PageError, PageResult, Place, StaffShell, Web, show, ui::components::display_name,
};

/// Rows of a kind that are counted one by one; more are "at least so many".
const MAX_COUNTED: i64 = 100;

#[derive(Template)]
#[template(path = "client/delete.html")]
struct DeletePage {
    shell: StaffShell,
    name: String,
    external_id: String,
    page: String,
    action: String,
    lost: Vec<String>,
}

pub(super) async fn ask_to_delete(
    AdminClient(asked): AdminClient,
    State(web): State<Web>,
) -> PageResult {
    let (client, scope) = (&asked.client, asked.session.scope);
    let alerts = AlertFilter { client: Some(client.id), ..AlertFilter::default() };
    let mainstay = &web.mainstay;
    let kinds = [
        (mainstay.alerts(scope, &alerts, MAX_COUNTED).await?.len(), "alert"),
        (mainstay.client_emails(scope, client.id, MAX_COUNTED).await?.len(), "email"),
        (mainstay.notes(scope, client.id, MAX_COUNTED).await?.len(), "note"),
    ];
    let lost = kinds.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let more = if count == MAX_COUNTED { "at least " } else { "" };
        format!("{more}{}", count_noun(count, what))
    });
    show(&DeletePage {
        shell: asked.session.shell(Place::Portfolio),
        name: display_name(client.profile.name.as_deref(), &client.external_id).to_owned(),
        external_id: client.external_id.clone(),
        page: asked.view.link(""),
        action: asked.view.link("/delete"),
        lost: lost.collect(),
    })
}

/// How to delete it.
#[derive(Deserialize)]
pub(super) struct DeleteForm {
    /// `day`, `always` or `no`.
    keep_out: String,
}

pub(super) async fn delete(
    AdminClient(asked): AdminClient,
    State(web): State<Web>,
    Form(form): Form<DeleteForm>,
) -> PageResult {
    let keep_out = match form.keep_out.as_str() {
        "day" => None,
        "always" => Some(true),
        "no" => Some(false),
        _ => return Err(PageError::invalid("Choose what to do with events sent later.")),
    };
    let organization = asked.session.organization_id();
    web.mainstay.delete_client(organization, &asked.client.external_id, keep_out).await?;
    Ok(Redirect::to("/portfolio").into_response())
}
