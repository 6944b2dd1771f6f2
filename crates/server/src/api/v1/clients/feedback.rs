//! `/api/v1/clients/{client_id}/feedback`: a client's ratings of the organization.

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
        caller::ClientAccess,
        input::{Params, instant, limit},
        names,
        problem::Problem,
    },
    client::FeedbackInput,
};

const DEFAULT_RATINGS: i64 = 50;
const MAX_RATINGS: i64 = 500;

/// A rating by a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feedback)]
struct FeedbackBody {
    /// Its id.
    id: Uuid,
    /// The scale.
    #[schema(value_type = names::FeedbackKind)]
    kind: FeedbackKind,
    /// The rating on its own scale.
    #[schema(example = 4)]
    rating: i64,
    /// On a common scale, 0–100: what counts for the satisfaction part of the client's score.
    #[schema(example = 75)]
    normalised: i64,
    /// The client's comment.
    comment: Option<String>,
    /// When.
    given_at: Timestamp,
    /// Whether it was sent with the client's own token or from its page.
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
struct FeedbackQuery {
    /// The page size.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

/// A rating to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewFeedback {
    /// The scale.
    #[schema(value_type = names::FeedbackKind, example = "stars")]
    kind: String,
    /// The rating, a whole number on that scale.
    #[schema(example = 4)]
    rating: i64,
    /// The client's comment.
    #[schema(max_length = 4_000, example = "The new reports are a great help.")]
    comment: Option<String>,
    /// When it was given, if earlier; not with a client's token.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_at: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list_feedback, give_feedback))
}

/// Lists a client's ratings.
///
/// The latest ones, newest first. A client's token can only read its own.
#[utoipa::path(
    get, path = "/api/v1/clients/{client_id}/feedback", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    params(FeedbackQuery),
    responses((status = 200, description = "The ratings.", body = FeedbackList)),
)]
async fn list_feedback(
    access: ClientAccess,
    State(api): State<Api>,
    Params(query): Params<FeedbackQuery>,
) -> Result<Json<FeedbackList>, Problem> {
    let limit = limit(query.limit.as_deref(), DEFAULT_RATINGS, MAX_RATINGS)?;
    let feedback = api.mainstay.feedback(access.scope, access.client.id, limit).await?;
    Ok(Json(FeedbackList { feedback: feedback.into_iter().map(Into::into).collect() }))
}

/// Records a client's rating.
///
/// The first rating replaces the assumed satisfaction part of the client's score. With a client's
/// token, a newer rating of the same kind replaces one from the same week.
#[utoipa::path(
    post, path = "/api/v1/clients/{client_id}/feedback", tag = "Clients",
    security(("secret_key" = []), ("member_token" = []), ("client_token" = [])),
    request_body = NewFeedback,
    responses((status = 201, description = "The rating as it is kept.", body = FeedbackBody)),
)]
async fn give_feedback(
    access: ClientAccess,
    State(api): State<Api>,
    Body(new): Body<NewFeedback>,
) -> Result<(StatusCode, Json<FeedbackBody>), Problem> {
    let kind: FeedbackKind = new.kind.parse().map_err(Error::from)?;
    let self_told = matches!(access.scope, Scope::Client(..));
    let feedback_input = FeedbackInput {
        self_told,
        kind,
        rating: new.rating,
        comment: new.comment,
        given_at: new.given_at.map(|text| instant("given_at", &text)).transpose()?,
    };
    feedback_input.check()?;
    if self_told {
        let client = std::iter::once(access.client.external_id.as_str());
        api.writer.count_self_told(access.organization, client)?.keep();
    }
    // What a client says of itself is stored by the service, as its events are.
    let scope = match access.scope {
        Scope::Client(organization, _) => Scope::Service(organization),
        scope => scope,
    };
    let feedback = api.mainstay.record_feedback(scope, &access.client, feedback_input).await?;
    Ok((StatusCode::CREATED, Json(feedback.into())))
}
