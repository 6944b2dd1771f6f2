//! Computing, storing and explaining success scores.

mod current;
mod preview;
mod recompute;
mod refresh;
mod run;
mod single;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    engagement::Windows,
    id::ClientId,
    insight::contributions,
    score::{Comparison, Components, Score, ScoreInputs, ScoreModel},
};
use mainstay_store::{ActivityRange, ClientFacts};

pub(crate) use current::{LOOKBACK_DAYS, shown_facts};
pub use preview::{ModelPreview, Move};
pub use run::{ClientScore, ScoreRun};
pub use single::Explained;

use crate::organization::Context;

/// Clients' scores, in the order of their chunk.
pub(crate) type Scores = Vec<(ClientId, Score)>;

/// The next instant at database precision, as the exclusive end of windows that include an event.
pub(crate) fn just_after(at: Timestamp) -> Timestamp {
    at.saturating_add(SignedDuration::from_micros(1)).unwrap_or(at)
}

/// The instant and model that scores are computed with.
pub(crate) struct ScoringContext<'a> {
    pub(crate) range: ActivityRange,
    pub(crate) model: ScoreModel,
    pub(crate) version: i64,
    context: &'a Context,
}

impl<'a> ScoringContext<'a> {
    /// Creates a context for `as_of`, with the current model.
    pub(crate) fn new(context: &'a Context, as_of: Timestamp, detailed: bool) -> Self {
        Self::with_model(context, as_of, detailed, context.organization.model_version)
    }

    /// The same with a specific version of the model.
    pub(crate) fn with_model(
        context: &'a Context,
        as_of: Timestamp,
        detailed: bool,
        version: i64,
    ) -> Self {
        let windows = Windows::at(as_of, context.zone.clone());
        Self {
            range: ActivityRange::new(windows, context.organization.folded_until, detailed),
            model: context.model_of(version),
            version,
            context,
        }
    }

    /// Computes the score from a client's facts.
    pub(crate) fn score(&self, facts: &ClientFacts) -> Score {
        self.context.score(facts, self.version)
    }
}

impl Context {
    /// The version of the model at an instant. Publishing a model changes no current score: it
    /// applies from a client's next event, or the end of the day.
    pub(crate) fn version_at(&self, at: Timestamp) -> i64 {
        self.models
            .iter()
            .rev()
            .find(|stored| stored.created_at < at)
            .or(self.models.first())
            .map_or(ScoreModel::STANDARD_VERSION, |stored| stored.version)
    }

    /// Computes the score from a client's facts with a version of the model.
    pub(crate) fn score(&self, facts: &ClientFacts, version: i64) -> Score {
        let mut inputs = ScoreInputs::new(
            facts.as_of,
            &self.organization.time_zone,
            version,
            &facts.activity,
            facts.tasks,
            facts.launch_kit,
            facts.ratings,
        );
        inputs.known_at = facts.known_at;
        let model = self.model_ref(version);
        let compared = facts.previous.as_ref().map_or(Comparison::Nothing, |earlier| {
            earlier.compare_using((version, model), self.model_ref(earlier.model))
        });
        Score::compute(inputs, model, compared)
    }

    /// Computes the current score of a client from its facts at the score's instant.
    pub(crate) fn shown_score(&self, facts: &ClientFacts) -> Score {
        self.score(facts, self.version_at(facts.as_of))
    }
}

/// The contributions of each part in the previous score by the same model; `None` if unknown.
pub(crate) fn previous_contributions(
    facts: &ClientFacts,
    score: &Score,
    model: &ScoreModel,
) -> Option<Components<i64>> {
    score.previous?;
    let inputs = facts.previous.as_ref()?.inputs.as_ref()?;
    Some(contributions(inputs, model))
}
