//! `/api/v1/organization`: the organization that the key or token belongs to.

use axum::{Json, extract::State};
use jiff::Timestamp;
use mainstay_core::engagement::segment::ClientIdentity;
use mainstay_store::{Organization, OrganizationPatch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    alert::MissingData,
    api::{
        Api,
        body::{Body, non_null},
        caller::{Administrator, StaffCaller},
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
    /// The display name.
    #[schema(example = "Acme Studio")]
    name: String,
    /// IANA time zone, which defines calendar days.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// Whether it contains sample data.
    sample: bool,
    /// When it was created.
    created_at: Timestamp,
    /// The version of the current score model.
    #[schema(example = 1)]
    model_version: i64,
    /// The latest instant with a stored score.
    scored_until: Option<Timestamp>,
    /// The latest instant of a health check.
    health_checked_until: Option<Timestamp>,
    /// Whether its clients are users (Segment's `userId`) or their groups.
    #[schema(value_type = names::ClientIdentity)]
    clients_are: ClientIdentity,
    /// Whether high-value events from browsers or clients' own tokens count.
    count_self_told: bool,
    /// When the ongoing change of time zone started; null if there is none. Until it is done,
    /// figures may mix days of both zones, and jobs wait.
    time_zone_change_since: Option<Timestamp>,
    /// Since when no client, or fewer than half of the usual clients, send events, as of the last
    /// health check; null if they do.
    data_silence: Option<DataSilenceBody>,
    /// The keys that stopped sending events, as of the last health check.
    silent_keys: Vec<SilentKeyBody>,
    /// Alerts that are held for either reason: evaluated, but not reported until the data is back.
    #[schema(example = 12)]
    held_alerts: i64,
}

/// A key that stopped sending events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SilentKey)]
struct SilentKeyBody {
    /// Its id.
    id: Uuid,
    /// The first characters.
    #[schema(example = "mwk_a1b2")]
    prefix: String,
    /// The end of the last hour with an event.
    since: Timestamp,
    /// When it was detected.
    noticed_at: Timestamp,
}

/// A period without events, or with unusually few active clients.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataSilence)]
struct DataSilenceBody {
    /// The last event before it; with few active clients, the day that shows it.
    since: Timestamp,
    /// When it was detected.
    noticed_at: Timestamp,
    /// The number of active clients on the day that shows it; null if there are no events at all.
    #[schema(example = 12)]
    clients: Option<i64>,
    /// The usual minimum of active clients on such a day; null if there are no events at all.
    #[schema(example = 60)]
    usual_clients: Option<i64>,
    /// Alerts that depend on recent activity and are held until events arrive again at half the
    /// usual rate.
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

/// Changes to an organization; omitted fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OrganizationChanges {
    /// The display name, 1–255 characters.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false, min_length = 1, max_length = 255, example = "Acme Studio")]
    name: Option<String>,
    /// IANA zone. All activity is rolled up again by its days; stored scores keep their zone.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false, example = "America/New_York")]
    time_zone: Option<String>,
    /// Whether its clients are users (Segment's `userId`) or their groups. Applies
    /// to later messages.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false, value_type = Option<names::ClientIdentity>)]
    clients_are: Option<ClientIdentity>,
    /// Whether high-value events from browsers or clients' own tokens count. Applies to
    /// later events; stored ones stay `custom`.
    #[serde(default, deserialize_with = "non_null")]
    #[schema(nullable = false)]
    count_self_told: Option<bool>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(read_organization, change_organization))
}

/// Reads the organization.
///
/// The organization of the key or token, with its settings.
#[utoipa::path(
    get, path = "/api/v1/organization", tag = "Organization",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The organization.", body = OrganizationBody)),
)]
async fn read_organization(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<OrganizationBody>, Problem> {
    let context = api.mainstay.context_in(caller.scope).await?;
    let missing = api.mainstay.missing_data(caller.scope).await?;
    Ok(Json(OrganizationBody::new(context.organization, missing)))
}

/// Changes the organization.
///
/// Its name, its time zone, whether its clients are users or groups, or whether self-reported
/// events count. Needs the role owner or admin, or a secret key. Large amounts of activity move to a
/// new time zone in the background: `time_zone_change_since` is null once that is done.
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
