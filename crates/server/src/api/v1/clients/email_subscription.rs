//! `/api/v1/clients/{client_id}/email-subscription`: whether a client receives emails.

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
        body::{Body, non_null},
        caller::ClientAccess,
        input::PathClient,
        names,
        problem::Problem,
    },
    email::SubscriptionUpdate,
};

const MAX_CONSENTS: i64 = 100;

/// Whether a client receives emails.
#[derive(Debug, Serialize, ToSchema)]
struct EmailSubscription {
    /// The state; `unsubscribed` if no consent was ever recorded.
    #[schema(value_type = names::SubscriptionState)]
    state: SubscriptionState,
    /// The email address.
    address: Option<String>,
    /// Where the consent was recorded.
    #[schema(value_type = Option<names::ConsentSource>)]
    source: Option<ConsentSource>,
    /// When the consent was recorded.
    changed_at: Option<Timestamp>,
    /// The history of consent, newest first.
    history: Vec<Consent>,
}

/// A change of consent.
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

/// A change to a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionChange {
    /// `subscribed` if the client has agreed; `pending` to send a confirmation email; or
    /// `unsubscribed`.
    #[schema(value_type = names::SubscriptionState)]
    state: SubscriptionState,
    /// The email address; the client's own if omitted.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false, max_length = 254, example = "ada@example.com")]
    address: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_subscription, change_subscription))
}

/// Reads a client's email subscription.
///
/// With its history. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/email-subscription", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    responses((status = 200, description = "The subscription.", body = EmailSubscription)),
)]
async fn read_subscription(
    access: ClientAccess,
    State(api): State<Api>,
) -> Result<Json<EmailSubscription>, Problem> {
    let ClientAccess { organization, client, .. } = access;
    let scope = Scope::Service(organization);
    let now = api.mainstay.subscription(scope, client.id).await?;
    let history = api.mainstay.consents(scope, client.id, MAX_CONSENTS).await?;
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

/// Changes a client's email subscription.
///
/// No email is sent to a client that has not agreed: set `subscribed` only if it has, or `pending`
/// to send a confirmation email (double opt-in). Time and source are recorded. A client's token changes its
/// own; an address other than the known one must be confirmed first. A client that has unsubscribed
/// can only resubscribe on its own page.
#[utoipa::path(
    put, path = "/api/v1/clients/{client_id}/email-subscription", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body = SubscriptionChange,
    responses(
        (status = 200, description = "The subscription as it is now.", body = EmailSubscription),
        (status = 409, description = "The client has unsubscribed, or too many requests were sent today."),
    ),
)]
async fn change_subscription(
    access: ClientAccess,
    _: PathClient,
    State(api): State<Api>,
    Body(change): Body<SubscriptionChange>,
) -> Result<Json<EmailSubscription>, Problem> {
    let SubscriptionChange { state, address } = change;
    let subscribe = match access.scope {
        Scope::Client(..) => {
            let own =
                SubscriptionUpdate::by_client(&access.client, None, state, address.as_deref());
            SubscriptionUpdate { source: ConsentSource::Api, ..own }
        }
        _ => SubscriptionUpdate { state, address, source: ConsentSource::Api },
    };
    api.mainstay.subscribe(access.organization, &access.client, &subscribe).await?;
    read_subscription(access, State(api)).await
}
