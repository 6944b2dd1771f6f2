//! `/api/v1/score-models`: the models that scores are computed with.

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::StatusCode,
};
use jiff::Timestamp;
use mainstay_core::score::ScoreModel;
use mainstay_store::StoredModel;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Error,
    api::{
        Api,
        body::{json_bytes, object},
        caller::{Administrator, StaffCaller},
        input::PathVersion,
        problem::Problem,
    },
};

/// A published score model.
#[derive(Debug, Serialize, ToSchema)]
struct PublishedModel {
    /// Counts up from 1, the built-in `standard` model. Every score names its version.
    #[schema(example = 1)]
    version: i64,
    /// The rules.
    #[schema(value_type = ScoreModelSchema)]
    model: ScoreModel,
    /// When it was published.
    created_at: Timestamp,
}

impl From<StoredModel> for PublishedModel {
    fn from(stored: StoredModel) -> Self {
        Self { version: stored.version, model: stored.model, created_at: stored.created_at }
    }
}

/// The organization's score models.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreModels {
    /// The current version.
    #[schema(example = 1)]
    current: i64,
    /// Oldest first.
    models: Vec<PublishedModel>,
}

/// Describes [`ScoreModel`], which does not depend on HTTP: the schema is derived from the standard
/// model, so that it stays up to date.
enum ScoreModelSchema {}

impl utoipa::PartialSchema for ScoreModelSchema {
    fn schema() -> RefOr<Schema> {
        // A model is plain data, so it always serializes.
        let standard = serde_json::to_value(ScoreModel::standard()).unwrap_or_default();
        let mut schema = schema_of(&standard);
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some(
                "Weights, thresholds, milestones and what stands in for missing data: `zero`, \
                 `exclude`, or a fixed value such as `{\"neutral\": 50}`. Weights sum to 100."
                    .to_owned(),
            );
            object.examples = vec![standard];
        }
        schema
    }
}

impl ToSchema for ScoreModelSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "ScoreModel".into()
    }
}

/// A model with all its fields. A stored model may lack fields of later versions, which then have their defaults.
/// A forgotten field in a request must not silently become the standard model's rule.
struct CompleteModel(ScoreModel);

impl FromRequest<Api> for CompleteModel {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = json_bytes(request, api).await?;
        let model: ScoreModel = object(&bytes)?;
        let all = serde_json::to_value(&model).unwrap_or_default();
        match missing_field(&all, &object(&bytes)?) {
            Some(field) => Err(Problem::invalid(&field, "is missing; send it")),
            None => Ok(Self(model)),
        }
    }
}

/// The path of the first field that is in `all` and not in `sent`.
fn missing_field(all: &Value, sent: &Value) -> Option<String> {
    all.as_object()?.iter().find_map(|(name, value)| {
        let Some(sent) = sent.get(name) else { return Some(name.clone()) };
        missing_field(value, sent).map(|field| format!("{name}.{field}"))
    })
}

fn schema_of(value: &Value) -> RefOr<Schema> {
    match value {
        Value::Object(fields) => {
            let mut object = ObjectBuilder::new().schema_type(Type::Object);
            for (name, value) in fields {
                let schema =
                    if name.starts_with("without_") { missing_data() } else { schema_of(value) };
                object = object.property(name, schema).required(name);
            }
            object.into()
        }
        Value::Array(items) => {
            let item = items.first().map_or_else(|| ObjectBuilder::new().into(), schema_of);
            ArrayBuilder::new().items(item).into()
        }
        Value::String(_) => ObjectBuilder::new().schema_type(Type::String).into(),
        _ => ObjectBuilder::new().schema_type(Type::Integer).into(),
    }
}

fn missing_data() -> RefOr<Schema> {
    let name =
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["zero", "exclude"]));
    OneOfBuilder::new().item(name).item(schema_of(&json!({"neutral": 50}))).into()
}

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_score_models, publish_score_model))
        .routes(routes!(republish_score_model))
}

/// Lists the score models.
///
/// All published versions: a stored score is explained by its own version.
#[utoipa::path(
    get, path = "/api/v1/score-models", tag = "Scores",
    security(("secret_key" = []), ("member_token" = [])),
    responses((status = 200, description = "The models.", body = ScoreModels)),
)]
async fn list_score_models(
    caller: StaffCaller,
    State(api): State<Api>,
) -> Result<Json<ScoreModels>, Problem> {
    let context = api.mainstay.context_in(caller.scope).await?;
    Ok(Json(ScoreModels {
        current: context.organization.model_version,
        models: context.models.into_iter().map(Into::into).collect(),
    }))
}

/// Publishes a score model.
///
/// As the next version. It applies to a client's score from its next event, and to all scores from
/// the next local midnight; stored scores do not change. The model is validated: weights must sum
/// to 100, and no component can exceed 100. Needs the role owner or
/// admin, or a secret key.
#[utoipa::path(
    post, path = "/api/v1/score-models", tag = "Scores",
    security(("secret_key" = []), ("member_token" = [])),
    request_body = ScoreModelSchema,
    responses((status = 201, description = "The model with its version.", body = PublishedModel)),
)]
async fn publish_score_model(
    administrator: Administrator,
    State(api): State<Api>,
    CompleteModel(model): CompleteModel,
) -> Result<(StatusCode, Json<PublishedModel>), Problem> {
    let version = api.mainstay.publish_score_model(administrator.scope, &model).await?;
    published_response(&api, &administrator, version).await
}

/// Republishes an earlier score model.
///
/// Publishes a copy of it as the next version. Needs the role owner or admin, or
/// a secret key.
#[utoipa::path(
    post, path = "/api/v1/score-models/{version}/use", tag = "Scores",
    security(("secret_key" = []), ("member_token" = [])),
    params(("version" = i64, Path, description = "The version to use again.", example = 1)),
    responses(
        (status = 201, description = "The model with its new version.", body = PublishedModel),
        (status = 409, description = "This version is already in use."),
    ),
)]
async fn republish_score_model(
    administrator: Administrator,
    State(api): State<Api>,
    PathVersion(version): PathVersion,
) -> Result<(StatusCode, Json<PublishedModel>), Problem> {
    let version = api.mainstay.republish_score_model(administrator.scope, version).await?;
    published_response(&api, &administrator, version).await
}

async fn published_response(
    api: &Api,
    administrator: &Administrator,
    version: i64,
) -> Result<(StatusCode, Json<PublishedModel>), Problem> {
    let context = api.mainstay.context_in(administrator.scope).await?;
    let stored = context.models.into_iter().find(|stored| stored.version == version);
    let stored = stored.ok_or_else(|| Error::NotFound {
        what: "score model",
        id: version.to_string(),
        remedy: "GET /api/v1/score-models lists all versions",
    })?;
    Ok((StatusCode::CREATED, Json(stored.into())))
}
