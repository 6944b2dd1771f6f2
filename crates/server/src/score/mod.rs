//! Computing, storing and explaining success scores.

mod mend;
mod preview;
mod refresh;
mod run;
mod shown;
mod single;

use jiff::{SignedDuration, Timestamp};
use mainstay_core::{
    engagement::Windows,
    id::ClientId,
    insight::contributions,
    score::{Comparison, Components, Score, ScoreInputs, ScoreModel},
};
use mainstay_store::{ActivityRange, ClientFacts};

pub use preview::{ModelPreview, Move};
pub use run::{ClientScore, ScoreRun};
pub(crate) use shown::{DAYS, shown_facts};
pub use single::Explained;

use crate::organization::Context;

/// Clients' scores, in the order of their chunk.
pub(crate) type Scores = Vec<(ClientId, Score)>;

/// What windows end with, so that an event is inside of them: the next instant that a database keeps.
pub(crate) fn just_after(at: Timestamp) -> Timestamp {
    at.saturating_add(SignedDuration::from_micros(1)).unwrap_or(at)
}

/// The instant that figures are computed for, with all that decides them besides the facts.
pub(crate) struct Moment<'a> {
    pub(crate) range: ActivityRange,
    pub(crate) model: ScoreModel,
    pub(crate) version: i64,
    context: &'a Context,
}

impl<'a> Moment<'a> {
    /// The moment `as_of` of an organization, with the model that new scores are made with.
    pub(crate) fn new(context: &'a Context, as_of: Timestamp, detailed: bool) -> Self {
        Self::with_model(context, as_of, detailed, context.organization.model_version)
    }

    /// The same with a certain version of the model.
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

    /// The score that follows from a client's facts.
    pub(crate) fn score(&self, facts: &ClientFacts) -> Score {
        self.context.score(facts, self.version)
    }
}

impl Context {
    /// The version of the model that was in force at an instant. Publishing a model moves no score
    /// that is shown: each follows with its client's next event, or when the day ends.
    pub(crate) fn version_at(&self, at: Timestamp) -> i64 {
        self.models
            .iter()
            .rev()
            .find(|stored| stored.created_at < at)
            .or(self.models.first())
            .map_or(ScoreModel::STANDARD_VERSION, |stored| stored.version)
    }

    /// The score that follows from a client's facts by one version of the model.
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
            earlier.compared_by((version, model), self.model_ref(earlier.model))
        });
        Score::compute(inputs, model, compared)
    }

    /// The score that is shown of a client, from its facts at the instant that this is for.
    pub(crate) fn shown_score(&self, facts: &ClientFacts) -> Score {
        self.score(facts, self.version_at(facts.as_of))
    }
}

/// What each part gave in the score that one is compared with, by the same model; `None` when that is
/// not known.
pub(crate) fn previous_contributions(
    facts: &ClientFacts,
    score: &Score,
    model: &ScoreModel,
) -> Option<Components<i64>> {
    score.previous?;
    let inputs = facts.previous.as_ref()?.inputs.as_ref()?;
    Some(contributions(inputs, model))
}
