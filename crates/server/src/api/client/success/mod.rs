//! `/api/client/success`: one client's score, insights and heatmap at once, and what a dashboard
//! does with them. Names in requests are in camel case, as they were from the start.

mod get;
mod patch;
mod post;

use mainstay_store::{Client, Scope};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access::Principal,
    api::{Api, caller::Caller, problem::Problem},
};

pub(crate) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(
        get::read_success,
        patch::act_on_success,
        post::compute_success
    ))
}

/// The client that is asked for; a client's token need not name its own.
struct RequestedClient {
    external_id: String,
    client: Option<(Scope, Client)>,
}

impl RequestedClient {
    async fn find(
        api: &Api,
        caller: &Caller,
        client_id: Option<String>,
        reads: bool,
    ) -> Result<Self, Problem> {
        let external_id = match (client_id, &caller.0) {
            (Some(external_id), _) => external_id,
            (None, Principal::Client(_, own)) => own.clone(),
            // Whom it asks for does not matter: it may see nobody.
            (None, Principal::Write(..)) => String::new(),
            (None, _) => {
                return Err(Problem::invalid(
                    "clientId",
                    "is missing; name the client or use its own token",
                ));
            }
        };
        let client = caller.find(api, &external_id, reads).await?;
        Ok(Self { external_id, client })
    }

    fn require(self) -> Result<(Scope, Client), Problem> {
        self.client.ok_or_else(|| crate::Error::no_client(&self.external_id).into())
    }
}
