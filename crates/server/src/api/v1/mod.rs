//! `/api/v1`: the API of one organization.

pub(crate) mod alerts;
pub(crate) mod clients;
mod cloud_events;
mod emails;
mod erased_clients;
mod event_names;
pub(crate) mod events;
mod health_check;
mod jobs;
mod keys;
mod members;
mod merges;
mod organization;
mod playbooks;
mod score_models;
mod staff_tasks;
pub(crate) mod webhooks;

use utoipa_axum::router::OpenApiRouter;

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .merge(events::routes())
        .merge(cloud_events::routes())
        .merge(clients::routes())
        .merge(erased_clients::routes())
        .merge(alerts::routes())
        .merge(health_check::routes())
        .merge(playbooks::routes())
        .merge(staff_tasks::routes())
        .merge(emails::routes())
        .merge(webhooks::routes())
        .merge(jobs::routes())
        .merge(organization::routes())
        .merge(members::routes())
        .merge(merges::routes())
        .merge(keys::routes())
        .merge(event_names::routes())
        .merge(score_models::routes())
}
