use jiff::{Timestamp, tz::TimeZone};
use mainstay_core::{
    engagement::Windows,
    score::{
        Action, Band, Component, ComponentEvidence, Components, Evidence, Improvement, LaunchKit,
        Part, Score, ScoreInputs, ScoreModel, Trend,
    },
    time::time_zone,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::paths::api_client_path;
use crate::{api::names, score::Explained};

/// A client's success score at one instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Score)]
pub(crate) struct ScoreBody {
    /// 0–100: the rounded sum of the weighted components.
    #[schema(minimum = 0, maximum = 100, example = 72)]
    overall: i64,
    /// Each component, 0–100.
    components: ComponentPoints,
    /// The band of the score.
    #[schema(value_type = names::Band)]
    band: Band,
    /// The trend.
    #[schema(value_type = names::Trend)]
    trend: Trend,
    /// Points since `previous`.
    #[schema(example = 6)]
    change: Option<i64>,
    /// The stored score it is compared with, by the same model: the latest that is at least seven
    /// days older, otherwise the oldest that is at least one day older.
    previous: Option<PreviousScore>,
    /// The instant of the score it would be compared with, if that score's model did not use
    /// another feedback window.
    incomparable: Option<Timestamp>,
    /// The share of the weight that is based on measured data, in percent.
    #[schema(minimum = 0, maximum = 100, example = 85)]
    coverage: i64,
    /// The components for which the model's rule for missing data was used.
    #[schema(value_type = Vec<names::Component>, example = json!(["satisfaction"]))]
    assumed: Vec<Component>,
    /// The instant of the score; events at or after it do not count.
    as_of: Timestamp,
    /// The zone whose calendar days were counted.
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    /// The version of its score model.
    #[schema(example = 1)]
    model_version: i64,
}

/// One number for each component.
#[derive(Debug, Serialize, ToSchema)]
struct ComponentPoints {
    /// Frequency and volume of the client's activity this week.
    #[schema(example = 81)]
    engagement: i64,
    /// Progress of its onboarding.
    #[schema(example = 77)]
    activation: i64,
    /// Milestones reached so far.
    #[schema(example = 60)]
    progress: i64,
    /// Ratings of the organization.
    #[schema(example = 50)]
    satisfaction: i64,
    /// Activity this week compared with the last.
    #[schema(example = 80)]
    momentum: i64,
}

/// An earlier score.
#[derive(Debug, Serialize, ToSchema)]
struct PreviousScore {
    /// The instant of the score.
    as_of: Timestamp,
    /// The overall score.
    #[schema(example = 66)]
    overall: i64,
}

impl From<Components<i64>> for ComponentPoints {
    fn from(points: Components<i64>) -> Self {
        let Components { engagement, activation, progress, satisfaction, momentum } = points;
        Self { engagement, activation, progress, satisfaction, momentum }
    }
}

impl ScoreBody {
    /// A score by this model.
    pub(crate) fn new(score: Score, model: &ScoreModel) -> Self {
        let values = model.components(&score.inputs);
        let assumed =
            Component::ALL.into_iter().filter(|part| !values.get(*part).measured).collect();
        Self::with_assumed(score, assumed)
    }

    fn with_assumed(score: Score, assumed: Vec<Component>) -> Self {
        Self {
            overall: score.overall,
            components: score.components.into(),
            band: score.band,
            trend: score.trend,
            change: score.change,
            previous: score
                .previous
                .map(|previous| PreviousScore { as_of: previous.as_of, overall: previous.overall }),
            incomparable: score.incomparable,
            coverage: score.coverage,
            assumed,
            as_of: score.inputs.as_of,
            time_zone: score.inputs.zone,
            model_version: score.inputs.model,
        }
    }
}

/// A score with its explanation and possible improvements.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExplainedScore {
    #[serde(flatten)]
    score: ScoreBody,
    /// The explanation.
    evidence: EvidenceBody,
    /// Possible improvements, most gain for the least effort first.
    improvements: Vec<ImprovementBody>,
}

impl ExplainedScore {
    /// The score of the client with this id.
    pub(crate) fn new(explained: Explained, client_id: &str) -> Self {
        let Explained { score, evidence, improvements } = explained;
        let assumed = evidence
            .components
            .iter()
            .filter(|part| !part.measured)
            .map(|part| part.component)
            .collect();
        Self {
            evidence: EvidenceBody::new(evidence, &score.inputs, client_id),
            improvements: improvements.into_iter().map(Into::into).collect(),
            score: ScoreBody::with_assumed(score, assumed),
        }
    }
}

/// The explanation of a score.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Evidence)]
struct EvidenceBody {
    /// The five components.
    components: Vec<ComponentEvidenceBody>,
    /// The overall score before rounding: exactly the sum of the contributions.
    #[schema(example = 7_205)]
    total_hundredths: i64,
    /// The sum of the weights: 100, or less if components were omitted.
    #[schema(example = 100)]
    weight_total_percent: i64,
    /// The counted facts.
    facts: ScoreFacts,
    /// The seven days before `as_of`.
    this_week: WindowBody,
    /// The seven days before those.
    last_week: WindowBody,
}

/// The explanation of one component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ComponentEvidence)]
struct ComponentEvidenceBody {
    /// Which one.
    #[schema(value_type = names::Component)]
    component: Component,
    /// 0–100.
    #[schema(example = 81)]
    points: i64,
    /// The model's weight; 0 if the component was omitted for lack of data. Its share of the
    /// overall score is `weight_percent / weight_total_percent`.
    #[schema(example = 25)]
    weight_percent: i64,
    /// Its contribution to the overall score: `points × weight_percent / weight_total_percent`.
    #[schema(example = 2_025)]
    contribution_hundredths: i64,
    /// False if the model's rule for missing data was used.
    measured: bool,
    /// The rule that fired, with its numbers.
    #[schema(example = "13 events on 4 days this week, 2 of high value.")]
    rule: String,
    /// The summands of the points.
    parts: Vec<PartBody>,
}

/// One summand of a component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvidencePart)]
struct PartBody {
    /// The fact.
    #[schema(example = "active on 4 of 7 days")]
    fact: String,
    /// Its points.
    #[schema(example = 2_857)]
    points_hundredths: i64,
    /// The maximum number of points.
    #[schema(example = 50)]
    of_points: i64,
}

/// The inputs of a score.
#[derive(Debug, Serialize, ToSchema)]
struct ScoreFacts {
    /// Events this week.
    events_this_week: i64,
    /// Events last week.
    events_last_week: i64,
    /// Distinct days with an event this week, at most 7.
    active_days: i64,
    /// High-value events this week.
    high_value_events: i64,
    /// All `content_generated` events so far.
    content_generated: i64,
    /// All `visual_created` events so far.
    visuals_created: i64,
    /// Onboarding tasks.
    tasks: i64,
    /// Onboarding tasks completed or skipped.
    tasks_settled: i64,
    /// The client's progress in its launch kit.
    #[schema(value_type = names::LaunchKitState)]
    launch_kit: LaunchKit,
    /// Ratings in the model's feedback window.
    ratings: i64,
    /// Sum of those ratings, each on a scale of 0–100.
    rating_sum: i64,
    /// The last event before `as_of`.
    last_event_at: Option<Timestamp>,
}

/// A time range and the path of its events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvidenceWindow)]
struct WindowBody {
    /// Its start, included.
    from: Timestamp,
    /// Its end, not included.
    to: Timestamp,
    /// The path of its events.
    #[schema(
        example = "/api/v1/clients/ada/events?from=2026-04-24T09:30:00Z&to=2026-05-01T09:30:00Z"
    )]
    events_url: String,
}

impl EvidenceBody {
    fn new(evidence: Evidence, inputs: &ScoreInputs, client_id: &str) -> Self {
        // A zone that was valid when the score was made stays in the database of zones.
        let zone = time_zone(&inputs.zone).unwrap_or(TimeZone::UTC);
        let windows = Windows::at(inputs.as_of, zone);
        let path = api_client_path(client_id);
        let window = |from: Timestamp, to: Timestamp| WindowBody {
            from,
            to,
            events_url: format!("{path}/events?from={from}&to={to}"),
        };
        Self {
            components: evidence.components.into_iter().map(Into::into).collect(),
            total_hundredths: evidence.total_hundredths,
            weight_total_percent: evidence.weight_total_percent,
            facts: inputs.into(),
            this_week: window(windows.this_week, windows.as_of),
            last_week: window(windows.last_week, windows.this_week),
        }
    }
}

impl From<ComponentEvidence> for ComponentEvidenceBody {
    fn from(evidence: ComponentEvidence) -> Self {
        Self {
            component: evidence.component,
            points: evidence.points,
            weight_percent: evidence.weight_percent,
            contribution_hundredths: evidence.contribution_hundredths,
            measured: evidence.measured,
            rule: evidence.rule,
            parts: evidence.parts.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Part> for PartBody {
    fn from(part: Part) -> Self {
        Self { fact: part.fact, points_hundredths: part.hundredths, of_points: part.of }
    }
}

impl From<&ScoreInputs> for ScoreFacts {
    fn from(inputs: &ScoreInputs) -> Self {
        Self {
            events_this_week: inputs.events,
            events_last_week: inputs.events_before,
            active_days: inputs.active_days,
            high_value_events: inputs.high_value,
            content_generated: inputs.content,
            visuals_created: inputs.visuals,
            tasks: inputs.tasks,
            tasks_settled: inputs.settled,
            launch_kit: inputs.kit,
            ratings: inputs.ratings,
            rating_sum: inputs.rating_sum,
            last_event_at: inputs.last,
        }
    }
}

/// A possible improvement of a score.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Improvement)]
struct ImprovementBody {
    /// What to do.
    #[schema(value_type = names::ImprovementAction)]
    action: Action,
    /// How many times.
    #[schema(example = 1)]
    times: i64,
    /// The gain of the overall score before rounding.
    #[schema(example = 550)]
    gain_hundredths: i64,
    /// The component with the largest gain.
    #[schema(value_type = names::Component)]
    component: Component,
}

impl From<Improvement> for ImprovementBody {
    fn from(improvement: Improvement) -> Self {
        let Improvement { action, times, gain_hundredths, component } = improvement;
        Self { action, times, gain_hundredths, component }
    }
}
