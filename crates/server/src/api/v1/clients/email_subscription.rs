//! `/api/v1/clients/{client_id}/email-subscription`: whether a client gets mails.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::email::{ConsentSource, SubscriptionState};
use mainstay_store::{Scope, Subscription};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    api::{
        Api,
        body::{Body, present},
        caller::ForClient,
        input::PathClient,
        names,
        problem::Problem,
    },
    email::Subscribe,
};

const MOST_CONSENTS: i64 = 100;

/// Whether a client gets mails.
#[derive(Debug, Serialize, ToSchema)]
struct EmailSubscription {
    /// Whether it does; `unsubscribed` also when nobody ever said.
    #[schema(value_type = names::SubscriptionState)]
    state: SubscriptionState,
    /// Where to.
    address: Option<String>,
    /// Where it was said.
    #[schema(value_type = Option<names::ConsentSource>)]
    source: Option<ConsentSource>,
    /// When it was said.
    changed_at: Option<Timestamp>,
    /// Everything that was ever said, newest first.
    history: Vec<Consent>,
}

/// Something that was said about mails.
#[derive(Debug, Serialize, ToSchema)]
struct Consent {
    /// What.
    #[schema(value_type = names::SubscriptionState)]
    state: SubscriptionState,
    /// For which address.
    address: String,
    /// Where.
    #[schema(value_type = names::ConsentSource)]
    source: ConsentSource,
    /// When.
    at: Timestamp,
}

/// What is to become of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionChange {
    /// `subscribed` when the client has agreed; `pending` to ask it by a mail with a link; or
    /// `unsubscribed`.
    #[schema(value_type = names::SubscriptionState)]
    state: SubscriptionState,
    /// Where to; the client's own address when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 254, example = "ada@example.com")]
    address: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_subscription, change_subscription))
}

/// Reads whether a client gets mails.
///
/// With every change of it. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/email-subscription", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The subscription.", body = EmailSubscription)),
)]
async fn read_subscription(
    asked: ForClient,
    State(api): State<Api>,
) -> Result<Json<EmailSubscription>, Problem> {
    let ForClient { organization, client, .. } = asked;
    let scope = Scope::Service(organization);
    let now = api.mainstay.subscription(scope, client.id).await?;
    let history = api.mainstay.consents(scope, client.id, MOST_CONSENTS).await?;
    let history = history.into_iter().map(|one| {
        let Subscription { state, address, source, changed_at: at } = one;
        Consent { state, address, source, at }
    });
    Ok(Json(EmailSubscription {
        state: now.as_ref().map_or(SubscriptionState::Unsubscribed, |one| one.state),
        source: now.as_ref().map(|one| one.source),
        changed_at: now.as_ref().map(|one| one.changed_at),
        address: now.map(|one| one.address).filter(|address| !address.is_empty()),
        history: history.collect(),
    }))
}

/// Changes whether a client gets mails.
///
/// No mail is sent to a client that has not agreed: say `subscribed` only when it has, or `pending` to
/// ask it by a mail with a link (double opt-in). Time and source are kept. A client's token changes its
/// own; for another address than the one that is known, that address is asked. Who has unsubscribed comes
/// back only by itself, by the button on its page.
#[utoipa::path(
    put, path = "/api/v1/clients/{client_id}/email-subscription", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body = SubscriptionChange,
    responses(
        (status = 200, description = "The subscription as it is now.", body = EmailSubscription),
        (status = 409, description = "The client has unsubscribed, or was asked too often today."),
    ),
)]
async fn change_subscription(
    asked: ForClient,
    _: PathClient,
    State(api): State<Api>,
    Body(change): Body<SubscriptionChange>,
) -> Result<Json<EmailSubscription>, Problem> {
    let SubscriptionChange { state, address } = change;
    let subscribe = match asked.scope {
        Scope::Client(..) => {
            let own = Subscribe::by_client(&asked.client, None, state, address.as_deref());
            Subscribe { source: ConsentSource::Api, ..own }
        }
        _ => Subscribe { state, address, source: ConsentSource::Api },
    };
    api.mainstay.subscribe(asked.organization, &asked.client, &subscribe).await?;
    read_subscription(asked, State(api)).await
}
