use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect},
};
use mainstay_core::email::SubscriptionState;
use mainstay_store::Scope;
use serde::Deserialize;

use super::{DASHBOARD, known};
use crate::{
    Error,
    email::SubscriptionUpdate,
    web::{ClientSession, Form, PageError, PageResult, Web},
};

#[derive(Deserialize)]
pub(super) struct SubscriptionForm {
    state: String,
    #[serde(default)]
    address: String,
}

/// Turns a client's mails on or off, as it says itself.
pub(super) async fn choose(
    session: ClientSession,
    State(web): State<Web>,
    Form(form): Form<SubscriptionForm>,
) -> PageResult {
    let wants = match form.state.as_str() {
        "subscribed" => SubscriptionState::Subscribed,
        "unsubscribed" => SubscriptionState::Unsubscribed,
        _ => return Err(PageError::invalid("state: use the buttons of your page.")),
    };
    let (_, client) = known(&session).ok_or_else(|| Error::no_client(&session.external_id))?;
    let scope = Scope::Service(session.organization.id);
    let before = web.mainstay.subscription(scope, client.id).await?;
    let asked = SubscriptionUpdate::by_client(client, before.as_ref(), wants, Some(&form.address));
    web.mainstay
        .subscribe(session.organization.id, client, &asked)
        .await
        .map_err(|error| PageError::from(error).back("Back to your page", DASHBOARD))?;
    Ok(Redirect::to(&format!("{DASHBOARD}#emails-h")).into_response())
}
