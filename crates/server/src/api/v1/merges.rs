//! `/api/v1/merges`: clients that turned out to be one, how far their merge is, and its undoing.

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
        caller::{Administrator, Worker},
        input::{Id, Params, PathClient, client_named, limit},
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
    /// The id that is given up; when the merge is done, another name of the client.
    #[schema(example = "lead-7")]
    previous_id: String,
    /// The client that stays.
    #[schema(example = "ada")]
    client_id: String,
    /// How far it is.
    #[schema(value_type = names::MergeState)]
    state: MergeState,
    /// Events that were moved so far.
    #[schema(example = 120)]
    events: i64,
    /// Whether a write key asked for it: of the id that is given up nothing but a visitor's events was
    /// known.
    of_visitor: bool,
    /// The member who asked for it; null for a key.
    requested_by: Option<Uuid>,
    /// When.
    requested_at: Timestamp,
    /// When it was done.
    finished_at: Option<Timestamp>,
    /// Until when it can be undone; null when it cannot.
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
    /// The client that is given up; also `previousId`.
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
    /// Only those into this client.
    #[param(example = "ada")]
    client_id: Option<String>,
    /// How many at most.
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
/// Everything known of the client `previous_id` becomes this client's, and what still comes for that id
/// counts here. A few thousand events are moved before this answers; more go on in the background, while
/// both ids keep working. It can be undone for 30 days. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/merge", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = NewMerge,
    responses(
        (status = 202, description = "The merge, and how far it is.", body = MergeBody),
        (status = 409, description = "They are one already, or take part in another merge."),
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
/// The latest, newest first.
#[utoipa::path(
    get, path = "/api/v1/merges", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    params(MergeFilter),
    responses(
        (status = 200, description = "The merges.", body = Merges),
        (status = 404, description = "There is no such client."),
    ),
)]
async fn list_merges(
    worker: Worker,
    State(api): State<Api>,
    Params(filter): Params<MergeFilter>,
) -> Result<Json<Merges>, Problem> {
    let limit = limit(filter.limit.as_deref(), DEFAULT_MERGES, MAX_MERGES)?;
    let into = client_named(&api, worker.scope, filter.client_id.as_deref()).await?;
    let merges = api.mainstay.merges(worker.scope, into, limit).await?;
    let merges = merges.into_iter().map(|merge| MergeBody::new(&api.mainstay, merge)).collect();
    Ok(Json(Merges { merges }))
}

/// Reads a merge.
///
/// How far it is, and until when it can be undone.
#[utoipa::path(
    get, path = "/api/v1/merges/{merge_id}", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The merge.", body = MergeBody)),
)]
async fn read_merge(
    worker: Worker,
    State(api): State<Api>,
    Id(merge): Id<MergeId>,
) -> Result<Json<MergeBody>, Problem> {
    let merge = api.mainstay.merge(worker.scope, merge).await?;
    Ok(Json(MergeBody::new(&api.mainstay, merge)))
}

/// Undoes a merge.
///
/// Each client gets back what was its own, for 30 days after the merge. What has come since under either
/// id stays with the client that it came to. Needs the role owner or admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/merges/{merge_id}/undo", tag = "Clients",
    security(("secret_key" = []), ("member_token" = [])),
    responses(
        (status = 202, description = "The merge, and how far its undoing is.", body = MergeBody),
        (status = 409, description = "It is not done, was done too long ago, or others rest on it."),
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
