//! `/api/v1/merges`: merges of duplicate clients, their progress, and undo.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::id::{MemberId, MergeId};
use mainstay_store::{Merge, MergeState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    Mainstay,
    api::{
        Api,
        body::Body,
        caller::{Administrator, StaffCaller},
        input::{Id, Params, PathClient, find_resolved_client, limit},
        names,
        problem::Problem,
    },
};

const DEFAULT_MERGES: i64 = 50;
const MAX_MERGES: i64 = 500;

/// A merge of two clients.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Merge)]
struct MergeBody {
    /// Its id.
    id: Uuid,
    /// The id to merge; afterwards an alias of the client.
    #[schema(example = "lead-7")]
    previous_id: String,
    /// The client that remains.
    #[schema(example = "ada")]
    client_id: String,
    /// The status.
    #[schema(value_type = names::MergeState)]
    state: MergeState,
    /// The number of events moved so far.
    #[schema(example = 120)]
    events: i64,
    /// Whether a write key requested it: the merged id only had a visitor's events.
    of_visitor: bool,
    /// The member who requested it; null for a key.
    requested_by: Option<Uuid>,
    /// When.
    requested_at: Timestamp,
    /// When it was done.
    finished_at: Option<Timestamp>,
    /// Until when it can be undone; null if it cannot.
    undo_until: Option<Timestamp>,
    /// The member who undid it; null for a secret key.
    undone_by: Option<Uuid>,
    /// When it was undone.
    undone_at: Option<Timestamp>,
}

impl MergeBody {
    fn new(mainstay: &Mainstay, merge: Merge) -> Self {
        Self {
            id: merge.id.uuid(),
            undo_until: mainstay.undo_until(&merge),
            previous_id: merge.previous_id,
            client_id: merge.into_id,
            state: merge.state,
            events: merge.events,
            of_visitor: merge.of_visitor,
            requested_by: merge.requested_by.map(MemberId::uuid),
            requested_at: merge.requested_at,
            finished_at: merge.finished_at,
            undone_by: merge.undone_by.map(MemberId::uuid),
            undone_at: merge.undone_at,
        }
    }
}

/// A client to merge into another one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMerge {
    /// The client to merge; also `previousId`.
    #[serde(alias = "previousId")]
    #[schema(min_length = 1, max_length = 255, example = "lead-7")]
    previous_id: String,
}

/// The latest merges.
#[derive(Debug, Serialize, ToSchema)]
struct Merges {
    /// Newest first.
    merges: Vec<MergeBody>,
}

/// Which merges to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MergeFilter {
    /// Only merges into this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(merge_clients))
        .routes(routes!(list_merges))
        .routes(routes!(read_merge))
        .routes(routes!(undo_merge))
}

/// Merges another client into this one.
///
/// All data of the client `previous_id` moves to this client, and so do later events. A few
/// thousand events are moved before this returns; the rest follows in the background, while both
/// ids keep working. Can be undone for 30 days. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/merge", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewMerge,
    responses(
        (status = 202, description = "The merge, and how far it is.", body = MergeBody),
        (status = 409, description = "The clients are already merged, or take part in another merge."),
        (status = 429, description = "Too many merges are waiting."),
    ),
)]
async fn merge_clients(
    administrator: Administrator,
    PathClient(client_id): PathClient,
    State(api): State<Api>,
    Body(new): Body<NewMerge>,
) -> Result<(StatusCode, Json<MergeBody>), Problem> {
    let Administrator { organization, member, .. } = administrator;
    let merge =
        api.mainstay.merge_clients(organization, &client_id, &new.previous_id, member).await?;
    Ok((StatusCode::ACCEPTED, Json(MergeBody::new(&api.mainstay, merge))))
}

/// Lists merges.
///
/// Merges are listed newest first.
#[utoipa::path(
    get, path = "/api/v1/merges", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    params(MergeFilter),
    responses(
        (status = 200, description = "The merges.", body = Merges),
        (status = 404, description = "The client does not exist."),
    ),
)]
async fn list_merges(
    caller: StaffCaller,
    State(api): State<Api>,
    Params(filter): Params<MergeFilter>,
) -> Result<Json<Merges>, Problem> {
    let limit = limit(filter.limit.as_deref(), DEFAULT_MERGES, MAX_MERGES)?;
    let into = find_resolved_client(&api, caller.scope, filter.client_id.as_deref()).await?;
    let merges = api.mainstay.merges(caller.scope, into, limit).await?;
    let merges = merges.into_iter().map(|merge| MergeBody::new(&api.mainstay, merge)).collect();
    Ok(Json(Merges { merges }))
}

/// Reads a merge.
///
/// With its progress, and until when it can be undone.
#[utoipa::path(
    get, path = "/api/v1/merges/{merge_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The merge.", body = MergeBody)),
)]
async fn read_merge(
    caller: StaffCaller,
    State(api): State<Api>,
    Id(merge): Id<MergeId>,
) -> Result<Json<MergeBody>, Problem> {
    let merge = api.mainstay.merge(caller.scope, merge).await?;
    Ok(Json(MergeBody::new(&api.mainstay, merge)))
}

/// Undoes a merge.
///
/// Each client gets its own data back; possible for 30 days after the merge. Data that arrived
/// since stays with the client it arrived for. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/merges/{merge_id}/undo", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The merge, and how far its undoing is.", body = MergeBody),
        (status = 409, description = "The merge is not done, is too old, or later merges depend on it."),
    ),
)]
async fn undo_merge(
    administrator: Administrator,
    State(api): State<Api>,
    Id(merge): Id<MergeId>,
) -> Result<(StatusCode, Json<MergeBody>), Problem> {
    let Administrator { organization, member, .. } = administrator;
    let merge = api.mainstay.undo_merge(organization, merge, member).await?;
    Ok((StatusCode::ACCEPTED, Json(MergeBody::new(&api.mainstay, merge))))
}
