//! `/api/v1/clients/{client_id}/feedback`: how a client rates the organization.

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use mainstay_core::score::FeedbackKind;
use mainstay_store::{Feedback, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    Error,
    api::{
        Api,
        body::Body,
        caller::ForClient,
        input::{Params, instant, limit},
        names,
        problem::Problem,
    },
    client::FeedbackGiven,
};

const DEFAULT_RATINGS: i64 = 50;
const MOST_RATINGS: i64 = 500;

/// A rating that a client gave.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feedback)]
struct FeedbackBody {
    /// Its id.
    id: Uuid,
    /// On which scale.
    #[schema(value_type = names::FeedbackKind)]
    kind: FeedbackKind,
    /// As it was given.
    #[schema(example = 4)]
    rating: i64,
    /// On a common scale, 0–100: what counts for the satisfaction part of the client's score.
    #[schema(example = 75)]
    normalised: i64,
    /// What the client said.
    comment: Option<String>,
    /// When.
    given_at: Timestamp,
    /// Whether the client gave it with its own token or on its page.
    self_told: bool,
}

impl From<Feedback> for FeedbackBody {
    fn from(feedback: Feedback) -> Self {
        Self {
            id: feedback.id.uuid(),
            kind: feedback.kind,
            rating: feedback.rating,
            normalised: feedback.normalised,
            comment: feedback.comment,
            given_at: feedback.given_at,
            self_told: feedback.self_told,
        }
    }
}

/// A client's ratings.
#[derive(Debug, Serialize, ToSchema)]
struct FeedbackList {
    /// Newest first.
    feedback: Vec<FeedbackBody>,
}

/// How many ratings to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HowMany {
    /// How many at most.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

/// A rating to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFeedback {
    /// On which scale.
    #[schema(value_type = names::FeedbackKind, example = "stars")]
    kind: String,
    /// The rating, a whole number on that scale.
    #[schema(example = 4)]
    rating: i64,
    /// What the client says.
    #[schema(max_length = 4_000, example = "The new reports are a great help.")]
    comment: Option<String>,
    /// When, for a rating that was given earlier; not with a client's token.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_at: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_feedback, give_feedback))
}

/// Lists a client's ratings.
///
/// The latest ones, newest first. A client's token reads its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/feedback", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(HowMany),
    responses((status = 200, description = "The ratings.", body = FeedbackList)),
)]
async fn list_feedback(
    asked: ForClient,
    State(api): State<Api>,
    Params(how): Params<HowMany>,
) -> Result<Json<FeedbackList>, Problem> {
    let limit = limit(how.limit.as_deref(), DEFAULT_RATINGS, MOST_RATINGS)?;
    let feedback = api.mainstay.feedback(asked.scope, asked.client.id, limit).await?;
    Ok(Json(FeedbackList { feedback: feedback.into_iter().map(Into::into).collect() }))
}

/// Keeps a client's rating.
///
/// With the first one, the satisfaction part of the client's score is measured and no longer
/// assumed. A client's token gives its own: one of each kind stands for a week, a newer one replaces it.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/feedback", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body = NewFeedback,
    responses((status = 201, description = "The rating as it is kept.", body = FeedbackBody)),
)]
async fn give_feedback(
    asked: ForClient,
    State(api): State<Api>,
    Body(new): Body<NewFeedback>,
) -> Result<(StatusCode, Json<FeedbackBody>), Problem> {
    let kind: FeedbackKind = new.kind.parse().map_err(Error::from)?;
    let self_told = matches!(asked.scope, Scope::Client(..));
    if self_told {
        let client = std::iter::once(asked.client.external_id.as_str());
        api.writer.count_self_told(asked.organization, client)?;
    }
    let given = FeedbackGiven {
        self_told,
        kind,
        rating: new.rating,
        comment: new.comment,
        given_at: new.given_at.map(|text| instant("given_at", &text)).transpose()?,
    };
    // What a client says of itself is stored by the service, as its events are.
    let scope = match asked.scope {
        Scope::Client(organization, _) => Scope::Service(organization),
        scope => scope,
    };
    let feedback = api.mainstay.give_feedback(scope, &asked.client, given).await?;
    Ok((StatusCode::CREATED, Json(feedback.into())))
}
