//! `/api/v1/organization`: the organization that the key or token belongs to.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::engagement::segment::ClientsAre;
use mainstay_store::{Organization, OrganizationPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    alert::MissingData,
    api::{
        Api,
        body::{Body, present},
        caller::{Administrator, Worker},
        names,
        problem::Problem,
    },
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
    /// Whether high-value types count that a browser or a client's own token sends.
    count_self_told: bool,
    /// Since when activity is being moved to the days of another time zone; null when it is not. Until
    /// that is done, figures may rest on days of both, and jobs wait.
    time_zone_change_since: Option<Timestamp>,
    /// Since when no client at all sends events, or fewer than half of those that usually do, as of the
    /// last health check; null when they do.
    data_silence: Option<DataSilenceBody>,
    /// The keys that no event comes with any more, as of the last health check.
    silent_keys: Vec<SilentKeyBody>,
    /// Alerts that are held, for either reason: evaluated, and told to nobody until the data are back.
    #[schema(example = 12)]
    held_alerts: i64,
}

/// A key that no event comes with, where there used to be some.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SilentKey)]
struct SilentKeyBody {
    /// Its id.
    id: Uuid,
    /// How it begins.
    #[schema(example = "mwk_a1b2")]
    prefix: String,
    /// The end of the last hour with an event.
    since: Timestamp,
    /// When it was noticed.
    noticed_at: Timestamp,
}

/// A stretch without events, or with those of few clients only, where there used to be more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataSilence)]
struct DataSilenceBody {
    /// The last event before it; where few clients come, the day that shows it.
    since: Timestamp,
    /// When it was noticed.
    noticed_at: Timestamp,
    /// How many clients came on the day that shows it; null where no event comes at all.
    #[schema(example = 12)]
    clients: Option<i64>,
    /// How many clients usually come on such a day at least; null where no event comes at all.
    #[schema(example = 60)]
    usual_clients: Option<i64>,
    /// Alerts that rest on recent activity, and are held until events come again at half their usual
    /// rate.
    #[schema(example = 12)]
    held_alerts: i64,
}

impl OrganizationBody {
    fn new(organization: Organization, missing: MissingData) -> Self {
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
            count_self_told: organization.count_self_told,
            time_zone_change_since: organization.zone_change_since,
            data_silence: missing.silence.map(|silence| DataSilenceBody {
                since: silence.since,
                noticed_at: silence.noticed_at,
                clients: silence.clients.map(|(clients, _)| clients),
                usual_clients: silence.clients.map(|(_, usual)| usual),
                held_alerts: silence.held_alerts,
            }),
            silent_keys: missing
                .keys
                .into_iter()
                .map(|silence| SilentKeyBody {
                    id: silence.key.uuid(),
                    prefix: silence.prefix,
                    since: silence.since,
                    noticed_at: silence.noticed_at,
                })
                .collect(),
            held_alerts: missing.held_alerts,
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
    /// Whether high-value types count that a browser or a client's own token sends. Counts for events
    /// from now on; those stored before stay `custom`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    count_self_told: Option<bool>,
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
    let missing = api.mainstay.missing_data(worker.scope).await?;
    Ok(Json(OrganizationBody::new(context.organization, missing)))
}

/// Changes the organization.
///
/// Its name, its time zone, whom it calls its clients, or whether it counts what clients say of
/// themselves. Needs the role owner or admin, or a secret key. Activity moves to the days of a new time
/// zone in the background where there is much of it: `time_zone_change_since` is null when that is done.
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
        count_self_told: changes.count_self_told,
    };
    let organization = api.mainstay.update_organization(administrator.scope, patch).await?;
    let missing = api.mainstay.missing_data(administrator.scope).await?;
    Ok(Json(OrganizationBody::new(organization, missing)))
}
