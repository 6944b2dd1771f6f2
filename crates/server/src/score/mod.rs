//! Computing, storing and explaining success scores.

mod mend;
mod preview;
mod run;
mod single;

use mainstay_core::{
    engagement::Windows,
    score::{Score, ScoreInputs, ScoreModel},
};
use mainstay_store::{ActivityRange, ClientFacts};

pub use preview::{ModelPreview, Move};
pub use run::{ClientScore, ScoreRun};
pub(crate) use run::{Scores, scores_of};
pub use single::Explained;

use crate::organization::Context;

/// The instant that figures are computed for, with all that decides them besides the facts.
pub(crate) struct Moment {
    pub(crate) range: ActivityRange,
    pub(crate) model: ScoreModel,
    pub(crate) version: i64,
    zone_name: String,
}

impl Moment {
    /// The moment `as_of` of an organization, with the model that new scores are made with.
    pub(crate) fn new(context: &Context, as_of: jiff::Timestamp, detailed: bool) -> Self {
        let (version, _) = context.model();
        Self::with_model(context, as_of, detailed, version)
    }

    /// The same with a certain version of the model.
    pub(crate) fn with_model(
        context: &Context,
        as_of: jiff::Timestamp,
        detailed: bool,
        version: i64,
    ) -> Self {
        let windows = Windows::at(as_of, context.zone.clone());
        Self {
            range: ActivityRange::new(windows, context.organization.folded_until, detailed),
            model: context.model_of(version),
            version,
            zone_name: context.organization.time_zone.clone(),
        }
    }

    pub(crate) fn inputs(&self, facts: &ClientFacts) -> ScoreInputs {
        ScoreInputs::new(
            &self.range.windows,
            &self.zone_name,
            self.version,
            &facts.activity,
            facts.tasks,
            facts.launch_kit,
            facts.ratings,
        )
    }

    /// The score that follows from a client's facts.
    pub(crate) fn score(&self, facts: &ClientFacts) -> Score {
        Score::compute(self.inputs(facts), &self.model, facts.previous)
    }
}
