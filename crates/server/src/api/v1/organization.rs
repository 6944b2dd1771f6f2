//! `/api/v1/organization`: the organization that the key or token belongs to.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::engagement::segment::ClientsAre;
use mainstay_store::{Organization, OrganizationPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::api::{
    Api,
    body::{Body, present},
    caller::{Administrator, Worker},
    names,
    problem::Problem,
};

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
struct OrganizationBody {
    /// Its id.
    id: Uuid,
    /// Its short name in commands and clients' tokens.
    #[schema(example = "acme")]
    slug: String,
    /// What people call it.
    #[schema(example = "Acme Studio")]
    name: String,
    /// IANA zone that decides what a day is.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// Whether it is made-up sample data.
    sample: bool,
    /// When it was created.
    created_at: Timestamp,
    /// Version of the score model that new scores are made with.
    #[schema(example = 1)]
    model_version: i64,
    /// Newest instant for which a score is stored.
    scored_until: Option<Timestamp>,
    /// Newest instant for which health was checked.
    health_checked_until: Option<Timestamp>,
    /// Whom it calls its clients: each user (Segment's `userId`), or the groups they belong to.
    #[schema(value_type = names::ClientsAre)]
    clients_are: ClientsAre,
}

impl From<Organization> for OrganizationBody {
    fn from(organization: Organization) -> Self {
        Self {
            id: organization.id.uuid(),
            slug: organization.slug,
            name: organization.name,
            time_zone: organization.time_zone,
            sample: organization.sample,
            created_at: organization.created_at,
            model_version: organization.model_version,
            scored_until: organization.scored_until,
            health_checked_until: organization.health_checked_until,
            clients_are: organization.clients_are,
        }
    }
}

/// Changes to an organization; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationChanges {
    /// What people call it, 1–255 characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_length = 1, max_length = 255, example = "Acme Studio")]
    name: Option<String>,
    /// IANA zone. All activity is rolled up again by its days; scores stored before keep the zone
    /// that they were made in.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, example = "America/New_York")]
    time_zone: Option<String>,
    /// Whom it calls its clients: each user (Segment's `userId`), or the groups they belong to. Counts
    /// for messages from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, value_type = Option<names::ClientsAre>)]
    clients_are: Option<ClientsAre>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_organization, change_organization))
}

/// Reads the organization.
///
/// The one that the key or token belongs to, with its settings.
#[utoipa::path(
    get, path = "/api/v1/organization", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The organization.", body = OrganizationBody)),
)]
async fn read_organization(
    worker: Worker,
    State(api): State<Api>,
) -> Result<Json<OrganizationBody>, Problem> {
    let context = api.mainstay.context_in(worker.scope).await?;
    Ok(Json(context.organization.into()))
}

/// Changes the organization.
///
/// Its name, its time zone or whom it calls its clients. Needs the role owner or admin, or a secret key. A new time zone takes
/// as long as there are events.
#[utoipa::path(
    patch, path = "/api/v1/organization", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = OrganizationChanges,
    responses((status = 200, description = "The organization as it is now.", body = OrganizationBody)),
)]
async fn change_organization(
    administrator: Administrator,
    State(api): State<Api>,
    Body(changes): Body<OrganizationChanges>,
) -> Result<Json<OrganizationBody>, Problem> {
    let patch = OrganizationPatch {
        name: changes.name,
        time_zone: changes.time_zone,
        clients_are: changes.clients_are,
    };
    let organization = api.mainstay.update_organization(administrator.organization, patch).await?;
    Ok(Json(organization.into()))
}
